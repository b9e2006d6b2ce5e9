"""Public ADT samples: none crashes, what is made is valid R4 by several judges, none is dropped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from adapter import convert, data
from adapter.outcome import Outcome
from tests.judges import assert_valid


@pytest.fixture(scope="module")
def outcomes(shared: Path) -> list[tuple[str, Outcome]]:
    """Every message of every sample file; units without a message count as well."""
    files = sorted((shared / "samples" / "adt").rglob("*.hl7"))
    assert len(files) > 200
    return [(str(file), one) for file in files for one in convert.adt(file.read_bytes(), file.name)]


def test_every_file_gives_an_outcome_and_every_refusal_a_reason(
    outcomes: list[tuple[str, Outcome]],
) -> None:
    counts = Counter("valid" if one.ok else "refused" for _, one in outcomes)
    silent = [name for name, one in outcomes if one.ok and not one.entries]
    unsaid = [
        name for name, one in outcomes if not one.ok and not any(i.failed for i in one.issues)
    ]
    print(f"valid {counts['valid']}, refused with a reason {counts['refused']}, dropped 0")
    assert counts["valid"] > 150
    assert silent == []
    assert unsaid == []


def test_a_message_with_a_patient_is_refused_only_for_its_event(
    outcomes: list[tuple[str, Outcome]],
) -> None:
    refusals = {i.detail for _, one in outcomes for i in one.issues if i.failed}
    assert refusals <= {
        "not-supported", "segment-missing", "message-structure",
        "required", "contradiction",  # merges and moves that do not say of what, or into itself
    }  # fmt: skip


def test_no_message_changes_what_becomes_of_another(
    shared: Path, outcomes: list[tuple[str, Outcome]]
) -> None:
    files = sorted((shared / "samples" / "adt").rglob("*.hl7"), reverse=True)
    again = {
        str(file): [data.dumps(one.bundle) for one in convert.adt(file.read_bytes(), file.name)]
        for file in files
    }
    first: dict[str, list[bytes]] = {}
    for name, one in outcomes:
        first.setdefault(name, []).append(data.dumps(one.bundle))
    assert {name for name in first if first[name] != again[name]} == set()


def test_every_resource_is_valid_by_all_judges(outcomes: list[tuple[str, Outcome]]) -> None:
    resources = [
        entry["resource"]
        for _, one in outcomes
        if one.bundle is not None
        for entry in one.bundle["entry"]
    ]
    assert len(resources) > 1000
    assert_valid(resources)


def test_no_issue_text_holds_a_value(outcomes: list[tuple[str, Outcome]]) -> None:
    said = {i.text for _, one in outcomes for i in one.issues if i.detail != "segment-missing"}
    assert len(said) < 80  # a text that held a value would differ from message to message
