"""Values of observations, allergies and procedures: each type, and what cannot be read of it."""

from __future__ import annotations

from typing import Any

import pytest

from adapter import convert, data
from adapter.outcome import Outcome

Json = dict[str, Any]
PERSON = "PID|1||M1^^^MERCYTEST^MR||TESTWELL^AURORA||19850314|F"
VISIT = "PV1|1|I|||||||||||||||||V1^^^MERCYTEST^VN"
CM = {"unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"}


def one(*segments: str) -> Outcome:
    head = "MSH|^~\\&|ADT|MERCYTEST|||20260706101500-0700||ADT^A08|1|P|2.5.1"
    (outcome,) = convert.adt("\r".join((head, "EVN||20260706101500-0700", PERSON, *segments)))
    assert outcome.ok
    return outcome


def made(outcome: Outcome, kind: str) -> Json:
    return next(e.resource for e in outcome.entries if e.resource["resourceType"] == kind)


def details(outcome: Outcome, field: str) -> list[str]:
    return [i.detail for i in outcome.issues if str(i.at).endswith(field)]


@pytest.mark.parametrize(
    ("kind", "text", "element", "value"),
    [
        ("NM", "170", "valueQuantity", {"value": 170, **CM}),
        ("NM", "-1.50", "valueQuantity", {"value": data.decimal("-1.50"), **CM}),
        ("ST", "tall \\T\\ thin", "valueString", "tall & thin"),
        ("TX", "a^b", "valueString", "a^b"),
        ("XYZ", "whatever", "valueString", "whatever"),
        ("", "whatever", "valueString", "whatever"),
        ("IS", "Q", "valueCodeableConcept", {"coding": [{"code": "Q"}]}),
        ("DR", "20260101^20260102", "valuePeriod", {"start": "2026-01-01", "end": "2026-01-02"}),
        ("DT", "2026", "valueDateTime", "2026"),
        ("TM", "0304", "valueTime", "03:04:00"),
        ("TM", "030405.5-0800", "valueTime", "03:04:05"),
        ("NR", "1^", "valueRange", {"low": {"value": 1, **CM}}),
        ("VR", "1^9", "valueString", "1-9 cm"),
        ("SN", "<^5", "valueQuantity", {"value": 5, "comparator": "<", **CM}),
        ("SN", "=^5", "valueQuantity", {"value": 5, **CM}),
        ("SN", "^1^:^8", "valueRatio", {"numerator": {"value": 1, **CM},
                                        "denominator": {"value": 8, **CM}}),
        ("SN", ">^1^:^8", "valueRatio", {"numerator": {"value": 1, "comparator": ">", **CM},
                                         "denominator": {"value": 8, **CM}}),
        ("SN", "<^1^-^8", "valueString", "< 1 - 8 cm"),
        ("NM", ".5", "valueQuantity", {"value": 0.5, **CM}),
        ("NM", "5.", "valueQuantity", {"value": 5, **CM}),
        ("ST", "180", "valueString", "180 cm"),
        ("SN", "^1^-^8", "valueRange", {"low": {"value": 1, **CM}, "high": {"value": 8, **CM}}),
        ("SN", "<>^5", "valueString", "<> 5 cm"),
        ("SN", "^3^+", "valueString", "3 + cm"),
    ],
)  # fmt: skip
def test_a_value_by_its_type(kind: str, text: str, element: str, value: object) -> None:
    outcome = one(VISIT, f"OBX|1|{kind}|8302-2^Height^LN||{text}|cm^^UCUM|||||F")
    assert made(outcome, "Observation")[element] == value
    without = kind not in ("NM", "NR", "VR", "SN") and text != "180"
    assert details(outcome, "OBX-6") == (["unmapped"] if without else [])


