"""Merges: each PID with its MRG is a pair of its own, and no two groups are ever joined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import convert
from adapter.outcome import Outcome

Json = dict[str, Any]
SYSTEM = "^^^MERCYTEST&2.999.1&ISO^MR"
Pair = tuple[str, str]


def merge(event: str, pairs: list[Pair], rest: str = "") -> Outcome:
    segments = [f"MSH|^~\\&|ADT|MERCYTEST|||20260706||ADT^{event}|1|P|2.5.1", "EVN||20260706"]
    for survivor, loser in pairs:
        segments += [f"PID|||{survivor}{SYSTEM}||TESTWELL{rest}", f"MRG|{loser}{SYSTEM}"]
    (outcome,) = convert.adt("\r".join(segments))
    return outcome


def patients(outcome: Outcome) -> dict[str, Json]:
    """Patients by their record number."""
    found = [e.resource for e in outcome.entries if e.resource["resourceType"] == "Patient"]
    return {patient["identifier"][0]["value"]: patient for patient in found}


def links(outcome: Outcome) -> set[tuple[str, str, str]]:
    """(number, kind of link, number of the other)."""
    urns = {
        e.urn: e.resource["identifier"][0]["value"]
        for e in outcome.entries
        if e.resource["resourceType"] == "Patient"
    }
    return {
        (number, link["type"], urns[link["other"]["reference"]])
        for number, patient in patients(outcome).items()
        for link in patient.get("link", ())
    }


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6))
def test_links_are_those_of_the_pairs_and_no_others(numbers: list[tuple[int, int]]) -> None:
    pairs = [(f"M{one}", f"M{two}") for one, two in numbers]
    outcome = merge("A40", pairs)
    if not sound(pairs):
        assert [i.detail for i in outcome.issues if i.failed][:1] == ["contradiction"]
        assert outcome.bundle is None
        return
    wanted = {(one, "replaces", two) for one, two in pairs}
    wanted |= {(two, "replaced-by", one) for one, two in pairs}
    assert links(outcome) == wanted
    losers = {two for _, two in pairs}
    for number, patient in patients(outcome).items():
        assert (patient.get("active") is False) == (number in losers)
        assert (patient["identifier"][0].get("use") == "old") == (number in losers)
    assert len(outcome.merges) == len(set(pairs))


def sound(pairs: list[Pair]) -> bool:
    """Nobody is merged into two, or in a circle."""
    into = {two: one for one, two in pairs}
    if len({*pairs}) > len(into):
        return False
    for start in into:
        at = start
        for _ in range(len(into) + 1):  # a way longer than there are people leads round
            at = into.get(at, "")
        if at:
            return False
    return True


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40"])
def test_a_self_merge_is_refused(event: str) -> None:
    outcome = merge(event, [("M1", "M1")])
    failed = [i for i in outcome.issues if i.failed]
    assert failed[0].detail == "contradiction"
    assert str(failed[0].at).endswith("MRG-1")
    assert outcome.bundle is None


def test_two_who_give_each_other_a_number_are_refused() -> None:
    """HL7 v2.9 chapter 3.3.43: MRG has who had the number, and both cannot have had the other's."""
    outcome = merge("A43", [("M1", "M2"), ("M2", "M3"), ("M3", "M1")])
    assert [(i.detail, str(i.at)[-5:]) for i in outcome.issues if i.failed] == [
        ("contradiction", "MRG-1"),
    ]  # fmt: skip
    assert merge("A43", [("M1", "M2"), ("M2", "M3")]).ok


def test_who_is_told_twice_is_named_by_all_numbers() -> None:
    groups = [f"PID|||M2{SYSTEM}", f"MRG|X1{SYSTEM}", f"PID|||M3{SYSTEM}~M2{SYSTEM}"]
    outcome = one("A40", *groups, f"MRG|X1{SYSTEM}")
    (identity,) = (e.identity for e in outcome.entries if e.urn == outcome.merges[0][0])
    assert sorted(value for _, value in identity) == ["M2", "M3"]


def test_a_number_of_the_person_stays_with_the_survivor() -> None:
    both = f"M2{SYSTEM}~90000011A^^^CA^MA"
    outcome = one("A40", f"PID|||M1{SYSTEM}", f"MRG|{both}")
    by_number = patients(outcome)
    assert [i["value"] for i in by_number["M1"]["identifier"]] == ["M1", "90000011A"]
    assert [i["value"] for i in by_number["M2"]["identifier"]] == ["M2"]


def one(event: str, *segments: str) -> Outcome:
    head = f"MSH|^~\\&|ADT|MERCYTEST|||20260706||ADT^{event}|1|P|2.5.1"
    (outcome,) = convert.adt("\r".join((head, "EVN||20260706", *segments)))
    return outcome


