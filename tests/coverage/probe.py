"""Tries a row: a message with just its field, the same without, and what only the first has."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from adapter import convert as converting
from adapter.mapping import message
from adapter.mapping.header import message_bundle
from adapter.mapping.run import Feed
from adapter.outcome import Unit
from adapter.record import Location
from adapter.sources import hl7v2
from tests.coverage.guide import Row
from tests.coverage.paths import values

Json = dict[str, Any]
HERE = Path(__file__).resolve().parent
_ORDER = ("MSH", "SFT", "EVN", "PID", "PD1", "MRG", "NK1", "PV1", "PV2", "OBX", "AL1", "DG1", "PR1",
          "IN1", "IN2", "IN3")  # fmt: skip
_AFTER_PV1 = ("OBX", "AL1", "DG1", "PR1", "IN1", "IN2", "IN3")


class Case(NamedTuple):
    """How a row, or every row of a field, is tried (rows.csv, fields.csv).

    `text`    the field's text
    `beside`  what stands beside it: `OBX-2=NM;DG1x-3=I10` (a second DG1), and how it is tried:
              `@event=A06`, `@switch=ssn`, `@after=PV1` (for ROL), `@always` (no message lacks it)
    `path`    where we write it when that is not the guide's path, `why` says why
    `equals`  what we write there when that is not the guide's constant, `*` for anything
    """

    text: str
    beside: str
    path: str = ""
    equals: str = ""
    why: str = ""


@dataclass(frozen=True)
class Found:
    """What became of a row: implemented, at the stated path (`stated`) or at another."""

    row: Row
    implemented: bool
    stated: bool
    why: str


@cache
def _table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def left_out() -> dict[tuple[str, int], str]:
    """(map, line) of every row that is left out on purpose, and why (left_out.csv)."""
    return {(one["map"], int(one["row"])): one["reason"] for one in _table("left_out.csv")}


@cache
def _by_field() -> dict[str, Case]:
    return {one["field"]: Case(one["text"], one["beside"]) for one in _table("fields.csv")}


@cache
def _by_row() -> dict[tuple[str, int], dict[str, str]]:
    return {(one["map"], int(one["row"])): one for one in _table("rows.csv")}


def rows_of_their_own() -> list[dict[str, str]]:
    """The lines of rows.csv."""
    return list(_by_row().values())


def case(row: Row) -> Case:
    """How a row is tried: by its field, unless it has a line of its own."""
    usual = _by_field().get(row.field or row.segment, Case("", ""))
    own = _by_row().get((row.map, row.line), {})
    of_map = _by_field().get(row.map, Case("", ""))
    parts = (usual.beside, of_map.beside, own.get("beside", ""))
    beside = ";".join(text for text in parts if text)
    text = (own.get("text") or usual.text).replace(NOTHING, "")
    return Case(text, beside, own.get("path", ""), own.get("equals", ""), own.get("why", ""))


def try_row(row: Row) -> Found:
    """Whether a message with the row's field yields its path, and one without it does not."""
    told = case(row)
    have = _found(row, told, True)
    lack = [] if "@always" in told.beside else _found(row, told, False)
    new = Counter(map(_key, have)) - Counter(map(_key, lack))
    constant = told.equals or row.constant
    if constant not in ("", ANY):
        new = Counter(key for key in new if _same(json.loads(key), constant))
    return Found(row, bool(new), not told.why, told.why)


NOTHING = "(none)"  # in `text`: tried without the field
ANY = "*"  # in `equals`: whatever the guide's constant is, it belongs to another path


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _same(value: Any, constant: str) -> bool:
    """Equal to the guide's constant; scheme, blanks and stray marks of its URLs do not count."""

    def plain(text: str) -> str:
        bare = text.strip().strip('"').replace("\\", "").rstrip(".").removeprefix("https://")
        return bare.removeprefix("http://").removeprefix("www.").casefold()

    return isinstance(value, str) and plain(value) == plain(constant)


