"""Who is the same person."""

from __future__ import annotations

import pytest

from adapter.identity.match import resolve
from adapter.issues import Doubt
from adapter.record import Entry
from tests.store.made import CIN, patient

STORED = {
    "resourceType": "Patient", "id": "p1", "birthDate": "1980-05-17",
    "name": [{"family": "Quillfeather"}, {"use": "old", "family": "Pendleworth"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "birth", "expected"),
    [
        ("Quillfeather", "1980-05-17", "p1"),
        ("QUILLFEATHER ", "1980-05-18", "p1"),
        ("Pendleworth", "1955-11-02", "p1"),
        ("Marrowby", "1980-05-17", "p1"),
        ("Marrowby", None, "p1"),
        ("", "1955-11-02", "p1"),
        ("Marrowby", "1955-11-02", "identity-unsure"),
    ],
)
def test_one_candidate(family, birth, expected) -> None:
    found = resolve(patient((CIN, "90000001A"), family=family, birthDate=birth), [STORED])
    assert (found.issue.detail if isinstance(found, Doubt) else found) == expected


def test_nobody_stored_is_somebody_new() -> None:
    assert resolve(patient((CIN, "90000001A")), []) == ""


def test_several_are_a_conflict() -> None:
    found = resolve(patient((CIN, "90000001A")), [STORED, {**STORED, "id": "p2"}])
    assert (
        isinstance(found, Doubt)
        and found.issue.detail == "identity-conflict"
        and found.issue.failed
    )


def test_only_people_are_compared_by_birth_and_name() -> None:
    entry = Entry({"resourceType": "Organization", "name": "x"}, "urn:uuid:1")
    assert resolve(entry, [{"resourceType": "Organization", "id": "o"}]) == "o"


def test_no_source_value_in_the_issue() -> None:
    other = patient((CIN, "90000001A"), family="Marrowby", birthDate="1955-11-02")
    found = resolve(other, [STORED])
    assert isinstance(found, Doubt)
    assert not any(
        text in repr(found) for text in ("Marrowby", "1955", "90000001A", "Quillfeather")
    )
