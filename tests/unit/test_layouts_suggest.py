"""A layout proposed for a file that nobody described: it works, and shows no value."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from adapter import convert, data
from adapter.sources import layout as layouts
from adapter.sources.header import Header
from adapter.sources.sample import NoTable
from adapter.sources.suggest import ENOUGH, suggest
from adapter.sources.suggestion_text import toml
from adapter.sources.tabular import open_table

# How another plan would write the same headers.
ABBREVIATIONS = (
    ("Date of Birth", "Birth Dt"), ("DOB", "BirthDate"), ("Member", "Mbr"), ("Number", "No"),
    ("Address", "Addr"), ("Phone", "Tel"), ("Authorization", "Auth"), ("Last Name", "Lst Nm"),
    ("First Name", "Fst Nm"), ("LAST_NAME", "LNAME"), ("FIRST_NAME", "FNAME"), ("Zip", "ZipCode"),
    ("Indicator", "Flag"), ("Language", "Lang"), ("Provider", "Prov"), ("Status", "Stat"),
    ("Gender", "Gndr"), ("Effective", "Eff"), ("County", "Cnty"), ("Emergency", "Emerg"),
)  # fmt: skip
FIXTURES = {
    "canonical": "title-rows", "sunrise": "sunrise-csv", "health-net": "health-net",
    "kaiser": "kaiser", "esteem": "esteem-xml", "sacramento": "sacramento",
    "community-health-group": "community-health-group",
}  # fmt: skip
POSITIONAL = ("kern-demographic", "kern-enrollment", "kern-outreach", "meadow")


def test_every_layout_is_tried() -> None:
    assert {*FIXTURES, *POSITIONAL} == set(layouts.plans())


def fixture(case: str) -> Path:
    (file,) = data.path("fixtures", "mif", case).glob("input.*")
    return file


def renamed(header: str) -> str:
    for text, short in ABBREVIATIONS:
        header = re.sub(re.escape(text), short, header, flags=re.IGNORECASE)
    return f"X {header}"


def columns(file: Path | bytes, plan: str) -> tuple[Header, list[list[str]]]:
    opened = open_table(file, layouts.load(plan))
    assert opened.header is not None
    return opened.header, [row.cells for row in opened.rows if any(row.cells)]


def as_csv(rows: list[list[str]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()


def use(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> convert.Table:
    """Put a proposed layout into a folder of layouts, and load it from there."""
    folder = tmp_path / "mappings" / "mif" / "layouts"
    folder.mkdir(parents=True)
    shipped = data.path("mappings", "mif", "layouts", "canonical.toml")
    (folder / "canonical.toml").write_text(shipped.read_text())
    (folder / "proposed.toml").write_text(text)
    real = data.path

    def path(*parts: str) -> Path:
        found = tmp_path.joinpath(*parts)
        return found if parts[:3] == ("mappings", "mif", "layouts") else real(*parts)

    monkeypatch.setattr(data, "path", path)
    layouts._load.cache_clear()
    try:
        return convert.member_table("proposed")
    finally:
        layouts._load.cache_clear()


def people(file: Path | bytes, table: convert.Table) -> list[Any]:
    """Names, birth dates, sexes and CINs of the members of a file."""
    found = []
    for outcome in convert.rows(file, table, "f", "2026-07-02T15:00:00+00:00"):
        for entry in outcome.entries:
            if entry.resource["resourceType"] == "Patient":
                patient = entry.resource
                numbers = {i["value"] for i in patient["identifier"] if i["system"].endswith("cin")}
                birth, sex = patient.get("birthDate"), patient.get("gender")
                found.append((patient["name"], birth, sex, numbers))
    return found


@pytest.mark.parametrize("plan", FIXTURES)
def test_a_file_with_other_headers_gets_a_layout_that_works(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, rows = columns(fixture(FIXTURES[plan]), plan)
    file = as_csv([[renamed(label) for label in header.labels], *rows])
    expected = people(fixture(FIXTURES[plan]), convert.member_table(plan))
    found = suggest(file)
    meant = zip(header.columns, found.guesses, strict=True)
    right = [name == guess.field for name, guess in meant if name and guess.score >= ENOUGH]
    assert sum(right) >= 0.7 * sum(1 for name in header.columns if name)
    assert right.count(False) <= 1
    assert people(file, use(toml(found, "proposed"), tmp_path, monkeypatch)) == expected


@pytest.mark.parametrize("plan", FIXTURES)
def test_a_file_as_it_is_gets_a_layout_that_works(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fixture(FIXTURES[plan])
    expected = people(file, convert.member_table(plan))
    assert people(file, use(toml(suggest(file), "proposed"), tmp_path, monkeypatch)) == expected


def test_columns_without_header_are_told_by_their_values() -> None:
    found = suggest(fixture("kern-demographic"))
    assert found.sample.header is None
    taken = {g.field: place for place, g in enumerate(found.guesses, 1) if g.score >= ENOUGH}
    own = layouts.load("kern-demographic").positions
    assert {name: own[place - 1] for name, place in taken.items() if name != "phone"} == {
        name: name for name in taken if name != "phone"
    }
    assert {"cin", "birth_date", "sex", "last_name", "first_name", "zip"} <= taken.keys()


@pytest.mark.parametrize("case", [*FIXTURES.values(), *POSITIONAL, "esteem-tsv", "all-in-one"])
def test_no_value_of_a_cell_is_shown(case: str) -> None:
    file = fixture(case)
    found = suggest(file)
    text = toml(found, "proposed")
    shown = {*found.labels, "X", ""}
    values = {cell.strip() for row in found.sample.rows for cell in row} - shown
    long = {value for value in values if len(value) > 4 and not value.isdigit()}
    known = {t for texts in layouts.load("canonical").columns.values() for t in texts}
    leaked = {value for value in long if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)}
    headers = {*known, *found.labels}
    assert leaked - headers - {word for text in headers for word in text.split()} == set()
    assert not re.search(r"\b9\d{7}[A-Z]\b|\b\d{10}\b", text)


def test_rows_of_words_without_header_are_never_taken_for_one() -> None:
    found = suggest(b"Otter,Olive,Fresno\nBeaver,Ben,Chico\nHeron,Hal,Davis\n")
    assert found.sample.header is None
    assert "Otter" not in toml(found, "proposed")


def test_a_workbook_s_fullest_sheet_is_taken() -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.add_worksheet("Cover").write(0, 0, "Imaginary Plan")
        sheet = book.add_worksheet("Roster July")
        sheet.write_row(0, 0, ["Imaginary Plan, July"])
        sheet.write_row(2, 0, ["Mbr CIN", "Lst Nm", "Fst Nm", "Birth Dt"])
        for n in range(5):
            sheet.write_row(3 + n, 0, [f"9000001{n}A", "Otter", "Olive", f"0{n + 1}/02/1980"])
    found = suggest(stream.getvalue())
    assert (found.sample.form, found.sample.sheet) == ("xlsx", "Roster July")
    assert [g.field for g in found.guesses] == ["cin", "last_name", "first_name", "birth_date"]


@pytest.mark.parametrize("file", [b"", b"one word\n", b"\x00" * 40, b"<a/>", b"PK\x03\x04junk"])
def test_what_is_no_table_is_said_to_be_none(file: bytes) -> None:
    with pytest.raises(NoTable):
        suggest(file)
