"""Which members of a plan use hospitals often: counted for all at once, kept as Flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from adapter import terms
from adapter.program import rosters
from adapter.program.alert import BASE
from adapter.program.places import in_order
from adapter.program.rosters import Rosters
from adapter.program.utilization import Usage, began, kind, rules, usage
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
    """Put a Flag for who is at a threshold, end those of who no longer is; how many changed.

    One active Flag a person, whoever he was merged with. A Flag that tells of a later day stays.
    """
    known = _known(store)
    wanted = [
        after
        for count in _with_flags(store, counts, known, on)
        for after in _flagged(count, on, known.get(_ref(count), []))
    ]
    changed = 0
    with store.batch():
        for after in wanted:
            old = store.read("Flag", after["id"])
            changed += store.put(after, now)[0].version != (old.version if old else 0)
    return changed


def row(count: Count, on: date) -> Sequence[str]:
    """One line of the CSV, by COLUMNS."""
    system, used = terms.system("cin"), count.usage
    names = count.patient.get("identifier", ())
    cin = next((str(one.get("value", "")) for one in names if one.get("system") == system), "")
    return (
        _ref(count), cin, on.isoformat(), used.threshold.group,
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
                stay = _dated(store, encounter)
                found.setdefault(f"Patient/{patient['id']}", []).append(stay)
    return found


def _dated(store: Store, encounter: Resource) -> Resource:
    """A stay; of which nothing tells when it began, it had by the message that gave its status.

    An A04 of an emergency room tells that the patient has come (HL7 v2.9 chapter 3.3.4); of times
    only EVN-2 is required of it (chapter 3.4.1).
    """
    if began(encounter, rules()):
        return encounter
    rows = store.trace("Encounter", encounter["id"])
    told = next((row.as_of for row in rows if row.element == "status"), "")
    period = encounter.get("period", {})
    start = told if not told or in_order(told, period.get("end", "")) else period["end"]
    return {**encounter, "period": {**period, "start": start}} if start else encounter


def _birth(patient: Resource) -> date | None:
    try:
        return date.fromisoformat(patient.get("birthDate", ""))
    except ValueError:  # a year or a month only, or none
        return None


def _known(store: Store) -> dict[str, list[Resource]]:
    """The Flags of this population by person, the one that goes on first."""
    found: dict[str, list[Resource]] = {}
    for one in store.each("Flag", [("code", rules().population)]):
        patient = rosters.person(store, one.get("subject", {}).get("reference", ""))
        if patient is not None:
            found.setdefault(f"Patient/{patient['id']}", []).append(one)
    return {ref: sorted(flags, key=_rank) for ref, flags in found.items()}


def _rank(one: Resource) -> tuple[bool, str, str]:
    return not _active(one), one.get("period", {}).get("start", ""), one["id"]


def _with_flags(
    store: Store, counts: Iterable[Count], known: Mapping[str, Sequence[Resource]], on: date
) -> Iterator[Count]:
    """The counts, and those of whoever else has an active Flag and is at no threshold."""
    seen = set()
    for count in counts:
        seen.add(_ref(count))
        yield count
    rest = [ref for ref, flags in known.items() if ref not in seen and _active(flags[0])]
    stays = _by_person(store, on) if rest else {}
    for ref in rest:
        patient = rosters.person(store, ref) or {}
        used = usage(stays.get(ref, ()), _birth(patient), on)
        if not used.reached:
            yield Count(patient, used)


def _flagged(count: Count, on: date, flags: Sequence[Resource]) -> Iterator[Resource]:
    """The Flags as they should be; none where there need be none."""
    today, reached = on.isoformat(), bool(count.usage.reached)
    days = (one.get("period", {}).get(end, "") for one in flags for end in ("start", "end"))
    if any(day[:10] > today for day in days):
        return
    for one in flags[1 if reached else 0 :]:
        if _active(one):
            yield {**one, "status": "inactive", "period": {**one.get("period", {}), "end": today}}
    if not reached:
        return
    before = next(iter(flags), {})
    still = bool(before) and _active(before)
    yield {
        "resourceType": "Flag",
        "id": before.get("id") or _flag_id(count.patient),
        "extension": [
            {"url": _DETAIL, "valueReference": {"reference": ref}} for ref in count.usage.evidence
        ],
        "status": "active",
        "category": [{"coding": [{"system": _CATEGORY, "code": "clinical"}]}],
        "code": _code(count.usage),
        "subject": {"reference": _ref(count)},
        "period": {"start": before.get("period", {}).get("start", today) if still else today},
    }


def _active(one: Resource) -> bool:
    return bool(one.get("status") == "active")


def _ref(count: Count) -> str:
    return f"Patient/{count.patient['id']}"


def _code(used: Usage) -> Resource:
    found = terms.table("population-of-focus").get(rules().population)
    coding = (
        [{"system": found.system, "code": found.code, "display": found.display}] if found else []
    )
    text = f"{len(used.emergency)} emergency visits and {len(used.stays)} unplanned stays"
    return {"coding": coding, "text": f"{text} in {used.threshold.months} months"}


def _flag_id(patient: Resource) -> str:
    return str(uuid5(NAMESPACE_URL, f"{BASE}/Flag/{rules().population}/{patient['id']}"))
