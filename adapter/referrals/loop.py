"""Moves a referral Task along the closed loop; renders its history as CLR values for the RTF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from adapter import terms
from adapter.issues import Issue
from adapter.record import Resource
from adapter.referrals import states

_CLOSURE_SYSTEM = "https://ecm-adapter.example/fhir/CodeSystem/clr-closure-reason"
_CLOSED = "referral-loop-closed"
# DHCS CLR FAQ: the provider's word that services began closes the loop as Services Received.
_IMPLIED = {"completed": "services-received"}
_OUTPUT_SYSTEM = (
    "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
)

# What people do to a referral -> the status it gets.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "send": "requested",
        "accept": "accepted",
        "reject": "rejected",
        "start": "in-progress",
        "hold": "on-hold",
        "resume": "in-progress",
        "complete": "completed",
        "fail": "failed",
        "cancel": "cancelled",
        "retract": "entered-in-error",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something done to a referral: a verb of EVENTS and when (ISO instant with zone).

    `reason` says why in words, `closure` is a code of the CLR closure reasons, `outcome` the
    reference that tells the outcome (`Encounter/1`), `actor` is `requester` or `target`.
    """

    verb: str
    at: str
    reason: str = ""
    closure: str = ""
    outcome: str = ""
    actor: str | None = None


class Step(NamedTuple):
    """The Task after an event, and what was found; the Task is unchanged when an issue failed."""

    task: Resource
    issues: list[Issue]


class LoopStatus(NamedTuple):
    """One dated entry of the loop: CLR status, ISO date of the change, closure reason or `""`."""

    status: str
    date: str
    closure_reason: str = ""


@cache
def closure_reasons() -> Mapping[str, str]:
    """Code of a closure reason -> the words of the RTF (terminology table clr-closure-reasons)."""
    table = terms.table("clr-closure-reasons")
    targets = (table.get(code) for code in table.codes())
    return MappingProxyType({t.code: t.display for t in targets if t is not None and t.code})


def advance(task: Resource, event: Event) -> Step:
    """The Task after the event, checked against the states; the given Task is never touched.

    A reason belongs to the status it came with, so the former one goes.
    """
    status = EVENTS.get(event.verb)
    if status is None:
        text = f"no such event; there are {', '.join(EVENTS)}"
        return Step(task, [Issue("error", "transition", text, path="Task.status")])
    if event.closure and event.closure not in closure_reasons():
        text = "this closure reason is not in table clr-closure-reasons"
        return Step(task, [Issue("error", "code-unknown", text, path="Task.statusReason")])
    if task.get("status") == status:
        text = f"the referral is {status} already"
        return Step(task, [Issue("error", "transition", text, path="Task.status")])
    new = _moved(task, status, event)
    issues = states.check(task, new, event.actor)
    return Step(task if any(issue.failed for issue in issues) else new, issues)


def loop_status(history: Sequence[Resource], zone: tzinfo | None = None) -> LoopStatus | None:
    """The present CLR value of a referral from all versions of its Task, in any order.

    None when there is nothing to tell: a draft, or a referral entered in error.
    """
    entries = loop_history(history, zone)
    return entries[-1] if entries else None


def loop_history(history: Sequence[Resource], zone: tzinfo | None = None) -> list[LoopStatus]:
    """Every dated CLR entry of a referral, oldest first; dates never go back.

    A date is that of the first version with the status: Task.lastModified, else
    meta.lastUpdated, as the day it was in `zone` (default: California). On-hold keeps the last.
    """
    versions = sorted(history, key=_order)
    if not versions or versions[-1].get("status") == "entered-in-error":
        return []
    entries: list[LoopStatus] = []
    for entry in _entries(versions, zone or ZoneInfo("America/Los_Angeles")):
        last = entries[-1] if entries else None
        if last is None or (entry.status, entry.closure_reason) != (last.status, last[2]):
            entries.append(entry if last is None else entry._replace(date=max(last[1], entry[1])))
    return entries


def _moved(task: Resource, status: str, event: Event) -> Resource:
    new = {key: value for key, value in task.items() if key not in ("statusReason", "meta")}
    if "meta" in task:
        new["meta"] = task["meta"]
    new |= {"status": status, "lastModified": event.at}
    reason = _reason(event)
    if reason:
        new["statusReason"] = reason
    if event.outcome:
        kind = {"coding": [{"system": _OUTPUT_SYSTEM, "code": "resulting-activity"}]}
        output = {"type": kind, "valueReference": {"reference": event.outcome}}
        new["output"] = [*task.get("output", ()), output]
    return new


def _reason(event: Event) -> dict[str, Any]:
    display = closure_reasons().get(event.closure, "")
    text = event.reason or display
    reason: dict[str, Any] = {"text": text} if text else {}
    if event.closure:
        coding = {"system": _CLOSURE_SYSTEM, "code": event.closure, "display": display}
        reason["coding"] = [coding]
    return reason


def _entries(versions: Sequence[Resource], zone: tzinfo) -> Iterator[LoopStatus]:
    table = terms.table("clr-status-of-task")
    for task in versions:
        state = task.get("status")
        target = table.get(state) if isinstance(state, str) else None
        if target is not None and target.code:
            closure = _closure(task) if target.code == _CLOSED else ""
            yield LoopStatus(target.display, _day(task, zone), closure)


def _closure(task: Resource) -> str:
    """The closure reason in words: coded in statusReason, else businessStatus, else implied."""
    codings = [*_codings(task.get("statusReason")), *_codings(task.get("businessStatus"))]
    codes = [row.get("code") for row in codings if row.get("system") == _CLOSURE_SYSTEM]
    known = [code for code in codes if isinstance(code, str) and code in closure_reasons()]
    code = known[0] if known else _IMPLIED.get(task["status"], "")
    return closure_reasons().get(code, "")


def _codings(concept: Any) -> list[dict[str, Any]]:
    rows = concept.get("coding") if isinstance(concept, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _order(task: Resource) -> tuple[int, datetime]:
    meta = task.get("meta") if isinstance(task.get("meta"), dict) else {}
    version = str((meta or {}).get("versionId", ""))
    number = int(version) if version.isascii() and version.isdecimal() else 0
    return number, _instant(_changed(task)) or datetime.min.replace(tzinfo=UTC)


def _changed(task: Resource) -> str:
    meta = task.get("meta")
    stored = meta.get("lastUpdated") if isinstance(meta, dict) else None
    found = task.get("lastModified") or stored
    return found if isinstance(found, str) else ""


def _day(task: Resource, zone: tzinfo) -> str:
    """The day of the change in a zone; a date without time is that day; `""` when unknown."""
    text = _changed(task)
    moment = _instant(text)
    if moment is None or len(text) == len("YYYY-MM-DD"):
        return text if moment is not None else ""
    try:
        return moment.astimezone(zone).date().isoformat()
    except OverflowError:  # the first or last day of the calendar
        return ""


def _instant(text: str) -> datetime | None:
    """A FHIR instant or full date as an aware datetime (without offset: UTC), or None."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
