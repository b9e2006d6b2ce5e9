"""Derives what care teams must hear and do from stays that changed, each thing once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter import data
from adapter.program import alert, rosters
from adapter.program.rosters import Member, Rosters
from adapter.program.stays import Event, Rules, What, Work, day, due, events, instant, rules
from adapter.record import Resource
from adapter.settings import Recipient
from adapter.store.protocol import Letter, LetterSense, LetterState, Store, Stored

_BATCH = 25  # stays in one transaction: other writers wait no longer
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_CLOSED = frozenset({"completed", "failed", "rejected", "entered-in-error"})
_WORK = f"{alert.BASE}/CodeSystem/transition-work"
_TOLD = ("Location", "Organization", "Practitioner", "PractitionerRole")
_MOST = 60  # resources that one message takes along

Key = tuple[str, str]  # what tells the events of a stay apart


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom to tell and who we are (`name`, `npi`); remembers the plans' lists it has read."""

    sender: Mapping[str, str]
    recipients: Sequence[Recipient] = ()
    lists: Rosters = field(default_factory=Rosters)


@dataclass(frozen=True, slots=True)
class _Case:
    """One stay being looked at: where it is stored, when, and what was told of it before."""

    store: Store
    now: datetime
    desk: Desk
    encounter: Resource
    told: Mapping[Key, Sequence[Letter]]
    known: dict[str, Member | None] = field(default_factory=dict)  # looked up once

    @property
    def stamp(self) -> str:
        return stamp(self.now)

    @property
    def uid(self) -> str:
        return str(self.encounter["id"])


def derive(store: Store, now: datetime, desk: Desk) -> int:
    """Make Tasks and messages for all stays that changed; how many messages were put in.

    What is made depends on the stay as it is now and on what was told before, so messages may
    come in any order and any number of times. A stay, its Tasks and its messages are written in
    one transaction with the mark that it was looked at: no crash loses or doubles any of them.
    """
    made = 0
    while changed := store.outbox.changed(_BATCH):
        quiet = [one for one in changed if _quiet(store, now, desk, one)]  # keeps no writer waiting
        with store.batch():
            for one in changed:
                present = None if one in quiet else store.read("Encounter", _uid(one))
                if present is not None:
                    made += _looked(store, now, desk, present)
                    store.outbox.seen([present])
            store.outbox.seen(quiet)
    return made


def _quiet(store: Store, now: datetime, desk: Desk, stored: Stored) -> bool:
    """Whether a stay asks for nothing: never told of, and nothing new of a member of ours."""
    if store.outbox.of_stay(_uid(stored)):
        return False
    try:
        case = _Case(store, now, desk, _content(store, stored), {})
        happened = events(case.encounter, lambda ref: _site(store, ref), rules())
        return not any(_young(one, now, rules()) for one in happened) or _member(case) is None
    except _UNREADABLE:
        return False


def _uid(stored: Stored) -> str:
    return str(stored.resource["id"])


