"""A file that is wholly stored is not converted again: each row is counted as a duplicate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline, Tally

HEAD = (
    "CAN #,CIN,Member Last Name,Member First Name,Authorization Number,Authorization Start Date\n"
)
GOOD = (
    "M1,90000011A,Otter,Olive,A1; A2,01/01/2026; 07/01/2026\n"
    "M2,90000012B,Placeholder,Pepe,,\n"
    "M2,90000012B,Placeholder,Pepe,,\n"
)
BAD = "M3,90000013C,,Quin,,\n"


@pytest.fixture
def house() -> Iterator[Pipeline]:
    made = stores.open("sqlite://", same_person=resolve)
    yield Pipeline(made, lambda: datetime(2026, 8, 3, 16, tzinfo=UTC))
    made.close()


def load(house: Pipeline, text: str, name: str = "members.csv") -> Tally:
    tally = Tally()
    for result in house.mif(text.encode(), "sunrise", name):
        tally.add(result)
    return tally


def test_it_is_counted_row_by_row_and_unit_by_unit(house, monkeypatch) -> None:
    first = load(house, HEAD + GOOD)
    assert (first.rows["stored"], first.rows["duplicate"]) == (2, 1)
    monkeypatch.setattr(convert, "file_rows", None)  # whatever converts now fails
    for name in ("members.csv", "copy of members.csv"):
        again = load(house, HEAD + GOOD, name)
        assert again.rows == {"duplicate": 3}
        assert again.units["duplicate"] == sum(first.units.values()) - 1  # but the list of changes
        assert again.clean


def test_what_was_refused_is_refused_again(house) -> None:
    for stored in ("stored", "duplicate"):
        tally = load(house, HEAD + GOOD + BAD)
        assert tally.rows["refused"] == 1
        assert tally.rows[stored] >= 2


def test_the_same_list_of_another_day_is_said_anew(house) -> None:
    load(house, HEAD + GOOD, "SUNRISE_MIF_20260601.csv")
    again = load(house, HEAD + GOOD, "SUNRISE_MIF_20260701.csv")
    assert again.rows["stored"] == 2
    assert load(house, HEAD + GOOD, "SUNRISE_MIF_20260701.csv").rows == {"duplicate": 3}


def test_another_plan_s_file_of_the_same_content_is_its_own(house) -> None:
    load(house, HEAD + GOOD)
    found = list(house.mif((HEAD + GOOD).encode(), "canonical", "members.csv"))
    assert [one.status for one in found if one.rows] == ["stored", "stored", "duplicate"]
