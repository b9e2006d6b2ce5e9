"""Every plan's files for 220 invented members, cell by cell, as another reader finds them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from adapter import outputs
from adapter.data import path
from adapter.pipeline import Pipeline
from adapter.reports import write
from tests.unit import plans_made
from tests.unit.fake_store import FakeStore, LargeStore
from tests.unit.members_made import (
    NOW,
    PERIOD,
    STATUSES,
    Made,
    Plan,
    Try,
    attempts,
    cell,
    many,
    resources,
)

MEMBERS = many(220)
Wanted = list[list[str]]


def made(plan: str, kind: str, folder: Path, form=None) -> tuple[write.Written, FakeStore]:
    store = LargeStore(*resources(MEMBERS, plan))
    house = Pipeline(store, lambda: NOW)
    run = outputs.return_run(house, plan, kind, PERIOD, form, "casey")
    return write.write(store, run, folder), store


def members() -> Iterator[tuple[Made, Try | None]]:
    return ((one, None) for one in MEMBERS)


def tried() -> Iterator[tuple[Made, Try | None]]:
    return ((one, attempt) for one in MEMBERS for attempt in attempts(one))


def both() -> Iterator[tuple[Made, Try | None]]:
    return ((one, attempt) for one in MEMBERS for attempt in attempts(one) or [None])


def wanted(elements: list[str], rows, plan: Plan) -> Wanted:
    return [
        [cell(element, one, attempt, plan, line) for element in elements]
        for line, (one, attempt) in enumerate(rows, 1)
    ]


def compared(found: Wanted, expected: Wanted) -> int:
    """Compares cell by cell; how many cells there were."""
    assert len(found) == len(expected)
    for line, (row, want) in enumerate(zip(found, expected, strict=True)):
        for place, (have, text) in enumerate(zip(row, want, strict=True)):
            assert (line, place, have) == (line, place, text)
    return sum(map(len, found))


def test_every_status_is_there() -> None:
    assert {one.status for one in MEMBERS} == set(STATUSES)
    assert all(sum(one.status == status for one in MEMBERS) >= 20 for status in STATUSES)


def test_every_plan_is_compared() -> None:
    folders = {one.name for one in path("mappings", "outbound").iterdir() if one.is_dir()}
    assert folders - {"lists", "exchanges"} == {
        *plans_made.CSV_PLANS,
        *plans_made.BOOK_PLANS,
        "kern",
    }


@pytest.mark.parametrize("kind", ["rtf", "otf"])
@pytest.mark.parametrize("name", plans_made.CSV_PLANS)
def test_csv(name: str, kind: str, tmp_path: Path) -> None:
    plan, whole, tracker = plans_made.CSV_PLANS[name]
    columns = whole if kind == "rtf" else tracker
    result, _ = made(name, kind, tmp_path)
    with result.file.open(encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))
    assert found[0] == [header for header, _ in columns]
    expected = wanted([e for _, e in columns], members() if kind == "rtf" else tried(), plan)
    assert compared(found[1:], expected) >= 200 * 12


@pytest.mark.parametrize("kind", ["rtf", "otf"])
@pytest.mark.parametrize("name", plans_made.BOOK_PLANS)
def test_workbooks(name: str, kind: str, tmp_path: Path) -> None:
    plan, sheets = plans_made.BOOK_PLANS[name]
    result, _ = made(name, kind, tmp_path)
    book = openpyxl.load_workbook(result.file)
    assert book.sheetnames == list(sheets)
    for sheet, columns in sheets.items():
        rows = list(book[sheet].iter_rows())
        assert [one.value for one in rows[0]] == [header for header, _ in columns]
        grain = both() if name == "kaiser" else tried() if sheet == "OTF" else members()
        found = [[shown(one, plan) for one in row] for row in rows[1:]]
        expected = wanted([e for _, e in columns], grain, plan)
        assert compared(found, expected) >= 200 * 12


def shown(one: openpyxl.cell.Cell, plan: Plan) -> str:
    """What a person sees in the cell."""
    if isinstance(one.value, datetime):
        return one.value.strftime(plan.dates)
    return "" if one.value is None else str(one.value)


def test_cells_of_a_workbook_have_types(tmp_path: Path) -> None:
    result, _ = made("vendor-38", "rtf", tmp_path)
    book = openpyxl.load_workbook(result.file)
    rows = list(book["RTF"].iter_rows())
    at = {one.value: place for place, one in enumerate(rows[0])}
    row = next(r for r in rows[1:] if r[at["ECM Enrollment Start Date"]].value)
    start = row[at["ECM Enrollment Start Date"]]
    assert (start.data_type, start.number_format) == ("d", "mm/dd/yyyy")
    assert row[at["In Person"]].data_type == "n"
    for header in ("Member Client Index Number (CIN)", "Member Residential Zip"):
        assert row[at[header]].data_type in ("s", "inlineStr"), header
    assert row[at["ECM Provider Tax ID Number (TIN)"]].value == "990000017"
    minutes = [r[11].value for r in book["OTF"].iter_rows(min_row=2)]
    assert "1 h 5 mins" in minutes


@pytest.mark.parametrize(
    ("kind", "name", "elements"),
    [
        ("rtf", "HLCC_KHS_NONPROGRAM_DEMOGRAPHIC_P_20260203203005.txt", plans_made.DEMOGRAPHIC),
        ("rtf", "HLCC_KHS_ECM_ENROLLMENT_P_20260203203005.txt", plans_made.ENROLLMENT),
        ("otf", "HLCC_KHS_ECM_OUTREACH_P_20260203203005.txt", plans_made.OUTREACH),
    ],
)
def test_pipe_files(kind: str, name: str, elements: list[str], tmp_path: Path) -> None:
    result, _ = made("kern", kind, tmp_path)
    assert name in {file.name for file in result.files}
    found = pipes(tmp_path / name)
    rows = members() if kind == "rtf" else tried()
    assert compared(found, wanted(elements, rows, plans_made.KERN)) >= 200 * 15


def test_the_merged_form_has_44_columns() -> None:
    assert len(plans_made.KAISER) == 44
    assert len(plans_made.VENDOR) == 38
    assert len(plans_made.TRACKER) == 12


@pytest.mark.parametrize("plan", ["canonical", "kern", "kaiser"])
@pytest.mark.parametrize("form", ["csv", "pipe", "xlsx"])
def test_every_format_of_a_layout_says_the_same(plan: str, form: str, tmp_path: Path) -> None:
    result, _ = made(plan, "rtf", tmp_path, form)
    found = [read_any(file) for file in result.files]
    base, _ = made(plan, "rtf", tmp_path / "base", "csv")
    for one, file in zip(found, base.files, strict=True):
        with file.open(encoding="utf-8", newline="") as stream:
            compared(one, [[plain(text) for text in row] for row in csv.reader(stream)])


def plain(text: str) -> str:
    return " ".join(text.replace("|", " ").split())


def pipes(file: Path) -> Wanted:
    lines = file.read_bytes().decode("utf-8").split("\r\n")
    assert lines.pop() == ""
    return [line.split("|") for line in lines]


def read_any(file: Path) -> Wanted:
    if file.suffix == ".txt":
        return pipes(file)
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as stream:
            return [[plain(text) for text in row] for row in csv.reader(stream)]
    sheet = openpyxl.load_workbook(file).worksheets[0]
    form = "%m-%d-%Y" if "KHS" in file.name else "%m/%d/%Y"
    return [[plain(any_text(one.value, form)) for one in row] for row in sheet.iter_rows()]


def any_text(value: object, form: str) -> str:
    if isinstance(value, datetime) and (value.hour or value.minute):
        return value.strftime(f"{form} %H:%M:%S")
    if isinstance(value, date):
        return value.strftime(form)
    return "" if value is None else str(value)


@pytest.mark.parametrize(
    ("plan", "kind"), [("kaiser", "rtf"), ("kern", "otf"), ("vendor-38", "otf")]
)
def test_every_cell_is_explained(plan: str, kind: str, tmp_path: Path) -> None:
    result, store = made(plan, kind, tmp_path)
    for file in result.files:
        cells = store.cells[file.name]
        assert len({(one.line, one.field) for one in cells}) == len(cells)
        there = set(store.resources)
        assert all(ref.partition("#")[0] in there for one in cells for ref in one.refs)
    one = store.cells[result.file.name][0]
    assert list(outputs.explain(store, f"{result.file.name}:{one.line}:{one.field}"))


def test_what_is_written_again_is_the_same_bytes(tmp_path: Path) -> None:
    for plan in ("kaiser", "vendor-38", "canonical"):
        first, _ = made(plan, "rtf", tmp_path / "a")
        again, _ = made(plan, "rtf", tmp_path / "b")
        assert first.file.read_bytes() == again.file.read_bytes()
