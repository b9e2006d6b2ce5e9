"""Days: California's, working days between state and federal holidays, and months."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from adapter import data
from adapter.errors import DataFileError

ZONE = ZoneInfo("America/Los_Angeles")
ALL_HOLIDAYS = ("state", "federal")
_SHORTEST = len("2026-01-01")


def day_of(text: str) -> date | None:
    """The Californian day of a FHIR date, dateTime or instant; None when it names no day."""
    if len(text) < _SHORTEST:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return today(moment) if moment.tzinfo else moment.date()


def today(now: datetime) -> date:
    """The day that an instant falls on in California."""
    return now.astimezone(ZONE).date()


def add_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last day (31 January: 28 February)."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def is_working(day: date, kinds: Iterable[str] = ALL_HOLIDAYS) -> bool:
    """True for Monday to Friday unless it is a holiday of one of the kinds."""
    return day.weekday() < 5 and not any(day in _kept(day.year, kind) for kind in kinds)


def add_working(day: date, count: int, kinds: Iterable[str] = ALL_HOLIDAYS) -> date:
    """The working day that many working days after a day (before it, if negative); 0 is the day."""
    step, kinds = timedelta(days=1 if count >= 0 else -1), tuple(kinds)
    for _ in range(abs(count)):
        day += step
        while not is_working(day, kinds):
            day += step
    return day


@cache
def _kept(year: int, kind: str) -> frozenset[date]:
    """The days of a year on which holidays are kept; New Year may be kept in the year before."""
    rows = _holidays()[kind]
    days = {_day(row, at) for row in rows.values() for at in _years(row, year)}
    return frozenset(day for day in days if day.year == year)


def _years(row: Mapping[str, int], year: int) -> Iterator[int]:
    first, last = row.get("from", year - 1), row.get("to", year + 1)
    return (at for at in (year, year + 1) if first <= at <= last)


def _day(row: Mapping[str, int], year: int) -> date:
    if "nth" in row:
        return _nth(year, row) + timedelta(days=row.get("plus", 0))
    day = date(year, row["month"], row["day"])
    moved = {5: row.get("saturday", 0), 6: row.get("sunday", 0)}
    return day + timedelta(days=moved.get(day.weekday(), 0))


def _nth(year: int, row: Mapping[str, int]) -> date:
    """The nth weekday of a month; the last one when the month has no such."""
    first, length = calendar.monthrange(year, row["month"])
    day = 1 + (row["weekday"] - first) % 7 + 7 * (row["nth"] - 1)
    return date(year, row["month"], day if day <= length else day - 7)


@cache
def _holidays() -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    file = data.path("mappings", "program", "holidays.toml")
    raw: dict[str, Any] = data.toml(file)
    found = {kind: rows for kind, rows in raw.items() if isinstance(rows, dict)}
    for rows in found.values():
        for name, row in rows.items():
            if not isinstance(row, dict) or not {"day", "nth"} & row.keys():
                raise DataFileError(data.name(file), name, "has neither day nor nth")
    return found
