"""HL7 v2 datatypes to FHIR datatypes by the v2-to-FHIR guide; one function each."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from adapter import terms
from adapter.mapping.finish import BASE
from adapter.mapping.registry import converter, datatype
from adapter.mapping.run import BadValue, Run
from adapter.mapping.times import dtm

ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_TABLE = re.compile(r"^(?:HL7)?(\d{4})$")

Json = dict[str, Any]


@converter("st")
def st(run: Run, text: str) -> str | None:
    """ST, TX, IS, ID as they stand, outer space removed."""
    return text.strip() or None


@converter("positive")
def positive(run: Run, text: str) -> int:
    """SI/NM as positiveInt. Raises BadValue."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise BadValue("number-format", "expected a whole number above 0")
    return int(text)


@converter("days")
def days(run: Run, text: str) -> Json:
    """NM as a Duration in days (v2-to-FHIR NM[Quantity-LengthOfStay])."""
    if not re.match(r"^\d{1,6}(\.\d{1,4})?$", text):
        raise BadValue("number-format", "expected a number of days")
    value: float = float(text) if "." in text else int(text)
    return {"value": value, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}


@converter("yes_no")
def yes_no(run: Run, text: str) -> bool:
    """Table 0136 Y/N as boolean. Raises BadValue."""
    target = terms.table("yes-no").get(text)
    if target is None:
        raise BadValue("flag-format", "expected Y or N")
    return target.code == "true"


# --- identifiers and who assigns them


@lru_cache(maxsize=4096)
def _authority(namespace: str, universal: str, kind: str) -> tuple[str, bool]:
    """The system of an HD, and whether it is registered or self-describing."""
    for name in (universal, namespace):
        known = terms.authority(name) if name else None
        if known:
            return known, True
    if universal and (kind in ("ISO", "") and re.match(r"^[0-2](\.\d+)+$", universal)):
        return f"urn:oid:{universal}", True
    if universal and kind in ("UUID", "GUID"):
        return f"urn:uuid:{universal.lower()}", True
    if universal and kind in ("URI", "URL", "DNS") and " " not in universal:
        return (universal if ":" in universal else f"https://{universal}"), True
    name = namespace or universal
    return terms.system("authority", quote(name.strip(), safe="")), False


def authority(run: Run, hd: str, part: int = 0) -> str:
    """The identifier system of an assigning authority (HD); the sender's own when it is empty.

    An authority without a registered system gets one of ours, made of its name, and is reported.
    """
    own = run.feed.authorities.get(hd)
    if own:
        return own
    if not hd:
        facility = run.feed.facility or run.facts.get("facility", "") or run.feed.name
        return terms.system("facility", quote(facility, safe=""))
    names = [*hd.split(run.sub), "", ""]
    namespace, universal, kind = names[0], names[1], names[2]
    system, known = _authority(namespace, universal, kind.upper())
    if not known:
        text = "no system is registered for this assigning authority; one was made of its name"
        run.issue_once("authority-unknown", hd, text)
    return system


