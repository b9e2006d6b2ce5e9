"""Who is the same person."""

from __future__ import annotations

import pytest

from adapter.identity.match import may_merge, resolve
from adapter.issues import Doubt
from adapter.record import Entry
from tests.store.made import BASE, CIN, MRN, identifier, patient

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
@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("known", [2, 3])
def test_by_a_record_number(family, birth, known, heard, expected) -> None:
    """Who gave the number knows whom it names, unless birth date and family name both differ."""
    numbers = (CIN, "90000001A"), ("urn:m", "7", "MR"), ("urn:x", "8", "PI")
    said = patient(*numbers, family=family, birthDate=birth)
    stored = {**STORED, "identifier": said.resource["identifier"][:known]}
    found = resolve(said, [stored], None, heard)
    assert (found.issue.detail if isinstance(found, Doubt) else found) == expected


MEMBER = {
    **STORED,
    "identifier": [identifier(CIN, "90000001A")],
    "name": [{"family": "Garcia Lopez", "given": ["Ana"]}],
    "gender": "female",
}


@pytest.mark.parametrize(
    ("family", "given", "birth", "by_plan", "by_others"),
    [
        ("Garcia Lopez", "Ana", "1980-05-17", "p1", "p1"),
        ("GARCÍA", "ANA", "1980-05-17", "p1", "p1"),
        ("Lopez-Garcia", "Anita", "1980-05-17", "p1", "p1"),
        ("Garcia Ruiz", "Ana", "1980-05-17", "p1", "identity-unsure"),
        ("Garcia", "Ana", "1980-05-18", "p1", "identity-unsure"),
        ("Garcia", "Ana", None, "p1", "identity-unsure"),
        ("", "Ana", "1980-05-17", "p1", "identity-unsure"),
        ("Garcia", "Jose", "1955-11-02", "identity-unsure", "identity-unsure"),
        ("Marrowby", "Tess", "1980-05-17", "identity-unsure", "identity-unsure"),
        ("Garcia", "Baby Girl", "2026-07-10", "identity-unsure", "identity-unsure"),
    ],
)
def test_by_a_member_number_alone(family, given, birth, by_plan, by_others) -> None:
    """A plan mends one thing of its member; of others birth date and family name must agree."""
    said = patient((CIN, "90000001A"), name=[{"family": family, "given": [given]}], birthDate=birth)
    for heard, expected in ((False, by_plan), (True, by_others)):
        found = resolve(said, [MEMBER], None, heard)
        assert (found.issue.detail if isinstance(found, Doubt) else found) == expected


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    ("given", "gender", "known", "expected"),
    [
        ("Anita", "female", [], "p1"),
        ("Eva", "female", ["Eva"], "identity-unsure"),
        ("Eva", "female", ["Ana"], "p1"),
        ("Jose", "male", [], "identity-unsure"),
    ],
)
def test_twins_share_all_but_a_name(given, gender, known, heard, expected) -> None:
    name = [{"family": "Garcia Lopez", "given": [given]}]
    said = patient((CIN, "90000001A"), name=name, gender=gender, birthDate="1980-05-17")
    others = [
        {**MEMBER, "id": "p2", "identifier": [], "name": [{**name[0], "given": [one]}]}
        for one in known
    ]
    found = resolve(said, [MEMBER], lambda person: [MEMBER, *others], heard)
    assert (found.issue.detail if isinstance(found, Doubt) else found) == expected


def test_a_member_without_a_given_name_is_no_twin() -> None:
    """Nothing tells the two apart, whoever else has that name."""
    name = [{"family": "Garcia Lopez", "given": ["Eva"]}]
    said = patient((CIN, "90000001A"), name=name, gender="male", birthDate="1980-05-17")
    stored = {**MEMBER, "name": [{"family": "Garcia Lopez"}]}
    other = {**MEMBER, "id": "p2", "identifier": [], "name": name}
    assert resolve(said, [stored], lambda person: [stored, other], True) == "p1"


@pytest.mark.parametrize(
    ("order", "given", "expected"),
    [
        (1, "Ana", "p1"),
        (2, "Ana", "identity-unsure"),
        (2, "Girl", "identity-unsure"),
        (None, "Girl", "identity-unsure"),
        (None, "Ana", "p1"),
    ],
)
def test_the_second_of_twins_is_not_the_first(order, given, expected) -> None:
    """Newborns have their mother's member number, and no name yet."""
    name = [{"family": "Garcia Lopez", "given": [given]}]
    said = patient((CIN, "90000001A"), name=name, multipleBirthInteger=order)
    found = resolve(said, [{**MEMBER, "multipleBirthInteger": 1}], None, True)
    assert (found.issue.detail if isinstance(found, Doubt) else found) == expected


