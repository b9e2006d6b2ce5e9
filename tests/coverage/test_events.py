"""Every ADT trigger event is understood, or refused with a reason; what is made is valid FHIR."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from adapter import convert, data
from adapter.mapping.events import events
from adapter.outcome import Outcome
from tests.judges import assert_valid

ROOT = Path(__file__).resolve().parents[2]
NEVER_WERE = {"A56", "A57", "A58", "A59"}
ALL = {f"A{number:02d}" for number in range(1, 63)} - NEVER_WERE
PERSONS = {"A18", "A24", "A28", "A29", "A30", "A31", "A34", "A36", "A37", "A39", "A40", "A43",
           "A46", "A47", "A48"}  # fmt: skip
PERSON = "PID|1||M1^^^MERCYTEST^MR||TESTWELL^AURORA||19850314|F"
MERGED = "MRG|M2^^^MERCYTEST^MR||AC2^^^MERCYTEST||V2^^^MERCYTEST^VN"


def pv1(**fields: str) -> str:
    """PV1 of an inpatient; fields by number, `f45="20260706"`."""
    texts = {2: "I", 3: "4WEST^401^B", 19: "V1^^^MERCYTEST^VN", 44: "20260705"}
    texts |= {int(name[1:]): text for name, text in fields.items()}
    return "|".join(["PV1", "1", *(texts.get(place, "") for place in range(2, 46))])


VISIT = pv1()


def message(event: str, *segments: str) -> bytes:
    head = f"MSH|^~\\&|ADT|MERCYTEST|||20260706||ADT^{event}|1|P|2.5.1"
    return "\r".join((head, "EVN||20260706||||20260706101500-0700|", *segments)).encode()


def one(event: str, *segments: str) -> Outcome:
    (outcome,) = convert.adt(message(event, *segments))
    return outcome


def kinds(outcome: Outcome) -> list[str]:
    return [entry.resource["resourceType"] for entry in outcome.entries]


def encounter(outcome: Outcome) -> dict[str, object]:
    return next(e.resource for e in outcome.entries if e.resource["resourceType"] == "Encounter")


def test_every_event_has_its_file() -> None:
    assert set(events()) == ALL


@pytest.mark.parametrize("event", sorted(NEVER_WERE | {"A19", "A63", "A77", "Z01"}))
def test_an_event_that_is_not_taken_is_refused(event: str) -> None:
    outcome = one(event, PERSON, VISIT)
    assert not outcome.ok
    assert [i.detail for i in outcome.issues] == ["not-supported"]
    assert str(outcome.issues[0].at).endswith("MSH-9")


@pytest.mark.parametrize("event", sorted(PERSONS))
def test_an_event_of_a_person_makes_no_stay(event: str) -> None:
    outcome = one(event, PERSON, "MRG|M2^^^MERCYTEST^MR||AC2^^^MERCYTEST", VISIT)
    assert "Encounter" not in kinds(outcome)


@pytest.mark.parametrize(
    ("event", "status", "weak"),
    [
        ("A01", "in-progress", False), ("A02", "in-progress", False), ("A03", "finished", False),
        ("A04", "in-progress", False), ("A05", "planned", False), ("A06", "in-progress", False),
        ("A07", "in-progress", False), ("A08", "in-progress", True), ("A09", "in-progress", True),
        ("A10", "in-progress", True), ("A11", "cancelled", False), ("A12", "in-progress", False),
        ("A13", "in-progress", False), ("A14", "planned", False), ("A15", "in-progress", True),
        ("A16", "in-progress", True), ("A17", "in-progress", False), ("A21", "onleave", False),
        ("A22", "in-progress", False), ("A23", "entered-in-error", False),
        ("A25", "in-progress", True), ("A26", "in-progress", True), ("A27", "cancelled", False),
        ("A32", "in-progress", True), ("A33", "in-progress", True), ("A38", "cancelled", False),
        ("A52", "in-progress", False), ("A53", "onleave", False), ("A54", "in-progress", True),
        ("A55", "in-progress", True), ("A60", "in-progress", True), ("A61", "in-progress", True),
        ("A62", "in-progress", True),
    ],
)  # fmt: skip
def test_what_an_event_says_of_a_stay(event: str, status: str, weak: bool) -> None:
    outcome = one(event, PERSON, VISIT)
    entry = next(e for e in outcome.entries if e.resource["resourceType"] == "Encounter")
    assert (entry.resource["status"], "status" in entry.weak) == (status, weak)


def test_a_discharge_that_is_cancelled_takes_its_end_back() -> None:
    outcome = one("A13", PERSON, pv1(f36="01", f37="HOME", f45="20260706"))
    entry = next(e for e in outcome.entries if e.resource["resourceType"] == "Encounter")
    assert "end" not in entry.resource["period"]
    assert "hospitalization" not in entry.resource
    assert "period.end" in entry.cleared


@pytest.mark.parametrize("event", ["A01", "A03", "A08"])
def test_patient_class_n_is_no_stay(event: str) -> None:
    outcome = one(event, PERSON, "PV1|1|N", "PV2|||Reason", "DG1|1||E11.9^Diabetes^I10")
    assert "Encounter" not in kinds(outcome)
    (condition,) = [
        e.resource for e in outcome.entries if e.resource["resourceType"] == "Condition"
    ]
    assert condition["category"][0]["coding"][0]["code"] == "problem-list-item"


def test_the_time_of_the_event_fills_what_the_message_leaves_open() -> None:
    open_visit = "PV1|1|I|ICU^1^A|||4WEST^401^B"
    moved = encounter(one("A02", PERSON, open_visit))
    assert [place["status"] for place in moved["location"]] == ["active", "completed"]
    assert moved["location"][0]["period"] == {"start": "2026-07-06T10:15:00-07:00"}
    assert moved["location"][1]["period"] == {"end": "2026-07-06T10:15:00-07:00"}
    assert encounter(one("A03", PERSON, open_visit))["period"] == {
        "end": "2026-07-06T10:15:00-07:00"
    }
    assert "period" not in encounter(one("A11", PERSON, open_visit))


def test_each_group_is_a_person_of_its_own() -> None:
    other = PERSON.replace("M1^", "M9^")
    outcome = one("A17", PERSON, VISIT, other, VISIT.replace("V1^", "V9^"))
    stays = [e.resource for e in outcome.entries if e.resource["resourceType"] == "Encounter"]
    people = [e.urn for e in outcome.entries if e.resource["resourceType"] == "Patient"]
    assert [stay["subject"]["reference"] for stay in stays] == people
    assert len(set(people)) == 2


@pytest.mark.parametrize("event", ["A01", "A08", "A31", "A45"])
def test_two_persons_are_never_read_as_one(event: str) -> None:
    outcome = one(event, PERSON, PERSON.replace("M1^", "M9^"), "MRG|M2^^^MERCYTEST^MR", VISIT)
    assert not outcome.ok
    assert ("message-structure", "PID") in {
        (i.detail, str(i.at).split()[-1]) for i in outcome.issues if i.failed
    }


def test_two_stays_are_never_read_as_one() -> None:
    assert not one("A08", PERSON, VISIT, VISIT.replace("V1^", "V9^")).ok


@pytest.mark.parametrize("segment", ["PD1||||||||" + '""', "PV1||I" + "|" * 52 + '""'])
def test_a_deletion_makes_no_resource(segment: str) -> None:
    outcome = one("A08", PERSON, segment)
    assert not {"EpisodeOfCare", "RelatedPerson", "Basic"} & set(kinds(outcome))


def test_a_z_segment_is_reported_once_each_and_stays_in_the_raw_message() -> None:
    outcome = one("A01", PERSON, VISIT, "ZPI|1|local", "ZPI|2|local", "ZBE|9")
    told = [str(i.at).split()[-1] for i in outcome.issues if i.text == "no map for this segment"]
    assert [name for name, _ in groupby(told)] == ["ZPI", "ZBE"]
    assert len(told) == 3
    assert b"ZPI|1|local" in outcome.unit.raw


def test_a_social_security_number_is_left_out_unless_asked_for() -> None:
    person = PERSON.replace("MR||", "MR~000-00-0001^^^USA^SS||") + "|||||||||||000-00-0001"
    outcome = one("A31", person)
    assert "000-00-0001" not in repr(outcome.bundle)
    assert "000000001" not in repr(outcome.bundle)
    told = [i for i in outcome.issues if i.text == "a social security number is not carried"]
    assert [(i.severity, i.detail) for i in told] == [("information", "unmapped")]


@pytest.mark.judge
def test_every_fixture_is_valid_by_all_judges() -> None:
    resources, seen = [], set()
    for file in sorted((ROOT / "fixtures" / "hl7v2").glob("*/input.hl7")):
        for outcome in convert.adt(file.read_bytes(), file.name):
            seen.add(outcome.event)
            bundle = outcome.bundle or {"entry": []}
            resources += [entry["resource"] for entry in bundle["entry"]]
    assert seen >= ALL - {"A19"}
    assert_valid({data.dumps(_shape(one)): one for one in resources}.values())


def _shape(value: Any) -> Any:
    """What judges look at: elements, codes and systems, not which of two names or ids it is."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items() if key not in _PLAIN}
    return [_shape(item) for item in value] if isinstance(value, list) else value


_PLAIN = ("id", "value", "reference", "display", "target", "family", "given", "text", "name",
          "recorded", "occurredDateTime", "start", "end", "partOf")  # fmt: skip


def test_no_text_of_an_event_file_is_left_to_guess() -> None:
    folder = ROOT / "mappings" / "hl7v2" / "events"
    for file in folder.glob("*.toml"):
        head = file.read_text("utf-8").splitlines()[0]
        assert re.match(rf"# {file.stem[4:].upper()} \S", head), file.name