def stamp(moment: datetime) -> str:
    """An instant as the outbox keeps it: UTC with milliseconds, of one width."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _looked(store: Store, now: datetime, desk: Desk, stored: Stored) -> int:
    """Look at a stay; one that cannot be told is put aside where people see it.

    Else it would keep all others waiting for ever.
    """
    try:
        return _look(store, now, desk, stored)
    except _UNREADABLE as error:
        uid, at = str(stored.resource["id"]), stamp(now)
        name = str(uuid5(NAMESPACE_URL, f"{alert.BASE}/Encounter/{uid}/{stored.version}"))
        fault = type(error).__name__
        store.outbox.post(
            Letter(name, uid, "unreadable", at, 0, "new", "", "failed", made=at, fault=fault)
        )
        return 0


def _look(store: Store, now: datetime, desk: Desk, stored: Stored) -> int:
    told: dict[Key, list[Letter]] = {}
    for letter in store.outbox.of_stay(str(stored.resource["id"])):
        if letter.event != "unreadable":
            told.setdefault(_key(letter.event, letter.at), []).append(letter)
    case = _Case(store, now, desk, _content(store, stored), told)
    happened = events(case.encounter, lambda ref: _site(store, ref), rules())
    return _tell(case, happened) if told or happened else 0


def _content(store: Store, stored: Stored) -> Resource:
    """The stay; a deleted one as it was, but entered in error."""
    if not stored.deleted:
        return stored.resource
    uid = str(stored.resource["id"])
    versions = (one.resource for one in store.history("Encounter", uid) if not one.deleted)
    return {**next(versions), "status": "entered-in-error"}


def _tell(case: _Case, happened: Sequence[Event]) -> int:
    """Say what is new, what has another day, and what did not happen after all; then the work."""
    by, made = rules(), 0
    now_true = {_key(_name(event), event.at): event for event in happened}
    for key, letters in case.told.items():
        if key not in now_true and _live(letters):
            made += _withdraw(case, letters)
    known = [one for key, one in now_true.items() if _live(case.told.get(key, ()))]
    young = [one for one in happened if one not in known and _young(one, case.now, by)]
    found = _member(case) if young else None
    for event in young if found else ():
        made += _announce(case, event, found)
    for event in known:
        before = case.told[_key(_name(event), event.at)]
        if _another_day(before[-1].at, event.at, by):
            made += _correct(case, event, before)
    _arrange(case, [event for event in happened if event in known or (found and event in young)])
    return made


def _member(case: _Case) -> Member | None:
    subject = case.encounter.get("subject", {}).get("reference", "")
    if subject not in case.known:
        case.known[subject] = rosters.member(case.store, case.desk.lists, subject)
    return case.known[subject]


# --- the three things that can be said


def _announce(case: _Case, event: Event, found: Member | None) -> int:
    """An event that nobody was told of, or only until it was withdrawn."""
    to = rosters.recipient(found, case.desk.recipients) if found else None
    before = case.told.get(_key(_name(event), event.at), ())
    draft = Letter("", "", "", "", 0, "new", to.name if to else "", "waiting")
    return _post(case, event, before, draft._replace(state=_state(draft)))


def _correct(case: _Case, event: Event, before: Sequence[Letter]) -> int:
    """An event that was told with another day."""
    last = before[-1]
    sense: LetterSense = "update" if _gone_out(case, before) else "new"
    return _post(case, event, before, last._replace(sense=sense, state=_state(last)))


def _withdraw(case: _Case, before: Sequence[Letter]) -> int:
    """An event that did not happen after all: a message only if one may have gone out."""
    if not _gone_out(case, before):
        return 0
    last = before[-1]
    what, _, slot = last.event.partition(":")
    event = Event(_what(what), last.at, "", slot or (last.at if what == "transfer" else ""))
    return _post(case, event, before, last._replace(sense="withdrawal", state=_state(last)))


def _gone_out(case: _Case, before: Sequence[Letter]) -> bool:
    """Whether a recipient may know of the event; what was never tried is taken back."""
    kept = [one for one in before if not case.store.outbox.recall(one.id)]
    return any(one.attempts for one in kept)


def _state(last: Letter) -> LetterState:
    return "waiting" if last.recipient else "unaddressed"


def _post(case: _Case, event: Event, before: Sequence[Letter], draft: Letter) -> int:
    revision = before[-1].revision + 1 if before else 0
    parts = (case.uid, _name(event), event.slot, str(revision))
    uid = str(uuid5(NAMESPACE_URL, "\x1f".join((alert.BASE, *parts))))
    letter = Letter(
        uid, case.uid, _name(event), event.at, revision, draft.sense, draft.recipient, draft.state,
        due=case.stamp, made=case.stamp,
    )  # fmt: skip
    body = alert.bundle(_envelope(case, event, letter), list(_about(case)))
    return int(case.store.outbox.post(letter._replace(body=data.dumps(body).decode())))


def _envelope(case: _Case, event: Event, letter: Letter) -> alert.Envelope:
    named = (one for one in case.desk.recipients if one.name == letter.recipient)
    to = next(({"name": one.name, "url": one.url} for one in named), {})
    return alert.Envelope(
        letter.id, event.what, letter.sense, case.stamp, case.desk.sender, to, rules().message
    )


# --- work: one Task of each kind a stay


def _arrange(case: _Case, told: Sequence[Event]) -> None:
    """Make the Tasks what the events that were told ask for, those of the last event each."""
    wanted = {
        work.code: event
        for event in told
        for work in rules().work
        if work.applies(event, _start(event, case.now))
    }
    for work in rules().work:
        stored = case.store.read("Task", _task_id(case, work))
        old = stored.resource if stored is not None and not stored.deleted else None
        if old is not None and old["status"] in _CLOSED:
            continue  # what somebody has closed stays closed
        if work.code in wanted:
            _ask(case, wanted[work.code], work, old)
        elif old is not None and old["status"] != "cancelled":
            reason = {"text": f"the {'/'.join(sorted(work.after))} was withdrawn by the hospital"}
            case.store.put(_changed(case, old, status="cancelled", statusReason=reason), case.stamp)


def _ask(case: _Case, event: Event, work: Work, old: Resource | None) -> None:
    """Put the Task, or move its due date."""
    zone, start = rules().zone, _start(event, case.now)
    period = {"start": start.isoformat(), "end": due(start, work.days, zone)}
    task = old or _new_task(case, work)
    if task is None:
        return
    again = task["status"] == "cancelled"
    if old is None or again or task.get("restriction") != {"period": period}:
        kept = {k: v for k, v in task.items() if not (again and k in ("status", "statusReason"))}
        fresh = _changed(case, {"status": "requested", **kept}, restriction={"period": period})
        case.store.put(fresh, case.stamp)


def _start(event: Event, now: datetime) -> date:
    """The day from which work is counted; that of the news when the event's is unknown."""
    return day(event.at, rules().zone) or now.astimezone(rules().zone).date()


