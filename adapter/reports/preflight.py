"""What contradicts itself in a member's facts, before a plan finds it in a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from adapter.issues import Severity
from adapter.reports.attempts import Attempt
from adapter.reports.facts import Facts
from adapter.reports.fhir import concept, day_of
from adapter.reports.setup import Setup


def contradictions(facts: Facts) -> Iterator[str]:
    """One sentence for each contradiction; none holds a value of the member."""
    episode = facts.episode or {}
    status = episode.get("status")
    start, end = (_day(facts, name) for name in ("start", "end"))
    if status in ("active", "onhold", "finished") and start is None:
        yield "enrolled without a start date"
    if status == "finished" and end is None:
        yield "discontinued without an end date"
    if status in ("finished", "cancelled") and not concept(episode, "discontinuation-reason"):
        yield "ended without a reason"
    if start and end and end < start:
        yield "enrollment ends before it starts"
    if status in ("active", "onhold") and end and end < facts.setup.start:
        yield "enrolled, and the enrollment ended before this period"
    if status == "finished" and end and any(row.on > end for row in facts.contacts):
        yield "a contact after the discontinuation"
    services = [row.on for row in facts.contacts if not row.outreach]
    if status in ("active", "onhold") and start and any(day < start for day in services):
        yield "a service before the enrollment"


def lateness(attempt: Attempt, setup: Setup) -> Iterator[tuple[Severity, str, str]]:
    """Severity, slug and sentence of what is odd about when an attempt took place."""
    if attempt.on < setup.start:
        yield "information", "late", "an attempt of an earlier month that no file told yet"
    if attempt.on > setup.produced:
        yield "warning", "contradiction", "an attempt after the day of the file"


def _day(facts: Facts, name: str) -> date | None:
    text = (facts.episode or {}).get("period", {}).get(name, "")
    return day_of(text, facts.setup.zone)
