"""An enrolled member who no longer answers: attempts since the last contact, until ECM is ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from adapter.program.case import Case
from adapter.program.outreach import Owed
from adapter.program.rules import Rule, find, table


@dataclass(frozen=True, slots=True)
class Silence:
    """How long an enrolled member has not been reached.

    `since`  the last contact, or the enrollment
    `last`   the attempt by which the rule was met: from then on ECM may be ended
    """

    rule: Rule
    since: date
    attempts: int
    modalities: tuple[str, ...]
    owed: Owed
    last: date | None


def silence(case: Case, on: date) -> Silence | None:
    """Attempts without answer since the last contact; None unless enrolled and tried in vain.

    Health Net guide 4.4.1, 4.8.3.1: after 3 attempts with different modalities stop and report.
    """
    if case.phase != "enrolled" or case.enrolled is None:
        return None
    rule = find("disengaged", case.scope, case.enrolled)
    if rule is None or not rule.values["attempts"]:
        return None
    since = _last_contact(case, on)
    tried = sorted(
        (one.on, one.modality)
        for one in case.attempts
        if since < one.on <= on and one.modality and not one.letter
    )
    if not tried:
        return None
    ways = tuple(dict.fromkeys(way for _, way in tried))
    owed = Owed(
        attempts=max(0, rule.values["attempts"] - len(tried)),
        modalities=max(0, rule.values["modalities"] - len(ways)),
    )
    return Silence(rule, since, len(tried), ways, owed, None if owed.total else tried[-1][0])


def _last_contact(case: Case, on: date) -> date:
    """The last service, or attempt that reached the member; the enrollment when there is none."""
    answered = {*table("outcome")["reached"], *table("outcome")["settled"]}
    days = [one.on for one in case.contacts]
    days += [one.on for one in case.attempts if one.outcome in answered]
    enrolled = case.enrolled or date.min
    return max((day for day in days if enrolled <= day <= on), default=enrolled)
