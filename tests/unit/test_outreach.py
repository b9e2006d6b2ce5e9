"""The outreach clock: every rule around its boundaries, and what holds for any attempts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.program import outreach
from adapter.program.case import Attempt, Case
from adapter.program.dues import dues
from adapter.program.silence import silence

START = date(2026, 7, 13)
WAYS = ("in-person", "phone", "video", "text", "email", "mail", "fax", "portal", "electronic", "")


def attempt(day: int, way: str, outcome: str = "no-answer") -> Attempt:
    """An attempt so many days after the start."""
    return Attempt(f"Communication/{day}{way}", START + timedelta(days=day), way, outcome)


def case(plan: str, *tried: Attempt, **more: object) -> Case:
    facts = {"received": START, "phase": "outreach", **more}
    return Case("Patient/p", plan, "EpisodeOfCare/e", attempts=tried, **facts)


def state(given: Case, days: int) -> outreach.Outreach:
    found = outreach.state(given, START + timedelta(days=days))
    assert found is not None
    return found


FIVE = (
    attempt(1, "phone"),
    attempt(8, "text"),
    attempt(15, "in-person"),
    attempt(22, "phone"),
    attempt(29, "phone"),
)


# --- Health Net: 5 attempts and 3 modalities in 90 calendar days from receipt


@pytest.mark.parametrize(
    ("day", "left", "overdue"), [(0, 90, False), (89, 1, False), (90, 0, False), (91, -1, True)]
)
def test_ninety_days_from_receipt(day: int, left: int, overdue: bool) -> None:
    found = state(case("health-net", *FIVE[:4]), day)
    assert found.due == START + timedelta(days=90)
    assert (found.days_left, found.overdue) == (left, overdue)


@pytest.mark.parametrize(
    ("tried", "owed", "step"),
    [
        ((), "5 attempts, 3 other modalities", "attempt"),
        (FIVE[:1], "4 attempts, 2 other modalities", "attempt"),
        (FIVE[:4], "1 attempt", "attempt"),
        (FIVE, "", "continue"),
        ((*FIVE[:2], *(attempt(n, "phone") for n in (3, 4, 5))), "1 other modality", "attempt"),
        ((*FIVE[:4], attempt(30, "mail")), "", "continue"),  # mail counts with Health Net
        ((*FIVE[:4], attempt(30, "")), "1 attempt", "attempt"),  # no modality documented (OU-1)
        ((*FIVE[:4], attempt(-1, "phone")), "1 attempt", "attempt"),  # before receipt
        ((*FIVE[:4], attempt(0, "phone")), "", "continue"),
        ((*FIVE[:4], attempt(61, "phone")), "1 attempt", "attempt"),  # not yet made on day 60
        ((attempt(2, "phone", "contacted"),), "", "decide"),
        ((attempt(2, "phone", "declined"),), "", "report"),
    ],
)
def test_what_health_net_s_rule_still_asks_for(
    tried: tuple[Attempt, ...], owed: str, step: str
) -> None:
    found = state(case("health-net", *tried), 60)
    assert (str(found.owed), found.step) == (owed, step)


def test_after_the_window_it_is_reported() -> None:
    found = state(case("health-net", *FIVE), 91)
    assert (found.step, found.overdue, found.late) == ("report", False, False)
    assert state(case("health-net", *FIVE[:4], attempt(95, "phone")), 96).late


# --- Sacramento: 5 in 30, 60, 90 days by priority, then a letter; phone, in person, 1 in 5


@pytest.mark.parametrize(("priority", "days"), [(1, 30), (2, 60), (3, 90), (None, 30), (4, 30)])
def test_the_county_s_window_is_by_priority(priority: int | None, days: int) -> None:
    member = case("sacramento", priority=priority)
    assert state(member, 0).due == START + timedelta(days=days)
    assert not state(member, days).overdue
    assert state(member, days + 1).overdue


@pytest.mark.parametrize(
    ("tried", "owed", "step"),
    [
        (FIVE, "letter", "letter"),
        ((*FIVE, attempt(29, "mail")), "", "report"),
        ((*FIVE, attempt(28, "mail")), "letter", "letter"),  # before the fifth attempt
        ((*FIVE[:4], attempt(30, "mail")), "1 attempt, letter", "attempt"),  # is no attempt here
        (
            tuple(attempt(n, "phone") for n in range(5)),
            "2 other modalities, 1 in person, in-person, letter",
            "attempt",
        ),
        ((*FIVE[:4], attempt(29, "video")), "1 attempt, letter", "attempt"),
    ],
)
def test_what_the_county_s_rule_still_asks_for(
    tried: tuple[Attempt, ...], owed: str, step: str
) -> None:
    found = state(case("sacramento", *tried, priority=3), 60)
    assert (str(found.owed), found.step) == (owed, step)


def test_the_share_in_person_is_told() -> None:
    found = state(case("sacramento", *FIVE), 30)
    assert (found.in_person, found.attempts) == (1, 5)


# --- Partnership, DHCS


@pytest.mark.parametrize(
    ("tried", "day", "due", "overdue", "owed"),
    [
        ((), "2026-08-13", "2026-08-13", False, 1),
        ((), "2026-08-14", "2026-08-13", True, 1),
        (((1, "phone"),), "2026-07-31", "2026-08-31", False, 0),
        (((1, "phone"),), "2026-08-01", "2026-08-31", False, 1),
        (((1, "phone"),), "2026-09-01", "2026-08-31", True, 1),
        (
            ((1, "text"),),
            "2026-08-14",
            "2026-08-13",
            True,
            1,
        ),  # in person, telehealth, phone, video
    ],
)
def test_partnership_asks_every_month(tried, day: str, due: str, overdue: bool, owed: int) -> None:
    member = case("partnership", *(attempt(*one) for one in tried))
    found = outreach.state(member, date.fromisoformat(day))
    assert found is not None
    assert (found.due, found.overdue) == (date.fromisoformat(due), overdue)
    assert found.owed.total == owed


def test_without_a_number_nothing_is_owed() -> None:
    found = state(case("kaiser"), 400)
    assert (found.owed.total, found.due, found.step) == (0, None, "attempt")
    assert dues(case("kaiser"), START + timedelta(days=400)) == []


# --- the clock


@pytest.mark.parametrize(
    ("plan", "received", "assigned", "start", "basis"),
    [
        ("health-net", START, date(2026, 7, 1), START, "received"),
        ("health-net", None, date(2026, 7, 1), date(2026, 7, 1), "assigned"),
        ("kaiser", START, date(2026, 7, 1), date(2026, 7, 1), "assigned"),
        ("kaiser", START, None, START, "received"),
        ("kaiser", None, None, None, ""),
    ],
)
def test_what_starts_the_clock(plan, received, assigned, start, basis: str) -> None:
    member = case(plan, received=received, assigned=assigned)
    assert outreach.clock(member, START) == (start, basis)


@pytest.mark.parametrize("phase", ["enrolled", "over"])
def test_no_clock_once_outreach_is_over(phase: str) -> None:
    assert outreach.state(case("health-net", phase=phase), START) is None


# --- enrolled and silent: 3 attempts with different modalities since the last contact


@pytest.mark.parametrize(
    ("tried", "owed", "stop"),
    [
        ((attempt(1, "phone"),), "2 attempts, 2 other modalities", False),
        ((attempt(1, "phone"), attempt(2, "text"), attempt(3, "phone")), "1 other modality", False),
        ((attempt(1, "phone"), attempt(2, "text"), attempt(3, "mail")), "", True),
        (
            (
                attempt(1, "phone"),
                attempt(2, "text"),
                attempt(3, "mail"),
                attempt(4, "phone", "contacted"),
            ),
            None,
            False,
        ),
    ],
)
def test_an_enrolled_member_who_no_longer_answers(tried, owed: str | None, stop: bool) -> None:
    member = case("health-net", *tried, phase="enrolled", enrolled=START)
    on = START + timedelta(days=40)
    found = silence(member, on)
    assert (None if found is None else str(found.owed)) == owed
    assert ("disengaged" in {one.kind for one in dues(member, on)}) is stop


# --- what holds for any attempts

ATTEMPTS = st.lists(
    st.builds(
        attempt,
        st.integers(-20, 130),
        st.sampled_from(WAYS),
        st.sampled_from(["", "no-answer", "voicemail", "contacted", "declined"]),
    ),
    max_size=9,
)
PLANS = st.sampled_from(["health-net", "sacramento", "partnership", "kaiser", "molina"])
ON = st.integers(0, 120)


@given(PLANS, st.sampled_from([None, 1, 2, 3]), ATTEMPTS, ATTEMPTS, ON)
def test_an_attempt_more_never_adds_to_what_is_owed(plan, priority, some, more, day: int) -> None:
    member = case(plan, *some, priority=priority, county="Sacramento")
    before, after = state(member, day), state(replace(member, attempts=(*some, *more)), day)
    assert after.owed.total <= before.owed.total
    assert after.owed.attempts <= before.owed.attempts
    assert after.owed.modalities <= before.owed.modalities
    assert after.owed.in_person <= before.owed.in_person
    assert set(after.owed.ways) <= set(before.owed.ways)
    assert after.owed.letter <= before.owed.letter
    assert (after.due or date.max) >= (before.due or date.max)


@given(PLANS, ATTEMPTS, ON, st.randoms(use_true_random=False))
def test_the_order_of_attempts_does_not_matter(plan, tried, day: int, chance) -> None:
    shuffled = list(tried)
    chance.shuffle(shuffled)
    first, second = case(plan, *tried, priority=2), case(plan, *shuffled, priority=2)
    assert state(first, day) == state(second, day)


@given(PLANS, ATTEMPTS, ATTEMPTS, ON)
def test_an_attempt_more_never_adds_to_what_a_silent_member_is_owed(
    plan, some, more, day: int
) -> None:
    """Attempts in vain: one that reaches the member begins the count anew."""
    tried = [replace(one, outcome="no-answer") for one in (*some, *more)]
    on = START + timedelta(days=day)
    member = case(plan, *tried[: len(some)], phase="enrolled", enrolled=START)
    before, after = silence(member, on), silence(replace(member, attempts=tuple(tried)), on)
    if before is not None and after is not None:
        assert after.owed.total <= before.owed.total


@given(PLANS, st.sampled_from(["outreach", "enrolled", "over"]), ATTEMPTS, ON)
def test_nothing_due_in_the_past_goes_unflagged(plan, phase: str, tried, day: int) -> None:
    on = START + timedelta(days=day)
    found = dues(case(plan, *tried, phase=phase, enrolled=START, priority=1), on)
    assert [one.kind for one in found if (one.due < on) != one.overdue] == []
    assert [one.kind for one in found if (one.days_left < 0) != one.overdue] == []
    assert found == sorted(found, key=lambda one: one.order)
