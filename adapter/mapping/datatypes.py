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
        _extend(item, "identifier-checkDigit", "valueString", parts[1])
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
        item["type"]["coding"].append(_identifier_type(parts[4])["coding"][0])
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


# --- names, addresses, telecommunication


def _extend(item: Json, name: str, value: str, content: Any) -> None:
    item.setdefault("extension", []).append({"url": _HL7 + name, value: content})


def use(run: Run, item: Json, table: str, code: str, part: int) -> None:
    """Write `use` of a name, address or contact point by its table; keep an unknown code beside."""
    found = terms.table(table)
    target = found.get(code)
    if target is None:
        item["_use"] = alternate(found.system, code)
        run.issue("warning", "code-unknown", f"not in table {table}", part)
    elif target.code:
        item["use"] = target.code


_NAME = ((1, "given"), (2, "given"), (3, "suffix"), (4, "prefix"), (5, "suffix"))
_XPN_REST = (7, 10, 11, 12, 13, 14)  # name type, validity, assembly order, effective, expiration,
_XCN_REST = (10, 17, 18, 19, 20, 21)  # professional suffix: the same parts in XPN and in XCN


@datatype("xpn", 14)
def xpn(run: Run, parts: list[str]) -> Json | None:
    """XPN to HumanName (v2-to-FHIR XPN[HumanName])."""
    return _human_name(run, parts, 0, _XPN_REST)


def xcn_name(run: Run, parts: list[str]) -> Json | None:
    """The HumanName in an XCN: XPN's parts, at other places (v2-to-FHIR XCN[Practitioner])."""
    return _human_name(run, parts, 1, _XCN_REST)


def _human_name(run: Run, parts: list[str], first: int, rest: tuple[int, ...]) -> Json | None:
    item: Json = {}
    count = len(parts)
    if count > first:
        _family(run, item, parts[first])
    for place, key in _NAME:
        if first + place >= count:
            break
        text = parts[first + place].strip()
        if text and not (first and place == 5):  # XCN.7 is a degree: a qualification
            item.setdefault(key, []).append(text)
    if count >= rest[0]:
        _name_rest(run, item, parts, rest)
    return item if item.keys() - {"use", "_use"} else None


def _family(run: Run, item: Json, part: str) -> None:
    """FN to family: the surname, then own and partner name parts as they are (v2-to-FHIR FN)."""
    if not part:
        return
    names = part.split(run.sub) if run.sub in part else [part]
    family = names[0].strip() or " ".join(n.strip() for n in names[1:] if n.strip())
    if family:
        item["family"] = family
    keys = ("own-prefix", "own-name", "partner-prefix", "partner-name")
    more = [
        {"url": f"{_HL7}humanname-{key}", "valueString": name.strip()}
        for key, name in zip(keys, names[1:], strict=False)
        if name.strip()
    ]
    if more and family:
        item["_family"] = {"extension": more}


def _name_rest(run: Run, item: Json, parts: list[str], places: tuple[int, ...]) -> None:
    """Name type, validity, assembly order, effective, expiration and professional suffix."""
    kind, validity, order, start, end, professional = (
        parts[place - 1].strip() if place <= len(parts) else "" for place in places
    )
    if kind:
        use(run, item, "name-type", kind, places[0])
    if professional:
        item.setdefault("suffix", []).append(professional)
    _validity(run, item, validity, start, end)
    if order:
        _extend(
            item,
            "humanname-assembly-order",
            "valueCode",
            {"G": "NL1", "F": "NL2"}.get(order, order),
        )


def _validity(run: Run, item: Json, validity: str, start: str, end: str) -> None:
    """A period of a DR, or of its newer two fields, which win (v2-to-FHIR XPN.10, XAD.12)."""
    old = [*validity.split(run.sub), ""]
    period = {
        name: dtm(run, text)
        for name, text in (("start", start or old[0]), ("end", end or old[1]))
        if text
    }
    if period:
        item["period"] = period


@datatype("xad", 19)
def xad(run: Run, parts: list[str]) -> Json | None:
    """XAD to Address (v2-to-FHIR XAD[Address], SAD)."""
    item: Json = {}
    count = len(parts)
    lines = _lines(run, parts)
    if count > 6 and parts[6]:
        _address_use(run, item, parts[6].strip())
    if lines:
        item["line"] = lines
    for place, key in (
        (3, "city"),
        (9, "district"),
        (4, "state"),
        (5, "postalCode"),
        (6, "country"),
    ):
        if place <= count and parts[place - 1].strip():
            item[key] = parts[place - 1].strip()
    if count > 9:
        _address_rest(run, item, parts)
    return item if item.keys() - {"use", "_use", "type", "extension"} else None


