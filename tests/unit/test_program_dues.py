"""Clocks of enrolled members: contacts by tier, assessment, authorization, caseload."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.program.cadence import Cadence, next_due, tier
from adapter.program.case import Assessment, Authorization, Case, Contact
from adapter.program.caseload import caseloads
from adapter.program.dues import Due, authorized_until, dues, last_authorized
from adapter.program.rules import Scope, find

ENROLLED = date(2026, 3, 2)


def member(plan: str = "health-net", **more: object) -> Case:
    facts = {"phase": "enrolled", "enrolled": ENROLLED, "received": date(2026, 2, 20), **more}
    return Case("Patient/p", plan, "EpisodeOfCare/e", **facts)


def day(text: str) -> date:
    return date.fromisoformat(text)


def due(case: Case, on: str, kind: str) -> Due | None:
    return next((one for one in dues(case, day(on)) if one.kind == kind), None)


def contact(text: str, *services: str) -> Contact:
    return Contact(f"Encounter/{text}", day(text), True, services)


# --- contacts


@pytest.mark.parametrize(
    ("facts", "on", "name", "because"),
    [
        ({"acuity": "low"}, "2026-04-01", "high", "newly enrolled"),
        ({"acuity": "low"}, "2026-04-02", "low", "acuity"),  # 31 days after enrollment
        ({"acuity": "catastrophic"}, "2026-04-01", "catastrophic", "acuity"),
        ({"acuity": "low", "homeless": True}, "2026-06-01", "high", "homeless"),
        ({"acuity": ""}, "2026-06-01", "moderate", "acuity not stated"),
        ({"acuity": "low", "stays": (day("2026-05-02"),)}, "2026-06-01", "high", "stay"),
        ({"acuity": "low", "stays": (day("2026-05-01"),)}, "2026-06-01", "moderate", "stay"),
        ({"acuity": "high", "stays": (day("2026-01-01"),)}, "2026-06-01", "high", "acuity"),
        ({"acuity": "low", "stays": (day("2026-01-01"),)}, "2026-07-04", "low", "acuity"),
        ({"acuity": "low", "stays": (day("2026-07-01"),)}, "2026-06-01", "low", "acuity"),
    ],
)
def test_the_tier_is_the_highest_that_anything_says(
    facts, on: str, name: str, because: str
) -> None:
    rule = find("contact", Scope("health-net"), day(on))
    assert rule is not None
    found = tier(member(**facts), rule, day(on))
    assert found is not None
    assert found.name == name
    assert because in found.because


@pytest.mark.parametrize(
    ("cadence", "days", "then"),
    [
        (Cadence(1, "week"), [], "2026-03-09"),
        (Cadence(1, "week"), ["2026-03-02"], "2026-03-09"),
        (Cadence(1, "week"), ["2026-03-05", "2026-03-20"], "2026-03-27"),
        (Cadence(1, "month"), [], "2026-04-02"),  # nobody is late in the first month
        (Cadence(1, "month"), ["2026-03-02"], "2026-04-30"),
        (Cadence(1, "month"), ["2026-03-31"], "2026-04-30"),
        (Cadence(1, "month"), ["2026-03-02", "2026-06-15"], "2026-07-31"),
        (Cadence(2, "month"), ["2026-03-02"], "2026-04-02"),
        (Cadence(2, "month"), ["2026-03-02", "2026-03-20"], "2026-04-30"),
        (Cadence(2, "month"), ["2026-03-02", "2026-03-20", "2026-04-10"], "2026-04-30"),
        (Cadence(1, "month"), ["2026-02-01"], "2026-04-02"),  # before enrollment
    ],
)
def test_the_last_day_for_the_next_contact(cadence: Cadence, days: list[str], then: str) -> None:
    assert next_due(cadence, ENROLLED, map(day, days)) == day(then)


CADENCES = st.builds(Cadence, st.integers(1, 4), st.sampled_from(["week", "month"]))
SOME_DAYS = st.lists(st.dates(date(2026, 1, 1), date(2027, 1, 1)), max_size=12)


@given(CADENCES, SOME_DAYS, st.dates(date(2026, 1, 1), date(2027, 1, 1)))
def test_a_contact_more_never_makes_the_next_one_due_earlier(cadence, days, more: date) -> None:
    assert next_due(cadence, ENROLLED, [*days, more]) >= next_due(cadence, ENROLLED, days)


@pytest.mark.parametrize(("plan", "counts"), [("partnership", True), ("health-net", False)])
def test_an_attempt_is_a_contact_where_the_rule_says_so(plan: str, counts: bool) -> None:
    from tests.unit.test_outreach import attempt

    tried = replace(attempt(0, "phone"), on=day("2026-05-20"))
    case = member(plan, acuity="low", contacts=(contact("2026-04-10"),), attempts=(tried,))
    found = due(case, "2026-05-25", "contact")
    assert found is not None
    assert found.due == day("2026-06-30" if counts else "2026-05-31")


def test_dhcs_names_no_number_of_contacts() -> None:
    assert [one.kind for one in dues(member("kaiser"), day("2027-01-01"))] == []


# --- assessment and care plan


@pytest.mark.parametrize(
    ("on", "kinds"),
    [
        ("2026-03-02", {"assessment-begin": 30, "assessment-complete": 60}),
        ("2026-04-01", {"assessment-begin": 0, "assessment-complete": 30}),
        ("2026-04-02", {"assessment-begin": -1, "assessment-complete": 29}),
        ("2026-05-02", {"assessment-begin": -31, "assessment-complete": -1}),
    ],
)
def test_thirty_and_sixty_days_from_enrollment(on: str, kinds: dict[str, int]) -> None:
    found = [one for one in dues(member(), day(on)) if one.kind.startswith("assessment")]
    assert {one.kind: one.days_left for one in found} == kinds


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        ({"assessments": (Assessment("q", day("2026-03-10"), False),)}, {"assessment-complete"}),
        ({"assessments": (Assessment("q", day("2026-03-10"), True),)}, set()),
        ({"assessments": (Assessment("q", day("2026-02-21"), True),)}, set()),  # in outreach
        (
            {"assessments": (Assessment("q", day("2026-01-10"), True),)},  # before the referral
            {"assessment-begin", "assessment-complete"},
        ),
        (
            {"assessments": (Assessment("q", day("2026-06-10"), True),)},  # not yet made
            {"assessment-begin", "assessment-complete"},
        ),
        ({"contacts": (contact("2026-03-02", "assessment-plan"),)}, {"assessment-complete"}),
    ],
)
def test_a_fact_ends_the_clock_of_the_assessment(facts, left: set[str]) -> None:
    found = {one.kind for one in dues(member(**facts), day("2026-05-30"))}
    assert {kind for kind in found if kind.startswith("assessment")} == left


@pytest.mark.parametrize(
    ("plan", "reassess", "plan_due"),
    [
        ("sacramento", "2026-09-10", "2026-10-01"),
        ("health-net", None, None),
        ("kaiser", None, None),
    ],
)
def test_reassessment_and_care_plan(plan: str, reassess: str | None, plan_due: str | None) -> None:
    made = (Assessment("q", day("2026-03-10"), True),)
    case = member(plan, assessments=made, care_plans=(day("2026-03-12"), day("2026-04-01")))
    for kind, then in (("reassessment", reassess), ("care-plan", plan_due)):
        found = due(case, "2026-08-01", kind)
        assert (found.due.isoformat() if found else None) == then


# --- authorization


def authorized(start: str, end: str | None, decided: bool = True) -> Authorization:
    return Authorization(f"ClaimResponse/{start}", day(start), day(end) if end else None, decided)


YEAR = authorized("2026-01-01", "2026-12-31")


@pytest.mark.parametrize(
    ("rows", "on", "kind", "then"),
    [
        ((YEAR,), "2026-10-31", None, None),  # 61 days before
        ((YEAR,), "2026-11-01", "reauthorization", "2026-12-23"),  # Christmas between
        ((YEAR,), "2026-12-31", "reauthorization", "2026-12-23"),
        ((YEAR,), "2027-01-01", "authorization-ended", "2026-12-31"),
        ((YEAR, authorized("2027-01-01", "2027-06-30")), "2026-12-01", None, None),
        (
            (YEAR, authorized("2027-01-02", "2027-06-30")),
            "2026-12-01",
            "reauthorization",
            "2026-12-23",
        ),
        ((YEAR, authorized("2026-07-01", "2027-06-30")), "2026-12-01", None, None),
        ((YEAR, authorized("2027-01-01", "2027-06-30", False)), "2026-12-01", None, None),  # asked
        ((authorized("2026-01-01", None),), "2027-12-01", None, None),  # open
        ((authorized("2026-05-01", "2026-05-30"),), "2026-05-10", "reauthorization", "2026-05-22"),
        ((authorized("2026-05-01", "2026-12-31", False),), "2026-12-01", None, None),
        ((), "2026-12-01", None, None),
    ],
)
def test_the_next_authorization_is_asked_for_in_time(rows, on: str, kind, then) -> None:
    case = member("kaiser", authorizations=rows)
    found = dues(case, day(on))
    assert [one.kind for one in found] == ([kind] if kind else [])
    assert [one.due.isoformat() for one in found] == ([then] if then else [])


@given(
    st.lists(
        st.tuples(
            st.dates(date(2026, 1, 1), date(2027, 6, 1)),
            st.one_of(st.none(), st.integers(0, 400)),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_overlapping_authorizations_in_any_order(rows, chance) -> None:
    made = [
        Authorization(f"a{n}", start, None if more is None else start + timedelta(more), decided)
        for n, (start, more, decided) in enumerate(rows)
    ]
    first = last_authorized(member(authorizations=tuple(made)), day("2026-12-01"))
    chance.shuffle(made)
    second = last_authorized(member(authorizations=tuple(made)), day("2026-12-01"))
    assert (first and first.end) == (second and second.end)


@pytest.mark.parametrize(("further", "then"), [(False, "2026-12-31"), (True, "2026-06-30")])
def test_twelve_months_then_six(further: bool, then: str) -> None:
    rule = find("authorization", Scope("x"), day("2026-01-01"))
    assert rule is not None
    assert authorized_until(day("2026-01-01"), rule, further) == day(then)


# --- order, caseload


def test_highest_risk_first_then_what_is_due_first() -> None:
    rows = [
        member(acuity="low", priority=3),
        member(acuity="low", priority=1),
        member(acuity="high"),
        member(acuity="catastrophic"),
        member(),
    ]
    assert [rows.index(one) for one in sorted(rows, key=lambda one: one.risk)] == [3, 2, 1, 0, 4]


@pytest.mark.parametrize(
    ("members", "load"),
    [
        (50, "within"),
        (51, "over what is recommended"),
        (60, "over what is recommended"),
        (61, "over the maximum"),
    ],
)
def test_fifty_recommended_sixty_at_most(members: int, load: str) -> None:
    managers = ["Practitioner/a"] * members + ["Practitioner/b", "", ""]
    found = caseloads(managers, "health-net", day("2026-07-13"))
    assert [(one.manager, one.members) for one in found] == [
        ("Practitioner/a", members), ("", 2), ("Practitioner/b", 1),
    ]  # fmt: skip
    assert [one.load for one in found] == [load, "no ratio", "within"]
    assert caseloads(managers, "kaiser", day("2026-07-13"))[0].load == "no ratio"
