"""What one FHIR resource says to the rules: codes, days of an enrollment, who the member is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple

from adapter import terms
from adapter.program.case import Person, Phase
from adapter.program.days import day_of
from adapter.program.rules import table
from adapter.record import Resource
from adapter.store.protocol import Store

OURS = "https://ecm-adapter.example/fhir"
ECM = f"{OURS}/CodeSystem/ecm"
ACUITY = f"{OURS}/CodeSystem/acuity"
LETTER = "unable-to-contact-letter"  # of code system `ecm`
_OUTCOMES = f"{OURS}/CodeSystem/outreach-outcome"
_REFERRAL_FORMS = f"{OURS}/Questionnaire/ecm-referral-"
_PROFICIENCY = "http://hl7.org/fhir/StructureDefinition/patient-proficiency"
_PHASES: dict[str, Phase] = {
    "planned": "outreach",
    "waitlist": "outreach",
    "active": "enrolled",
    "onhold": "enrolled",
}
Json = dict[str, Any]


def codes(concepts: Iterable[Json], system: str) -> list[str]:
    """The codes of a system among CodeableConcepts, in order."""
    codings = [coding for concept in concepts for coding in concept.get("coding", ())]
    return [row["code"] for row in codings if row.get("system") == system and "code" in row]


def ref_of(reference: Json) -> str:
    """A literal reference, `""` if it has none."""
    found: str = reference.get("reference", "")
    return found


def identifier(resource: Resource, system: str) -> str:
    """The first value of an identifier system that is still in use; `""` if none."""
    rows = [row for row in resource.get("identifier", ()) if row.get("system") == system]
    return next((r["value"] for r in rows if r.get("value") and r.get("use") != "old"), "")


def extension(resource: Resource, name: str) -> Json:
    """The first extension of one of our definitions; empty if absent."""
    url = f"{OURS}/StructureDefinition/{name}"
    return next((row for row in resource.get("extension", ()) if row.get("url") == url), {})


def concept(resource: Resource, name: str) -> Json:
    """The CodeableConcept of one of our extensions; empty if absent."""
    found: Json = extension(resource, name).get("valueCodeableConcept", {})
    return found


# --- enrollment


class Days(NamedTuple):
    """The days of an enrollment, Californian."""

    received: date | None
    enrolled: date | None
    ended: date | None


def phase(status: str) -> Phase:
    """Where the member stands, by EpisodeOfCare.status; neither coming nor running is over."""
    return _PHASES.get(status, "over")


def episode_days(store: Store, episode: Resource, listed: date | None = None) -> Days:
    """When the enrollment was received, began and ended.

    Received is when we first held it (its first version), or before that when the file came that
    put the member on the list (`listed`). One that was over and came again is received anew: its
    clock starts again.
    """
    status, period = episode.get("status", ""), episode.get("period", {})
    run = _run(store, episode, listed)
    received = run[-1][1] if run else None
    enrolled = ended = None
    if phase(status) == "enrolled" or status == "finished":
        active = [day for state, day in run if phase(state) == "enrolled"]
        enrolled = day_of(period.get("start", "")) or (active[-1] if active else received)
    if phase(status) == "over":
        ended = day_of(period.get("end", ""))
    return Days(received, enrolled, ended)


def _run(store: Store, episode: Resource, listed: date | None) -> list[tuple[str, date | None]]:
    """Status and day of its versions, newest first, back to where it last was over."""
    meta = episode.get("meta", {})
    if meta.get("versionId") == "1":
        day = day_of(meta.get("lastUpdated", ""))
        return [(episode.get("status", ""), _earlier(day, listed))]
    found: list[tuple[str, date | None]] = []
    for row in store.history("EpisodeOfCare", episode["id"]):
        status = "" if row.deleted else row.resource.get("status", "")
        if found and phase(status) == "over" and phase(found[-1][0]) != "over":
            return found
        found.append((status, day_of(row.updated)))
    if found:
        found[-1] = (found[-1][0], _earlier(found[-1][1], listed))
    return found


def _earlier(day: date | None, listed: date | None) -> date | None:
    return min(filter(None, (day, listed)), default=None)


# --- attempts


def modality(row: Resource) -> str:
    """In which way an attempt was made, by Communication.medium; `""` when nobody said."""
    known = table("modality")
    codings = [coding for medium in row.get("medium", ()) for coding in medium.get("coding", ())]
    return next((known[one["code"]] for one in codings if one.get("code") in known), "")


def outcome(row: Resource) -> str:
    """Our code of what came of an attempt, by Communication.statusReason."""
    return next(iter(codes([row.get("statusReason", {})], _OUTCOMES)), "")


def is_referral_form(response: Resource) -> bool:
    """Whether answers are how the member was referred, which is no assessment."""
    form = str(response.get("questionnaire", ""))
    return "basedOn" in response or form.startswith(_REFERRAL_FORMS)


# --- the person


def county(patient: Resource) -> str:
    """The county of the home address."""
    home = _address(patient, lambda row: row.get("use") == "home")
    found: str = home.get("district", "")
    return found


def person(patient: Resource, member_id: str) -> Person:
    """Name, identifiers, languages (written first) and mailing address."""
    rows = [row for row in patient.get("name", ()) if row.get("use") != "old"]
    name = next((row for row in rows if row.get("use") == "official"), rows[0] if rows else {})
    parts = (*name.get("given", ()), name.get("family", ""), *name.get("suffix", ()))
    whole = " ".join(part for part in parts if part) or name.get("text", "")
    return Person(
        name=whole,
        cin=identifier(patient, terms.system("cin")),
        member_id=member_id,
        languages=_languages(patient),
        address=_lines(_address(patient, lambda row: row.get("type") == "postal")),
    )


def _address(patient: Resource, wanted: Callable[[Json], bool]) -> Json:
    """The present address that is wanted, else the first; empty if none."""
    rows = [
        row
        for row in patient.get("address", ())
        if row.get("use") != "old" and "end" not in row.get("period", {})
    ]
    return next((row for row in rows if wanted(row)), rows[0] if rows else {})


def _lines(address: Json) -> tuple[str, ...]:
    town = f"{address.get('city', '')}, {address.get('state', '')} {address.get('postalCode', '')}"
    return tuple(line for line in (*address.get("line", ()), town.strip(" ,")) if line)


def _languages(patient: Resource) -> tuple[str, ...]:
    rows = patient.get("communication", ())
    ordered = sorted(rows, key=lambda row: (not _written(row), not row.get("preferred", False)))
    found = [
        coding["code"].partition("-")[0]
        for row in ordered
        for coding in row.get("language", {}).get("coding", ())
        if coding.get("code")
    ]
    return tuple(dict.fromkeys(found))


def _written(row: Json) -> bool:
    return any(one.get("url") == _PROFICIENCY for one in row.get("extension", ()))
