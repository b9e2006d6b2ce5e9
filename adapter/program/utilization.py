"""Counts emergency visits and unplanned stays over rolling windows; says who is at a threshold."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from adapter import data
from adapter.program.stays import instant
from adapter.record import Resource

Kind = Literal["emergency", "stay"]
Codings = frozenset[tuple[str, str]]


class Threshold(NamedTuple):
    """So many emergency visits, or so many stays, within so many months (003 IV.2)."""

    group: str
    from_age: int
    emergency: int
    stays: int
    months: int


@dataclass(frozen=True, slots=True)
class Rules:
    """mappings/program/utilization.toml, read."""

    zone: ZoneInfo
    population: str
    kinds: Mapping[str, Kind]  # Encounter.class code -> what it counts as
    statuses: frozenset[str]
    planned: Codings
    facility: Codings
    short: timedelta
    admitted: timedelta
    thresholds: tuple[Threshold, ...]  # the highest age first

    def threshold(self, birth: date | None, on: date) -> Threshold:
        """The threshold of a person's age on a day; of an unknown age the one that is harder."""
        years = age(birth, on) if birth else self.thresholds[0].from_age
        return next((one for one in self.thresholds if years >= one.from_age), self.thresholds[-1])

    def earliest(self, on: date) -> date:
        """No stay that began before this day can count."""
        return min(months_before(on, one.months) for one in self.thresholds)


class Stay(NamedTuple):
    """One emergency visit or stay that counts, by the Encounter that tells it (`Encounter/abc`)."""

    ref: str
    kind: Kind
    start: datetime
    end: datetime | None
    part_of: str = ""


class Usage(NamedTuple):
    """What one person's stays add up to on a day."""

    threshold: Threshold
    emergency: tuple[Stay, ...]
    stays: tuple[Stay, ...]

    @property
    def reached(self) -> tuple[str, ...]:
        """Which of `emergency` and `stays` is at or over its threshold."""
        met = {
            "emergency": len(self.emergency) >= self.threshold.emergency,
            "stays": len(self.stays) >= self.threshold.stays,
        }
        return tuple(name for name, yes in met.items() if yes)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The Encounters counted, in order of time."""
        return tuple(stay.ref for stay in sorted((*self.emergency, *self.stays), key=_order))


@cache
def rules() -> Rules:
    """The shipped rules. Raises DataFileError when the file is wrong."""
    raw = data.toml(data.path("mappings", "program", "utilization.toml"))
    kinds: dict[str, Kind] = dict.fromkeys(raw["kinds"]["inpatient"], "stay")
    kinds |= dict.fromkeys(raw["kinds"]["emergency"], "emergency")
    found = [_threshold(group, row) for group, row in raw["threshold"].items()]
    return Rules(
        ZoneInfo(raw["zone"]),
        raw["population"],
        kinds,
        frozenset(raw["statuses"]),
        _codings_of_rule(raw["planned"]),
        _codings_of_rule(raw["facility"]),
        timedelta(days=raw["short"]["days"]),
        timedelta(hours=raw["admitted"]["within_hours"]),
        tuple(sorted(found, key=lambda one: -one.from_age)),
    )


def usage(
    encounters: Iterable[Resource], birth: date | None, on: date, by: Rules | None = None
) -> Usage:
    """What a person's Encounters add up to on a day of California; in any order, repeats and all.

    A stay counts by the day it began. An emergency visit that ended in an admission is that
    admission (ID-2); one admission ends one visit, so the sum of both never falls when a stay
    is added. The same kind of stay beginning at the same minute is one stay told twice.
    """
    by = by or rules()
    threshold = by.threshold(birth, on)
    told = _distinct(stays(encounters, by))
    visits = _not_admitted(told, by)
    first = months_before(on, threshold.months)

    def inside(stay: Stay) -> bool:
        return first < stay.start.astimezone(by.zone).date() <= on

    return Usage(
        threshold,
        tuple(stay for stay in visits if inside(stay)),
        tuple(stay for stay in told if stay.kind == "stay" and inside(stay)),
    )


def stays(encounters: Iterable[Resource], by: Rules) -> Iterator[Stay]:
    """The Encounters that took place, were not planned, and are of a kind that counts."""
    for encounter in encounters:
        period = encounter.get("period", {})
        kind = by.kinds.get(encounter.get("class", {}).get("code", ""))
        start = instant(period.get("start", ""), by.zone)
        if kind is None or start is None or encounter.get("status") not in by.statuses:
            continue
        end = _end(period.get("end", ""), by.zone)
        if kind == "stay" and not _counts(encounter, (start, end), by):
            continue
        part_of = encounter.get("partOf", {}).get("reference", "")
        yield Stay(f"Encounter/{encounter['id']}", kind, start, end, part_of)


def age(birth: date, on: date) -> int:
    """Completed years; who was born on 29 February has a birthday on 1 March of other years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def months_before(day: date, months: int) -> date:
    """The same day so many months before; the last of the month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _counts(encounter: Resource, span: tuple[datetime, datetime | None], by: Rules) -> bool:
    """An admission counts unless it was planned, or is a long stay in a nursing facility."""
    kinds = set(_codings(encounter.get("type", ())))
    start, end = span
    long = end is not None and end - start > by.short
    return not kinds & by.planned and not (long and kinds & by.facility)


def _end(text: str, zone: ZoneInfo) -> datetime | None:
    """A day lasts until the next one begins."""
    found = instant(text, zone)
    return found + timedelta(days=1) if found and len(text) == len("YYYY-MM-DD") else found


def _distinct(found: Iterable[Stay]) -> list[Stay]:
    """One a kind and minute, the first by reference, in order of time."""
    kept: dict[tuple[Kind, datetime], Stay] = {}
    for stay in sorted(found, key=lambda one: one.ref):
        kept.setdefault((stay.kind, stay.start.replace(second=0, microsecond=0)), stay)
    by_ref: dict[str, Stay] = {}
    for stay in sorted(kept.values(), key=_order):
        by_ref.setdefault(stay.ref, stay)
    return list(by_ref.values())


def _not_admitted(told: list[Stay], by: Rules) -> list[Stay]:
    """The emergency visits that did not end in one of the admissions."""
    visits = [stay for stay in told if stay.kind == "emergency"]
    admissions = [stay for stay in told if stay.kind == "stay"]
    ended: set[str] = set()
    for stay in admissions:
        linked = [
            visit for visit in visits if stay.ref == visit.part_of or visit.ref == stay.part_of
        ]
        before = [visit for visit in visits if _leads(visit, stay, by)]
        ended |= {visit.ref for visit in linked or before[-1:]}
    return [visit for visit in visits if visit.ref not in ended]


def _leads(visit: Stay, stay: Stay, by: Rules) -> bool:
    """Whether a visit may have ended in an admission: it began before, and ended shortly before."""
    return visit.start <= stay.start <= (visit.end or visit.start) + by.admitted


def _order(stay: Stay) -> tuple[datetime, str]:
    return stay.start, stay.ref


def _codings(concepts: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for concept in concepts:
        for coding in concept.get("coding", ()):
            yield coding.get("system", ""), coding.get("code", "")


def _codings_of_rule(rows: Iterable[Mapping[str, str]]) -> Codings:
    return frozenset((row["system"], row["code"]) for row in rows)


def _threshold(group: str, row: Mapping[str, int]) -> Threshold:
    return Threshold(group, row["from_age"], row["emergency"], row["stays"], row["months"])
