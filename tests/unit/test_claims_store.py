"""Claims and the return file against the real store: the same bytes as from the store of dicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from adapter import staging
from adapter import store as stores
from adapter.claims import plan, write
from adapter.errors import OutputError
from adapter.referrals.loop import loop_status
from adapter.reports import layout_file
from adapter.reports import write as reports
from adapter.store.protocol import Store

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
NOW = datetime.fromisoformat("2026-02-03T10:30:00-08:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    yield stores.open(f"sqlite:///{tmp_path / 'store.sqlite'}")


def fill(store: Store, case: str) -> None:
    with store.batch():
        for row in json.loads((FIXTURES / case / "input.json").read_text(encoding="utf-8")):
            store.put(row, NOW.isoformat())


def test_claims(store: Store, tmp_path: Path) -> None:
    fill(store, "claims/eight")
    run = write.Run(plan.load("sunrise"), "2026-01", tmp_path, NOW)
    result = write.write(store, run)
    expected = (FIXTURES / "claims/eight/expected.837").read_text(encoding="ascii")
    assert result.files[0].read_text(encoding="ascii") == expected
    claim = store.read("Claim", "ECM000000001")
    assert claim is not None and str(claim.resource["total"]["value"]) == "62.00"
    cell = store.cell(result.files[0].name, 25, "SV1")
    assert cell is not None and cell.refs[0] == "Encounter/a01#type"
    again = write.write(store, run)
    assert (again.files, again.repeated) == ([], 10)


def test_a_failed_file_leaves_no_claims_and_no_gap(store: Store, tmp_path: Path) -> None:
    fill(store, "claims/eight")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "837P_sunrise_2026-01_000000001.837").mkdir()  # the file cannot take its place
    run = write.Run(plan.load("sunrise"), "2026-01", folder, NOW)
    with pytest.raises(write.OutputError):
        write.write(store, run)
    assert list(store.each("Claim")) == []
    assert store.sequence("claim") == 1


def test_return_file(store: Store, tmp_path: Path) -> None:
    fill(store, "reports/statuses")
    run = reports.Run(((layout_file.load("sunrise", "rtf"),),), "2026-01", NOW, loop_status)
    result = reports.write(store, run, tmp_path)
    expected = (FIXTURES / "reports/statuses/expected.csv").read_bytes().splitlines()
    found = result.file.read_bytes().splitlines()
    assert len(found) == len(expected)
    cell = store.cell(result.file.name, 4, "Member Acuity Level")
    assert cell is not None and cell.refs == ("EpisodeOfCare/ecm-m03#extension",)


KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
from adapter import staging, store
from adapter.claims import plan, write
from adapter.errors import OutputError

staging.Staged.stand = lambda self: os._exit(9)
now = datetime.fromisoformat("2026-02-03T10:30:00-08:00")
run = write.Run(plan.load("sunrise"), "2026-01", Path(sys.argv[2]), now)
write.write(store.open(sys.argv[1]), run)
"""


def test_killed_after_the_commit_the_file_stands_at_the_next_run(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'store.sqlite'}", tmp_path / "out"
    base = stores.open(url)
    fill(base, "claims/eight")
    command = [sys.executable, "-c", KILLED, url, str(folder)]
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert done.returncode == 9
    name = "837P_sunrise_2026-01_000000001.837"
    assert not (folder / name).exists() and len(list(base.each("Claim"))) == 5
    result = write.write(base, write.Run(plan.load("sunrise"), "2026-01", folder, NOW))
    assert (result.files, result.recovered) == ([], [folder / name])
    expected = (FIXTURES / "claims/eight/expected.837").read_text(encoding="ascii")
    assert (folder / name).read_text(encoding="ascii") == expected
    assert list(folder.glob(".*")) == []
    base.close()


def test_a_part_that_was_never_committed_goes(store: Store, tmp_path: Path) -> None:
    left = tmp_path / ".837P_sunrise_2026-01_000000001.837.claims.part"
    left.write_text("half", encoding="ascii")
    fill(store, "claims/eight")
    result = write.write(store, write.Run(plan.load("sunrise"), "2026-01", tmp_path, NOW))
    assert result.recovered == [] and not left.exists()
    assert result.files[0].read_text(encoding="ascii").startswith("ISA")


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    with staging.staged(file, "report") as first:
        first.stream.write(b"whole")
        with pytest.raises(OutputError, match="another run"), staging.staged(file, "report"):
            pass
        assert staging.recover(tmp_path, "report", lambda name, part: False) == []
        first.settle()
        first.stand()
    assert file.read_bytes() == b"whole"
