"""A provider's store, its return files, a plan's empty store that reads them: the same cells again.

The files of both are read by csv and openpyxl. What the second store cannot know is UNKNOWN.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from adapter import cli, data, outputs, returned
from adapter import store as stores
from adapter.identity.match import resolve
from adapter.mapping import tabular
from adapter.pipeline import Pipeline, UnitResult
from adapter.reports import apart
from adapter.reports.known import KNOWN
from adapter.reports.layout import Format, Kind, Layout
from adapter.reports.layout_file import load
from adapter.reports.told import SOURCES
from adapter.store.protocol import Store
from tests.unit.fake_store import LargeStore
from tests.unit.members_made import NOW, PERIOD, Made, many, resources

# What a file does not hold, so that no reader can tell it again: by element, with the reason.
UNKNOWN = {
    "new_address_ind": "in the plan's store it was the provider who told the address",
    "new_phone_ind": "in the plan's store it was the provider who told the number",
    "sequence": "the number of a row in its file; the second store orders members by its own ids",
    "age_group": "follows from the birth date; the one layout that has it lacks the date",
}
MEMBERS = [replace(one, reason=None if one.reason_text else one.reason) for one in many(220)]
CASES: list[tuple[str, Format | None]] = [
    ("canonical", "csv"), ("canonical", "xlsx"), ("canonical", "pipe"), ("health-net", None),
    ("sacramento", "pipe"), ("partnership", "xlsx"), ("community-health-group", None),
    ("vendor-38", None), ("kaiser", None), ("kern", None),
]  # fmt: skip
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "returns"
KINDS: tuple[Kind, ...] = ("rtf", "otf")
Table = Counter[tuple[str, ...]]


def house(store: Store, now: datetime = NOW) -> Pipeline:
    return Pipeline(store, lambda: now)


@pytest.fixture
def plan_side() -> Iterator[Pipeline]:
    store = stores.open("sqlite://", same_person=resolve)
    yield house(store)
    store.close()


def written(
    source: Pipeline, plan: str, folder: Path, form: Format | None = None, period: str = PERIOD
) -> dict[Kind, list[Path]]:
    found = {}
    for kind in KINDS:
        run = outputs.return_run(source, plan, kind, period, form, "casey")
        found[kind] = outputs.return_files(source, run, folder / kind).files
    return found


def provider(plan: str, folder: Path, form: Format | None, members: list[Made]) -> Files:
    for kind in KINDS:
        folder.joinpath(kind).mkdir(parents=True)
    return written(house(LargeStore(*resources(members, plan))), plan, folder, form)


Files = dict[Kind, list[Path]]


def read_all(into: Pipeline, plan: str, files: Files) -> list[UnitResult]:
    return [
        result
        for kind, some in files.items()
        for file in some
        for result in getattr(into, kind)(file, plan)
    ]


def tables(file: Path, layouts: list[Layout]) -> dict[str, Table]:
    """The rows of a file by sheet, as often as they stand there, without what nobody can know."""
    if file.suffix == ".xlsx":
        book = openpyxl.load_workbook(file)
        sheets = {one: [[*row] for row in book[one].iter_rows(values_only=True)] for one in
                  book.sheetnames}  # fmt: skip
        return {name: rows_of(rows, by_sheet(name, layouts)) for name, rows in sheets.items()}
    with file.open(encoding="utf-8", newline="") as stream:
        mark = "|" if file.suffix == ".txt" else ","
        rows = list(csv.reader(stream, delimiter=mark))
    (layout,) = [one for one in layouts if len(one.columns) == len(rows[0])]
    return {"": rows_of(rows, layout)}


def by_sheet(name: str, layouts: list[Layout]) -> Layout:
    return next((one for one in layouts if one.sheet == name), layouts[0])


def rows_of(rows: list[list[object]], layout: Layout) -> Table:
    kept = [n for n, column in enumerate(layout.columns) if column.element not in UNKNOWN]
    return Counter(tuple("" if row[n] is None else str(row[n]) for n in kept) for row in rows)


def layouts_of(plan: str) -> list[Layout]:
    names = {"kaiser": ["rtf"], "kern": ["demographic", "enrollment", "outreach"]}
    return [load(plan, name) for name in names.get(plan, ["rtf", "otf"])]


@pytest.mark.parametrize(("plan", "form"), CASES)
def test_the_same_cells_again(
    plan: str, form: Format | None, tmp_path: Path, plan_side: Pipeline
) -> None:
    members = MEMBERS if (plan, form) in CASES[:1] else MEMBERS[:90]
    files = provider(plan, tmp_path / "provider", form, members)
    found = read_all(plan_side, plan, files)
    assert {one.status for one in found} <= {"stored", "duplicate"}
    (tmp_path / "plan" / "rtf").mkdir(parents=True)
    (tmp_path / "plan" / "otf").mkdir()
    again = written(plan_side, plan, tmp_path / "plan", form)
    layouts, rows = layouts_of(plan), 0
    for kind in KINDS:
        for first, second in zip(files[kind], again[kind], strict=True):
            assert first.name == second.name
            one, other = tables(first, layouts), tables(second, layouts)
            assert one == other
            rows += sum(map(Counter.total, one.values()))
    assert rows > 180


def test_a_file_that_came_before_changes_nothing(tmp_path: Path, plan_side: Pipeline) -> None:
    files = provider("canonical", tmp_path, None, MEMBERS[:40])
    first = read_all(plan_side, "canonical", files)
    second = read_all(plan_side, "canonical", files)
    assert {one.status for one in first} == {"stored"}
    assert {one.status for one in second} == {"duplicate"}
    assert len(first) == len(second)


def test_a_month_written_again_tells_no_attempt_twice(tmp_path: Path, plan_side: Pipeline) -> None:
    read_all(plan_side, "canonical", provider("canonical", tmp_path / "a", None, MEMBERS[:40]))
    before = len(list(plan_side.store.each("Communication")))
    more = [replace(one, city="Elk Grove") for one in MEMBERS[:40]]
    files = provider("canonical", tmp_path / "b", None, more)
    with files["otf"][0].open("a", encoding="utf-8") as stream:
        stream.write("\r\n")  # other content, the same attempts
    assert {one.status for one in read_all(plan_side, "canonical", files)} == {"stored"}
    assert len(list(plan_side.store.each("Communication"))) == before > 40


def episode(source: Pipeline) -> dict:
    (found,) = source.store.each("EpisodeOfCare")
    return found


HEAD = (
    "Primary Payer (MCP) Identifier,Member Client Index Number (CIN),Member Last Name,"
    "Member First Name,Member ECM Status,Member Acuity Level,ECM Enrollment Start Date,"
    "ECM Enrollment End Date,Discontinuation Date,Discontinuation Reason Code,"
    "Discontinuation Reason,Member Information Return Transmission File Production Date,"
    "Member Information File Reporting Period,ECM Provider Name,"
    "ECM Provider National Provider Identifier (NPI)\n"
)
END = ",{made},01/2026,Harborlight,1234567893\n"
WHO = "CANONICAL,90000011A,Otter,Olive,"


def row(status: str, made: str, ended: str = "", code: str = "", why: str = "") -> bytes:
    cells = f"{status},High,11/03/2025,{ended},{ended},{code},{why}"
    return (HEAD + WHO + cells + END.format(made=made)).encode()


def test_months_in_any_order_tell_the_last_state(plan_side: Pipeline) -> None:
    ended = row("Discontinued", "02/03/2026", "01/20/2026", "1", "Met all care plan goals")
    back = row("Enrolled", "03/03/2026")
    for content in (back, ended):
        assert [one.status for one in plan_side.rtf(content, "canonical", "f.csv")] == ["stored"]
    assert episode(plan_side)["status"] == "active"
    assert "end" not in episode(plan_side)["period"]


def test_a_discontinuation_has_its_reason_and_is_explained(plan_side: Pipeline) -> None:
    ended = row("Discontinued", "02/03/2026", "01/20/2026", "3", "Declined to participate")
    list(plan_side.rtf(ended, "canonical", "f.csv"))
    found = episode(plan_side)
    assert (found["status"], found["period"]["end"]) == ("finished", "2026-01-20")
    codes = [
        one["valueCodeableConcept"]["coding"][0]["code"]
        for one in found["extension"]
        if one["url"].endswith("discontinuation-reason")
    ]
    assert codes == ["declined"]
    lines = "\n".join(outputs.explain(plan_side.store, f"EpisodeOfCare/{found['id']}"))
    assert "status <- f.csv:2 Member ECM Status (return:canonical)" in lines


def test_the_member_of_the_plan_s_own_list_is_the_one_told_of(plan_side: Pipeline) -> None:
    listed = b"CIN,Member ID,Last Name,First Name,Acuity\n90000011A,M1,Otter,Olive,low\n"
    list(plan_side.mif(listed, "canonical", "m.csv", "2026-01-05"))
    list(plan_side.rtf(row("Enrolled", "02/04/2026"), "canonical", "f.csv"))
    assert len(list(plan_side.store.each("Patient"))) == 1
    assert {one["status"] for one in plan_side.store.each("EpisodeOfCare")} >= {"active"}


@pytest.mark.parametrize(
    ("content", "status", "details"),
    [
        (b"", ["refused"], ["column-missing"]),
        (b"PK\x03\x04 no workbook", ["refused"], ["file-format"]),
        (b"\xff\xfe\x00", ["refused"], ["file-format"]),
        (b"Nobody,Knows\n1,2\n", ["refused"], ["column-missing"]),
        (row("Enrolled", "02/03/2026").replace(b"11/03/2025", b"soon"), ["stored"],
         ["date-format"]),
        (row("Enrolled", "02/03/2026").replace(b"90000011A", b""), ["refused"],
         ["cell-empty", "required"]),
        (row("Enrolled", "02/03/2026").replace(b"90000011A", b"11"), ["refused"],
         ["identifier-format", "required"]),
        (row("Dancing", "02/03/2026"), ["stored"], ["code-unknown"]),
        (row("Enrolled", "02/03/2026").replace(b"Olive", b""), ["stored"], ["cell-empty"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    content: bytes, status: list[str], details: list[str], plan_side: Pipeline
) -> None:
    found = list(plan_side.rtf(content, "canonical", "f.csv"))
    assert [one.status for one in found] == status
    told = [issue for one in found for issue in one.issues]
    assert {issue.detail for issue in told} >= set(details)
    assert all(issue.at and issue.at.source == "f.csv" for issue in told if issue.failed)
    assert not any("Otter" in issue.text or "soon" in issue.text for issue in told)


def test_attempts_of_one_row_are_taken_apart(plan_side: Pipeline) -> None:
    content = (FIXTURES / "attempts-in-one-row" / "input.csv").read_bytes()
    found = list(plan_side.otf(content, "vendor-38", "t.csv"))
    assert [one.rows for one in found] == [1, 0, 0, 1, 0, 1]
    wrong = [(i.at.line, i.at.field) for one in found for i in one.issues if i.at]
    assert wrong == [
        (3, "Outreach Attempt Method"), (3, "Time Spent Performing Outreach"),
    ]  # fmt: skip
    days = sorted(one["sent"] for one in plan_side.store.each("Communication"))
    assert days == ["2026-01-05", "2026-01-06", "2026-01-06", "2026-01-07", "2026-01-08",
                    "2026-01-09"]  # fmt: skip
    spent = [one["length"]["value"] for one in plan_side.store.each("Encounter") if "length" in one]
    assert sorted(spent) == [5, 20, 40, 60]
    again = list(plan_side.otf(content + b"\r\n", "vendor-38", "t2.csv"))
    assert {one.status for one in again} == {"stored"}
    assert len(list(plan_side.store.each("Communication"))) == 6


@pytest.mark.parametrize(
    ("day", "method", "spent", "rows"),
    [
        ("01/05/2026", "Phone, Email", "5", [("01/05/2026", "Phone, Email", "5")]),
        ("01/05/2026 - 01/05/2026", "Phone", "5", [("01/05/2026", "Phone", "5")]),
        ("01/05/2026,01/06/2026", "A,B", "", [("01/05/2026", "A", ""), ("01/06/2026", "B", "")]),
        ("01/05/2026,01/06/2026", "A", "9", [("01/05/2026", None, None),
                                            ("01/06/2026", None, None)]),
        ("Jan 5, 2026", "A", "9", [("Jan 5, 2026", "A", "9")]),
        ("", "A, B", "9", [("", "A, B", "9")]),
        (date(2026, 1, 5), "A", "9", [(date(2026, 1, 5), "A", "9")]),
    ],
)  # fmt: skip
def test_cells_apart(day: str, method: str, spent: str, rows: list[tuple]) -> None:
    names = ["attempt_date", "method", "time_spent"]
    found, _ = apart.attempts([day, method, spent], names, load("canonical", "otf"))
    assert [tuple(one) for one in found] == rows


def test_a_void_row_takes_the_attempt_back(plan_side: Pipeline) -> None:
    line = (
        "0001|02-03-2026 09:00:00|{}|MEM1|90000011A||0||01-05-2026 10:00:00|2|1||1|1234567893|ECM"
    )
    for n, void in enumerate("01"):
        name = f"X_KHS_ECM_OUTREACH_P_2026020{n + 3}.txt"
        content = line.format(void).replace("02-03", f"02-0{n + 3}").encode()
        assert [one.status for one in plan_side.otf(content, "kern", name)] == ["stored"]
    states = [one["status"] for one in plan_side.store.each("Communication")]
    assert states == ["entered-in-error"]


def test_a_row_is_kept_as_it_came() -> None:
    content = (
        HEAD.replace("\n", ",Shoe Size\n") + WHO + "Enrolled,,,,,,,02/03/2026,01/2026,H,1,44\n"
    )
    (one,) = returned.outcomes(returned.Source(content.encode(), "f.csv"), "canonical", "rtf")
    assert data.loads(one.unit.raw)[-1] == "44"
    assert "column-unknown" in {issue.detail for issue in one.issues}


def test_every_field_is_an_element_or_follows_from_one() -> None:
    fields = tabular.load("returns", "row").fields
    assert fields - KNOWN - SOURCES.keys() == {"plan", "payer_name"}
    assert fields >= KNOWN
    assert {name for names in SOURCES.values() for name in names} <= KNOWN


def test_plans_that_want_a_file_are_known() -> None:
    assert {"canonical", "kaiser", "kern", "vendor-38"} <= set(returned.known_plans("otf"))
    assert "lists" not in returned.known_plans("rtf")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, file = f"sqlite:///{tmp_path / 'plan.sqlite'}", tmp_path / "f.csv"
    file.write_bytes(row("Enrolled", "02/03/2026"))
    words = ["rtf", str(file), "--plan", "canonical"]
    assert cli.main(["--database", url, "load", *words]) == 0
    assert capsys.readouterr().out == "f.csv: 1 stored\n"
    assert cli.main(["--database", url, "load", *words]) == 0
    assert capsys.readouterr().out == "f.csv: 1 duplicate\n"
    assert cli.main(["convert", *words]) == 0
    assert '"EpisodeOfCare"' in capsys.readouterr().out
    file.write_bytes(row("Enrolled", "02/03/2026").replace(b"90000011A", b"11"))
    rejects = tmp_path / "rejects.csv"
    assert cli.main(["--database", url, "load", *words, "--rejects", str(rejects)]) == 1
    with rejects.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert ("2", "Member Client Index Number (CIN)") in {(r["line"], r["field"]) for r in found}
    assert cli.main(["convert", "otf", str(file), "--plan", "nobody"]) == 2
    assert "--plan" in capsys.readouterr().err


def test_the_day_of_a_file_is_its_own() -> None:
    source = returned.Source(row("Enrolled", "02/03/2026"), "f.csv", "2026-02-09T01:00:00+00:00")
    (one,) = returned.outcomes(source, "canonical", "rtf")
    assert one.unit.as_of.startswith(f"{date(2026, 2, 3)}T00:00:00+00:00")
    assert one.unit.received.startswith("2026-02-09")


def test_a_first_row_that_is_no_heading_is_not_repeated(tmp_path):
    file = tmp_path / "members.csv"
    file.write_text("90000035A,Testwell,Aurora,08/03/1985\n90000036A,Testwell,Bruno,09/03/1985\n")
    (outcome,) = returned.outcomes(returned.Source(file, file.name), "canonical", "rtf")
    assert {one.detail for one in outcome.issues} == {"column-missing"}
    assert "Testwell" not in str(outcome.issues)
