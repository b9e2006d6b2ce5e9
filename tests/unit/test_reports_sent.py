"""A file is recorded as sent, the next month starts from it, and a killed run is completed."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from adapter import outputs, validation
from adapter import store as stores
from adapter.errors import OutputError
from adapter.pipeline import Pipeline
from adapter.reports import write
from adapter.store.protocol import Store
from tests.unit.members_made import Made, Try, of, resources

JANUARY = datetime.fromisoformat("2026-02-03T20:30:05-08:00")
FEBRUARY = datetime.fromisoformat("2026-03-02T09:00:00-08:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = stores.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield made
    made.close()


def fill(store: Store, plan: str, *members: Made) -> None:
    with store.batch():
        for row in resources(list(members), plan):
            store.put(row, JANUARY.isoformat())


def change(store: Store, one: Made, plan: str) -> None:
    with store.batch():
        for row in of(one, plan):
            store.put(row, FEBRUARY.isoformat())


def report(store: Store, folder: Path, plan: str, kind: str, now=JANUARY, by="casey"):
    month = "2026-01" if now is JANUARY else "2026-02"
    run = outputs.return_run(Pipeline(store, lambda: now), plan, kind, month, None, by)
    return write.write(store, run, folder)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def pipes(file: Path) -> list[list[str]]:
    return [line.split("|") for line in file.read_text(encoding="utf-8").splitlines()]


def test_who_when_period_and_hash(store, tmp_path) -> None:
    fill(store, "sunrise", Made(1))
    file = report(store, tmp_path / "out", "sunrise", "rtf").file
    (sent,) = store.each("DocumentReference")
    content = file.read_bytes()
    assert sent["masterIdentifier"]["value"] == sha256(content).hexdigest()
    assert sent["author"] == [{"display": "casey"}]
    assert sent["date"] == JANUARY.isoformat()
    assert sent["context"]["period"] == {"start": "2026-01-01", "end": "2026-01-31"}
    attachment = sent["content"][0]["attachment"]
    assert (attachment["title"], attachment["size"]) == (file.name, len(content))
    assert sent["status"] == "current"
    assert validation.check({k: v for k, v in sent.items() if k != "meta"}) == []
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_month_sent_again_supersedes(store, tmp_path) -> None:
    fill(store, "kern", Made(1))
    report(store, tmp_path, "kern", "rtf")
    later = replace_time(JANUARY, hour=21)
    run = outputs.return_run(Pipeline(store, lambda: later), "kern", "rtf", "2026-01")
    write.write(store, run, tmp_path)
    found = sorted((row["status"], row["date"]) for row in store.each("DocumentReference"))
    assert [status for status, _ in found] == ["current"] * 2 + ["superseded"] * 2
    assert {day for status, day in found if status == "superseded"} == {JANUARY.isoformat()}


def replace_time(moment: datetime, **parts: int) -> datetime:
    return moment.replace(**parts)


@pytest.mark.parametrize("plan", ["canonical", "kaiser"])
def test_an_address_is_new_until_it_was_sent(store, tmp_path, plan: str) -> None:
    one = Made(1, lines=("1 Old Rd",), mobile="(916) 555-0101")
    fill(store, plan, one)
    first = cells(report(store, tmp_path, plan, "rtf").file)
    assert first["Member New Address Indicator"] == "Y"  # the API said it, not the plan
    change(store, replace(one, lines=("2 New Rd",)), plan)
    second = cells(report(store, tmp_path, plan, "rtf", FEBRUARY).file)
    assert second["Member New Address Indicator"] == "Y"
    assert second["Member New Phone Number Indicator"] == "N"
    again = cells(report(store, tmp_path, plan, "rtf", FEBRUARY).file)
    assert again["Member New Address Indicator"] == "Y"  # the same month starts where it started
    march = Pipeline(store, lambda: datetime.fromisoformat("2026-04-02T09:00:00-07:00"))
    third = cells(
        write.write(store, outputs.return_run(march, plan, "rtf", "2026-03"), tmp_path).file
    )
    assert third["Member New Address Indicator"] == "N"


def cells(file: Path) -> dict[str, str]:
    """The first row by header."""
    if file.suffix == ".csv":
        return rows(file)[0]
    import openpyxl

    head, first = list(openpyxl.load_workbook(file).worksheets[0].iter_rows(values_only=True))[:2]
    return dict(zip(head, ("" if one is None else str(one) for one in first), strict=True))


def attempt(day: str, outcome: str = "no-answer") -> Try:
    return Try(date.fromisoformat(day), None, "PHONE", outcome, None, None)


@pytest.mark.parametrize("plan", ["sunrise", "kaiser", "kern"])
def test_an_attempt_entered_late_stands_in_the_next_file(store, tmp_path, plan: str) -> None:
    early, january = attempt("2025-12-30"), attempt("2026-01-20")
    one = Made(1, status="in-outreach", tries=(early, january))
    fill(store, plan, one)
    report(store, tmp_path, plan, "otf")
    late, february = attempt("2026-01-25"), attempt("2026-02-10")
    change(store, replace(one, tries=(early, january, late, february)), plan)
    result = report(store, tmp_path, plan, "otf", FEBRUARY)
    assert result.rows == 2  # not what was told, and nothing before the first file
    assert [issue.detail for issue in result.issues if issue.detail == "late"] == ["late"]


def test_who_is_gone_is_taken_back_once(store, tmp_path) -> None:
    fill(store, "kern", Made(1), Made(2))
    report(store, tmp_path, "kern", "rtf")
    gone = store.read("Coverage", "cov-m00002").resource
    store.put({**gone, "status": "cancelled"}, FEBRUARY.isoformat())
    told = pipes(report(store, tmp_path, "kern", "rtf", FEBRUARY).files[0])
    assert [(row[0], row[2], row[4]) for row in told] == [
        ("0001", "0", "90000001A"),
        ("0002", "1", "90000002A"),
    ]
    assert told[1][7] == "Ashdown" and told[1][1] == "03-02-2026 09:00:00"
    march = Pipeline(store, lambda: datetime.fromisoformat("2026-04-02T09:00:00-07:00"))
    run = outputs.return_run(march, "kern", "rtf", "2026-03")
    assert len(pipes(write.write(store, run, tmp_path).files[0])) == 1


def test_an_attempt_entered_in_error_is_taken_back_once(store, tmp_path) -> None:
    one = Made(1, status="in-outreach", tries=(attempt("2026-01-20"), attempt("2026-01-21")))
    fill(store, "kern", one)
    report(store, tmp_path, "kern", "otf")
    wrong = store.read("Communication", "c-m00001-0").resource
    store.put({**wrong, "status": "entered-in-error"}, FEBRUARY.isoformat())
    told = pipes(report(store, tmp_path, "kern", "otf", FEBRUARY).file)
    assert [(row[2], row[8]) for row in told] == [("1", "01-20-2026 00:00:00")]
    march = Pipeline(store, lambda: datetime.fromisoformat("2026-04-02T09:00:00-07:00"))
    run = outputs.return_run(march, "kern", "otf", "2026-03")
    assert pipes(write.write(store, run, tmp_path).file) == []


def test_two_plans_under_one_name_are_kept_apart(store, tmp_path) -> None:
    fill(store, "sunrise", Made(1))
    report(store, tmp_path, "sunrise", "rtf")
    with pytest.raises(OutputError, match="another plan"):
        report(store, tmp_path, "esteem", "rtf")


KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
from adapter import outputs, staging, store
from adapter.pipeline import Pipeline
from adapter.reports import write

def die(*_):
    os._exit(9)

if sys.argv[3] == "after":
    staging.Staged.stand = die
else:
    write._remember = die
house = Pipeline(store.open(sys.argv[1]), lambda: datetime.fromisoformat(sys.argv[4]))
run = outputs.return_run(house, "sunrise", "rtf", "2026-01")
write.write(house.store, run, Path(sys.argv[2]))
"""


