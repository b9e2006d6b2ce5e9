"""Which stored resources the entries of a unit are, and their references made real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from adapter.errors import StoreError
from adapter.issues import Doubt, Issue
from adapter.record import Entry, Resource
from adapter.store import alike, moving, renaming
from adapter.store.asked import Asked
from adapter.store.doubts import Judges, Unresolved
from adapter.store.protocol import NEW
from adapter.store.said import references
from adapter.store.work import Identity, Name, State, Work, identity_of

_CONDITION = "?identifier="
_STAY = "Encounter"
_NAMED = "identifier"  # keeps ids made from identifiers apart from ids made from keys


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
        self.stays: dict[str, list[Entry]] = {}  # by the urn of whom they are told
        for entry in entries:
            if entry.resource["resourceType"] == _STAY:
                self.stays.setdefault(_subject(entry.resource), []).append(entry)
        self._partners: dict[str, list[str]] = {}  # whom an entry becomes one with
        for pair in self._asked.merges:
            for one, other in (pair, pair[::-1]):
                self._partners.setdefault(one, []).append(other)
        self._named: dict[Identity, str] = {}  # by the entries of this unit
        # those that were merged into another: they are themselves, not whom they became
        self._losers = {loser for _, loser in self._asked.merges}
        self._open: set[str] = set()
        self._apart: set[str] = set()  # stays under a number that is another person's
        self._disputed: dict[str, set[tuple[str, str]]] = {}  # identifiers that stay another's
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
        if kind == alike.KIND and self._asked.heard and self.judges is not None:
            uid = self._with_stays(self.judges, entry, uid)
        self.ids[entry.urn] = f"{kind}/{uid}"
        return self.ids[entry.urn]

    def _by_identity(self, kind: str, entry: Entry) -> str:
        names = identities(entry)
        if self.judges is None:
            known = next((uid for name in names if (uid := self.owner(name))), None)
            return known or _mint(self._namespace, _NAMED, *names[0])
        return self._chosen(self.judges, kind, entry, names)

    def _chosen(self, judges: Judges, kind: str, entry: Entry, names: Sequence[Identity]) -> str:
        if kind == _STAY and self._resolve_subject(entry) and entry.urn in self._apart:
            return self._another_stay(entry, names)
        giver = self._giver(entry)
        follow = entry.urn not in self._losers
        others = self._others(entry)
        names = [name for name in names if name not in others] or names
        owners = {name: self.owner(name, follow) for name in names}
        known = list(dict.fromkeys(uid for uid in owners.values() if uid and uid != giver))
        if len(known) > 1 and others:
            here = {self.owner(name, False) for name in others.difference(names)}
            known = [uid for uid in known if uid not in here] or known
        if len(known) > 1:
            known = self._fewer(judges, entry, owners, known)
        uid = self._who(judges, entry, known) or self._new_id(names[0])
        for name, owner in owners.items():
            if owner and owner == giver:
                self.taken.append((name, uid))
            self._named.setdefault(name, uid)
        if entry.urn in self._asked.answers:
            self._dispute(entry, owners, uid)
        return uid

    def _dispute(self, entry: Entry, owners: Mapping[Identity, str | None], uid: str) -> None:
        theirs = {name[1::-1] for name, owner in owners.items() if owner not in (None, uid)}
        self._disputed[entry.urn] = theirs

    def _others(self, entry: Entry) -> set[Identity]:
        """The numbers of those that an entry becomes one with: they name these, not it.

        Senders repeat in PID-3 what MRG-1 says, and the number of a plan in both.
        """
        others = self._partners.get(entry.urn, ())
        return {name for urn in others for name in identities(self._entries[urn])}

    def undisputed(self, entry: Entry) -> Entry:
        """An entry without the identifiers that stay another's, whatever a person decided."""
        others = self._disputed.get(entry.urn)
        if not others:
            return entry
        given = entry.resource["identifier"]
        items = [
            item
            for item in (given if isinstance(given, list) else [given])
            if (item.get("system"), item.get("value")) not in others
        ]
        resource = {name: value for name, value in entry.resource.items() if name != "identifier"}
        if items:
            resource["identifier"] = items if isinstance(given, list) else items[0]
        return Entry(
            resource, entry.urn, entry.identity, entry.key, entry.told, entry.cleared, entry.weak,
            entry.parts,
        )  # fmt: skip

    def _resolve_subject(self, stay: Entry) -> str:
        """The id of whom a stay is told of, `""` of nobody in this unit."""
        person = self._entries.get(_subject(stay.resource))
        return self._resolve(person) if person is not None else ""

    def _with_stays(self, judges: Judges, entry: Entry, uid: str) -> str:
        """The id of a person, none of whose stays here is another's. Raises Unresolved.

        A visit number may be given twice, or be `1`: one person's stay is not told to another.
        """
        for stay in self.stays.get(entry.urn, ()):
            other = self._whose(stay)
            if not other or other == uid:
                continue
            if self.work.state(_STAY, self._mint_apart(stay, uid)) is not None:
                self._apart.add(stay.urn)
            elif not self._had(stay, uid):
                uid = self._moved(judges, entry, stay, (uid, other))
        return uid

    def _had(self, stay: Entry, uid: str) -> bool:
        """Whether a stay was someone's when this was told, and went to another later."""
        known = self._stored(stay)
        return known is not None and moving.had(self.work, known, uid, self._asked.order)

    def _moved(self, judges: Judges, entry: Entry, stay: Entry, people: tuple[str, str]) -> str:
        """Whose the stay is that the one has here, and the other in the store."""
        uid, other = people
        doubt = judges.may_merge(entry.resource, self._candidate(alike.KIND, other), True)
        if doubt is None or self._asked.moves_on:
            return uid
        about = f"stay {entry.urn}"
        answer = self._answer(alike.KIND, about)
        if answer is None:
            raise Unresolved(doubt.issue, doubt.candidates, about)
        if not answer:
            self._apart.add(stay.urn)
        elif answer != uid:  # whose number it names keeps it
            owners = {name: self.work.owner(name) for name in identities(entry)}
            self._dispute(entry, owners, answer)
        return answer or uid

    def _whose(self, stay: Entry) -> str:
        """The id of whom a stay is stored of, `""` of nobody."""
        state = self._stored(stay)
        _, _, person = _subject(state.content).partition("/") if state is not None else ("", "", "")
        return self.work.merged.survivor(alike.KIND, person) if person else ""

    def _stored(self, stay: Entry) -> State | None:
        uid = next((uid for name in identities(stay) if (uid := self.owner(name))), None)
        return self.work.state(_STAY, uid) if uid else None

    def _another_stay(self, entry: Entry, names: Sequence[Identity]) -> str:
        uid = self._mint_apart(entry, self._resolve_subject(entry).partition("/")[2])
        self._disputed[entry.urn] = set()
        for name in names:
            self._named.setdefault(name, self.owner(name) or uid)
        return uid

    def _mint_apart(self, stay: Entry, person: str) -> str:
        return _mint(self._namespace, "apart", *stay.identity[0], person)

    def _fewer(
        self, judges: Judges, entry: Entry, owners: Mapping[Identity, str | None], known: list[str]
    ) -> list[str]:
        """Who has the former number alone, or is known by more than numbers, when all are one."""
        kind, (changed, since) = entry.resource["resourceType"], self._asked.changes
        gave = moving.giver(self.work, known, self._asked.order) if kind == alike.KIND else ""
        if gave:
            self._dispute(entry, owners, gave)
            return [gave]
        if entry.urn in changed:
            stay = {uid for name in renaming.former(entry) if (uid := owners.get(name))}
        else:
            stay, since = {uid for uid in known if not renaming.numbered(self.work, kind, uid)}, ""
        joins = [renaming.Join(kind, on, uid) for on in stay for uid in known if uid != on]
        if len(stay) != 1 or entry.urn in self._losers:
            return known
        if not all(renaming.one(self.work, judges.may_merge, pair, since) for pair in joins):
            return known
        self.joins += [pair for pair in joins if pair not in self.joins]
        return [*stay]

    def _who(self, judges: Judges, entry: Entry, known: Sequence[str]) -> str:
        """The id of what an entry is about, "" for something new. Raises Unresolved.

        Of whom nothing is known but his numbers may be somebody known.
        """
        kind = entry.resource["resourceType"]
        if len(known) != 1 or not renaming.numbered(self.work, kind, known[0]):
            return self._judged(judges, kind, entry, known)
        alone = entry.urn in self._losers or entry.urn in self._asked.known
        like = () if alone else self._find(entry.resource)
        uid = self._judged(judges, kind, entry, () if like else known) or known[0]
        pair = renaming.Join(kind, uid, known[0])
        if uid == known[0] or not renaming.one(self.work, judges.may_merge, pair, ""):
            return known[0]
        self.joins.append(pair)
        return uid

    def _giver(self, entry: Entry) -> str:
        """The id of whoever gives an identifier to this entry, "" for nobody."""
        other = self._entries.get(self._asked.moves.get(entry.urn, ""))
        return self._resolve(other).partition("/")[2] if other is not None else ""

    def _judged(self, judges: Judges, kind: str, entry: Entry, known: Sequence[str]) -> str:
        """The id of the resource that an entry is about, "" for a new one. Raises Unresolved."""
        alone = entry.urn in self._losers or entry.urn in self._asked.known
        find, heard = (_nobody, False) if alone else (self._find, self._asked.heard)
        if self._asked.moves_on and {"name", "birthDate"} & entry.resource.keys() <= {*entry.weak}:
            heard = False  # MRG names by number whose it was
        people = [self._candidate(kind, uid) for uid in known]
        found = judges.same_person(entry, people, find, heard)
        if not found and entry.urn in self._asked.known:
            found = Doubt(Issue("error", "identity-unsure", "a person who is not stored"), [])
        if isinstance(found, str):
            return found
        answer = self._answer(kind, entry.urn)
        if answer is None:
            raise Unresolved(found.issue, found.candidates, entry.urn)
        return answer

    def _answer(self, kind: str, about: str) -> str | None:
        """The id that a person named of a doubt, of a merged one the survivor's; `""` for none of
        the known, None when nobody was asked or what was named is not there."""
        decided, _, uid = self._asked.answers.get(about, "").partition("/")
        if decided == NEW:
            return ""
        uid = self.work.merged.survivor(kind, uid) if decided == kind and uid else ""
        return uid if uid and self.work.state(kind, uid) is not None else None

    def _find(self, person: Resource) -> list[Resource]:
        """People who may be the same, by index; whoever was merged as whom they became."""
        uids = self.work.alike.ids(alike.asked(person))
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
        parts += [self._asked.sender] if kind == _STAY and self._asked.sender else []
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
            had = (self._stored(stay) for stay in self.stays.get(part, ()) if stay.urn in key)
            others = [
                who for stay in had if stay is not None for who in moving.people(self.work, stay)
            ]
            for loser in (*self.work.merged.losers(owner, uid), *others):
                other = [*parts[:place], f"{owner}/{loser}", *parts[place + 1 :]]
                found = _mint(self._namespace, kind, *other)
                if self.work.state(kind, found) is not None:
                    yield found

    def _part(self, part: str) -> str:
        other = self._entries.get(part)
        return self._resolve(other) if other is not None else part


def _subject(stay: Resource) -> str:
    subject = stay.get("subject")
    return str(subject.get("reference", "")) if isinstance(subject, dict) else ""


def _nobody(person: Resource) -> list[Resource]:
    return []


@lru_cache(maxsize=4096)
def _mint(namespace: str, *parts: str) -> str:
    return str(uuid5(UUID(namespace), "\x1f".join(parts)))
