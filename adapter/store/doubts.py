"""Who judges who is who, and what is thrown where it is not sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from adapter.issues import Candidate, Doubt, Issue
from adapter.record import Entry, Resource

Find = Callable[[Resource], Sequence[Resource]]
SamePerson = Callable[[Entry, Sequence[Resource], Find, bool], str | Doubt]
MayMerge = Callable[[Resource, Resource, bool], Doubt | None]


class Unresolved(Exception):
    """A unit may not be stored as it is; carries the issue. Never leaves this package.

    `about`  names the doubt among those of the unit, so that what a person answers is of this one
    """

    def __init__(self, issue: Issue, candidates: Sequence[Candidate] = (), about: str = "") -> None:
        super().__init__(issue.detail)
        self.issue, self.candidates, self.about = issue, tuple(candidates), about


class Judges(NamedTuple):
    """Who decides who is who: whose record an entry is, and whether two may become one.

    `may_merge` says, if asked so, whether a stay of the second may be told of the first.
    """

    same_person: SamePerson
    may_merge: MayMerge


def no_conflict(
    entry: Entry, candidates: Sequence[Resource], find: Find | None = None, heard: bool = False
) -> str | Doubt:
    """The least rule: identifiers of one entry may not belong to several stored resources."""
    if len(candidates) > 1:
        text = f"the identifiers belong to several {entry.resource['resourceType']} resources"
        return Doubt(Issue("error", "identity-conflict", text), [])
    return str(candidates[0]["id"]) if candidates else ""


def may_always_merge(survivor: Resource, loser: Resource, stay: bool = False) -> Doubt | None:
    """The least rule: a sender knows whom it merges."""
    return None
