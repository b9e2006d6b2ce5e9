"""The return file: golden rows for members in every status, what the pre-flight finds, explain."""

from __future__ import annotations

import csv
import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from adapter import data
from adapter.errors import DataFileError, OutputError, SettingError
from adapter.referrals.loop import loop_status
from adapter.reports import layout_file, write
from adapter.reports.elements import ELEMENTS
from adapter.store.protocol import Stored, Trace
from tests.unit.fake_store import FakeStore

ROOT = Path(__file__).resolve().parents[2]
CASE = ROOT / "fixtures" / "reports" / "statuses"
LAYOUT = layout_file.load("sunrise", "rtf")
NOW = datetime.fromisoformat("2026-02-03T20:30:00-08:00")  # the 4th in UTC
RUN = write.Run(((LAYOUT,),), "2026-01", NOW, loop_status)


def facts() -> list[dict]:
    return json.loads((CASE / "input.json").read_text(encoding="utf-8"))


def table(file: Path) -> dict[str, dict[str, str]]:
    """Rows by last name, as the plan's own reader would see them."""
    with file.open(encoding="utf-8", newline="") as stream:
        return {row["Member Last Name"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[write.Written, FakeStore]:
    store = FakeStore(*facts())
    return write.write(store, RUN, tmp_path_factory.mktemp("out")), store


def test_golden_cell_by_cell(written) -> None:
    result, _ = written
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (CASE / "expected.csv").write_bytes(result.file.read_bytes())
    with (CASE / "expected.csv").open(encoding="utf-8", newline="") as stream:
        expected = list(csv.reader(stream))
    with result.file.open(encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))
    assert found[0] == [column.header for column in LAYOUT.columns]
    for line, (row, wanted) in enumerate(zip(found, expected, strict=True), 1):
        for header, cell, want in zip(found[0], row, wanted, strict=True):
            assert (line, header, cell) == (line, header, want)


def test_the_name_says_npi_month_and_day_of_production(written) -> None:
    result, _ = written
    assert result.file.name == "PRTF_1234567893_012026_02032026.csv"
    assert result.rows == 11


def test_there_are_38_columns_and_three_of_the_closed_loop() -> None:
    elements = [column.element for column in LAYOUT.columns]
    assert len(elements) == 41
    assert elements[-3:] == ["referral_status", "referral_status_date", "referral_closure_reason"]
    assert set(elements) <= set(ELEMENTS)


@pytest.mark.parametrize(
    ("member", "status", "start", "ended", "code"),
    [
        ("Ashdown", "Outreach Pending", "", "", ""),
        ("Birdsong", "In Outreach", "", "", ""),
        ("Copperfield, Jr", "Enrolled", "11/03/2025", "", ""),
        ("Daisychain", "Declined", "", "01/09/2026", "3"),
        ("Everglade", "Unable to Reach", "", "01/20/2026", "4"),
        ("Foxglove", "Excluded", "", "01/21/2026", ""),
        ("Gatepost", "Discontinued", "02/01/2025", "01/15/2026", "1"),
        ("Kettle", "Outreach Pending", "", "", ""),
    ],
)
def test_every_status(written, member, status, start, ended, code) -> None:
    row = table(written[0].file)[member]
    assert row["Member ECM Status"] == status
    assert row["ECM Enrollment Start Date"] == start
    assert row["Discontinuation Date"] == ended
    assert row["Discontinuation Reason Code"] == code


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("Ashdown", ("", "", "")),
        ("Birdsong", ("Outreach Initiated", "01/10/2026", "")),
        ("Copperfield, Jr", ("Referral Loop Closed", "01/31/2026", "Services Received")),
        ("Everglade", ("Referral Loop Closed", "01/20/2026", "Unable to Reach Member")),
        ("Foxglove", ("Declined", "01/21/2026", "")),
    ],
)
def test_the_closed_loop_columns(written, member, told) -> None:
    row = table(written[0].file)[member]
    headers = ("Referral Status", "Date of Referral Status Update")
    assert (row[headers[0]], row[headers[1]], row["Reason for Referral Loop Closure"]) == told


