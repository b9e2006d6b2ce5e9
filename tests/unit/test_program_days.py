"""Days: California's, working days between holidays, months."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.program.days import add_months, add_working, day_of, is_working, month_end

DAYS = st.dates(date(2022, 1, 1), date(2035, 12, 31))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-07-13", "2026-07-13"),
        ("2026-07-13T23:30:00-07:00", "2026-07-13"),
        ("2026-07-14T06:59:59Z", "2026-07-13"),
        ("2026-07-14T07:00:00Z", "2026-07-14"),
        ("2026-01-14T07:59:00Z", "2026-01-13"),  # winter time
        ("2026-11-01T08:30:00+00:00", "2026-11-01"),  # the night the clocks go back
        ("2026-07-13T23:30:00", "2026-07-13"),
        ("2026-07", None),
        ("", None),
        ("2026-13-45T00:00:00Z", None),
    ],
)
def test_the_californian_day_of_a_text(text: str, day: str | None) -> None:
    found = day_of(text)
    assert (found.isoformat() if found else None) == day


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-03-31", -1, "2026-02-28"),
    ],
)
def test_months(day: str, months: int, then: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(then)


@pytest.mark.parametrize(
    ("day", "state", "federal"),
    [
        ("2026-01-01", False, False),
        ("2026-01-19", False, False),  # Martin Luther King
        ("2026-02-16", False, False),  # Presidents
        ("2026-03-31", False, True),  # Cesar Chavez
        ("2024-04-01", False, True),  # the same on a Sunday, kept on Monday
        ("2026-05-25", False, False),  # the last Monday in May
        ("2026-06-19", True, False),  # Juneteenth
        ("2020-06-19", True, True),  # before it was one
        ("2026-07-03", True, False),  # the 4th is a Saturday: Friday off for the federal side
        ("2027-07-05", False, False),  # the 4th is a Sunday
        ("2026-09-07", False, False),
        ("2026-10-12", True, False),  # Columbus
        ("2023-11-10", False, False),  # Veterans on a Saturday: Friday before, on both sides
        ("2026-11-26", False, False),
        ("2026-11-27", False, True),  # the day after Thanksgiving
        ("2026-12-25", False, False),
        ("2021-12-31", True, False),  # New Year 2022 on a Saturday
        ("2026-07-11", False, False),  # a plain Saturday
        ("2026-07-14", True, True),
    ],
)
def test_working_days(day: str, state: bool, federal: bool) -> None:
    when = date.fromisoformat(day)
    assert is_working(when, ["state"]) is state
    assert is_working(when, ["federal"]) is federal


@pytest.mark.parametrize(
    ("day", "count", "then"),
    [
        ("2026-07-10", 5, "2026-07-17"),  # Friday to Friday
        ("2026-07-11", 1, "2026-07-13"),
        ("2026-10-31", -5, "2026-10-26"),  # a Saturday: its week before
        ("2026-11-30", -5, "2026-11-19"),  # over Thanksgiving and the day after
        ("2026-12-31", -5, "2026-12-23"),
        ("2026-07-13", 0, "2026-07-13"),
    ],
)
def test_working_days_added(day: str, count: int, then: str) -> None:
    assert add_working(date.fromisoformat(day), count) == date.fromisoformat(then)


@given(DAYS, st.integers(1, 30))
def test_working_days_lead_back(day: date, count: int) -> None:
    ahead = add_working(day, count)
    between = [day + timedelta(days=n) for n in range(1, (ahead - day).days + 1)]
    assert sum(map(is_working, between)) == count
    assert is_working(ahead)


@given(DAYS, st.integers(0, 36))
def test_months_never_leave_the_month_that_is_meant(day: date, months: int) -> None:
    then = add_months(day, months)
    assert (then.year * 12 + then.month) - (day.year * 12 + day.month) == months
    assert then.day in (day.day, month_end(then).day)
