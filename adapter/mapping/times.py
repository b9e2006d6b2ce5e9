"""HL7 v2 dates and times to FHIR, precision and offset kept (HL7 v2.9 chapter 2A, DTM)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from adapter.mapping.registry import converter, datatype
from adapter.mapping.run import BadValue, Run

_DTM = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(?:(\d{2})(\.\d{1,9})?)?)?)?)?"
    r"([+-](?:0\d|1[0-3])(?:[0-5]\d)?|[+-]14(?:00)?)?",
    re.ASCII,
)


_HOUR = 10  # digits of a time that has one


@lru_cache(maxsize=65536)
def _day(year: str, month: str | None, day: str | None) -> str | None:
    """`YYYY[-MM[-DD]]`, None when no calendar has it."""
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join(part for part in (year, month, day) if part)


# How a time without offset was read: it has one; in the feed's zone; there in an hour that the
# clocks showed twice, as the first; in one that they left out, moved on as they were.
Reading = Literal["", "zone", "twice", "skipped"]


@lru_cache(maxsize=65536)
def _offset(zone: str, hour: str) -> str:
    """The offset of a zone at `YYYY-MM-DDTHH`, `""` when the clocks change in this hour."""
    first = datetime.fromisoformat(hour + ":00:00").replace(tzinfo=ZoneInfo(zone))
    ends = (first, first.replace(minute=59, second=59))
    found = {one.replace(fold=fold).utcoffset() for one in ends for fold in (0, 1)}
    return _written(first) if len(found) == 1 else ""


def _written(when: datetime) -> str:
    text = when.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


@lru_cache(maxsize=4096)
def _changing(zone: str, second: str) -> tuple[str, Reading]:
    """A local time at which the clocks may change, with its offset."""
    first = datetime.fromisoformat(second).replace(tzinfo=ZoneInfo(zone))
    later = first.replace(fold=1)
    before, after = first.utcoffset() or timedelta(), later.utcoffset() or timedelta()
    if before < after:  # left out: as far after the change as it would be without
        moved = first.replace(tzinfo=None) + (after - before)
        return moved.isoformat() + _written(later), "skipped"
    return second + _written(first), "twice" if before > after else "zone"


@lru_cache(maxsize=256)
def date_time(text: str, zone: str) -> tuple[str, Reading]:
    """A DTM as FHIR dateTime, and whether and how the feed's zone was assumed for it.

    `YYYY`, `YYYYMM` and `YYYYMMDD` stay that precise; hours and minutes get the seconds that FHIR
    requires; an offset that is told wins. Raises BadValue for any other shape, for days no
    calendar has, and without a zone.
    """
    match = _DTM.fullmatch(text.strip())
    if match is None:
        raise BadValue("date-format", "expected YYYYMMDD[HHMM[SS]][+ZZZZ]")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    stem = _day(year, month, day)
    if stem is None:
        raise BadValue("date-format", "no such day in the calendar")
    if hour is None:
        return stem, ""
    if hour > "23" or (minute or "00") > "59" or (second or "00") > "59":
        raise BadValue("date-format", "no such time of day")
    clock = f"{stem}T{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"
    if offset is not None:
        return f"{clock}{offset[:3]}:{offset[3:] or '00'}", ""
    if not zone:
        raise BadValue("date-format", "a time without offset, and the feed has no zone")
    known = _offset(zone, clock[:13])
    if known:
        return clock + known, "zone"
    found, how = _changing(zone, clock[:19])
    return found[:19] + (fraction or "") + found[19:], how


@converter("dtm")
def dtm(run: Run, text: str) -> str:
    """DTM/TS to dateTime; a time without offset is in the feed's zone, said once a message."""
    value, assumed = date_time(text, run.feed.zone)
    if assumed == "twice":
        run.issue("information", "zone-assumed", "the clocks showed this time twice: the first")
    elif assumed == "skipped":
        run.issue("warning", "zone-assumed", "the clocks left this time out: moved on with them")
    if assumed:
        run.issue_once("zone-assumed", "zone", "times without offset are read in the feed's zone")
    return value


@converter("date")
def day(run: Run, text: str) -> str:
    """The date part of a DTM, never shifted by a zone: `YYYY[-MM[-DD]]`."""
    match = _DTM.fullmatch(text.strip())
    stem = _day(*match.groups()[:3]) if match else None
    if stem is None:
        raise BadValue("date-format", "expected YYYYMMDD")
    return stem


@converter("time_of_birth")
def time_of_birth(run: Run, text: str) -> str | None:
    """A birth date's time for the patient-birthTime extension; None when there is no time."""
    if len(text) < _HOUR:
        return None
    match = _DTM.fullmatch(text.strip())
    return dtm(run, text) if match and match[4] else None


@converter("instant")
def instant(run: Run, text: str) -> str:
    """A DTM as FHIR instant. Raises BadValue when it has no time of day."""
    value = dtm(run, text)
    if len(value) < 11:
        raise BadValue("date-format", "a time of day is needed here")
    return value


def end_of_time(run: Run, text: str, part: int = 0) -> str | None:
    """A date beside a value that is worth more than it: unreadable, it is reported and left out."""
    try:
        return dtm(run, text) if text else None
    except BadValue as bad:
        run.issue("warning", bad.detail, bad.text, part)
        return None


def period(run: Run, start: str, end: str, parts: tuple[int, int]) -> dict[str, str] | None:
    """A Period of two DTMs that stand at components `parts`; None when neither can be read."""
    if not start and not end:
        return None
    found = {"start": end_of_time(run, start, parts[0]), "end": end_of_time(run, end, parts[1])}
    return {name: value for name, value in found.items() if value} or None


@datatype("dr", 2)
def dr(run: Run, parts: list[str]) -> dict[str, str] | None:
    """DR to Period (v2-to-FHIR DR[Period])."""
    start, end, *_ = (*parts, "", "")
    return period(run, start, end, (1, 2))


def _local(zone: str, second: str) -> str:
    known = _offset(zone, second[:13])
    return second + known if known else _changing(zone, second)[0]


_SECOND = 25  # letters of a time to the second with its offset


@lru_cache(maxsize=4096)
def _utc_hour(text: str) -> str:
    """The hour in UTC, `YYYY-MM-DDTHH`, of an hour with an offset of whole hours."""
    when = datetime.fromisoformat(f"{text[:13]}:00:00{text[13:]}")
    return when.astimezone(UTC).isoformat()[:13]


@lru_cache(maxsize=4096)
def utc(text: str, zone: str) -> str:
    """A DTM as an instant in UTC that sorts as text, `""` when it cannot be read as one."""
    try:
        value, _ = date_time(text, zone)
        if len(value) < 11:
            value = (value + "-01-01")[:10] + "T00:00:00"
            value = _local(zone, value) if zone else value + "+00:00"
        if len(value) == _SECOND and value[-3:] == ":00":  # no fraction, an offset of whole hours
            return f"{_utc_hour(value[:13] + value[19:])}{value[13:19]}.000+00:00"
        when = datetime.fromisoformat(value)
        found = when.astimezone(UTC).isoformat(timespec="microseconds")
        return found.replace("000+", "+")  # milliseconds, and what is finer if it is told
    except (BadValue, ValueError, OverflowError):
        return ""
