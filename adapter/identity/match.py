"""Who an entry is: by the identifiers it shares, else by how alike it is to whom we know.

Our roster first. Whoever has a record number of a stored person is that person, unless birth date
and family name both say otherwise; a member number alone, which is mistyped and lent, needs both to
agree. Who has none is compared with the records that the store's index finds alike, and linked from
the weight on that FAST calls certain (mappings/matching.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from adapter.identity.likeness import (
    Likeness,
    families_agree,
    firsts,
    known_by_record_number,
    likeness,
    members,
    nameless,
    only_by_member_number,
)
from adapter.issues import Candidate, Doubt, Issue
from adapter.record import Entry, Resource

Find = Callable[[Resource], Sequence[Resource]]


def resolve(
    entry: Entry, candidates: Sequence[Resource], find: Find | None = None, heard: bool = False
) -> str | Doubt:
    """The id of the stored resource that an entry is about, `""` for a new one, or why not sure.

    `candidates` are the distinct stored resources that share an identifier with the entry, `find`
    gives people who may be the same; `heard`: from others than the plan whose member it is. More
    than one candidate, or one with another member number: `identity-conflict`. One whom too little
    confirms, or nobody by identifier but somebody alike: `identity-unsure`, since a wrong merge
    shows one member's care to another (45 CFR 164.502(a)).
    """
    kind, said = entry.resource["resourceType"], entry.resource
    if not candidates:
        return _stranger(said, find) if kind == "Patient" and find is not None else ""
    if len(candidates) > 1:
        text = f"the identifiers belong to several {kind} resources"
        people = ranked(said, candidates) if kind == "Patient" else []
        return Doubt(Issue("error", "identity-conflict", text), people)
    if kind == "Patient":
        doubt = _doubt(said, candidates[0], find, heard)
        if doubt is not None:
            return doubt
    return str(candidates[0]["id"])


def _doubt(said: Resource, stored: Resource, find: Find | None, heard: bool) -> Doubt | None:
    """What speaks against a person who has an identifier of a stored one being that one."""
    people, unsure = [stored], ""
    if known_by_record_number(said, stored) and not another(said, stored):
        return None
    if _members(said, stored):
        text = "an identifier of a stored person, but another member number"
        return Doubt(Issue("error", "identity-conflict", text), ranked(said, people))
    if another(said, stored):
        unsure = "an identifier of a stored person, but with another birth date and family name"
    elif only_by_member_number(said, stored):
        if not (_confirmed(said, stored) if heard else _bearable(said, stored)):
            unsure = "the member number of a stored person, but birth date and names do not agree"
        else:
            people += _better(said, stored, find)
            unnamed = heard and (nameless(said) or nameless(stored))
            if len(people) > 1 or unnamed or _sibling(said, stored):
                unsure = "the member number of a stored person, but like a brother or sister"
    return (
        Doubt(Issue("error", "identity-unsure", unsure), ranked(said, people)) if unsure else None
    )


def _confirmed(said: Resource, stored: Resource) -> bool:
    """Whether birth date and family name agree (FAST: member identifier, with both)."""
    return _same_birth(said, stored) is True and families_agree(said, stored) is True


def _bearable(said: Resource, stored: Resource) -> bool:
    """Whether no two of birth date, family name and given name differ: a plan mends one of them."""
    given = bool(firsts(said) & firsts(stored)) if firsts(said) and firsts(stored) else None
    facts = (_same_birth(said, stored), families_agree(said, stored), given)
    return facts.count(False) < 2


def _same_birth(said: Resource, stored: Resource) -> bool | None:
    births = said.get("birthDate"), stored.get("birthDate")
    return births[0] == births[1] if all(births) else None


def _others_name(said: Resource, stored: Resource) -> bool:
    """Whether both have a given name and none in common."""
    return bool(firsts(said) and firsts(stored) and not firsts(said) & firsts(stored))


def _sibling(said: Resource, stored: Resource) -> bool:
    """Whether two of one birth date and family name are told to be two: another place among twins,
    or another sex under another given name."""
    differs = likeness(said, stored).differs
    return "order" in differs or ("sex" in differs and _others_name(said, stored))


def _better(said: Resource, stored: Resource, find: Find | None) -> list[Resource]:
    """Others whose name and birth date both agree: twins share all but the given name."""
    if not _others_name(said, stored):
        return []
    others = (one for one in (find(said) if find is not None else ()) if one["id"] != stored["id"])
    return [one for one in others if {"name", "birth"} <= {*likeness(said, one).agrees}]


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
    return _same_birth(said, stored) is False and families_agree(said, stored) is False


def may_merge(survivor: Resource, loser: Resource, stay: bool = False) -> Doubt | None:
    """What speaks against a merge that a sender tells: they are two people for others.

    Two members of one plan or of Medi-Cal (a different number of the same system and type), or
    another birth date and another family name. `stay`: what speaks against telling of the first
    what is a stay of the second.
    """
    if survivor.get("resourceType") != "Patient":
        return None
    if stay:
        return _may_move(survivor, loser)
    found = ranked(survivor, [loser])
    if _members(survivor, loser):
        text = "a merge of two people who have different member numbers"
        return Doubt(Issue("error", "identity-conflict", text), found)
    if another(survivor, loser):
        text = "a merge of two people with other birth dates and family names"
        return Doubt(Issue("error", "identity-unsure", text), found)
    return None


def _may_move(said: Resource, stored: Resource) -> Doubt | None:
    """What speaks against one record's stay being told of another: it is no duplicate of it.

    Name or birth date must agree, both of people with two numbers of one sender and of newborns;
    neither may differ, nor the family name, the sex, the place among twins, and no plan tell the
    two apart. A visit number may be given to two people.
    """
    like = likeness(said, stored)
    agree = {"name", "birth"} & {*like.agrees}
    enough = 2 if "own" in like.differs or nameless(said) or nameless(stored) else 1
    known = len(agree) >= enough and not _APART & {*like.differs}
    if known and families_agree(said, stored) is not False and not _members(said, stored):
        return None
    text = "the visit number of another person's stay"
    return Doubt(Issue("error", "identity-unsure", text), ranked(said, [stored]))


_APART = frozenset(("name", "birth", "sex", "order"))


def _members(one: Resource, other: Resource) -> bool:
    """True when a plan, or Medi-Cal, has given them different numbers and none in common."""
    here, there = members(one), members(other)
    shared = {system for system, _ in here} & {system for system, _ in there}
    return bool(shared) and not here & there
