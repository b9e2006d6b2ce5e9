"""Cells that a spreadsheet would reckon with, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.issues import Issue
from adapter.record import Location
from adapter.spreadsheet import found_rows, plain, safe


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"), ("+19165550101", "'+19165550101"), ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd", "'-cmd"), ("\tx", "'\tx"), ("-12", "-12"), ("Otter", "Otter"), ("", ""),
        ("'quoted", "'quoted"), ("'=1", "'=1"),
    ],
)  # fmt: skip
def test_no_formula(cell: str, shown: str) -> None:
    assert safe(cell) == shown


@given(st.text(st.sampled_from("=+-@'\t1a"), max_size=6))
def test_the_way_back(cell: str) -> None:
    assert safe(safe(cell)) == safe(cell)
    if not cell.startswith("'"):
        assert plain(safe(cell)) == cell


def test_names_that_a_sender_chose() -> None:
    issue = Issue("error", "required", "text", Location("=cmd.csv", 3, "@Header"))
    (row,) = found_rows([issue])
    assert row[:3] == ["'=cmd.csv", 3, "'@Header"]
