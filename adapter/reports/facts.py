"""Everything a return file tells of one member, read from the store once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from adapter import terms
from adapter.record import Resource
from adapter.reports.attempts import Attempt, attempts
from adapter.reports.fhir import ECM, codes, day_of, identifier, ref_of
from adapter.reports.setup import Setup
from adapter.reports.shelf import Loop, Shelf, Wanted, named
from adapter.store.protocol import Store, Trace

_REFERRAL_FORMS = "https://ecm-adapter.example/fhir/Questionnaire/ecm-referral-"
_NOT_COVERED = ("cancelled", "entered-in-error")
_CHUNK = 100  # members read at once


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
    """One member of a plan as a report sees them; what is not known is None or empty.

    `attempts`  outreach up to the month's end, in order of time
    `medicare`  the member's Coverage by Medicare, if there is one
    `tallies`   numbers of contacts in a month as another told them, without the contacts
    """

    patient: Resource
    coverage: Resource
    medicare: Resource | None
    payor: Resource | None
    episode: Resource | None
    provider: Resource | None
    manager: Resource | None
    contacts: tuple[Contact, ...]
    attempts: tuple[Attempt, ...]
    care_plans: tuple[Resource, ...]
    assessments: tuple[Resource, ...]
    authorizations: tuple[Resource, ...]
    appointments: tuple[Resource, ...]
    tallies: tuple[Resource, ...]
    task: str
    loop: tuple[str, str, str] | None
    traces: tuple[Trace, ...]
    setup: Setup

    @property
    def ref(self) -> str:
        """The member's reference."""
        return f"Patient/{self.patient['id']}"


def members(store: Store, wanted: Wanted) -> Iterator[Facts]:
    """Every member with Coverage of the plan, once, in the order of the Patient's id.

    They are read a hundred at a time; whoever was merged into another is told of as that one.
    """
    found = sorted(_coverages(store, wanted.setup.plan).items())
    others: dict[str, Resource | None] = {}  # plans, providers and staff, read once
    for start in range(0, len(found), _CHUNK):
        some = dict(found[start : start + _CHUNK])
        shelf = Shelf(store, wanted, frozenset(some), others)
        people = {f"Patient/{row['id']}": row for row in named(store, some)}
        owned = {f"Coverage/{row['id']}": row for row in named(store, _both(some))}
        for ref, (own, other) in some.items():
            if ref in people and own in owned and not _merged(people[ref]):
                yield _facts(people[ref], (owned[own], owned.get(other)), shelf)


def _both(some: Mapping[str, tuple[str, str]]) -> list[str]:
    return [ref for pair in some.values() for ref in pair if ref]


def _merged(patient: Resource) -> bool:
    links = (link for link in patient.get("link", ()) if link.get("type") == "replaced-by")
    others = (link.get("other", {}).get("reference", "") for link in links)
    return any(other.startswith("Patient/") for other in others)


def _facts(patient: Resource, coverages: tuple[Resource, Resource | None], shelf: Shelf) -> Facts:
    store, wanted = shelf.store, shelf.wanted

    def rows(kind: str) -> list[Resource]:
        return shelf.rows(kind, f"Patient/{patient['id']}")

    episode = _episode(rows("EpisodeOfCare")) or {}
    visits = {f"Encounter/{row['id']}": row for row in rows("Encounter")}
    task, told = _referral(store, rows("Task"), wanted.loop)
    return Facts(
        patient=patient,
        coverage=coverages[0],
        medicare=coverages[1],
        payor=shelf.other(next(iter(coverages[0].get("payor", ())), {})),
        episode=episode or None,
        provider=shelf.other(episode.get("managingOrganization", {})),
        manager=shelf.other(episode.get("careManager", {})),
        contacts=tuple(_contacts(visits, wanted.setup)),
        attempts=tuple(attempts(rows("Communication"), visits, wanted.setup)),
        care_plans=tuple(rows("CarePlan")),
        assessments=tuple(r for r in rows("QuestionnaireResponse") if not _referral_form(r)),
        authorizations=tuple(rows("ClaimResponse")),
        appointments=tuple(rows("Appointment")),
        tallies=tuple(rows("Observation")),
        task=task,
        loop=told,
        traces=tuple(store.trace("Patient", patient["id"])) if wanted.needs("trace") else (),
        setup=wanted.setup,
    )


def _coverages(store: Store, plan: str) -> dict[str, tuple[str, str]]:
    """Patient reference -> Coverage by the plan (of several the one that began last), by Medicare.

    The second is `""` when there is none.
    """
    token = f"{terms.system('plan')}|{plan}"
    found = store.search("Organization", [("identifier", token)]).matches
    payor = {f"Organization/{row.resource['id']}" for row in found}
    best: dict[str, tuple[str, str]] = {}
    medicare: dict[str, str] = {}
    for row in store.each("Coverage"):
        ref = ref_of(row.get("beneficiary", {}))
        if not ref.startswith("Patient/") or row.get("status") in _NOT_COVERED:
            continue
        own = (row.get("period", {}).get("start", ""), f"Coverage/{row['id']}")
        if _of_plan(row, plan, payor):
            best[ref] = max(own, best.get(ref, own))
        elif _by_medicare(row):
            medicare[ref] = own[1]
    return {ref: (uid, medicare.get(ref, "")) for ref, (_, uid) in best.items()}


def _of_plan(row: Resource, plan: str, payor: set[str]) -> bool:
    mine = identifier(row, terms.system("plan-member", plan))
    return bool(mine) or any(ref_of(one) in payor for one in row.get("payor", ()))


def _by_medicare(row: Resource) -> bool:
    kind = row.get("type", {})
    shown = [kind.get("text", ""), *(one.get("display", "") for one in kind.get("coding", ()))]
    number = identifier(row, terms.system("mbi"))
    return bool(number) or any("medicare" in text.casefold() for text in shown)


def _episode(rows: Sequence[Resource]) -> Resource | None:
    """The enrollment a report speaks of: a running one, else the one that began last."""
    kept = [row for row in rows if row.get("status") != "entered-in-error"]
    running = ("active", "onhold")
    return max(
        kept,
        key=lambda row: (row.get("status") in running, row.get("period", {}).get("start", "")),
        default=None,
    )


def _contacts(visits: Mapping[str, Resource], setup: Setup) -> Iterator[Contact]:
    for ref, row in visits.items():
        own = codes(row.get("type", ()), ECM)
        day = day_of(row.get("period", {}).get("start", ""), setup.zone)
        if own and day and row.get("status") == "finished" and day <= setup.end:
            kind = row.get("class", {}).get("code")
            in_person = kind in ("AMB", "HH", "FLD")
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
