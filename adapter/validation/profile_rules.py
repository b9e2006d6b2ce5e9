"""The constraints of our profiles as named functions; a profile names them by key."""

from __future__ import annotations

from typing import Any

from adapter.validation.faults import Json
from adapter.validation.invariants import Invariant, codes

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_UNKNOWN_RACE = {"ASKU", "UNK"}


def is_npi(text: Any) -> bool:
    """Ten digits, the last of which is the Luhn digit over 80840 and the first nine (CMS)."""
    if not isinstance(text, str) or len(text) != 10 or not (text.isascii() and text.isdigit()):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in text[0::2])
    return (24 + doubled + sum(int(digit) for digit in text[1::2])) % 10 == 0


def _name(name: Json) -> bool:
    absent = any(e.get("url") == ABSENT for e in name.get("extension", ()))
    return ("family" in name or "given" in name) != absent


def _member_id(coverage: Json) -> bool:
    types = (i.get("type", {}).get("coding", ()) for i in coverage.get("identifier", ()))
    ids = ((c.get("system"), c.get("code")) for codings in types for c in codings)
    return "subscriberId" in coverage or (_IDENTIFIER_TYPE, "MB") in ids


def _race(extension: Json) -> bool:
    parts = [e for e in extension.get("extension", ()) if e.get("url") == "ombCategory"]
    found = {e.get("valueCoding", {}).get("code") for e in parts}
    return len(parts) == 1 or not found & _UNKNOWN_RACE


def _npi(identifier: Json) -> bool:
    return is_npi(identifier.get("value"))


def _task_status(task: Json) -> bool:
    return task.get("status") not in ("ready", "received")


def _task_outcome(task: Json) -> bool:
    return task.get("status") != "completed" or bool(task.get("output"))


def _fulfils(task: Json) -> bool:
    return "fulfill" in codes(task.get("code"))


def _digits(size: int, mark: str = "") -> Any:
    """A value of so many digits, or for CLIA with its letter in third place."""

    def holds(identifier: Json) -> bool:
        text = str(identifier.get("value", ""))
        digits = text[:2] + text[3:] if mark and text[2:3] == mark else "" if mark else text
        return len(text) == size and digits.isascii() and digits.isdigit()

    return holds


RULES: dict[str, Invariant] = {
    rule.key: rule
    for rule in (
        Invariant("us-core-6", "family or given, else a data absent reason", _name),
        Invariant(
            "us-core-14",
            "name or relationship is required",
            lambda person: "name" in person or "relationship" in person,
        ),
        Invariant("us-core-15", "a member id in identifier or subscriberId", _member_id),
        Invariant("us-core-16", "an NPI has ten digits and its check digit", _npi),
        Invariant("us-core-17", "an NPI has ten digits and its check digit", _npi),
        Invariant("us-core-18", "a CLIA number is nnDnnnnnnn", _digits(10, "D")),
        Invariant("us-core-19", "a NAIC code has five digits", _digits(5)),
        Invariant("us-core-23", "an unknown race stands alone", _race),
        Invariant("ecm-task-1", "a referral is never ready or received", _task_status),
        Invariant("ecm-task-2", "a completed referral has an output", _task_outcome),
        Invariant("ecm-task-3", "a referral asks to fulfill an order", _fulfils),
    )
}
