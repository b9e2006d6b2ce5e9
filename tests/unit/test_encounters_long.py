"""Long stays: what is remembered of them changes neither what they come to nor what was given."""

from __future__ import annotations

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.program import encounters
from tests.unit.test_encounters import move, state

EVENTS = ("A01", "A02", "A03", "A08", "A09", "A12", "A13", "A15", "A16", "A21", "A22", "A25", "A26")
WEEK = [
    move("A01", 1, cls="I", here="w1", start=1),
    *(move("A02" if hour % 3 else "A08", hour, here=f"w{hour % 4}") for hour in range(2, 60)),
]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(EVENTS), min_size=20, max_size=40), st.data())
def test_one_by_one_is_as_all_at_once(events: list[str], drawn: st.DataObject) -> None:
    told = [
        move(event, hour, here=f"w{hour % 3}", plan=hour % 5, next="w9")
        for hour, event in enumerate(events)
    ]
    order = list(told)
    for _ in range(drawn.draw(st.integers(0, 3))):  # some come late
        order.append(order.pop(drawn.draw(st.integers(0, len(order) - 1))))
    encounters._courses.clear()
    for count in range(1, len(order) + 1):
        found = state(*order[:count])
    encounters._courses.clear()
    assert found == state(*told)


def test_what_was_given_stays_as_it_was() -> None:
    first = encounters.replay(WEEK[:30])
    kept = copy.deepcopy(first)
    encounters.replay(WEEK)
    assert first == kept and json.dumps(state(*WEEK))


def test_a_message_changed_meanwhile_is_read_anew() -> None:
    """A merge leads references on: the same messages then tell of other places."""
    before = state(*WEEK)
    other = [one._replace(says={**one.says, "length": {"value": 9}}) for one in WEEK]
    assert state(*other) == {**before, "length": {"value": 9}}
    assert state(*WEEK) == before


def test_the_next_message_of_a_long_stay_is_one_step() -> None:
    encounters._courses.clear()
    encounters.replay(WEEK[:-1])
    (course,) = encounters._courses.values()
    stay = course.stay
    encounters.replay(WEEK)
    (course,) = encounters._courses.values()
    assert course.stay is stay and len(course.told) == len(WEEK)
