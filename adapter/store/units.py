"""Committing units: the ledger, who is meant, what each source says, and the next versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from adapter import data
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.record import Entry, piece
from adapter.store import alike, held, joining, linking, lists, merging, movements, pieces, renaming
from adapter.store.arrivals import Arrival
from adapter.store.asked import Asked
from adapter.store.doubts import Judges, Unresolved
from adapter.store.fold import fold, merge, repeats
from adapter.store.ledger import Entered
from adapter.store.protocol import Receipt, Status
from adapter.store.registers import Contribution, Register, Stamp
from adapter.store.resolve import Resolver, condition, conditions, identities
from adapter.store.said import RECORD, Told, told, told_by
from adapter.store.terms import clip
from adapter.store.work import Identity, Name, State, Work

Answers = Mapping[str, str]  # a person's, by doubt (Unresolved.about)
NO_ANSWERS: Answers = {}

_HEARD = frozenset(("adt", "message"))  # what hospitals and exchanges say of members
_MOVES = frozenset(("A43", "A44", "A45"))  # events that give stays to another person


def commit_all(
    work: Work, arrivals: Sequence[Arrival], namespace: UUID, judges: Judges
) -> list[Receipt]:
    """Commit units one after the other, after looking up what all of them need at once."""
    work.ledger.know_keys(one.mark[1:] for one in arrivals if one.outcome.unit.once)
    work.ledger.know_marks(one.mark for one in arrivals)
    for one in arrivals:
        work.ledger.line(one.mark)
    fresh = [one for one in arrivals if one.outcome.ok and not _ended(work, one)]
    _look_up(work, [entry for one in fresh for entry in one.outcome.entries])
    work.know_states(name for one in fresh for name in _likely(work, one, namespace))
    return [_waiting(work, one) or commit(work, one, namespace, judges) for one in arrivals]


def _waiting(work: Work, one: Arrival) -> Receipt | None:
    """What was told of a message that came before and waits: to send it again changes nothing."""
    entered = work.ledger.entered(one.mark) if one.outcome.event else None
    if entered is None or entered.status != "review":
        return None
    return Receipt("review", entered.unit, issues=(entered.doubt(one.outcome.unit.at),))


def commit(
    work: Work, one: Arrival, namespace: UUID, judges: Judges, answers: Answers = NO_ANSWERS
) -> Receipt:
    """Take a unit whole, or write to the ledger why not; `answers` are a person's (resolve.py)."""
    if _ended(work, one):
        entered = work.ledger.entered(one.mark)
        return Receipt("duplicate", entered.unit if entered else 0)
    if not one.outcome.ok:
        return Receipt("refused", _enter(work, one, "refused", one.outcome.issues))
    if one.outcome.unit.once and work.ledger.taken_before(one.mark):
        text = "the sender's number for this message came before with other content"
        return _not_taken(work, one, Unresolved(Issue("error", "key-reused", text)))
    try:
        meant = judged(work, one, namespace, judges, answers)
    except Unresolved as error:
        return _not_taken(work, one, error, answers)
    number = _enter(work, one, "stored", one.outcome.issues)
    ids = meant.resolver.ids
    work.memory.hint(ids)
    work.news.clear()
    changed = tuple(dict.fromkeys(_carried_out(work, one, meant, number)))
    if meant.moves_on or linking.links(one.outcome):
        work.learn(ids.values(), linking.links(one.outcome))
    news = tuple(dict.fromkeys(work.news))
    return Receipt("stored", number, dict(ids), changed, news=news)


class Meant(NamedTuple):
    """Who and what a unit is about: ids, people to unlink and to merge, what each entry says.

    `moves_on`  it makes one of two, or gives numbers or stays to another
    """

    resolver: Resolver
    couples: list[linking.Couple]
    pairs: list[merging.Pair]
    real: list[Told]
    moves_on: bool


def judged(work: Work, one: Arrival, namespace: UUID, judges: Judges, answers: Answers) -> Meant:
    """Judge a unit; nothing is written. Raises Unresolved where it is not sure."""
    wishes = asked(one, work.ledger.line(one.mark), answers)
    entries, event = one.outcome.entries, one.outcome.event
    resolver = Resolver(work, entries, namespace, judges, wishes)
    couples = _couples(work, one, resolver, answers)
    pairs = merging.pairs(work, one.outcome, resolver, judges, answers)
    real = [told(resolver.undisputed(entry), event, resolver.target) for entry in entries]
    return Meant(resolver, couples, pairs, real, wishes.moves_on)


