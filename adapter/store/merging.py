"""Two resources become one: what was said of the loser is the survivor's, and so are its things.

The loser stays, inactive, and leads to the survivor (IHE PMIR ITI-93). Merges that cannot be right
are not carried out: of one with itself, in a circle, of two that other facts keep apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from adapter.issues import Candidate, Doubt, Issue
from adapter.outcome import Outcome
from adapter.record import Entry, Resource, piece
from adapter.store import alike, linking, lists, movements, moving, schema
from adapter.store.doubts import Judges, Unresolved
from adapter.store.fold import API, EVERYTHING, fold, merge, slots
from adapter.store.pieces import MARK
from adapter.store.registers import WEAK, Contribution, Register, Stamp
from adapter.store.resolve import Resolver, identities
from adapter.store.said import led
from adapter.store.terms import by_number, parameters, shipped
from adapter.store.work import Name, State, Work

DELETIONS = frozenset(("A23", "A29"))  # events that delete a record
MERGE = "merge "  # begins the doubt whether two are one
_OWN = "#"  # a source after this mark: what a merge itself says of the survivor
# Elements that stay with the loser: they say what it is, not what the person or stay is.
_STAY = frozenset(("active", "link", "partOf", "status", "status" + WEAK, "active" + WEAK))
_OVER = frozenset(("active", "status"))  # by which a merge ends the loser
_HISTORY = ("Provenance", "AuditEvent")  # what was true then is not written anew

_RESOURCE, _TERM = schema.resource, schema.term
_REFERRING = (
    select(_RESOURCE.c.kind, _RESOURCE.c.id)
    .join(_TERM, _TERM.c.rid == _RESOURCE.c.rid)
    .where(_TERM.c.param.in_(bindparam("params", expanding=True)))
    .where(_TERM.c.value.in_(bindparam("names", expanding=True)))
    .where(_RESOURCE.c.deleted == 0)
    .distinct()
)


class Pair(NamedTuple):
    """A merge: the type, who goes on, who does not, and the entry that tells of the latter."""

    kind: str
    survivor: str
    loser: str
    told: Entry


class Telling(NamedTuple):
    """The unit that tells of a merge: its place in time, its source, and when it came."""

    stamp: Stamp
    source: str
    now: str


def pairs(
    work: Work, outcome: Outcome, resolver: Resolver, judges: Judges, answers: Mapping[str, str]
) -> list[Pair]:
    """The merges that a unit tells. Raises Unresolved for one that may not be.

    Where a person has answered that doubt, the two are one.
    """
    entries = {entry.urn: entry for entry in outcome.entries}
    found, into = list[Pair](), dict[Name, str]()
    for survivor, loser in outcome.merges:
        about = f"{MERGE}{survivor} {loser}"
        asked = None if about in answers else judges
        try:
            pair = _pair(work, resolver, asked, entries[survivor], entries[loser])
            _no_circle(work, pair, into)
        except Unresolved as error:
            error.about = about
            raise
        found.append(pair)
    return found


def _no_circle(work: Work, pair: Pair, into: dict[Name, str]) -> None:
    """Remember who goes into whom by one unit. Raises Unresolved when one goes into himself."""
    kind, at = pair.kind, work.merged.survivor(pair.kind, pair.survivor)
    while (kind, at) in into:
        at = work.merged.survivor(kind, into[kind, at])
    if at == pair.loser != pair.survivor:
        raise _conflict(work, pair[:3], "merges that contradict each other")
    if pair.loser != pair.survivor:
        into.setdefault((kind, pair.loser), pair.survivor)


def _pair(work: Work, resolver: Resolver, judges: Judges | None, on: Entry, off: Entry) -> Pair:
    kind, _, survivor = resolver.ids[on.urn].partition("/")
    loser = resolver.ids[off.urn].partition("/")[2]
    direct = {work.owner(name) for name in identities(on)}
    if survivor == loser and survivor not in direct:
        text = "a merge into one that was merged into the other before"
        raise _conflict(work, (kind, survivor, loser), text)
    before = work.merged.survivor(kind, loser)
    if before not in (loser, survivor):
        text = "one that was merged into somebody else before"
        raise _conflict(work, (kind, survivor, before), text)
    if judges is not None and before == loser != survivor:
        _judged(work, judges, Pair(kind, survivor, loser, off), on.resource)
    return Pair(kind, survivor, loser, off)


def _judged(work: Work, judges: Judges, pair: Pair, told: Resource) -> None:
    """Ask whether two may be one: of the survivor as it is stored, and as the unit tells it."""
    on, off = (work.state(pair.kind, uid) for uid in (pair.survivor, pair.loser))
    if off is None:
        return
    known = [on] if on is not None else []
    if len(_subjects(work, (*known, off))) > 1:
        raise _conflict(work, pair[:3], "a merge of what belongs to two people")
    for survivor in (*(state.resource for state in known), told):
        doubt: Doubt | None = judges.may_merge(survivor, off.resource, False)
        if doubt is not None:
            raise Unresolved(doubt.issue, doubt.candidates)


def _subjects(work: Work, states: Iterable[State]) -> set[str]:
    return {work_on(work, state.content.get("subject")) for state in states} - {""}


def _conflict(work: Work, pair: tuple[str, str, str], text: str) -> Unresolved:
    """Why two of a type are not merged, with the people who are stored of them."""
    kind, *uids = pair
    states = [state for uid in uids if (state := work.state(kind, uid)) is not None]
    names = {state.ref for state in states} if kind == alike.KIND else _subjects(work, states)
    people = [Candidate(name.partition("/")[2], 0) for name in sorted(names)]
    return Unresolved(Issue("error", "identity-conflict", text), people)


def work_on(work: Work, reference: Any) -> str:
    """A reference led on to the survivor of a merge, `""` for none."""
    text = reference.get("reference", "") if isinstance(reference, dict) else ""
    kind, _, uid = text.partition("/")
    return f"{kind}/{work.merged.survivor(kind, uid)}" if uid else ""


def join(work: Work, pair: Pair, unit: Telling) -> list[str]:
    """Carry a merge out, after its entries were taken in. Returns what changed.

    Told again it only leads on what is told of the loser since; of two that were one from the start
    the number is old.
    """
    if work.merged.survivor(pair.kind, pair.loser) != pair.loser:
        lost, kept = (f"{pair.kind}/{uid}" for uid in (pair.loser, pair.survivor))
        return repointed(work, (lost, kept), lost, unit.now)
    on = work.state_or_new(pair.kind, pair.survivor)
    if pair.survivor == pair.loser:
        _remember(work, on, pair, unit)
        return [on.ref] if saved(work, on, unit.now) else []
    off = work.state_or_new(pair.kind, pair.loser)
    work.merged.add(pair.kind, pair.loser, pair.survivor, unit.stamp.unit)
    before = off.content
    for source, said in _given_up(off, unit):
        take_over(work, on, source, said)
    linking.forget_own(work, on)
    _remember(work, on, pair, unit)
    _leave(work, off, before, unit, pair.told)
    changed = [state.ref for state in (on, off) if saved(work, state, unit.now)]
    return changed + repointed(work, (off.ref, on.ref), off.ref, unit.now)


def gone_on(work: Work, outcome: Outcome, resolver: Resolver, unit: Telling) -> list[str]:
    """Remember whose stays were that go to another; lead on what comes late of any such stay.

    A stay is of whom the newest word tells it, and so is what belongs to it. Returns what changed.
    """
    for stay, whose in outcome.moves:
        kind, _, uid = resolver.ids[stay].partition("/")
        before = resolver.ids[whose].partition("/")[2]
        moving.keep(work, work.state_or_new(kind, uid), unit.source, before, unit.stamp)
    late = list(_late(work, resolver))
    return [ref for stay, lead in late for ref in repointed(work, lead, stay, unit.now)]


def _late(work: Work, resolver: Resolver) -> Iterator[tuple[str, tuple[str, str]]]:
    """The stays that are another's by a newer word: whose they are told of, and whose they are."""
    for person, stays in resolver.stays.items():
        told = resolver.ids.get(person, "")
        for stay in stays if told else ():
            state = work.state(*resolver.ids[stay.urn].split("/"))
            now = state.content.get("subject", {}).get("reference", "") if state else ""
            if state is not None and now not in ("", told):
                yield state.ref, (told, now)


