"""Links of people: A37 (HL7 v2) takes the one of two back and no other; nobody leads to himself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from adapter.issues import Candidate, Issue
from adapter.outcome import Outcome
from adapter.record import Resource, piece
from adapter.store import alike, pieces
from adapter.store.doubts import Unresolved
from adapter.store.registers import Contribution, Register, Stamp
from adapter.store.resolve import Resolver, identities
from adapter.store.said import Told
from adapter.store.work import State, Work

OWNED = "owned"  # the doubt whether a link may be taken back that somebody else told
EVENT, _LINKS = "A37", "A24"
_TYPE, _OVER = "seealso", "replaced-by"
Couple = tuple[str, str]  # ids of two people


def people(outcome: Outcome) -> tuple[str, ...]:
    """The urns of those whom a unit unlinks, () for a unit that does not."""
    if outcome.event != EVENT:
        return ()
    return tuple(e.urn for e in outcome.entries if e.resource["resourceType"] == alike.KIND)


def links(outcome: Outcome) -> bool:
    """Whether a unit tells that two people are linked."""
    return outcome.event == _LINKS


def couples(outcome: Outcome, resolver: Resolver) -> list[Couple]:
    """Who is unlinked from whom. Raises Unresolved when two are one person here."""
    found = []
    for one, other in combinations(people(outcome), 2):
        mine, theirs = (resolver.ids[urn].partition("/")[2] for urn in (one, other))
        if mine == theirs:
            text = "a link to be deleted between two records that are of one person here"
            raise Unresolved(Issue("error", "identity-conflict", text), [Candidate(mine, 0)])
        found.append((mine, theirs))
    return found


def unlinked(
    work: Work, couple: Couple, source: str, stamp: Stamp
) -> list[tuple[State, Contribution]]:
    """What a source says of two people when it takes their link back."""
    return [*_sides(work, couple, source, stamp), *_sides(work, couple[::-1], source, stamp)]


def others(work: Work, couple: Couple, source: str, stamp: Stamp) -> list[str]:
    """Who else told before that two people are linked: only they, or a person, take that back."""
    found: set[str] = set()
    for one, other in (couple, couple[::-1]):
        for uid in (one, *work.merged.losers(alike.KIND, one)):
            state = work.state(alike.KIND, uid)
            for teller, mine in state.contributions.items() if state is not None else ():
                if teller != source and any(
                    register.stamp.order < stamp.order and _leads(work, register.value, name, other)
                    for name, register in mine.items()
                ):
                    found.add(teller)
    return sorted(found)


def owned(work: Work, found: Sequence[Couple], source: str, stamp: Stamp) -> None:
    """Raises Unresolved for a link that somebody else told: a person decides."""
    for couple in found:
        if others(work, couple, source, stamp):
            text = "a link that another sender told is not taken back; nothing was changed"
            people = [Candidate(uid, 0) for uid in couple]
            raise Unresolved(Issue("error", "identity-conflict", text), people, OWNED)


def meant(outcome: Outcome, resolver: Resolver) -> dict[str, set[str]]:
    """Of the people of a unit that links them, by id: those they were when it was sent."""
    found: dict[str, set[str]] = {}
    for entry in outcome.entries if outcome.event == _LINKS else ():
        if entry.resource["resourceType"] == alike.KIND:
            owners = {resolver.work.owner(name) for name in identities(entry)}
            uid = resolver.ids[entry.urn].partition("/")[2]
            found[uid] = {owner for owner in owners if owner and owner != uid}
    return found


def standing(
    said: Contribution, state: State, source: str, were: dict[str, set[str]]
) -> Contribution:
    """What a source says of a person, without links that it took back later.

    Of someone who became another since, the link was taken back under his old id.
    """
    if not any(were.values()):
        return said
    mine = state.contributions.get(source, {})
    gone = {
        _name(uid)
        for uid, before in were.items()
        for old in before
        if (told := said.get(_name(uid))) and (last := mine.get(_name(old)))
        if last.value is None and last.stamp.order > told.stamp.order
    }
    return {name: register for name, register in said.items() if name not in gone}


def _sides(
    work: Work, couple: Couple, source: str, stamp: Stamp
) -> Iterator[tuple[State, Contribution]]:
    """The links of one, and of those who became one with him, to the other."""
    one, other = couple
    for uid in (one, *work.merged.losers(alike.KIND, one)):
        state = work.state(alike.KIND, uid)
        if state is None:
            continue
        links = state.contributions.get(source, {}).items()
        gone = {name for name, register in links if _leads(work, register.value, name, other)}
        if uid == one:
            gone.add(_name(other))
        if gone:
            yield state, {name: Register(stamp, None) for name in sorted(gone)}


def apart(work: Work, said: Told, state: State) -> Told:
    """What is said of a person without links to that very person: two records became one.

    Nor does one who was merged before get a second record that goes on for him.
    """
    links = said.resource.get("link", ())
    over = links and work.merged.survivor(state.kind, state.id) != state.id
    kept = [one for one in links if _end(one) != state.ref and not (over and one["type"] == _OVER)]
    if len(kept) == len(links):
        return said
    others = {name: value for name, value in said.resource.items() if name != "link"}
    return Told((), {}, {**others, "link": kept} if kept else others)


def forget_own(work: Work, state: State) -> None:
    """Take the links of a person to those who became one with him out of all that is said."""
    for source, mine in state.contributions.items():
        own = [n for n, register in mine.items() if _leads(work, register.value, n, state.id)]
        for name in own:
            del mine[name]
        if own:
            work.contributed(state, source)


def _end(item: Resource) -> str:
    return str(item.get("other", {}).get("reference", ""))


def _name(uid: str) -> str:
    """The register of a link to someone."""
    item = {"type": _TYPE, "other": {"reference": f"{alike.KIND}/{uid}"}}
    return f"link{pieces.MARK}{piece('link', item)}"


def _leads(work: Work, value: Resource | None, name: str, other: str) -> bool:
    """Whether a register is a link to someone, or to one who became one with him."""
    if not name.startswith(f"link{pieces.MARK}") or not value:
        return False
    ends = [_end(item).partition("/")[2] for item in value.get("", ()) if item.get("type") == _TYPE]
    return any(work.merged.survivor(alike.KIND, uid) == other for uid in ends if uid)
