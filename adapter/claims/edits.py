"""Pre-submission edits: what a payer refuses although the segments are valid X12."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache

from adapter import terms
from adapter.claims.contacts import PLACE
from adapter.claims.x12 import Segment, clean
from adapter.issues import Issue
from adapter.record import Location

_CIN = re.compile(r"9\d{7}[A-Z]")
_ICD = re.compile(r"[A-Z]\d[0-9A-Z][0-9A-Z]{0,4}")
_NPI = re.compile(r"[12]\d{9}")
_HCPCS = re.compile(r"[A-Z]\d{4}")
_MAX_LINES, _MAX_DIAGNOSES = 50, 12


@dataclass(slots=True)
class Claim:
    """What the edits remember of the claim they stand in."""

    at: int = 0
    total: Decimal | None = None
    frequency: str = ""
    diagnoses: int = 0
    lines: Decimal = Decimal(0)
    count: int = 0
    original: bool = False
    controls: set[str] = field(default_factory=set)


Found = tuple[int, str, str]  # segment number, element (`CLM02`), text


def check(segments: Sequence[Segment], file: str = "837P", first: int = 1) -> list[Issue]:
    """Every edit over segments in order; the issue's line is the 1-based segment number.

    Rules: referrals-and-claims B.3, fhir-and-exchange 4.4 (what pyx12 lets through).
    """
    found = sorted([*_segments(segments, first), *_claims(segments, first)])
    return [Issue("error", "value-format", text, Location(file, at, el)) for at, el, text in found]


def npi_valid(npi: str) -> bool:
    """Ten digits whose last is the Luhn check digit over 80840 + NPI (45 CFR 162.406)."""
    if not _NPI.fullmatch(npi):
        return False
    doubled = [2 * int(d) if at % 2 == 0 else int(d) for at, d in enumerate(npi)]
    return (24 + sum(n // 10 + n % 10 for n in doubled)) % 10 == 0


def _get(row: Segment, index: int) -> str:
    element = row[index] if index < len(row) else ""
    return element if isinstance(element, str) else element[0]


def _parts(row: Segment, index: int) -> tuple[str, ...]:
    element = row[index] if index < len(row) else ()
    return (element,) if isinstance(element, str) else element


def _segments(segments: Sequence[Segment], first: int) -> Iterator[Found]:
    """Edits that need one segment only."""
    for at, row in enumerate(segments, first):
        edit = _ONE.get(_get(row, 0))
        found = [*_characters(row), *(edit(row) if edit else ())]
        yield from ((at, element, text) for element, text in found)


def _characters(row: Segment) -> Iterator[tuple[str, str]]:
    """No text may hold a delimiter or what X12 lacks: an id is never cleaned, but refused."""
    for index in range(1, len(row)):
        if any(part != clean(part) for part in _parts(row, index)):
            yield f"{_get(row, 0)}{index:02d}", "characters that X12 does not have"


def _ref(row: Segment) -> Iterator[tuple[str, str]]:
    if not 0 < len(_get(row, 2)) <= 50:
        yield "REF02", "1 to 50 characters"


def _nm1(row: Segment) -> Iterator[tuple[str, str]]:
    if _get(row, 8) == "XX" and not npi_valid(_get(row, 9)):
        yield "NM109", "not an NPI: ten digits with a right check digit"
    if _get(row, 1) == "IL" and not _CIN.fullmatch(_get(row, 9)):
        yield "NM109", "not the shape of a Client Index Number"
    if not _get(row, 3):
        yield "NM103", "a name without letters that X12 has"


def _hi(row: Segment) -> Iterator[tuple[str, str]]:
    if len(row) - 1 > _MAX_DIAGNOSES:
        yield "HI", "more than 12 diagnoses"
    for index in range(1, len(row)):
        kind, *code = _parts(row, index)
        if kind != ("ABK" if index == 1 else "ABF"):
            yield f"HI{index:02d}", "first ABK, then ABF"
        if not code or not _ICD.fullmatch(code[0]):
            yield f"HI{index:02d}", "not an ICD-10-CM code without dot"


def _sv1(row: Segment) -> Iterator[tuple[str, str]]:
    kind, *service = _parts(row, 1)
    code, modifiers = (service[0], service[1:]) if service else ("", [])
    if kind != "HC" or not _HCPCS.fullmatch(code):
        yield "SV101", "not a HCPCS code"
    yield from (("SV101", text) for text in _modifier_faults(modifiers))
    if _get(row, 5) not in _places():
        yield "SV105", "not a place of service of CMS"
    if not _positive(_get(row, 4)):
        yield "SV104", "no units"


def _clm(row: Segment) -> Iterator[tuple[str, str]]:
    place, qualifier, frequency = (*_parts(row, 5), "", "", "")[:3]
    if place not in _places():
        yield "CLM05", "not a place of service of CMS"
    if qualifier != "B" or frequency not in ("1", "7", "8"):
        yield "CLM05", "frequency is 1, 7 or 8"
    if not 0 < len(_get(row, 1)) <= 20:
        yield "CLM01", "1 to 20 characters"


def _modifier_faults(modifiers: Sequence[str]) -> Iterator[str]:
    """U modifier first, GQ after it (guidance table, rule A3); no modifier twice, at most four."""
    if len(modifiers) > 4 or len(set(modifiers)) != len(modifiers):
        yield "more than four modifiers, or one twice"
    if any(not re.fullmatch(r"[A-Z0-9]{2}", text) for text in modifiers):
        yield "a modifier is two letters or digits"
    if modifiers and not modifiers[0].startswith("U") and any(m[:1] == "U" for m in modifiers):
        yield "the U modifier stands first"
    if modifiers[:1] == ["GQ"]:
        yield "GQ stands after the U modifier"


_ONE: dict[str, Callable[[Segment], Iterator[tuple[str, str]]]] = {
    "NM1": _nm1,
    "HI": _hi,
    "SV1": _sv1,
    "CLM": _clm,
    "REF": _ref,
}


def _claims(segments: Sequence[Segment], first: int) -> Iterator[Found]:
    """Edits over a whole claim: balance, line count, correction numbers, numbers used twice."""
    seen: set[str] = set()
    claim = Claim()
    for at, row in enumerate(segments, first):
        name = _get(row, 0)
        if name in ("CLM", "HL", "SE"):
            yield from _closed(claim)
            claim = Claim()
        if name == "CLM":
            claim = Claim(at, _decimal(_get(row, 2)), (*_parts(row, 5), "", "", "")[2])
            if _get(row, 1) in seen:
                yield at, "CLM01", "a claim number that stands in this file before"
            seen.add(_get(row, 1))
        yield from _inside(claim, at, row)
    yield from _closed(claim)


def _inside(claim: Claim, at: int, row: Segment) -> Iterator[Found]:
    name, first = _get(row, 0), _get(row, 1)
    if name == "HI":
        claim.diagnoses = len(row) - 1
    elif name == "REF" and first == "F8":
        claim.original = True
    elif name == "REF" and first == "6R":
        if _get(row, 2) in claim.controls:
            yield at, "REF02", "a line control number twice in one claim"
        claim.controls.add(_get(row, 2))
    elif name == "SV1":
        claim.count += 1
        claim.lines += _decimal(_get(row, 2)) or Decimal(0)
        pointers = [p for p in _parts(row, 7) if p]
        if not pointers or any(not _points(p, claim.diagnoses) for p in pointers):
            yield at, "SV107", "points to no diagnosis of the claim"


def _closed(claim: Claim) -> Iterator[Found]:
    if not claim.at:
        return
    if claim.total is None or claim.total != claim.lines:
        yield claim.at, "CLM02", "the total is not the sum of the lines"
    if not 1 <= claim.count <= _MAX_LINES:
        yield claim.at, "LX", "a claim has 1 to 50 lines"
    if not claim.diagnoses:
        yield claim.at, "HI", "a claim without diagnosis"
    if (claim.frequency in ("7", "8")) != claim.original:
        yield claim.at, "REF", "REF F8 goes with frequency 7 and 8, and only with them"


def _points(pointer: str, diagnoses: int) -> bool:
    return pointer.isdigit() and 1 <= int(pointer) <= diagnoses


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _positive(text: str) -> bool:
    value = _decimal(text)
    return value is not None and value > 0


@cache
def _places() -> frozenset[str]:
    return frozenset(
        code for system, code in terms.value_set("place-of-service") if system == PLACE
    )
