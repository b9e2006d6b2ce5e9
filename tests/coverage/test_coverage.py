"""Every mapped row of the v2-to-FHIR guide is implemented, or left out by name with a reason."""

from __future__ import annotations

import pytest

from tests.coverage import guide, probe
from tests.coverage.paths import steps

MAPPED = 573  # mapped rows of the segment maps that the guide's ADT message maps refer to
ABSENT = "the guide's tables (../shared/data/v2-to-fhir) are not at hand"


@pytest.fixture(scope="module")
def found() -> list[probe.Found]:
    if not guide.available():
        pytest.skip(ABSENT)
    return [probe.try_row(row) for row in guide.rows()]


def test_every_row_is_implemented_or_left_out(found: list[probe.Found]) -> None:
    n = probe.counts(found)
    done = n["stated"] + n["elsewhere"]
    print(f"{done} of {len(found)} rows, {n['elsewhere']} of them elsewhere; {n['out']} left out")
    missing = [one.row for one in found if probe.verdict(one) == "missing"]
    assert missing == []
    assert done + n["out"] == len(found) == MAPPED


def test_what_is_left_out_is_a_row_and_says_why(found: list[probe.Found]) -> None:
    known = {(one.row.map, one.row.line) for one in found}
    assert set(probe.left_out()) <= known
    assert all(probe.left_out().values())


def test_what_is_written_elsewhere_says_why(found: list[probe.Found]) -> None:
    known = {(one.row.map, one.row.line): one.row for one in found}
    for own in probe.rows_of_their_own():
        row = known[own["map"], int(own["row"])]
        assert bool(own["why"]) >= bool(own["path"] or own["equals"]), row


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("name[1]", ["name"]),
        ("participant[1].individual(Practitioner)", ["participant", "individual", "(Practitioner"]),
        ("diagnosis.condition(Condition.asserter(Practitioner)",
         ["diagnosis", "condition", "(Condition", "asserter", "(Practitioner"]),
        ('status="finished"', ["status"]),
        ("payor([1]Organization.identifier)", ["payor", "(Organization", "identifier"]),
    ],
)  # fmt: skip
def test_a_path_of_the_guide_is_read(path: str, names: list[str]) -> None:
    assert [("(" if step.into else "") + step.name for step in steps(path)] == names
