"""The Tasks that follow from what was told of a stay: one of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter import record
from adapter.program import alert, rosters
from adapter.program.notices_case import Case
from adapter.program.notices_time import dated, start
from adapter.program.stays import Event, Work, day, died, due, rules
from adapter.record import Resource

_CLOSED = frozenset({"completed", "failed", "rejected", "entered-in-error"})
_WORK = f"{alert.BASE}/CodeSystem/transition-work"


def arrange(case: Case, told: Sequence[Event]) -> None:
    """Make the Tasks what the events that were told ask for, those of the last event each.

    For whom the stay is not of any more there is nothing to do, nor for who died in it.
    """
    over = _died(case)
    wanted = {
        work.code: event
        for event in (() if over else told)
        for work in rules().work
        if work.applies(event, start(case, event))
    }
    for work in rules().work:
        uid, old = _stored(case, work, case.person)
        if work.code in wanted:
            _ask(case, wanted[work.code], work, old or {"id": uid})
        elif old is not None:
            withdrawn = f"the {'/'.join(sorted(work.after))} was withdrawn by the hospital"
            _cancel(case, old, "the member died" if over else withdrawn)
        for other in {key[0] for key in case.told} - {case.person}:
            _, old = _stored(case, work, other)
            if old is not None:
                _cancel(case, old, "the stay is another person's")


def _died(case: Case) -> bool:
    """Whether the member died: in the stay, or as it is known of him (PID-29, PID-30)."""
    known = rosters.person(case.store, case.subject) or {}
    return record.died(known) or died(case.encounter, rules())


def _stored(case: Case, work: Work, person: str) -> tuple[str, Resource | None]:
    """The id of a person's Task of a kind, and the Task if there is one; the last if several.

    Whom a stay is of at first has the plain id; each other person an own one.
    """
    parts = (alert.BASE, case.uid, work.code)
    uid, found = _task(case, parts)
    if found is not None and case.who(found.get("for", {}).get("reference", "")) != person:
        uid, found = _task(case, (*parts, person))
    while found is not None and found["status"] in _CLOSED:
        later, after = _task(case, (alert.BASE, uid))
        if after is None:
            break
        uid, found = later, after
    return uid, found


def _task(case: Case, name: Sequence[str]) -> tuple[str, Resource | None]:
    uid = str(uuid5(NAMESPACE_URL, "\x1f".join(name)))
    stored = case.store.read("Task", uid)
    return uid, None if stored is None or stored.deleted else stored.resource


def _cancel(case: Case, old: Resource, why: str) -> None:
    """What somebody has closed stays closed."""
    if old["status"] not in (*_CLOSED, "cancelled"):
        fresh = _changed(case, old, status="cancelled", statusReason={"text": why})
        case.store.put(fresh, case.stamp)


def _ask(case: Case, event: Event, work: Work, old: Resource) -> None:
    """Put the Task, or move its due date; what somebody has closed stays closed.

    What was closed on a day before the event was not done for it, and is asked for once more.
    """
    zone, first = rules().zone, start(case, event)
    if old.get("status") in _CLOSED:
        done = day(old.get("meta", {}).get("lastUpdated", ""), zone)
        if not event.at or done is None or not done < first <= case.now.astimezone(zone).date():
            return
        old = {"id": _task(case, (alert.BASE, old["id"]))[0]}
    period = {"start": first.isoformat(), "end": due(first, work.days, zone)}
    task = old if "status" in old else _new_task(case, work, old["id"])
    if task is None:
        return
    again = task["status"] == "cancelled"
    if task is old and not (again or dated(case, event)):
        return  # that some message came moves nothing
    if again or task.get("restriction") != {"period": period}:
        kept = {k: v for k, v in task.items() if not (again and k in ("status", "statusReason"))}
        fresh = _changed(case, {"status": "requested", **kept}, restriction={"period": period})
        case.store.put(fresh, case.stamp)


def _changed(case: Case, task: Resource, **fresh: Any) -> Resource:
    return {**task, **fresh, "lastModified": case.stamp}


def _new_task(case: Case, work: Work, uid: str) -> Resource | None:
    """A Task for who leads the care; None for a person who is no longer ours."""
    found = case.member()
    if found is None:
        return None
    task: Resource = {
        "resourceType": "Task",
        "id": uid,
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": {"coding": [{"system": _WORK, "code": work.code}], "text": work.title},
        "description": work.title,
        "focus": {"reference": f"Encounter/{case.uid}"},
        "for": {"reference": f"Patient/{found.patient['id']}"},
        "authoredOn": case.stamp,
    }
    return {**task, "owner": {"reference": found.owner}} if found.owner else task
