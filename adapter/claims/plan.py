"""How one plan wants its claims: parties and dated rules, read from mappings/claims/<plan>.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapter import data
from adapter.errors import DataFileError

_CHOICES = {
    "usage": ("T", "P"),
    "claim_type": ("CH", "RP"),
    "character_set": ("basic", "extended"),
    "rendering_npi": ("required", "optional"),
    "no_address": ("provider", "refuse"),
    "line_per": ("contact", "day"),
    "claim_per": ("month", "day"),
    "rounding": ("down", "half_up", "up"),
}


@dataclass(frozen=True, slots=True)
class Party:
    """A sender, receiver or payer: name, id, and the ISA qualifier of that id."""

    name: str
    id: str
    qualifier: str = "ZZ"


@dataclass(frozen=True, slots=True)
class Provider:
    """The ECM provider that bills (loop 2010AA); the same facts stand on the return file."""

    name: str
    npi: str
    tin: str
    taxonomy: str
    street: str
    city: str
    state: str
    zip: str
    contact: str
    phone: str


@dataclass(frozen=True, slots=True)
class UnitRule:
    """Minutes to units; see mappings/claims/rules.toml for what each number means."""

    minutes_per_unit: int
    first_unit_min: int
    rounding: str
    outreach_units: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds from one service date on."""

    start: date
    units: UnitRule
    local_modifiers: Mapping[str, tuple[str, ...]]
    authorization_for: tuple[str, ...]
    rendering_npi: str
    no_address: str
    line_per: str
    claim_per: str
    default_diagnosis: str
    rates: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan's claims: who sends to whom, in which form, under which dated rules."""

    name: str
    zone: ZoneInfo
    usage: str
    claim_type: str
    filing_indicator: str
    character_set: str
    claim_prefix: str
    submitter: Party
    receiver: Party
    payer: Party
    provider: Provider
    rules: tuple[Rules, ...]

    def rules_on(self, day: date) -> Rules | None:
        """The rules in force on a service date, None before the first."""
        return next((rules for rules in reversed(self.rules) if rules.start <= day), None)


def load(name: str, provider: Path | None = None) -> Plan:
    """The claim rules of a plan, with the provider of mappings/outbound/provider.toml or a file.

    Raises DataFileError when the plan has no file, or the file lacks or misspells a key.
    """
    file = data.path("mappings", "claims", f"{name}.toml")
    ours = provider or data.path("mappings", "outbound", "provider.toml")
    shared = data.path("mappings", "claims", "rules.toml")
    return read(file, shared, ours)


def read(file: Path, shared: Path, provider: Path) -> Plan:
    """A plan from its three files: the plan's own, the shared rules, the provider."""
    head, parts = data.toml(file), data.toml(shared)
    label = data.name(file)
    try:
        return _plan(head, parts, data.toml(provider)["provider"])
    except (TypeError, ValueError, InvalidOperation, ZoneInfoNotFoundError) as error:
        raise DataFileError(label, "value", str(error)) from None
    except KeyError as error:
        raise DataFileError(label, str(error.args[0]), "is missing or names nothing") from None


def _plan(head: dict[str, Any], parts: dict[str, Any], provider: dict[str, Any]) -> Plan:
    rules = tuple(_rules(row, parts) for row in head["rules"])
    if not rules or [r.start for r in rules] != sorted({r.start for r in rules}):
        raise ValueError("rules: at least one block, in order of `from`")
    return Plan(
        name=head["plan"],
        zone=ZoneInfo(head["zone"]),
        usage=_choice(head, "usage"),
        claim_type=_choice(head, "claim_type"),
        filing_indicator=head["filing_indicator"],
        character_set=_choice(head, "character_set"),
        claim_prefix=head["claim_prefix"],
        submitter=Party(**head["submitter"]),
        receiver=Party(**head["receiver"]),
        payer=Party(**head["payer"]),
        provider=Provider(**provider),
        rules=rules,
    )


def _rules(row: dict[str, Any], parts: dict[str, Any]) -> Rules:
    local = parts["local_modifiers"][row["local_modifiers"]]
    return Rules(
        start=row["from"],
        units=_unit_rule(parts["units"][row["units"]]),
        local_modifiers={phase: tuple(local[phase]) for phase in ("service", "outreach")},
        authorization_for=tuple(row["authorization_for"]),
        rendering_npi=_choice(row, "rendering_npi"),
        no_address=_choice(row, "no_address"),
        line_per=_choice(row, "line_per"),
        claim_per=_choice(row, "claim_per"),
        default_diagnosis=row["default_diagnosis"],
        rates={key: Decimal(text) for key, text in row["rates"].items()},
    )


def _unit_rule(row: dict[str, Any]) -> UnitRule:
    if row["minutes_per_unit"] < 1:
        raise ValueError("minutes_per_unit: at least 1")
    return UnitRule(
        row["minutes_per_unit"],
        row["first_unit_min"],
        _choice(row, "rounding"),
        row["outreach_units"],
    )


def _choice(row: dict[str, Any], key: str) -> str:
    value: str = row[key]
    if value not in _CHOICES[key]:
        raise ValueError(f"{key}: one of {', '.join(_CHOICES[key])}")
    return value
