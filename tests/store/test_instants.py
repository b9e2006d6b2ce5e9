"""FHIR dates as ranges of UTC time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store.instants import LATEST, moment, span


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T08:00:00.000000", "2027-01-01T08:00:00.000000"),
        ("2026-12", "2026-12-01T08:00:00.000000", "2027-01-01T08:00:00.000000"),
        ("2026-03-08", "2026-03-08T08:00:00.000000", "2026-03-09T07:00:00.000000"),
        ("2026-01-05T10:30Z", "2026-01-05T10:30:00.000000", "2026-01-05T10:31:00.000000"),
        ("2026-01-05T10:30:05Z", "2026-01-05T10:30:05.000000", "2026-01-05T10:30:06.000000"),
        ("2026-01-05T10:30:05.25+02:00",
         "2026-01-05T08:30:05.250000", "2026-01-05T08:30:05.260000"),
        ("2026-01-05T10:30:05.1234567Z",
         "2026-01-05T10:30:05.123456", "2026-01-05T10:30:05.123457"),
        ("2026-01-05T10:30:05", "2026-01-05T18:30:05.000000", "2026-01-05T18:30:06.000000"),
        ("9999", "9999-01-01T08:00:00.000000", LATEST),
        ("9999-12-31", "9999-12-31T08:00:00.000000", LATEST),
    ],
)  # fmt: skip
def test_a_date_covers(text, start, end) -> None:
    assert span(text) == (start, end)


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026-13", "2026-02-30", "2026-1-1", "2026-01-01T", "2026-01-01T25:00:00Z",
     "2026-01-01T10:00:00+99:00", "today", "0000", "9999-12-31T23:00:00-08:00", "2026-01-01 "],
)  # fmt: skip
def test_what_is_no_date_covers_nothing(text) -> None:
    assert span(text) is None
    assert moment(text) == ""


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_text_sorts_as_time(one, other) -> None:
    texts = [moment.isoformat(timespec="microseconds") for moment in (one, other)]
    first, second = (moment(text) for text in texts)
    if first and second and len(texts[0]) == len(texts[1]) == 32:
        assert (first < second) == (one < other)
    else:
        assert "" in (first, second) or len(texts[0]) != 32 or len(texts[1]) != 32
