"""Converters of what IN1, IN2 and IN3 say, and the Medi-Cal number wherever a sender puts it."""

from __future__ import annotations

import re
from typing import Any

from adapter import terms
from adapter.mapping.datatypes import cx
from adapter.mapping.field_values import first_part
from adapter.mapping.named import organization
from adapter.mapping.parts import HL7, added, also, gather, of, part, reach
from adapter.mapping.people import xad
from adapter.mapping.registry import builder, datatype
from adapter.mapping.run import Run

Json = dict[str, Any]
_CIN = re.compile(r"9[0-9]{7}[A-Z]")
_SELF = ("", "SEL", "18", "SELF", "S")

# --- IN1


@datatype("payor", 10, but=(2, 5, 8, 9))
def payor(run: Run, parts: list[str]) -> Json | None:
    """IN1-4 XON to the payor Organization, address from IN1-5 (v2-to-FHIR IN1[Coverage])."""
    reference = organization(run, parts)
    reach(of(run, reference), "address", also(run, 5, xad))
    return reference


@datatype("subscriber_number", 10)
def subscriber_number(run: Run, parts: list[str]) -> Json | None:
    """IN1-10 of type SN, IN1-49: Coverage.subscriberId of R5 as an extension (IN1[Coverage])."""
    item = cx(run, parts)
    if item is None:
        return None
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Coverage.subscriberId"
    return {"url": url, "valueIdentifier": item}


def _group_number(run: Run, parts: list[str]) -> Json | None:
    return None if part(parts, 5).upper() == "SN" else cx(run, parts)


@datatype("policy_holder", 10, but=(2, 5, 8, 9))
def policy_holder(run: Run, parts: list[str]) -> Json | None:
    """IN1-11: who holds the policy, by name and the number of IN1-10 (IN1[Coverage])."""
    reference = organization(run, parts)
    if reference is not None:
        gather(of(run, reference), "identifier", also(run, 10, _group_number))
    return reference


@datatype("policy_group", 10)
def policy_group(run: Run, parts: list[str]) -> Json | None:
    """IN1-10 without IN1-11: who holds the policy by the number alone."""
    item = _group_number(run, parts)
    if item is None:
        return None
    resource = {"identifier": [item], "active": True}
    return added(run, "Organization", resource, item["system"], item["value"])


# --- Medi-Cal: CIN, whoever sends it and wherever


def is_cin(value: str) -> bool:
    """Whether a text has the shape of a Medi-Cal client index number (9, 7 digits, a letter)."""
    return _CIN.fullmatch(value) is not None


@builder("own_cin")
def own_cin(run: Run, texts: list[str]) -> list[Json]:
    """IN1-36, IN1-49, IN2-8, IN2-61: a CIN is the patient's own where the patient is insured.

    IN1-17 must say so or be empty; of another subscriber it is another person's number.
    """
    relation = run.facts.get("insured", "")
    values = [text.split("^")[0].strip().upper() for text in texts]
    if relation not in _SELF:
        return []
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MA"}
    display = terms.table("identifier-type").display("MA")
    coding = {**kind, "display": display} if display else kind
    draft = run.drafts.get("Patient")
    known = draft.resource.get("identifier", ()) if draft is not None else ()
    system = terms.system("cin")
    there = {item.get("value") for item in known if item.get("system") == system}
    return [
        {"type": {"coding": [coding]}, "system": system, "value": value}
        for value in dict.fromkeys(values)
        if is_cin(value) and value not in there
    ]


@datatype("account_number", 10)
def account_number(run: Run, parts: list[str]) -> Json | None:
    """PID-18, MRG-3: an account number, type AN whatever CX.5 says; a Medi-Cal number is none."""
    kind = part(parts, 5).upper()
    if is_cin(part(parts, 1)) and kind in ("MA", "MC", "MI", "MCD"):
        return None
    item = cx(run, [*parts[:4], *[""] * (4 - len(parts)), "AN", *parts[5:]])
    if item is not None and kind not in ("", "AN"):
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
        item["type"] = {"coding": [*item["type"]["coding"], coding]}
    return item


@datatype("account_cin", 10)
def account_cin(run: Run, parts: list[str]) -> Json | None:
    """PID-18: some senders put the Medi-Cal number where the account number belongs."""
    kind = part(parts, 5).upper()
    if is_cin(part(parts, 1)) and kind in ("MA", "MC", "MI", "MCD"):
        return cx(run, parts)
    return None


# --- IN2


@datatype("medicare_number", 1)
def medicare_number(run: Run, parts: list[str]) -> Json | None:
    """IN2-6: the Medicare number, with its system where it has the shape (HL7 v2.9 6.5.7.6)."""
    value = first_part(run, parts)
    if value is None:
        return None
    item = cx(run, [value, "", "", "", "MC"])
    shape = re.compile(terms.identifier("mbi").pattern)
    if item is not None and shape.match(value):
        item["system"] = terms.system("mbi")
    return item


@datatype("medicaid_number", 1)
def medicaid_number(run: Run, parts: list[str]) -> Json | None:
    """IN2-8: the Medicaid case number; in California a CIN by its shape (HL7 v2.9 6.5.7.8)."""
    value = first_part(run, parts)
    return cx(run, [value, "", "", "", "MA"]) if value is not None else None


# --- IN3


@datatype("case_manager", 1)
def case_manager(run: Run, parts: list[str]) -> Json | None:
    """IN3-21: the payor's case manager by name; who it is no number says (IN3[CareTeam])."""
    name = part(parts, 1)
    if not name:
        return None
    absent = {"url": HL7 + "data-absent-reason", "valueCode": "unknown"}
    resource = {"name": [{"_family": {"extension": [absent]}, "text": name}]}
    return added(run, "Practitioner", resource, run.feed.source, "case manager", name.casefold())
