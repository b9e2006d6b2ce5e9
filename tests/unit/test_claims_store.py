"""Claims and the return file against the real store: the same bytes as from the store of dicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from adapter import store as stores
from adapter.claims import plan, write
from adapter.referrals.loop import loop_status
from adapter.reports import layout, rtf
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
    assert claim is not None and claim.resource["total"] == {"value": 62.0, "currency": "USD"}
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
    run = rtf.Run(layout.load("sunrise"), "2026-01", NOW, loop_status)
    result = rtf.write(store, run, tmp_path)
    expected = (FIXTURES / "reports/statuses/expected.csv").read_bytes().splitlines()
    found = result.file.read_bytes().splitlines()
    assert len(found) == len(expected)
    cell = store.cell(result.file.name, 4, "Member Acuity Level")
    assert cell is not None and cell.refs == ("EpisodeOfCare/ecm-m03#extension",)
