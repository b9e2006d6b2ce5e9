"""Builders of service logs: what one cell of an ECM contact means in FHIR."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from adapter import data, terms
from adapter.mapping.cells import date_time
from adapter.mapping.registry import builder
from adapter.mapping.run import BadValue, Run

ECM = "https://ecm-adapter.example/fhir/CodeSystem/ecm"
_ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ICD_SHAPE = re.compile(r"^[A-Z]\d[0-9A-Z]([0-9A-Z]{1,4})?$")
_CLASSES = {  # of the two codes of table contact-modality
    "in_person": {"code": "AMB", "display": "ambulatory"},
    "telehealth": {"code": "VR", "display": "virtual"},
}
Json = dict[str, Any]


def phase(text: str) -> str:
    """`outreach` or `service` for a word of the table, else `""`."""
    return _words("phase").get(terms.fold(text), "")


@cache
def _words(name: str) -> dict[str, str]:
    raw = data.toml(data.path("mappings", "services", "words.toml"))[name]
    return {terms.fold(word): code for code, words in raw.items() for word in (code, *words)}


@cache
def _names() -> dict[str, str]:
    raw: dict[str, str] = data.toml(data.path("mappings", "services", "words.toml"))[
        "core_service_names"
    ]
    return raw


@builder("contact_identifier")
def contact_identifier(run: Run, texts: list[str]) -> Json:
    """The log's own number of a contact, in a system of that log (`log:<name>` is the source)."""
    return _number(run, texts, "contact", {"system": _V2_0203, "code": "VN"})


@builder("attempt_identifier")
def attempt_identifier(run: Run, texts: list[str]) -> Json:
    """The same number as the name of the Communication."""
    return _number(run, texts, "outreach", {"system": ECM, "code": "CONTACT"})


def _number(run: Run, texts: list[str], system: str, kind: Json) -> Json:
    log = run.unit.source.partition(":")[2] or run.unit.source
    value = "".join(texts[0].split())
    return {"type": {"coding": [kind]}, "system": terms.system(system, log), "value": value}


@builder("contact_start")
def contact_start(run: Run, texts: list[str]) -> str | None:
    """When a contact began; unreadable, it refuses the row: a contact without a day is lost."""
    try:
        return date_time(run, texts[0])
    except BadValue as bad:
        run.issue("error", bad.detail, bad.text)
        return None


@builder("contact_class")
def contact_class(run: Run, texts: list[str]) -> Json | None:
    """AMB in person, VR by telephone, video or other means (v3-ActCode); None for a letter."""
    found = _CLASSES.get(_look_up("contact-modality", texts[0]).code)
    return (
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", **found} if found else None
    )


@builder("contact_modality")
def contact_modality(run: Run, texts: list[str]) -> Json | None:
    """The method in the log's own words, coded as the service codes know it."""
    target = terms.table("contact-modality").get(texts[0])  # an unknown word: contact_class says so
    return _concept(target, texts[0]) if target and target.code else None


@builder("contact_phase")
def contact_phase(run: Run, texts: list[str]) -> Json | None:
    """Our code `outreach` for an attempt before enrollment; nothing for a service."""
    found = phase(texts[0])
    if not found:
        raise BadValue("code-unknown", "not in [phase] of mappings/services/words.toml")
    coding = {"system": ECM, "code": "outreach", "display": "Outreach attempt"}
    return {"coding": [coding]} if found == "outreach" else None


@builder("core_service")
def core_service(run: Run, texts: list[str]) -> Json:
    """One of the seven core services; a word that is none of them stays as text, with an issue."""
    code = _words("core_service").get(terms.fold(texts[0]), "")
    text = " ".join(texts[0].split())
    if not code:
        run.issue(
            "warning", "code-unknown", "not in [core_service] of mappings/services/words.toml"
        )
        return {"text": text}
    coding = {"system": ECM, "code": code, "display": _names()[code]}
    return {"coding": [coding], "text": text}


@builder("contact_place")
def contact_place(run: Run, texts: list[str]) -> Json | None:
    """The CMS place of service, from its code (`2` is `02`) or a word."""
    text = texts[0].strip()
    target = _look_up("place-of-service", text.zfill(2) if text.isdigit() else text)
    return _concept(target, "") if target.code else None


@builder("staff_kind")
def staff_kind(run: Run, texts: list[str]) -> Json | None:
    """Clinical or not, which decides the service code (referrals-and-claims A1)."""
    target = _look_up("staff-kind", texts[0])
    return _concept(target, texts[0]) if target.code else None


@builder("staff_name")
def staff_name(run: Run, texts: list[str]) -> Json:
    """`Last, First` or `First Last` as a HumanName."""
    text = " ".join(texts[0].split())
    family, comma, given = text.partition(",")
    if not comma:
        given, _, family = text.rpartition(" ")
    name: Json = {"family": family.strip(), "given": given.split(), "text": text}
    return {key: value for key, value in name.items() if value}


@builder("contact_diagnoses")
def contact_diagnoses(run: Run, texts: list[str]) -> list[Json]:
    """ICD-10-CM codes of a cell, between blanks, commas or semicolons; the dot is put in."""
    found = []
    for text in re.split(r"[\s,;|]+", texts[0].upper()):
        code = text.replace(".", "")
        if code and not _ICD_SHAPE.match(code):
            raise BadValue("value-format", "not an ICD-10-CM code")
        if code:
            dotted = f"{code[:3]}.{code[3:]}" if len(code) > 3 else code
            found.append({"coding": [{"system": _ICD_10, "code": dotted}]})
    return found


@builder("attempt_method")
def attempt_method(run: Run, texts: list[str]) -> Json | None:
    """The medium of an attempt (v3-ParticipationMode, or ours for a text message)."""
    target = _look_up("outreach-method", texts[0])
    return _concept(target, texts[0]) if target.code else None


@builder("attempt_outcome")
def attempt_outcome(run: Run, texts: list[str]) -> Json:
    """What came of an attempt; a word that no table has stays as text, with an issue."""
    text = " ".join(texts[0].split())
    target = terms.table("outreach-outcome").get(text)
    if target is None or not target.code:
        run.issue("warning", "code-unknown", "not in table outreach-outcome")
        return {"text": text}
    return _concept(target, text)


def _look_up(name: str, text: str) -> terms.Target:
    target = terms.table(name).get(" ".join(text.split()))
    if target is None:
        raise BadValue("code-unknown", f"not in table {name}")
    return target


def _concept(target: terms.Target, text: str) -> Json:
    coding = {"system": target.system, "code": target.code, "display": target.display}
    concept: Json = {"coding": [coding]}
    return {**concept, "text": " ".join(text.split())} if text else concept
