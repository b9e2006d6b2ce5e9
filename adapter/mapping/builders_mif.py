"""Builders of member file cells: identifiers, names, telephones, words that have codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from adapter import terms
from adapter.constant import fixed
from adapter.mapping import cells
from adapter.mapping.builders_hl7v2 import us_core_extension
from adapter.mapping.pieces import CLEAR
from adapter.mapping.registry import builder, converter
from adapter.mapping.run import BadValue, Run

Json = dict[str, Any]
OURS = "https://ecm-adapter.example/fhir/"
OPEN = "9999-12-31"  # what the table reader makes of a far end that means "open"
_OWN_TYPES = OURS + "CodeSystem/identifier-type"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_LIST = re.compile(r"^(?:[a-z][a-z-]*:)+(?=\S)")
_MBI = re.compile(r"[1-9][A-Z][A-Z0-9]\d[A-Z][A-Z0-9]\d[A-Z]{2}\d{2}")
_FILLER = "99999999"  # a CIN begins with 9
_SEVERAL_PHONES = re.compile(r"\s*[,;|\n]\s*|\s+(?:or|and|/)\s+")
MANY = re.compile(r"\s*[;|\n]\s*")
_SUFFIX = re.compile(r"(?i)[\s,]+(jr|sr|ii|iii|iv|md|rn|msw)\.?$")
_TAG = re.compile(r"[\s,(\[-]+ECM[)\]]?$")
_DEGREE = re.compile(r"(?i)[\s,]+(md|do|np|fnp|pa|pa-c|rn|msw|lcsw|dds|phd)\.?$")
_PLACE_OF_CARE = re.compile(
    r"(?i)\b(clinic|center|centre|group|health|hospital|associates|inc|llc|practice)\b"
)


# Identifiers


@cache
def _of_plan(name: str, source: str) -> str:
    """The system of a plan's own numbers; `source` owns the rows: the plan, or what it is told."""
    return terms.system(name, source.removeprefix("plan:").removeprefix("return:"))


def _identifier(code: str, system: str, value: str | None) -> Json | None:
    if value is None:
        return None
    return {"type": _kind(code), "system": system, "value": value}


@cache
def _kind(code: str) -> Any:
    """The type of an identifier (HL7 table 0203, or ours), the same object for all of a type."""
    system = _OWN_TYPES if code == "AUTH" else _V2_0203
    return fixed({"coding": [{"system": system, "code": code}]})


@builder("plan_member_identifier")
def plan_member_identifier(run: Run, texts: list[str]) -> Json | None:
    """The plan's own number of a member, in the plan's own system (type MB)."""
    value = cells.identifier(run, texts[0])
    return _identifier("MB", _of_plan("plan-member", run.unit.source), value)


@converter("member_cin")
def member_cin(run: Run, cell: str) -> str:
    """A CIN that can be one: not a Medicare number, not all one digit (files.md 8.13).

    Raises BadValue: such a number is told and kept with the row, and never names the member.
    """
    try:
        value = cells.cin(run, cell)
    except BadValue:
        if _MBI.fullmatch("".join(cell.split()).replace("-", "").upper()):
            text = "the shape of a Medicare number, not of a CIN"
            raise BadValue("identifier-format", text) from None
        raise
    if value.startswith(_FILLER):
        raise BadValue("identifier-format", "a CIN of one digit over and over is a filler")
    return value


@converter("subscriber_cin")
def subscriber_cin(run: Run, cell: str) -> str | None:
    """The CIN in place of a plan's number; None for another shape, which is reported elsewhere."""
    try:
        return member_cin(run, cell)
    except BadValue:
        return None


@builder("plan_mrn_identifier")
def plan_mrn_identifier(run: Run, texts: list[str]) -> list[Json]:
    """A medical record number that the plan assigned (type MR).

    One with leading zeros is known without them too (files.md 8.21): some files lose them.
    """
    value = cells.identifier(run, texts[0])
    found = _identifier("MR", _of_plan("mrn", run.unit.source), value)
    if found is None or value is None:
        return []
    bare = value.lstrip("0")
    if bare == value or not bare.isdecimal():
        return [found]
    return [found, {**found, "value": bare, "use": "secondary"}]


