"""Converters of what PID, NK1 and MRG say of a person."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.authorities import authority
from adapter.mapping.datatypes import alternate, coding_system, concept, cx, repetitions
from adapter.mapping.identifier_types import meant
from adapter.mapping.lasting import steady
from adapter.mapping.named import organization, organization_hd
from adapter.mapping.parts import HL7, also, first, gather, later, of, part
from adapter.mapping.people import xad, xpn, xtn
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import Run, Side
from adapter.mapping.times import dtm

Json = dict[str, Any]
_V3 = "http://terminology.hl7.org/CodeSystem/v3-"


# --- PID


@builder("county")
def county(run: Run, texts: list[str]) -> Json | None:
    """PID-12: the county of the only address, or an address of its own (v2-to-FHIR PID-12)."""
    name = next(repetitions(run, texts), [""])[0].strip()
    draft = run.drafts.get("Patient")
    known = draft.resource.get("address", []) if draft is not None else []
    if not name or any(item.get("district") == name for item in known):
        return None
    if len(known) == 1 and "district" not in known[0]:
        known[0]["district"] = name
        return None
    return {"district": name}


@datatype("kept_sex", 3)
@steady()
def kept_sex(run: Run, parts: list[str]) -> Json | None:
    """PID-8: a code that FHIR's gender says less than is kept beside it (A, N, X of table 0001)."""
    code, name = part(parts, 1).upper(), part(parts, 3)
    table = terms.table("administrative-sex")
    target, display = table.get(code), terms.fold(table.display(code))
    if target is None or display in ("", terms.fold(target.display)):
        return None
    return alternate(table.system, code) if coding_system(name) in ("", table.system) else None


@converter("social_security")
def social_security(run: Run, text: str) -> Json | None:
    """PID-19, NK1-37: carried only where the sender's profile asks for it (US Core CONF-0472)."""
    return cx(run, ["".join(filter(str.isdigit, text)), "", "", "", "SS"])


@builder("breed")
def breed(run: Run, texts: list[str]) -> None:
    """PID-36: the breed in patient-animal, which needs the species of PID-35."""
    draft, url = run.drafts.get("Patient"), HL7 + "patient-animal"
    found = draft.resource.get("extension", ()) if draft is not None else ()
    animal = next((item for item in found if item.get("url") == url), None)
    item = first([concept(run, parts, "") for parts in repetitions(run, texts)])
    if animal is None:
        run.issue("information", "unmapped", "a breed without a species")
    elif item is not None:
        animal["extension"].append({"url": "breed", "valueCodeableConcept": item})


@builder("patient_update")
def patient_update(run: Run, texts: list[str]) -> None:
    """PID-33 with PID-34: who last changed the record, as a Provenance of its own."""
    who = first(also(run, 34, organization_hd))
    patient = run.drafts.get("Patient")
    recorded = run.unit.as_of.partition(" ")[0]
    if who is None or patient is None or not recorded:
        run.issue("information", "unmapped", "an update is kept only with PID-34, and when sent")
        return
    kind = {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type"}
    resource: Json = {
        "resourceType": "Provenance",
        "occurredDateTime": dtm(run, texts[0]),
        "recorded": recorded,
        "activity": {"coding": [{"system": _V3 + "DataOperation", "code": "UPDATE"}]},
        "agent": [{"type": {"coding": [{**kind, "code": "performer"}]}, "who": who}],
    }
    urn = run.add("Provenance", resource, run.feed.source, run.unit.key, "PID-33", str(run.line))

    def put(side: Side, reference: Json, rep: int) -> None:
        side.resource["target"] = [reference]

    run.side[urn].link("target", put, patient)


# --- NK1: a contact of the patient has room for one name, one address, one organization


@datatype("contact_name", 14, but=(8, 9, 11))
def contact_name(run: Run, parts: list[str]) -> Json | None:
    """NK1-2: the contact's name (v2-to-FHIR NK1[Patient])."""
    return None if run.rep else xpn(run, parts)


@datatype("contact_address", 19, but=(8, 11, 15, 16, 17, 18))
def contact_address(run: Run, parts: list[str]) -> Json | None:
    """NK1-4: the contact's address (v2-to-FHIR NK1[Patient])."""
    return None if run.rep else xad(run, parts)


@datatype("contact_organization", 10, but=(2, 5, 8, 9))
def contact_organization(run: Run, parts: list[str]) -> Json | None:
    """NK1-13: the contact's organization, and whom to ask there: NK1-30 to 32 (NK1[Patient])."""
    if later(run):
        return None
    reference = organization(run, parts)
    if reference is None:
        return None
    person: Json = {}
    for key, place, convert in (("name", 30, xpn), ("address", 32, xad)):
        if found := first(also(run, place, convert)):
            person[key] = found
    if phones := also(run, 31, xtn):
        person["telecom"] = phones
    if person:
        gather(of(run, reference), "contact", [person])
    return reference


@datatype("organization_name", 10, but=range(2, 11))
def organization_name(run: Run, parts: list[str]) -> Json | None:
    """GT1-21: an organization that pays, by name where a person's name belongs."""
    name = part(parts, 1)
    return {"text": name} if name else None


# --- MRG


@datatype("prior_id", 10, but=(3,))
def prior_id(run: Run, parts: list[str]) -> Json | None:
    """MRG-1, -2, -4: without an authority it is that of the patient's own number of its type.

    MR, if it has no type. Only where these numbers of PID-3, else all record numbers, have one
    authority: one is never taken by position.
    """
    item = cx(run, parts)
    if item is None or part(parts, 4) or item["system"] != authority(run, ""):
        return item
    patient = run.drafts.get("Patient")
    known = patient.resource.get("identifier", ()) if patient is not None else ()
    for types in ({meant(part(parts, 5)) or "MR"}, {"MR", "PI", ""}):
        systems = {one["system"] for one in known if types & _types(one)}
        if len(systems) == 1:
            item["system"] = systems.pop()
            break
    return item


def _types(item: Json) -> set[str]:
    return {coding["code"] for coding in item.get("type", {}).get("coding", ())} or {""}
