"""Whose code a code is: CWE.3 decides which table is asked, and the field which of NUBC's."""

from __future__ import annotations

from typing import Any

import pytest

from adapter import convert

FHIR = "http://terminology.hl7.org/CodeSystem/"
NUBC = "https://www.nubc.org/CodeSystem/"
LOCAL = "https://ecm-adapter.example/fhir/CodeSystem/local/"


def stay(**fields: str) -> dict[str, Any]:
    """The Encounter of a message with these fields of PV1: `f14="1^^NUBC"`."""
    told = {2: "I", 19: "V1^^^MERCY^VN", **{int(name[1:]): text for name, text in fields.items()}}
    pv1 = "|".join(["PV1", *(told.get(place, "") for place in range(1, max(told) + 1))])
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A03|N1|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    (outcome,) = convert.adt("\r".join([head, f"EVN|A03|{at}", pid, pv1, ""]).encode())
    assert outcome.ok
    (found,) = (e.resource for e in outcome.entries if e.resource["resourceType"] == "Encounter")
    return dict(found)


def codes(item: dict[str, Any]) -> list[str]:
    """Codings in short: `home discharge-disposition`."""
    short = {FHIR: "", NUBC: "nubc:", LOCAL: "local:"}
    found = []
    for coding in item.get("coding", ()):
        system = coding.get("system", "")
        start = next((long for long in short if system.startswith(long)), "")
        found.append(f"{coding['code']} {short.get(start, '')}{system.removeprefix(start)}")
    return found


ORIGIN, STATUS = "nubc:PointOfOrigin", "nubc:PatDischargeStatus"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("", "1", ["mp admit-source", "1 v2-0023"]),
        ("", "1^Referral^HL70023", ["mp admit-source", "1 v2-0023"]),
        ("", "1^Home^NUBC", [f"1 {ORIGIN}"]),
        ("1", "4^^NUBC", ["hosp-trans admit-source", f"4 {ORIGIN}"]),
        ("1", "5^^nubc", ["nursing admit-source", f"5 {ORIGIN}"]),
        ("1", "5^^2.16.840.1.113883.6.301.4", ["nursing admit-source", f"5 {ORIGIN}"]),
        ("4", "5^Born here^NUBC", [f"5 {ORIGIN}Newborn"]),
        ("N^Newborn", "5^^NUBC", [f"5 {ORIGIN}Newborn"]),
        ("N", "1", ["mp admit-source", "1 v2-0023"]),
        ("", "1^Ambulance^L", ["1 local:L"]),
        ("", "1^Physician referral^L", ["mp admit-source", "1 local:L"]),
        ("", "AMB^Ambulance^L^7^Emergency room^HL70023",
         ["emd admit-source", "AMB local:L", "7 v2-0023"]),
        ("", "1^^HL70112", ["1 v2-0112"]),
        ("", "7^^http://terminology.hl7.org/CodeSystem/v2-0023", ["emd admit-source", "7 v2-0023"]),
    ],
)  # fmt: skip
def test_where_from(kind: str, text: str, expected: list[str]) -> None:
    assert codes(stay(f4=kind, f14=text)["hospitalization"]["admitSource"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01", ["home discharge-disposition", f"01 {STATUS}"]),
        ("01^Home^NUBC", ["home discharge-disposition", f"01 {STATUS}"]),
        ("20^Expired^HL70112", ["exp discharge-disposition", "20 v2-0112"]),
        ("20^Room 20^L", ["20 local:L"]),
        ("20^Expired^99MERCY", ["exp discharge-disposition", "20 local:99MERCY"]),
        ("01^^HL70023", ["01 v2-0023"]),
        ("Home or Self Care", ["Home or Self Care "]),  # NUBC has no such code, nor this one
        ("3^SNF", ["3 "]),
        ("3^SNF^HL70112", ["3 v2-0112"]),
        ("99^Elsewhere^NUBC", [f"99 {STATUS}"]),
        ("AMA^^^20^Expired^NUBC", ["exp discharge-disposition", "AMA ", f"20 {STATUS}"]),
    ],
)
def test_where_to(text: str, expected: list[str]) -> None:
    assert codes(stay(f36=text)["hospitalization"]["dischargeDisposition"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E", ["E v2-0007"]),
        ("1", ["1 nubc:PriorityTypeOfAdmitOrVisit", "1 v2-0007"]),
        ("1^Emergency^NUBC", ["1 nubc:PriorityTypeOfAdmitOrVisit"]),
        ("1^First^L", ["1 local:L"]),
        ("elective", ["C v2-0007"]),
    ],
)
def test_how_urgent(text: str, expected: list[str]) -> None:
    assert codes(stay(f4=text)["type"][0]) == expected