def killed(tmp_path: Path, when: str) -> Path:
    """A run that is killed before or after its commit; where it wrote."""
    folder, url = tmp_path / "out", f"sqlite:///{tmp_path / 'store.sqlite'}"
    command = [sys.executable, "-c", KILLED, url, str(folder), when, JANUARY.isoformat()]
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert done.returncode == 9
    return folder


def test_killed_after_the_commit_the_file_stands_at_the_next_run(store, tmp_path) -> None:
    fill(store, "sunrise", Made(1))
    folder = killed(tmp_path, "after")
    assert not list(folder.glob("PRTF*")) and list(store.each("DocumentReference"))
    result = report(store, folder, "sunrise", "otf")
    assert [file.name for file in result.recovered] == ["PRTF_1234567893_012026_02032026.csv"]
    (sent,) = store.each("DocumentReference", [("type", "rtf")])
    content = result.recovered[0].read_bytes()
    assert sent["masterIdentifier"]["value"] == sha256(content).hexdigest()
    assert list(folder.glob(".*")) == []


def test_killed_before_the_commit_nothing_was_sent(store, tmp_path) -> None:
    fill(store, "sunrise", Made(1))
    folder = killed(tmp_path, "before")
    assert list(store.each("DocumentReference")) == []
    result = report(store, folder, "sunrise", "otf")
    assert result.recovered == [] and list(folder.glob("PRTF*")) == []
    assert list(folder.glob(".*")) == []
