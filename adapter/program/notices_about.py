"""What a message about a stay takes along, and the site that a place is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from adapter.program import alert, rosters
from adapter.program.notices_case import Case
from adapter.program.stays import instant
from adapter.record import Resource
from adapter.store.protocol import Store

_TOLD = ("Location", "Organization", "Practitioner", "PractitionerRole")
_MOST = 60  # resources that one message takes along


def about(case: Case, more: str = "") -> Iterator[Resource]:
    """The stay, the person, the diagnoses, then who and where, each once; and what `more` names."""
    yield case.encounter
    patient = rosters.person(case.store, case.subject)
    first = [patient] if patient else []
    found = case.store.each("Condition", [("encounter", f"Encounter/{case.uid}")])
    first += [one for one in found if case.who(_subject(one)) == case.person]
    yield from first
    seen: dict[str, None] = {}
    waiting = [ref for one in (case.encounter, *first) for ref in alert.references(one)]
    waiting.insert(0, more)
    while waiting and len(seen) < _MOST:
        ref = waiting.pop(0)
        kind, _, uid = ref.partition("/")
        if ref in seen or kind not in _TOLD:
            continue
        seen[ref] = None
        stored = case.store.read(kind, uid)
        if stored is not None and not stored.deleted:
            yield stored.resource
            waiting += alert.references(stored.resource)


def institution(case: Case) -> str:
    """The organization whose message told of the stay last, `""` if unknown.

    Whoever is told of a stay is told where the news is from (42 CFR 482.24(d)).
    """
    found = case.store.each("Provenance", [("target", f"Encounter/{case.uid}")])
    told = sorted(found, key=lambda one: instant(one.get("recorded", ""), UTC) or _NEVER)
    refs = (agent["who"].get("reference", "") for one in told[::-1] for agent in one["agent"])
    return next((ref for ref in refs if ref.startswith("Organization/")), "")


def as_told(case: Case, person: str) -> Case:
    """The stay as it was when it was told of somebody else, who never was in it.

    What is known of it since is of whom it is of now, and no business of the other's care team.
    """
    versions = case.store.history("Encounter", case.uid)
    stays = [one.resource for one in versions if not one.deleted]
    theirs = (one for one in stays if case.who(_subject(one)) == person)
    stay = next(theirs, None) or {k: v for k, v in stays[0].items() if k in _BARE}
    subject = {"reference": f"Patient/{person}"}
    return replace(case, encounter={**stay, "status": "entered-in-error", "subject": subject})


def _subject(one: Resource) -> str:
    return str(one.get("subject", {}).get("reference", ""))


_BARE = ("resourceType", "id", "class", "identifier")  # what names a stay, whosever it is


def site(store: Store, ref: str) -> str:
    """The site that a place belongs to; `""` when it is not known to be in any."""
    for _ in range(_DEEP):
        kind, _, uid = ref.partition("/")
        stored = store.read(kind, uid) if kind == "Location" else None
        if stored is None or stored.deleted:
            return ""
        codings = stored.resource.get("physicalType", {}).get("coding", ())
        if any(coding.get("code") == "si" for coding in codings):
            return ref
        ref = stored.resource.get("partOf", {}).get("reference", "")
    return ""


_NEVER = datetime.min.replace(tzinfo=UTC)
_DEEP = 8  # bed, room, ward, floor, building, site