def test_the_loop_reads_all_versions_of_the_task(tmp_path) -> None:
    store = FakeStore(*facts())
    first = store.resources["Task/t02"]
    held = {**first, "meta": {"versionId": "2"}, "status": "on-hold", "lastModified": "2026-01-25"}
    store.resources["Task/t02"] = held
    store.versions["Task/t02"] = [Stored(held, 2, ""), Stored(first, 1, "")]
    row = table(write.write(store, RUN, tmp_path).file)["Birdsong"]
    assert row["Referral Status"] == "Outreach Initiated"
    assert row["Date of Referral Status Update"] == "01/10/2026"


def test_counts_are_of_the_month_in_the_plans_zone(written) -> None:
    row = table(written[0].file)["Copperfield, Jr"]
    assert (row["In Person"], row["Telephonic/Video"]) == ("2", "1")
    assert row["Date of Most Recent Encounter with Member"] == "01/31/2026"
    assert row["Date of Most Recent Care Conference"] == "01/31/2026"


def test_outreach_attempts_are_no_encounters(written) -> None:
    row = table(written[0].file)["Birdsong"]
    assert (row["In Person"], row["Telephonic/Video"]) == ("0", "0")
    assert row["Date of Most Recent Encounter with Member"] == ""


def test_assessments_and_plans_but_not_the_referral_form(written) -> None:
    row = table(written[0].file)["Copperfield, Jr"]
    assert row["Date of Latest Care Plan Revision"] == "01/15/2026"
    assert row["Date Assessment Started"] == "01/20/2026"
    assert row["Date of Most Recent Completed Assessment"] == "11/20/2025"


@pytest.mark.parametrize(
    ("sources", "shown"),
    [
        ([("plan:sunrise", "2026-01-01")], "N"),
        ([("plan:sunrise", "2026-01-01"), ("feed:mercy", "2026-01-09")], "Y"),
        ([("feed:mercy", "2026-01-01"), ("plan:sunrise", "2026-01-09")], "N"),
        ([], ""),
    ],
)
def test_an_address_is_new_when_another_than_the_plan_said_it_last(
    tmp_path, sources, shown
) -> None:
    store = FakeStore(*facts())
    store.traces["Patient/m01"] = [
        Trace("address", source, at, "file", 2, "Address", as_of)
        for at, (source, as_of) in enumerate(sources)
    ]
    row = table(write.write(store, RUN, tmp_path).file)["Ashdown"]
    assert row["Member New Address Indicator"] == shown


def test_the_preflight_finds_the_same_without_writing(written, tmp_path) -> None:
    store = FakeStore(*facts())
    found = write.preflight(store, RUN)
    assert found == written[0].issues
    assert store.cells == {}
    assert [(issue.detail, issue.text, issue.at.line, issue.at.field) for issue in found] == [
        (
            "code-unknown",
            "the plan's list has no word for this code",
            7,
            "Discontinuation Reason Code",
        ),
        ("code-unknown", "the plan's list has no word for this code", 8, "Member Acuity Level"),
        (
            "code-unknown",
            "the plan's list has no word for this code",
            9,
            "Discontinuation Reason Code",
        ),
        ("contradiction", "a contact after the discontinuation", 9, ""),
        ("cell-empty", "a required cell is empty", 10, "Member Client Index Number (CIN)"),
        ("contradiction", "enrolled without a start date", 10, ""),
        ("contradiction", "a service before the enrollment", 11, ""),
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"period": {"start": "2026-01-09", "end": "2026-01-02"}},
            "enrollment ends before it starts",
        ),
        (
            {"status": "finished", "period": {"start": "2025-01-01"}},
            "discontinued without an end date",
        ),
        ({"status": "finished", "extension": []}, "ended without a reason"),
        (
            {"period": {"start": "2025-01-01", "end": "2025-12-01"}},
            "enrolled, and the enrollment ended before this period",
        ),
    ],
)
def test_contradictions(change: dict, text: str) -> None:
    store = FakeStore(*facts())
    store.resources["EpisodeOfCare/ecm-m03"] |= change
    assert text in [issue.text for issue in write.preflight(store, RUN) if issue.at.line == 4]