@lru_cache(maxsize=1024)
def _identifier_type(code: str) -> Json:
    display = terms.table("identifier-type").display(code)
    coding = {"system": V2 + "0203", "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


@datatype("cx", 10)
def cx(run: Run, parts: list[str]) -> Json | None:
    """CX to Identifier: system by CX.4, type by CX.5 (v2-to-FHIR CX[Identifier])."""
    value = parts[0].strip()
    if not value:
        return None
    count = len(parts)
    kind = parts[4].strip().upper() if count > 4 else ""
    item: Json = {}
    if kind:
        item["type"] = _identifier_type(kind)
    system = _typed_system(run, kind, value)
    item["system"] = system or authority(run, parts[3] if count > 3 else "", 4)
    item["value"] = value
    if count > 5:
        _cx_rest(run, item, parts)
    if count > 1 and parts[1]:
        extend(item, "identifier-checkDigit", "valueString", parts[1])
    return item


def _typed_system(run: Run, kind: str, value: str) -> str:
    """CIN and SSN have one system whoever sends them; a CIN only when it has the shape of one."""
    if kind == "SS":
        return terms.system("ssn")
    if kind in ("MA", "MC", "MCD") and re.match(r"^9\d{7}[A-Z]$", value):
        return terms.system("cin")
    return ""


def _cx_rest(run: Run, item: Json, parts: list[str]) -> None:
    if parts[5]:
        item["assigner"] = {"display": parts[5].split(run.sub)[0]}
    period = {}
    for name, place in (("start", 6), ("end", 7)):
        if len(parts) > place and parts[place]:
            period[name] = dtm(run, parts[place])
    if period:
        item["period"] = period
    for place in (8, 9):
        if len(parts) > place and parts[place] and "assigner" not in item:
            item["assigner"] = {"display": parts[place].split(run.sub)[-1]}


@datatype("visit_number", 10)
def visit_number(run: Run, parts: list[str]) -> Json | None:
    """PV1-19 CX to a visit number: type VN whatever CX.5 says (v2-to-FHIR PV1-19)."""
    item = cx(run, [*parts[:4], "VN", *parts[5:]])
    if item is not None and len(parts) > 4 and parts[4] not in ("", "VN"):
        both = (*item["type"]["coding"], *_identifier_type(parts[4])["coding"])
        item["type"] = {"coding": list(both)}  # the cached type itself is never changed
    return item


@datatype("dln", 3)
def dln(run: Run, parts: list[str]) -> Json | None:
    """DLN to Identifier (v2-to-FHIR DLN[Identifier]); the state makes the system."""
    if not parts[0].strip():
        return None
    state = parts[1].strip() if len(parts) > 1 else ""
    item: Json = {"type": _identifier_type("DL"), "value": parts[0].strip()}
    scope = quote(state or "unknown", safe="")
    item["system"] = terms.system(
        "dl-ca" if state == "CA" else "drivers-license", "" if state == "CA" else scope
    )
    if len(parts) > 2 and parts[2]:
        item["period"] = {"end": dtm(run, parts[2])}
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
    table = _TABLE.match(name)
    if table:
        return V2 + table[1]
    if name.startswith(("http://", "https://", "urn:")):
        return name
    if re.match(r"^[0-2](\.\d+)+$", name):
        return f"urn:oid:{name}"
    return f"{BASE}/CodeSystem/local/{quote(name, safe='')}" if name else ""


def codings(run: Run, parts: list[str], default: str = "") -> list[Json]:
    """The up to three codings of a CWE; `default` is the system of a code that names none."""
    found = []
    count = len(parts)
    for start, version in ((0, 6), (3, 7), (9, 12)):
        if start >= count:
            break
        code = parts[start].strip()
        if not code:
            continue
        item: Json = {}
        system = parts[start + 2].strip() if start + 2 < count else ""
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


@datatype("cwe", 14)
def cwe(run: Run, parts: list[str]) -> Json | None:
    """CWE, CE, CF, CNE to CodeableConcept (v2-to-FHIR CWE[CodeableConcept])."""
    return concept(run, parts, "")


def concept(run: Run, parts: list[str], default: str) -> Json | None:
    """A CodeableConcept of a CWE; a code without a system of its own is of the `default` one."""
    item: Json = {}
    found = codings(run, parts, default)
    if found:
        item["coding"] = found
    text = parts[8] if len(parts) > 8 else ""
    if not text and not (found and "display" in found[0]):
        text = parts[1] if len(parts) > 1 else ""
    if not found and not text and len(parts) > 4:
        text = parts[4]
    if text.strip():
        item["text"] = text.strip()
    return item or None


@converter("string_concept")
def string_concept(run: Run, text: str) -> Json | None:
    """A plain text as CodeableConcept.text (v2-to-FHIR ST[CodeableConcept])."""
    return {"text": text.strip()} if text.strip() else None


def alternate(system: str, code: str) -> Json:
    """The extension that keeps a source code beside a FHIR `code` it has no row for."""
    coding = {"system": system, "code": code} if system else {"code": code}
    return {"extension": [{"url": ALTERNATE, "valueCodeableConcept": {"coding": [coding]}}]}


def extend(item: Json, name: str, value: str, content: Any) -> None:
    """Add an extension of FHIR's own to an element: its last URL part, `valueX`, the value."""
    item.setdefault("extension", []).append({"url": _HL7 + name, value: content})
