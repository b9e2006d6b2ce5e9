"""Everything a return file tells of one member, read from the store once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from adapter import terms
from adapter.record import Resource
from adapter.reports.fhir import ECM, codes, day_of, identifier, ref_of
from adapter.reports.setup import Setup
from adapter.store.protocol import Store, Trace

# Status, date and closure reason of a referral from all versions of its Task; None if untold.
Loop = Callable[[Sequence[Resource]], tuple[str, str, str] | None]


_REFERRAL_FORMS = "https://ecm-adapter.example/fhir/Questionnaire/ecm-referral-"


@dataclass(frozen=True, slots=True)
class Contact:
    """One ECM contact: its Encounter, its day, in person or not, and whether before enrollment."""

    ref: str
    on: date
    in_person: bool
    virtual: bool
    outreach: bool
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """One member of a plan as a report sees them; what is not known is None or empty."""

    patient: Resource
    coverage: Resource
    payor: Resource | None
    episode: Resource | None
    provider: Resource | None
    manager: Resource | None
    contacts: tuple[Contact, ...]
    care_plans: tuple[Resource, ...]
    assessments: tuple[Resource, ...]
    task: str
    loop: tuple[str, str, str] | None
    traces: tuple[Trace, ...]
    setup: Setup


def members(store: Store, setup: Setup, loop: Loop) -> Iterator[Facts]:
    """Every member with Coverage of the plan, once, in the order of the Patient's id."""
    for patient, coverage in sorted(_coverages(store, setup.plan).items()):
        person, own = read(store, patient), read(store, f"Coverage/{coverage}")
        if person is not None and own is not None:
            yield _facts(store, person, own, setup, loop)


def read(store: Store, ref: str) -> Resource | None:
    """The resource of a reference; None when there is none, or it is deleted."""
    kind, _, uid = ref.partition("/")
    stored = store.read(kind, uid) if uid else None
    return None if stored is None or stored.deleted else stored.resource


def _facts(store: Store, patient: Resource, coverage: Resource, setup: Setup, loop: Loop) -> Facts:
    of = [("patient", f"Patient/{patient['id']}")]
    episode = _episode(list(store.each("EpisodeOfCare", of)))
    task, told = _referral(store, list(store.each("Task", of)), loop)
    payor = ref_of(next(iter(coverage.get("payor", ())), {}))
    answers = store.each("QuestionnaireResponse", of)
    return Facts(
        patient=patient,
        coverage=coverage,
        payor=read(store, payor),
        episode=episode,
        provider=read(store, ref_of((episode or {}).get("managingOrganization", {}))),
        manager=read(store, ref_of((episode or {}).get("careManager", {}))),
        contacts=tuple(_contacts(store, of, setup)),
        care_plans=tuple(store.each("CarePlan", of)),
        assessments=tuple(row for row in answers if not _referral_form(row)),
        task=task,
        loop=told,
        traces=tuple(store.trace("Patient", patient["id"])),
        setup=setup,
    )


def _coverages(store: Store, plan: str) -> dict[str, str]:
    """Patient reference -> id of the Coverage by the plan: of several the one that began last."""
    token = f"{terms.system('plan')}|{plan}"
    found = store.search("Organization", [("identifier", token)]).matches
    payor = {f"Organization/{row.resource['id']}" for row in found}
    best: dict[str, tuple[str, str]] = {}
    for row in store.each("Coverage"):
        ref = ref_of(row.get("beneficiary", {}))
        mine = identifier(row, terms.system("plan-member", plan)) or any(
            ref_of(one) in payor for one in row.get("payor", ())
        )
        if mine and ref.startswith("Patient/") and row.get("status") != "cancelled":
            own = (row.get("period", {}).get("start", ""), row["id"])
            best[ref] = max(own, best.get(ref, own))
    return {ref: uid for ref, (_, uid) in best.items()}


def _episode(rows: Sequence[Resource]) -> Resource | None:
    """The enrollment a report speaks of: a running one, else the one that began last."""
    kept = [row for row in rows if row.get("status") != "entered-in-error"]
    running = ("active", "onhold")
    return max(
        kept,
        key=lambda row: (row.get("status") in running, row.get("period", {}).get("start", "")),
        default=None,
    )


def _contacts(store: Store, of: Sequence[tuple[str, str]], setup: Setup) -> Iterator[Contact]:
    for row in store.each("Encounter", of):
        own = codes(row.get("type", ()), ECM)
        day = day_of(row.get("period", {}).get("start", ""), setup.zone)
        if own and day and row.get("status") == "finished" and day <= setup.end:
            kind = row.get("class", {}).get("code")
            in_person = kind in ("AMB", "HH", "FLD")
            ref = f"Encounter/{row['id']}"
            yield Contact(ref, day, in_person, kind == "VR", "outreach" in own, tuple(own))


def _referral(
    store: Store, tasks: Sequence[Resource], loop: Loop
) -> tuple[str, tuple[str, str, str] | None]:
    """The latest referral's Task and what its history says."""
    referrals = [row for row in tasks if ref_of(row.get("focus", {})).startswith("ServiceRequest/")]
    for task in sorted(referrals, key=_begun, reverse=True):
        history = [row.resource for row in store.history("Task", task["id"]) if not row.deleted]
        told = loop(history or [task])
        if told is not None:
            return f"Task/{task['id']}", told
    return "", None


def _begun(task: Resource) -> tuple[float, str]:
    text = task.get("authoredOn") or task.get("lastModified") or ""
    moment = datetime.fromisoformat(text) if len(text) >= len("2026-01-01") else None
    return (moment.timestamp() if moment else 0.0, task["id"])


def _referral_form(response: Resource) -> bool:
    """Whether it is how the member was referred, which is no assessment."""
    form = str(response.get("questionnaire", ""))
    return "basedOn" in response or form.startswith(_REFERRAL_FORMS)
