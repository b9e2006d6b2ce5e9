"""Lists, Tasks and letters over the real store, from member file and log to CSV and PDF."""

from __future__ import annotations

import csv
import os
import re
import tomllib
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from adapter import cli, due_commands, letters, serving, store
from adapter.errors import DataFileError
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.program import lists, tasks
from adapter.program.gather import cases
from adapter.reports import letter
from adapter.settings import Settings
from tests.judges import complaints

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted(file.parent for file in (ROOT / "fixtures" / "program").glob("*/case.toml"))
LISTS = {"due.csv": lists.DUE_COLUMNS, "outreach.csv": lists.OUTREACH_COLUMNS}


@dataclass
class House:
    """A fixture's members and attempts in a store of their own."""

    pipeline: Pipeline
    plan: str
    on: date
    statuses: list[str]

    @property
    def store(self) -> store.SqlStore:
        return self.pipeline.store

    def due(self, on: date | None = None) -> list[Any]:
        return lists.due(self.store, self.plan, on or self.on)

    def reconcile(self, on: date | None = None) -> dict[str, int]:
        day = on or self.on
        now = f"{day.isoformat()}T20:00:00+00:00"
        return tasks.reconcile(self.store, self.due(day), self.plan, day, now)

    def case(self, family: str) -> Any:
        found = cases(self.store, self.plan, self.on)
        return next(one for one in found if one.person.name.endswith(family))

    def rows(self, name: str) -> list[dict[str, str]]:
        if name == "due.csv":
            return list(lists.due_rows(self.store, self.due()))
        found = lists.standings(self.store, self.plan, self.on)
        return list(lists.outreach_rows(found))


def load(folder: Path) -> House:
    about = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    received = datetime.fromisoformat(about["received"])
    base = store.open("sqlite://", same_person=resolve, namespace=UUID(int=1))  # ids as golden
    pipeline = Pipeline(base, lambda: received)
    results = [
        *pipeline.mif(folder / "members.csv", about.get("layout", about["plan"]), "members.csv"),
        *pipeline.services(folder / "attempts.csv", "canonical", "attempts.csv", "outreach"),
    ]
    statuses = [row.status for row in results]
    return House(pipeline, about["plan"], date.fromisoformat(about["on"]), statuses)


@pytest.fixture(params=CASES, ids=lambda folder: folder.name)
def folder(request) -> Path:
    return request.param


@pytest.fixture
def county() -> House:
    return load(ROOT / "fixtures" / "program" / "county")


@pytest.fixture
def ninety() -> House:
    return load(ROOT / "fixtures" / "program" / "ninety-days")


# --- golden lists


def test_golden_lists(folder: Path, tmp_path: Path) -> None:
    house = load(folder)
    assert set(house.statuses) == {"stored"}
    for name, columns in LISTS.items():
        file = tmp_path / name
        due_commands.table(file, columns, house.rows(name))
        if os.environ.get("UPDATE_GOLDEN") == "1":
            (folder / name).write_bytes(file.read_bytes())
        assert table(file) == table(folder / name)


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_evening_of_receipt_is_california_s(county: House) -> None:
    assert {one.received for one in cases(county.store, county.plan, county.on)} == {
        date(2026, 7, 13)
    }


def test_an_attempt_before_midnight_counts_for_its_own_day(county: House) -> None:
    assert [one.on for one in county.case("Thirdprio").attempts] == [
        date(2026, 7, 15), date(2026, 7, 20),
    ]  # fmt: skip


def test_a_letter_in_a_log_is_an_attempt_without_a_contact(county: House) -> None:
    said = county.store.search("Communication", [("medium", "MAILWRIT")]).matches
    assert len(said) == 2
    assert [row.resource["id"] for row in said if "encounter" in row.resource] == []


def test_a_log_of_attempts_makes_outreach_contacts_only(county: House) -> None:
    ours = "https://ecm-adapter.example/fhir/CodeSystem/ecm"
    attempts = county.store.search("Encounter", [("type", f"{ours}|outreach")], count=50)
    assert attempts.total == 11


def test_an_attempt_posted_as_fhir_counts(ninety: House) -> None:
    before = ninety.case("Untried")
    ninety.store.put(
        {
            "resourceType": "Communication",
            "id": "posted",
            "status": "completed",
            "category": [{"coding": [{"system": f"{OURS}/CodeSystem/ecm", "code": "outreach"}]}],
            "medium": [{"coding": [{"system": V3, "code": "PHONE"}]}],
            "subject": {"reference": before.patient},
            "sent": "2026-07-15T06:30:00Z",
        },
        "2026-07-20T00:00:00Z",
    )
    (tried,) = ninety.case("Untried").attempts
    assert (tried.on, tried.modality) == (date(2026, 7, 14), "phone")


