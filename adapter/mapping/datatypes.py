"""HL7 v2 datatypes to FHIR datatypes by the v2-to-FHIR guide; one function each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from adapter import data, terms
from adapter.constant import fixed
from adapter.mapping.authorities import (
    OID,
    assigner,
    authority,
    cin_system,
    local,
    medi_cal,
    ssn_system,
)
from adapter.mapping.cells import cin_in
from adapter.mapping.finish import BASE, filler
from adapter.mapping.identifier_types import identifier_type, meant, type_of
from adapter.mapping.lasting import steady
from adapter.mapping.registry import converter, datatype
from adapter.mapping.run import STAND_IN, BadValue, Run
from adapter.mapping.times import period

ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_TABLE = re.compile(r"(?:HL7)?([0-9]{4})")
_DAYS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")
_MEDICAID = frozenset(("MA", "MC", "MI", "MCD"))
_OF_NO_PERSON = frozenset(("VN", "AN"))  # a stay's, an account's
_WHOLE = re.compile(r"[0-9]{1,10}")
_NULL = '""'

Json = dict[str, Any]


@converter("st")
def st(run: Run, text: str) -> str | None:
    """ST, TX, IS, ID as they stand, outer space removed."""
    return text.strip() or None


@converter("positive")
def positive(run: Run, text: str) -> int:
    """SI/NM as positiveInt. Raises BadValue."""
    if not _WHOLE.fullmatch(text) or not 0 < int(text) < 2**31:
        raise BadValue("number-format", "expected a whole number above 0")
    return int(text)


@converter("days")
def days(run: Run, text: str) -> Json:
    """NM as a Duration in days (v2-to-FHIR NM[Quantity-LengthOfStay])."""
    if not _DAYS.fullmatch(text):
        raise BadValue("number-format", "expected a number of days")
    return {
        "value": decimal(text),
        "unit": "days",
        "system": "http://unitsofmeasure.org",
        "code": "d",
    }


def decimal(text: str) -> Any:
    """A number as JSON has it, with as many decimal places as it is written with."""
    whole, _, rest = text.lstrip("+-").partition(".")
    sign = "-" if text[0] == "-" else ""
    number = f"{sign}{whole.lstrip('0') or '0'}"
    return data.decimal(f"{number}.{rest}") if rest else int(number)


@converter("yes_no")
def yes_no(run: Run, text: str) -> bool | None:
    """Table 0136 Y/N as boolean; unknown (table 0532) is neither. Raises BadValue."""
    target = terms.table("yes-no").get(text)
    if target is None:
        raise BadValue("flag-format", "expected Y or N")
    if not target.code:
        run.issue("information", "unmapped", "unknown is neither yes nor no")
        return None
    return target.code == "true"


def components(run: Run, text: str) -> list[str]:
    """The components of a repetition, escapes decoded once; a `""` or a blank one is absent.

    Where escapes are decoded `run.sub` separates the sub-components: a decoded `&` is text.
    """
    parts = text.split("^")
    if spaced(text):
        parts = [part.strip() for part in parts]
    if _NULL in text:
        parts = ["" if part == _NULL else _without_null(part) for part in parts]
    if "\\" in text:
        run.sub = STAND_IN
        parts = [run.decode(part.replace("&", STAND_IN)) for part in parts]
    return parts


def spaced(text: str) -> bool:
    """Whether there may be blank components, or space around one."""
    return " " in text and ("^ " in text or " ^" in text)


def _without_null(part: str) -> str:
    if _NULL not in part or "&" not in part:
        return part
    return "&".join("" if one == _NULL else one for one in part.split("&"))


def repetitions(run: Run, texts: list[str]) -> Iterator[list[str]]:
    """The components of each repetition for a builder, escapes decoded; `""` is left out.

    What the builder reports meanwhile has that repetition's place.
    """
    for rep, text in enumerate(texts):
        if text and text != _NULL:
            run.rep = rep
            parts = components(run, text)
            run.sub = "&"
            yield [part.replace(STAND_IN, "&") for part in parts]
    run.rep = 0


# --- identifiers


def _of_social_security(run: Run, value: str) -> str:
    """The number without dashes, `""` where it is not to be carried."""
    if not value or "ssn" in run.feed.switches:
        return re.sub(r"[ -]", "", value)
    run.issue_once("unmapped", "SS", "a social security number is not carried")
    return ""


def _fills(run: Run, value: str) -> bool:
    """Whether a text only fills the place of a number, or of a CIN before its letter: reported."""
    found = filler(value) or (value[0] == "9" and filler(cin_in(value)[:-1]))
    if found:
        run.issue("information", "filler", "a filler text, and no number")
    return found


@datatype("cx", 10, but=(3,))
def cx(run: Run, parts: list[str]) -> Json | None:
    """CX to Identifier: system by CX.4, type by CX.5 (v2-to-FHIR CX[Identifier]).

    A social security number, by type or authority, is left out unless the sender's profile asks for
    it (CONF-0472).
    """
    value, count = parts[0].strip(), len(parts)
    written = parts[4] if count > 4 else ""
    kind = meant(written) if written else ""
    value = _of_social_security(run, value) if kind == "SS" else value
    if not value or _fills(run, value):
        return None
    item: Json = {}
    hd = parts[3] if count > 3 else ""
    bare = not kind and not hd and run.label.startswith("PID-")
    system = _typed_system(kind, value, bare) or assigner(run, hd)
    if system == ssn_system():
        value, kind = _of_social_security(run, value), kind or "SS"
    elif system == cin_system():
        system, value = _of_medi_cal(run, kind, value, hd)
    if not value:
        return None
    own = _medicaid(kind) if system == cin_system() else None
    if own or kind:
        item["type"] = own or identifier_type(run, written.strip().upper() or kind, 5)
    item["system"] = system
    item["value"] = value
    if count > 5:
        _cx_rest(run, item, parts)
    if count > 1 and parts[1]:
        extend(item, "identifier-checkDigit", "valueString", parts[1])
    return item


def _of_medi_cal(run: Run, kind: str, value: str, hd: str) -> tuple[str, str]:
    """A number of Medi-Cal, its system first; without the shape of a CIN it is the sender's own."""
    number = cin_in(value) if kind not in _OF_NO_PERSON else ""
    if number:
        return cin_system(), number
    run.issue("warning", "identifier-format", "of Medi-Cal, and not the shape of a CIN", 1)
    return local(run, hd), value


