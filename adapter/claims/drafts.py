"""Charges gathered into claims: one member, month, person and authorization, at most 50 lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from adapter.claims.charges import Charge

MAX_LINES = 50
MAX_DIAGNOSES = 12


@dataclass(slots=True)
class Draft:
    """One claim to be: its charges (1-50), diagnoses in order (1-12), and what it corrects.

    `frequency` is CLM05-3: 1 original, 7 replacement, 8 void; 7 and 8 need the payer's own
    number of the claim they correct (`original`, REF*F8) and know that Claim (`corrects`).
    """

    charges: list[Charge] = field(default_factory=list)
    diagnoses: list[str] = field(default_factory=list)
    number: str = ""
    frequency: str = "1"
    original: str = ""
    corrects: str = ""

    @property
    def total(self) -> Decimal:
        """CLM02: the sum of the lines."""
        return sum((charge.amount for charge in self.charges), Decimal(0))

    def takes(self, charge: Charge) -> bool:
        """Adds the charge unless the claim is full (lines, or diagnoses)."""
        both = list(dict.fromkeys([*self.diagnoses, *charge.diagnoses[:MAX_DIAGNOSES]]))
        if len(self.charges) == MAX_LINES or len(both) > MAX_DIAGNOSES:
            return False
        self.charges.append(charge)
        self.diagnoses[:] = both
        return True


def drafts(charges: Iterable[Charge]) -> list[Draft]:
    """Charges as claims, in the order of member, month (or day), person and authorization."""
    found: dict[tuple[str, ...], list[Draft]] = {}
    for charge in charges:
        rows = found.setdefault(_key(charge), [Draft()])
        if not rows[-1].takes(charge):
            rows.append(Draft())
            rows[-1].takes(charge)
    return [draft for rows in found.values() for draft in rows]


def _key(charge: Charge) -> tuple[str, ...]:
    day = charge.on.isoformat()
    return (
        charge.member.ref,
        day[:7] if charge.rules.claim_per == "month" else day,
        charge.rendering.npi if charge.rendering else "",
        charge.authorization.number if charge.authorization else "",
    )
