"""$process-message: another house's alerts are stored once, as a unit, for the right person."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.api import ApiSettings, app
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.program import notices
from adapter.store import SqlStore
from adapter.store import open as open_store
from tests.judges import assert_valid
from tests.unit.test_notices import DESK, PLACES, at, deliver, patient, roster, stay

from .conftest import BASE

NOW = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)
URL = "/fhir/$process-message"
Json = dict[str, Any]


@pytest.fixture
def store() -> Iterator[SqlStore]:
    made = open_store("sqlite://", resolve)
    yield made
    made.close()


@pytest.fixture
def client(store: SqlStore) -> Iterator[TestClient]:
    house = Pipeline(store, lambda: NOW)
    made = app(store, house, ApiSettings(), lambda: NOW, lambda: str(uuid4()))
    with TestClient(made, base_url=BASE) as found:
        yield found


def sent() -> Json:
    """An alert as another installation sends it."""
    house = open_store("sqlite://", resolve)
    for one in (patient(), roster("90000077A"), *PLACES):
        house.put(one, notices.stamp(NOW))
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "VN"}]}
    number = {"type": kind, "system": "urn:oid:2.999.1.7", "value": "V90001"}
    doctor = {"individual": {"reference": "Practitioner/d1"}}
    more = {"identifier": [number], "participant": [doctor], "location": [at("a1")]}
    house.put(stay("finished", **more), notices.stamp(NOW))
    notices.derive(house, NOW, DESK)
    found: Json = json.loads(deliver(house)[0].body)
    house.close()
    return found


MESSAGE = sent()


def changed(*path: Any, to: Any) -> Json:
    """The message with something else (None: nothing) at a path."""
    made = copy.deepcopy(MESSAGE)
    node: Any = made
    for name in path[:-1]:
        node = node[name]
    if to is None:
        del node[path[-1]]
    else:
        node[path[-1]] = to
    return made


def slugs(answer: Any) -> set[str]:
    return {row["details"]["coding"][0]["code"] for row in answer.json()["issue"]}


def counts(store: SqlStore) -> dict[str, int]:
    kinds = ("Patient", "Encounter", "Condition", "Location", "Practitioner", "Provenance")
    return {kind: store.search(kind, [], 0).total for kind in kinds}


def test_an_alert_is_stored_as_a_unit(client, store) -> None:
    answer = client.post(URL, json=MESSAGE)
    assert answer.status_code == 200
    assert counts(store) == {
        "Patient": 1, "Encounter": 1, "Condition": 1, "Location": 2, "Practitioner": 1,
        "Provenance": 1,
    }  # fmt: skip
    (line,) = store.ledger()
    assert (line.kind, line.status) == ("message", "stored")
    assert line.source == "feed:ecm-adapter.example/harbor-light-care-collaborative"
    (encounter,) = store.each("Encounter")
    person = next(store.each("Patient"))
    assert encounter["subject"]["reference"] == f"Patient/{person['id']}"
    (condition,) = store.each("Condition")
    assert condition["encounter"]["reference"] == f"Encounter/{encounter['id']}"
    header = answer.json()["entry"][0]["resource"]
    assert header["response"] == {"identifier": MESSAGE["id"], "code": "ok"}
    assert_valid([answer.json(), header])


def test_the_same_alert_again_changes_nothing(client, store) -> None:
    first = client.post(URL, json=MESSAGE).json()
    before = [store.history(kind, one["id"]) for kind in ("Patient", "Encounter")
              for one in store.each(kind)]  # fmt: skip
    for body in (json.dumps(MESSAGE, indent=2), json.dumps(MESSAGE)):
        again = client.post(URL, content=body, headers={"content-type": "application/fhir+json"})
        assert (again.status_code, again.json()) == (200, first)
    after = [store.history(kind, one["id"]) for kind in ("Patient", "Encounter")
             for one in store.each(kind)]  # fmt: skip
    assert after == before and len(store.ledger()) == 1


def test_another_message_under_its_number_waits_for_a_person(client, store) -> None:
    client.post(URL, json=MESSAGE)
    other = changed("entry", 1, "resource", "status", to="cancelled")
    answer = client.post(URL, json=other)
    assert answer.status_code == 202
    assert [row["severity"] for row in answer.json()["issue"]] == ["warning"]
    assert next(store.each("Encounter"))["status"] == "finished"
    assert [line.status for line in store.ledger()] == ["stored", "review"]


def test_a_later_message_moves_the_stay_on(client, store) -> None:
    client.post(URL, json=MESSAGE)
    later = changed("entry", 1, "resource", "status", to="cancelled")
    later |= {"timestamp": "2026-07-09T13:00:00.000Z", "identifier": {"value": "next"}}
    assert client.post(URL, json=later).status_code == 200
    assert counts(store)["Encounter"] == counts(store)["Patient"] == 1
    assert next(store.each("Encounter"))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("event", "status"),
    [("admit", "finished"), ("transfer", "finished"), ("discharge", "in-progress")],
)
def test_only_news_of_its_end_opens_a_stay_again(client, store, event, status) -> None:
    """An admission may be told late; that there was no discharge is told as one (reason `edit`)."""
    before = {"status": "planned", "period": {"start": "2026-07-05"}}
    for number, (code, fresh) in enumerate(
        (
            ("admit", before),
            ("admit", {"status": "in-progress", "period": {"start": "2026-07-05T08:15:00-07:00"}}),
            ("discharge", {}),  # as the message stands: finished
            (event, {"status": "in-progress", "period": {"start": "2026-07-05T08:15:00-07:00"}}),
        )
    ):
        made = changed("identifier", "value", to=str(number))
        made["timestamp"] = f"2026-07-09T1{number}:00:00Z"
        made["entry"][0]["resource"]["eventCoding"]["code"] = f"notification-{code}"
        made["entry"][1]["resource"] |= fresh
        assert client.post(URL, json=made).status_code == 200
        (stay_,) = store.each("Encounter")
        assert stay_["status"] == [before["status"], "in-progress", "finished", status][number]
    assert ("end" in stay_["period"]) is (status == "finished")


@pytest.mark.parametrize(
    ("story", "status"),
    [
        (["admit in-progress", "admit cancelled"], "cancelled"),
        (["admit in-progress", "admit cancelled", "admit in-progress"], "in-progress"),
        (["discharge finished", "discharge cancelled"], "cancelled"),
        (["discharge finished", "discharge entered-in-error", "admit in-progress"], "in-progress"),
        (["admit cancelled", "admit in-progress", "discharge finished"], "finished"),
        (["discharge finished", "discharge cancelled", "admit cancelled"], "cancelled"),
    ],
)
def test_an_admission_after_its_withdrawal_is_one(client, store, story, status) -> None:
    """In whatever order the messages come."""
    for order in itertools.permutations(range(len(story))):
        for place in order:
            code, _, said = story[place].partition(" ")
            made = changed("identifier", "value", to=f"{order}-{place}")
            made["timestamp"] = f"2026-07-09T1{place}:00:00Z"
            made["entry"][0]["resource"]["eventCoding"]["code"] = f"notification-{code}"
            made["entry"][1]["resource"]["status"] = said
            if said != "finished":
                del made["entry"][1]["resource"]["period"]["end"]
            number = "V" + "-".join(map(str, order))
            made["entry"][1]["resource"]["identifier"][0]["value"] = number
            assert client.post(URL, json=made).status_code == 200
        (stay_,) = store.each("Encounter", [("identifier", number)])
        assert (stay_["status"], "end" in stay_["period"]) == (status, status == "finished"), order


def test_it_is_about_our_member(client, store) -> None:
    store.put(patient() | {"id": "ours"}, notices.stamp(NOW))
    store.put(roster("90000077A"), notices.stamp(NOW))
    assert client.post(URL, json=MESSAGE).status_code == 200
    assert [one["id"] for one in store.each("Patient")] == ["ours"]
    assert notices.derive(store, NOW, DESK) == 2  # and is passed on to the lead care manager


def test_an_unsure_person_waits_for_a_decision(client, store) -> None:
    other = {"birthDate": "1955-01-01", "name": [{"family": "Somebody"}]}
    store.put(patient(**other), notices.stamp(NOW))
    answer = client.post(URL, json=MESSAGE)
    assert answer.status_code == 202
    assert store.search("Encounter", [], 0).total == 0


def local(number: str, encounter: str = "e1", **person: Any) -> Json:
    """The message under another number, of a stay and a person that only local ids name."""
    made = changed("identifier", "value", to=number)
    stay, patient = (made["entry"][place]["resource"] for place in (1, 2))
    for one, uid in ((stay, encounter), (patient, "pat")):
        one.pop("identifier")
        one["id"] = uid
    patient.pop("telecom", None)
    patient.update(person)
    return made


BRUNO = {"name": [{"family": "Placeholder"}], "birthDate": "1972-11-30", "gender": "male"}


def test_a_local_id_names_nobody(client, store) -> None:
    for number, person in (("1", {}), ("2", BRUNO)):
        assert client.post(URL, json=local(number, **person)).status_code == 200
    births = {f"Patient/{one['id']}": one["birthDate"] for one in store.each("Patient")}
    whose = [births[one["subject"]["reference"]] for one in store.each("Encounter")]
    assert sorted(whose) == sorted(births.values()) and len(set(whose)) == 2
    assert counts(store)["Condition"] == 2 and counts(store)["Location"] == 2


def test_a_local_id_names_a_stay_of_one_person_only(client, store) -> None:
    mine = [{"system": "https://ecm-adapter.example/fhir/sid/cin", "value": "90000077A"}]
    other = [{**mine[0], "value": "90000078B"}]
    for number, one in (("1", {"identifier": mine}), ("2", {**BRUNO, "identifier": other})):
        for again in ("", "b"):
            answer = client.post(URL, json=local(number + again, **one))
            assert answer.status_code == 200
    assert (counts(store)["Patient"], counts(store)["Encounter"]) == (2, 2)
    assert len({one["subject"]["reference"] for one in store.each("Encounter")}) == 2


def test_a_number_without_a_type_names_a_stay_as_its_visit_number_does(client, store) -> None:
    """As in the examples of Da Vinci Alerts; the local id may be new each time, or a fixed one."""
    url = "urn:oid:2.999.1.7"
    mine = [{"system": "https://ecm-adapter.example/fhir/sid/cin", "value": "90000077A"}]
    for value, uid in (("7", "e1"), ("7", "e2"), ("8", "e2"), ("9", "e2")):
        made = local(value + uid, uid, identifier=mine)
        made["entry"][1]["resource"]["identifier"] = [{"system": url, "value": value}]
        assert client.post(URL, json=made).status_code == 200
    found = [one["identifier"][0]["value"] for one in store.each("Encounter")]
    assert sorted(found) == ["7", "8", "9"]


def test_a_number_of_an_account_names_no_stay(client, store) -> None:
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "AN"}]}
    mine = [{"system": "https://ecm-adapter.example/fhir/sid/cin", "value": "90000077A"}]
    for uid in ("e1", "e2"):
        made = local(uid, uid, identifier=mine)
        number = {"type": kind, "system": "urn:oid:2.999.1.7", "value": "7"}
        made["entry"][1]["resource"]["identifier"] = [number]
        assert client.post(URL, json=made).status_code == 200
    assert counts(store)["Encounter"] == 2


def test_who_is_another_record_of_another_house_is_still_our_member(client, store) -> None:
    store.put(patient() | {"id": "ours"}, notices.stamp(NOW))
    store.put(roster("90000077A"), notices.stamp(NOW))
    other = {"reference": "https://hospital.example/fhir/Patient/77"}
    link = [{"type": "replaced-by", "other": other}]
    made = changed("entry", 2, "resource", to=MESSAGE["entry"][2]["resource"] | {"link": link})
    assert client.post(URL, json=made).status_code == 200
    assert notices.derive(store, NOW, DESK) == 2


def test_somebody_like_a_member_waits_for_a_decision(client, store) -> None:
    store.put(patient(), notices.stamp(NOW))
    answer = client.post(URL, json=local("1"))
    assert (answer.status_code, slugs(answer)) == (202, {"identity-unsure"})
    (line,) = store.waiting()
    assert counts(store)["Encounter"] == 0
    known = next(store.each("Patient"))
    assert store.decide(line.unit, f"Patient/{known['id']}", "nurse", notices.stamp(NOW)).status
    assert counts(store)["Patient"] == counts(store)["Encounter"] == 1


@pytest.mark.parametrize(("uid", "status", "number"), [("c1", 422, 0), ("c2", 200, 2)])
def test_no_entry_is_lost_in_another(client, store, uid, status, number) -> None:
    more = {**MESSAGE["entry"][3]["resource"], "id": uid, "code": {"text": "cough"}}
    made = {**MESSAGE, "entry": [*MESSAGE["entry"], {"fullUrl": f"urn:uuid:{uuid4()}"}]}
    made["entry"][-1]["resource"] = more
    answer = client.post(URL, json=made)
    assert (answer.status_code, counts(store)["Condition"]) == (status, number)


def test_entries_without_any_name_are_told_apart(client, store) -> None:
    made = copy.deepcopy(MESSAGE)
    for text in ("cough", "fever"):
        more = {**MESSAGE["entry"][3]["resource"], "code": {"text": text}}
        del more["id"]
        made["entry"].append({"resource": more})
    assert client.post(URL, json=made).status_code == 200
    assert counts(store)["Condition"] == 3


ELSEWHERE = "https://other.example/fhir/Patient/9"
CIN = {"identifier": {"system": "https://ecm-adapter.example/fhir/sid/cin", "value": "90000099Z"}}


@pytest.mark.parametrize("subject", [None, {"display": "someone"}, CIN, {"reference": ELSEWHERE}])
@pytest.mark.parametrize("place", [1, 3])
def test_a_message_is_about_one_person(client, store, subject, place) -> None:
    kind = MESSAGE["entry"][place]["resource"]["resourceType"]
    answer = client.post(URL, json=changed("entry", place, "resource", "subject", to=subject))
    assert (kind, answer.status_code) == (("Encounter", "Condition")[place // 3], 422)
    (found, *_) = answer.json()["issue"]
    assert found["expression"] == [f"Bundle.entry[{place}].resource.subject"]
    assert counts(store)["Encounter"] == 0


ENTRY = ("entry", 0, "resource")


@pytest.mark.parametrize(
    ("message", "status", "slug"),
    [
        pytest.param({"resourceType": "Patient"}, 400, "resource-type", id="no Bundle"),
        pytest.param(changed("type", to="collection"), 400, "resource-type", id="no message"),
        pytest.param(changed("entry", to=[]), 422, None, id="no entries"),
        pytest.param(changed("entry", 0, to=None), 422, None, id="no header"),
        pytest.param(changed(*ENTRY, "eventCoding", "system", to="urn:x"), 422, "not-supported",
                     id="another event"),
        pytest.param(changed(*ENTRY, "eventCoding", "code", to="notification-foo"), 422,
                     "not-supported", id="a code we do not know"),
        pytest.param(changed(*ENTRY, "source", to=None), 422, None, id="no source"),
        pytest.param(changed(*ENTRY, "source", "endpoint", to="urn:uuid:1"), 200, None,
                     id="a sender by name only"),
        pytest.param(changed(*ENTRY, "focus", to=[{"reference": "urn:uuid:x"}]), 422, "reference",
                     id="another focus"),
        pytest.param(changed("entry", 2, to=None), 422, None, id="no person"),
        pytest.param(changed("entry", 4, to=None), 422, "reference", id="a place not there"),
        pytest.param(changed("entry", 1, "resource", "status", to="gone"), 422, "binding",
                     id="not a status"),
        pytest.param(changed("entry", 1, "resource", "mood", to="x"), 422, "element-unknown",
                     id="not an element"),
    ],
)  # fmt: skip
def test_what_is_not_taken(client, store, message, status, slug) -> None:
    answer = client.post(URL, json=message)
    assert answer.status_code == status
    if slug:
        assert slug in slugs(answer)
    if status != 200:
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert store.search("Encounter", [], 0).total == 0
        assert "Quillfeather" not in answer.text


UNKNOWN = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}


def test_a_sender_whose_endpoint_is_unknown_is_answered(client) -> None:
    answer = client.post(
        URL, json=changed(*ENTRY, "source", to={"name": "X", "_endpoint": UNKNOWN})
    )
    assert answer.status_code == 200
    header = answer.json()["entry"][0]["resource"]
    assert header["destination"] == [{"_endpoint": UNKNOWN}]
    assert_valid([answer.json(), header])


@pytest.mark.parametrize("source", [{"name": "Grace"}, {"name": "Grace", "endpoint": 7}, None, 7])
def test_what_is_not_valid_is_told_of_its_sender(client, store, source) -> None:
    answer = client.post(URL, json=changed(*ENTRY, "source", to=source))
    assert answer.status_code == 422
    named = isinstance(source, dict)
    assert store.ledger()[0].source.startswith("feed:grace" if named else "feed:message")


def test_never_later(client) -> None:
    assert client.post(f"{URL}?async=true", json=MESSAGE).status_code == 400


def test_it_is_in_the_capabilities(client) -> None:
    (rest,) = client.get("/fhir/metadata").json()["rest"]
    assert [row["name"] for row in rest["operation"]] == ["process-message"]
    types = {row["name"] for one in rest["resource"] for row in one["operation"]}
    assert types == {"validate", "explain", "match"}


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    rows = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in rows:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from paths(value, (*path, name))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(paths(MESSAGE), key=str)),
    st.sampled_from([None, "", "x", 7, [], {}, [{}], [None], {"reference": "Patient/1"}]),
)
def test_whatever_is_sent_is_answered(client, path, value) -> None:
    answer = client.post(URL, json=changed(*path, to=value))
    assert answer.status_code in (200, 202, 400, 422)
    assert answer.json()["resourceType"] in ("Bundle", "OperationOutcome")