def is_cin(run: Run, parts: list[str]) -> bool:
    """Whether a CX is a CIN by its shape, and by its type or its authority."""
    kind, hd = (parts[place] if place < len(parts) else "" for place in (4, 3))
    named = kind.strip().upper() in _MEDICAID or medi_cal(run, hd)
    return named and cin_in(parts[0].strip()) != ""


def _typed_system(kind: str, value: str, bare: bool) -> str:
    """CIN and SSN have one system whoever sends them; a CIN only when it has the shape of one.

    Feeds type a CIN as MA, MC or MI; `bare`, in PID without type and authority, its shape tells it.
    """
    if kind == "SS":
        return ssn_system()
    if (bare or kind in _MEDICAID) and cin_in(value):
        return cin_system()
    return ""


def _medicaid(kind: str) -> Json:
    """Identifier.type of a CIN: MA, beside the type that the sender gave it."""
    return type_of("MA") if kind in ("", "MA") else _medicaid_too(kind)


@lru_cache(maxsize=64)
def _medicaid_too(kind: str) -> Json:
    both = [*type_of("MA")["coding"], *type_of(kind)["coding"]]
    found: Json = fixed({"coding": both})
    return found


def _cx_rest(run: Run, item: Json, parts: list[str]) -> None:
    names = _filled(run, parts[5])
    if names:
        item["assigner"] = {"display": names[0]}
    start, end = (parts[place] if len(parts) > place else "" for place in (6, 7))
    if found := period(run, start, end, (7, 8)):
        item["period"] = found
    for place in (8, 9):
        names = _filled(run, parts[place]) if len(parts) > place else []
        if names and "assigner" in item:
            run.issue("information", "unmapped", "an identifier has one assigner", place + 1)
        elif names:
            item["assigner"] = {"display": names[-1]}


def _filled(run: Run, part: str) -> list[str]:
    return [text for text in map(str.strip, part.split(run.sub)) if text]


@datatype("visit_number", 10, but=(3,))
def visit_number(run: Run, parts: list[str]) -> Json | None:
    """PV1-19 CX to a visit number: type VN whatever CX.5 says (v2-to-FHIR PV1-19)."""
    kind = parts[4].strip().upper() if len(parts) > 4 else ""
    item = cx(run, [*parts[:4], *[""] * (4 - len(parts)), "VN", *parts[5:]])
    if item is not None:
        if kind not in ("", "VN"):
            identifier_type(run, kind, 5)
        item["type"] = _visit_type(kind)
    return item


@lru_cache(maxsize=256)
def _visit_type(kind: str) -> Json:
    both = [code for kind in dict.fromkeys(("VN", kind or "VN")) for code in _codings_of(kind)]
    found: Json = fixed({"coding": both, "text": "visit number"})
    return found


def _codings_of(kind: str) -> list[Json]:
    found: list[Json] = type_of(kind)["coding"]
    return found


