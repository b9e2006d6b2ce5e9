"""From a plan's member file to its return files: what came in goes out, and the command line."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from adapter import cli, outputs, terms
from adapter import store as stores
from adapter.data import path
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.reports import layout_file, lists
from adapter.store.protocol import Store
from tests.unit.members_made import Made, resources

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "mif"
NOW = datetime.fromisoformat("2026-08-03T09:00:00-07:00")
CASES = {
    "canonical": ["title-rows"],
    "sunrise": ["sunrise-csv", "sunrise-xlsx"],
    "health-net": ["health-net"],
    "kaiser": ["kaiser"],
    "kern": ["kern-demographic", "kern-enrollment", "kern-outreach"],
    "esteem": ["esteem-csv"],
    "community-health-group": ["community-health-group"],
    "sacramento": ["sacramento"],
    "meadow": ["meadow"],
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = stores.open(f"sqlite:///{tmp_path / 'store.sqlite'}", same_person=resolve)
    yield made
    made.close()


def load(house: Pipeline, case: str) -> int:
    """Rows of the case's file that were taken."""
    head = tomllib.loads((FIXTURES / case / "case.toml").read_text(encoding="utf-8"))
    (file,) = FIXTURES.joinpath(case).glob("input.*")
    return sum(one.status == "stored" for one in house.mif(file, head["plan"], file.name))


def texts(file: Path) -> set[str]:
    """Every cell of a file."""
    if file.suffix == ".xlsx":
        sheets = openpyxl.load_workbook(file).worksheets
        return {
            str(c) for sheet in sheets for row in sheet.iter_rows(values_only=True) for c in row
        }
    mark = "|" if file.suffix == ".txt" else ","
    with file.open(encoding="utf-8", newline="") as stream:
        return {cell for row in csv.reader(stream, delimiter=mark) for cell in row}


@pytest.mark.parametrize("plan", CASES)
def test_members_of_a_plan_s_file_stand_in_its_return_file(store, tmp_path, plan: str) -> None:
    house = Pipeline(store, lambda: NOW)
    assert sum(load(house, case) for case in CASES[plan]) > 0
    people = list(store.each("Patient"))
    system = "https://ecm-adapter.example/fhir/sid/cin"
    held = [one for row in people for one in row.get("identifier", ()) if one["system"] == system]
    cins = {one["value"] for one in held if re.fullmatch(r"9\d{7}[A-Z]", one["value"])}
    assert cins
    result = write(house, plan, tmp_path)
    for file in result.files:
        assert cins <= texts(file), file.name
    rows = 1 if len(people) == 1 else len(people)
    assert result.rows == rows * len(result.files)


def write(house: Pipeline, plan: str, folder: Path):
    run = outputs.return_run(house, plan, "rtf", "2026-07", None, "casey")
    return outputs.return_files(house, run, folder)


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'cli.sqlite'}"
    made = stores.open(url, same_person=resolve)
    with made.batch():
        for row in resources([Made(1), Made(2, status="discontinued")], "kern"):
            made.put(row, NOW.isoformat())
    made.close()
    return url


def run(url: str, folder: Path, *more: str) -> int:
    words = ["--database", url, "report", *more, "--plan", "kern", "--period", "2026-01"]
    return cli.main([*words, "--out", str(folder), "--by", "casey"])


def test_the_preflight_writes_nothing(database: str, tmp_path, capsys) -> None:
    assert run(database, tmp_path / "out", "rtf", "--preflight") == 1
    said = capsys.readouterr()
    assert said.out == "3 findings; nothing was written\n"
    assert "cell-empty: a required cell is empty" in said.err
    assert "Disenroll Reason" in said.err and "90000002A" not in said.err
    assert not (tmp_path / "out").exists()


def test_the_command_writes_and_says_what(database: str, tmp_path, capsys) -> None:
    assert run(database, tmp_path / "out", "rtf") == 1  # what is missing is told each time
    names = capsys.readouterr().out.splitlines()
    assert [re.sub(r"\d{14}", "TIME", name) for name in names] == [
        "HLCC_KHS_NONPROGRAM_DEMOGRAPHIC_P_TIME.txt: 2 rows",
        "HLCC_KHS_ECM_ENROLLMENT_P_TIME.txt: 2 rows",
    ]
    assert run(database, tmp_path / "out", "otf", "--format", "csv") == 0
    assert capsys.readouterr().out.endswith(".csv: 0 rows\n")


def test_a_plan_without_a_layout_is_our_fault(database: str, tmp_path, capsys) -> None:
    words = ["--database", database, "report", "rtf", "--plan", "nobody", "--period", "2026-01"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 2
    assert "mappings/outbound/nobody/rtf.toml" in capsys.readouterr().err


LISTS = sorted(path("mappings", "outbound", "lists").glob("*.toml"))


@pytest.mark.parametrize("name", [file.stem for file in LISTS])
def test_a_list_has_our_codes_and_is_used(name: str) -> None:
    table = "outreach-outcome" if name == "outreach-reached" else "discontinuation-reason"
    known = terms.table(table)
    codes = {target.code for code in known.codes() if (target := known.get(code))}
    assert lists.words(name).keys() <= codes
    whole = "".join(f.read_text("utf-8") for f in LISTS[0].parents[1].glob("*/*.toml"))
    assert f'values = "{name}"' in whole or name == "outreach-reached"


def test_the_grammar_names_every_key() -> None:
    text = (FIXTURES.parents[1] / "mappings" / "README.md").read_text(encoding="utf-8")
    for heading, keys in (("return key", layout_file._FILE), ("column key", layout_file._COLUMN)):
        table = text.split(f"| {heading} | says |")[1].split("\n\n")[0]
        cells = [row.split("|")[1] for row in table.splitlines()[2:]]
        assert {name for one in cells for name in re.findall(r"`(\w+)`", one)} == keys
