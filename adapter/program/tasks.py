"""What is due as FHIR Tasks: the same work is the same Task; done work is completed by its fact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter.program.dues import KINDS, Due
from adapter.program.facts import OURS, ref_of
from adapter.record import Resource
from adapter.store.protocol import Store

SYSTEM = f"{OURS}/CodeSystem/due"
_PLAN = f"{OURS}/sid/plan"
_OPEN = "ready"
_NAMESPACE = uuid5(NAMESPACE_URL, SYSTEM)
Json = dict[str, Any]


def task(due: Due) -> Resource:
    """One thing due as a Task; nothing in it changes from day to day but whether it is overdue."""
    case = due.case
    found: Resource = {
        "resourceType": "Task",
        "id": _id(due),
        "groupIdentifier": {"system": _PLAN, "value": case.plan},
        "status": _OPEN,
        "businessStatus": {"coding": [{"system": SYSTEM, "code": _state(due)}]},
        "intent": "order",
        "priority": "urgent" if case.risk[0] == 1 else "routine",
        "code": {"coding": [{"system": SYSTEM, "code": due.kind, "display": KINDS[due.kind]}]},
        "focus": {"reference": due.subject or case.episode},
        "for": {"reference": case.patient},
        "authoredOn": due.since.isoformat(),
        "reasonCode": {"text": f"{due.rule.name}: {due.rule.source}"},
        "restriction": {"period": {"start": due.since.isoformat(), "end": due.due.isoformat()}},
    }
    if due.detail:
        found["description"] = due.detail
    if case.manager:
        found["owner"] = {"reference": case.manager}
    return found


def reconcile(store: Store, dues: Sequence[Due], plan: str, on: date, now: str) -> dict[str, int]:
    """Make the stored Tasks of a plan what is due; counts of those new, changed and closed.

    An open Task whose work is no longer due is completed when the same work is due anew or its
    fact appeared, cancelled when its reason went away. A second run writes nothing.
    """
    wanted = {row["id"]: row for row in map(task, dues)}
    counts = {"new": 0, "changed": 0, "closed": 0}
    open_ = {row["id"]: row for row in _open(store, plan)}
    with store.batch():
        for uid, row in wanted.items():
            stored = open_.get(uid) or _read(store, uid)
            kept = {"note": stored["note"]} if "note" in stored else {}
            if _same(stored, row | kept):
                continue
            _, made = store.put(row | kept, now)
            counts["new" if made else "changed"] += 1
        for uid in sorted(open_.keys() - wanted.keys()):
            store.put(_closed(store, open_[uid], dues, on), now)
            counts["closed"] += 1
    return counts


def bundle(dues: Iterable[Due]) -> Resource:
    """What is due as a Bundle of Tasks, in the order given."""
    rows = [task(due) for due in dues]
    entries = [{"fullUrl": f"urn:uuid:{row['id']}", "resource": row} for row in rows]
    found: Resource = {"resourceType": "Bundle", "type": "collection"}
    return {**found, "entry": entries} if entries else found


def _id(due: Due) -> str:
    """One for the same work of the same member, whenever it is reckoned."""
    parts = (due.case.plan, due.case.patient, due.kind, due.subject, due.since.isoformat())
    return str(uuid5(_NAMESPACE, "|".join(parts)))


def _state(due: Due) -> str:
    return "overdue" if due.overdue else "open"


def _open(store: Store, plan: str) -> list[Resource]:
    rows = store.each("Task", [("status", _OPEN), ("code", f"{SYSTEM}|")])
    return [row for row in rows if row.get("groupIdentifier", {}).get("value") == plan]


def _read(store: Store, uid: str) -> Resource:
    """A Task that is not open any more, and now is again; empty when there is none."""
    found = store.read("Task", uid)
    return {} if found is None or found.deleted else found.resource


def _same(stored: Resource, row: Resource) -> bool:
    return {name: value for name, value in stored.items() if name != "meta"} == row


def _closed(store: Store, row: Resource, dues: Sequence[Due], on: date) -> Resource:
    gone = _gone(store, row, dues)
    kept = {name: value for name, value in row.items() if name not in ("meta", "businessStatus")}
    kept["status"] = "cancelled" if gone else "completed"
    period = {"start": row["authoredOn"], "end": max(row["authoredOn"], on.isoformat())}
    kept["executionPeriod"] = period
    if gone:
        kept["statusReason"] = {"text": gone}
    return kept


def _gone(store: Store, row: Resource, dues: Sequence[Due]) -> str:
    """Why the work fell away without being done; `""` when it was done.

    Work that is due anew was done once. Outreach is also done by enrollment, and by the member's
    word against it (the enrollment is cancelled then).
    """
    kind, ref = row["code"]["coding"][0]["code"], ref_of(row["for"])
    if any(due.kind == kind and due.case.patient == ref for due in dues):
        return ""
    settled = {"active", "onhold"}
    if kind.startswith("outreach"):
        settled |= {"planned", "waitlist", "cancelled"}
    rows = store.each("EpisodeOfCare", [("patient", ref)])
    known = {one.get("status", "") for one in rows}
    return "" if known & settled else "the enrollment is over"