def _found(row: Row, told: Case, with_field: bool) -> list[Any]:
    bundle = convert(row, told, with_field)
    if bundle is None:
        return []
    kind = row.map[4:-1].partition("-")[0]
    path = told.path or row.path
    if path[0].isupper():  # a type of resource before the path
        kind, _, path = path.partition(".")
    if kind == "Bundle":
        return list(values([{"fullUrl": "", "resource": bundle}], kind, path))
    return list(values(bundle["entry"], kind, path))


def convert(row: Row, told: Case, with_field: bool) -> Json | None:
    """The message of a case as a FHIR message Bundle, with or without the row's field."""
    options, fields = _beside(told.beside)
    own = {row.field: told.text} if row.field else {f"{row.segment}-0": ""}
    segments = _segments(options, {**fields, **own} if with_field else _without(fields, row))
    raw = "\r".join(segments)
    feed = Feed("probe", "feed:probe", "America/Los_Angeles", switches=_switches(options))
    found = next(hl7v2.message(raw, 1, "probe", raw.encode()))
    assert isinstance(found, hl7v2.Message), raw
    unit = Unit(Location("probe", 1), "adt", feed.source, "probe", raw=found.raw)
    outcome = converting.checked(message.convert(found, feed, unit))  # what is invalid is gone
    assert outcome.ok, (raw, outcome.issues)
    return message_bundle(outcome, found, feed)


def _without(fields: Mapping[str, str], row: Row) -> dict[str, str]:
    """The fields beside, without the row's own; a row of no field is tried without its segment."""
    if not row.field:
        return {name: text for name, text in fields.items() if not name.startswith(row.segment)}
    return {name: text for name, text in fields.items() if name != row.field}


def _switches(options: Mapping[str, str]) -> frozenset[str]:
    return frozenset(text for text in options.get("@switch", "").split() if text)


def _beside(text: str) -> tuple[dict[str, str], dict[str, str]]:
    pairs = [item.partition("=") for item in text.split(";") if item]
    options = {name: value for name, _, value in pairs if name.startswith("@")}
    return options, {name: value for name, _, value in pairs if not name.startswith("@")}


# What a message needs to be taken at all.
_REQUIRED = {
    "MSH-1": "|",
    "MSH-2": "^~\\&",
    "MSH-9": "ADT^{event}",
    "MSH-12": "2.9",
    "PID-3": "P1^^^PROBE^MR",
}


def _segments(options: Mapping[str, str], fields: Mapping[str, str]) -> list[str]:
    required = {k: v.replace("{event}", options.get("@event", "A01")) for k, v in _REQUIRED.items()}
    found: dict[str, dict[int, str]] = {}
    for name, text in {**required, **fields}.items():
        segment, _, place = name.partition("-")
        found.setdefault(segment, {})[int(place or 0)] = text
    ordered = sorted(found, key=lambda name: _rank(name, options))
    return [_segment(name, found[name]) for name in ordered]


def _rank(name: str, options: Mapping[str, str]) -> float:
    """ROL and PRT follow PID, or PV1 when the case says so; DG1x is a second DG1."""
    if name[:3] in ("ROL", "PRT"):
        return _ORDER.index(options.get("@after", "PID")) + 0.5
    return _ORDER.index(name[:3]) + (0.5 if len(name) > 3 else 0)


def _segment(name: str, fields: Mapping[int, str]) -> str:
    texts = [fields.get(place, "") for place in range(1, max(fields) + 1)]
    if name == "MSH":
        return "MSH" + texts[0] + "|".join(texts[1:])
    return "|".join((name[:3], *texts))


def counts(found: Sequence[Found]) -> Counter[str]:
    """Rows by what became of them."""
    return Counter(verdict(one) for one in found)


def verdict(one: Found) -> str:
    """`stated`, `elsewhere` (at another path, or another constant), `out` or `missing`."""
    if (one.row.map, one.row.line) in left_out():
        return "out"
    if not one.implemented:
        return "missing"
    return "stated" if one.stated else "elsewhere"
