"""Counts emergency visits and unplanned stays over rolling windows; says who is at a threshold."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import takewhile
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
    urgent: Codings
    facility: Codings
    short: timedelta
    admitted: timedelta
    backdated: timedelta
    thresholds: tuple[Threshold, ...]  # the highest age first

    def threshold(self, birth: date | None, on: date) -> Threshold:
        """The threshold of a person's age on a day; of an unknown age the one that is harder."""
        years = age(birth, on) if birth else self.thresholds[0].from_age
        return next((one for one in self.thresholds if years >= one.from_age), self.thresholds[-1])

    def earliest(self, on: date) -> date:
        """No stay that began before this day can count."""
        return min(months_before(on, one.months) for one in self.thresholds)


class Stay(NamedTuple):
    """One emergency visit or stay that counts, by the Encounter that tells it (`Encounter/abc`).

    `latest`    when it began at the latest: a mere day may be any minute of it
    `expected`  it was planned before it began, and nobody says how urgent it was
    """

    ref: str
    kind: Kind
    start: datetime
    latest: datetime
    end: datetime | None
    part_of: str = ""
    expected: bool = False


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
        _codings_of_rule(raw["urgent"]),
        _codings_of_rule(raw["facility"]),
        timedelta(days=raw["short"]["days"]),
        timedelta(hours=raw["admitted"]["within_hours"]),
        timedelta(minutes=raw["admitted"]["backdated_minutes"]),
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
    told = _unplanned(_distinct(stays(encounters, on, by)), by)
    visits = _not_admitted(told, by)
    first = months_before(on, threshold.months)

    def inside(stay: Stay) -> bool:
        return first < stay.start.astimezone(by.zone).date() <= on

    return Usage(
        threshold,
        tuple(stay for stay in visits if inside(stay)),
        tuple(stay for stay in told if stay.kind == "stay" and inside(stay)),
    )


def stays(encounters: Iterable[Resource], on: date, by: Rules) -> Iterator[Stay]:
    """The Encounters that took place, of a kind that counts, none whose type says it was planned.

    One that still goes on has lasted until the end of the day `on`.
    """
    asked = datetime.combine(on, time.max, by.zone).astimezone(UTC)
    for encounter in encounters:
        what = kind(encounter, by)
        if what is not None and encounter.get("status") in by.statuses:
            stay = _stay(encounter, what, asked, by)
            if stay is not None and stay.start <= asked + by.admitted:
                yield stay


def kind(encounter: Resource, by: Rules) -> Kind | None:
    """By the class it has; an emergency visit that became anything but a stay is still one."""
    found = by.kinds.get(encounter.get("class", {}).get("code", ""))
    return found or ("emergency" if _was_emergency(encounter, by) else None)


def _stay(encounter: Resource, what: Kind, asked: datetime, by: Rules) -> Stay | None:
    since = began(encounter, by)
    start, end = instant(since, by.zone), _until(_ended(encounter, by), asked, by.zone)
    if start is None:
        return None
    latest = max(start, min(_until(since, asked, by.zone) or start, end or asked))
    types = set(_codings(encounter.get("type", ()))) if what == "stay" else set()
    long = (end or asked) - start > by.short
    if types & by.planned or (long and types & by.facility):
        return None
    expected = what == "stay" and not types & by.urgent and _was_planned(encounter, by)
    part_of = encounter.get("partOf", {}).get("reference", "")
    return Stay(f"Encounter/{encounter['id']}", what, start, latest, end, part_of, expected)


def _was_emergency(encounter: Resource, by: Rules) -> bool:
    past = (row.get("class", {}).get("code", "") for row in encounter.get("classHistory", ()))
    return any(by.kinds.get(code) == "emergency" for code in past)


def began(encounter: Resource, by: Rules) -> str:
    """When it began, `""` if unknown: as told, else when a message first said that it had.

    Senders need not tell PV1-44 and PV1-45 (42 CFR 482.24(d)).
    """
    return str(encounter.get("period", {}).get("start") or _first(encounter, by))