def _lines(run: Run, parts: list[str]) -> list[str]:
    first = parts[0]
    lines = []
    if run.sub in first:
        street, *rest = first.split(run.sub)
        dwelling = " ".join(text.strip() for text in reversed(rest) if text.strip())
        street = street.strip() or dwelling
        lines.append(street)
    elif first.strip():
        lines.append(first.strip())
    lines += [parts[place].strip() for place in (1, 18) if len(parts) > place]
    return [line for line in lines if line]


def _address_use(run: Run, item: Json, code: str) -> None:
    """Table 0190 says use and type at once (v2-to-FHIR XAD.7)."""
    kind = terms.table("address-type").get(code)
    purpose = terms.table("address-use").get(code)
    if kind is not None and kind.code:
        item["type"] = kind.code
    if purpose is not None and purpose.code:
        item["use"] = purpose.code
    if kind is None and purpose is None:
        item["_use"] = alternate(V2 + "0190", code)
        run.issue("warning", "code-unknown", "not in table address-use", 7)
    elif "type" not in item and "use" not in item:
        item["_use"] = alternate(V2 + "0190", code)


def _address_rest(run: Run, item: Json, parts: list[str]) -> None:
    texts = [part.strip() for part in parts] + [""] * 5
    if texts[9]:
        _extend(item, "iso21090-ADXP-censusTract", "valueString", texts[9])
    _validity(run, item, texts[11], texts[12], texts[13])


@datatype("xtn", 18)
def xtn(run: Run, parts: list[str]) -> Json | None:
    """XTN to ContactPoint (v2-to-FHIR XTN[ContactPoint])."""
    item: Json = {}
    texts = [part.strip() for part in parts] + [""] * (18 - len(parts))
    kind = _telecom_system(run, item, texts)
    value = texts[3] if kind == "email" and texts[3] else _number(texts)
    value = value or texts[3]
    if not value:
        return None
    item["value"] = value
    if texts[1]:
        use(run, item, "telecom-use", texts[1], 2)
    for place, name in ((5, "country"), (6, "area"), (7, "local"), (8, "extension")):
        if texts[place - 1] and kind != "email":
            _extend(item, f"contactpoint-{name}", "valueString", texts[place - 1])
    period = {
        name: dtm(run, texts[place]) for name, place in (("start", 12), ("end", 13)) if texts[place]
    }
    if period:
        item["period"] = period
    if texts[17].isdigit() and int(texts[17]) > 0:
        item["rank"] = int(texts[17])
    return item


def _telecom_system(run: Run, item: Json, texts: list[str]) -> str:
    code = texts[2]
    target = terms.table("telecom-equipment").get(code) if code else None
    if code and target is None:
        item["_system"] = alternate(V2 + "0202", code)
        run.issue("warning", "code-unknown", "not in table telecom-equipment", 3)
    kind = target.code if target else "email" if texts[3] and "@" in texts[3] else "phone"
    if kind == "phone" and "@" in texts[0]:
        kind = "email"
    item["system"] = kind
    device = terms.table("telecom-equipment-use").get(code) if code else None
    if device is not None and device.code:
        item["use"] = device.code
    return kind


def _number(texts: list[str]) -> str:
    """The number as it is written, else put together of its parts (v2-to-FHIR XTN.7)."""
    if texts[0] or texts[11]:
        return texts[0] or texts[11]
    if not texts[6]:
        return ""
    number = f"{texts[5]} {texts[6]}".strip()
    if texts[4]:
        number = f"+{texts[4]} {number}"
    return f"{number} X{texts[7]}" if texts[7] else number


@datatype("home_phone", 18)
def home_phone(run: Run, parts: list[str]) -> Json | None:
    """PID-13: home unless XTN.2 says otherwise (v2-to-FHIR PID-13)."""
    return _with_use(xtn(run, parts), "home")


@datatype("work_phone", 18)
def work_phone(run: Run, parts: list[str]) -> Json | None:
    """PID-14, NK1-6: work unless XTN.2 says otherwise (v2-to-FHIR PID-14)."""
    return _with_use(xtn(run, parts), "work")


def _with_use(item: Json | None, default: str) -> Json | None:
    if item is not None and "_use" not in item:
        item.setdefault("use", default)
    return item
