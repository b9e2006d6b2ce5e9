"""Committing units: the ledger, who is meant, what each source says, and the next versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from adapter import data
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.record import Entry, Origin, Resource
from adapter.store import pieces
from adapter.store.fold import WEAK, Contribution, Register, Stamp, fold, merge, slot, slots
from adapter.store.instants import moment, since
from adapter.store.protocol import Receipt, Status
from adapter.store.resolve import (
    Resolver,
    SamePerson,
    Unresolved,
    condition,
    conditions,
    identities,
)
from adapter.store.terms import clip
from adapter.store.work import Entered, Mark, Name, State, Work

_TIE = 12  # hex digits of the hash that decide between two units of one instant


class Arrival(NamedTuple):
    """A unit as it came in: its outcome, its bytes, when, and what makes it the same again."""

    outcome: Outcome
    raw: bytes
    now: str
    mark: Mark

    @property
    def stamp(self) -> Stamp:
        """When it was true, without its ledger number; if it does not say, when it came."""
        return Stamp(since(self.outcome.unit.as_of) or moment(self.now), self.mark[0][:_TIE])


def arrival(outcome: Outcome, raw: bytes, now: str) -> Arrival:
    """A unit with its mark: hash of its bytes, source and key; its place if it has neither."""
    unit = outcome.unit
    key = unit.key or ("" if raw else str(unit.at))
    return Arrival(outcome, raw, now, (sha256(raw).hexdigest(), clip(unit.source), clip(key)))


def commit_all(
    work: Work, arrivals: Sequence[Arrival], namespace: UUID, rule: SamePerson
) -> list[Receipt]:
    """Commit units one after the other, after looking up what all of them need at once."""
    work.know_ledger(one.mark[0] for one in arrivals)
    work.know_keys(one.mark[1:] for one in arrivals if one.outcome.unit.once)
    fresh = [one.outcome for one in arrivals if one.outcome.ok and not _stored(work, one)]
    _look_up(work, [entry for outcome in fresh for entry in outcome.entries])
    work.know_states(name for outcome in fresh for name in _likely(work, outcome, namespace))
    return [commit(work, one, namespace, rule) for one in arrivals]


def commit(work: Work, one: Arrival, namespace: UUID, rule: SamePerson) -> Receipt:
    """Take a unit whole, or write to the ledger why not."""
    if _stored(work, one):
        entered = work.entered(one.mark)
        return Receipt("duplicate", entered.unit if entered else 0)
    if not one.outcome.ok:
        return Receipt("refused", _enter(work, one, "refused", one.outcome.issues))
    if one.outcome.unit.once and work.taken_before(one.mark):
        text = "the sender's number for this message came before with other content"
        return _not_taken(work, one, Issue("error", "key-reused", text))
    try:
        resolver = Resolver(work, one.outcome.entries, namespace, rule)
        real = [resolver.real(entry.resource) for entry in one.outcome.entries]
    except Unresolved as error:
        return _not_taken(work, one, error.issue)
    number = _enter(work, one, "stored", one.outcome.issues)
    changed = _take(work, one, number, resolver, real)
    return Receipt("stored", number, dict(resolver.ids), tuple(changed))


def _look_up(work: Work, entries: Sequence[Entry]) -> None:
    wanted = {name for entry in entries for name in identities(entry)}
    rosters = (entry.resource for entry in entries if entry.resource["resourceType"] == "Group")
    wanted.update(condition(ref) for roster in rosters for ref in conditions(roster))
    work.know_owners(wanted)


def _likely(work: Work, outcome: Outcome, namespace: UUID) -> list[Name]:
    """The resources that a unit will probably touch, so far as the lookups tell."""
    return Resolver(work, outcome.entries, namespace, None).names()


def _stored(work: Work, one: Arrival) -> bool:
    entered = work.entered(one.mark)
    return entered is not None and entered.status == "stored"


def _not_taken(work: Work, one: Arrival, issue: Issue) -> Receipt:
    """A unit that a person must look at, or that refers to nothing."""
    found = issue if issue.at is not None else replace(issue, at=one.outcome.unit.at)
    status: Status = "refused" if found.detail == "reference" else "review"
    number = _enter(work, one, status, [*one.outcome.issues, found])
    return Receipt(status, number, issues=(found,))


def _enter(work: Work, one: Arrival, status: Status, issues: Iterable[Issue]) -> int:
    """Write the ledger's line; a unit refused before keeps its number."""
    text = data.dumps([issue.outcome_issue() for issue in issues]).decode()
    before, unit = work.entered(one.mark), one.outcome.unit
    line = Entered(before.unit if before else work.number_of_unit(), status, text)
    if line != before:
        about = (unit.kind, clip(unit.at.source), unit.at.line, clip(unit.as_of), one.now)
        work.enter(one.mark, line, about, one.raw)
    return line.unit


def _take(
    work: Work, one: Arrival, number: int, resolver: Resolver, real: Sequence[Resource]
) -> list[str]:
    """Fold every entry in. Returns the references whose version went up."""
    stamp, source = one.stamp._replace(unit=number), one.mark[1]
    changed: dict[str, None] = {}
    for entry, resource in zip(one.outcome.entries, real, strict=True):
        kind, _, uid = resolver.ids[entry.urn].partition("/")
        state = work.state_or_new(kind, uid)
        if _fold_in(work, state, source, _said(entry, resource, stamp), one.now):
            changed[state.ref] = None
        for identity in identities(entry):
            if work.owner(identity) is None:
                work.register(identity, uid)
    return list(changed)


def _fold_in(work: Work, state: State, source: str, said: Contribution, now: str) -> bool:
    """Take in what a source says of a resource; a new version only if the result differs."""
    if not merge(state.contributions, source, said) and state.version:
        return False
    work.contributed(state, source)
    content = fold(state.kind, state.contributions, work.order)
    if state.version and content == state.content:
        return False
    work.save(state, content, now)
    return True


def _said(entry: Entry, resource: Resource, stamp: Stamp) -> Contribution:
    """What an entry says, by slot: values, weak values, and what it clears."""
    weak = {slot(name) for name in entry.weak}
    origins: dict[str, list[Origin]] = {}
    for origin in entry.origins:
        origins.setdefault(_top(origin.element), []).append(origin)
    said = {slot(name): Register(stamp, None) for name in entry.cleared}
    for name, value in slots(resource).items():
        found = pieces.cut(name, value[name], entry.parts[name]) if name in entry.parts else None
        for register, part in (found or {}).items():
            said[register] = Register(stamp, {"": part}, _told(origins, name, register))
        if found is None:
            key = name + WEAK if name in weak else name
            said[key] = Register(stamp, value, _told(origins, name, name))
    return said


def _told(origins: dict[str, list[Origin]], name: str, register: str) -> tuple[Origin, ...]:
    """The places that a register came from, as places of its element."""
    rows = origins.get(name, ())
    if register == name:
        mine = rows
    else:
        piece = register.partition("#")[0]
        mine = [row for row in rows if row.element in (piece, name)]
    return tuple([_bare(row) for row in mine])


def _bare(row: Origin) -> Origin:
    """The place as one of the element, without the name of its piece."""
    element, mark, _ = row.element.partition(pieces.MARK)
    return row._replace(element=element) if mark else row


@lru_cache(maxsize=4096)
def _top(element: str) -> str:
    """The slot of an element path: `name` of `name[0].family`."""
    return slot(element.partition(".")[0].partition("[")[0].partition(pieces.MARK)[0])