def _given_up(off: State, unit: Telling) -> Iterator[tuple[str, Contribution]]:
    """What was said of the loser before, by source; it is the loser's no longer."""
    for source, mine in off.contributions.items():
        given = {
            name: register
            for name, register in mine.items()
            if (name == "identifier" or _OWN not in source)  # of whom it took over: the old numbers
            and not _of_record(name, register)
            and not (source == unit.source and register.stamp == unit.stamp)
        }
        if given:
            yield source, given


def _of_record(name: str, register: Register) -> bool:
    """Whether a register says what a record is (deleted: A29, A23), and stays with the loser."""
    deleted = name.startswith(movements.MARK) and (register.value or {}).get("event") in DELETIONS
    return name in _STAY or deleted


def of_survivor(work: Work, entry: Entry, state: State, said: Contribution) -> Contribution:
    """What a deletion says of whom it names; of a survivor nothing, if by a loser's number only.

    Senders delete the record that a merge left over (HL7 v2.9 chapters 3.3.23, 3.3.29).
    """
    owners = {work.owner(name) for name in identities(entry)} - {None}
    if not owners or state.id in owners:
        return said
    return {name: register for name, register in said.items() if not _of_record(name, register)}


def take_over(work: Work, on: State, source: str, said: Contribution) -> None:
    """What a source said of the loser is said of the survivor; what the API said fills gaps."""
    if source == API:
        has = slots(on.content)
        said = {n: r for n, r in said.items() if n not in has and n != EVERYTHING and r.value}
    if said:
        merge(on.contributions, source, lists.unite(on, source, said))
        work.contributed(on, source)


