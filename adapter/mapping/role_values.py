"""Converters of ROL and PRT: who takes part, in which role, for whom, and where to reach them."""

from __future__ import annotations

from typing import Any

from adapter.mapping.datatypes import V2, ei
from adapter.mapping.named import location, organization, practitioner
from adapter.mapping.parts import added, also, first, gather, later, of, own, part, reach, told
from adapter.mapping.people import xad, xtn
from adapter.mapping.registry import builder, datatype
from adapter.mapping.run import Draft, Run
from adapter.mapping.times import period

Json = dict[str, Any]

# HL7 table 0190: whose place an address is (v2-to-FHIR ROL-11).
_OF_PLACE = ("M", "O", "S", "SH", "TM")
_OF_ORGANIZATION = ("B", "BI", "L")


def _behind(run: Run, role: Draft | None, element: str) -> Json:
    """The resource that an element of a PractitionerRole refers to."""
    reference = role.resource.get(element) if role is not None else None
    if isinstance(reference, list):
        reference = reference[0] if reference else None
    return of(run, reference)


# --- ROL


@datatype("role_person", 21, but=(8, 14, 15, 16))
def role_person(run: Run, parts: list[str]) -> Json | None:
    """ROL-4, PRT-5: the person; repetitions are further numbers of the same person."""
    return None if later(run) else practitioner(run, parts)


@datatype("on_behalf_of", 10, but=(2, 5, 8, 9))
def on_behalf_of(run: Run, parts: list[str]) -> Json | None:
    """ROL-14 beside ROL-4: for whom a person takes part (v2-to-FHIR ROL-14)."""
    return _typed(run, organization(run, parts)) if own(run, 4) and not run.rep else None


@datatype("role_organization", 10, but=(2, 5, 8, 9))
def role_organization(run: Run, parts: list[str]) -> Json | None:
    """ROL-14 without ROL-4: an organization that takes part itself (v2-to-FHIR ROL-14)."""
    return None if own(run, 4) or run.rep else _typed(run, organization(run, parts))


def _typed(run: Run, reference: Json | None) -> Json | None:
    """ROL-10: what kind of organization it is (v2-to-FHIR ROL-10)."""
    if reference is not None:
        found = also(run, 10, lambda run, parts: told(run, parts, "organization-unit-type"))
        gather(of(run, reference), "type", found)
    return reference


@builder("role_address")
def role_address(run: Run, texts: list[str]) -> None:
    """ROL-11 by its use: of the person, the place or the organization (v2-to-FHIR ROL-11).

    ROL-13 and ROL-14 come after it: the address is written when all is read.
    """
    role, found = run.drafts.get("PractitionerRole"), also(run, 11, xad)
    kinds = [part(text.split("^"), 7) for text in texts]

    def put(run: Run) -> None:
        for item, kind in zip(found, kinds, strict=False):
            aim = _behind(run, role, _owner(kind)) or _behind(run, role, "practitioner")
            if aim.get("resourceType") == "Location":
                aim["address"] = item
            elif aim:
                reach(aim, "address", [item])

    if run.groups is not None:
        run.groups.later.append(put)


def _owner(kind: str) -> str:
    if kind in _OF_PLACE:
        return "location"
    return "organization" if kind in _OF_ORGANIZATION else "practitioner"


@builder("member_address")
def member_address(run: Run, texts: list[str]) -> None:
    """ROL-11 in a care team: the address of the person in ROL-4."""
    person = first(also(run, 4, practitioner))
    gather(of(run, person), "address", also(run, 11, xad))


# --- PRT


@datatype("team_person", 21, but=(8, 14, 15, 16))
def team_person(run: Run, parts: list[str]) -> Json | None:
    """PRT-5: a person, in the role that PRT-6 names; reached by PRT-14 and PRT-15."""
    person = None if later(run) else practitioner(run, parts)
    if person is None:
        return None
    gather(of(run, person), "address", also(run, 14, xad))
    kinds = also(run, 6, lambda run, parts: told(run, parts, "participation"))
    phones = also(run, 15, xtn)
    if not kinds:
        gather(of(run, person), "telecom", phones)
        return person
    role: Json = {"practitioner": person, "code": kinds}
    if phones:
        role["telecom"] = phones
    place, house = first(also(run, 9, location)), first(also(run, 8, organization))
    role |= {"location": [place]} if place else {}
    role |= {"organization": house} if house else {}
    return added(run, "PractitionerRole", role, person["reference"], str(kinds), str(house))


@datatype("team_organization", 10, but=(2, 5, 8, 9))
def team_organization(run: Run, parts: list[str]) -> Json | None:
    """PRT-8 without a person: the organization takes part itself (PRT[CareTeam])."""
    reference = None if own(run, 5) or run.rep else organization(run, parts)
    if reference is not None:
        reach(of(run, reference), "address", also(run, 14, xad))
        reach(of(run, reference), "telecom", also(run, 15, xtn))
    return reference


@datatype("team_on_behalf", 10, but=(2, 5, 8, 9))
def team_on_behalf(run: Run, parts: list[str]) -> Json | None:
    """PRT-8 beside a person: for whom; a role (PRT-6) names its organization itself (ctm-1)."""
    if run.rep or not own(run, 5) or own(run, 6):
        return None
    return organization(run, parts)


@builder("person_address")
def person_address(run: Run, texts: list[str]) -> None:
    """PRT-14 of a family doctor: the address of the person (PRT[Patient-GeneralPractitioner])."""
    person = _behind(run, run.drafts.get("PractitionerRole"), "practitioner")
    gather(person, "address", also(run, 14, xad))


@datatype("pln", 4)
def pln(run: Run, parts: list[str]) -> Json | None:
    """PLN to Identifier: a practitioner's licence or other number (v2-to-FHIR PLN[Identifier])."""
    item = ei(run, [part(parts, 1), part(parts, 3)])
    if item is None:
        return None
    if kind := part(parts, 2):
        item["type"] = {"coding": [{"system": V2 + "0338", "code": kind}]}
    if found := period(run, "", part(parts, 4), (4, 4)):
        item["period"] = found
    return item


@datatype("role_id", 4)
def role_id(run: Run, parts: list[str]) -> Json | None:
    """ROL-1, PRT-1: the number of the role itself (v2-to-FHIR EI[Identifier-Extension])."""
    return ei(run, parts)