@pytest.mark.parametrize(
    ("family", "more", "doubt"),
    [
        ("Garcia", {}, True),
        ("Garcia", {"name": [{"family": "Garcia", "given": ["Ana"]}]}, True),
        ("Marrowby", {}, True),
        ("Garcia", {"gender": "male"}, True),
        ("Garcia", {"multipleBirthInteger": 2}, True),
    ],
)
def test_the_stay_of_another_newborn(family, more, doubt) -> None:
    """One birth date and no given name yet: two of one day are not one for it."""
    name = [{"family": family, "given": ["Baby Girl"]}]
    stored = {**MEMBER, "name": [{"family": "Garcia", "given": ["Babygirl"]}], "identifier": []}
    said = patient(**{"name": name, "gender": "female", **more}).resource
    found = may_merge(said, {**stored, "multipleBirthInteger": 1}, True)
    assert (found is not None) == doubt


@pytest.mark.parametrize(
    ("number", "birth", "doubt"),
    [("M1", None, False), ("M2", None, True), ("M2", "1980-05-17", False)],
)
def test_a_stay_under_two_numbers_of_a_hospital(number, birth, doubt) -> None:
    """Mother and daughter have one name: two record numbers need the birth date too."""
    stored = {**MEMBER, "identifier": [identifier(MRN, "M1", "MR")]}
    said = patient(name=MEMBER["name"], birthDate=birth).resource
    found = may_merge({**said, "identifier": [identifier(MRN, number, "MR")]}, stored, True)
    assert (found is not None) == doubt


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        ({}, False),
        ({"name": [{"family": "Garcia"}]}, False),
        ({"birthDate": None}, False),
        ({"birthDate": "1955-11-02"}, True),
        ({"gender": "male"}, True),
        ({"name": [{"family": "Garcia Lopez", "given": ["Eva"]}]}, True),
        ({"name": [{"family": "Marrowby"}]}, True),
        ({"identifier": [identifier(CIN, "90000002B")]}, True),
    ],
)
def test_the_stay_of_another_person(more, doubt) -> None:
    said = patient(**{"name": MEMBER["name"], "gender": "female", **more}).resource
    assert (may_merge(said, MEMBER, True) is not None) == doubt


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, None),
        ({"birthDate": "1955-11-02"}, None),
        ({"name": [{"family": "Marrowby"}]}, None),
        ({"name": [{"family": "Marrowby"}], "birthDate": "1955-11-02"}, "identity-unsure"),
        ({"name": [{"family": "Marrowby"}], "birthDate": None}, None),
        ({"identifier": [identifier(CIN, "90000002B")]}, "identity-conflict"),
        ({"identifier": [identifier(MRN, "M2", "MR")]}, None),
    ],
)
def test_what_speaks_against_a_merge(more, expected) -> None:
    """A sender knows whom it merges, unless the plan or all that is known says otherwise."""
    said = patient(**{"name": MEMBER["name"], **more}).resource
    found = may_merge(said, MEMBER)
    assert (found.issue.detail if found is not None else None) == expected
    assert found is None or [one.id for one in found.candidates] == ["p1"]


@pytest.mark.parametrize("system", [CIN, f"{BASE}/sid/plan-member/sunrise"])
@pytest.mark.parametrize("code", ["MR", "PI", ""])
@pytest.mark.parametrize("value", ["90000001A", "123456789"])
def test_a_member_number_is_one_whatever_it_is_called(system, code, value) -> None:
    """Its system tells: `$process-message` takes identifiers of any type, or of none."""
    said = patient((system, value, code), name=[{"family": "Garcia"}], birthDate="1955-11-02")
    if not code:
        del said.resource["identifier"][0]["type"]
    stored = {**MEMBER, "identifier": [identifier(system, value)]}
    found = resolve(said, [stored], None, True)
    assert isinstance(found, Doubt) and found.issue.detail == "identity-unsure"


def test_another_member_number_is_another_member() -> None:
    said = patient((CIN, "90000002B"), ("urn:m", "7", "MR"), birthDate="1980-05-17")
    stored = {
        **STORED,
        "identifier": [identifier(CIN, "90000001A"), identifier("urn:m", "7", "MR")],
    }
    found = resolve(said, [stored])
    assert isinstance(found, Doubt) and found.issue.detail == "identity-conflict"


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
