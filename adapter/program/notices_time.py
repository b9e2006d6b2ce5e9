"""What the messages about a stay tell that it does not say itself: when, and whether it is one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from adapter.program.notices_case import Case
from adapter.program.stays import THERE, Event, instant, rules
from adapter.record import Resource


def was_told(case: Case) -> bool:
    """Whether a message admitted or discharged the patient, not only registered him (A04)."""
    return any(row.field == "MSH-9" for row in case.status())


def when(case: Case, event: Event) -> datetime | None:
    """When an event was: else when the last message was sent; None when nothing tells it."""
    return dated(case, event) or max(_messages(case), default=None)


def dated(case: Case, event: Event) -> datetime | None:
    """When an event was, by itself or by the message that told it; None when neither says."""
    text = event.at
    if not text and event.what != "transfer":
        text = _since(case.encounter, event) or next((row.as_of for row in case.status()), "")
    return instant(text.partition(" ")[0], rules().zone)


def start(case: Case, event: Event) -> date:
    """The day from which work is counted; that of the news when nothing tells the event's."""
    return (when(case, event) or case.now).astimezone(rules().zone).date()


def _since(encounter: Resource, event: Event) -> str:
    """Since when the patient has been there, or is not any more."""
    begun = ended = ""
    for row in encounter.get("statusHistory", ()):
        ended = row.get("period", {}).get("end", "")
        since = begun or row.get("period", {}).get("start", "")
        begun = since if row.get("status") in THERE else ""
    return begun or ended if event.what == "admit" else ended


def _messages(case: Case) -> Iterator[datetime]:
    """When each message about the stay was sent."""
    for one in case.store.each("Provenance", [("target", f"Encounter/{case.uid}")]):
        found = instant(str(one.get("recorded", "")), rules().zone)
        if found is not None:
            yield found
