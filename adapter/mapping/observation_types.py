"""The value of an observation by its HL7 v2 type (OBX-2): one function a type."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from adapter.mapping.datatypes import V2, alternate, coding_system, concept, decimal
from adapter.mapping.parts import part
from adapter.mapping.run import BadValue, Run
from adapter.mapping.times import dr, dtm

Json = dict[str, Any]
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])[0-9]{0,18}(\.[0-9]{0,9})?")
_MEASURE = re.compile(r"[<>=~]{0,2} ?[+-]?[0-9.,]{1,20}")
_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])?(?:\.[0-9]+)?(?:[+-][0-9]{4})?")
_COMPARATORS = ("<", "<=", ">=", ">")
_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation."

# Content types by ED.2 or RP.3 (table 0191) and ED.3 or RP.4 (table 0291).
_KINDS = {"AP": "application", "AU": "audio", "IM": "image", "TEXT": "text", "FT": "text"}
_UCUM = "http://unitsofmeasure.org"
_SUBTYPES = {"JPG": "jpeg", "TIF": "tiff", "RTF": "rtf", "": "octet-stream"}


def number(text: str) -> Any:
    """A numeric text as JSON has it, 7.40 with both places. Raises BadValue for any other."""
    plain = text.strip().replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        raise BadValue("number-format", "expected a number")
    return decimal(plain)


def unit(run: Run, parts: list[str]) -> Json:
    """OBX-6: unit, and code and system where it names one (v2-to-FHIR CWE[Quantity]).

    Of two it is the one of UCUM. A code without a system is the unit itself (FHIR R4 qty-3).
    """
    if len(parts) > 3 and any(map(str.strip, parts[3:5])):
        run.issue("information", "unmapped", "only one of two units has an element")
        if coding_system(part(parts, 3)) != _UCUM == coding_system(part(parts, 6)):
            parts = parts[3:]
    code, display, system = part(parts, 1), part(parts, 2), part(parts, 3)
    item = {"unit": display or code} if display or code else {}
    if code and system:
        item |= {"system": coding_system(system), "code": " ".join(code.split())}
    elif code and code != item["unit"]:
        run.issue("information", "unmapped", "a code without a system, beside the unit's name")
    return item


def _numeric(run: Run, parts: list[str], units: Json) -> Json:
    try:
        return {"valueQuantity": {"value": number(parts[0]), **units}}
    except BadValue:
        run.issue("warning", "number-format", "kept as text: not a number")
        return _text(run, parts, units)


def _words(units: Json, *texts: str) -> str:
    """A value that is kept as text, with its unit."""
    return " ".join(text for text in (*texts, units.get("unit", "")) if text)


def _text(run: Run, parts: list[str], units: Json) -> Json:
    """Text as it stands; a number that is sent as text has its unit behind it."""
    text = "^".join(parts).strip()
    measured = units and _MEASURE.fullmatch(text)
    return {"valueString": _words(units, text) if measured else text} if text else {}


def _concept(run: Run, parts: list[str], units: Json) -> Json:
    item = concept(run, parts, "")
    return {"valueCodeableConcept": item} if item else {}


def _period(run: Run, parts: list[str], units: Json) -> Json:
    item = dr(run, parts)
    return {"valuePeriod": item} if item else {}


def _moment(run: Run, parts: list[str], units: Json) -> Json:
    return {"valueDateTime": dtm(run, parts[0])}


def _clock(run: Run, parts: list[str], units: Json) -> Json:
    match = _TIME.fullmatch(parts[0].strip())
    if match is None:
        raise BadValue("date-format", "expected HHMM[SS]")
    hour, minute, second = match.groups()
    return {"valueTime": f"{hour}:{minute}:{second or '00'}"}


def _range(run: Run, parts: list[str], units: Json) -> Json:
    ends = zip(("low", "high"), (part(parts, 1), part(parts, 2)), strict=True)
    item = {key: {"value": number(text), **units} for key, text in ends if text}
    return {"valueRange": item} if item else {}


def _span(run: Run, parts: list[str], units: Json) -> Json:
    """VR: a range of values as text."""
    return {"valueString": _words(units, f"{part(parts, 1)}-{part(parts, 2)}")}


def _structured(run: Run, parts: list[str], units: Json) -> Json:
    """SN: a comparator, a number, a separator and a number (v2-to-FHIR SN[...]).

    The ends of a range have no comparator in FHIR: with one it is kept as text.
    """
    sign, low, between, high = (part(parts, place) for place in (1, 2, 3, 4))
    written, compared = _words(units, sign, low, between, high), _compared(sign)
    try:
        if sign != "<>" and between in (":", "/"):
            ends = (("numerator", low), ("denominator", high))
            ratio = {key: {"value": number(text), **units} for key, text in ends}
            return {"valueRatio": {**ratio, "numerator": {**compared, **ratio["numerator"]}}}
        if not compared and sign != "<>" and between == "-":
            return _range(run, [low, high], units)
        if sign != "<>" and not between:
            return {"valueQuantity": {"value": number(low), **compared, **units}}
    except BadValue:
        run.issue("warning", "number-format", "kept as text: not numbers")
    return {"valueString": written}


def _compared(sign: str) -> Json:
    return {"comparator": sign} if sign in _COMPARATORS else {}


def _sampled(run: Run, parts: list[str], units: Json) -> Json:
    """NA: an array of numbers; how long lies between two of them OBX does not say."""
    numbers = [str(number(text)) for text in parts if text.strip()]
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}
    return {
        "valueSampledData": {
            "origin": {"value": 0, **units},
            "_period": {"extension": [{**absent, "valueCode": "unknown"}]},
            "dimensions": 1,
            "data": " ".join(numbers),
        }
    }


def _content_type(kind: str, subtype: str) -> str:
    """A media type of the two codes; one that is written as such stays."""
    family = _KINDS.get(kind.upper(), "")
    if not family:
        return f"{kind}/{subtype}".lower() if kind.isalpha() and subtype else ""
    small = subtype.split("/")[-1]
    return f"{family}/{_SUBTYPES.get(small.upper(), small.lower())}"


def attachment(parts: list[str], kind: str) -> Json:
    """ED or RP as Attachment (v2-to-FHIR ED[Attachment], RP[Attachment]). Raises BadValue."""
    family, subtype = (part(parts, 2), part(parts, 3)) if kind == "ED" else (
        part(parts, 3), part(parts, 4)
    )  # fmt: skip
    item: Json = {}
    if content := _content_type(family, subtype):
        item["contentType"] = content
    elif family or subtype:
        item = alternate(V2 + "0191", family or subtype)
    if kind == "RP":
        pointer = part(parts, 1)
        return {**item, ("title" if re.search(r"\s", pointer) else "url"): pointer}
    return {**item, "data": _data(part(parts, 4), part(parts, 5))}


def _data(encoding: str, text: str) -> str:
    """ED.5 in base64: sent as such, or as hexadecimal or plain text (table 0299)."""
    try:
        if encoding.upper() == "HEX":
            return base64.b64encode(bytes.fromhex(text)).decode()
        if encoding.upper() in ("A", ""):
            return base64.b64encode(text.encode()).decode()
        base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise BadValue("value-format", "not in the encoding that ED.4 names") from None
    return text


def _attached(kind: str) -> Callable[[Run, list[str], Json], Json]:
    def read(run: Run, parts: list[str], units: Json) -> Json:
        item = attachment(parts, kind)
        return {"extension": [{"url": _R5 + "valueAttachment", "valueAttachment": item}]}

    return read


Read = Callable[[Run, list[str], Json], Json]

TYPES: dict[str, Read] = {
    "NM": _numeric,
    "SN": _structured,
    "NR": _range,
    "VR": _span,
    "NA": _sampled,
    "DR": _period,
    "TM": _clock,
    "ED": _attached("ED"),
    "RP": _attached("RP"),
    **dict.fromkeys(("CF", "CNE", "CE", "CWE", "IS", "ID"), _concept),
    **dict.fromkeys(("DTM", "DT", "TS"), _moment),
}
DOCUMENTS = frozenset(("ED", "RP"))


_MEASURED = ("valueQuantity", "valueRange", "valueRatio", "valueSampledData")


def measured(item: Json, units: Json) -> bool:
    """Whether the elements that hold a value say its unit too."""
    return any(key in item for key in _MEASURED) or str(item.get("valueString", "")).endswith(
        " " + units.get("unit", "")
    )


def value(run: Run, kind: str, parts: list[str], units: Json) -> Json:
    """The elements that hold a value: `{"valueQuantity": ...}`; any other type is kept as text.

    Raises BadValue for a value that is not of its type.
    """
    return TYPES.get(kind, _text)(run, parts, units)
