"""The outreach clock of one member: what was tried, how many days are left, what is still owed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from adapter.program.cadence import Cadence, next_due
from adapter.program.case import Attempt, Case
from adapter.program.days import month_end
from adapter.program.rules import Rule, find, table

Step = Literal["attempt", "letter", "decide", "continue", "report", "stop", "none"]


@dataclass(frozen=True, slots=True)
class Owed:
    """What the rule still asks for; `ways` are modalities that must be among the attempts."""

    attempts: int = 0
    modalities: int = 0
    in_person: int = 0
    ways: tuple[str, ...] = ()
    letter: bool = False

    @property
    def total(self) -> int:
        """How much it is in all; 0: nothing."""
        return self.attempts + self.modalities + self.in_person + len(self.ways) + self.letter

    def __str__(self) -> str:
        counts = (
            (self.attempts, "attempt", "attempts"),
            (self.modalities, "other modality", "other modalities"),
            (self.in_person, "in person", "in person"),
        )
        parts = [f"{count} {one if count == 1 else more}" for count, one, more in counts if count]
        return ", ".join([*parts, *self.ways, *(["letter"] if self.letter else [])])


@dataclass(frozen=True, slots=True)
class Outreach:
    """Where outreach to one member stands on a day.

    `basis`      which day `start` is: `received` or `assigned`
    `due`        last day for what is owed, None: the rule has no window
    `attempts`, `in_person`  attempts since the start that the rule counts
    `letter`     day of the last letter; `reached`, `settled` when the member was first spoken
                 with, and when the matter was first settled (declined, not eligible, ...)
    `fulfilled`  the day on which the last thing owed was done
    `step`       what to do next
    """

    rule: Rule
    start: date
    basis: str
    due: date | None
    attempts: int
    modalities: tuple[str, ...]
    in_person: int
    letter: date | None
    reached: date | None
    settled: date | None
    fulfilled: date | None
    owed: Owed
    step: Step
    on: date

    @property
    def days_left(self) -> int | None:
        """Days until `due`, 0 on that day, negative after it."""
        return None if self.due is None else (self.due - self.on).days

    @property
    def overdue(self) -> bool:
        """True when something is owed and its day is past."""
        return self.owed.total > 0 and self.due is not None and self.on > self.due

    @property
    def late(self) -> bool:
        """True when all was done, but after its day."""
        return self.fulfilled is not None and self.due is not None and self.fulfilled > self.due


def state(case: Case, on: date) -> Outreach | None:
    """Where outreach to a member stands; None without a start, or once it is over.

    Attempts before the start and after `on` do not count; the order they come in does not matter.
    """
    start, basis = clock(case, on)
    if start is None or case.phase != "outreach" or start > on:
        return None
    rule = find("outreach", case.scope, start)
    if rule is None:
        return None
    tried = sorted(
        (one for one in case.attempts if start <= one.on <= on), key=lambda a: (a.on, a.ref)
    )
    counted = [one for one in tried if one.modality in rule.values["counts"] and not one.letter]
    reached, settled = _first(tried, "reached"), _first(tried, "settled")
    spoken = reached is not None or settled is not None
    owed = Owed() if spoken else _owed(rule, tried, on)
    due = _due(rule, case, start, counted)
    ways = [one.modality for one in tried if one.modality in rule.values["as_modality"]]
    found = Outreach(
        rule=rule, start=start, basis=basis, due=due,
        attempts=len(counted), modalities=tuple(dict.fromkeys(ways)),
        in_person=sum(one.modality == "in-person" for one in counted),
        letter=max((one.on for one in tried if _is_letter(one)), default=None),
        reached=reached, settled=settled,
        fulfilled=None if owed.total or spoken else _fulfilled(rule, tried),
        owed=owed, step="none", on=on,
    )  # fmt: skip
    return replace(found, step=_step(found))


def clock(case: Case, on: date) -> tuple[date | None, str]:
    """The day that starts the clock, and which day that is, as the rule of that day says.

    Health Net: receipt of the data file (guide 4.4.1). Where the first of `clock` is not known
    the next is taken.
    """
    known = {"received": case.received, "assigned": case.assigned}
    rule = find("outreach", case.scope, case.received or case.assigned or on)
    for basis in rule.values["clock"] if rule else ():
        if (day := known.get(basis)) is not None:
            return day, basis
    return None, ""


def _first(tried: Iterable[Attempt], what: str) -> date | None:
    codes = table("outcome")[what]
    return min((one.on for one in tried if one.outcome in codes), default=None)


def _is_letter(attempt: Attempt) -> bool:
    return attempt.letter or attempt.modality == "mail"


def _owed(rule: Rule, tried: list[Attempt], on: date) -> Owed:
    """What the rule asks for and the attempts (in order of time) have not brought."""
    says = rule.values
    counted = [one for one in tried if one.modality in says["counts"] and not one.letter]
    if "monthly" in says:
        same = [one for one in counted if month_end(one.on) == month_end(on)]
        return Owed(attempts=max(0, says["monthly"] - len(same)))
    least = says.get("attempts", 0)
    ways = {one.modality for one in tried} & set(says["as_modality"])
    each = says.get("in_person_of", 0)
    personal = sum(one.modality == "in-person" for one in counted)
    return Owed(
        attempts=max(0, least - len(counted)),
        modalities=max(0, says.get("modalities", 0) - len(ways)),
        in_person=max(0, least // each - personal) if each else 0,
        ways=tuple(way for way in says.get("ways", ()) if way not in ways),
        letter=bool(says.get("letter")) and not _letter_after(tried, counted, least),
    )


def _letter_after(tried: list[Attempt], counted: list[Attempt], least: int) -> bool:
    """Whether a letter went out once the least number of attempts was made."""
    if len(counted) < least:
        return False
    last = counted[least - 1].on if least else date.min
    return any(_is_letter(one) and one.on >= last for one in tried)


def _fulfilled(rule: Rule, tried: list[Attempt]) -> date | None:
    """The first day on which nothing was owed any more; None for a rule that asks for nothing."""
    if not rule.values.get("attempts"):
        return None
    for day in sorted({one.on for one in tried}):
        if not _owed(rule, [one for one in tried if one.on <= day], day).total:
            return day
    return None


def _due(rule: Rule, case: Case, start: date, counted: list[Attempt]) -> date | None:
    says = rule.values
    if "monthly" in says:
        cadence = Cadence(says["monthly"], "month")
        return next_due(cadence, start, [one.on for one in counted])
    window = says.get("by_priority", {}).get(str(case.priority), says.get("window"))
    return None if window is None else start + timedelta(days=window)


def _step(found: Outreach) -> Step:
    if found.settled is not None:
        return "report"
    if found.reached is not None:
        return "decide"
    owed = found.owed
    if owed.letter and owed.total == 1:
        return "letter"
    if owed.total or found.fulfilled is None:
        return "attempt"
    done = found.rule.values.get("letter") or found.due is None or found.on > found.due
    return "report" if done else "continue"