def test_a_bare_prior_number_has_the_authority_of_the_record_number() -> None:
    outcome = one("A40", f"PID|||M1{SYSTEM}", "MRG|M2")
    assert {i["system"] for p in patients(outcome).values() for i in p["identifier"]} == {
        "urn:oid:2.999.1"
    }


def test_a_bare_prior_number_is_not_guessed_among_two_authorities() -> None:
    outcome = one("A40", f"PID|||M1{SYSTEM}~N1^^^OTHER&2.999.2&ISO^MR", "MRG|M2")
    assert patients(outcome)["M2"]["identifier"][0]["system"].endswith("/facility/MERCYTEST")


@pytest.mark.parametrize(
    ("prior", "system"),
    [
        ("M2", "urn:oid:2.999.1"),
        ("M2^^^^MR", "urn:oid:2.999.1"),
        ("M2^^^^PI", "urn:oid:2.999.2"),
        ("90000011A^^^^MA", "https://ecm-adapter.example/fhir/sid/cin"),
    ],
)
def test_a_bare_prior_number_is_of_the_authority_of_its_type(prior: str, system: str) -> None:
    outcome = one("A40", f"PID|||M1{SYSTEM}~E1^^^HIE&2.999.2&ISO^PI", f"MRG|{prior}")
    loser = patients(outcome)[prior.partition("^")[0]]
    assert loser["identifier"][0]["system"] == system


@pytest.mark.parametrize("event", ["A46", "A47", "A48"])
def test_a_new_number_is_no_merge(event: str) -> None:
    outcome = one(event, f"PID|||M1{SYSTEM}", f"MRG|M2{SYSTEM}")
    (patient,) = patients(outcome).values()
    assert [(i["value"], i.get("use")) for i in patient["identifier"]] == [
        ("M1", None),
        ("M2", "old"),
    ]
    assert "active" not in patient
    assert outcome.merges == ()


def test_a_moved_identifier_is_only_with_its_new_owner() -> None:
    moved = f"M1{SYSTEM}"
    outcome = one(
        "A43", f"PID|||P1^^^R&2.999.9&ISO^PI~{moved}", f"MRG|{moved}~P2^^^R&2.999.9&ISO^PI"
    )
    found = [[i["value"] for i in p["identifier"]] for p in patients(outcome).values()]
    assert found == [["P1", "M1"], ["P2"]]
    assert outcome.merges == ()


def test_a_visit_moves_to_the_person_or_to_another_account() -> None:
    visit = "PV1|1|I|||||||||||||||||V1^^^MERCYTEST^VN"
    elsewhere = one("A45", f"PID|||M1{SYSTEM}", f"MRG|M2{SYSTEM}||||V1^^^MERCYTEST^VN", visit)
    stay = next(e for e in elsewhere.entries if e.resource["resourceType"] == "Encounter")
    urns = {e.resource["identifier"][0]["value"]: e.urn for e in elsewhere.entries[:1]}
    assert stay.resource["subject"]["reference"] == urns["M1"]
    person = f"PID|||M1{SYSTEM}|||||||||||||||AC1^^^MERCYTEST"
    assert one("A45", person, f"MRG|M1{SYSTEM}||AC2^^^MERCYTEST", visit).ok
    assert not one("A45", person, f"MRG|M1{SYSTEM}||AC1^^^MERCYTEST", visit).ok


def test_links_of_one_person_are_seen_and_taken_back() -> None:
    two = (f"PID|||M1{SYSTEM}", f"PID|||M2{SYSTEM}")
    assert links(one("A24", *two)) == {("M1", "seealso", "M2"), ("M2", "seealso", "M1")}
    undone = one("A37", *two)
    assert links(undone) == set()
    assert [issue.detail for issue in undone.issues if issue.detail == "cleared"] == ["cleared"]
    assert not one("A24", two[0], two[0]).ok


@pytest.mark.parametrize("event", ["A35", "A41"])
def test_accounts_are_merged_and_persons_are_not(event: str) -> None:
    person = f"PID|||M1{SYSTEM}|||||||||||||||AC1^^^MERCYTEST"
    outcome = one(event, person, f"MRG|M1{SYSTEM}||AC2^^^MERCYTEST")
    accounts = [e for e in outcome.entries if e.resource["resourceType"] == "Account"]
    old = next(e.resource for e in accounts if e.resource["identifier"][0].get("use") == "old")
    assert (old["status"], old["identifier"][0]["value"]) == ("inactive", "AC2")
    assert len(patients(outcome)) == 1
    assert outcome.merges == ((accounts[0].urn, accounts[1].urn),)
    assert not one(event, person, f"MRG|M1{SYSTEM}").ok