def _carried_out(work: Work, one: Arrival, meant: Meant, number: int) -> list[str]:
    """Let a unit be true. Returns the references whose version went up, some more than once."""
    resolver, stamp = meant.resolver, one.stamp._replace(unit=number)
    telling = merging.Telling(stamp, one.mark[1], one.now)
    changed = _take(work, one, stamp, resolver, meant.real)
    changed += merging.gone_on(work, one.outcome, resolver, telling)
    for same in resolver.joins:
        changed += joining.join(work, same, number, one.now)
    for couple in meant.couples:
        changed += _unlinked(work, one, couple, stamp)
    for pair in meant.pairs:
        changed += joining.merged(work, pair, telling)
    return changed


def _couples(
    work: Work, one: Arrival, resolver: Resolver, answers: Answers
) -> list[linking.Couple]:
    """Who is unlinked from whom. Raises Unresolved for what a person must decide first."""
    found = linking.couples(one.outcome, resolver)
    if linking.OWNED not in answers:
        linking.owned(work, found, one.mark[1], one.stamp)
    return found


def asked(one: Arrival, line: int, answers: Answers = NO_ANSWERS) -> Asked:
    """What a unit asks besides its entries: merges, and identifiers that move (HL7 v2 A43)."""
    moves: dict[str, str] = {}
    if one.outcome.event == "A43":  # each group: who gets it, who had it
        moves = dict(one.outcome.moves)
    known = frozenset(linking.people(one.outcome))
    changed = renaming.changes(one.outcome), one.stamp.as_of
    moves_on = bool(one.outcome.merges or changed[0]) or one.outcome.event in _MOVES
    about = (_sender(one.outcome), line, one.outcome.unit.kind in _HEARD, moves_on)
    return Asked(one.outcome.merges, moves, known, answers, changed, *about, one.stamp.order)


def _sender(outcome: Outcome) -> str:
    """The feed and the facility that a message is of, "" for what is no message.

    Its key is application, facility and control id, between bars (convert.py).
    """
    facility = f"{outcome.unit.key}|".split("|")[1]
    return f"{outcome.unit.source}|{facility}" if outcome.event else ""


def _look_up(work: Work, entries: Sequence[Entry]) -> None:
    wanted = {name for entry in entries for name in identities(entry)}
    rosters = (entry.resource for entry in entries if entry.resource["resourceType"] == "Group")
    wanted.update(condition(ref) for roster in rosters for ref in conditions(roster))
    work.know_owners(wanted)
    found = ((name[2], work.owner(name)) for name in wanted)
    work.merged.know((kind, uid) for kind, uid in found if uid)
    work.alike.know(key for entry in entries for key in _strange(work, entry))


def _strange(work: Work, entry: Entry) -> Iterable[str]:
    """The keys of a person whom no identifier names yet."""
    if any(work.owner(name) for name in identities(entry)):
        return ()
    return alike.asked(entry.resource)


def _likely(work: Work, one: Arrival, namespace: UUID) -> list[Name]:
    """The resources that a unit will probably touch, so far as the lookups tell."""
    wishes = Asked(sender=_sender(one.outcome), line=work.ledger.line(one.mark))
    return Resolver(work, one.outcome.entries, namespace, None, wishes).names()


def _ended(work: Work, one: Arrival) -> bool:
    """Whether a unit was stored before, or a person refused it: it changes nothing again."""
    entered = work.ledger.entered(one.mark)
    if entered is None or entered.status == "review":
        return False
    return entered.status == "stored" or held.refused(work.connection, entered.unit)


def _not_taken(work: Work, one: Arrival, why: Unresolved, answers: Answers = NO_ANSWERS) -> Receipt:
    """A unit that a person must look at, or that cannot be."""
    issue = why.issue
    found = issue if issue.at is not None else issue._replace(at=one.outcome.unit.at)
    status: Status = "refused" if found.detail in ("reference", "contradiction") else "review"
    number = _enter(work, one, status, [*one.outcome.issues, found])
    if status == "review":
        kept = held.pack(one.outcome, answers, why.about)
        work.ledger.hold(number, kept, held.told(why.candidates))
    return Receipt(status, number, issues=(found,))


