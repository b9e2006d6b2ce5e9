"""A row, a message and a referral of one person, in any order: one Patient with every fact."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import orjson
import pytest

from adapter import data, store, validation
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline

ROW = {
    "Member ID": "SHP1", "CIN": "90000011A", "Last Name": "Testwell", "First Name": "Aurora",
    "Member Middle Name": "June", "DOB": "03/14/2008", "Sex": "F", "Race": "White; Asian",
    "Ethnicity": "Hispanic or Latino", "Preferred Language": "Spanish", "Homeless": "Y",
    "Member Residential Address": "100 Sample Way", "City": "Sacramento", "State": "CA",
    "Zip": "95814", "Cell Phone": "9165550101", "Email": "aurora@example.com",
    "Guardian Name": "Testwell, Greta", "Guardian Relation": "Mother",
    "Guardian Phone": "9165550102", "PCP Name": "Fixture, Iris MD", "PCP NPI": "1000000012",
    "POF": "Individuals Experiencing Homelessness", "Involved in Child Welfare": "Y",
    "Acuity Level": "high", "Priority": "1", "Authorization Number": "A-1",
    "Auth Status": "Approved", "Auth Start Date": "07/01/2026", "Auth End Date": "06/30/2027",
    "Coverage Start Date": "01/01/2024", "MCP Name": "Imaginary Plan",
    "Assignment Date": "06/25/2026", "Lead Care Manager": "Ottoline Fernfield",
    "ECM Lead Care Manager Phone Number": "9165550110",
}  # fmt: skip
MESSAGE = "\r".join(
    (
        "MSH|^~\\&|REG|MERCYTEST|ECM|HARBOR|20260705083000-0700||ADT^A01^ADT_A01|M1|P|2.5.1",
        "EVN|A01|20260705082900-0700",
        "PID|1||M4711^^^MERCYTEST&2.999.1.4711&ISO^MR~90000011A^^^MEDI-CAL^MA"
        "||TESTWELL^AURORA||20080314|F|||1 OLD RD^^SACRAMENTO^CA^95814",
        "PV1|1|I|4WEST^401^B^MERCYTEST|||||||||||||||V1^^^MERCYTEST^VN",
    )
)
REFERRAL = {
    **orjson.loads(data.path("fixtures", "demo", "referral.json").read_bytes()),
    "member-birth-date": "03/14/2008",
}


def member_file() -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(ROW))
    writer.writeheader()
    writer.writerow(ROW)
    return stream.getvalue().encode()


SOURCES = {
    "row": lambda house: house.mif(member_file(), "canonical", "MIF_20260701.csv"),
    "message": lambda house: house.adt(MESSAGE.encode(), "default", "a01.hl7"),
    "referral": lambda house: house.referral(orjson.dumps(REFERRAL), "sacramento", "form.json"),
}


def loaded(order: tuple[str, ...]) -> Pipeline:
    house = Pipeline(store.open("sqlite://", resolve), lambda: datetime(2026, 7, 7, tzinfo=UTC))
    for name in order:
        statuses = {result.status for result in SOURCES[name](house)}
        assert statuses == {"stored"}, name
    return house


def extension(resource: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [e for e in resource.get("extension", ()) if e["url"].endswith(f"/{name}")]


def code(item: dict[str, Any]) -> str:
    return str(item["valueCodeableConcept"]["coding"][0]["code"])


def only(house: Pipeline, kind: str, *params: tuple[str, str]) -> dict[str, Any]:
    (found,) = house.store.each(kind, params)
    return found


@pytest.mark.parametrize("order", list(permutations(SOURCES)), ids="-".join)
def test_one_person_from_three_sources(order: tuple[str, ...]) -> None:
    house = loaded(order)
    patient = only(house, "Patient")
    assert {i["value"] for i in patient["identifier"]} == {"90000011A", "SHP1", "M4711"}
    sources = {t.source for t in house.store.trace("Patient", patient["id"])}
    assert {s.partition(":")[0] for s in sources} == {"plan", "feed", "form"}
    assert patient["birthDate"] == "2008-03-14"
    assert len(extension(patient, "us-core-race")) == 1
    ref = f"Patient/{patient['id']}"
    assert only(house, "Encounter")["subject"]["reference"] == ref
    assert only(house, "EpisodeOfCare")["patient"]["reference"] == ref
    assert only(house, "ServiceRequest")["subject"]["reference"] == ref


def test_what_the_plan_says_of_a_member_is_fhir() -> None:
    house = loaded(("message", "referral", "row"))
    patient = only(house, "Patient")
    race, ethnicity = (extension(patient, f"us-core-{n}")[0] for n in ("race", "ethnicity"))
    omb = [p["valueCoding"]["code"] for p in race["extension"] if p["url"] == "ombCategory"]
    assert sorted(omb) == ["2028-9", "2106-3"]
    assert ethnicity["extension"][0]["valueCoding"]["code"] == "2135-2"
    assert extension(patient, "homeless")[0]["valueBoolean"] is True
    spoken = {c["language"]["coding"][0]["code"] for c in patient["communication"]}
    assert "es" in spoken
    (guardian,) = patient["contact"]
    assert guardian["name"]["family"] == "Testwell"
    assert guardian["relationship"][0]["coding"][0]["code"]
    doctor = house.store.read(*patient["generalPractitioner"][0]["reference"].split("/"))
    assert doctor is not None
    assert doctor.resource["identifier"][0]["value"] == "1000000012"


def test_what_the_plan_says_of_the_enrollment_is_fhir() -> None:
    house = loaded(("row",))
    episode, cover = only(house, "EpisodeOfCare"), only(house, "Coverage")
    found = {code(e) for e in extension(episode, "population-of-focus")}
    assert found == {"homelessness-family", "child-welfare"}  # a child: the birth date decides
    assert code(extension(episode, "acuity")[0]) == "high"
    assert extension(episode, "priority")[0]["valuePositiveInt"] == 1
    assert extension(episode, "assigned-on")[0]["valueDate"] == "2026-06-25"
    manager = house.store.read(*episode["careManager"]["reference"].split("/"))
    assert manager is not None
    assert manager.resource["name"][0]["text"] == "Ottoline Fernfield"
    payor = house.store.read(*cover["payor"][0]["reference"].split("/"))
    assert payor is not None
    assert (payor.resource["name"], cover["period"]["start"]) == ("Imaginary Plan", "2024-01-01")
    answer = only(house, "ClaimResponse", ("identifier", "A-1"))
    assert answer["preAuthPeriod"] == {"start": "2026-07-01", "end": "2027-06-30"}
    assert (answer["use"], answer["disposition"]) == ("preauthorization", "Approved")


def test_what_is_stored_is_valid() -> None:
    house = loaded(("row", "message", "referral"))
    kinds = ("Patient", "Coverage", "EpisodeOfCare", "ClaimResponse", "Group", "List")
    for kind in kinds:
        for resource in house.store.each(kind):
            assert validation.check(resource) == [], kind
            assert validation.judge(resource) == [], kind


def test_another_person_under_the_same_number_is_put_aside() -> None:
    house = loaded(("row",))
    other = (
        member_file()
        .replace(b"Testwell,Aurora", b"Beaver,Ben")
        .replace(b"03/14/2008", b"01/01/1950")
    )
    statuses = [r.status for r in house.mif(other, "canonical", "MIF_20260801.csv") if r.rows]
    assert statuses == ["review"]
    assert only(house, "Patient")["name"][0]["family"] == "Testwell"


def test_a_member_file_says_of_whom_a_waiting_message_is() -> None:
    house = loaded(())
    number, seen = ROW["Cell Phone"].encode(), MESSAGE.replace("~90000011A^^^MEDI-CAL^MA", "")
    seen = seen.replace("CA^95814", "CA^95814||^PRN^PH^^1^916^5550101")
    list(house.mif(member_file().replace(number, b""), "canonical", "MIF_20260701.csv"))
    assert [one.status for one in house.adt(seen.encode(), "default", "a01.hl7")] == ["review"]
    list(house.mif(member_file(), "canonical", "MIF_20260801.csv"))
    assert house.store.waiting() == []
    stay, person = only(house, "Encounter"), only(house, "Patient")
    assert stay["subject"]["reference"] == f"Patient/{person['id']}"