@datatype("dln", 3)
def dln(run: Run, parts: list[str]) -> Json | None:
    """DLN to Identifier (v2-to-FHIR DLN[Identifier]); the state makes the system."""
    value = parts[0].strip()
    if not value or _fills(run, value):
        return None
    state = parts[1].strip() if len(parts) > 1 else ""
    item: Json = {"type": type_of("DL"), "value": value}
    scope = quote(state or "unknown", safe="")
    item["system"] = terms.system(
        "dl-ca" if state == "CA" else "drivers-license", "" if state == "CA" else scope
    )
    if found := period(run, "", parts[2] if len(parts) > 2 else "", (3, 3)):
        item["period"] = found
    return item


@datatype("ei", 4)
def ei(run: Run, parts: list[str]) -> Json | None:
    """EI to Identifier (v2-to-FHIR EI[Identifier-System])."""
    if not parts[0].strip():
        return None
    hd = run.sub.join(parts[1:4])
    return {"system": authority(run, hd if hd.strip(run.sub) else ""), "value": parts[0].strip()}


@converter("ssn")
def ssn(run: Run, text: str) -> str | None:
    """A social security number's digits; US Core asks not to carry it, so rules seldom do."""
    return re.sub(r"\D", "", text) or None


# --- coded values


@lru_cache(maxsize=4096)
def coding_system(name: str) -> str:
    """The system URI of a CWE.3 (table 0396); an unlisted one gets an URI made of its name."""
    listed = terms.table("coding-system").get(name.upper())
    if listed is not None and listed.code:
        return listed.code
    table = _TABLE.fullmatch(name)
    if table:
        return V2 + table[1]
    if name.startswith(("http://", "https://", "urn:")) and not re.search(r"\s", name):
        return name
    if OID.fullmatch(name):
        return f"urn:oid:{name}"
    return f"{BASE}/CodeSystem/local/{quote(name, safe='')}" if name else ""


# Where a coding's code, version and system's OID stand in a CWE; display and system come after it.
_CODINGS = ((0, 6, 13), (3, 7, 16), (9, 12, 19))
SYSTEMS = (2, 5, 11)  # where a CWE names the systems of its codes


def codings(run: Run, parts: list[str], default: str = "") -> list[Json]:
    """The up to three codings of a CWE; `default` is the system of a code that names none."""
    found = []
    count = len(parts)
    for start, version, oid in _CODINGS:
        if start >= count:
            break
        code = parts[start].strip()
        if not code:
            continue
        item: Json = {}
        system = parts[start + 2].strip() if start + 2 < count else ""
        system = system or (parts[oid].strip() if oid < count else "")
        uri = coding_system(system) if system else (default if start == 0 else "")
        if uri:
            item["system"] = uri
        if version < count and parts[version]:
            item["version"] = parts[version]
        item["code"] = " ".join(code.split())
        display = parts[start + 1].strip() if start + 1 < count else ""
        if display:
            item["display"] = display
        found.append(item)
    return found


@datatype("cwe", 20, but=(15, 16, 18, 19))
@steady()
def cwe(run: Run, parts: list[str]) -> Json | None:
    """CWE, CE, CF, CNE to CodeableConcept (v2-to-FHIR CWE[CodeableConcept])."""
    return concept(run, parts, "")


def concept(run: Run, parts: list[str], default: str) -> Json | None:
    """A CodeableConcept of a CWE; a code without a system of its own is of the `default` one."""
    item: Json = {}
    found = codings(run, parts, default)
    if found:
        item["coding"] = found
    if text := _words(parts):
        item["text"] = text
    return item or None


def _words(parts: list[str]) -> str:
    """The text of a CWE: the original one, else a text that has no code to stand with."""
    if len(parts) > 8 and parts[8].strip():
        return parts[8].strip()
    for code in (0, 3):
        if len(parts) > code + 1 and not parts[code].strip() and parts[code + 1].strip():
            return parts[code + 1].strip()
    return ""


@converter("string_concept")
def string_concept(run: Run, text: str) -> Json | None:
    """A plain text as CodeableConcept.text (v2-to-FHIR ST[CodeableConcept])."""
    return {"text": text.strip()} if text.strip() else None


def alternate(system: str, code: str) -> Json:
    """The extension that keeps a source code beside a FHIR `code` it has no row for."""
    return beside({"system": system, "code": code} if system else {"code": code})


def beside(coding: Json) -> Json:
    """The extension that keeps a source coding beside a FHIR `code`."""
    return {"extension": [{"url": ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}]}


def extend(item: Json, name: str, value: str, content: Any) -> None:
    """Add an extension of FHIR's own to an element: its last URL part, `valueX`, the value."""
    item.setdefault("extension", []).append({"url": _HL7 + name, value: content})
