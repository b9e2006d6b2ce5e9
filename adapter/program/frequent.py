"""Which members of a plan use hospitals often: counted for all at once, kept as Flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from adapter import terms
from adapter.program import rosters
from adapter.program.alert import BASE
from adapter.program.rosters import Rosters
from adapter.program.utilization import Usage, kind, rules, usage
from adapter.record import Resource
from adapter.store.protocol import Store

COLUMNS = (
    "patient", "cin", "on", "age_group", "months", "emergency_visits", "stays", "reached",
    "evidence",
)  # fmt: skip
_DETAIL = "http://hl7.org/fhir/StructureDefinition/flag-detail"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"


class Count(NamedTuple):
    """A member and what his stays add up to."""

    patient: Resource
    usage: Usage


def members(store: Store, plan: str, on: date) -> Iterator[Count]:
    """Every member of a plan with a stay in the longest window, ordered by id.

    Reads the stays of the window, and those without times, once: it costs as many as there are,
    not as many members.
    """
    lists = Rosters()
    for subject, encounters in sorted(_by_person(store, on).items()):
        patient = rosters.person(store, subject)
        if patient is None or plan not in {one.plan for one in lists.of(store, patient)}:
            continue
        count = usage(encounters, _birth(patient), on)
        if count.evidence:
            yield Count(patient, count)


def flag(store: Store, counts: Iterable[Count], on: date, now: str) -> int:
    """Put a Flag for who is at a threshold, end those of who no longer is; how many changed."""
    changed = 0
    with store.batch():
        for count in counts:
            old = store.read("Flag", _flag_id(count.patient))
            before = old.resource if old is not None and not old.deleted else None
            after = _flagged(count, on, before)
            if after is not None:
                version = store.put(after, now)[0].version
                changed += version != (old.version if old else 0)
    return changed


def row(count: Count, on: date) -> Sequence[str]:
    """One line of the CSV, by COLUMNS."""
    system, used = terms.system("cin"), count.usage
    names = count.patient.get("identifier", ())
    cin = next((str(one.get("value", "")) for one in names if one.get("system") == system), "")
    return (
        f"Patient/{count.patient['id']}", cin, on.isoformat(), used.threshold.group,
        str(used.threshold.months), str(len(used.emergency)), str(len(used.stays)),
        " ".join(used.reached), " ".join(used.evidence),
    )  # fmt: skip


def _by_person(store: Store, on: date) -> dict[str, list[Resource]]:
    by = rules()
    found: dict[str, list[Resource]] = {}
    statuses = ("status", ",".join(sorted(by.statuses)))
    for window in (("date", f"ge{by.earliest(on).isoformat()}"), ("date:missing", "true")):
        for encounter in store.each("Encounter", [statuses, window]):
            subject = encounter.get("subject", {}).get("reference", "")
            patient = rosters.person(store, subject) if subject and kind(encounter, by) else None
            if patient is not None:
                found.setdefault(f"Patient/{patient['id']}", []).append(encounter)
    return found


def _birth(patient: Resource) -> date | None:
    try:
        return date.fromisoformat(patient.get("birthDate", ""))
    except ValueError:  # a year or a month only, or none
        return None


def _flagged(count: Count, on: date, before: Resource | None) -> Resource | None:
    """The Flag as it should be; None when there is none and need be none."""
    if not count.usage.reached:
        ended = before is not None and before["status"] == "active"
        if before is None or not ended:
            return None
        period = {**before.get("period", {}), "end": on.isoformat()}
        return {**before, "status": "inactive", "period": period}
    still = before is not None and before["status"] == "active"
    since = before["period"]["start"] if before is not None and still else on.isoformat()
    return {
        "resourceType": "Flag",
        "id": _flag_id(count.patient),
        "extension": [
            {"url": _DETAIL, "valueReference": {"reference": ref}} for ref in count.usage.evidence
        ],
        "status": "active",
        "category": [{"coding": [{"system": _CATEGORY, "code": "clinical"}]}],
        "code": _code(count.usage),
        "subject": {"reference": f"Patient/{count.patient['id']}"},
        "period": {"start": since},
    }


def _code(used: Usage) -> Resource:
    found = terms.table("population-of-focus").get(rules().population)
    coding = (
        [{"system": found.system, "code": found.code, "display": found.display}] if found else []
    )
    text = f"{len(used.emergency)} emergency visits and {len(used.stays)} unplanned stays"
    return {"coding": coding, "text": f"{text} in {used.threshold.months} months"}


def _flag_id(patient: Resource) -> str:
    return str(uuid5(NAMESPACE_URL, f"{BASE}/Flag/{rules().population}/{patient['id']}"))
