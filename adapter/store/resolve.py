"""Which stored resources the entries of a unit are, and their references made real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from adapter.errors import StoreError
from adapter.issues import Candidate, Doubt, Issue
from adapter.record import Entry, Resource
from adapter.store import alike, renaming
from adapter.store.said import references
from adapter.store.work import Identity, Name, Work, identity_of

Find = Callable[[Resource], Sequence[Resource]]
SamePerson = Callable[[Entry, Sequence[Resource], Find, bool], str | Doubt]
MayMerge = Callable[[Resource, Resource], Doubt | None]

_CONDITION = "?identifier="
_NAMED = "identifier"  # keeps ids made from identifiers apart from ids made from keys
NEW = "new"  # a decision: none of the candidates


class Unresolved(Exception):
    """A unit may not be stored as it is; carries the issue. Never leaves this package."""

    def __init__(self, issue: Issue, candidates: Sequence[Candidate] = ()) -> None:
        super().__init__(issue.detail)
        self.issue, self.candidates = issue, tuple(candidates)


class Judges(NamedTuple):
    """Who decides who is who: whose record an entry is, and whether two may become one."""

    same_person: SamePerson
    may_merge: MayMerge


@dataclass(frozen=True, slots=True)
class Asked:
    """What a unit asks besides its entries, by their urns.

    `losers`    those that were merged into another: they are themselves, not whom they became
    `moves`     from whom an identifier comes, by whom it goes to
    `known`     those who must be stored, and have an identifier that says so
    `decision`  what a person decided: `Patient/abc`, or NEW
    `changes`   what gets another number (renaming.py), and since when
    `sender`    whose stays these are: admitted at one time elsewhere it is another stay
    `line`      its line in the ledger
    """

    losers: frozenset[str] = frozenset()
    moves: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    decision: str = ""
    changes: tuple[frozenset[str], str] = (frozenset(), "")
    sender: str = ""
    line: int = 0


def no_conflict(
    entry: Entry, candidates: Sequence[Resource], find: Find | None = None, heard: bool = False
) -> str | Doubt:
    """The least rule: identifiers of one entry may not belong to several stored resources."""
    if len(candidates) > 1:
        text = f"the identifiers belong to several {entry.resource['resourceType']} resources"
        return Doubt(Issue("error", "identity-conflict", text), [])
    return str(candidates[0]["id"]) if candidates else ""


def may_always_merge(survivor: Resource, loser: Resource) -> Doubt | None:
    """The least rule: a sender knows whom it merges."""
    return None


def identities(entry: Entry) -> tuple[Identity, ...]:
    """The identifiers of an entry as the database keeps them."""
    return _identities(entry.resource["resourceType"], entry.identity) if entry.identity else ()


@lru_cache(maxsize=4096)
def _identities(kind: str, pairs: tuple[tuple[str, str], ...]) -> tuple[Identity, ...]:
    return tuple([identity_of(kind, system, value) for system, value in pairs])


def conditions(node: Any) -> Iterator[str]:
    """The references of a resource that name their target by identifier: `Patient?identifier=`."""
    for reference in references(node):
        if _CONDITION in reference:
            yield reference


def condition(reference: str) -> Identity:
    """The identifier that a conditional reference names."""
    kind, _, rest = reference.partition(_CONDITION)
    system, _, value = rest.rpartition("|")
    return identity_of(kind, system, value)


class Resolver:
    """The ids of one unit's entries; nothing is written, so that a unit can still be refused."""

    def __init__(
        self,
        work: Work,
        entries: Sequence[Entry],
        namespace: UUID,
        judges: Judges | None,
        asked: Asked | None = None,
    ) -> None:
        """Without judges only a guess, to look up in bulk what will be needed: by hints, if any."""
        self.work, self._namespace, self.judges = work, namespace.hex, judges
        self.ids: dict[str, str] = {}  # urn -> "Patient/abc"
        if judges is None:
            hints = work.memory.hints
            self.ids = {entry.urn: hints[entry.urn] for entry in entries if entry.urn in hints}
        self.joins: list[renaming.Join] = []  # what turns out to be one
        self.taken: list[tuple[Identity, str]] = []  # identifiers that move to another
        self._asked = asked or Asked()
        self._entries = {entry.urn: entry for entry in entries}
        self._named: dict[Identity, str] = {}  # by the entries of this unit
        self._open: set[str] = set()
        for entry in entries:
            self._resolve(entry)

    def names(self) -> list[Name]:
        """(kind, id) of every entry."""
        return [(kind, uid) for kind, _, uid in (ref.partition("/") for ref in self.ids.values())]

    def target(self, reference: str) -> str:
        """Where a `urn:uuid:` or conditional reference leads: to a stored id.

        Raises Unresolved when it leads nowhere.
        """
        if reference.startswith("urn:uuid:"):
            found = self.ids.get(reference)
        elif _CONDITION in reference:
            kind, uid = reference.partition("?")[0], self.owner(condition(reference))
            found = f"{kind}/{uid}" if uid else None
        else:
            return reference
        if found is None:
            text = "a reference leads to no entry and nothing stored"
            raise Unresolved(Issue("error", "reference", text))
        return found

    def _resolve(self, entry: Entry) -> str:
        if entry.urn in self.ids:
            return self.ids[entry.urn]
        if entry.urn in self._open:
            raise StoreError("the keys of a unit's entries lead in a circle")
        self._open.add(entry.urn)
        kind = entry.resource["resourceType"]
        if entry.identity:
            uid = self._by_identity(kind, entry)
        else:
            uid = self._without_number(kind, entry) or self._by_key(kind, entry)
        self.ids[entry.urn] = f"{kind}/{uid}"
        return self.ids[entry.urn]

    def _by_identity(self, kind: str, entry: Entry) -> str:
        names = identities(entry)
        if self.judges is None:
            known = next((uid for name in names if (uid := self.owner(name))), None)
            return known or _mint(self._namespace, _NAMED, *names[0])
        return self._chosen(self.judges, kind, entry, names)

    def _chosen(self, judges: Judges, kind: str, entry: Entry, names: Sequence[Identity]) -> str:
        giver = self._giver(entry)
        follow = entry.urn not in self._asked.losers
        owners = {name: self.owner(name, follow) for name in names}
        known = list(dict.fromkeys(uid for uid in owners.values() if uid and uid != giver))
        if len(known) > 1 and entry.urn in self._asked.changes[0]:
            known = self._renamed(judges, entry, owners, known)
        uid = self._judged(judges, kind, entry, known) or self._new_id(names[0])
        for name, owner in owners.items():
            if owner and owner == giver:
                self.taken.append((name, uid))
            self._named.setdefault(name, uid)
        return uid

    def _renamed(
        self, judges: Judges, entry: Entry, owners: Mapping[Identity, str | None], known: list[str]
    ) -> list[str]:
        """Who has the former number alone, when those who have the new one are the same thing."""
        former = {uid for name in renaming.former(entry) if (uid := owners.get(name))}
        if len(former) != 1:
            return known
        (stays,), kind = former, entry.resource["resourceType"]
        joins = [renaming.Join(kind, stays, uid) for uid in known if uid != stays]
        since = self._asked.changes[1]
        if not all(renaming.one(self.work, judges.may_merge, pair, since) for pair in joins):
            return known
        self.joins += joins
        return [stays]

    def _giver(self, entry: Entry) -> str:
        """The id of whoever gives an identifier to this entry, "" for nobody."""
        other = self._entries.get(self._asked.moves.get(entry.urn, ""))
        return self._resolve(other).partition("/")[2] if other is not None else ""

    def _judged(self, judges: Judges, kind: str, entry: Entry, known: Sequence[str]) -> str:
        """The id of the resource that an entry is about, "" for a new one. Raises Unresolved."""
        alone = entry.urn in self._asked.losers or entry.urn in self._asked.known
        find, heard = (_nobody, False) if alone else (self._find, bool(self._asked.sender))
        people = [self._candidate(kind, uid) for uid in known]
        found = judges.same_person(entry, people, find, heard)
        if not found and entry.urn in self._asked.known:
            found = Doubt(Issue("error", "identity-unsure", "a person who is not stored"), [])
        if isinstance(found, str):
            return found
        decided, _, uid = self._asked.decision.partition("/")
        if decided == NEW:
            return ""
        if decided != kind or not uid:
            raise Unresolved(found.issue, found.candidates)
        return uid

    def _find(self, person: Resource) -> list[Resource]:
        """People who may be the same, by index; whoever was merged as whom they became."""
        uids = self.work.alike.ids(alike.keys(person))
        survivors = dict.fromkeys(self.work.merged.survivor(alike.KIND, uid) for uid in uids)
        self.work.know_states((alike.KIND, uid) for uid in survivors)
        states = (self.work.state(alike.KIND, uid) for uid in survivors)
        return [state.resource for state in states if state is not None and not state.deleted]

    def owner(self, identity: Identity, follow: bool = True) -> str | None:
        """The id of the resource that an identifier names; of a merged one the survivor's."""
        found = self._named.get(identity) or self.work.owner(identity)
        return self.work.merged.survivor(identity[2], found) if found and follow else found

    def _candidate(self, kind: str, uid: str) -> Resource:
        state = self.work.state(kind, uid)
        return state.resource if state else {"resourceType": kind, "id": uid}

    def _new_id(self, identity: Identity) -> str:
        """An id that only who knows the store's namespace could compute from the identifier."""
        parts, uid = [_NAMED, *identity], ""
        while not uid or self.work.state(identity[2], uid) is not None:
            uid = _mint(self._namespace, *parts)
            parts.append("again")  # the first id names a resource that gave this identifier up
        return uid

    def _without_number(self, kind: str, entry: Entry) -> str:
        """The id of a person whom nothing but likeness names, "" for nobody. Raises Unresolved."""
        if kind != alike.KIND or entry.key or self.judges is None:
            return ""
        return self._judged(self.judges, kind, entry, ())

    def _by_key(self, kind: str, entry: Entry) -> str:
        if not entry.key:
            return self._by_line(kind) or entry.urn.removeprefix("urn:uuid:")
        parts = [self._part(part) for part in entry.key]
        parts += [self._asked.sender] if kind == "Encounter" and self._asked.sender else []
        uid = _mint(self._namespace, kind, *parts)
        if self.judges is None or self.work.state(kind, uid) is not None:
            return uid
        return next(self._under_losers(kind, entry.key, parts), uid)

    def _by_line(self, kind: str) -> str:
        """The id of a message's Provenance by its line in the ledger, "" for anything else.

        Such ids stand together in every index, however many there are. Not for one that is taken,
        by whoever wrote to the API.
        """
        uid = f"{self._asked.line:012d}"
        if kind != "Provenance" or not self._asked.sender:
            return ""
        return "" if self.judges is not None and self.work.state(kind, uid) is not None else uid

    def _under_losers(self, kind: str, key: Sequence[str], parts: list[str]) -> Iterator[str]:
        """What was stored under this key of someone who was merged into the one of now."""
        for place, part in enumerate(key):
            if part not in self._entries:
                continue
            owner, _, uid = parts[place].partition("/")
            for loser in self.work.merged.losers(owner, uid):
                other = [*parts[:place], f"{owner}/{loser}", *parts[place + 1 :]]
                found = _mint(self._namespace, kind, *other)
                if self.work.state(kind, found) is not None:
                    yield found

    def _part(self, part: str) -> str:
        other = self._entries.get(part)
        return self._resolve(other) if other is not None else part


def _nobody(person: Resource) -> list[Resource]:
    return []


@lru_cache(maxsize=4096)
def _mint(namespace: str, *parts: str) -> str:
    return str(uuid5(UUID(namespace), "\x1f".join(parts)))
