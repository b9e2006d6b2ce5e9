"""A void (CLM05-3 = 8) says what the claim said, so it is made from the Claim, not from contacts.

What was billed may no longer be billable, or no longer be there: that is why it is voided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from adapter import terms
from adapter.claims.charges import Charge
from adapter.claims.contacts import (
    Authorization,
    Member,
    Rendering,
    Span,
    identifier,
    member,
    rendering,
)
from adapter.claims.drafts import Draft
from adapter.claims.plan import Plan, Rules
from adapter.record import Resource
from adapter.store.protocol import Reader


def void(reader: Reader, claim: str, plan: Plan) -> Draft | str:
    """The draft that voids `Claim/x` of a plan, or in words why there is none."""
    old = _read(reader, claim)
    if old is None or not identifier(old, terms.system("claim", plan.name)):
        return "there is no such claim of this plan"
    if old.get("status") != "active":
        return "the claim was replaced or voided before"
    person = _member(reader, old, plan)
    if person is None:
        return "the claim's member or coverage is gone"
    rules = [plan.rules_on(date.fromisoformat(row["servicedDate"])) for row in old["item"]]
    if None in rules:
        return "the plan has no rule for a date of the claim"
    diagnoses = [_code(row["diagnosisCodeableConcept"]) for row in old["diagnosis"]]
    codes = [code.replace(".", "") for code in diagnoses]
    known = [rule for rule in rules if rule is not None]
    lines = zip(old["item"], known, strict=True)
    made = [_charge(row, codes, person, rule) for row, rule in lines]
    who, allowed = _rendering(reader, old), _authorization(old, person)
    return Draft([replace(row, rendering=who, authorization=allowed) for row in made], codes)


def insurer(reader: Reader, claim: str) -> dict[str, Any]:
    """The payor Reference of a Claim that `void` found."""
    found: dict[str, Any] = (_read(reader, claim) or {}).get("insurer", {})
    return found


def _read(reader: Reader, ref: str) -> Resource | None:
    kind, _, uid = ref.partition("/")
    stored = reader.read(kind, uid) if uid else None
    return None if stored is None or stored.deleted else stored.resource


def _member(reader: Reader, claim: Resource, plan: Plan) -> Member | None:
    of = [("patient", claim["patient"]["reference"])]
    patient = _read(reader, claim["patient"]["reference"])
    coverage = _read(reader, claim["insurance"][0]["coverage"]["reference"])
    if patient is None or coverage is None:
        return None
    episodes, answers = reader.each("EpisodeOfCare", of), reader.each("ClaimResponse", of)
    return member(patient, coverage, episodes, answers, plan.name)


def _charge(row: Resource, diagnoses: Sequence[str], person: Member, rules: Rules) -> Charge:
    """One item of the Claim as the line it was; `phase` no longer matters."""
    return Charge(
        member=person,
        on=date.fromisoformat(row["servicedDate"]),
        phase="",
        code=_code(row["productOrService"]),
        modifiers=tuple(_code(one) for one in row["modifier"]),
        units=int(row["quantity"]["value"]),
        price=_money(row["unitPrice"]),
        amount=_money(row["net"]),
        place=_code(row["locationCodeableConcept"]),
        diagnoses=tuple(diagnoses[number - 1] for number in row["diagnosisSequence"]),
        rendering=None,
        authorization=None,
        contacts=tuple(one["reference"] for one in row["encounter"]),
        rules=rules,
    )


def _rendering(reader: Reader, claim: Resource) -> Rendering | None:
    refs = [row["provider"]["reference"] for row in claim.get("careTeam", ())]
    found = rendering(_read(reader, refs[0])) if refs else None
    return found if found and found.npi else None


def _authorization(claim: Resource, person: Member) -> Authorization | None:
    number = next(iter(claim["insurance"][0].get("preAuthRef", ())), "")
    known = [row for row in person.authorizations if row.number == number]
    unknown = Authorization(number, Span("", ""), f"Claim/{claim['id']}")
    return next(iter(known), unknown) if number else None


def _money(amount: dict[str, Any]) -> Decimal:
    return Decimal(str(amount["value"])).quantize(Decimal("0.01"))


def _code(concept: dict[str, Any]) -> str:
    found: str = concept["coding"][0]["code"]
    return found
