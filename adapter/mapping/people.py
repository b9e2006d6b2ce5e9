"""HL7 v2 names, addresses and contact points to FHIR, by the v2-to-FHIR guide."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adapter import terms
from adapter.mapping.datatypes import V2, alternate, extend, positive
from adapter.mapping.finish import filler
from adapter.mapping.registry import datatype
from adapter.mapping.run import BadValue, Run
from adapter.mapping.times import period

Json = dict[str, Any]
Points = Json | list[Json] | None  # several where an XTN holds a number and an address
_HL7 = "http://hl7.org/fhir/StructureDefinition/"


def use(run: Run, item: Json, table: str, code: str, part: int) -> None:
    """Write `use` of a name or contact point by its table; a code that has none is kept beside."""
    found = terms.table(table)
    target = found.get(code)
    if target is None:
        item["_use"] = alternate(found.system, code)
        run.issue("warning", "code-unknown", f"not in table {table}", part)
    elif target.code:
        item["use"] = target.code
    else:
        item["_use"] = alternate(found.system if found.display(code) else "", code)


_XCN_PARTS = ("given", "given", "suffix", "prefix")  # XCN.7 is a degree: a qualification
_XPN_PARTS = (*_XCN_PARTS, "suffix")
_NO_NAME = frozenset(("use", "_use"))
_XPN_REST = (7, 10, 12, 13, 14)  # name type, validity, effective, expiration, professional suffix:
_XCN_REST = (10, 17, 19, 20, 21)  # the same parts in XPN and in XCN


@datatype("xpn", 14, but=(8, 9, 11))
def xpn(run: Run, parts: list[str]) -> Json | None:
    """XPN to HumanName (v2-to-FHIR XPN[HumanName]).

    Not the assembly order XPN.11: the guide's codes (table 0444) are not in the value set that R4
    requires of that extension (NL1 to NL4).
    """
    return _human_name(run, parts, 0, _XPN_REST)


def xcn_name(run: Run, parts: list[str]) -> Json | None:
    """The HumanName in an XCN: XPN's parts, at other places (v2-to-FHIR XCN[Practitioner])."""
    return _human_name(run, parts, 1, _XCN_REST)


def _human_name(run: Run, parts: list[str], first: int, rest: tuple[int, ...]) -> Json | None:
    item: Json = {}
    if len(parts) > first:
        _family(run, item, parts[first])
    for text, key in zip(parts[first + 1 :], _XCN_PARTS if first else _XPN_PARTS, strict=False):
        if text and (text := text.strip()):
            item.setdefault(key, []).append(text)
    if len(parts) >= rest[0]:
        _name_rest(run, item, parts, rest)
    return None if item.keys() <= _NO_NAME else item


def _family(run: Run, item: Json, part: str) -> None:
    """FN to family: the surname, then own and partner name parts as they are (v2-to-FHIR FN)."""
    if run.sub not in part:
        if family := part.strip():
            item["family"] = family
        return
    names = part.split(run.sub)
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
    """Name type, validity, effective and expiration dates, and professional suffix."""
    if kind := parts[places[0] - 1].strip():
        use(run, item, "name-type", kind, places[0])
    if len(parts) < places[1]:
        return
    validity, start, end, professional = (
        parts[place - 1].strip() if place <= len(parts) else "" for place in places[1:]
    )
    if professional:
        item.setdefault("suffix", []).append(professional)
    _validity(run, item, (validity, start, end), places[1:4])


def _validity(run: Run, item: Json, texts: tuple[str, str, str], places: tuple[int, ...]) -> None:
    """A period of a DR, or of its newer two fields, which win (v2-to-FHIR XPN.10, XAD.12)."""
    old, start, end = texts
    if not (old or start or end):
        return
    first, last, *_ = (*old.split(run.sub), "")
    parts = (places[1] if start else places[0], places[2] if end else places[0])
    if found := period(run, start or first, end or last, parts):
        item["period"] = found


@datatype("xad", 19, but=(8, 11, 15, 16, 17, 18))
def xad(run: Run, parts: list[str]) -> Json | None:
    """XAD to Address (v2-to-FHIR XAD[Address], SAD)."""
    item: Json = {}
    count = len(parts)
    lines = _lines(run, parts)
    if count > 6 and parts[6]:
        _address_use(run, item, parts[6].strip())
    if lines:
        item["line"] = lines
    for text, key in zip(parts[2:6], _PLACE, strict=False):
        if text and (text := text.strip()):
            item[key] = text
    if count > 8 and (county := coded_text(run, parts[8])):
        item["district"] = county
    if count > 9:
        _address_rest(run, item, parts)
    return None if item.keys() <= _NO_ADDRESS else item


_PLACE = ("city", "state", "postalCode", "country")
_NO_ADDRESS = frozenset(("use", "_use", "type", "extension"))


def coded_text(run: Run, part: str) -> str:
    """A CWE inside a component as text: what was written, its display, else its code."""
    texts = [text.strip() for text in part.split(run.sub)]
    return next((texts[n] for n in (8, 1, 0) if n < len(texts) and texts[n]), "")


def _lines(run: Run, parts: list[str]) -> list[str]:
    """SAD and other designations; a street's name or number that its line holds is not said twice.

    The guide gives street name and number (SAD.2, SAD.3) lines of their own.
    """
    street, *rest = parts[0].split(run.sub)
    lines = [street.strip()]
    if rest:
        more = [text.strip() for text in reversed(rest[:2])]
        lines.append(" ".join(text for text in more if text and text not in street))
    lines += [parts[place].strip() for place in (1, 18) if len(parts) > place and parts[place]]
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
        extend(item, "iso21090-ADXP-censusTract", "valueString", coded_text(run, texts[9]))
    _validity(run, item, (texts[11], texts[12], texts[13]), (12, 13, 14))


