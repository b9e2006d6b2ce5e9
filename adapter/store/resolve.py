"""Which stored resources the entries of a unit are, and their references made real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from adapter.errors import StoreError
from adapter.issues import Issue
from adapter.record import Entry, Resource
from adapter.store.work import Identity, Name, Work, identity_of

SamePerson = Callable[[Entry, Sequence[Resource]], str | Issue]

_CONDITION = "?identifier="
_NAMED = "identifier"  # keeps ids made from identifiers apart from ids made from keys
_NESTED = (dict, list)


class Unresolved(Exception):
    """A unit may not be stored as it is; carries the issue. Never leaves this package."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.detail)
        self.issue = issue


def no_conflict(entry: Entry, candidates: Sequence[Resource]) -> str | Issue:
    """The least rule: identifiers of one entry may not belong to several stored resources."""
    if len(candidates) > 1:
        text = f"the identifiers belong to several {entry.resource['resourceType']} resources"
        return Issue("error", "identity-conflict", text)
    return str(candidates[0]["id"]) if candidates else ""


def identities(entry: Entry) -> list[Identity]:
    """The identifiers of an entry as the database keeps them."""
    kind = entry.resource["resourceType"]
    return [identity_of(kind, system, value) for system, value in entry.identity]


def conditions(node: Any) -> Iterator[str]:
    """The references of a resource that name their target by identifier: `Patient?identifier=`."""
    for reference in _references(node):
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
        self, work: Work, entries: Sequence[Entry], namespace: UUID, rule: SamePerson | None
    ) -> None:
        """Without a rule only a guess, to look up in bulk what will be needed."""
        self.work, self.namespace, self.rule = work, namespace, rule
        self.ids: dict[str, str] = {}  # urn -> "Patient/abc"
        self._entries = {entry.urn: entry for entry in entries}
        self._named: dict[Identity, str] = {}  # by the entries of this unit
        self._open: set[str] = set()
        for entry in entries:
            self._resolve(entry)

    def names(self) -> list[Name]:
        """(kind, id) of every entry."""
        return [(kind, uid) for kind, _, uid in (ref.partition("/") for ref in self.ids.values())]

    def real(self, resource: Resource) -> Resource:
        """The resource with `urn:uuid:` and conditional references led to stored ids.

        Raises Unresolved when a reference leads nowhere.
        """
        found: Resource = _replaced(resource, self._target)
        return found

    def _target(self, reference: str) -> str:
        if reference.startswith("urn:uuid:"):
            found = self.ids.get(reference)
        elif _CONDITION in reference:
            kind, uid = reference.partition("?")[0], self._owner(condition(reference))
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
        uid = self._by_identity(kind, entry) if entry.identity else self._by_key(kind, entry)
        self.ids[entry.urn] = f"{kind}/{uid}"
        return self.ids[entry.urn]

    def _by_identity(self, kind: str, entry: Entry) -> str:
        names = identities(entry)
        owners = (self._owner(name) for name in names)
        known = list(dict.fromkeys(owner for owner in owners if owner))
        if self.rule is None:
            return known[0] if known else _mint(self.namespace, _NAMED, *names[0])
        result = self.rule(entry, [self._candidate(kind, uid) for uid in known])
        if isinstance(result, Issue):
            raise Unresolved(result)
        uid = result or self._new_id(names[0])
        for name in names:
            self._named.setdefault(name, uid)
        return uid

    def _owner(self, identity: Identity) -> str | None:
        return self._named.get(identity) or self.work.owner(identity)

    def _candidate(self, kind: str, uid: str) -> Resource:
        state = self.work.state(kind, uid)
        return state.resource if state else {"resourceType": kind, "id": uid}

    def _new_id(self, identity: Identity) -> str:
        """An id that only who knows the store's namespace could compute from the identifier."""
        parts, uid = [_NAMED, *identity], ""
        while not uid or self.work.state(identity[2], uid) is not None:
            uid = _mint(self.namespace, *parts)
            parts.append("again")  # the first id names a resource that gave this identifier up
        return uid

    def _by_key(self, kind: str, entry: Entry) -> str:
        if not entry.key:
            return entry.urn.removeprefix("urn:uuid:")
        return _mint(self.namespace, kind, *map(self._part, entry.key))

    def _part(self, part: str) -> str:
        other = self._entries.get(part)
        return self._resolve(other) if other is not None else part


@lru_cache(maxsize=4096)
def _mint(namespace: UUID, *parts: str) -> str:
    return str(uuid5(namespace, "\x1f".join(parts)))


def _replaced(node: Any, target: Callable[[str], str]) -> Any:
    """The node with every Reference.reference led on; what has none is shared, not copied."""
    if type(node) is list:
        items = [_replaced(item, target) if type(item) in _NESTED else item for item in node]
        return items if any(a is not b for a, b in zip(items, node, strict=True)) else node
    changed = {}
    for key, value in node.items():
        if type(value) in _NESTED:
            new = _replaced(value, target)
        elif key == "reference" and type(value) is str:
            new = target(value)
        else:
            continue
        if new is not value:
            changed[key] = new
    return {**node, **changed} if changed else node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list):
                yield from _references(value)
