"""Public ADT samples: none crashes, what is made is valid R4 by several judges, none is dropped."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from adapter import convert, data
from adapter.outcome import Outcome
from tests.judges import assert_valid

_MSH = re.compile(rb"(?:^|[\r\n\x0b])MSH")


@pytest.fixture(scope="module")
def outcomes(shared: Path) -> list[tuple[str, Outcome]]:
    """Every message of every sample file; units without a message count as well."""
    files = sorted((shared / "samples" / "adt").rglob("*.hl7"))
    assert len(files) > 200
    return [(str(file), one) for file in files for one in convert.adt(file.read_bytes(), file.name)]


def test_every_message_is_valid_or_refused_with_a_reason(
    outcomes: list[tuple[str, Outcome]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every MSH of every file; that the valid ones are so by all judges is tested below."""
    valid = [name for name, one in outcomes if one.ok and one.entries]
    refused = [name for name, one in outcomes if any(issue.failed for issue in one.issues)]
    told = Counter(name for name, _ in outcomes)
    sent = {name: max(1, len(_MSH.findall(Path(name).read_bytes()))) for name in told}
    lost = [name for name in sent for _ in range(sent[name] - told[name])]
    dropped = len(outcomes) - len(valid) - len(refused) + len(lost)
    with capsys.disabled():
        print(f"\nsamples: {len(valid)} valid, {len(refused)} refused with a reason,", end=" ")
        print(f"{dropped} silently dropped")
    assert len(valid) > 150
    assert lost == [] and dropped == 0


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
