"""Derives what care teams must hear and do from stays that changed, each thing once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from adapter import data
from adapter.program import alert, rosters
from adapter.program.notices_about import about, as_told, institution, site
from adapter.program.notices_case import Case, Desk, stamp
from adapter.program.notices_stays import stays, uid
from adapter.program.notices_time import was_told, when
from adapter.program.notices_work import arrange
from adapter.program.rosters import Member
from adapter.program.stays import Event, Rules, What, day, events, rules
from adapter.record import Resource
from adapter.store.protocol import Letter, LetterSense, LetterState, Store, Stored

__all__ = ["Desk", "derive", "stamp"]

_BATCH = 25  # stays in one transaction: other writers wait no longer
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def derive(store: Store, now: datetime, desk: Desk) -> int:
    """Make Tasks and messages for all stays that may be news; how many messages were put in.

    What is made depends on the stay as it is now and on what was told before, so messages may
    come in any order and any number of times. A stay, its Tasks and its messages are written in
    one transaction with the mark that it was looked at: no crash loses or doubles any of them.
    """
    made, since = 0, (now - rules().oldest).date()
    while changed := store.outbox.changed(_BATCH):
        found = {uid(stay): stay for one in changed for stay in stays(store, one, since)}
        loud = [name for name, stay in found.items() if not _quiet(store, now, desk, stay)]
        for start in range(0, len(loud), _BATCH):  # what is quiet keeps no writer waiting
            with store.batch():
                some = (store.read("Encounter", name) for name in loud[start : start + _BATCH])
                present = [one for one in some if one is not None]
                made += sum(_looked(store, now, desk, stay) for stay in present)
                store.outbox.seen(present)
        store.outbox.seen(changed)
    return made


def _quiet(store: Store, now: datetime, desk: Desk, stored: Stored) -> bool:
    """Whether a stay asks for nothing: never told of, and nothing new of a member of ours."""
    if store.outbox.of_stay(uid(stored)):
        return False
    try:
        case = Case(store, now, desk, _content(store, stored))
        return not any(_young(case, one) for one in _happened(case)) or case.member() is None
    except _UNREADABLE:
        return False


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
    case = Case(store, now, desk, _content(store, stored))
    for letter in store.outbox.of_stay(case.uid):
        if letter.event != "unreadable":
            case.told.setdefault(case.key_of(letter), []).append(letter)
    happened = _happened(case)
    return _tell(case, happened) if case.told or happened else 0


def _happened(case: Case) -> list[Event]:
    """What happened; a visit that goes on under another number (A06) is no discharge."""
    found = events(
        case.encounter, lambda ref: site(case.store, ref), lambda: was_told(case), rules()
    )
    open_end = [one for one in found if one.what == "discharge" and not one.at]
    return [one for one in found if one not in open_end] if open_end and _goes_on(case) else found


def _goes_on(case: Case) -> bool:
    """Whether a visit is part of another that is a stay too."""
    kind, _, uid = case.encounter.get("partOf", {}).get("reference", "").partition("/")
    whole = case.store.read("Encounter", uid) if kind == "Encounter" else None
    return whole is not None and whole.resource.get("class", {}).get("code") in rules().kinds


def _content(store: Store, stored: Stored) -> Resource:
    """The stay; a deleted one as it was, but entered in error."""
    if not stored.deleted:
        return stored.resource
    uid = str(stored.resource["id"])
    versions = (one.resource for one in store.history("Encounter", uid) if not one.deleted)
    return {**next(versions), "status": "entered-in-error"}


def _tell(case: Case, happened: Sequence[Event]) -> int:
    """Say what is new, what has another day, and what did not happen after all; then the work.

    What was told of somebody else than the stay is of now did not happen to him.
    """
    by, made = rules(), 0
    now_true = {case.key(event): event for event in happened}
    for key, letters in case.told.items():
        if key not in now_true and _live(letters):
            made += _withdraw(case if key[0] == case.person else as_told(case, key[0]), letters)
    known = [one for key, one in now_true.items() if _live(case.told.get(key, ()))]
    young = [one for one in happened if one not in known and _young(case, one)]
    found = case.member() if young else None
    for event in young if found else ():
        made += _announce(case, event, found)
    for event in known:
        before = case.told[case.key(event)]
        if _another_day(before[-1].at, event.at, by):
            made += _correct(case, event, before)
    arrange(case, [event for event in happened if event in known or (found and event in young)])
    return made


# --- the three things that can be said


def _announce(case: Case, event: Event, found: Member | None) -> int:
    """An event that nobody was told of, or only until it was withdrawn."""
    to = rosters.recipient(found, case.desk.recipients) if found else None
    before = case.told.get(case.key(event), ())
    for one in before:
        if one.state != "waiting":
            case.store.outbox.recall(one.id)  # that it did not happen need not be said any more
    draft = Letter("", "", "", "", 0, "new", to.name if to else "", "waiting")
    return _post(case, event, before, draft._replace(state=_state(draft)))


def _correct(case: Case, event: Event, before: Sequence[Letter]) -> int:
    """An event that was told with another day; nothing to who has no part in the care any more."""
    last = before[-1]
    if not _in_charge(case, last):
        return 0
    sense: LetterSense = "update" if _gone_out(case, before) else "new"
    return _post(case, event, before, last._replace(sense=sense, state=_state(last)))


def _withdraw(case: Case, before: Sequence[Letter]) -> int:
    """An event that did not happen after all: a message only if one may have gone out."""
    if not _gone_out(case, before):
        return 0
    last = before[-1]
    what, _, slot = last.event.partition("@")[0].partition(":")
    event = Event(_what(what), last.at, "", slot or (last.at if what == "transfer" else ""))
    return _post(case, event, before, last._replace(sense="withdrawal", state=_state(last)))


def _gone_out(case: Case, before: Sequence[Letter]) -> bool:
    """Whether a recipient may know of the event; what has not arrived is taken back."""
    kept = [one for one in before if not case.store.outbox.recall(one.id)]
    return any(one.attempts or one.state == "waiting" for one in kept)


def _in_charge(case: Case, last: Letter) -> bool:
    """Whether a message about the member still goes to whom this one went to."""
    named = [one for one in case.desk.recipients if one.name == last.recipient]
    found = case.member() if named else None
    return not named or (found is not None and rosters.recipient(found, named) is not None)


def _state(last: Letter) -> LetterState:
    return "waiting" if last.recipient else "unaddressed"


def _post(case: Case, event: Event, before: Sequence[Letter], draft: Letter) -> int:
    revision, name = before[-1].revision + 1 if before else 0, case.name(event)
    parts = (case.uid, name, event.slot, str(revision))
    uid = str(uuid5(NAMESPACE_URL, "\x1f".join((alert.BASE, *parts))))
    letter = Letter(
        uid, case.uid, name, event.at, revision, draft.sense, draft.recipient, draft.state,
        due=case.stamp, made=case.stamp,
    )  # fmt: skip
    envelope = _envelope(case, event, letter)
    body = alert.bundle(envelope, list(about(case, envelope.from_whom)))
    return int(case.store.outbox.post(letter._replace(body=data.dumps(body).decode())))


def _envelope(case: Case, event: Event, letter: Letter) -> alert.Envelope:
    named = (one for one in case.desk.recipients if one.name == letter.recipient)
    to = next(({"name": one.name, "url": one.url} for one in named), {})
    return alert.Envelope(
        letter.id, event.what, letter.sense, case.stamp, case.desk.sender, to, institution(case),
        rules().message,
    )  # fmt: skip


# --- what was told before


def _what(text: str) -> What:
    names: tuple[What, ...] = ("admit", "discharge", "transfer")
    return next(name for name in names if name == text)


def _live(letters: Sequence[Letter]) -> Letter | None:
    """The last word on an event, unless that was to take it back."""
    last = letters[-1] if letters else None
    dead = last is None or last.sense == "withdrawal" or last.state == "withdrawn"
    return None if dead else last


def _young(case: Case, event: Event) -> bool:
    """Whether an event is news; one of which nobody knows when it was is none."""
    at = when(case, event)
    return at is not None and at >= case.now - rules().oldest


def _another_day(told: str, now_true: str, by: Rules) -> bool:
    """Minutes make no difference to a care team, days do; an unknown time corrects nothing."""
    before, after = day(told, by.zone), day(now_true, by.zone)
    return after is not None and before != after