def _remember(work: Work, on: State, pair: Pair, unit: Telling) -> None:
    """The survivor has the loser's identifiers, as old ones, and leads to it."""
    source = f"{unit.source}{_OWN}{pair.loser}"
    said: dict[str, Any] = {"identifier": pair.told.resource.get("identifier", [])}
    if pair.kind == "Patient" and pair.loser != pair.survivor:
        other = {"reference": f"{pair.kind}/{pair.loser}"}
        said["link"] = [{"other": other, "type": "replaces"}]
    registers = {n: Register(unit.stamp, {n: value}) for n, value in said.items() if value}
    merge(on.contributions, source, registers)
    work.contributed(on, source)


def _leave(work: Work, off: State, before: dict[str, Any], unit: Telling, entry: Entry) -> None:
    """The loser keeps what the merge says of it, and shows the rest as it was.

    Its numbers are old ones and it is over, whatever was told of it since.
    """
    work.contributed(off, *off.contributions, unit.source)
    mine = off.contributions.get(unit.source, {})
    kept = {n: r for n, r in mine.items() if r.stamp == unit.stamp}
    for name in _OVER.intersection(entry.resource):
        kept.setdefault(name, Register(unit.stamp, {name: entry.resource[name]}))
    for item in entry.resource.get("identifier", ()):
        name = f"identifier{MARK}{piece('identifier', item)}"
        kept.setdefault(name, Register(unit.stamp, {"": [item]}))
    told = {name.partition(MARK)[0] for name in kept if not name.endswith(WEAK)}
    for name, value in slots(before).items():
        if name not in told and name not in ("active", "link"):
            kept[name] = Register(unit.stamp, value)
    own = {source: said for source, said in off.contributions.items() if _OWN in source}
    off.contributions.clear()
    off.contributions.update(own | {unit.source: kept})


def saved(work: Work, state: State, now: str) -> bool:
    """Fold what is said of a resource; a new version only if the result differs."""
    content = fold(state.kind, state.contributions, work.order)
    if state.version and content == state.content:
        return False
    work.save(state, content, now)
    return True


def repointed(
    work: Work, lead: tuple[str, str], near: str, now: str, everywhere: bool = False
) -> list[str]:
    """Lead references on, in everything that refers to `near`. Returns what changed.

    The two ends of `lead` themselves keep what they say of each other, and so do Patients; history
    is not written anew. `everywhere`: nothing but the two ends is left out. Nor do Tasks follow a
    stay to another person: whoever was to do something for the one has nothing to do for the other.
    """
    old, new = lead
    rows = referring(work, near, everywhere)
    work.know_states(rows)
    changed = []
    for kind, uid in rows:
        state = work.state(kind, uid)
        if state is None or state.ref in lead:
            continue
        person = old.partition("/")[0] == "Patient" and not everywhere
        if person and (kind == "Patient" or (kind == "Task" and near not in lead)):
            continue
        lead_on(work, state, old, new)
        changed += [state.ref] if saved(work, state, now) else []
    return changed


def referring(work: Work, reference: str, everywhere: bool = False) -> Sequence[Name]:
    """What refers to a resource, in order; `everywhere`: in Provenance and AuditEvent too."""
    work.flush()
    kind, _, uid = reference.partition("/")
    state, names = work.state(kind, uid), [reference]
    if state is not None:
        names.append(by_number(state.rid))
    query = _REFERRING if everywhere else _REFERRING.where(_RESOURCE.c.kind.not_in(_HISTORY))
    rows: Any = work.connection.execute(query, {"params": _naming(kind), "names": names})
    return sorted((str(kind), str(uid)) for kind, uid in rows)


@cache
def _naming(target: str) -> list[str]:
    """How index rows name the search parameters that may refer to a type, in order."""
    kinds = {row["kind"] for row in shipped() if row["kind"] != "*"}
    every = (parameter for kind in kinds for parameter in parameters(kind).values())
    return sorted({one.key for one in every if target in one.targets or "*" in one.targets})


def lead_on(work: Work, state: State, old: str, new: str) -> None:
    """Lead the references to one resource on to another in all that is said of a third."""
    for source, mine in state.contributions.items():
        for name, register in mine.items():
            value = led(register.value or {}, lambda text: new if text == old else text)
            if value is not (register.value or value):
                mine[name] = register._replace(value=value)
                work.contributed(state, source)