_XTN_UNREAD = (9, 10, 11, 15, 16, 17)  # texts, reasons and versions of a number


@datatype("xtn", 18, but=_XTN_UNREAD)
def xtn(run: Run, parts: list[str]) -> Points:
    """XTN to ContactPoint (v2-to-FHIR XTN[ContactPoint]); a number beside an address is another."""
    if len(parts) == 1:  # a number and nothing else
        value = _told(run, parts[0].strip())
        return {"system": "email" if "@" in value else "phone", "value": value} if value else None
    item: Json = {}
    texts = [part.strip() for part in parts]
    texts += _XTN[len(parts) :]
    kind = _telecom_system(run, item, texts)
    number, address = _told(run, _number(texts)), texts[3]
    value = address if kind == "email" and address else number or address
    if not value:
        return None
    item["value"] = value
    if texts[1]:
        use(run, item, "telecom-use", texts[1], 2)
    if len(parts) > 4 and value == number and kind != "email":
        _number_parts(item, texts[4:8])
    if len(parts) > 12 and (found := period(run, texts[12], texts[13], (13, 14))):
        item["period"] = found
    if texts[17]:
        _rank(run, item, texts[17])
    other = address if value == number else number
    return item if other in ("", value) else _both(run, item, texts, other)


def _told(run: Run, number: str) -> str:
    """A number, `""` for a text that fills its place: `NONE`, `(000) 000-0000`."""
    bare = number.translate(_AROUND)
    if not number or (bare and not filler(bare)):
        return number
    run.issue("information", "filler", "a filler text, and no number")
    return ""


_AROUND = str.maketrans("", "", " ()-./+")


def _both(run: Run, item: Json, texts: list[str], value: str) -> Points:
    """The item, and one of the other value of its XTN: a number beside an address, or an address.

    XTN.3 says what the first of them is; of what else the other is nobody knows.
    """
    mail = "@" in value
    if not mail and (value == texts[3] or not any(map(str.isdigit, value))):
        place = 4 if value == texts[3] else 1
        run.issue("information", "unmapped", "beside another value of this contact", place)
        return item
    other: Json = {"system": "email" if mail else "phone", "value": value}
    kept = ("use", "_use") if texts[1] not in ("", "NET") else ()
    other.update({key: item[key] for key in (*kept, "period", "rank") if key in item})
    if not mail:
        _number_parts(other, texts[4:8])
    return [item, other]


_XTN = ("",) * 18  # components
_NUMBER_PARTS = tuple(f"contactpoint-{of}" for of in ("country", "area", "local", "extension"))


def _number_parts(item: Json, texts: list[str]) -> None:
    for name, text in zip(_NUMBER_PARTS, texts, strict=True):
        if text:
            extend(item, name, "valueString", text)


def _rank(run: Run, item: Json, text: str) -> None:
    """XTN.18, a preference order above 0."""
    try:
        item["rank"] = positive(run, text)
    except BadValue as bad:
        run.issue("warning", bad.detail, bad.text, 18)


def _telecom_system(run: Run, item: Json, texts: list[str]) -> str:
    code = texts[2]
    kind, device = _equipment(code)
    if code and not kind:
        item["_system"] = alternate(V2 + "0202", code)
        run.issue("warning", "code-unknown", "not in table telecom-equipment", 3)
    kind = kind or ("email" if "@" in texts[3] else "phone")
    if kind == "phone" and "@" in (texts[0] or (texts[3] if not _number(texts) else "")):
        kind = "email"
    item["system"] = kind
    if device:
        item["use"] = device
    return kind


@lru_cache(maxsize=256)
def _equipment(code: str) -> tuple[str, str]:
    """ContactPoint's system and use by equipment (table 0202); `""` where it tells none."""
    found = (terms.table(f"telecom-equipment{of}").get(code) for of in ("", "-use"))
    kind, device = (target.code if target is not None else "" for target in found)
    return kind, device


def _number(texts: list[str]) -> str:
    """The number as it is written, else put together of its parts (v2-to-FHIR XTN.7).

    XTN.1 goes first though the guide prefers the parts: it is what people dial, and parts of it
    are kept as extensions beside it.
    """
    if texts[0] or texts[11]:
        return texts[0] or texts[11]
    if not texts[6]:
        return ""
    number = f"{texts[5]} {texts[6]}".strip()
    if texts[4]:
        number = f"+{texts[4]} {number}"
    return f"{number} X{texts[7]}" if texts[7] else number


@datatype("home_phone", 18, but=_XTN_UNREAD)
def home_phone(run: Run, parts: list[str]) -> Points:
    """PID-13: home unless XTN.2 says otherwise (v2-to-FHIR PID-13)."""
    return _with_use(xtn(run, parts), "home")


@datatype("work_phone", 18, but=_XTN_UNREAD)
def work_phone(run: Run, parts: list[str]) -> Points:
    """PID-14, NK1-6: work unless XTN.2 says otherwise (v2-to-FHIR PID-14)."""
    return _with_use(xtn(run, parts), "work")


def _with_use(found: Points, default: str) -> Points:
    for item in found if isinstance(found, list) else (found,):
        if item is not None and "_use" not in item:
            item.setdefault("use", default)
    return found
