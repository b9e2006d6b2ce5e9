"""What billing needs to know of an ECM contact and of its member, taken from FHIR resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter import terms
from adapter.record import Resource

ECM = "https://ecm-adapter.example/fhir/CodeSystem/ecm"
PLACE = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"
_STAFF = {"clinical": "clinical", "non-clinical": "non_clinical"}
_MODALITY = {"VR": "telehealth", "AMB": "in_person", "HH": "in_person", "FLD": "in_person"}
_ENROLLED = ("active", "onhold", "finished")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from start to end, both included, as FHIR dates; `""` is open."""

    start: str
    end: str

    def holds(self, day: date) -> bool:
        """True when the day lies inside; a partial date (`2026-01`) counts as a whole."""
        text = day.isoformat()
        early, late = text[: len(self.start)], text[: len(self.end)]
        return early >= self.start and (not self.end or late <= self.end)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A plan's authorization number, when it holds, and its ClaimResponse."""

    number: str
    span: Span
    ref: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """The person who served the member: loop 2310B."""

    family: str
    given: str
    npi: str
    ref: str


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address as N3 and N4 take it."""

    street: str
    unit: str
    city: str
    state: str
    zip: str


@dataclass(frozen=True, slots=True)
class Member:
    """The subscriber, who is the patient (SBR02 = 18), with enrollment and authorizations."""

    ref: str
    coverage: str
    cin: str
    family: str
    given: str
    middle: str
    birth: str
    sex: str
    address: Address | None
    enrolled: tuple[Span, ...] = ()
    authorizations: tuple[Authorization, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """One ECM contact: phase `service`/`outreach`, staff `clinical`/`non_clinical` or `""`."""

    ref: str
    on: date
    phase: str
    staff: str
    modality: str
    minutes: int | None
    place: str
    diagnoses: tuple[str, ...]
    rendering: Rendering | None


def is_contact(encounter: Resource) -> bool:
    """True for an ECM contact that took place (a hospital stay has no code of our system)."""
    types = _codes(encounter.get("type", ()), ECM)
    return bool(types) and encounter.get("status") == "finished"


def contact(encounter: Resource, practitioner: Resource | None, zone: ZoneInfo) -> Contact | None:
    """An Encounter as a Contact; the day is the plan's. None without a start."""
    start = encounter.get("period", {}).get("start", "")
    if len(start) < 10:
        return None
    own = _codes(encounter.get("type", ()), ECM)
    places = _codes(encounter.get("type", ()), PLACE)
    icd = _codes(encounter.get("reasonCode", ()), ICD_10)
    return Contact(
        ref=f"Encounter/{encounter['id']}",
        on=_day(start, zone),
        phase="outreach" if "outreach" in own else "service",
        staff=_staff(encounter),
        modality=_MODALITY.get(encounter.get("class", {}).get("code", ""), ""),
        minutes=_minutes(encounter),
        place=places[0] if places else "",
        diagnoses=tuple(dict.fromkeys(code.replace(".", "").upper() for code in icd)),
        rendering=rendering(practitioner),
    )


def member(
    patient: Resource,
    coverage: Resource,
    episodes: Iterable[Resource],
    answers: Iterable[Resource],
    plan: str,
) -> Member:
    """A Patient with Coverage, EpisodeOfCare and preauthorizations (ClaimResponse) of one plan."""
    name = _best(patient.get("name", ()), "official")
    return Member(
        ref=f"Patient/{patient['id']}",
        coverage=f"Coverage/{coverage['id']}",
        cin=identifier(patient, terms.system("cin")),
        family=name.get("family", ""),
        given=next(iter(name.get("given", ())), ""),
        middle=" ".join(name.get("given", ())[1:]),
        birth=patient.get("birthDate", ""),
        sex={"male": "M", "female": "F"}.get(patient.get("gender", ""), "U"),
        address=_address(patient),
        enrolled=tuple(_spans(episodes)),
        authorizations=tuple(_authorizations(answers, plan)),
    )


def identifier(resource: Resource, system: str) -> str:
    """The first value of an identifier system that is still in use; `""` if none."""
    rows = [row for row in resource.get("identifier", ()) if row.get("system") == system]
    kept = [row for row in rows if row.get("use") != "old"]
    return next((row["value"] for row in kept if row.get("value")), "")


def _staff(encounter: Resource) -> str:
    """The kind of staff, coded beside the participant's role."""
    concepts = [kind for row in encounter.get("participant", ()) for kind in row.get("type", ())]
    return next((_STAFF[code] for code in _codes(concepts, ECM) if code in _STAFF), "")


def _codes(concepts: Iterable[dict[str, Any]], system: str) -> list[str]:
    codings = [coding for concept in concepts for coding in concept.get("coding", ())]
    return [row["code"] for row in codings if row.get("system") == system and "code" in row]


def _day(text: str, zone: ZoneInfo) -> date:
    if len(text) == 10:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return moment.astimezone(zone).date() if moment.tzinfo else moment.date()


def _minutes(encounter: Resource) -> int | None:
    length = encounter.get("length", {})
    if "value" in length and length.get("code", "min") in ("min", "h"):
        return int(length["value"] * (60 if length.get("code") == "h" else 1))
    period = encounter.get("period", {})
    if len(period.get("start", "")) <= 10 or len(period.get("end", "")) <= 10:
        return None
    lasted = datetime.fromisoformat(period["end"]) - datetime.fromisoformat(period["start"])
    return int(lasted.total_seconds() // 60)


def rendering(practitioner: Resource | None) -> Rendering | None:
    """A Practitioner as the person who rendered a service; `npi` is empty when it is not known."""
    if practitioner is None:
        return None
    name = _best(practitioner.get("name", ()), "official")
    npi = identifier(practitioner, terms.system("npi"))
    ref = f"Practitioner/{practitioner['id']}"
    return Rendering(name.get("family", ""), " ".join(name.get("given", ())), npi, ref)


def _best(rows: Sequence[dict[str, Any]], use: str) -> dict[str, Any]:
    kept = [row for row in rows if row.get("use") != "old" and "end" not in row.get("period", {})]
    return next((row for row in kept if row.get("use") == use), kept[0] if kept else {})


def _address(patient: Resource) -> Address | None:
    row = _best(patient.get("address", ()), "home")
    lines = [*row.get("line", ()), "", ""]
    parts = (
        lines[0],
        lines[1],
        row.get("city", ""),
        row.get("state", ""),
        row.get("postalCode", ""),
    )
    whole = all((parts[0], parts[2], parts[3], parts[4]))
    return Address(*parts) if whole else None


def _spans(episodes: Iterable[Resource]) -> Iterable[Span]:
    for episode in episodes:
        history = [row for row in episode.get("statusHistory", ()) if row["status"] in _ENROLLED]
        yield from (_span(row.get("period", {})) for row in history if row["status"] != "finished")
        if episode.get("status") in _ENROLLED and episode.get("period", {}).get("start"):
            yield _span(episode["period"])


def _authorizations(answers: Iterable[Resource], plan: str) -> Iterable[Authorization]:
    for answer in answers:
        if answer.get("use") != "preauthorization" or answer.get("outcome") == "error":
            continue
        number = answer.get("preAuthRef") or identifier(answer, terms.system("authorization", plan))
        if number:
            span = _span(answer.get("preAuthPeriod", {}))
            yield Authorization(number, span, f"ClaimResponse/{answer['id']}")


def _span(period: dict[str, str]) -> Span:
    return Span(period.get("start", "")[:10], period.get("end", "")[:10])
