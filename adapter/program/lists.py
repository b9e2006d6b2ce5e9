"""Lists for a plan on a day: what is due, where outreach stands, who has how many members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple

from adapter.program import caseload, outreach
from adapter.program.case import Case
from adapter.program.dues import Due, dues
from adapter.program.gather import cases, managers
from adapter.program.silence import Silence, silence
from adapter.record import Resource
from adapter.store.protocol import Store

Row = dict[str, str]
DUE_COLUMNS = (
    "plan", "cin", "plan_member_id", "member", "priority", "acuity", "kind", "since", "due",
    "days_left", "overdue", "detail", "lead_care_manager", "rule", "source",
)  # fmt: skip
OUTREACH_COLUMNS = (
    "plan", "cin", "plan_member_id", "member", "priority", "acuity", "phase", "clock_started",
    "clock_basis", "due", "days_left", "overdue", "late", "attempts", "modalities", "in_person",
    "in_person_share", "letter", "reached", "settled", "owed", "next", "undated", "rule", "source",
)  # fmt: skip
CASELOAD_COLUMNS = ("lead_care_manager", "members", "caseload", "rule", "source")


class Standing(NamedTuple):
    """Where outreach to a member stands, before enrollment or of one who no longer answers."""

    case: Case
    outreach: outreach.Outreach | None
    silence: Silence | None


def due(store: Store, plan: str, on: date) -> list[Due]:
    """All that is due in a plan, highest risk first, then what is due first."""
    found = [one for case in cases(store, plan, on) for one in dues(case, on)]
    return sorted(found, key=lambda one: one.order)


def standings(store: Store, plan: str, on: date) -> list[Standing]:
    """Every member sought or tried in vain, highest risk first, then who is due first."""
    rows = [
        Standing(case, outreach.state(case, on), silence(case, on))
        for case in cases(store, plan, on)
    ]
    return sorted((row for row in rows if row.outreach or row.silence), key=_order)


def _order(row: Standing) -> tuple[tuple[int, int], date, str]:
    last = row.outreach.due if row.outreach else None
    return row.case.risk, last or date.max, row.case.patient


def caseloads(store: Store, plan: str, on: date) -> list[caseload.Caseload]:
    """Enrolled members of every lead care manager across all plans, the most first."""
    return caseload.caseloads(managers(store), plan, on)


# --- as rows of texts


def due_rows(store: Store, found: Iterable[Due]) -> Iterator[Row]:
    """What is due as rows of DUE_COLUMNS."""
    names = _Names(store)
    for one in found:
        yield {
            **_who(one.case),
            "kind": one.kind,
            "since": one.since.isoformat(),
            "due": one.due.isoformat(),
            "days_left": str(one.days_left),
            "overdue": _flag(one.overdue),
            "detail": one.detail,
            "lead_care_manager": names.of(one.case.manager),
            "rule": one.rule.name,
            "source": one.rule.source,
        }


def outreach_rows(found: Iterable[Standing]) -> Iterator[Row]:
    """Where outreach stands as rows of OUTREACH_COLUMNS."""
    for row in found:
        about = {**_who(row.case), "phase": row.case.phase, "undated": str(row.case.undated)}
        if row.outreach is not None:
            yield {**about, **_sought(row.outreach)}
        elif row.silence is not None:
            yield {**about, **_silent(row.silence)}


def caseload_rows(store: Store, found: Iterable[caseload.Caseload]) -> Iterator[Row]:
    """Caseloads as rows of CASELOAD_COLUMNS."""
    names = _Names(store)
    for one in found:
        yield {
            "lead_care_manager": names.of(one.manager),
            "members": str(one.members),
            "caseload": one.load,
            "rule": one.rule.name if one.rule else "",
            "source": one.rule.source if one.rule else "",
        }


def _who(case: Case) -> Row:
    return {
        "plan": case.plan,
        "cin": case.person.cin,
        "plan_member_id": case.person.member_id,
        "member": case.person.name,
        "priority": str(case.priority or ""),
        "acuity": case.acuity,
    }


def _sought(state: outreach.Outreach) -> Row:
    return {
        "clock_started": state.start.isoformat(),
        "clock_basis": state.basis,
        "due": _day(state.due),
        "days_left": "" if state.days_left is None else str(state.days_left),
        "overdue": _flag(state.overdue),
        "late": _flag(state.late),
        "attempts": str(state.attempts),
        "modalities": "; ".join(state.modalities),
        "in_person": str(state.in_person),
        "in_person_share": f"{state.in_person} of {state.attempts}" if state.attempts else "",
        "letter": _day(state.letter),
        "reached": _day(state.reached),
        "settled": _day(state.settled),
        "owed": str(state.owed),
        "next": state.step,
        "rule": state.rule.name,
        "source": state.rule.source,
    }


def _silent(state: Silence) -> Row:
    return {
        "clock_started": state.since.isoformat(),
        "clock_basis": "last contact",
        "attempts": str(state.attempts),
        "modalities": "; ".join(state.modalities),
        "owed": str(state.owed),
        "next": "stop" if state.last else "attempt",
        "rule": state.rule.name,
        "source": state.rule.source,
    }


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _flag(yes: bool) -> str:
    return "Y" if yes else "N"


class _Names:
    """The names of lead care managers, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, str] = {"": ""}

    def of(self, ref: str) -> str:
        if ref not in self._known:
            kind, _, uid = ref.partition("/")
            stored = self._store.read(kind, uid)
            self._known[ref] = _name(stored.resource) if stored else ""
        return self._known[ref]


def _name(resource: Resource) -> str:
    names: list[dict[str, Any]] = resource.get("name", [])
    name = names[0] if names else {}
    whole = " ".join((*name.get("given", ()), name.get("family", ""))).strip()
    return whole or name.get("text", "")
