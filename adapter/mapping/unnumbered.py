"""A stay without a visit number: by person, sender and time of admission, or by nothing."""

from __future__ import annotations

from adapter.mapping.events import Event
from adapter.mapping.finish import identity
from adapter.mapping.run import Draft, Run

# Of a stay that no other message can name nobody will ever tell the end.
_OPEN = frozenset(("planned", "arrived", "triaged", "in-progress", "onleave"))
_UNSURE = _OPEN | {"unknown"}


# What begins a stay: the care team must hear of it, whether or not anybody will tell its end.
_BEGINS = frozenset(("A01", "A04"))


def settle(run: Run, event: Event) -> None:
    """What a group's stay is known by when it has no visit number; a warning says so.

    An admission to the minute names it alone: class and ward change during a stay. A mere day does
    so with the class. Where nothing names it the stay is open to no end: its status is not known,
    unless this is its admission.
    """
    stay = run.drafts.get("Encounter")
    if stay is None or identity(stay.resource):
        return
    start = stay.resource.get("period", {}).get("start", "")
    if "T" in start:
        stay.key = ("subject", "period.start")
    elif not start and event.code not in _BEGINS:
        _unknown(stay)
    _warn(run, stay, bool(start))


def _unknown(stay: Draft) -> None:
    if stay.resource.get("status", "unknown") in _UNSURE:
        stay.resource["status"] = "unknown"
        stay.weak = tuple(dict.fromkeys((*stay.weak, "status")))


def _warn(run: Run, stay: Draft, named: bool) -> None:
    place = run.feed.visit
    if place in run.feed.never:
        return
    run.line, run.label = stay.line, place
    by = "the person and the time of admission" if named else "nothing, by no other message"
    run.issue("warning", "required", f"no visit number: the stay is known by {by}")
