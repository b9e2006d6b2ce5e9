"""HL7 v2 dates and times to FHIR, precision and offset kept (HL7 v2.9 chapter 2A, DTM)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapter.mapping.registry import converter, datatype
from adapter.mapping.run import BadValue, Run

_DTM = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(?:(\d{2})(\.\d{1,9})?)?)?)?)?"
    r"([+-](?:0\d|1[0-3])(?:[0-5]\d)?|[+-]14(?:00)?)?",
    re.ASCII,
)


@lru_cache(maxsize=65536)
def _day(year: str, month: str | None, day: str | None) -> str | None:
    """`YYYY[-MM[-DD]]`, None when no calendar has it."""
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join(part for part in (year, month, day) if part)


@lru_cache(maxsize=65536)
def _offset(zone: str, hour: str) -> str:
    """The offset of a zone at `YYYY-MM-DDTHH`; the first of a repeated hour."""
    text = datetime.fromisoformat(hour + ":00:00").replace(tzinfo=ZoneInfo(zone)).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def date_time(text: str, zone: str) -> tuple[str, bool]:
    """A DTM as FHIR dateTime, and whether the feed's zone was assumed for it.

    `YYYY`, `YYYYMM` and `YYYYMMDD` stay that precise; hours and minutes get the seconds that FHIR
    requires. Raises BadValue for any other shape, for days no calendar has, and without a zone.
    """
    match = _DTM.fullmatch(text.strip())
    if match is None:
        raise BadValue("date-format", "expected YYYYMMDD[HHMM[SS]][+ZZZZ]")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    stem = _day(year, month, day)
    if stem is None:
        raise BadValue("date-format", "no such day in the calendar")
    if hour is None:
        return stem, False
    if hour > "23" or (minute or "00") > "59" or (second or "00") > "59":
        raise BadValue("date-format", "no such time of day")
    clock = f"{stem}T{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"
    if offset is not None:
        return f"{clock}{offset[:3]}:{offset[3:] or '00'}", False
    if not zone:
        raise BadValue("date-format", "a time without offset, and the feed has no zone")
    return clock + _offset(zone, clock[:13]), True


@converter("dtm")
def dtm(run: Run, text: str) -> str:
    """DTM/TS to dateTime; a time without offset is in the feed's zone, said once a message."""
    value, assumed = date_time(text, run.feed.zone)
    if assumed and "zone" not in run.facts:
        run.facts["zone"] = run.feed.zone
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
    found = {"start": end_of_time(run, start, parts[0]), "end": end_of_time(run, end, parts[1])}
    return {name: value for name, value in found.items() if value} or None


@datatype("dr", 2)
def dr(run: Run, parts: list[str]) -> dict[str, str] | None:
    """DR to Period (v2-to-FHIR DR[Period])."""
    start, end, *_ = (*parts, "", "")
    return period(run, start, end, (1, 2))


@lru_cache(maxsize=4096)
def utc(text: str, zone: str) -> str:
    """A DTM as an instant in UTC that sorts as text, `""` when it cannot be read as one."""
    try:
        value, _ = date_time(text, zone)
        if len(value) < 11:
            value = (value + "-01-01")[:10] + "T00:00:00"
            value += _offset(zone, value[:13]) if zone else "+00:00"
        when = datetime.fromisoformat(value)
        return when.astimezone(UTC).isoformat(timespec="milliseconds")
    except (BadValue, ValueError, OverflowError):
        return ""
