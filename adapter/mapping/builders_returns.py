"""Builders of a return file's rows, as a plan reads them: names in one cell, methods, loops."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter import terms
from adapter.mapping.builders_mif import MANY, coding_of, concept, last_name
from adapter.mapping.builders_mif_pof import POPULATION
from adapter.mapping.registry import builder
from adapter.mapping.run import Run

Json = dict[str, Any]
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ECM = "https://ecm-adapter.example/fhir/CodeSystem/ecm"


@builder("told_name")
def told_name(run: Run, texts: list[str]) -> Json:
    """First and last name in one cell: the last word is the family name, a suffix behind it."""
    whole = " ".join(texts[0].split())
    name = last_name(run, [whole])
    given, _, family = name["family"].rpartition(" ")
    return {**name, "family": family, "text": whole, **({"given": [given]} if given else {})}


@builder("told_populations")
def told_populations(run: Run, texts: list[str]) -> list[Json]:
    """The populations of focus of a row, by our codes; another word stays text, with an issue."""
    codes = dict.fromkeys(word for word in MANY.split(texts[0]) if word)
    found = (concept(run, "population-of-focus", code) for code in codes)
    return [{"url": POPULATION, "valueCodeableConcept": one} for one in found]


@builder("told_visit")
def told_visit(run: Run, texts: list[str]) -> Json:
    """What names the contact behind an attempt (type VN)."""
    return _number(run, "contact", {"system": _V2_0203, "code": "VN"}, texts[0])


@builder("told_attempt")
def told_attempt(run: Run, texts: list[str]) -> Json:
    """What names an outreach attempt."""
    return _number(run, "outreach", {"system": _ECM, "code": "CONTACT"}, texts[0])


def _number(run: Run, system: str, kind: Json, value: str) -> Json:
    scope = f"return-{run.unit.source.partition(':')[2]}"
    return {"type": {"coding": [kind]}, "system": terms.system(system, scope), "value": value}


@builder("told_method")
def told_method(run: Run, texts: list[str]) -> Json:
    """The medium of an attempt by its code (targets of table outreach-method), else in words."""
    target = _methods().get(texts[0])
    if target is None:
        run.issue("warning", "code-unknown", "not a code of table outreach-method; kept as text")
        return {"text": " ".join(texts[0].split())}
    return {"coding": [coding_of(target)]}


@cache
def _methods() -> dict[str, terms.Target]:
    table = terms.table("outreach-method")
    found = (table.get(code) for code in table.codes())
    return {target.code: target for target in found if target is not None and target.code}


@builder("told_closure")
def told_closure(run: Run, texts: list[str]) -> Json:
    """Why a referral's loop was closed."""
    return concept(run, "clr-closure-reasons", texts[0])


@builder("told_count")
def told_count(run: Run, texts: list[str]) -> Json:
    """A number of contacts in the month, as a component named by the column's own element."""
    name, _, number = texts[0].partition("=")
    coding = {"system": _ECM, "code": name}
    return {"code": {"coding": [coding]}, "valueInteger": int(number)}