def test_nubc_elsewhere_is_none_of_its_code_systems() -> None:
    """Which of NUBC's systems a field without one of its own means, nobody can say."""
    assert codes(stay(f10="7^^NUBC")["serviceType"])[-1] == "7 local:NUBC"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MED", ["382 service-type", "MED v2-0069"]),
        ("MED^Mediation^L", ["MED local:L"]),
        ("MED^Medical Service^L", ["382 service-type", "MED local:L"]),
        (
            "MED^Medical Services^L",
            ["382 service-type", "MED local:L"],
        ),  # as what it means is called
    ],
)
def test_a_local_code_is_not_one_of_the_table(text: str, expected: list[str]) -> None:
    """Any rule with a table and `cwe`."""
    assert codes(stay(f10=text)["serviceType"]) == expected


ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E", "EMER v3-ActCode"),
        ("E^Emergency^HL70004", "EMER v3-ActCode"),
        ("E^Emergency^L", "EMER v3-ActCode"),
        ("E^Elective^L", "E local:L"),
        ("E^^L", "E local:L"),
        ("E^^HL70007", "E v2-0007"),
        (f"IMP^inpatient encounter^{ACT}", "IMP v3-ActCode"),
        (f"E^^{ACT}", "E v3-ActCode"),
        ("IN", "IMP v3-ActCode"),
        ("ER", "EMER v3-ActCode"),
        ("Pre-Admit", "PRENC v3-ActCode"),
        ("Recurring", "R v2-0004"),
    ],
)
def test_class(text: str, expected: str) -> None:
    assert codes({"coding": [stay(f2=text)["class"]]}) == [expected]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("P", "planned"),
        ("Pre-Admit", "planned"),
        ("I", "active"),
        ("ER", "active"),
        ("Q", "active"),
    ],
)
def test_a_place_before_the_stay_is_planned(text: str, status: str) -> None:
    (place,) = stay(f2=text, f3="4W^401^B^MERCY")["location"]
    assert place["status"] == status


@pytest.mark.parametrize(
    ("text", "gender", "kept"),
    [
        ("M", "male", None),
        ("M^Male^HL70001", "male", None),
        ("M^^http://hl7.org/fhir/administrative-gender", "unknown", "M"),
        ("male^^http://hl7.org/fhir/administrative-gender", "male", None),
        ("M^Married^L", "unknown", "M"),
        ("M^male^L", "male", None),
        ("1^Male^L", "unknown", "1"),
        ("A", "other", "A"),
        ("X^^HL70001", "other", "X"),
        ("O", "other", None),
    ],
)
def test_sex(text: str, gender: str, kept: str | None) -> None:
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A28|N1|P|2.5.1"
    pid = f"PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|{text}"
    (outcome,) = convert.adt("\r".join([head, f"EVN|A28|{at}", pid, ""]).encode())
    (found,) = (e.resource for e in outcome.entries if e.resource["resourceType"] == "Patient")
    beside = found.get("_gender", {}).get("extension", [{}])[0].get("valueCodeableConcept", {})
    assert (found["gender"], beside.get("coding", [{}])[0].get("code")) == (gender, kept)
    unknown = [i.at.field for i in outcome.issues if i.at and i.detail == "code-unknown"]
    assert unknown == (["PID-8"] if kept and gender == "unknown" else [])


@pytest.mark.parametrize(
    ("segment", "field"),
    [
        ("DG1|1||F32.9^^I10~F33.1^^I10", "DG1-3"),
        ("OBX|1|ST|1^A^L~2^B^L||x||||||F", "OBX-3"),
        ("AL1|1|DA|1191^^RXNORM~7980^^RXNORM|MI", "AL1-3"),
        ("IAM|1|DA|1191^^RXNORM|MI~SV", "IAM-4"),
    ],
)
def test_what_has_room_for_one_is_told_of_another(segment: str, field: str) -> None:
    """Also where a builder looks at the field."""
    rows = ["MSH|^~\\&|ADT|MERCY|||20260710||ADT^A01|N1|P|2.5.1", "EVN||20260710"]
    rows += ["PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE", "PV1||I", segment]
    (outcome,) = convert.adt("\r".join(rows))
    told = [(one.detail, one.at.field) for one in outcome.issues if one.at and one.at.line == 5]
    assert ("unmapped", f"{field}[2]") in told