@pytest.mark.parametrize(
    ("kind", "text", "kept", "detail"),
    [
        ("NM", "a lot", {"valueString": "a lot"}, "number-format"),
        ("SN", "^few^:^many", {"valueString": "few : many cm"}, "number-format"),
        ("TM", "2599", {}, "date-format"),
        ("DT", "20260230", {}, "date-format"),
        ("NR", "low^high", {}, "number-format"),
        ("ED", "^AP^PDF^Base64^not base64!", {}, "value-format"),
        ("ED", "^AP^PDF^Hex^0g", {}, "value-format"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_reported(
    kind: str, text: str, kept: Json, detail: str
) -> None:
    outcome = one(VISIT, f"OBX|1|{kind}|8302-2^Height^LN||{text}|cm^^UCUM|||||F")
    found = made(outcome, "Observation")
    assert {key: found[key] for key in found if key.startswith("value")} == kept
    assert details(outcome, "OBX-5") == [detail]


@pytest.mark.parametrize(
    ("text", "data", "kind"),
    [
        ("^AP^PDF^Base64^UFJPQkVE", "UFJPQkVE", "application/pdf"),
        ("^IM^JPG^Hex^50", "UA==", "image/jpeg"),
        ("^TEXT^PLAIN^A^words", "d29yZHM=", "text/plain"),
        ("^application^pdf^Base64^UA==", "UA==", "application/pdf"),
    ],
)
def test_an_attachment_is_also_a_document(text: str, data: str, kind: str) -> None:
    outcome = one(VISIT, f"OBX|1|ED|18842-5^Summary^LN||{text}||||||F")
    item = {"contentType": kind, "data": data}
    observation, document = made(outcome, "Observation"), made(outcome, "DocumentReference")
    assert observation["extension"][0]["valueAttachment"] == item
    assert document["content"] == [{"attachment": item}]
    assert document["subject"] == observation["subject"]


def test_several_values_are_components() -> None:
    found = made(one(VISIT, "OBX|1|NM|8480-6^Pressure^LN||120~x~80||90-140||||F"), "Observation")
    assert [one.get("valueQuantity", one.get("valueString")) for one in found["component"]] == [
        {"value": 120}, "x", {"value": 80},
    ]  # fmt: skip
    assert all(one["referenceRange"] == [{"text": "90-140"}] for one in found["component"])
    assert "valueQuantity" not in found


def test_observations_of_one_code_stay_apart() -> None:
    outcome = one(VISIT, "OBX|1|ST|1^A^L||x", "OBX|2|ST|1^A^L||y", "OBX|3|ST|1^A^L|S3|z")
    found = [e for e in outcome.entries if e.resource["resourceType"] == "Observation"]
    assert [e.resource["valueString"] for e in found] == ["x", "y", "z"]
    assert len({e.urn for e in found}) == 3


def test_a_note_follows_its_observation() -> None:
    note = "NTE|1||Line one~Line two||O-9^WRITER^WANDA|20260706"
    found = made(one(VISIT, "OBX|1|ST|1^A^L||x", note), "Observation")["note"]
    assert (found[0]["text"], found[0]["time"]) == ("Line one\nLine two", "2026-07-06")
    assert "unmapped" in details(one(VISIT, "NTE|1||Of nothing"), "NTE")


@pytest.mark.parametrize(
    ("code", "sure", "clinical"),
    [
        ("C", "confirmed", "active"), ("I", "confirmed", "inactive"),
        ("U", "unconfirmed", "active"), ("E", "entered-in-error", None),
    ],
)  # fmt: skip
def test_how_sure_an_allergy_is(code: str, sure: str, clinical: str | None) -> None:
    segment = f"IAM|1|DA|70618^Penicillin^RXNORM|SV||U|||||||||||{code}"
    found = made(one(segment), "AllergyIntolerance")
    assert found["verificationStatus"]["coding"][0]["code"] == sure
    status = found.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
    assert status == clinical


@pytest.mark.parametrize(
    ("start", "minutes", "element", "value"),
    [
        ("20260706", "15", "performedDateTime", "2026-07-06"),
        ("20260706101500-0700", "", "performedDateTime", "2026-07-06T10:15:00-07:00"),
        ("20260706101500-0700", "15", "performedPeriod",
         {"start": "2026-07-06T10:15:00-07:00", "end": "2026-07-06T10:30:00-07:00"}),
        ("20260706101500-0700", "long", "performedDateTime", "2026-07-06T10:15:00-07:00"),
    ],
)  # fmt: skip
def test_when_a_procedure_was(start: str, minutes: str, element: str, value: object) -> None:
    found = made(one(VISIT, f"PR1|1||93000^ECG^C4||{start}||{minutes}"), "Procedure")
    assert found[element] == value
    assert found["status"] == "unknown"


def test_a_parent_is_found_in_the_message_or_named() -> None:
    first = "PR1|1||93000^ECG^C4||||||||||||||||P-1^MERCYTEST"
    outcome = one(VISIT, first, "PR1|2||93005^Tracing^C4||||||||||||||||||||||P-1^MERCYTEST")
    parent, child = (e for e in outcome.entries if e.resource["resourceType"] == "Procedure")
    assert child.resource["partOf"][0]["reference"] == parent.urn
    alone = made(one(VISIT, "PR1|2||93005^Tracing^C4||||||||||||||||||||||P-1^X"), "Procedure")
    assert alone["partOf"][0]["identifier"]["value"] == "P-1"
    assert "reference" not in alone["partOf"][0]


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        ("ROL|R1|DE|PP^^HL70443|O-9^GONE^GILL", "PractitionerRole"),
        ("PRT|P1|D||FHCP|O-9^GONE^GILL", "CareTeam"),
        ("ARV|1|D|DEM", "Group"),
    ],
)
def test_what_the_sender_takes_back_is_not_written(segment: str, kind: str) -> None:
    outcome = one(segment)
    assert kind not in [e.resource["resourceType"] for e in outcome.entries]
    assert "cleared" in [i.detail for i in outcome.issues]


def test_a_restriction_is_a_label_where_it_stands() -> None:
    outcome = one("ARV|1|A|DEM^Demographic", VISIT, "ARV|1|A|PSY^Psychiatric")
    assert made(outcome, "Patient")["meta"]["security"][0]["code"] == "DEM"
    assert made(outcome, "Encounter")["meta"]["security"][0]["code"] == "PSY"


def test_the_patient_who_pays_is_nobody_new() -> None:
    head = "MSH|^~\\&|ADT|MERCYTEST|||20260706101500-0700||ADT^A01|1|P|2.5.1"
    person = "|".join([*PERSON.split("|"), *[""] * 9, "AC1"])
    (outcome,) = convert.adt("\r".join((head, person, VISIT, "GT1|1||TESTWELL^AURORA||||||||SEL")))
    assert (
        made(outcome, "Account")["guarantor"][0]["party"] == made(outcome, "Account")["subject"][0]
    )
    assert "RelatedPerson" not in [e.resource["resourceType"] for e in outcome.entries]
