"""One thing under a new number (HL7 v2 A46 to A51) that is stored under both: is it one?

Messages under the new number may come before the one that tells of the change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from adapter.issues import Doubt
from adapter.outcome import Outcome
from adapter.record import Entry, Resource
from adapter.store import alike
from adapter.store.work import Identity, State, Work, identity_of

_EVENTS = frozenset(("A46", "A47", "A48", "A49", "A50", "A51"))


class Join(NamedTuple):
    """A type, who goes on, and who was the same from the start."""

    kind: str
    stays: str
    goes: str


def changes(outcome: Outcome) -> frozenset[str]:
    """The urns of what a unit gives another number."""
    if outcome.event not in _EVENTS:
        return frozenset()
    return frozenset(entry.urn for entry in outcome.entries if former(entry))


def former(entry: Entry) -> set[Identity]:
    """The numbers that an entry had before."""
    items = entry.resource.get("identifier", [])
    return {
        identity_of(entry.resource["resourceType"], item.get("system", ""), item.get("value", ""))
        for item in (items if isinstance(items, list) else [items])
        if item.get("use") == "old"
    }


def one(
    work: Work,
    may_merge: Callable[[Resource, Resource, bool], Doubt | None],
    pair: Join,
    since: str,
) -> bool:
    """Whether what has the former number and what has the new one are one.

    The new number was told at the time of the change or later only, and both are of one person; two
    records of a person agree in birth date and family name, or of one nothing is known but its
    numbers, and nothing keeps them apart.
    """
    kind = pair.kind
    was, now = work.state(kind, pair.stays), work.state(kind, pair.goes)
    if was is None or now is None or was.deleted or now.deleted or not _began(now, since):
        return False
    if kind == alike.KIND:
        shared = alike.keys(was.resource) & alike.keys(now.resource)
        born = any(key.startswith("b ") for key in shared) or _numbered(was) or _numbered(now)
        return born and not may_merge(was.resource, now.resource, False)
    owners = [_person(work, state.content.get("subject")) for state in (was, now)]
    return bool(owners[0]) and owners[0] == owners[1]


def numbered(work: Work, kind: str, uid: str) -> bool:
    """Whether nothing is known of a person but numbers: MRG told of them, before anything else."""
    person = work.state(kind, uid) if kind == alike.KIND else None
    return person is not None and _numbered(person)


def _numbered(person: State) -> bool:
    told = person.content
    if not told.keys() <= _NUMBERED or told.get("gender", _UNKNOWN) != _UNKNOWN:
        return False
    return not any("family" in name or "given" in name for name in told.get("name", ()))


_NUMBERED = frozenset(("identifier", "name", "gender", "meta"))
_UNKNOWN = "unknown"


def _began(state: State, since: str) -> bool:
    """Whether nothing was said of a resource before a time."""
    told = state.contributions.values()
    return all(register.stamp.as_of >= since for mine in told for register in mine.values())


def _person(work: Work, subject: Any) -> list[str]:
    """Whose it is, led on to the survivors of merges; an Account may be of several."""
    items = subject if isinstance(subject, list) else [subject or {}]
    names = (item.get("reference", "").partition("/") for item in items)
    return sorted(work.merged.survivor(kind, uid) for kind, _, uid in names if uid)