OURS = "https://ecm-adapter.example/fhir"
V3 = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"


# --- tasks


def test_tasks_are_valid_and_the_same_on_every_run(folder: Path) -> None:
    house = load(folder)
    first = house.reconcile()
    assert first == {"new": len(house.due()), "changed": 0, "closed": 0}
    made = {row["id"]: row for row in house.store.each("Task")}
    assert [text for row in made.values() for text in complaints(row)] == []
    assert house.reconcile() == {"new": 0, "changed": 0, "closed": 0}
    assert {row["meta"]["versionId"] for row in house.store.each("Task")} == {"1"}


def test_a_task_is_overdue_from_the_day_after(county: House) -> None:
    for on, state, counts in (
        (date(2026, 8, 12), "open", "new"),
        (date(2026, 8, 13), "overdue", "changed"),
    ):
        assert county.reconcile(on)[counts] > 0
        task = task_of(county, "Firstprio", "outreach")
        assert task["businessStatus"]["coding"][0]["code"] == state
        assert task["restriction"]["period"]["end"] == "2026-08-12"


def task_of(house: House, family: str, kind: str) -> dict[str, Any]:
    ref = house.case(family).patient
    rows = house.store.each("Task", [("patient", ref), ("code", kind)])
    (found,) = rows
    return found


def enroll(house: House, family: str, status: str, **more: Any) -> None:
    ref = house.case(family).episode.partition("/")[2]
    row = house.store.read("EpisodeOfCare", ref).resource
    house.store.put({**row, "status": status, **more}, "2026-08-13T18:00:00Z")


@pytest.mark.parametrize(
    ("status", "ends"),
    [("active", "completed"), ("cancelled", "completed"), ("finished", "cancelled")],
)
def test_a_fact_completes_a_task(county: House, status: str, ends: str) -> None:
    county.reconcile()
    enroll(county, "Firstprio", status, period={"start": "2026-08-13"})
    counts = county.reconcile()
    task = task_of(county, "Firstprio", "outreach")
    assert counts["closed"] == 2
    assert (task["status"], "statusReason" in task) == (ends, ends == "cancelled")
    assert complaints(task) == []
    assert county.reconcile() == {"new": 0, "changed": 0, "closed": 0}


def test_a_contact_completes_the_task_and_the_next_one_begins(ninety: House) -> None:
    ninety.reconcile()
    case = ninety.case("Enrolled")
    visit = next(iter(ninety.store.each("Encounter", [("patient", case.patient)])))
    new = {**visit, "id": "later", "period": {"start": "2026-10-12T09:00:00-07:00"}}
    new.pop("identifier")
    ninety.store.put(new, "2026-10-12T18:00:00Z")
    ninety.reconcile()
    rows = ninety.store.each("Task", [("patient", case.patient), ("code", "contact")])
    found = {
        row["authoredOn"]: (row["status"], row["restriction"]["period"]["end"]) for row in rows
    }
    assert found == {
        "2026-10-06": ("completed", "2026-10-13"),
        "2026-10-12": ("ready", "2026-10-19"),
    }


def test_a_note_on_a_task_stays(county: House) -> None:
    county.reconcile()
    task = task_of(county, "Firstprio", "outreach")
    county.store.put({**task, "note": [{"text": "asked the shelter"}]}, "2026-08-13T21:00:00Z")
    assert county.reconcile() == {"new": 0, "changed": 0, "closed": 0}
    county.reconcile(date(2026, 8, 1))
    assert task_of(county, "Firstprio", "outreach")["note"] == [{"text": "asked the shelter"}]


def test_a_member_who_comes_again_has_a_new_clock(ninety: House) -> None:
    first = ninety.case("Untried")
    row = ninety.store.read("EpisodeOfCare", first.episode.partition("/")[2]).resource
    for status, now in (
        ("waitlist", "2026-07-20T18:00:00Z"),
        ("finished", "2026-08-01T18:00:00Z"),
        ("planned", "2026-09-01T18:00:00Z"),
        ("waitlist", "2026-09-05T18:00:00Z"),
    ):
        ninety.store.put({**row, "status": status}, now)
        known = ninety.case("Untried").received
        assert known == date(2026, 9, 1) if now > "2026-09" else known <= date(2026, 8, 1)


