"""Outreach attempts as the tracker file tells them: Communication, and the Encounter behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from adapter.record import Resource
from adapter.reports.fhir import ECM, OURS, codes, day_of, ref_of
from adapter.reports.setup import Setup

_OUTCOMES = f"{OURS}/CodeSystem/outreach-outcome"
_STAFF = ("clinical", "non-clinical")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when, how, by what kind of staff, how long, and what came of it.

    `at`       the instant in the plan's zone; None when only the day is known
    `medium`, `outcome`  our code, else the source's own word, else `""`
    `done`     False when it was planned and did not take place
    `visit`    the Encounter's reference, `""` if there is none
    """

    ref: str
    visit: str
    on: date
    at: datetime | None
    medium: str
    outcome: str
    staff: str
    minutes: int | None
    reason: str
    done: bool


def attempts(
    rows: Iterable[Resource], visits: Mapping[str, Resource], setup: Setup
) -> Iterator[Attempt]:
    """The attempts among Communications up to the month's end, in order of time."""
    found = [_attempt(row, visits, setup) for row in rows if _is_attempt(row)]
    kept = [one for one in found if one is not None and one.on <= setup.end]
    return iter(sorted(kept, key=lambda one: (one.on, str(one.at or ""), one.ref)))


def _is_attempt(row: Resource) -> bool:
    told = row.get("status") in ("completed", "in-progress", "not-done")
    return told and "outreach" in codes(row.get("category", ()), ECM)


def _attempt(row: Resource, visits: Mapping[str, Resource], setup: Setup) -> Attempt | None:
    sent = row.get("sent") or row.get("received") or ""
    day = day_of(sent, setup.zone)
    if day is None:
        return None
    visit = ref_of(row.get("encounter", {}))
    behind = visits.get(visit, {})
    return Attempt(
        ref=f"Communication/{row['id']}",
        visit=visit,
        on=day,
        at=_instant(sent, setup),
        medium=_said(row.get("medium", ())),
        outcome=_said([row.get("statusReason", {})], _OUTCOMES),
        staff=_staff(behind),
        minutes=minutes(behind),
        reason=_words(row.get("reasonCode", ())),
        done=row["status"] != "not-done",
    )


def minutes(visit: Resource) -> int | None:
    """How long a contact lasted: its length, else from start to end; None if unknown."""
    length = visit.get("length", {})
    if "value" in length:
        return int(length["value"] * (60 if length.get("code") == "h" else 1))
    period = visit.get("period", {})
    start, end = period.get("start", ""), period.get("end", "")
    if "T" not in start or "T" not in end:
        return None
    lasted = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return int(lasted.total_seconds() // 60)


def _instant(text: str, setup: Setup) -> datetime | None:
    if "T" not in text:
        return None
    moment = datetime.fromisoformat(text)
    local = moment.astimezone(setup.zone) if moment.tzinfo else moment
    return local.replace(tzinfo=None, microsecond=0)


def _said(concepts: Iterable[dict[str, Any]], system: str = "") -> str:
    """The first code (of a system, if named), else the first text."""
    rows = list(concepts)
    codings = [one for row in rows for one in row.get("coding", ()) if one.get("code")]
    kept = [one["code"] for one in codings if system in ("", one.get("system"))]
    return next(iter(kept), "") or _words(rows)


def _words(concepts: Iterable[dict[str, Any]]) -> str:
    def words(row: dict[str, Any]) -> str:
        shown = (one.get("display", "") for one in row.get("coding", ()))
        return row.get("text") or next(filter(None, shown), "")

    return next(filter(None, map(words, concepts)), "")


def _staff(visit: Resource) -> str:
    kinds = [kind for row in visit.get("participant", ()) for kind in row.get("type", ())]
    return next((code for code in codes(kinds, ECM) if code in _STAFF), "")
