"""HL7 v2 times: precision and offset as sent, the feed's zone with its two odd hours a year."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mapping.run import BadValue
from adapter.mapping.times import date_time, utc
from tests.unit.engine import ZONE, convert, fresh


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026", "2026"),
        ("202607", "2026-07"),
        ("20260704", "2026-07-04"),
        (" 20260704 ", "2026-07-04"),
        ("2026070408", "2026-07-04T08:00:00-07:00"),
        ("202607040815", "2026-07-04T08:15:00-07:00"),
        ("20260704081530", "2026-07-04T08:15:30-07:00"),
        ("20260104081530", "2026-01-04T08:15:30-08:00"),
        ("20260704081530.1", "2026-07-04T08:15:30.1-07:00"),
        ("20260704081530.1234", "2026-07-04T08:15:30.1234-07:00"),
        ("20260704081530.1234-0500", "2026-07-04T08:15:30.1234-05:00"),
        ("20260704081530+00", "2026-07-04T08:15:30+00:00"),
        ("20260704081530-0000", "2026-07-04T08:15:30-00:00"),
        ("20260704081530+1400", "2026-07-04T08:15:30+14:00"),
        ("20260704081530+0545", "2026-07-04T08:15:30+05:45"),
        ("202607040815+0100", "2026-07-04T08:15:00+01:00"),
        ("20260704+0100", "2026-07-04"),  # a day has no offset in FHIR
        ("20240229", "2024-02-29"),
        ("20260704000000", "2026-07-04T00:00:00-07:00"),
    ],
)
def test_precision_and_offset_are_kept(text, value):
    assert date_time(text, ZONE)[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20260308015959", "2026-03-08T01:59:59-08:00"),  # last second of winter
        ("20260308023000", "2026-03-08T03:30:00-07:00"),  # no clock showed it: one hour on
        ("20260308020000.25", "2026-03-08T03:00:00.25-07:00"),
        ("20260308030000", "2026-03-08T03:00:00-07:00"),
        ("20261101003000", "2026-11-01T00:30:00-07:00"),
        ("20261101013000", "2026-11-01T01:30:00-07:00"),  # shown twice: the first
        ("20261101013000-0800", "2026-11-01T01:30:00-08:00"),  # the sender knows better
        ("20261101020000", "2026-11-01T02:00:00-08:00"),
    ],
)
def test_daylight_saving_gap_and_overlap(text, value):
    assert date_time(text, ZONE)[0] == value


@pytest.mark.parametrize(
    ("text", "zone", "value", "how"),
    [
        ("20261101013000", ZONE, "2026-11-01T01:30:00-07:00", "twice"),
        ("20260308023000", ZONE, "2026-03-08T03:30:00-07:00", "skipped"),
        ("20260308033000", ZONE, "2026-03-08T03:30:00-07:00", "zone"),
        ("20261101013000-0800", ZONE, "2026-11-01T01:30:00-08:00", ""),
        ("20260405014500", "Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", "twice"),
        ("20260405012900", "Australia/Lord_Howe", "2026-04-05T01:29:00+11:00", "zone"),
        ("20261004021500", "Australia/Lord_Howe", "2026-10-04T02:45:00+11:00", "skipped"),
        ("20261101013000", "America/Phoenix", "2026-11-01T01:30:00-07:00", "zone"),
        ("20260308", ZONE, "2026-03-08", ""),
    ],
)
def test_how_a_local_time_was_read(text, zone, value, how):
    assert date_time(text, zone) == (value, how)


def test_odd_hours_are_said_where_they_stand():
    run = fresh()
    for text in ("20260704081500", "20261101013000", "20260308023000"):
        convert("dtm", text, run)
    assert [issue.severity for issue in run.issues] == ["information", "information", "warning"]
    assert {issue.detail for issue in run.issues} == {"zone-assumed"}
    assert not any(text in repr(run.issues) for text in ("20261101", "01:30", "02:30"))


@pytest.mark.parametrize(
    "text",
    [
        "0", "202", "20261", "2026130", "00000000", "20260230", "20261301", "20260700", "20250229",
        "2026070424", "202607040860", "20260704081560", "20260704081530.", "20260704081530,5",
        "20260704081530+1500", "20260704081530+0099", "20260704081530+1430", "20260704081530Z",
        "2026-07-04", "07/04/2026", "20260704 0815", "yesterday", "\uff12026", "20260704T0815",
    ],
)  # fmt: skip
def test_what_is_no_time_is_an_issue(text):
    assert convert("dtm", text) == (None, [("date-format", "PID-3")])


def test_a_time_without_offset_and_zone_is_an_issue():
    assert convert("dtm", "202607040815", zone="") == (None, [("date-format", "PID-3")])
    assert convert("dtm", "20260704", zone="") == ("2026-07-04", [])
    assert convert("dtm", "202607040815-0700", zone="")[0] == "2026-07-04T08:15:00-07:00"


def test_the_assumed_zone_is_said_once():
    run = fresh()
    for text in ("202607040815", "202607050815", "202607060815-0700"):
        convert("dtm", text, run)
    assert [issue.detail for issue in run.issues] == ["zone-assumed"]


@pytest.mark.parametrize(
    ("text", "value", "birth"),
    [
        ("1980", "1980", None),
        ("198002", "1980-02", None),
        ("19800229", "1980-02-29", None),
        ("19800229-0800", "1980-02-29", None),
        ("19800229233000", "1980-02-29", "1980-02-29T23:30:00-08:00"),
        ("19800229233000+0000", "1980-02-29", "1980-02-29T23:30:00+00:00"),  # never shifted
        ("1980022999", "1980-02-29", None),  # the day stands, the hour is an issue
    ],
)
def test_birth_date_and_birth_time(text, value, birth):
    assert convert("date", text)[0] == value
    assert convert("time_of_birth", text)[0] == birth


@pytest.mark.parametrize(
    ("text", "value"),
    [("20260704081530", "2026-07-04T08:15:30-07:00"), ("20260704", None), ("2026", None)],
)
def test_an_instant_needs_a_time_of_day(text, value):
    assert convert("instant", text)[0] == value


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("20260101^20261231", {"start": "2026-01-01", "end": "2026-12-31"}, []),
        ("20260101", {"start": "2026-01-01"}, []),
        ("^2026", {"end": "2026"}, []),
        ("^", None, []),
        ('20260101^""', {"start": "2026-01-01"}, []),
        ("20260101^never", {"start": "2026-01-01"}, [("date-format", "PID-3.2")]),
        ("never^ever", None, [("date-format", "PID-3.1"), ("date-format", "PID-3.2")]),
    ],
)
def test_dr(text, value, issues):
    assert convert("dr", text) == (value, issues)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20260704081530-0700", "2026-07-04T15:15:30.000+00:00"),
        ("20260704081530", "2026-07-04T15:15:30.000+00:00"),
        ("20260704", "2026-07-04T07:00:00.000+00:00"),
        ("2026", "2026-01-01T08:00:00.000+00:00"),
        ("20260704081530.25+0000", "2026-07-04T08:15:30.250+00:00"),
        ("99991231235959", ""),  # its instant in UTC is in the year 10000
        ("00010101000000+1400", ""),  # and this one before the year 1
        ("never", ""),
        ("", ""),
    ],
)
def test_utc_sorts_or_is_empty(text, value):
    assert utc(text, ZONE) == value


@given(st.text(alphabet="0123456789.+-Z T", max_size=26), st.sampled_from([ZONE, "UTC", ""]))
def test_any_text_is_a_time_or_an_issue(text, zone):
    try:
        value, _ = date_time(text, zone)
    except BadValue as bad:
        assert len(text) < 5 or text not in bad.text
    else:
        assert value[:4] == text.strip()[:4]
    assert isinstance(utc(text, zone), str)
