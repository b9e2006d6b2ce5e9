"""Elements of the tracker file: one small function each, from an attempt to a value and refs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from types import MappingProxyType

from adapter.reports.attempts import Attempt
from adapter.reports.found import NOTHING, Found
from adapter.reports.lists import words

Told = Callable[[Attempt], Found]
_PLACE = {"yes": "reached", "no": "not-reached"}


def reached(attempt: Attempt) -> bool | None:
    """Whether the member was spoken to (list `outreach-reached`); None when nobody knows."""
    if not attempt.done:
        return False
    said = words("outreach-reached").get(attempt.outcome)
    return None if said is None else said == "yes"


def _of(attempt: Attempt, element: str, value: str | int | bool | None) -> Found:
    if value is None or value == "":
        return NOTHING
    return Found(value, (f"{attempt.ref}#{element}",))


def _behind(attempt: Attempt, element: str, value: str | int | None) -> Found:
    """A value of the Encounter behind the attempt."""
    if value is None or value == "":
        return NOTHING
    return Found(value, (f"{attempt.visit}#{element}",))


def attempt_date(attempt: Attempt) -> Found:
    """The day, in the plan's zone."""
    return Found(attempt.on, (f"{attempt.ref}#sent",))


def attempt_time(attempt: Attempt) -> Found:
    """Day and time; midnight when only the day is known."""
    at = attempt.at or datetime.combine(attempt.on, time())
    return Found(at, (f"{attempt.ref}#sent",))


def result(attempt: Attempt) -> Found:
    """Our code `reached` or `not-reached`."""
    known = reached(attempt)
    code = None if known is None else _PLACE["yes" if known else "no"]
    return _of(attempt, "statusReason", code)


def _coded(wanted: bool) -> Told:
    """The outcome, if the member was reached (or was not)."""
    return lambda a: _of(a, "statusReason", a.outcome) if reached(a) is wanted else NOTHING


ATTEMPTS: Mapping[str, Told] = MappingProxyType(
    {
        "attempt_id": lambda a: Found(a.ref.partition("/")[2], (f"{a.ref}#identifier",)),
        "attempt_date": attempt_date,
        "attempt_time": attempt_time,
        "method": lambda a: _of(a, "medium", a.medium),
        "success": lambda a: _of(a, "statusReason", reached(a)),
        "outcome": lambda a: _of(a, "statusReason", a.outcome),
        "result": result,
        "reached_code": _coded(True),
        "missed_code": _coded(False),
        "cancelled": lambda a: _of(a, "status", not a.done),
        "provider_type": lambda a: _behind(a, "participant", a.staff),
        "time_spent": lambda a: _behind(a, "length", a.minutes),
        "contact_reason": lambda a: _of(a, "reasonCode", a.reason),
    }
)