def _enter(work: Work, one: Arrival, status: Status, issues: Iterable[Issue]) -> int:
    """Write the ledger's line; a unit refused before keeps its number."""
    text = data.dumps([issue.outcome_issue() for issue in issues]).decode()
    before, unit = work.ledger.entered(one.mark), one.outcome.unit
    line = Entered(work.ledger.line(one.mark), status, text)
    if line != before:
        about = (unit.kind, clip(unit.at.source), unit.at.line, clip(unit.as_of), one.now)
        work.ledger.enter(one.mark, line, about, one.raw)
    return line.unit


def _take(
    work: Work, one: Arrival, stamp: Stamp, resolver: Resolver, real: Sequence[Told]
) -> list[str]:
    """Fold every entry in. Returns the references whose version went up."""
    changed: dict[str, None] = {}
    silent = _already_one(one.outcome, resolver)
    wrong = _in_error(one.outcome, resolver)
    linked = linking.meant(one.outcome, resolver)
    for entry, resource in zip(one.outcome.entries, real, strict=True):
        kind, _, uid = resolver.ids[entry.urn].partition("/")
        if entry.urn not in silent:
            telling = _Telling(one, stamp, entry, resource, wrong, linked)
            changed.update(dict.fromkeys(_tell(work, telling, work.state_or_new(kind, uid))))
        for identity in identities(entry):
            if work.owner(identity) is None:
                work.register(identity, uid)
    changed.update(dict.fromkeys(_withdrawn(work, one, resolver, stamp)))
    for identity, uid in resolver.taken:
        changed.update(dict.fromkeys(_moved_to(work, identity, uid, one, stamp)))
    return list(changed)


class _Telling(NamedTuple):
    """An entry of a unit as of a time; `wrong`: diagnoses that the unit takes back."""

    one: Arrival
    stamp: Stamp
    entry: Entry
    told: Told
    wrong: frozenset[str]
    linked: dict[str, set[str]]


def _tell(work: Work, telling: _Telling, state: State) -> Sequence[str]:
    """Let a resource be what an entry says of it. Returns the references whose version went up."""
    one, stamp, entry, told_of, wrong, linked = telling
    source = one.mark[1]
    if _is_record(entry, state):
        work.record(state, told_of.resource, (source, stamp), one.now)
        return (state.ref,)
    newer = state.says_again(source, told_of.saying, stamp)
    if newer is not None:
        if newer:
            work.contributed(state, source)
        return ()
    real = linking.apart(work, _without(told_of, wrong), state)
    said = told_by(one.outcome, entry, real, stamp)
    if one.outcome.event in merging.DELETIONS:
        said = merging.of_survivor(work, entry, state, said)
    said.update({name: Register(stamp, None) for name in _taken_back(entry, wrong)})
    said = linking.standing(said, state, source, linked)
    changed = _taken(work, one, state, said)
    _remember(state, source, told_of, said)
    return changed


def _is_record(entry: Entry, state: State) -> bool:
    """Whether an entry is stored as it is: what no unit but this one tells of, and no cell."""
    if state.kind != RECORD or state.version:
        return False
    return not (entry.identity or entry.told or entry.cleared or entry.weak or entry.parts)


def _taken(work: Work, one: Arrival, state: State, said: Contribution) -> list[str]:
    """Take in what an entry says of a resource. Returns the references whose version went up."""
    source, subject = one.mark[1], state.content.get("subject")
    if not one.outcome.event:  # a row of a table: of messages nobody asks
        work.news += pieces.news(state.contributions.get(source, {}), said)
    if not _fold_in(work, state, source, said, one.now):
        return []
    moved = state.kind == movements.KIND
    return [state.ref, *(_with_stay(work, state, subject, one.now) if moved else ())]


def _remember(state: State, source: str, resource: Told, said: Contribution) -> None:
    """Know again what a source says, if it is all that the source says of the resource."""
    if resource.saying is None:
        return
    mine, whole = state.contributions[source], len(resource.saying.registers)
    if len(mine) == len(said) == whole and all(
        mine[name] is register for name, register in said.items()
    ):
        state.says_only(source, resource.saying, next(iter(said.values())).stamp)


