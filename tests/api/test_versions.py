"""Versions, ETags, conditional writes, and writers that race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from adapter.store.protocol import Store, Trace

from .conftest import BASE, make, patient

ID = [{"system": "urn:invented", "value": "Q-1"}]
WHERE = {"if-none-exist": "identifier=urn:invented|Q-1"}


def test_create_names_the_version(client: TestClient) -> None:
    answer = client.post("/fhir/Patient", json=patient(id="mine"))
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"] != "mine"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"].endswith(f"/fhir/Patient/{made['id']}/_history/1")
    assert answer.headers["last-modified"].startswith("Fri, 02 Jan 2026 12:00:")


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=representation", "Patient"),
        ("return=OperationOutcome", "OperationOutcome"),
        ("handling=strict; return=minimal", None),
        ("", "Patient"),
    ],
)
def test_prefer_return(client: TestClient, prefer: str, kind: str | None) -> None:
    answer = client.post("/fhir/Patient", json=patient(), headers={"prefer": prefer})
    assert answer.status_code == 201
    assert (answer.json()["resourceType"] if answer.content else None) == kind


def test_warnings_are_told_when_asked_for(client: TestClient) -> None:
    headers = {"prefer": "return=OperationOutcome"}
    answer = client.post("/fhir/Patient", json=patient(active=False), headers=headers)
    assert [row["severity"] for row in answer.json()["issue"]] == ["warning"]


def test_update_creates_replaces_and_keeps_all_versions(client: TestClient) -> None:
    first = client.put("/fhir/Patient/p", json=patient(id="p"))
    second = client.put("/fhir/Patient/p", json=patient(id="p", gender="female"))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["etag"] == 'W/"2"'
    assert "gender" not in client.get("/fhir/Patient/p/_history/1").json()
    assert client.get("/fhir/Patient/p/_history/2").json()["gender"] == "female"


def test_history_is_newest_first_with_deletions(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    client.delete("/fhir/Patient/p")
    bundle = client.get("/fhir/Patient/p/_history").json()
    methods = [entry["request"]["method"] for entry in bundle["entry"]]
    assert (bundle["type"], bundle["total"], methods) == ("history", 2, ["DELETE", "POST"])
    assert ["resource" in entry for entry in bundle["entry"]] == [False, True]


def test_deleted_comes_back_by_update(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    assert client.delete("/fhir/Patient/p").headers["etag"] == 'W/"2"'
    assert client.get("/fhir/Patient/p").status_code == 410
    assert client.put("/fhir/Patient/p", json=patient(id="p")).status_code == 201
    assert client.get("/fhir/Patient/p").headers["etag"] == 'W/"3"'


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('W/"1"', 412), ('W/"2"', 200), ('"2"', 200), ("2", 200), ("*", 200), ('W/"9"', 412),
        ("old", 400), ('W/"' + "9" * 30 + '"', 400),
    ],
)  # fmt: skip
def test_if_match(client: TestClient, tag: str, status: int) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    client.put("/fhir/Patient/p", json=patient(id="p", gender="female"))
    body, headers = patient(id="p", gender="male"), {"if-match": tag}
    assert client.put("/fhir/Patient/p", json=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 400), ({"if-match": "*"}, 400), ({"if-match": 'W/"1"'}, 200), ({"if-match": "9"}, 412)],
)
@pytest.mark.parametrize("url", ["/fhir/Patient/p", "/fhir/Patient?identifier=urn:invented|Q-1"])
def test_a_type_whose_updates_name_their_version(
    store: Store, url: str, headers: dict[str, str], status: int
) -> None:
    """What is new needs no version; nor does a type that was not named."""
    with TestClient(make(store, versioned=frozenset({"Patient"})), base_url=BASE) as client:
        made = client.put("/fhir/Patient/p", json=patient(id="p", identifier=ID))
        assert made.status_code == 201
        body = patient(id="p", identifier=ID, gender="female")
        assert client.put(url, json=body, headers=headers).status_code == status
        entry = {
            "resource": body,
            "request": {"method": "PUT", "url": url.removeprefix("/fhir/"),
                        **({"ifMatch": headers["if-match"]} if headers else {})},
        }  # fmt: skip
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        row = client.post("/fhir", json=bundle).json()["entry"][0]["response"]
        assert row["status"].startswith("412" if status == 200 else str(status))
        told = client.get("/fhir/metadata").json()["rest"][0]["resource"]
        kinds = {one["type"] for one in told if one["versioning"] == "versioned-update"}
        assert kinds == {"Patient"}


@pytest.mark.parametrize("tag", ['W/"1"', "*"])
def test_if_match_of_what_is_not_there(client: TestClient, tag: str) -> None:
    """RFC 9110 chapter 13.1.1: `*` asks for any version, and there is none."""
    headers = {"if-match": tag}
    answer = client.put("/fhir/Patient/p", json=patient(id="p"), headers=headers)
    assert answer.status_code == 412
    assert client.delete("/fhir/Patient/p", headers=headers).status_code == 412


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
def test_unchanged_is_304(client: TestClient, tag: str) -> None:
    """RFC 9110 chapter 13.1.2: the strength of a tag does not count."""
    client.put("/fhir/Patient/p", json=patient(id="p"))
    answer = client.get("/fhir/Patient/p", headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/fhir/Patient/p", headers={"if-none-match": '"2"'}).status_code == 200


@pytest.mark.parametrize(("tag", "status"), [("*", 412), ('W/"1"', 412), ('W/"2"', 200)])
@pytest.mark.parametrize("url", ["/fhir/Patient/p", "/fhir/Patient?identifier=urn:invented|Q-1"])
def test_nothing_is_written_over_what_may_not_be_there(
    client: TestClient, url: str, tag: str, status: int
) -> None:
    body, headers = patient(id="p", identifier=ID), {"if-none-match": tag}
    assert client.put(url, json=body, headers=headers).status_code == 201
    assert client.put(url, json={**body, "gender": "male"}, headers=headers).status_code == status
    client.delete("/fhir/Patient/p")
    assert client.put("/fhir/Patient/p", json=body, headers=headers).status_code == 201


def test_conditional_create(client: TestClient) -> None:
    made = client.post("/fhir/Patient", json=patient(identifier=ID), headers=WHERE)
    again = client.post("/fhir/Patient", json=patient(identifier=ID), headers=WHERE)
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == made.json()["id"]
    assert again.headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("where", "status"),
    [("name=Quill", 412), ("shoe=1", 400), ("", 412), ("_include=Patient:x", 412), ("_id=q", 201)],
)
def test_conditional_create_criteria(client: TestClient, where: str, status: int) -> None:
    client.post("/fhir/Patient", json=patient())
    client.post("/fhir/Patient", json=patient())
    answer = client.post("/fhir/Patient", json=patient(), headers={"if-none-exist": where})
    assert answer.status_code == status


def test_conditional_update(client: TestClient) -> None:
    url = "/fhir/Patient?identifier=urn:invented|Q-1"
    made = client.put(url, json=patient(identifier=ID))
    uid = made.json()["id"]
    changed = client.put(url, json=patient(identifier=ID, gender="other"))
    same_id = client.put(url, json=patient(id=uid, identifier=ID, gender="male"))
    other_id = client.put(url, json=patient(id="else", identifier=ID))
    statuses = [row.status_code for row in (made, changed, same_id, other_id)]
    assert statuses == [201, 200, 200, 400]
    assert client.get(f"/fhir/Patient/{uid}").json()["gender"] == "male"


def test_conditional_update_with_many_or_a_new_id(client: TestClient) -> None:
    client.post("/fhir/Patient", json=patient())
    client.post("/fhir/Patient", json=patient())
    assert client.put("/fhir/Patient?name=Quill", json=patient()).status_code == 412
    answer = client.put("/fhir/Patient?name=Zob", json=patient(id="new"))
    assert (answer.status_code, answer.json()["id"]) == (201, "new")


def test_identifier_of_another_is_409(client: TestClient) -> None:
    client.post("/fhir/Patient", json=patient(identifier=ID))
    assert client.post("/fhir/Patient", json=patient(identifier=ID)).status_code == 409
    answer = client.put("/fhir/Patient/p", json=patient(id="p", identifier=ID))
    assert answer.status_code == 409


def test_of_two_writers_one_gets_412(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))

    def write(gender: str) -> int:
        body, headers = patient(id="p", gender=gender), {"if-match": 'W/"1"'}
        return client.put("/fhir/Patient/p", json=body, headers=headers).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, ["female", "male"])) == [200, 412]


def test_parallel_conditional_creates_make_one(client: TestClient) -> None:
    def create(_: int) -> Any:
        return client.post("/fhir/Patient", json=patient(identifier=ID), headers=WHERE)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(16)))
    assert sorted(row.status_code for row in answers) == [200] * 15 + [201]
    assert len({row.json()["id"] for row in answers}) == 1


def test_parallel_creates_with_one_identifier_make_one(client: TestClient) -> None:
    def create(_: int) -> int:
        return client.post("/fhir/Patient", json=patient(identifier=ID)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [201] + [409] * 7


@pytest.mark.parametrize(
    ("body", "severities"),
    [
        (patient(), ["information"]),
        (patient(gender="F"), ["error"]),
        (patient(active=False), ["warning"]),
        ({"resourceType": "Task", "status": "requested"}, ["error"]),
        ({"resourceType": "Parameters", "parameter": [
            {"name": "mode", "valueCode": "create"},
            {"name": "resource", "resource": patient(gender="F")}]}, ["error"]),
        ({"resourceType": "Parameters", "parameter": [
            {"name": "profile", "valueUri": "urn:x"},
            {"name": "resource", "resource": patient()}]}, ["warning"]),
    ],
)  # fmt: skip
def test_validate_answers_200(client: TestClient, body: Any, severities: list[str]) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    for url in ("/fhir/Patient/$validate", "/fhir/Patient/p/$validate"):
        answer = client.post(url, json=body)
        assert answer.status_code == 200
        assert [row["severity"] for row in answer.json()["issue"]] == severities
    assert client.get("/fhir/Patient").json()["total"] == 1


def test_explain_tells_where_values_came_from(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    answer = client.get("/fhir/Patient/p/$explain").json()
    assert answer["resourceType"] == "Parameters"
    row = Trace("name", "plan:sunrise", 4, "members.csv", 12, "Last Name", "2026-01-01T00:00:00Z")
    monkeypatch.setattr(store, "trace", lambda kind, uid: [row])
    parts = client.get("/fhir/Patient/p/$explain").json()["parameter"][0]["part"]
    told = {part["name"]: part.get("valueString", part.get("valueInteger")) for part in parts}
    assert told == {
        "element": "name",
        "source": "plan:sunrise",
        "file": "members.csv",
        "field": "Last Name",
        "asOf": "2026-01-01T00:00:00Z",
        "unit": 4,
        "line": 12,
    }
