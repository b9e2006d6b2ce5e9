"""X12 as text and the edits: nothing of a name breaks a segment, and each fault has its element."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.claims import edits, x12

CLAIM: list[x12.Segment] = [
    ("HL", "2", "1", "22", "0"),
    ("SBR", "P", "18", "", "", "", "", "", "", "MC"),
    ("NM1", "IL", "1", "TUMBLEWEED", "ANSEL", "", "", "", "MI", "90000022B"),
    ("CLM", "ECM1", "96.5", "", "", ("11", "B", "1"), "Y", "A", "Y", "Y"),
    ("REF", "G1", "AUTH1"),
    ("HI", ("ABK", "Z5900"), ("ABF", "F331")),
    ("NM1", "82", "1", "FERNFIELD", "OTTOLINE", "", "", "", "XX", "1888880014"),
    ("LX", "1"),
    ("SV1", ("HC", "G9008", "U1", "GQ"), "96.5", "UN", "2", "11", "", ("1", "2")),
    ("DTP", "472", "D8", "20260113"),
    ("REF", "6R", "L1"),
]


def place_of(issues: list) -> list[tuple[int, str]]:
    return [(issue.at.line, issue.at.field) for issue in issues]


def test_a_right_claim_passes() -> None:
    assert edits.check(CLAIM) == []


@pytest.mark.parametrize(
    ("index", "changed", "element"),
    [
        (2, ("NM1", "IL", "1", "X", "Y", "", "", "", "MI", "80000022B"), "NM109"),
        (2, ("NM1", "IL", "1", "X", "Y", "", "", "", "MI", "9000002B"), "NM109"),
        (2, ("NM1", "IL", "1", "", "Y", "", "", "", "MI", "90000022B"), "NM103"),
        (3, ("CLM", "ECM1", "96", "", "", ("11", "B", "1")), "CLM02"),
        (3, ("CLM", "ECM1", "much", "", "", ("11", "B", "1")), "CLM02"),
        (3, ("CLM", "ECM1", "96.5", "", "", ("ZZ", "B", "1")), "CLM05"),
        (3, ("CLM", "ECM1", "96.5", "", "", ("11", "B", "2")), "CLM05"),
        (3, ("CLM", "ECM1", "96.5", "", "", ("11", "B", "7")), "REF"),
        (3, ("CLM", "ECM1", "96.5", "", "", ("11", "B", "8")), "REF"),
        (3, ("CLM", "E" * 21, "96.5", "", "", ("11", "B", "1")), "CLM01"),
        (4, ("REF", "F8", "PAYER1"), "REF"),
        (4, ("REF", "G1", "AUTH*1"), "REF02"),
        (4, ("REF", "G1", "A~ST"), "REF02"),
        (4, ("REF", "G1", ""), "REF02"),
        (5, ("HI", ("ABK", "Z59.00"), ("ABF", "F331")), "HI01"),
        (5, ("HI", ("ABK", "Z5900"), ("ABK", "F331")), "HI02"),
        (5, ("HI", ("ABK", "5900"), ("ABF", "F331")), "HI01"),
        (6, ("NM1", "82", "1", "X", "Y", "", "", "", "XX", "1888880015"), "NM109"),
        (6, ("NM1", "82", "1", "X", "Y", "", "", "", "XX", "188888001"), "NM109"),
        (8, ("SV1", ("HC", "G9008", "GQ", "U1"), "96.5", "UN", "2", "11", "", ("1",)), "SV101"),
        (8, ("SV1", ("HC", "G9008", "GQ"), "96.5", "UN", "2", "11", "", ("1",)), "SV101"),
        (8, ("SV1", ("HC", "G9008", "U1", "U1"), "96.5", "UN", "2", "11", "", ("1",)), "SV101"),
        (8, ("SV1", ("HC", "9008"), "96.5", "UN", "2", "11", "", ("1",)), "SV101"),
        (8, ("SV1", ("HC", "G9008", "U1"), "96.5", "UN", "2", "98", "", ("1",)), "SV105"),
        (8, ("SV1", ("HC", "G9008", "U1"), "96.5", "UN", "0", "11", "", ("1",)), "SV104"),
        (8, ("SV1", ("HC", "G9008", "U1"), "96.5", "UN", "2", "11", "", ("3",)), "SV107"),
        (8, ("SV1", ("HC", "G9008", "U1"), "96.5", "UN", "2", "11"), "SV107"),
    ],
)
def test_each_fault_is_found_at_its_element(index: int, changed: tuple, element: str) -> None:
    rows = [*CLAIM]
    rows[index] = changed
    found = place_of(edits.check(rows, first=10))
    assert element in [name for _, name in found]
    claim_wide = {"CLM02", "REF"}
    if element not in claim_wide:
        assert (index + 10, element) in found


@pytest.mark.parametrize(
    ("rows", "element"),
    [
        ([*CLAIM, *CLAIM], "CLM01"),
        ([row for row in CLAIM if row[0] != "HI"], "HI"),
        ([row for row in CLAIM if row[0] != "SV1"], "LX"),
        ([*CLAIM, *CLAIM[7:]], "REF02"),
        ([*CLAIM[:7], *(CLAIM[7:] * 51)], "LX"),
        ([*CLAIM[:5], ("HI", *[("ABK", "Z5900")] * 13), *CLAIM[6:]], "HI"),
    ],
)
def test_faults_of_a_whole_claim(rows: list, element: str) -> None:
    assert element in [name for _, name in place_of(edits.check(rows))]


def test_a_correction_with_its_number_passes() -> None:
    rows = [*CLAIM]
    rows[3] = ("CLM", "ECM1", "96.5", "", "", ("11", "B", "7"), "Y", "A", "Y", "Y")
    rows.insert(4, ("REF", "F8", "PAYER1"))
    assert edits.check(rows) == []


def test_no_issue_tells_a_value() -> None:
    rows = [*CLAIM]
    rows[2] = ("NM1", "IL", "1", "", "ANSEL", "", "", "", "MI", "secret-id")
    assert all("secret" not in issue.text for issue in edits.check(rows))


@pytest.mark.parametrize(
    ("npi", "valid"),
    [
        ("1888880014", True),
        ("1888880015", False),
        ("1467590125", True),
        ("3888880014", False),
        ("188888001", False),
        ("18888800144", False),
        ("", False),
        ("١٨٨٨٨٨٠٠١٤", False),
    ],
)
def test_npi_check_digit(npi: str, valid: bool) -> None:
    assert edits.npi_valid(npi) is valid


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("120.00", "120"),
        ("120.50", "120.5"),
        ("0.05", "0.05"),
        ("0", "0"),
        ("0.00", "0"),
        ("1E+2", "100"),
        ("1200", "1200"),
    ],
)
def test_numbers_of_type_r(value: str, text: str) -> None:
    assert x12.number(Decimal(value)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ñandú O\u2019Quill", "Nandu O'Quill"),
        ("A*B~C:D^E", "A B C D E"),
        ("line\nbreak\tand  space ", "line break and space"),
        ("Łódź Straße", "Lodz Strasse"),
        ("名前", ""),
    ],
)
def test_cleaning(text: str, expected: str) -> None:
    assert x12.clean(text) == expected


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_breaks_a_segment(family: str, given_name: str) -> None:
    row = x12.segment(
        "NM1", "IL", "1", x12.clean(family, 60), x12.clean(given_name, 35), "", "", "", "MI", "9"
    )
    text = x12.text([row])
    assert text.count("~") == 1 and text.endswith("~\n") and text.count("\n") == 1
    assert text.count("*") == 9
    assert text.isascii() and ":" not in text and "^" not in text
    assert len(row[3]) <= 60


@given(st.text(max_size=80))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = x12.clean(text, 35)
    assert x12.clean(once, 35) == once


def test_trailing_empty_elements_and_components_go() -> None:
    assert x12.segment("N3", "1 TEST WAY", "") == ("N3", "1 TEST WAY")
    assert x12.segment("SV1", ("HC", "G9008", "", ""), "1", ("", "")) == (
        "SV1",
        ("HC", "G9008"),
        "1",
    )


def test_the_envelope_counts_and_is_fixed() -> None:
    envelope = x12.Envelope(
        "ABCDEFGHIJKLMNOPQ", "X", "ZZ", "30", "T", datetime(2026, 2, 3, 10, 30), 905, 905
    )
    rows = x12.interchange(envelope, CLAIM)
    text = x12.text(rows)
    assert len(text.split("~")[0]) + 1 == 106
    assert text[3] == "*" and text[104] == ":" and text[82] == "^"
    assert rows[-3] == ("SE", str(len(CLAIM) + 2), "0001")
    assert rows[-2] == ("GE", "1", "905")
    assert rows[-1] == ("IEA", "1", "000000905")
