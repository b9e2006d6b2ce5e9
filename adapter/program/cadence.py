"""How often an enrolled member is contacted: the tier, and the day of the next contact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from adapter.program.case import TIERS, Case
from adapter.program.days import add_months, month_end
from adapter.program.rules import Rule

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Cadence:
    """At least so many contacts in any seven days, or in each calendar month."""

    contacts: int
    per: Literal["week", "month"]


@dataclass(frozen=True, slots=True)
class Tier:
    """The tier that holds on a day, why, and how many contacts it asks for."""

    name: str
    because: str
    cadence: Cadence


def tier(case: Case, rule: Rule, on: date) -> Tier | None:
    """The highest tier that anything says; None when the rule asks for no number.

    Health Net guide 4.8.3.1: any one criterion suffices, so a criterion raises what the plan's
    acuity says and never lowers it.
    """
    says = rule.values
    if not says["tiers"]:
        return None
    said = [(case.acuity, "acuity")] if case.acuity in says["tiers"] else []
    reasons = [*said, *_criteria(case, rule, on)]
    reasons = reasons or [(says["unstated"], "acuity not stated")]
    name, because = min(reasons, key=lambda pair: TIERS.index(pair[0]))
    return Tier(name, because, Cadence(**says["tiers"][name]))


def _criteria(case: Case, rule: Rule, on: date) -> list[tuple[str, str]]:
    says, found = rule.values, []
    if case.enrolled and 0 <= (on - case.enrolled).days <= says.get("new_days", -1):
        found.append(("high", "newly enrolled"))
    if case.homeless and "homeless" in says:
        found.append((says["homeless"], "homeless"))
    ago = min(((on - day).days for day in case.stays if day <= on), default=None)
    for row in says.get("stays", ()):
        if ago is not None and ago <= row["days"]:
            found.append(
                (row["tier"], f"hospital or emergency stay in the last {row['days']} days")
            )
            break
    return found


def contact_days(case: Case, rule: Rule, on: date) -> list[date]:
    """The days that count as contacts since enrollment: services, and attempts where they do."""
    if case.enrolled is None:
        return []
    days = [one.on for one in case.contacts]
    if rule.values.get("attempts"):
        days += [one.on for one in case.attempts]
    return sorted(day for day in days if case.enrolled <= day <= on)


def next_due(cadence: Cadence, start: date, days: Iterable[date]) -> date:
    """The last day for the next contact, given the days of those since `start`.

    Weeks are any seven days, months are calendar months; nobody is late in the first month.
    A contact more never makes it earlier.
    """
    known = sorted(day for day in days if day >= start)
    if cadence.per == "week":
        recent = known[-cadence.contacts :]
        return (recent[0] if len(recent) == cadence.contacts else start) + _WEEK
    return _in_month(cadence.contacts, start, known)


def _in_month(contacts: int, start: date, known: Sequence[date]) -> date:
    first = max(month_end(start), add_months(start, 1))
    if not known:
        return first
    end = month_end(known[-1])
    if sum(month_end(day) == end for day in known) >= contacts:
        end = month_end(end + timedelta(days=1))
    return max(end, first) if len(known) < contacts else end