@builder("authorization_identifier")
def authorization_identifier(run: Run, texts: list[str]) -> Json | None:
    """The plan's authorization number as the business identifier of the authorization."""
    return _identifier("AUTH", _of_plan("authorization", run.unit.source), texts[0].strip())


# Names


@builder("last_name")
def last_name(run: Run, texts: list[str]) -> Json:
    """A family name (files.md 8.16): a suffix behind it, of generation or profession, is one.

    A tag `ECM` that a sender's system put behind the name is taken off, and told.
    """
    family = " ".join(texts[0].split())
    tag = _TAG.search(family)
    if tag and tag.start():
        family = family[: tag.start()]
        run.issue("information", "filler", "a tag ECM behind the name was taken off")
    suffixes: list[str] = []
    while (found := _SUFFIX.search(family)) and found.start():
        suffixes.insert(0, found[1])
        family = family[: found.start()]
    return {"family": family, "suffix": suffixes} if suffixes else {"family": family}


@builder("first_name")
def first_name(run: Run, texts: list[str]) -> Json:
    """The first given name, before the middle name wherever its column stands."""
    run.facts["first_name"] = " ".join(texts[0].split())
    return _given(run)


@builder("middle_name")
def middle_name(run: Run, texts: list[str]) -> Json:
    """The middle name, after the first."""
    run.facts["middle_name"] = " ".join(texts[0].split())
    return _given(run)


def _given(run: Run) -> Json:
    names = (run.facts.get("first_name"), run.facts.get("middle_name"))
    return {"given": [name for name in names if name]}


@builder("person_name")
def person_name(run: Run, texts: list[str]) -> Json | None:
    """A whole name in one cell, `Last, First` or `First Last, MD`, as written in `text`.

    The name of a clinic in a person's place is kept whole, as the family name.
    """
    text = " ".join(texts[0].split())
    if _PLACE_OF_CARE.search(text):
        return {"text": text, "family": text}
    bare = _DEGREE.sub("", text)
    family, comma, given = bare.partition(",")
    if not comma:
        given, _, family = bare.rpartition(" ")
    name: Json = {"text": text, "family": family.strip()}
    if given.strip():
        name["given"] = given.split()
    if bare != text:
        name["suffix"] = [text[len(bare) :].strip(" ,")]
    return name if text else None


@builder("contact_relationship")
def contact_relationship(run: Run, texts: list[str]) -> Json:
    """How a contact is related: HL7 table 0063 and words, else the text alone."""
    return concept(run, "relationship", texts[0])


# Phones


def _phones(use: str) -> Callable[[Run, list[str]], list[Json]]:
    def build(run: Run, texts: list[str]) -> list[Json]:
        """Telephone numbers of a cell, which may hold two (files.md 8.15)."""
        found = []
        for text in _SEVERAL_PHONES.split(texts[0]):
            try:
                point = {"system": "phone", "value": cells.phone(run, text)}
            except BadValue as bad:
                run.issue("warning", bad.detail, bad.text)
                continue
            found.append({**point, "use": use} if use else point)
        return found

    return build


for _name, _use in (("phones", ""), ("phones_home", "home"), ("phones_mobile", "mobile"),
                    ("phones_work", "work")):  # fmt: skip
    builder(_name)(_phones(_use))


@builder("work_email")
def work_email(run: Run, texts: list[str]) -> Json:
    """An e-mail address at work."""
    return {"system": "email", "value": cells.email(run, texts[0]), "use": "work"}


# Dates and marks


@converter("end_date")
def end_date(run: Run, cell: str) -> Any:
    """The end of a period; one too far off to be one says that there is none (files.md 8.11)."""
    return CLEAR if cell == OPEN else cells.us_date(run, cell)


@builder("plan_named")
def plan_named(run: Run, texts: list[str]) -> None:
    """Whose member a row is, in a file of several plans."""
    run.facts["plan named"] = " ".join(texts[0].split())