def _first(encounter: Resource, by: Rules) -> str:
    """The first of the statuses that it had while it took place; else the end of those before."""
    ended = ""
    for row in _history(encounter, by):
        period = row.get("period", {})
        if row.get("status") in by.statuses:
            return str(period.get("start") or ended)
        ended = period.get("end", "")
    return ended


def _ended(encounter: Resource, by: Rules) -> str:
    """When it ended, `""` if unknown: as told, else when a message said that it had."""
    there = [row for row in _history(encounter, by) if row.get("status") in by.statuses]
    over = there and encounter.get("status") == "finished"
    last = there[-1].get("period", {}).get("end", "") if over else ""
    return str(encounter.get("period", {}).get("end") or last)


def _history(encounter: Resource, by: Rules) -> list[Resource]:
    """The statuses that it had, in order of time."""
    none = datetime.min.replace(tzinfo=UTC)
    return sorted(
        encounter.get("statusHistory", ()),
        key=lambda row: instant(row.get("period", {}).get("start", ""), by.zone) or none,
    )


def _was_planned(encounter: Resource, by: Rules) -> bool:
    """Whether it was planned right until it began, and not begun in an emergency room."""
    statuses = [row.get("status", "") for row in _history(encounter, by)]
    before = list(takewhile(lambda status: status not in by.statuses, statuses))
    return before[-1:] == ["planned"] and not _was_emergency(encounter, by)


def age(birth: date, on: date) -> int:
    """Completed years; who was born on 29 February has a birthday on 1 March of other years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def months_before(day: date, months: int) -> date:
    """The same day so many months before; the last of the month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _until(text: str, asked: datetime, zone: ZoneInfo) -> datetime | None:
    """The last instant of a day or time, no later than the one asked about; None if unknown."""
    found = instant(text, zone)
    if found is None or found >= asked:
        return found and asked
    return found + timedelta(days=1) if len(text) == len("YYYY-MM-DD") else found


def _distinct(found: Iterable[Stay]) -> list[Stay]:
    """One a kind and minute, in order of time; the first by reference that nobody planned."""
    kept: dict[tuple[Kind, datetime], Stay] = {}
    for stay in sorted(found, key=lambda one: (one.expected, one.ref)):
        kept.setdefault((stay.kind, stay.start.replace(second=0, microsecond=0)), stay)
    by_ref: dict[str, Stay] = {}
    for stay in sorted(kept.values(), key=_order):
        by_ref.setdefault(stay.ref, stay)
    return list(by_ref.values())


def _unplanned(told: list[Stay], by: Rules) -> list[Stay]:
    """Without the stays that were planned; a bed asked for from an emergency room is no plan."""
    visits = [stay for stay in told if stay.kind == "emergency"]
    return [stay for stay in told if not stay.expected or _before(stay, visits, by)]


def _not_admitted(told: list[Stay], by: Rules) -> list[Stay]:
    """The emergency visits that did not end in one of the admissions."""
    visits = [stay for stay in told if stay.kind == "emergency"]
    admissions = [stay for stay in told if stay.kind == "stay"]
    ended = {visit.ref for stay in admissions for visit in _before(stay, visits, by)}
    return [visit for visit in visits if visit.ref not in ended]


def _before(stay: Stay, visits: list[Stay], by: Rules) -> list[Stay]:
    """The visits that ended in an admission: those linked to it, else the last that may have."""
    linked = [visit for visit in visits if stay.ref == visit.part_of or visit.ref == stay.part_of]
    near = [visit for visit in visits if stay.start <= (visit.end or visit.start) + by.admitted]
    for latest in (stay.latest, stay.latest + by.backdated):
        linked = linked or [visit for visit in near if visit.start <= latest][-1:]
    return linked


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