def test_every_cell_that_tells_of_a_member_can_be_explained(written) -> None:
    result, store = written
    cell = store.cell(result.file.name, 4, "Member Acuity Level")
    assert cell is not None and cell.refs == ("EpisodeOfCare/ecm-m03#extension",)
    cell = store.cell(result.file.name, 4, "In Person")
    assert cell is not None and cell.refs == ("Encounter/e031#class", "Encounter/e033#class")
    cell = store.cell(result.file.name, 4, "Referral Status")
    assert cell is not None and cell.refs == ("Task/t03#status",)
    ours = {"produced_on", "period", "prov_name", "prov_npi", "prov_tin", "prov_phone"}
    with result.file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    for line, row in enumerate(rows, 2):
        for column, text in zip(LAYOUT.columns, row, strict=True):
            if text not in ("", "0") and column.element not in ours:
                assert store.cell(result.file.name, line, column.header), column.header


def test_a_member_of_two_coverages_has_one_row(tmp_path) -> None:
    rows = facts()
    rows.append({**next(r for r in rows if r["id"] == "cov-m01"), "id": "cov-m01-again"})
    assert write.write(FakeStore(*rows), RUN, tmp_path).rows == 11


@pytest.mark.parametrize(
    ("other", "rows"), [("Patient/x", 10), ("https://hospital.example/fhir/Patient/77", 11)]
)
def test_only_who_was_merged_here_has_no_row(tmp_path, other: str, rows: int) -> None:
    """What another house calls replaced is a record of its own."""
    told = facts()
    person = next(one for one in told if one["resourceType"] == "Patient")
    person["link"] = [{"type": "replaced-by", "other": {"reference": other}}]
    assert write.write(FakeStore(*told), RUN, tmp_path).rows == rows


def test_a_break_in_a_value_stays_in_its_cell(tmp_path) -> None:
    rows = facts()
    next(r for r in rows if r["id"] == "m01")["address"][0]["line"] = ['1 "Quoted",\r\n Way', "\t2"]
    result = write.write(FakeStore(*rows), RUN, tmp_path)
    assert table(result.file)["Ashdown"]["Member Residential Address"] == '1 "Quoted", Way, 2'
    assert len(result.file.read_text(encoding="utf-8").splitlines()) == 12


def test_the_order_in_the_store_does_not_matter(written, tmp_path) -> None:
    again = write.write(FakeStore(*reversed(facts())), RUN, tmp_path)
    assert again.file.read_bytes() == written[0].file.read_bytes()


@pytest.mark.parametrize("period", ["2026", "2026-13", "01/2026", ""])
def test_a_period_that_is_no_month_is_our_fault(tmp_path, period: str) -> None:
    with pytest.raises(SettingError):
        write.write(FakeStore(), write.Run(((LAYOUT,),), period, NOW, loop_status), tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path) -> None:
    old = tmp_path / "PRTF_1234567893_012026_02032026.csv"
    old.write_text("what was sent", encoding="utf-8")

    def fails(history: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OutputError):
        write.write(FakeStore(*facts()), write.Run(((LAYOUT,),), "2026-01", NOW, fails), tmp_path)
    assert old.read_text(encoding="utf-8") == "what was sent"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('element = "cin"', 'element = "cni"', "cni"),
        ('form = "flag"', 'form = "flagg"', "value"),
        ('format = "csv"', 'format = "docx"', "value"),
        ('values = "discontinuation-qimr"', 'values = "discontinuation"', "discontinuation"),
        ('values = "acuity"', 'values = "acuityy"', "acuityy"),
        ('zone = "America/Los_Angeles"', 'zone = "Nowhere"', "value"),
        ('header = "MCP Name"', 'header = "Member Last Name"', "value"),
        ('flags = ["Y", "N"]', "", "flags"),
        ("required = true", "require = true", "value"),
    ],
)
def test_a_wrong_layout_is_named(tmp_path, old: str, new: str, key: str) -> None:
    text = data.path("mappings", "outbound", "canonical", "rtf.toml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "rtf.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataFileError) as found:
        layout_file.read(file, data.path("mappings", "outbound", "provider.toml"))
    assert (found.value.file, found.value.key) == ("rtf.toml", key)
