"""Converters of table cells: every form that partners' files carry (files.md section 8)."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mapping.cells import luhn
from adapter.mapping.registry import CONVERTERS
from tests.unit.engine import convert, found, fresh

DAY = [("date-format", "PID-3")]
CELLS = [
    "text", "id", "cin", "npi", "us_date", "date_time", "flag", "phone", "email", "zip", "integer",
    "money", "code",
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "02/29/1980", "2/29/1980", "02-29-1980", "02.29.1980", "1980-02-29", "1980-2-29",
        "19800229", " 02/29/1980 ", "02/29/1980 00:00", "02/29/1980 12:00:00 AM",
        "02/29/1980  11:59 pm", "1980-02-29T00:00:00", "1980-02-29T00:00:00Z",
        "1980-02-29T23:59:59.123456-08:00", "1980-02-29 10:00:00.000", "29280", "29280.0",
        "29280.75",
    ],
)  # fmt: skip
def test_every_form_of_a_day(text):
    assert convert("us_date", text) == ("1980-02-29", [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12/31/2078", "2078-12-31"), ("12/31/9999", None), ("01/01/1850", "1850-01-01"),
        ("02/30/1980", None), ("02/29/1981", None), ("13/01/1980", None), ("00/01/1980", None),
        ("29/02/1980", None), ("2/29/80", None), ("1980", None), ("2026", None), ("198002", None),
        ("2/1980", None), ("Feb 29, 1980", None), ("0", None), ("60", None), ("99999", None),
        ("73050", "2099-12-31"), ("73051", None), ("45000,5", None), ("MISSING DOB", None),
        ("00000000", None), ("0000-00-00", None), ("1980-02-29x", None), ("", None),
        ("-29280", None),
        ("\uff11980-02-29", None), ("02/29/1980\n", "1980-02-29"), ("1" * 5000, None),
        ("1" + " " * 50000 + "x", None), ("1900", None), ("9999", "1927-05-17"),
        ("36526", "2000-01-01"), ("45658", "2025-01-01"),
    ],
)  # fmt: skip
def test_days_at_the_edge(text, value):
    assert convert("us_date", text) == (value, [] if value else DAY)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("07/04/2026", "2026-07-04"),
        ("46207", "2026-07-04"),
        ("07/04/2026 08:15", "2026-07-04T08:15:00-07:00"),
        ("01/04/2026 08:15", "2026-01-04T08:15:00-08:00"),
        ("07/04/2026 8:15 AM", "2026-07-04T08:15:00-07:00"),
        ("07/04/2026 8:15 p.m.", "2026-07-04T20:15:00-07:00"),
        ("07/04/2026 12:15 AM", "2026-07-04T00:15:00-07:00"),
        ("07/04/2026 12:15PM", "2026-07-04T12:15:00-07:00"),
        ("20260704 08:15", "2026-07-04T08:15:00-07:00"),
        ("2026-07-04T08:15:30", "2026-07-04T08:15:30-07:00"),
        ("2026-07-04T08:15:30.999", "2026-07-04T08:15:30-07:00"),
        ("2026-07-04T08:15:30Z", "2026-07-04T08:15:30Z"),
        ("2026-07-04T08:15:30-0500", "2026-07-04T08:15:30-05:00"),
        ("2026-07-04 08:15:30 +05:45", "2026-07-04T08:15:30+05:45"),
        ("03/08/2026 02:30", "2026-03-08T02:30:00-08:00"),  # the hour that no clock showed
        ("11/01/2026 01:30", "2026-11-01T01:30:00-07:00"),  # shown twice: the first
        ("07/04/2026 24:00", None),
        ("07/04/2026 08:60", None),
        ("07/04/2026 08:15:60", None),
        ("07/04/2026 13:15 AM", None),
        ("07/04/2026 0:15 PM", None),
        ("07/04/2026 08:15 -1500", None),
        ("07/04/2026 08:15 +0075", None),
        ("02/30/2026 08:15", None),
        ("08:15", None),
        ("soon", None),
    ],
)
def test_a_day_with_a_time(text, value):
    assert convert("date_time", text) == (value, [] if value else DAY)


def test_a_time_without_offset_needs_a_zone():
    assert convert("date_time", "07/04/2026 08:15", zone="") == (None, DAY)
    assert convert("date_time", "07/04/2026", zone="") == ("2026-07-04", [])
    assert convert("date_time", "2026-07-04T08:15:00Z", zone="")[0] == "2026-07-04T08:15:00Z"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("91234567A", "91234567A"), ("91234567a", "91234567A"), (" 9123 4567A ", "91234567A"),
        ("9-1234567-A", "91234567A"), ("91234567A12026", "91234567A"),  # the 14 of a BIC
        ("912345678", None), ("81234567A", None), ("91234567", None), ("91234567AB", None),
        ("1EG4TE5MK73", None), ("6.45722E+12", None), ("123456", None), ("", None),
        ("9\uff11234567A", None), ("91234567A1202", None), ("91234567A\n", "91234567A"),
    ],
)  # fmt: skip
def test_cin(text, value):
    assert convert("cin", text) == (value, [] if value else [("identifier-format", "PID-3")])


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("1999999992", True), (" 1999999992 ", True), ("2999999990", True), ("1999999991", False),
        ("3999999998", False), ("199999999", False), ("19999999920", False), ("", False),
        ("199999999X", False), ("\uff11999999992", False),
    ],
)  # fmt: skip
def test_npi(text, ok):
    value, issues = convert("npi", text)
    assert (value, issues) == (
        (text.strip(), []) if ok else (None, [("identifier-format", "PID-3")])
    )


@given(st.integers(10**8, 10**9 - 1))
def test_exactly_one_digit_is_the_check_digit(stem):
    assert sum(luhn(f"80840{stem}{digit}") for digit in range(10)) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes", True), ("YES", True), ("y", True), ("1", True), (" yes ", True), ("true", True),
        ("No", False), ("N", False), ("0", False), ("FALSE", False),
        ("maybe", None), ("2", None), ("Y/N", None), ("YESNO", None),
    ],
)  # fmt: skip
def test_flag(text, value):
    issues = [("flag-format", "PID-3")] if value is None else []
    assert convert("flag", text) == (value, issues)


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("9165550100", "(916) 555-0100", []),
        ("916-555-0100", "(916) 555-0100", []),
        ("(916) 555-0100", "(916) 555-0100", []),
        ("916.555.0100", "(916) 555-0100", []),
        ("1-916-555-0100", "(916) 555-0100", []),
        ("+1 916 555 0100", "(916) 555-0100", []),
        ("916-555-0100 x12", "(916) 555-0100 x12", []),
        ("916-555-0100, ext. 12", "(916) 555-0100 x12", []),
        ("916-555-0100 Extension 12", "(916) 555-0100 x12", []),
        ("9165550100X012", "(916) 555-0100 x012", []),
        ("+52 55 5555 0100", "+52 55 5555 0100", []),
        ("+44 (0)20 7946 0100", "+44 (0)20 7946 0100", []),
        ("916-555-0100 (mother)", "(916) 555-0100", [("unmapped", "PID-3")]),
        ("916-555-0100 / 916-555-0101", None, [("phone-format", "PID-3")]),
        ("555-0100", None, [("phone-format", "PID-3")]),
        ("016-555-0100", None, [("phone-format", "PID-3")]),
        ("none", None, [("phone-format", "PID-3")]),
        ("+", None, [("phone-format", "PID-3")]),
        ("+x", None, [("phone-format", "PID-3")]),
        ("", None, [("phone-format", "PID-3")]),
        ("9" * 5000, None, [("phone-format", "PID-3")]),
        ("9165550100" + " " * 50000, "(916) 555-0100", []),
        ("x1" * 30, None, [("phone-format", "PID-3")]),
    ],
)
def test_phone(text, value, issues):
    assert convert("phone", text) == (value, issues)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("95814", "95814"), (" 95814 ", "95814"), ("95814-1234", "95814-1234"),
        ("958141234", "95814-1234"), ("95814 1234", "95814-1234"), ("95814.0", "95814"),
        ("2134", "02134"), ("21341234", "02134-1234"), ("95814-123", None), ("9581", "09581"),
        ("958", None), ("958145", None), ("95814-", None), ("9581A", None), ("", None),
        ("\u00b2" * 5, None), ("K1A 0B1", None), ("95814-12345", None),
    ],
)  # fmt: skip
def test_zip(text, value):
    assert convert("zip", text) == (value, [] if value else [("value-format", "PID-3")])


@pytest.mark.parametrize(
    ("name", "text", "value", "detail"),
    [
        ("text", "  two \n words\t", "two words", None),
        ("text", "\u00a0", None, None),
        ("id", " 00 123 ", "00123", None),
        ("id", "0000", "0000", None),
        ("id", " ", None, None),
        ("email", " olive@otter.example ", "olive@otter.example", None),
        ("email", "olive@otter", None, "value-format"),
        ("email", "olive otter@x.example", None, "value-format"),
        ("email", "a@b.example,c@d.example", None, "value-format"),
        ("email", "@otter.example", None, "value-format"),
        ("email", "a@" + "." * 50000 + "@", None, "value-format"),
        ("integer", "3", 3, None),
        ("integer", "3.0", 3, None),
        ("integer", "-3", -3, None),
        ("integer", "3.5", None, "number-format"),
        ("integer", "9999999999", None, "number-format"),
        ("integer", "\u0663", None, "number-format"),
        ("money", "1234.50", Decimal("1234.50"), None),
        ("money", "$1,234.50", Decimal("1234.50"), None),
        ("money", "-$5", Decimal("-5"), None),
        ("money", "12,34", None, "number-format"),
        ("money", "NaN", None, "number-format"),
        ("money", "1e5", None, "number-format"),
        ("money", "1_000", None, "number-format"),
        ("money", "", None, "number-format"),
        ("code", " non  binary ", "NON BINARY", None),
        ("code", " ", None, None),
    ],
)
def test_other_cells(name, text, value, detail):
    result, issues = convert(name, text)
    assert (result, type(result)) == (value, type(value))
    assert issues == ([(detail, "PID-3")] if detail else [])


@pytest.mark.parametrize("name", CELLS)
@given(cell=st.text(max_size=40) | st.text(alphabet="0123456789/-. :APMx+()$,@E", max_size=30))
def test_any_cell_is_a_value_or_an_issue_without_it(name, cell):
    run = fresh()
    value, issues = convert(name, cell, run)
    assert value is None or issues == [] or issues == [("unmapped", "PID-3")]
    assert found(run) == issues
    # Examples are drawn from words of our source too, which a message may hold by chance.
    if len(cell) > 6 and not re.search("[a-z]{3}", cell):
        assert not any(cell in issue.text for issue in run.issues)


def test_every_converter_is_in_a_table_here_or_reads_components():
    texts = {name for name, one in CONVERTERS.items() if one.text is not None}
    hl7 = {
        "st", "positive", "days", "yes_no", "ssn", "string_concept", "dtm", "date", "instant",
        "time_of_birth", "narrative", "deleted_diagnosis", "bed_status",
    }  # fmt: skip
    assert hl7 | set(CELLS) <= texts