def _changed(case: _Case, task: Resource, **fresh: Any) -> Resource:
    return {**task, **fresh, "lastModified": case.stamp}


def _new_task(case: _Case, work: Work) -> Resource | None:
    """A Task for who leads the care; None for a person who is no longer ours."""
    found = _member(case)
    if found is None:
        return None
    task: Resource = {
        "resourceType": "Task",
        "id": _task_id(case, work),
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


def _task_id(case: _Case, work: Work) -> str:
    return str(uuid5(NAMESPACE_URL, "\x1f".join((alert.BASE, case.uid, work.code))))


# --- what a message takes along


def _about(case: _Case) -> Iterator[Resource]:
    """The stay, the person, the diagnoses, then who and where, each once."""
    yield case.encounter
    patient = rosters.person(case.store, case.encounter.get("subject", {}).get("reference", ""))
    first = [patient] if patient else []
    first += case.store.each("Condition", [("encounter", f"Encounter/{case.uid}")])
    yield from first
    seen: dict[str, None] = {}
    waiting = [ref for one in (case.encounter, *first) for ref in alert.references(one)]
    while waiting and len(seen) < _MOST:
        ref = waiting.pop(0)
        kind, _, uid = ref.partition("/")
        if ref in seen or kind not in _TOLD:
            continue
        seen[ref] = None
        stored = case.store.read(kind, uid)
        if stored is not None and not stored.deleted:
            yield stored.resource
            waiting += alert.references(stored.resource)


def _site(store: Store, ref: str) -> str:
    """The site that a place belongs to; `""` when it is not known to be in any."""
    for _ in range(_DEEP):
        kind, _, uid = ref.partition("/")
        stored = store.read(kind, uid) if kind == "Location" else None
        if stored is None or stored.deleted:
            return ""
        codings = stored.resource.get("physicalType", {}).get("coding", ())
        if any(coding.get("code") == "si" for coding in codings):
            return ref
        ref = stored.resource.get("partOf", {}).get("reference", "")
    return ""


_DEEP = 8  # bed, room, ward, floor, building, site


# --- what was told before


def _key(name: str, at: str) -> Key:
    """A stay has one admission and one discharge, whenever they were; transfers by their time."""
    return name, at if name == "transfer" else ""


def _name(event: Event) -> str:
    """The event as the outbox keeps it; a transfer at an unknown time is told by where it led."""
    return f"transfer:{event.slot}" if event.what == "transfer" and not event.at else event.what


def _what(text: str) -> What:
    names: tuple[What, ...] = ("admit", "discharge", "transfer")
    return next(name for name in names if name == text)


def _live(letters: Sequence[Letter]) -> Letter | None:
    """The last word on an event, unless that was to take it back."""
    last = letters[-1] if letters else None
    dead = last is None or last.sense == "withdrawal" or last.state == "withdrawn"
    return None if dead else last


def _young(event: Event, now: datetime, by: Rules) -> bool:
    at = instant(event.at, by.zone)
    return at is None or at >= now - by.oldest


def _another_day(told: str, now_true: str, by: Rules) -> bool:
    """Minutes make no difference to a care team, days do; an unknown time corrects nothing."""
    before, after = day(told, by.zone), day(now_true, by.zone)
    return after is not None and before != after
