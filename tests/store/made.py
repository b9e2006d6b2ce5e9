"""Units of invented people, as the pipeline hands them to the store."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter.issues import Issue
from adapter.outcome import Outcome, Unit
from adapter.record import Entry, Location, Resource

BASE = "https://ecm-adapter.example/fhir"
CIN, MRN, AUTH = f"{BASE}/sid/cin", f"{BASE}/sid/mrn-mercy", f"{BASE}/sid/authorization/sunrise"
PLAN, FEED = "plan:sunrise", "feed:mercy"
NOW = "2026-03-02T08:00:00Z"

Made = tuple[Outcome, bytes]


def urn(*parts: object) -> str:
    """A deterministic urn, as the mapping engine makes them."""
    return "urn:uuid:" + str(uuid5(NAMESPACE_URL, "|".join(map(str, parts))))


def identifier(system: str, value: str, code: str = "MA") -> dict[str, Any]:
    """A FHIR Identifier with a table 0203 type."""
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


def patient(*names: tuple[str, str], family: str = "Quillfeather", **more: Any) -> Entry:
    """A Patient entry known by (system, value) identifiers."""
    resource: Resource = {
        "resourceType": "Patient",
        "identifier": [identifier(*name) for name in names],
        "name": [{"family": family, "given": ["Odette"]}],
        "birthDate": "1980-05-17",
        **more,
    }
    resource = {key: value for key, value in resource.items() if value is not None}
    told = [(2, "identifier", "Member CIN"), (2, "name[0].family", "Last Name")]
    return Entry(resource, urn("Patient", *names), names, told=told)


def unit(
    *entries: Entry,
    source: str = PLAN,
    as_of: str = "2026-03-01T00:00:00Z",
    raw: bytes = b"",
    key: str = "",
    issues: tuple[Issue, ...] = (),
) -> Made:
    """An outcome of these entries, and its bytes: those of its content unless given."""
    about = Unit(Location("members.csv", 2), "mif", source, key, as_of)
    told = raw or repr([(entry.resource, entry.cleared, entry.weak) for entry in entries]).encode()
    return Outcome(about, list(entries), list(issues)), told


def row(number: int, street: str = "1 Lantern Row", as_of: str = "2026-03-01T00:00:00Z") -> Made:
    """A member file's row: Patient, Coverage, EpisodeOfCare, authorization."""
    person = patient((CIN, f"9{number:07d}A"), address=[{"line": [street]}])
    subject = {"reference": person.urn}
    coverage: Resource = {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": subject,
        "payor": [{"display": "Sunrise"}],
    }
    episode: Resource = {
        "resourceType": "EpisodeOfCare",
        "status": "active",
        "patient": subject,
        "period": {"start": "2026-02-01"},
    }
    answer: Resource = {
        "resourceType": "ClaimResponse",
        "identifier": [identifier(AUTH, f"AU{number}", "AUTH")],
        "status": "active",
        "use": "preauthorization",
        "patient": subject,
    }
    return unit(
        person,
        Entry(coverage, urn("Coverage", number), key=(person.urn, "sunrise")),
        Entry(episode, urn("Episode", number), key=(person.urn, "ecm")),
        Entry(answer, urn("Answer", number), ((AUTH, f"AU{number}"),)),
        as_of=as_of,
    )
