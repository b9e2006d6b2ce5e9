"""What the check says: which issue at which path, and nothing against what is sound."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.validation import check, check_unit, judge, primitives

NARRATIVE = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
BIG = 2**31

PRIMITIVES: list[tuple[str, list[Any], list[Any]]] = [
    ("boolean", [True, False], ["true", 1, 0, None, []]),
    ("string", ["a", " a ", "a\tb\n", "é"], ["", " ", "\x00a", "a\x1f", 1, True, None, {}]),
    ("code", ["a", "a b", "-"], ["", " a", "a ", "a  b", "a\n", 1]),
    ("id", ["a", "A-1.b", "x" * 64], ["", "x" * 65, "a_b", "a b", "é", 1]),
    ("uri", ["a", "urn:oid:1.2", "http://x.example/é"], ["", " ", "a b", "a\n", 1, [], {}]),
    ("date", ["2024", "2024-02", "2024-02-29"], ["2023-02-29", "24", "0000", "2024-13", "2024-2"]),
    ("date", ["2023-04-30", "2000-02-29"], ["2023-04-31", "1900-02-29", "2024-01-00", 2024, None]),
    ("dateTime", ["2024", "2024-01-01T00:00:00Z"], ["2024-01-01T00:00Z", "2024-01-01T00:00:00"]),
    (
        "dateTime",
        ["2024-01-01T23:59:60.123456789+14:00"],
        ["2023-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00+15:00", 1, None],
    ),
    ("instant", ["2024-01-01T00:00:00.1-08:00"], ["2024-01-01", "2024-01-01T00:00:00", "", 1]),
    ("time", ["10:00:00", "23:59:59.5"], ["10:00", "24:00:00", "1:00:00", 10]),
    ("integer", [0, -BIG, BIG - 1], [BIG, 1.0, True, "1", None]),
    ("unsignedInt", [0, BIG - 1], [-1, BIG, 1.5, False]),
    ("positiveInt", [1], [0, -1, "1", True]),
    ("decimal", [0, 1.5, -2, 10**400], [True, "1.5", float("nan"), float("inf"), None]),
    ("base64Binary", ["aGk=", "aG k=", "aGkh"], ["", "@@@", "aGk", "a", " ", 1]),
    ("oid", ["urn:oid:1.2.3"], ["1.2.3", "urn:oid:3.1", "urn:oid:1.02"]),
    ("uuid", ["urn:uuid:" + "0" * 8 + "-0000" * 3 + "-" + "0" * 12], ["urn:uuid:1", "x"]),
    (
        "xhtml",
        [NARRATIVE.format(t) for t in ("a", "<p>a<br/></p>", '<img src="a.png"/>', "&nbsp;")],
        [NARRATIVE.format(t) for t in ("", " ", "<p>", "<script>a</script>", "<p onfocus='a'/>b")],
    ),
    (
        "xhtml",
        [NARRATIVE.format('<a href="#x">a</a>')],
        ["<div>a</div>", NARRATIVE.format('<a href="javascript:a">a</a>'), "a", 1, "<!DOCTYPE a>"],
    ),
]


@pytest.mark.parametrize(("kind", "right", "wrong"), PRIMITIVES)
def test_primitives(kind: str, right: list[Any], wrong: list[Any]) -> None:
    rule = primitives.rule(primitives.TESTS[kind][0], primitives.fault(kind))
    assert [value for value in right if rule(value, None) is not None] == []
    assert [value for value in wrong if rule(value, None) is None] == []


REF = {"reference": "Patient/p"}
CODE = {"text": "x"}
EXT = {"url": "http://x.example", "valueBoolean": True}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": CODE}
CONDITION = {"resourceType": "Condition", "subject": REF}
HL7 = "http://hl7.org/fhir/StructureDefinition/"
VER = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLIN = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **elements}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


SOUND: list[dict[str, Any]] = [
    patient(active=True),
    patient(extension=[{"url": HL7 + "humanname-assembly-order", "valueCode": "NL1"}]),
    patient(_gender={"extension": [EXT]}),
    patient(name=[{"given": ["A", None], "_given": [None, {"extension": [EXT]}]}]),
    patient(name=[{"given": [None], "_given": [{"id": "x"}]}]),
    patient(contained=[{"resourceType": "Organization", "id": "o", "name": "x"}],
            managingOrganization={"reference": "#o"}),
    patient(managingOrganization={"reference": "urn:uuid:1"}),
    patient(managingOrganization={"reference": "Organization?identifier=a|b"}),
    patient(managingOrganization={"reference": "https://x.example/fhir/Organization/1/_history/2"}),
    patient(managingOrganization={"identifier": {"value": "x"}, "type": "Organization"}),
    {**OBSERVATION, "_status": {"id": "x"}},
    {"resourceType": "Binary", "contentType": "text/plain; charset=utf-8", "data": "aGk="},
    {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": REF}]},
]  # fmt: skip


@pytest.mark.parametrize("resource", SOUND)
def test_sound_resources(resource: dict[str, Any]) -> None:
    assert check(resource) == []


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (patient(gender="F"), "binding", "Patient.gender"),
    (patient(foo=1), "element-unknown", "Patient.foo"),
    (patient(**{"a b": 1}), "element-unknown", "Patient.?"),
    (patient(name=[{"family": "A"}, {"use": "CURRENT"}]), "binding", "Patient.name[1].use"),
    (patient(name={"family": "A"}), "cardinality", "Patient.name"),
    (patient(name=[]), "cardinality", "Patient.name"),
    (patient(birthDate=["2000"]), "datatype", "Patient.birthDate"),
    (patient(name=[{"given": ["A", None]}]), "datatype", "Patient.name[0].given[1]"),
    (patient(name=[{"given": ["A", ""]}]), "datatype", "Patient.name[0].given[1]"),
    (patient(name=[{"_given": [None, {"id": "a"}]}]), "datatype", "Patient.name[0]._given[0]"),
    (patient(deceasedBoolean=True, deceasedDateTime="2024"), "cardinality", "Patient.deceased"),
    (patient(deceasedString="x"), "element-unknown", "Patient.deceasedString"),
    (patient(extension=[{"valueBoolean": True}]), "required", "Patient.extension[0].url"),
    (patient(extension=[{**EXT, "extension": [EXT]}]), "invariant", "Patient.extension[0]"),
    (patient(extension=[{"url": "http://x.example"}]), "invariant", "Patient.extension[0]"),
    (patient(contact=[{"gender": "male"}]), "invariant", "Patient.contact[0]"),
    (patient(telecom=[{"value": "1"}]), "invariant", "Patient.telecom[0]"),
    (patient(name=[{}]), "resource-structure", "Patient.name[0]"),
    (patient(managingOrganization=REF), "reference", "Patient.managingOrganization"),
    (patient(link=[{"other": {"reference": "#x"}, "type": "refer"}]), "reference",
     "Patient.link[0].other"),
    (patient(managingOrganization={"identifier": {"value": "x"}, "type": "Patient"}), "reference",
     "Patient.managingOrganization"),
    (patient(contained=[patient(id="p")]), "invariant", "Patient.contained"),
    (patient(contained=[patient(gender="x")]), "binding", "Patient.contained[0].gender"),
    (patient(identifier=[{"period": {"start": "2024-02", "end": "2024-01-31"}}]), "invariant",
     "Patient.identifier[0].period"),
    (patient(extension=[{"url": HL7 + "patient-mothersMaidenName", "valueCode": "x"}]), "datatype",
     "Patient.extension[0]"),
    (patient(extension=[{"url": HL7 + "humanname-assembly-order", "valueCode": "x"}]), "binding",
     "Patient.extension[0].valueCode"),
    ({"resourceType": "Condition"}, "required", "Condition.subject"),
    ({**CONDITION, "abatementDateTime": "2024"}, "invariant", "Condition"),
    ({**CONDITION, "verificationStatus": concept(VER, "entered-in-error"),
      "clinicalStatus": concept(CLIN, "active")}, "invariant", "Condition"),
    ({**CONDITION, "clinicalStatus": concept(CLIN, "x")}, "binding", "Condition.clinicalStatus"),
    ({**CONDITION, "clinicalStatus": {"text": "active"}}, "binding", "Condition.clinicalStatus"),
    ({"resourceType": "AllergyIntolerance", "patient": REF}, "invariant", "AllergyIntolerance"),
    ({**OBSERVATION, "valueString": "a", "dataAbsentReason": CODE}, "invariant", "Observation"),
    ({"resourceType": "Observation", "code": CODE}, "required", "Observation.status"),
    ({"resourceType": "Organization", "active": True}, "invariant", "Organization"),
    ({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient(id="a")}]},
     "invariant", "Bundle"),
    ({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient(x=1)}]},
     "element-unknown", "Bundle.entry[0].resource.x"),
    ({"resourceType": "Claim", "total": {"value": 1, "currency": "dollar"}}, "binding",
     "Claim.total.currency"),
    ({"resourceType": "SubscriptionStatus"}, "resource-type", "Resource.resourceType"),
    ({"resourceType": "HumanName"}, "resource-type", "Resource.resourceType"),
    ({}, "resource-type", "Resource.resourceType"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "detail", "path"), WRONG)
def test_the_issue_and_its_path(resource: dict[str, Any], detail: str, path: str) -> None:
    assert (detail, path) in {(issue.detail, issue.path) for issue in check(resource)}


@pytest.mark.parametrize("value", ["Zweizahn-Geheim", 4711, ["Zweizahn-Geheim"]])
@pytest.mark.parametrize("key", ["gender", "birthDate", "name", "Zweizahn Geheim", "active"])
def test_no_issue_repeats_a_value(key: str, value: Any) -> None:
    resource = patient(**{key: value})
    found = [*check(resource), *judge(resource)]
    assert found
    assert not any(word in repr(found) for word in ("Zweizahn", "4711"))


A, B = "urn:uuid:a", "urn:uuid:b"
COVERAGE = {
    "resourceType": "Coverage",
    "status": "active",
    "beneficiary": {"reference": A},
    "payor": [{"reference": B}],
}
ORGANIZATION = {"resourceType": "Organization", "name": "x"}

UNITS: list[tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, str]]]] = [
    ([(A, patient(active=True)), (B, ORGANIZATION), ("urn:uuid:c", COVERAGE)], []),
    ([(A, patient(active=True)), ("urn:uuid:c", COVERAGE)], [("reference", "Coverage.payor[0]")]),
    ([(A, ORGANIZATION), (B, ORGANIZATION), ("urn:uuid:c", COVERAGE)],
     [("reference", "Coverage.beneficiary")]),
    ([(A, patient(active=True)), (B, patient(gender="x"))], [("binding", "Patient[1].gender")]),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "expected"), UNITS)
def test_references_within_a_unit(unit: Any, expected: Any) -> None:
    assert [(issue.detail, issue.path) for issue in check_unit(unit)] == expected


def test_urns_of_a_bundle_lead_to_its_entries() -> None:
    entries = [{"fullUrl": A, "resource": patient(active=True)},
               {"fullUrl": "urn:uuid:c", "resource": COVERAGE}]  # fmt: skip
    found = check({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert [issue.path for issue in found] == ["Bundle.entry[1].resource.payor[0]"]


@pytest.mark.parametrize(
    ("resource", "detail", "path"),
    [
        (patient(foo=1), "element-unknown", "Patient.foo"),
        ({"resourceType": "Coverage", "status": "active", "payor": [REF]}, "required",
         "Coverage.beneficiary"),
        (patient(birthDate="2023-02-30"), "datatype", "Patient.birthDate"),
        ({"resourceType": "Nothing"}, "resource-type", "Resource.resourceType"),
        (7, "resource-type", "Resource.resourceType"),
    ],
)  # fmt: skip
def test_the_second_judge(resource: Any, detail: str, path: str) -> None:
    assert (detail, path) in {(issue.detail, issue.path) for issue in judge(resource)}