def test_a_plan_whose_cover_ended_has_no_list(ninety: House) -> None:
    for row in list(ninety.store.each("Coverage")):
        ninety.store.put(
            {**row, "period": {"start": "2024-01-01", "end": "2026-10-11"}}, "2026-10-11T00:00:00Z"
        )
    assert ninety.due() == []
    assert len(ninety.due(date(2026, 10, 11))) > 0


def test_nothing_is_due_for_the_dead(ninety: House) -> None:
    case = ninety.case("Untried")
    row = ninety.store.read("Patient", case.patient.partition("/")[2]).resource
    ninety.store.put({**row, "deceasedDateTime": "2026-08-01"}, "2026-08-02T00:00:00Z")
    assert [one for one in ninety.due() if one.case.patient == case.patient] == []


# --- letters


def test_a_letter_is_written_recorded_and_no_longer_owed(county: House, tmp_path: Path) -> None:
    order = letters.Order(county.plan, county.on, tmp_path)
    (written,) = letters.write(county.pipeline, order)
    assert (written.patient, written.language) == (county.case("Secondprio").patient, "es")
    page = written.file.with_suffix(".html").read_text(encoding="utf-8")
    for text in (
        "Jon Secondprio",
        "2 Pretend Ct",
        "14 de julio de 2026",
        "888) 665-4621",
        "&#9746;",
    ):
        assert text in page
    assert [text for text in pdf_words(written.file) if "Jon" in text]
    assert letters.write(county.pipeline, order) == []
    rows = [
        *county.store.each("DocumentReference"),
        *county.store.each("Communication", [("category", "unable-to-contact-letter")]),
    ]
    assert [row["resourceType"] for row in rows] == ["DocumentReference", "Communication"]
    assert [text for row in rows for text in complaints(row)] == []
    assert {one.kind for one in county.due() if one.case.patient == written.patient} == {
        "outreach-report"
    }


