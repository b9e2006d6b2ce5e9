"""What happened in a stay that a care team must hear of, told by the Encounter as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from adapter import data
from adapter.record import Resource

What = Literal["admit", "discharge", "transfer"]
Site = Callable[[str], str]  # a Location's reference -> that of the site it is in
Told = Callable[[], bool]  # whether a message admitted or discharged the patient
THERE = frozenset({"arrived", "triaged", "in-progress", "onleave", "finished"})


class Event(NamedTuple):
    """Something that happened: what, when (FHIR dateTime, `""` unknown), in which kind of stay.

    `slot` tells events of one kind apart: a stay has one admission, one discharge, any number of
    transfers, each named by its time or, without one, by where it led.
    """

    what: What
    at: str
    kind: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """One task that follows from an event (mappings/program/notices.toml)."""

    code: str
    title: str
    after: frozenset[str]
    kinds: frozenset[str]
    days: int
    valid_from: date

    def applies(self, event: Event, day: date) -> bool:
        """Whether an event of that day asks for it."""
        return event.what in self.after and event.kind in self.kinds and day >= self.valid_from


@dataclass(frozen=True, slots=True)
class Rules:
    """mappings/program/notices.toml, read."""

    zone: ZoneInfo
    oldest: timedelta
    kinds: Mapping[str, str]  # Encounter.class code -> kind of stay
    none: frozenset[str]  # those of no stay
    not_stays: frozenset[str]
    died: frozenset[tuple[str, str]]  # (system, code) of a discharge disposition
    work: tuple[Work, ...]
    message: Mapping[str, Any]


@cache
def rules() -> Rules:
    """The shipped rules. Raises DataFileError when the file is wrong."""
    raw = data.toml(data.path("mappings", "program", "notices.toml"))
    classes = dict(raw["classes"])
    none = frozenset(classes.pop("none"))
    return Rules(
        ZoneInfo(raw["zone"]),
        timedelta(days=raw["oldest_days"]),
        {code: kind for kind, codes in classes.items() for code in codes},
        none,
        frozenset(row["system"] for row in raw["not_stays"]),
        frozenset((row["system"], code) for row in raw["died"] for code in row["codes"]),
        tuple(map(_work, raw["work"])),
        raw["message"],
    )


def _work(row: Mapping[str, Any]) -> Work:
    after, kinds = frozenset(row["after"]), frozenset(row["kinds"])
    return Work(row["code"], row["title"], after, kinds, row["days"], row["valid_from"])


def events(encounter: Resource, site: Site, told: Told, by: Rules) -> list[Event]:
    """Admission, transfers and discharge of a stay as it is now, in order; none when there is none.

    A transfer is one from emergency to inpatient, or to another site; a move inside a site never
    is (Da Vinci Alerts). The result depends on the stay alone, not on how it came to be.
    """
    status = encounter.get("status")
    if status not in THERE or _ours(encounter, by):
        return []
    steps = list(_steps(encounter, by))
    if not steps and _class(encounter) not in by.none and told():
        steps = [("", "unknown")]
    if not steps:
        return []
    period = encounter.get("period", {})
    found = [Event("admit", _text(period.get("start")), steps[0][1])]
    found += _became_inpatient(steps)
    found += _moved(encounter, site, by)
    if status == "finished":
        found.append(Event("discharge", _text(period.get("end")), steps[-1][1]))
    return found


def died(encounter: Resource, by: Rules) -> bool:
    """Whether the stay ended in death."""
    disposition = encounter.get("hospitalization", {}).get("dischargeDisposition", {})
    codings = disposition.get("coding", ())
    return any((coding.get("system"), coding.get("code")) in by.died for coding in codings)


def instant(text: str, zone: tzinfo) -> datetime | None:
    """A FHIR dateTime in UTC; a date is its first instant in the zone; None for anything else."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(text: str, zone: ZoneInfo) -> date | None:
    """The day that a FHIR dateTime lies on in the zone."""
    found = instant(text, zone)
    return found.astimezone(zone).date() if found else None


def due(start: date, days: int, zone: ZoneInfo) -> str:
    """The end of the day so many days later, as a FHIR dateTime of the zone."""
    end = datetime.combine(start + timedelta(days=days), time(23, 59, 59), zone)
    return end.isoformat()


def _steps(encounter: Resource, by: Rules) -> Iterator[tuple[str, str]]:
    """(since, kind) of each class that the stay has had, oldest first, the present one last."""
    past = [
        (_text(row.get("period", {}).get("start")), _text(row.get("period", {}).get("end")),
         by.kinds.get(row.get("class", {}).get("code", "")))
        for row in encounter.get("classHistory", ())
    ]  # fmt: skip
    last, ended = None, ""
    for start, end, kind in sorted(past, key=lambda row: _order(row[0], by)):
        if kind is not None and kind != last:
            yield start or ended, kind
            last = kind
        ended = end
    present = by.kinds.get(_class(encounter))
    if present is not None and present != last:
        yield ended, present


def _class(encounter: Resource) -> str:
    return _text(encounter.get("class", {}).get("code"))


def _order(text: str, by: Rules) -> datetime:
    return instant(text, by.zone) or datetime.min.replace(tzinfo=UTC)


def _became_inpatient(steps: list[tuple[str, str]]) -> Iterator[Event]:
    """From emergency to inpatient (Da Vinci Alerts, use cases), with or without observation."""
    for (_, before), (at, kind) in pairwise(step for step in steps if step[1] != "observation"):
        if (before, kind) == ("emergency", "inpatient"):
            yield Event("transfer", at, kind, at or kind)


def _moved(encounter: Resource, site: Site, by: Rules) -> Iterator[Event]:
    """Moves from one site to another; one place alone needs no look at where it is."""
    places = [row for row in encounter.get("location", ()) if row.get("status") != "reserved"]
    places.sort(key=lambda row: (row.get("status") == "active", _order(_since(row), by)))
    kind = by.kinds.get(_class(encounter), "unknown")
    refs = [_text(row.get("location", {}).get("reference")) for row in places]
    if len(set(refs)) < 2:
        return
    last = ""
    for row, ref in zip(places, refs, strict=True):
        here = site(ref)
        if last and here and here != last:
            yield Event("transfer", _since(row), kind, _since(row) or here)
        last = here or last


def _since(row: Resource) -> str:
    return _text(row.get("period", {}).get("start"))


def _ours(encounter: Resource, by: Rules) -> bool:
    """A contact of our own care team, which may take place in a hospital."""
    codings = (c for kind in encounter.get("type", ()) for c in kind.get("coding", ()))
    return any(coding.get("system") in by.not_stays for coding in codings)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
