"""Each request of a table gets its status, and each failure an OperationOutcome with its slug."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from .conftest import patient

FHIR = {"content-type": "application/fhir+json"}
PATIENT = '{"resourceType":"Patient"'
DONE = '{"resourceType":"Task","id":"t","status":"completed"}'


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    """A client of a store that holds Patient/one (two versions), Patient/gone and Task/t."""
    person = patient(id="one", identifier=[{"system": "urn:x", "value": "1"}])
    task = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}
    client.put("/fhir/Patient/one", json=person)
    client.put("/fhir/Patient/one", json={**person, "gender": "female"})
    client.put("/fhir/Patient/gone", json=patient(id="gone"))
    client.delete("/fhir/Patient/gone")
    client.put("/fhir/Task/t", json={**task, "for": {"reference": "Patient/one"}})
    return client


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/fhir/metadata", 200),
        ("HEAD", "/fhir/metadata", 200),
        ("GET", "/fhir/Patient/one", 200),
        ("HEAD", "/fhir/Patient/one", 200),
        ("GET", "/fhir/Patient/one/_history", 200),
        ("GET", "/fhir/Patient/one/_history/1", 200),
        ("GET", "/fhir/Patient/gone/_history", 200),
        ("GET", "/fhir/Patient/gone/_history/1", 200),
        ("GET", "/fhir/Patient", 200),
        ("GET", "/fhir/Patient?_id=one&_count=5&_format=json&_pretty=true", 200),
        ("GET", "/fhir/Patient?name=", 200),
        ("POST", "/fhir/Patient/_search", 200),
        ("GET", "/fhir/Patient/one/$validate", 200),
        ("GET", "/fhir/Patient/one/$explain", 200),
        ("DELETE", "/fhir/Patient/gone", 204),
        ("DELETE", "/fhir/Patient/never", 204),
        ("DELETE", "/fhir/Patient/one", 204),
    ],
)
def test_request_is_answered(stored: TestClient, method: str, url: str, status: int) -> None:
    assert stored.request(method, url).status_code == status


@pytest.mark.parametrize(
    ("method", "url", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/fhir", 405, "not-supported"),
        ("PATCH", "/fhir/Patient/one", 405, "not-supported"),
        ("DELETE", "/fhir/Patient", 405, "not-supported"),
        ("GET", "/intake/mif", 405, "not-supported"),
        ("GET", "/docs", 404, "not-found"),
        ("GET", "/fhir/Bicycle/1", 404, "resource-type"),
        ("GET", "/fhir/Bicycle", 404, "resource-type"),
        ("GET", "/fhir/Patient/none", 404, "not-found"),
        ("GET", "/fhir/Patient/not an id", 404, "not-found"),
        ("GET", "/fhir/Patient/" + "x" * 65, 404, "not-found"),
        ("GET", "/fhir/Patient/gone", 410, "gone"),
        ("GET", "/fhir/Patient/gone/$explain", 410, "gone"),
        ("GET", "/fhir/Patient/gone/_history/2", 410, "gone"),
        ("GET", "/fhir/Patient/none/_history", 404, "not-found"),
        ("GET", "/fhir/Patient/one/_history/3", 404, "not-found"),
        ("GET", "/fhir/Patient/one/_history/0", 404, "not-found"),
        ("GET", "/fhir/Patient/one/_history/-1", 404, "not-found"),
        ("GET", "/fhir/Patient/one/_history/abc", 404, "not-found"),
        ("GET", "/fhir/Patient/one/_history/" + "9" * 40, 404, "not-found"),
        ("GET", "/fhir/Patient/none/$explain", 404, "not-found"),
        ("GET", "/fhir/Patient/none/$validate", 404, "not-found"),
        ("GET", "/fhir/Patient?nonsense=1", 400, "search"),
        ("GET", "/fhir/Patient?birthdate=soon", 400, "search"),
        ("GET", "/fhir/Patient?_count=many", 400, "search"),
        ("GET", "/fhir/Patient?_count=-1", 400, "search"),
        ("GET", "/fhir/Patient?_summary=true", 400, "search"),
        ("GET", "/fhir/Patient?_cursor=else/where", 400, "search"),
        ("GET", "/fhir/Patient?" + "name=a&" * 51, 400, "too-costly"),
        ("GET", "/fhir/Patient/one?_format=turtle", 406, "not-supported"),
        ("POST", "/fhir/Patient", 400, "resource-structure"),
        ("POST", "/fhir", 400, "resource-structure"),
        ("POST", "/fhir/Patient/$validate", 400, "resource-structure"),
        ("PUT", "/fhir/Patient/one", 400, "resource-structure"),
        ("PUT", "/fhir/Patient/not an id", 400, "resource-structure"),
        ("PUT", "/fhir/Patient?identifier=1", 400, "resource-structure"),
    ],
)
def test_refusal_is_an_outcome(
    stored: TestClient, method: str, url: str, status: int, detail: str
) -> None:
    answer = stored.request(method, url)
    assert (answer.status_code, slug(answer)) == (status, detail)


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "detail"),
    [
        ("POST", "/fhir/Patient", "{", 400, "resource-structure"),
        ("POST", "/fhir/Patient", "[]", 400, "resource-structure"),
        ("POST", "/fhir/Patient", "null", 400, "resource-structure"),
        ("POST", "/fhir/Patient", '"Patient"', 400, "resource-structure"),
        ("POST", "/fhir/Patient", '{"resourceType": 1}', 400, "resource-structure"),
        ("POST", "/fhir/Patient", '{"resourceType": "Task"}', 400, "resource-type"),
        ("POST", "/fhir/Patient", PATIENT + ',"gender":"F"}', 422, "binding"),
        ("POST", "/fhir/Patient", PATIENT + ',"id":"a\\u0000"}', 400, "value-format"),
        ("POST", "/fhir/Patient", PATIENT + ',"id":"\\ud800"}', 400, "resource-structure"),
        ("POST", "/fhir/Patient", '{"a":' * 70 + "1" + "}" * 70, 400, "resource-structure"),
        ("POST", "/fhir/Patient", "[" * 5000, 400, "resource-structure"),
        ("POST", "/fhir/Patient", b"\xff\xfe{}", 400, "resource-structure"),
        ("PUT", "/fhir/Patient/one", PATIENT + "}", 400, "resource-structure"),
        ("PUT", "/fhir/Patient/one", PATIENT + ',"id":"two"}', 400, "resource-structure"),
        ("PUT", "/fhir/Task/t", DONE, 422, "transition"),
        ("PUT", "/fhir/Patient", PATIENT + "}", 412, "search"),
        ("PUT", "/fhir/Patient?_count=1", PATIENT + "}", 412, "search"),
        ("PUT", "/fhir/Patient?shoe=1", PATIENT + "}", 400, "search"),
        ("POST", "/fhir/Patient/$validate", '{"resourceType":"Parameters"}', 400, "required"),
        ("POST", "/fhir/Patient/$validate", '{"resourceType":"Parameters","parameter":5}',
         400, "required"),
        ("POST", "/fhir/Patient/$validate",
         '{"resourceType":"Parameters","parameter":[{"name":["resource"]}]}', 400, "required"),
        ("POST", "/fhir", '{"resourceType":"Patient"}', 400, "resource-type"),
        ("POST", "/fhir", '{"resourceType":"Bundle","type":"message"}', 400, "resource-type"),
        ("POST", "/fhir", '{"resourceType":"Bundle","type":"batch","entry":{}}', 400, "too-costly"),
    ],
)  # fmt: skip
def test_body_is_refused(
    stored: TestClient, method: str, url: str, body: Any, status: int, detail: str
) -> None:
    answer = stored.request(method, url, content=body, headers=FHIR)
    assert (answer.status_code, slug(answer)) == (status, detail)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/fhir+json; charset=utf-16"}, 415),
        ({"content-type": "application/fhir+json; fhirVersion=3.0"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/fhir+json; charset=UTF-8; fhirVersion=4.0"}, 201),
        ({"content-type": "Application/JSON"}, 201),
    ],
)
def test_content_type(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.post("/fhir/Patient", content=json.dumps(patient()), headers=headers)
    assert answer.status_code == status


def test_405_names_the_methods(client: TestClient) -> None:
    answer = client.patch("/fhir/Patient/one")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"


def test_refusals_repeat_no_value(client: TestClient) -> None:
    secret = "Zanzibarella"
    asked = [
        client.get(f"/fhir/Patient?{secret}=1"),
        client.get(f"/fhir/Patient?_count={secret}"),
        client.get(f"/fhir/{secret}/1"),
        client.get(f"/{secret}"),
        client.post("/fhir/Patient", content=f'{{"{secret}": ', headers=FHIR),
        client.post("/fhir/Patient", json={"resourceType": "Patient", "gender": secret}),
        client.post("/fhir/Patient", json={"resourceType": "Patient", secret + " x": "\x01"}),
        client.get("/fhir/Patient", headers={"accept": secret}),
    ]
    assert [answer.status_code < 400 for answer in asked] == [False] * len(asked)
    assert [secret in answer.text for answer in asked] == [False] * len(asked)


def slug(answer: Any) -> str:
    """The first issue's slug, once the whole is seen to be an OperationOutcome."""
    outcome = answer.json()
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert outcome["resourceType"] == "OperationOutcome"
    code: str = outcome["issue"][0]["details"]["coding"][0]["code"]
    return code