def pdf_words(file: Path) -> list[str]:
    """The texts of a PDF's content streams."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", file.read_bytes(), re.DOTALL)
    found = []
    for body in streams:
        try:
            found += re.findall(r"\((.*?)\) Tj", zlib.decompress(body).decode("cp1252"))
        except zlib.error:
            continue
    return found


def test_a_draft_is_not_recorded(county: House, tmp_path: Path) -> None:
    order = letters.Order(county.plan, county.on, tmp_path, draft=True)
    assert len(letters.write(county.pipeline, order)) == 1
    assert county.store.search("DocumentReference").total == 0
    assert len(letters.write(county.pipeline, order)) == 1


def test_a_letter_for_one_member(ninety: House, tmp_path: Path) -> None:
    order = letters.Order(ninety.plan, ninety.on, tmp_path, ninety.case("Twoways").patient)
    (written,) = letters.write(ninety.pipeline, order)
    page = written.file.with_suffix(".html").read_text(encoding="utf-8")
    assert page.count("<li>") == 3 + 1  # attempts since receipt, and the plan's box
    assert "&#9746; Sunrise Health Plan" in page


def words(**more: Any) -> letter.Text:
    by = {"name": "Invented <Care> & Co", "street": "1 Way", "city": "Galt", "state": "CA"}
    facts: dict[str, Any] = {
        "name": "Ngô <b>Thị</b> Ảnh",
        "address": ("1 Pretend Ct", "Galt, CA 95632"),
        "languages": ("vi",),
        "attempts": ((date(2026, 7, 14), "phone"), (date(2026, 7, 13), "")),
        "plan": "sunrise",
        "provider": {**by, "zip": "95632", "phone": "9165550100"},
        "on": date(2026, 8, 13),
        **more,
    }
    return letter.write(letter.Letter(**facts))


@pytest.mark.parametrize(
    ("languages", "used"),
    [((), "en"), (("vi",), "en"), (("vi", "es"), "es"), (("es", "en"), "es"), (("en", "es"), "en")],
)
def test_the_first_language_with_a_template(languages: tuple[str, ...], used: str) -> None:
    assert words(languages=languages).language == used


def test_a_page_escapes_what_people_wrote() -> None:
    page = letter.as_html(words()).decode()
    assert "Ngô &lt;b&gt;Thị&lt;/b&gt; Ảnh" in page
    assert "Invented &lt;Care&gt; &amp; Co" in page
    assert "<b>" not in page


def test_the_pdf_is_the_same_bytes_and_holds_any_name() -> None:
    text = words(name="Ngô Thị Ảnh 李")
    first, second = (letter.as_pdf(text, date(2026, 8, 13)) for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF-")


@pytest.mark.parametrize("language", letter.languages())
def test_a_template_says_every_fact(language: str) -> None:
    text = words(languages=(language,))
    whole = " ".join((*text.before, *text.after, *text.attempts, *(line for _, line in text.boxes)))
    for fact in ("Enhanced Care Management", "2026", "555-0190", "Sunrise Health Plan"):
        assert fact in whole
    assert "$" not in letter.as_html(text).decode()
    assert len(text.attempts) == 2


def test_a_list_of_several_plans_leaves_the_box_to_people() -> None:
    found = words(plan="sacramento-county").boxes
    assert [ticked for ticked, _ in found] == [False] * 4
    assert words(plan="molina-healthcare").boxes == ((True, found[3][1]),)


def test_a_plan_without_a_number_gets_no_letter() -> None:
    with pytest.raises(DataFileError, match=r"plans\.toml"):
        words(plan="nowhere")


# --- caseload, CLI, API


def test_caseloads_count_across_plans(ninety: House) -> None:
    for number in range(61):
        ninety.store.put(
            {
                "resourceType": "EpisodeOfCare",
                "id": f"other{number}",
                "status": "active" if number else "finished",
                "patient": {"reference": "Patient/elsewhere"},
                "careManager": {"reference": "Practitioner/busy"},
            },
            "2026-07-14T00:00:00Z",
        )
    found = lists.caseloads(ninety.store, ninety.plan, ninety.on)
    assert [(one.manager, one.members, one.load) for one in found] == [
        ("Practitioner/busy", 60, "over what is recommended"), ("", 3, "no ratio"),
    ]  # fmt: skip


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ROOT / "fixtures" / "program" / "county"
    base = ["--database", f"sqlite:///{tmp_path / 'a.sqlite'}"]
    layout, plan = ["--plan", "sacramento"], ["--plan", "molina"]
    on = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    assert cli.main([*base, "load", "mif", str(folder / "members.csv"), *layout]) == 0
    assert cli.main([*base, "load", "outreach", str(folder / "attempts.csv")]) == 0
    due, sheet = tmp_path / "due.csv", tmp_path / "outreach.csv"
    assert cli.main([*base, "due", *plan, "--on", on, "--out", str(due)]) == 0
    assert cli.main([*base, "outreach", *plan, "--on", on, "--out", str(sheet)]) == 0
    bundle = tmp_path / "due.json"
    assert cli.main([*base, "due", *plan, "--on", on, "--out", str(bundle)]) == 0
    member = ["--member", "Patient/nobody"]
    assert cli.main([*base, "letter", *plan, *member, "--out", str(tmp_path)]) == 1
    assert cli.main([*base, "due", *plan, "--on", "soon", "--out", str(due)]) == 2
    assert bundle.read_bytes().count(b'"Task"') == len(table(due)) > 4
    assert len(table(sheet)) == 4
    shown = capsys.readouterr()
    assert "1 enrolled members without a lead care manager" in shown.out
    assert "0 new, 0 changed, 0 closed" in shown.out
    assert "soon" not in shown.err


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    due_commands.table(file, ["a", "b", "c"], [{"a": "=1+1", "b": "-12", "c": "@x"}])
    assert table(file) == [{"a": "'=1+1", "b": "-12", "c": "'@x"}]


def test_due_over_http(county: House) -> None:
    app = serving.application(county.pipeline, Settings())
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        answer = client.get("/due?plan=molina&on=2026-08-13")
        assert answer.status_code == 200
        kinds = [row["resource"]["code"]["coding"][0]["code"] for row in answer.json()["entry"]]
        assert kinds == [one.kind for one in county.due()]
        assert complaints(answer.json()) == []
        only = client.get("/due?plan=molina&on=2026-08-13&kind=outreach-letter").json()
        assert len(only["entry"]) == 1
        assert "entry" not in client.get("/due?plan=nowhere").json()
        for query in ("", "?plan=", "?plan=a&on=soon", "?plan=a&x=1", "?plan=%2e%2e%2f"):
            assert client.get(f"/due{query}").status_code == 400
    assert county.store.search("Task").total == 0
