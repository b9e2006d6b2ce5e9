"""Which stays may be news: one that changed, a person's, those of who is new on a plan's list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from adapter.program import rosters
from adapter.record import Resource
from adapter.store.protocol import Store, Stored

_VERSIONS = 3  # of a list before this one: several may have come since anybody looked
_AT_ONCE = 50  # people asked for in one search


def kind(stored: Stored) -> str:
    """The type of a resource."""
    return str(stored.resource["resourceType"])


def uid(stored: Stored) -> str:
    """The id of a resource."""
    return str(stored.resource["id"])


def stays(store: Store, changed: Stored, since: date) -> list[Stored]:
    """A stay itself; all of a person who died, or whose numbers say by now that he is ours.

    Of who is new on a plan's list those that went on `since` a day, or nobody knows when.
    """
    if kind(changed) == "Encounter":
        return [changed]
    if kind(changed) == "Patient":
        found = list(store.each("Encounter", [("patient", f"Patient/{uid(changed)}")]))
    else:
        found = list(_of_new_members(store, uid(changed), since))
    present = (store.read("Encounter", str(one["id"])) for one in found)
    return [one for one in present if one is not None]


def _of_new_members(store: Store, group: str, since: date) -> Iterator[Resource]:
    people = [
        f"Patient/{one['id']}"
        for some in _slices(sorted(_new(store, group)))
        for one in store.each("Patient", [("identifier", ",".join(map(_asked, some)))])
    ]
    for some in _slices(people):
        for when in (("date", f"ge{since.isoformat()}"), ("date:missing", "true")):
            yield from store.each("Encounter", [("patient", ",".join(some)), when])


def _new(store: Store, group: str) -> set[str]:
    """Who is on a list now and was not on each of those before it."""
    now = store.read("Group", group)
    if now is None:
        return set()
    old = (store.vread("Group", group, now.version - n) for n in range(1, _VERSIONS + 1))
    before = [set(rosters.listed(one.resource)) for one in old if one is not None]
    always = set.intersection(*before) if before else set()
    return {name for name in rosters.listed(now.resource) if name not in always}


def _asked(name: str) -> str:
    """`system|value` as a search has it (FHIR R4 search.html, 3.1.1.4.0.1: escaping)."""
    return "|".join(re.sub(r"([,$|\\])", r"\\\1", part) for part in name.split("|", 1))


def _slices(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