def _withdrawn(work: Work, one: Arrival, resolver: Resolver, stamp: Stamp) -> list[str]:
    """Withdraw what a list names no more (lists.py). Returns what changed."""
    changed, source = [], one.mark[1]
    for segment, owner, urns in one.outcome.lists:
        kind, _, uid = resolver.ids[owner].partition("/")
        person = work.state_or_new(kind, uid)
        refs = [resolver.ids[urn] for urn in urns if urn in resolver.ids]
        gone, as_of = lists.replaced(person, source, segment, refs, stamp)
        work.contributed(person, source)
        for ref in gone:
            said = lists.withdrawal(work, ref, source, as_of)
            state = work.state(*ref.split("/"))
            if said and state is not None and _fold_in(work, state, source, said, one.now):
                changed.append(ref)
    return changed


def _unlinked(work: Work, one: Arrival, couple: linking.Couple, stamp: Stamp) -> list[str]:
    """Take the link of two people back (linking.py). Returns what changed.

    Where others told of it too, a person has decided so.
    """
    changed: list[str] = []
    for source in (one.mark[1], *linking.others(work, couple, one.mark[1], stamp)):
        for state, said in linking.unlinked(work, couple, source, stamp):
            changed += [state.ref] if _fold_in(work, state, source, said, one.now) else []
    return changed


def _already_one(outcome: Outcome, resolver: Resolver) -> frozenset[str]:
    """Losers of merges that have been one with their survivor from the start: nothing to say."""
    return frozenset(
        loser for on, loser in outcome.merges if resolver.ids[on] == resolver.ids[loser]
    )


def _in_error(outcome: Outcome, resolver: Resolver) -> frozenset[str]:
    """The Conditions that a message takes back (DG1-21 D)."""
    return frozenset(
        resolver.ids[entry.urn]
        for entry in outcome.entries
        if entry.resource["resourceType"] == "Condition"
        and "entered-in-error" in repr(entry.resource.get("verificationStatus"))
    )


def _without(stay: Told, wrong: frozenset[str]) -> Told:
    """A stay without the diagnoses that are taken back."""
    rows = stay.resource.get("diagnosis") if wrong else None
    if not rows or stay.resource["resourceType"] != movements.KIND:
        return stay
    kept = [row for row in rows if row["condition"].get("reference") not in wrong]
    others = {name: value for name, value in stay.resource.items() if name != "diagnosis"}
    return replace(stay, resource={**others, "diagnosis": kept} if kept else others)


def _taken_back(entry: Entry, wrong: frozenset[str]) -> list[str]:
    """The pieces of a stay's diagnoses that are taken back, where they are told one by one."""
    if "diagnosis" not in entry.parts:
        return []
    items = ({"condition": {"reference": reference}} for reference in wrong)
    return [f"diagnosis{pieces.MARK}{piece('diagnosis', item)}" for item in items]


def _with_stay(work: Work, state: State, before: Any, now: str) -> list[str]:
    """A stay that moved to another person takes what belongs to it along."""
    subject = state.content.get("subject")
    old, new = ((one or {}).get("reference", "") for one in (before, subject))
    if not old or not new or old == new:
        return []
    return merging.repointed(work, (old, new), state.ref, now)


def _moved_to(work: Work, identity: Identity, uid: str, one: Arrival, stamp: Stamp) -> list[str]:
    """Let an identifier name another person, and no longer stand in the one who had it."""
    giver = work.owner(identity)
    work.unregister(identity)
    work.register(identity, uid)
    state = work.state(identity[2], giver) if giver else None
    if state is None:
        return []
    value, system, _ = identity
    items = [
        item
        for item in state.content.get("identifier", [])
        if (item.get("value"), item.get("system")) == (value, system)
    ]
    names = [f"identifier{pieces.MARK}{piece('identifier', item)}" for item in items]
    gone = {name: Register(stamp, None) for name in names}
    return [state.ref] if gone and _fold_in(work, state, one.mark[1], gone, one.now) else []


def _fold_in(work: Work, state: State, source: str, said: Contribution, now: str) -> bool:
    """Take in what a source says of a resource; a new version only if the result differs."""
    only = len(state.contributions) == 1 and bool(state.version)
    again = only and repeats(state.contributions.get(source, {}), said)
    if not merge(state.contributions, source, said) and state.version:
        return False
    work.contributed(state, source)
    if again:
        return False
    content = fold(state.kind, state.contributions, work.order)
    if state.version and content == state.content:
        return False
    work.save(state, content, now)
    return True
