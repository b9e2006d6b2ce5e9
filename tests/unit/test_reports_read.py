"""Return files of others: what is missing, unknown or unreadable is told, the rest stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter

from adapter import outputs
from adapter.errors import OutputError
from adapter.reports import layout_file
from adapter.reports.cells import BadCell, parsed, text, told
from adapter.reports.layout import Column

RTF = layout_file.load("canonical", "rtf")
OTF = layout_file.load("canonical", "otf")
KERN = layout_file.load("kern", "outreach")
HEADERS = [column.header for column in OTF.columns]
ROW = [
    "KP", "A plan", "Us", "1234567893", "990000017", "Ivy Ashdown", "90000001A", "Clinical",
    "01/09/2026", "Phone Call", "Y", "5",
]  # fmt: skip


def said(tmp_path: Path, *lines: str, layout=OTF, name: str = "otf.csv"):
    file = tmp_path / name
    file.write_bytes(b"\r\n".join(line.encode("utf-8") for line in lines))
    found, issues = outputs.read_back(file, layout)
    return found, [(one.detail, one.at.line, one.at.field) for one in issues]


def line(**changed: str) -> str:
    places = {column.element: place for place, column in enumerate(OTF.columns)}
    cells = list(ROW)
    for element, cell in changed.items():
        cells[places[element]] = cell
    return ",".join(cells)


def test_a_row_of_somebody_else_s_file(tmp_path: Path) -> None:
    found, issues = said(tmp_path, ",".join(HEADERS), ",".join(ROW), "")
    assert issues == []
    assert found["90000001A"].attempts == [
        {
            "provider_type": "clinical",
            "attempt_date": date(2026, 1, 9),
            "method": "PHONE",
            "success": True,
            "time_spent": 5,
        }
    ]
    assert found["90000001A"].values == {"cin": "90000001A", "member_name": "Ivy Ashdown"}


@pytest.mark.parametrize(
    ("changed", "issue"),
    [
        ({"attempt_date": "soon"}, ("date-format", 2, "Date of Outreach Attempt")),
        ({"success": "perhaps"}, ("flag-format", 2, "Outreach Attempt Successful")),
        ({"time_spent": "long"}, ("number-format", 2, "Time Spent Performing Outreach")),
        ({"method": "Pigeon"}, ("code-unknown", 2, "Outreach Attempt Method")),
    ],
)
def test_a_cell_that_cannot_be_read(tmp_path: Path, changed: dict, issue: tuple) -> None:
    found, issues = said(tmp_path, ",".join(HEADERS), line(**changed))
    assert issues == [issue]
    (element,) = changed
    (attempt,) = found["90000001A"].attempts
    assert attempt.get(element) == ("Pigeon" if element == "method" else None)


def test_headers_are_matched_by_letters_and_digits(tmp_path: Path) -> None:
    odd = [header.upper().replace(" ", "  ") for header in HEADERS]
    found, issues = said(tmp_path, "\ufeff" + ",".join(odd), ",".join(ROW))
    assert issues == [] and len(found) == 1


def test_another_order_and_an_unknown_column(tmp_path: Path) -> None:
    found, issues = said(
        tmp_path, ",".join([*HEADERS[::-1], "Shoe Size"]), ",".join([*ROW[::-1], "44"])
    )
    assert issues == [("column-unknown", 1, "Shoe Size")]
    assert found["90000001A"].attempts[0]["method"] == "PHONE"


def test_without_a_required_column_nothing_is_read(tmp_path: Path) -> None:
    found, issues = said(tmp_path, ",".join(HEADERS[:-3]), ",".join(ROW[:-3]))
    assert found == {}
    assert ("column-missing", 1, "Outreach Attempt Method") in issues


def test_more_cells_than_columns(tmp_path: Path) -> None:
    found, issues = said(tmp_path, ",".join(HEADERS), ",".join([*ROW, "more"]))
    assert issues == [("column-count", 2, "")] and len(found) == 1


def test_a_member_without_a_number_is_known_by_the_line(tmp_path: Path) -> None:
    found, _ = said(tmp_path, ",".join(HEADERS), line(cin=""))
    assert list(found) == ["line 2"]


PIPE = "{0}|02-03-2026 20:30:05|{1}|MEM1|90000001A||0||{2}|2|1||990000017|1234567893|ECM"


def test_a_void_row_takes_back(tmp_path: Path) -> None:
    first, second = "01-20-2026 09:00:00", "01-21-2026 09:00:00"
    rows = [PIPE.format("0001", "0", first), PIPE.format("0002", "0", second)]
    rows += [PIPE.format("0003", "1", first)]
    found, issues = said(tmp_path, *rows, layout=KERN, name="outreach.txt")
    assert issues == []
    (attempt,) = found["90000001A"].attempts
    assert attempt["attempt_time"] == datetime(2026, 1, 21, 9)
    assert (attempt["result"], attempt["missed_code"]) == ("not-reached", "no-answer")


def test_a_void_member_is_gone(tmp_path: Path) -> None:
    layout = layout_file.load("kern", "demographic")
    row = "0001|02-03-2026 20:30:05|{}|MEM1|90000001A|02-29-1980|F|Ashdown|Ivy" + "|" * 14
    found, _ = said(tmp_path, row.format("0"), row.format("1"), layout=layout, name="d.txt")
    assert found == {}


def test_a_workbook_somebody_typed(tmp_path: Path) -> None:
    file = tmp_path / "otf.xlsx"
    with xlsxwriter.Workbook(file) as book:
        sheet, days = book.add_worksheet("OTF"), book.add_format({"num_format": "m/d/yy"})
        sheet.write_row(0, 0, HEADERS)
        sheet.write_row(1, 0, ROW)
        sheet.write_datetime(1, 8, datetime(2026, 1, 9), days)
        sheet.write_number(1, 3, 1234567893)
        sheet.write_number(1, 11, 5)
    found, issues = outputs.read_back(file, OTF)
    assert issues == []
    assert found["90000001A"].attempts[0]["attempt_date"] == date(2026, 1, 9)
    assert found["90000001A"].attempts[0]["time_spent"] == 5


@pytest.mark.parametrize("name", ["none.csv", "none.xlsx", "broken.xlsx", "latin.csv"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(OutputError, match=name):
        outputs.read_back(tmp_path / name, OTF)


def column(form: str, **words: str) -> Column:
    ours = {word.casefold(): code for code, word in reversed(words.items())}
    return Column("Header", "cin", form, False, words or None, ours)


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("date", "01/09/2026", date(2026, 1, 9)),
        ("date", "2026-01-09", date(2026, 1, 9)),
        ("date", "20260109", date(2026, 1, 9)),
        ("date", datetime(2026, 1, 9), date(2026, 1, 9)),
        ("datetime", date(2026, 1, 9), datetime(2026, 1, 9)),
        ("datetime", datetime(2026, 1, 9, 8), datetime(2026, 1, 9, 8)),
        ("month", "02/2026", date(2026, 2, 1)),
        ("month", date(2026, 2, 14), date(2026, 2, 1)),
        ("flag", "no", False),
        ("flag", "1", True),
        ("integer", 12.0, 12),
        ("integer", "-3", -3),
        ("duration", "45 mins", 45),
        ("duration", "1 h 5 mins", 65),
        ("duration", "1 min", 1),
        ("duration", "90", 90),
        ("text", 7.5, "7.5"),
        ("text", " a ", "a"),
        ("date", "", None),
    ],
)
def test_cells(form: str, cell: object, value: object) -> None:
    assert parsed(cell, column(form), RTF) == value


@pytest.mark.parametrize(
    ("form", "cell"),
    [("date", "13/45/2026"), ("month", "2026"), ("flag", "x"), ("integer", "1.5"),
     ("duration", "an hour"), ("datetime", "noon")],
)  # fmt: skip
def test_bad_cells(form: str, cell: str) -> None:
    with pytest.raises(BadCell):
        parsed(cell, column(form), RTF)


@pytest.mark.parametrize(
    ("form", "value", "kept", "known"),
    [
        ("text", "high", "high", True),
        ("text", "HIGH!", "high", True),
        ("text", "lofty", "lofty", False),
        ("code", "lofty", None, False),
        ("code", "high", "high", True),
        ("text", "tall", "high", True),
    ],
)
def test_codes_without_a_word(form: str, value: str, kept: str | None, known: bool) -> None:
    assert told(value, column(form, high="High", tall="High"), "csv") == (kept, known)


def test_a_reason_without_a_word_is_told_by_its_name() -> None:
    one = layout_file.load("health-net", "rtf").column("discont_reason")
    kept, known = told("moved-county", one)
    assert (kept, known) == ("Moved out of the county or service area", False)
    assert told(kept, one) == (kept, False)


def test_the_first_of_two_codes_is_kept() -> None:
    one = replace(column("code"), words={"a": "X", "b": "X"}, ours={"x": "a"})
    assert told("b", one) == ("a", True)
    assert text("a", one, RTF) == "X"
