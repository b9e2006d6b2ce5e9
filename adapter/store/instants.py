"""FHIR dates as ranges of UTC time that compare as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

Range = tuple[str, str]  # from, before; as `instant` writes them

EARLIEST, LATEST = "0000", "9999-12-31T24"  # sort before and after every instant

# A date without a zone is a day of the program, which is California's.
ZONE = ZoneInfo("America/Los_Angeles")

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)


def instant(moment: datetime) -> str:
    """UTC with microseconds and no zone mark: text of fixed width that sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26]


@lru_cache(maxsize=8192)
def span(text: str) -> Range | None:
    """The time that a FHIR date, dateTime or instant covers; None when it is none.

    `2026-03` covers the whole month, `2026-03-01T08:30` the minute.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0),
                         int(minute or 0), int(second or 0), int(f"{fraction or '':0<6.6}"),
                         _offset(zone) if zone else ZONE)  # fmt: skip
        return instant(start), _until(start, match)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _offset(zone: str) -> tzinfo | None:
    """The zone of `Z` or `-07:00`. Raises ValueError for one that cannot be."""
    return datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo


def _until(start: datetime, match: re.Match[str]) -> str:
    """Where the span ends; that of the last day there is (`9999-12-31`) after all others."""
    try:
        return instant(_end(start, match))
    except (ValueError, OverflowError):
        return LATEST


def _end(start: datetime, match: re.Match[str]) -> datetime:
    """The end of the last part given: of a year, a month, a day, a minute, a second, or less."""
    _, month, day, hour, _, second, fraction, _ = match.groups()
    if month is None:
        return start.replace(year=start.year + 1)
    if day is None:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    if hour is None:
        return start + timedelta(days=1)
    if second is None:
        return start + timedelta(minutes=1)
    return start + timedelta(microseconds=max(10 ** (6 - len(fraction)), 1) if fraction else 10**6)


def moment(text: str) -> str:
    """Where a given instant stands in time, for ordering; "" for "" or what is no time."""
    found = span(text)
    return found[0] if found else ""


def since(as_of: str) -> str:
    """A unit's `as_of` for ordering: an instant, then text that breaks ties; "" for no time."""
    first, _, rest = as_of.partition(" ")
    start = moment(first)
    return f"{start} {rest}".rstrip() if start else ""
