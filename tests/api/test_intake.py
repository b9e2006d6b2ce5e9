"""Posting files: each unit's outcome, the limits while reading, and what is refused unread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from .conftest import BASE, make, patient
from .memory_store import MemoryStore

TEXT = {"content-type": "text/plain"}


@pytest.fixture
def small() -> Iterator[TestClient]:
    """A client of a server that takes 1000 bytes of intake and 500 of FHIR."""
    with TestClient(make(MemoryStore(), max_body=1000, max_resource=500), base_url=BASE) as made:
        yield made


@pytest.mark.parametrize("url", ["mif?plan=sunrise", "adt?feed=mercy", "referral?form=county"])
def test_each_unit_has_its_entry(client: TestClient, url: str) -> None:
    answer = client.post(f"/intake/{url}&name=f.txt", content=b"one\nBAD\none", headers=TEXT)
    bundle = answer.json()
    told = [(row["id"], row["response"]["status"]) for row in bundle["entry"]]
    assert (answer.status_code, bundle["type"]) == (200, "batch-response")
    assert told == [
        ("line-1", "201 stored"),
        ("line-2", "422 refused"),
        ("line-3", "200 duplicate"),
    ]
    assert bundle["entry"][0]["response"]["location"] == "Patient/a"
    issue = bundle["entry"][1]["response"]["outcome"]["issue"][0]
    assert issue["diagnostics"] == "f.txt:2"
    assert "SECRET-KEY" not in answer.text


def test_the_same_body_has_the_same_name(client: TestClient) -> None:
    answers = [client.post("/intake/adt?feed=m", content=b"BAD", headers=TEXT) for _ in "ab"]
    assert answers[0].content == answers[1].content
    assert "adt-" in answers[0].text


@pytest.mark.parametrize(
    ("url", "body", "headers", "status", "slug"),
    [
        ("mif", b"x", TEXT, 400, "required"),
        ("mif?plan=", b"x", TEXT, 400, "required"),
        ("mif?plan=../etc", b"x", TEXT, 400, "required"),
        ("mif?plan=a%00", b"x", TEXT, 400, "required"),
        ("adt?feed=../etc", b"x", TEXT, 400, "required"),
        ("mif?plan=a&name=a/b", b"x", TEXT, 400, "value-format"),
        ("adt?Feed=a", b"x", TEXT, 400, "search"),
        ("adt?feed=a&zone=b", b"x", {"content-type": "application/hl7-v2"}, 400, "search"),
        ("mif?plan=a&form=b", b"x", TEXT, 400, "search"),
        ("mif?plan=a", b"", TEXT, 422, "file-empty"),
        ("mif?plan=a", b"x", {}, 415, "not-supported"),
        ("mif?plan=a", b"x", {"content-type": "multipart/form-data"}, 415, "not-supported"),
        ("adt?feed=a", b"x", {"content-type": "text/csv"}, 415, "not-supported"),
        ("mif?plan=a", b"x", {**TEXT, "content-encoding": "gzip"}, 415, "not-supported"),
        ("adt", b"x", {**TEXT, "content-encoding": "br, identity"}, 415, "not-supported"),
        ("nothing?plan=a", b"x", TEXT, 404, "not-found"),
    ],
)
def test_refused_unread(
    client: TestClient, url: str, body: bytes, headers: Any, status: int, slug: str
) -> None:
    answer = client.post(f"/intake/{url}", content=body, headers=headers)
    outcome = answer.json()
    assert answer.status_code == status
    assert outcome["issue"][0]["details"]["coding"][0]["code"] == slug


@pytest.mark.parametrize("coding", ["identity", "", "Identity "])
def test_a_body_as_it_is(client: TestClient, coding: str) -> None:
    """A message in plain text needs no `feed`: its sender tells."""
    headers = {**TEXT, "content-encoding": coding}
    assert client.post("/intake/adt", content=b"one", headers=headers).status_code == 200
    assert client.put("/fhir/Patient/p", json=patient(id="p")).status_code == 201
    answer = client.put(
        "/fhir/Patient/p", json=patient(id="p"), headers={"content-encoding": "gzip"}
    )
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


def test_nothing_taken_is_422(client: TestClient) -> None:
    answer = client.post("/intake/adt?feed=m", content=b"BAD\nBAD", headers=TEXT)
    assert (answer.status_code, len(answer.json()["entry"])) == (422, 2)


def test_no_unit_is_422(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.api.conftest.StubIntake._lines", lambda *_: iter(()), raising=False)
    answer = client.post("/intake/adt?feed=m", content=b"", headers=TEXT)
    assert answer.status_code == 422


@pytest.mark.parametrize("accept", ["application/json", "application/fhir+json", "text/html"])
def test_report_is_json_whatever_is_asked(client: TestClient, accept: str) -> None:
    headers = {"content-type": "application/hl7-v2", "accept": accept}
    answer = client.post("/intake/adt?feed=m", content=b"one", headers=headers)
    assert answer.json()["type"] == "batch-response"


@pytest.mark.parametrize(
    ("method", "url", "size", "status"),
    [
        ("POST", "/intake/mif?plan=a", 1000, 200),
        ("POST", "/intake/mif?plan=a", 1001, 413),
        ("POST", "/fhir/Patient", 501, 413),
        ("PUT", "/fhir/Patient/a", 501, 413),
        ("POST", "/fhir/Patient/_search", 501, 413),
        ("POST", "/fhir", 501, 413),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_size_limit(
    small: TestClient, method: str, url: str, size: int, status: int, chunked: bool
) -> None:
    body: Any = (b"x" for _ in range(size)) if chunked else b"x" * size
    answer = small.request(method, url, content=body, headers=TEXT)
    assert answer.status_code == status
    kinds = {413: "OperationOutcome", 200: "Bundle"}
    assert answer.json()["resourceType"] == kinds[status]


def test_reading_stops_at_the_limit() -> None:
    received, sent = [], []

    async def receive() -> dict[str, Any]:
        received.append(100)
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"text/plain")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/intake/mif",
        "query_string": b"plan=a",
        "headers": headers,
    }
    asyncio.run(make(MemoryStore(), max_body=1000)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert sum(received) == 1100
