"""HL7 v2 names, addresses and contact points to FHIR, by the v2-to-FHIR guide."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.datatypes import V2, alternate, extend
from adapter.mapping.registry import datatype
from adapter.mapping.run import Run
from adapter.mapping.times import dtm

Json = dict[str, Any]
_HL7 = "http://hl7.org/fhir/StructureDefinition/"


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
_ASSEMBLY = {"G": "NL1", "F": "NL2"}  # HL7 table 0444 to ISO 21090 name use
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
    if order in _ASSEMBLY:
        extend(item, "humanname-assembly-order", "valueCode", _ASSEMBLY[order])
    elif order:
        run.issue("warning", "code-unknown", "not a name assembly order", places[2])


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
        extend(item, "iso21090-ADXP-censusTract", "valueString", texts[9])
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
            extend(item, f"contactpoint-{name}", "valueString", texts[place - 1])
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
