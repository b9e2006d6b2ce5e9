"""Who an entry is: by the identifiers it shares, else by how alike it is to whom we know.

Our roster first: whoever has the identifier of a stored record is that record, unless birth date
and family name both say otherwise. Who has none is compared with the records that the store's index
finds alike, and linked from the weight on that FAST calls certain (mappings/matching.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from adapter.identity.likeness import Likeness, families, likeness, members
from adapter.issues import Candidate, Doubt, Issue
from adapter.record import Entry, Resource

Find = Callable[[Resource], Sequence[Resource]]


def resolve(entry: Entry, candidates: Sequence[Resource], find: Find | None = None) -> str | Doubt:
    """The id of the stored resource that an entry is about, `""` for a new one, or why not sure.

    `candidates` are the distinct stored resources that share an identifier with the entry, `find`
    gives people who may be the same. More than one candidate: `identity-conflict`. One person with
    another birth date and another family name, or nobody by identifier but somebody alike:
    `identity-unsure`, since a wrong merge shows one member's care to another (45 CFR 164.502(a)).
    """
    kind, said = entry.resource["resourceType"], entry.resource
    if not candidates:
        return _stranger(said, find) if kind == "Patient" and find is not None else ""
    if len(candidates) > 1:
        text = f"the identifiers belong to several {kind} resources"
        people = ranked(said, candidates) if kind == "Patient" else []
        return Doubt(Issue("error", "identity-conflict", text), people)
    if kind == "Patient" and another(said, candidates[0]):
        text = "an identifier of a stored person, but with another birth date and family name"
        return Doubt(Issue("error", "identity-unsure", text), ranked(said, candidates))
    return str(candidates[0]["id"])


def _stranger(said: Resource, find: Find) -> str | Doubt:
    """Whose record this is, when no identifier says so."""
    alike = [one for one in ranked(said, find(said)) if one.possible]
    if not alike:
        return ""
    certain = [one for one in alike if one.certain]
    if len(certain) == 1:
        return certain[0].id
    text = "no identifier of a stored person, but like one"
    return Doubt(Issue("error", "identity-unsure", text), alike)


def ranked(said: Resource, people: Iterable[Resource]) -> list[Candidate]:
    """The people with how alike they are, the likest first."""
    found = [_candidate(str(one["id"]), likeness(said, one)) for one in people]
    return sorted(found, key=lambda one: (-one.score, one.id))


def _candidate(uid: str, like: Likeness) -> Candidate:
    return Candidate(uid, like.score, like.agrees, like.differs, like.certain, like.possible)


def another(said: Resource, stored: Resource) -> bool:
    """True when birth date and family name are known on both sides and both differ."""
    births = said.get("birthDate"), stored.get("birthDate")
    names = families(said), families(stored)
    return (
        all(births) and births[0] != births[1]
        and all(names) and not names[0] & names[1]
    )  # fmt: skip


def may_merge(survivor: Resource, loser: Resource) -> Doubt | None:
    """What speaks against a merge that a sender tells: they are two people for others.

    Two members of one plan or of Medi-Cal (a different number of the same system and type), or
    another birth date and another family name.
    """
    if survivor.get("resourceType") != "Patient":
        return None
    found = ranked(survivor, [loser])
    if _members(survivor, loser):
        text = "a merge of two people who have different member numbers"
        return Doubt(Issue("error", "identity-conflict", text), found)
    if another(survivor, loser):
        text = "a merge of two people with other birth dates and family names"
        return Doubt(Issue("error", "identity-unsure", text), found)
    return None


def _members(one: Resource, other: Resource) -> bool:
    """True when a plan, or Medi-Cal, has given them different numbers and none in common."""
    here, there = members(one), members(other)
    shared = {system for system, _ in here} & {system for system, _ in there}
    return bool(shared) and not here & there
