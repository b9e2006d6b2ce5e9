"""Where a patient is in the course of a stay: Encounter.location as a fold of movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Json = dict[str, Any]

# The field of a place (HL7 v2 PV1, PV2) -> its part; of any other field by the place's status.
_FIELDS = {
    "PV1-3": "assigned", "PV1-6": "prior", "PV1-11": "temporary", "PV1-42": "pending",
    "PV2-1": "planned",
}  # fmt: skip
_STATUSES = {"completed": "prior", "reserved": "pending", "planned": "planned"}
_OPEN = ("assigned", "temporary", "pending", "planned")
_ONLY_PLANNED = ("pending", "planned")


class Places(NamedTuple):
    """Places left behind, in their order, and those of the moment by part; never changed."""

    past: tuple[Json, ...] = ()
    now: Mapping[str, Json] = {}

    @property
    def elements(self) -> list[Json]:
        """As Encounter.location: left ones, where the patient is, what is planned."""
        return [*self.past, *(self.now[part] for part in _OPEN if part in self.now)]


def told(says: Json, fields: Sequence[str]) -> dict[str, Json]:
    """The places that a message tells, by part."""
    found: dict[str, Json] = {}
    for number, item in enumerate(says.get("location", ())):
        field = fields[number] if number < len(fields) else ""
        part = _FIELDS.get(field) or _STATUSES.get(item.get("status", ""), "assigned")
        found[part] = item
    return found


def moved(places: Places, said: Mapping[str, Json], at: str, planned: bool) -> Places:
    """The places after a message: a place that differs from the one before closes it.

    Leaving and arriving without a time of their own (location.period) happen `at` the message's.
    `planned` when the stay itself has not begun.
    """
    if "prior" in said:
        places = _came_from(places, said["prior"], at)
    here, before = said.get("assigned"), places.now.get("assigned")
    if here is not None and (before is None or not _same(before, here)):
        places = _opened(left(places, "assigned", at), "assigned", here, at, planned)
    elif before is not None and before["status"] == "planned" and not planned:
        places = _opened(places, "assigned", before, at, planned)
    for part in ("temporary", *_ONLY_PLANNED):
        if part in said and not _same(places.now.get(part), said[part]):
            places = _opened(left(places, part, at), part, said[part], at, planned)
    return places


def taken_back(was: Places, after: Places, now: Places, plans: bool) -> Places:
    """The places without what an event did to them; what others did since then stays.

    `was`, `after`: before and after the event; `plans`: it only told of places that are planned.
    """
    if "assigned" in after.now and "assigned" not in now.now:
        return now if plans else was  # the stay is over
    mine = _ONLY_PLANNED if plans else _OPEN
    undone = [part for part in mine if now.now.get(part) == after.now.get(part)]
    back = {part: item for part, item in now.now.items() if part not in undone}
    back |= {part: was.now[part] for part in undone if part in was.now}
    if plans or now.past[: len(after.past)] != after.past:
        return Places(now.past, back)
    never = [
        after.now[part] for part in mine if after.now.get(part) not in (None, was.now.get(part))
    ]
    since = [one for one in now.past[len(after.past) :] if not any(_was(one, n) for n in never)]
    before = was.past if "assigned" in undone else after.past
    return Places((*before, *since), back)


def _was(one: Json, place: Json) -> bool:
    """Whether a place left is this one."""
    start = place.get("period", {}).get("start")
    return _same(one, place) and one.get("period", {}).get("start") == start


def closed(places: Places, end: str, at: str) -> Places:
    """The places of a stay that is over: every one was left, what was planned is off.

    They were left at the stay's end, those reached after it when that was told.
    """
    for part in _OPEN:
        start = places.now.get(part, {}).get("period", {}).get("start", "")
        places = left(places, part, end if in_order(start, end) else at)
    return places


def mended(places: Places, before: str, end: str) -> Places:
    """The places, those left at the stay's end as it was told before left at its end as it is."""
    if not before or before == end:
        return places
    past = [
        {**one, "period": ended(one["period"], end)}
        if one.get("period", {}).get("end") == before
        else one
        for one in places.past
    ]
    return Places(tuple(past), places.now)


def ended(period: Json, end: str) -> Json:
    """A period with its end, unless that would be before its start."""
    return {**period, "end": end} if end and in_order(period.get("start", ""), end) else period


def in_order(start: str, end: str) -> bool:
    """Whether a FHIR dateTime is not after another; by day where one has no time of day."""
    if not start or not end:
        return True
    if "T" not in start or "T" not in end:
        shorter = min(len(start), len(end), 10)
        return start[:shorter] <= end[:shorter]
    return datetime.fromisoformat(start) <= datetime.fromisoformat(end)


def without(places: Places, *parts: str) -> Places:
    """The places without those of some parts: they were planned and are off."""
    return Places(places.past, {p: item for p, item in places.now.items() if p not in parts})


def left(places: Places, part: str, at: str) -> Places:
    """The places without the one of a part; it stays as a place left, if the patient was there."""
    item = places.now.get(part)
    if item is None:
        return places
    rest = without(places, part)
    if item["status"] != "active":
        return rest
    period = ended(item.get("period", {}), at)
    place = {**item, "status": "completed", **({"period": period} if period else {})}
    return Places((*rest.past, place), rest.now)


def _came_from(places: Places, prior: Json, at: str) -> Places:
    """The place before this one, when no message told of it: it was left by now."""
    here = places.now.get("assigned")
    if here is not None and _same(here, prior):
        return places
    if any(_same(one, prior) for one in places.past):
        return places
    place = {"status": "completed", **{k: prior[k] for k in prior if k != "status"}}
    end = prior.get("period", {}).get("end") or (at if here is None else "")
    if end:
        place["period"] = {**place.get("period", {}), "end": end}
    return Places((*places.past, place), places.now)


def _opened(places: Places, part: str, item: Json, at: str, planned: bool) -> Places:
    if part in _ONLY_PLANNED:
        opened = item
    elif planned:
        opened = {**{k: v for k, v in item.items() if k != "period"}, "status": "planned"}
    else:
        start = item.get("period", {}).get("start") or at
        opened = {**item, "status": "active", **({"period": {"start": start}} if start else {})}
    return Places(places.past, {**places.now, part: opened})


def _same(one: Json | None, other: Json) -> bool:
    return one is not None and one.get("location") == other.get("location")
