"""Everything that is due for one member on a day: outreach, contacts, assessment, authorization."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from adapter.program import outreach
from adapter.program.cadence import contact_days, next_due, tier
from adapter.program.case import Authorization, Case
from adapter.program.days import add_months, add_working, month_end
from adapter.program.rules import Rule, find
from adapter.program.silence import silence

# What each kind of work is, in words; also the displays of code system `due`.
KINDS = {
    "outreach-start": "Begin outreach",
    "outreach": "Outreach attempts",
    "outreach-letter": "Letter after the attempts",
    "outreach-decision": "Record whether the member enrolls or declines",
    "outreach-report": "Stop outreach and report it (RTF and OTF)",
    "contact": "Contact with the member",
    "disengaged": "End ECM and report it (RTF and OTF): the member no longer answers",
    "assessment-begin": "Begin the assessment",
    "assessment-complete": "Complete the assessment",
    "reassessment": "Reassess",
    "care-plan": "Update the care plan",
    "reauthorization": "Ask for the next authorization",
    "authorization-ended": "The authorization has ended",
}
_ASSESSES = "assessment-plan"


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to do for a member.

    `kind`   a key of KINDS
    `since`  the day its clock started; with `subject` it names the work
    `due`    the last day, Californian
    `detail` what is owed, or why this cadence: words and numbers, nothing about the person
    """

    case: Case
    kind: str
    since: date
    due: date
    rule: Rule
    on: date
    detail: str = ""
    subject: str = ""

    @property
    def overdue(self) -> bool:
        """True once the last day is past."""
        return self.on > self.due

    @property
    def days_left(self) -> int:
        """Days until the last day, negative after it."""
        return (self.due - self.on).days

    @property
    def order(self) -> tuple[tuple[int, int], date, str, str]:
        """Highest risk first, then what is due first."""
        return self.case.risk, self.due, self.case.patient, self.kind


def dues(case: Case, on: date) -> list[Due]:
    """All that is due for a member as known on a day, in order; empty once ECM is over."""
    parts: dict[str, tuple[Callable[[Case, date], Iterator[Due]], ...]] = {
        "outreach": (_outreach,),
        "enrolled": (_contact, _disengaged, _assessment, _again, _authorization),
        "over": (),
    }
    found = [due for part in parts[case.phase] for due in part(case, on)]
    return sorted(found, key=lambda due: due.order)


def _outreach(case: Case, on: date) -> Iterator[Due]:
    state = outreach.state(case, on)
    if state is None:
        return
    begin = state.rule.values.get("start")
    if begin and not state.attempts and state.step == "attempt":
        last = state.start + timedelta(days=begin)
        yield Due(case, "outreach-start", state.start, last, state.rule, on)
    if state.step in ("attempt", "letter") and state.due is not None:
        kind = "outreach" if state.step == "attempt" else "outreach-letter"
        yield Due(case, kind, state.start, state.due, state.rule, on, str(state.owed))
    elif state.step in ("decide", "report"):
        yield _told(case, state, on)


def _told(case: Case, state: outreach.Outreach, on: date) -> Due:
    """Report by the month's end, as RTF and OTF are monthly (Health Net guide 4.10.3)."""
    known = [state.settled or state.reached or state.fulfilled or state.start]
    kind = "outreach-report"
    if state.step == "decide":
        kind = "outreach-decision"
        known += [state.due] if state.due else []
    elif state.settled is None and not state.rule.values.get("letter"):
        known += [state.due] if state.due else []
    return Due(case, kind, state.start, month_end(max(known)), state.rule, on)


def _contact(case: Case, on: date) -> Iterator[Due]:
    rule = find("contact", case.scope, on)
    found = tier(case, rule, on) if rule else None
    if rule is None or found is None or case.enrolled is None or case.enrolled > on:
        return
    days = contact_days(case, rule, on)
    since = days[-1] if days else case.enrolled
    last = next_due(found.cadence, case.enrolled, days)
    cadence = f"{found.cadence.contacts} a {found.cadence.per}"
    yield Due(case, "contact", since, last, rule, on, f"{cadence}: {found.name} ({found.because})")


def _disengaged(case: Case, on: date) -> Iterator[Due]:
    found = silence(case, on)
    if found is not None and found.last is not None:
        last = month_end(found.last)
        yield Due(
            case, "disengaged", found.since, last, found.rule, on, f"{found.attempts} attempts"
        )


def _assessment(case: Case, on: date) -> Iterator[Due]:
    """Begin and complete the first assessment, reckoned from enrollment."""
    rule = find("assessment", case.scope, case.enrolled) if case.enrolled else None
    if rule is None or case.enrolled is None or case.enrolled > on:
        return
    floor = min(case.enrolled, case.received or case.enrolled)  # one made in outreach is one
    made = [one for one in case.assessments if floor <= one.on <= on]
    begun: list[object] = [*made]
    begun += [one for one in case.contacts if one.on <= on and _ASSESSES in one.services]
    for key, there in (("begin", begun), ("complete", [one for one in made if one.done])):
        if key in rule.values and not there:
            last = case.enrolled + timedelta(days=rule.values[key])
            yield Due(case, f"assessment-{key}", case.enrolled, last, rule, on)


def _again(case: Case, on: date) -> Iterator[Due]:
    """Assessments and care plans that are renewed every so many months."""
    rule = find("assessment", case.scope, case.enrolled) if case.enrolled else None
    if rule is None:
        return
    done = [one.on for one in case.assessments if one.done]
    for kind, key, days in (
        ("reassessment", "again", done),
        ("care-plan", "care_plan", list(case.care_plans)),
    ):
        known = [day for day in days if day <= on]
        if key in rule.values and known:
            last = add_months(max(known), rule.values[key])
            yield Due(case, kind, max(known), last, rule, on)


def _authorization(case: Case, on: date) -> Iterator[Due]:
    """Ask for the next authorization before the last one ends; say so when it has ended."""
    rule = find("authorization", case.scope, on)
    last = last_authorized(case, on)
    if rule is None or last is None or last.end is None:
        return
    if on > last.end:
        yield Due(case, "authorization-ended", last.start, last.end, rule, on, subject=last.ref)
    elif (last.end - on).days <= rule.values["listed"] and not _asked(case, last.end):
        ask = add_working(last.end, -rule.values["ask"], rule.values["holidays"])
        yield Due(case, "reauthorization", last.start, ask, rule, on, subject=last.ref)


def last_authorized(case: Case, on: date) -> Authorization | None:
    """The authorization with which cover ends, counted over those that follow without a gap."""
    begun = [one for one in case.authorizations if one.decided and one.start <= on]
    last = max(begun, key=_end, default=None)
    while last is not None and last.end is not None:
        until = last.end + timedelta(days=1)
        further = [
            one for one in case.authorizations if one.decided and one.start <= until <= _end(one)
        ]
        if not further:
            return last
        last = max(further, key=_end)
    return last


def authorized_until(start: date, rule: Rule, further: bool = False) -> date:
    """The last day of an authorization that begins on a day: 12 months, 6 for a further one."""
    months: int = rule.values["further" if further else "first"]
    return add_months(start, months) - timedelta(days=1)


def _end(one: Authorization) -> date:
    return one.end or date.max


def _asked(case: Case, end: date) -> bool:
    """Whether the plan was asked for a time after the end and has not decided yet."""
    return any(not one.decided and _end(one) > end for one in case.authorizations)
