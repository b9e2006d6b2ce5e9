"""What an empty store holds after the messages of a fixture: every folder with a stored.json.

`UPDATE_GOLDEN=1` rewrites them; the diff is the review. Single messages: tests/test_golden.py.
Which row of the table of ADT semantics (reference hl7v2, section 5) each case is for says
fixtures/hl7v2/rows.toml.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "hl7v2"
CASES = sorted(file.parent.name for file in FIXTURES.glob("*/stored.json"))
ROWS: dict[str, Any] = tomllib.loads((FIXTURES / "rows.toml").read_text(encoding="utf-8"))["row"]
# People, stays, and what hangs on them.
KINDS = (
    "Patient", "Encounter", "Account", "AllergyIntolerance", "Condition", "Coverage",
    "RelatedPerson",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_stored(case: str) -> None:
    file = FIXTURES / case / "stored.json"
    found = _stored((FIXTURES / case / "input.hl7").read_bytes())
    text = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.write_bytes(text)
    assert text.decode() == file.read_text(encoding="utf-8")


def _stored(raw: bytes) -> dict[str, Any]:
    """What became of each message, and what is stored then."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        receipts = [
            store.commit(one, one.unit.raw, "2026-07-20T08:00:00Z") for one in convert.adt(raw)
        ]
        kept = {kind: [_bare(one) for one in store.each(kind)] for kind in KINDS}
    finally:
        store.close()
    units: dict[str, Any] = {"units": [receipt.status for receipt in receipts]}
    return units | {kind: rows for kind, rows in kept.items() if rows}


def _bare(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without version, instant and profile."""
    return {name: value for name, value in resource.items() if name != "meta"}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_cases(row: str) -> None:
    """Each thing that a row asks for names the cases that show it, and they are there."""
    asked = {name: cases for name, cases in ROWS[row].items() if name != "topic"}
    assert asked, "nothing is asked"
    for name, cases in asked.items():
        missing = [case for case in cases if not (FIXTURES / case / "expected.json").is_file()]
        assert cases and not missing, name


@pytest.mark.parametrize("number", range(1, 63))
def test_an_event_has_a_case(number: int) -> None:
    """A01 to A62; those that no version of the standard has are refused."""
    event = f"a{number:02}"
    cases = list(FIXTURES.glob(f"{event}-*/input.hl7"))
    said = f"ADT^{event.upper()}".encode()
    assert any(said in file.read_bytes() for file in cases)


def test_the_rows_are_those_of_the_table(shared: Path) -> None:
    """As many rows as the reference's section 5 has, by the first words of each."""
    text = (shared / "reference" / "hl7v2.md").read_text(encoding="utf-8")
    table = text.partition("\n## 5. ")[2].partition("\n## ")[0]
    topics = [line.split("**")[1] for line in table.splitlines() if line.startswith("| **")]
    assert [row["topic"] for row in ROWS.values()] == topics
