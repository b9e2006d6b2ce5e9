"""Whether the identifiers of an entry name one stored resource, and really the same person."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.issues import Issue
from adapter.record import Entry, Resource


def resolve(entry: Entry, candidates: Sequence[Resource]) -> str | Issue:
    """The id of the stored resource that an entry is about, `""` for a new one, or why not sure.

    `candidates` are the distinct stored resources that share an identifier with the entry.
    More than one: `identity-conflict`. One person with another birth date and another family name:
    `identity-unsure`, since a wrong merge shows one member's care to another (45 CFR 164.502(a)).
    """
    if not candidates:
        return ""
    kind = entry.resource["resourceType"]
    if len(candidates) > 1:
        return Issue(
            "error", "identity-conflict", f"the identifiers belong to several {kind} resources"
        )
    if kind == "Patient" and _another(entry.resource, candidates[0]):
        text = "an identifier of a stored person, but with another birth date and family name"
        return Issue("error", "identity-unsure", text)
    return str(candidates[0]["id"])


def _another(said: Resource, stored: Resource) -> bool:
    """True when birth date and family name are known on both sides and both differ."""
    births = said.get("birthDate"), stored.get("birthDate")
    families = _families(said), _families(stored)
    return (
        all(births) and births[0] != births[1]
        and all(families) and not families[0] & families[1]
    )  # fmt: skip


def _families(person: Resource) -> frozenset[str]:
    """Every family name, casefolded, without spaces and marks at the ends."""
    names = (str(name.get("family", "")) for name in person.get("name", ()))
    return frozenset(bare for name in names if (bare := name.casefold().strip(" .,'")))
