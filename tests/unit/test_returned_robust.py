"""Return files of others that are broken: what is wrong is told, every other row is kept."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import xlsxwriter

from adapter.pipeline import Pipeline, UnitResult
from tests.unit.test_returned import END, HEAD, WHO, plan_side

KERN = b"0001|02-03-2026 09:00:00|0|MEM1|90000011A||0||01-05-2026 10:00:00|2|1||1|1234567893|ECM\n"
__all__ = ["plan_side"]  # a fixture


def lines_of(found: list[UnitResult]) -> list[tuple[int, str]]:
    return [(one.line, one.status) for one in found]


def told(found: list[UnitResult]) -> list[tuple[str, int, str]]:
    return [(i.detail, i.at.line, i.severity) for one in found for i in one.issues if i.at]


def three(change: str = "", old: str = "Olive") -> bytes:
    """A file of three members; the middle one's row is changed."""
    cells = "Enrolled,High,11/03/2025,,,," + END.format(made="02/03/2026")
    rows = [WHO.replace("11A", f"1{n}A") + cells for n in range(1, 4)]
    return (HEAD + rows[0] + rows[1].replace(old, change) + rows[2]).encode()


def test_windows_letters_are_read(plan_side: Pipeline) -> None:
    content = three("Nuñez").decode().encode("cp1252")
    found = list(plan_side.rtf(content, "canonical", "f.csv"))
    assert lines_of(found) == [(2, "stored"), (3, "stored"), (4, "stored")]
    assert ("file-encoding", 3, "warning") in told(found)
    names = {one["name"][0]["given"][0] for one in plan_side.store.each("Patient")}
    assert "Nuñez" in names


@pytest.mark.parametrize("long", ["x" * (2 << 20), '"' + "x" * (2 << 20) + '"', "x" * (200 << 10)])
def test_a_line_too_long_costs_itself_only(long: str, plan_side: Pipeline) -> None:
    found = list(plan_side.rtf(three(long), "canonical", "f.csv"))
    assert lines_of(found) == [(2, "stored"), (3, "refused"), (4, "stored")]
    assert [one for one in told(found) if one[2] == "error"] == [("line-size", 3, "error")]


def test_a_quotation_never_closed_costs_its_line_only(plan_side: Pipeline) -> None:
    found = list(plan_side.rtf(three('"Olive'), "canonical", "f.csv"))
    assert lines_of(found) == [(2, "stored"), (3, "refused"), (4, "stored")]
    assert [one for one in told(found) if one[2] == "error"] == [("column-count", 3, "error")]


def test_lines_are_those_of_the_file(plan_side: Pipeline) -> None:
    content = three('"Olive\nJune"').replace(b"11/03/2025", b"soon")
    found = list(plan_side.rtf(b"\n" + content, "canonical", "f.csv"))
    assert lines_of(found) == [(3, "stored"), (4, "stored"), (6, "stored")]
    assert [one[1] for one in told(found) if one[0] == "date-format"] == [3, 4, 6]


def test_what_the_last_line_holds_is_told(plan_side: Pipeline) -> None:
    name = "X_KHS_ECM_OUTREACH_P_20260203.txt"
    found = list(plan_side.otf(KERN + b"\x00\n", "kern", name))
    assert lines_of(found) == [(1, "stored"), (2, "refused")]
    assert told(found)[-1] == ("file-encoding", 2, "error")


def test_an_end_mark_of_old_systems_is_no_row(plan_side: Pipeline) -> None:
    found = list(plan_side.rtf(three() + b"\x1a", "canonical", "f.csv"))
    assert lines_of(found) == [(2, "stored"), (3, "stored"), (4, "stored")]


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"\xff\xfe\xff", bytes(range(256)) * 4])
def test_what_is_no_table_is_refused(content: bytes, plan_side: Pipeline) -> None:
    (found,) = plan_side.rtf(content, "canonical", "f.csv")
    assert found.status == "refused"
    assert told([found]) == [("file-format", 1, "fatal")]


def test_a_workbook_that_unpacks_beyond_the_limit(plan_side: Pipeline) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet("RTF").write_string("XFD1048576", "x")
    found = list(plan_side.rtf(file.getvalue(), "canonical", "f.xlsx"))
    assert [one.status for one in found] == ["refused"]
    assert "the workbook unpacks to more than the limit" in found[0].issues[0].text


def test_rows_of_a_workbook_keep_their_numbers(tmp_path: Path, plan_side: Pipeline) -> None:
    lines = csv.reader(io.StringIO(three().decode()))
    with xlsxwriter.Workbook(tmp_path / "f.xlsx") as book:
        sheet = book.add_worksheet("RTF")
        for number, cells in zip((1, 3, 4, 6), lines, strict=True):
            sheet.write_row(number, 1, cells)
    found = list(plan_side.rtf(tmp_path / "f.xlsx", "canonical"))
    assert lines_of(found) == [(4, "stored"), (5, "stored"), (7, "stored")]


def test_a_file_that_is_not_there(tmp_path: Path, plan_side: Pipeline) -> None:
    (found,) = plan_side.rtf(tmp_path / "none.csv", "canonical")
    assert told([found]) == [("file-format", 1, "fatal")]