@pytest.mark.parametrize(
    ("text", "coded", "words"),
    [
        ("es", ["es bcp:47"], None),
        ("SPA", ["es bcp:47"], "SPA"),  # BCP 47 has no three letters where there are two
        ("spa^Spanish^ISO639-2", ["es bcp:47", "spa local:ISO639-2"], None),
        ("hmn", ["hmn bcp:47"], None),
        ("SPANISH", ["es bcp:47"], "SPANISH"),
        ("UNK", [], "UNK"),
        ("7", ["7 "], None),  # not BCP 47's
        ("7^Elvish^L", ["7 local:L"], None),
    ],
)
def test_language(text: str, coded: list[str], words: str | None) -> None:
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A28|N1|P|2.5.1"
    pid = f"PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F|||||||{text}"
    (outcome,) = convert.adt("\r".join([head, f"EVN|A28|{at}", pid, ""]).encode())
    (found,) = (e.resource for e in outcome.entries if e.resource["resourceType"] == "Patient")
    (told,) = (one["language"] for one in found["communication"])
    assert [one.replace("urn:ietf:", "") for one in codes(told)] == coded
    assert told.get("text") == words


PCS, CM = "www.cms.gov/Medicare/Coding/ICD10", "hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        ("I10", "0DTJ4ZZ^Resection of appendix", f"0DTJ4ZZ {PCS}"),
        ("", "0DTJ4ZZ^Resection of appendix^I10", f"0DTJ4ZZ {PCS}"),
        ("ICD-10", "0DTJ4ZZ", f"0DTJ4ZZ {PCS}"),
        ("", "0DTJ4ZZ^^I10P", f"0DTJ4ZZ {PCS}"),
        ("C4", "44970", "44970 www.ama-assn.org/go/cpt"),
        ("ICD-10-CM", "0DTJ4ZZ", f"0DTJ4ZZ {CM}"),  # as it is named
    ],
)
def test_what_was_done(method: str, text: str, expected: str) -> None:
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A04|N1|P|2.5.1"
    pid, pv1 = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F", "PV1||O"
    segments = [head, f"EVN|A04|{at}", pid, pv1, "DG1|1|I10|K35.80|||F", f"PR1|1|{method}|{text}"]
    (outcome,) = convert.adt("\r".join([*segments, ""]).encode())
    made = {entry.resource["resourceType"]: entry.resource for entry in outcome.entries}
    assert [one.replace("http://", "") for one in codes(made["Procedure"]["code"])] == [expected]
    assert [one.replace("http://", "") for one in codes(made["Condition"]["code"])] == [
        f"K35.80 {CM}"
    ]


@pytest.mark.parametrize(
    ("text", "name", "coded", "left"),
    [
        ("cm", "cm", None, 0),
        ("cm^cm", "cm", None, 0),
        ("cm^centimeter", "centimeter", None, 1),
        ("cm^centimeter^UCUM", "centimeter", "cm http://unitsofmeasure.org", 0),
        ("CM^centimeter^L^cm^cm^UCUM", "cm", "cm http://unitsofmeasure.org", 1),
        ("cm^centimeter^UCUM^CM^^L", "centimeter", "cm http://unitsofmeasure.org", 1),
        ("^centimeter", "centimeter", None, 0),
        ("^^UCUM", None, None, 0),
    ],
)
def test_unit(text: str, name: str | None, coded: str | None, left: int) -> None:
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A04|N1|P|2.5.1"
    pid, pv1 = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F", "PV1||O"
    obx = f"OBX|1|NM|8302-2^Body height^LN||160|{text}|||||F"
    (outcome,) = convert.adt("\r".join([head, f"EVN|A04|{at}", pid, pv1, obx, ""]).encode())
    made = {entry.resource["resourceType"]: entry.resource for entry in outcome.entries}
    found = made["Observation"]["valueQuantity"]
    assert (found.get("unit"), codes({"coding": [found]}) if coded else None) == (
        name,
        [coded] if coded else None,
    )
    assert ("code" in found) == bool(coded)
    assert (
        len([issue for issue in outcome.issues if issue.at and issue.at.field == "OBX-6"]) == left
    )