@builder("plan_identifier")
def plan_identifier(run: Run, texts: list[str]) -> str:
    """The plan's name in our own system: that of the layout, or the row's where it has none."""
    named = run.facts.get("plan named", "") if "payer" not in run.facts else ""
    return re.sub(r"[^a-z0-9]+", "-", named.lower()).strip("-") or texts[0]


@builder("payer_known")
def payer_known(run: Run, texts: list[str]) -> str:
    """The name of the plan as its layout says it, which stands before a row's."""
    run.facts["payer"] = texts[0]
    return texts[0]


@converter("present")
def present(run: Run, cell: str) -> bool:
    """True: the cell is filled."""
    return True


# Codes


def concept(run: Run, table: str, text: str) -> Json:
    """A CodeableConcept of a word; one without a row in the table stays text, with an issue.

    The name of a plan's own list before a code (`khs:WM`) is for the table, not for the text.
    """
    found, known = _concept(table, text)
    if not known:
        run.issue("warning", "code-unknown", f"not in table {table}; kept as text")
    return found


@lru_cache(maxsize=16384)
def _concept(table: str, text: str) -> tuple[Json, bool]:
    """The CodeableConcept of a word, fixed, and whether the table knows it."""
    text = " ".join(text.split())
    target = look_up(table, text)
    text = _LIST.sub("", text)
    coding = [coding_of(target)] if target is not None and target.code else []
    return fixed({"coding": coding, "text": text} if coding else {"text": text}), target is not None


@lru_cache(maxsize=16384)
def look_up(table: str, text: str) -> terms.Target | None:
    """The row of a code, as of its plan's own list (`khs:WM`) or as of none."""
    found = terms.table(table)
    return found.get(text) or found.get(text.partition(":")[2] or text)


def coding_of(target: terms.Target) -> Json:
    """A table row as a Coding."""
    return {"system": target.system, "code": target.code, "display": target.display}


def _us_core(run: Run, name: str, table: str, text: str) -> Json | None:
    """The US Core race or ethnicity extension of the words in a cell."""
    words = [text] if terms.table(table).get(text) else MANY.split(text)
    found = [concept(run, table, word) for word in words if word]
    codings = [coding for item in found for coding in item.get("coding", ())]
    most = 5 if name == "race" else 1  # slices of ombCategory in US Core 6.1.0
    return us_core_extension(name, codings, [item["text"] for item in found], most)


@builder("member_race")
def member_race(run: Run, texts: list[str]) -> Json | None:
    """Race as US Core says it: at most five OMB categories, details, always the text."""
    return _us_core(run, "race", "member-race", texts[0])


@builder("member_ethnicity")
def member_ethnicity(run: Run, texts: list[str]) -> Json | None:
    """Ethnicity as US Core says it: at most one OMB category, details, always the text."""
    return _us_core(run, "ethnicity", "member-ethnicity", texts[0])


@builder("spoken_language")
def spoken_language(run: Run, texts: list[str]) -> Json:
    """The preferred spoken language (BCP 47)."""
    return {"language": concept(run, "language", texts[0]), "preferred": True}


@builder("written_language")
def written_language(run: Run, texts: list[str]) -> Json:
    """The preferred written language: a communication in mode RWR, received written."""
    mode = {"system": "http://terminology.hl7.org/CodeSystem/v3-LanguageAbilityMode", "code": "RWR"}
    how = {"url": "type", "valueCoding": {**mode, "display": "Received written"}}
    proficiency = "http://hl7.org/fhir/StructureDefinition/patient-proficiency"
    return {
        "extension": [{"url": proficiency, "extension": [how]}],
        "language": concept(run, "language", texts[0]),
    }


@builder("acuity")
def acuity(run: Run, texts: list[str]) -> Json:
    """The acuity a plan gave a member."""
    return concept(run, "acuity", texts[0])


@converter("priority")
def priority(run: Run, cell: str) -> int:
    """The priority of an assigned member, 1 to 3, 1 the highest. Raises BadValue."""
    target = terms.table("priority").get(cell)
    if target is None or not target.code:
        raise BadValue("code-unknown", "not in table priority")
    return int(target.code)
