"""Converters of what IN1, IN2 and IN3 say, and the Medi-Cal number wherever a sender puts it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from adapter import terms
from adapter.mapping.cells import cin_in
from adapter.mapping.datatypes import cx, is_cin, repetitions
from adapter.mapping.field_values import first_part
from adapter.mapping.finish import filler
from adapter.mapping.identifier_types import identifier_type, meant
from adapter.mapping.lasting import lasting
from adapter.mapping.named import organization
from adapter.mapping.parts import HL7, added, also, gather, of, oneself, part, reach
from adapter.mapping.people import xad
from adapter.mapping.registry import builder, datatype
from adapter.mapping.run import Run

Json = dict[str, Any]

# --- IN1

_number, _address = lasting(cx), lasting(xad)  # of a payor: no member's own


@datatype("payor", 10, but=(2, 5, 8, 9))
def payor(run: Run, parts: list[str]) -> Json | None:
    """IN1-4 XON to the payor Organization, address from IN1-5 (v2-to-FHIR IN1[Coverage])."""
    reference = organization(run, parts)
    reach(of(run, reference), "address", also(run, 5, _address))
    if reference is not None and not run.rep:
        _company(run, reference)
    return reference


@datatype("payor_id", 10, but=(3,))
def payor_id(run: Run, parts: list[str]) -> Json | None:
    """IN1-3 CX: the payor by the first of its company numbers, where it has no name."""
    number = part(parts, 1)
    if not number or run.rep:
        return None
    reference = organization(run, ["", "", number, "", "", part(parts, 4)])
    if reference is not None:
        _company(run, reference)
    return reference


def _company(run: Run, payor: Json) -> None:
    """IN1-3: the payor's company numbers; they do not name it, for senders make up their own."""
    resource = of(run, payor)
    known = {(one["system"], one["value"]) for one in resource.get("identifier", ())}
    found = [one for one in also(run, 3, _number) if (one["system"], one["value"]) not in known]
    gather(resource, "identifier", found)


@datatype("member_number", 10, but=(3,))
def member_number(run: Run, parts: list[str]) -> Json | None:
    """IN1-36: the member's number with the payor (US Core Coverage slice memberid, type MB)."""
    item = cx(run, [*parts[:4], *[""] * (4 - len(parts)), "MB", *parts[5:]])
    if item is not None and not part(parts, 4):
        item["system"] = _numbering(run) or item["system"]
    return item


def _numbering(run: Run) -> str:
    """The system of a payor's member numbers; `""` where IN1 names no payor."""
    facts = run.facts
    name, number = facts.get("payor", ""), facts.get("payor-id", "")
    house = run.feed.facility or facts.get("facility", "") or run.feed.name
    return _system(house, run.decode(name), run.decode(number)) if name or number else ""


@lru_cache(maxsize=1024)
def _system(house: str, name: str, number: str) -> str:
    """That of the plan's member files, or one made of IN1-3 with who assigns it, else of IN1-4."""
    plan, company = _plan(name, number), number.partition("^")[0].strip()
    if plan:
        return terms.system("plan-member", plan)
    space, universal, *_ = (*(number.split("^") + [""] * 3)[3].split("&"), "", "")
    words = (universal or space or house, company) if company else (house, name)
    return terms.system("policy", "/".join(quote(word.strip(), safe="") for word in words))


@lru_cache(maxsize=1024)
def _plan(name: str, number: str) -> str:
    """Our short name of a plan, by the payor's name, or by its number where it has none."""
    found = terms.table("payer").get(name or number.partition("^")[0].strip())
    return found.code if found is not None else ""


@builder("own_member_number")
def own_member_number(run: Run, texts: list[str]) -> Json | None:
    """IN1-36: the number by which a plan's member file names the patient, who is the insured.

    IN1-17 must say so: a whole family may have the number of another subscriber.
    """
    facts = run.facts
    if not oneself(facts.get("insured", "")):
        return None
    plan = _plan(run.decode(facts.get("payor", "")), run.decode(facts.get("payor-id", "")))
    value = next(repetitions(run, texts), [""])[0].strip() if plan else ""
    if not value or cin_in(value):
        return None
    kind = identifier_type(run, "MB", 1)
    return {"type": kind, "system": terms.system("plan-member", plan), "value": value}


@datatype("subscriber_number", 10, but=(3,))
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


@datatype("policy_group", 10, but=(3,))
def policy_group(run: Run, parts: list[str]) -> Json | None:
    """IN1-10 without IN1-11: who holds the policy by the number alone."""
    item = _group_number(run, parts)
    if item is None:
        return None
    resource = {"identifier": [item], "active": True}
    return added(run, "Organization", resource, item["system"], item["value"])


# --- Medi-Cal: CIN, whoever sends it and wherever


@builder("own_cin")
def own_cin(run: Run, texts: list[str]) -> list[Json]:
    """IN1-36, IN1-49, IN2-8, IN2-61: a CIN is the patient's own where the patient is insured.

    IN1-17 must say so or be empty; of another subscriber it is another person's number.
    """
    relation = run.facts.get("insured", "")
    values = [cin_in(text.split("^")[0].strip()) for text in texts]
    if relation and not oneself(relation):
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
        if value and value not in there and not filler(value[:-1])
    ]


@datatype("account_number", 10, but=(3,))
def account_number(run: Run, parts: list[str]) -> Json | None:
    """PID-18, MRG-3: an account number, type AN whatever CX.5 says; a Medi-Cal number is none."""
    if is_cin(run, parts):
        return None
    kind = meant(part(parts, 5))
    item = cx(run, [*parts[:4], *[""] * (4 - len(parts)), "AN", *parts[5:]])
    if item is not None and kind not in ("", "AN"):
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
        item["type"] = {"coding": [*item["type"]["coding"], coding]}
    return item


@datatype("account_cin", 10, but=(3,))
def account_cin(run: Run, parts: list[str]) -> Json | None:
    """PID-18: some senders put the Medi-Cal number where the account number belongs."""
    if not is_cin(run, parts):
        return None
    kind = part(parts, 5)
    return cx(run, [*parts[:4], "" if kind.upper() == "AN" else kind, *parts[5:]])


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
