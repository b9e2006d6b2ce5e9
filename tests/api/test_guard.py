"""Who may call, what a failure of ours says, and what the log holds."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient

from adapter.api import guard
from adapter.errors import SettingError

from .conftest import BASE, make, patient
from .memory_store import MemoryStore

EVERY = "0.0.0.0"  # noqa: S104 the address that must be refused without a token
TOKEN = "invented-token-of-a-test"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"])
def test_loopback_needs_no_token(host: str) -> None:
    assert guard(host, "") is None


@pytest.mark.parametrize("host", [EVERY, "::", "", "192.0.2.1", "localhost.example", "2001:db8::1"])
def test_elsewhere_needs_one(host: str) -> None:
    for token in ("", "short"):
        with pytest.raises(SettingError, match="token"):
            guard(host, token)
    assert guard(host, TOKEN) is None


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (TOKEN, 401),
        ("Bearer tökén", 401),
        (None, 401),
    ],
)
def test_token(authorization: str | None, status: int) -> None:
    client = TestClient(make(MemoryStore(), token=TOKEN, hosts=()), base_url="http://ecm.example")
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    for url in ("/fhir/metadata", "/", "/openapi.json"):
        answer = client.get(url, headers=headers)
        assert answer.status_code == status
    assert client.get("/nowhere", headers=headers).status_code == (404 if status == 200 else 401)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8000", 200),
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:127.0.0.1", 421),
        ("127.0.0.1@evil.example", 421),
        ("[::1", 421),
        ("", 421),
        ('"><script>', 421),
    ],
)
def test_host_against_rebinding(client: TestClient, host: str, status: int) -> None:
    assert client.get("/fhir/metadata", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [(BASE, 200), ("http://127.0.0.1:9999", 403), ("https://evil.example", 403), ("null", 403)],
)
def test_web_pages_of_other_origins(client: TestClient, origin: str, status: int) -> None:
    headers = {"origin": origin, "content-type": "text/plain"}
    answer = client.post("/intake/adt?feed=m", content=b"one", headers=headers)
    assert answer.status_code == status


def test_our_fault_says_only_a_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    headers = {"content-type": "text/plain"}
    answer = client.post("/intake/adt?feed=m", content=b"BOOM", headers=headers)
    request = answer.headers["x-request-id"]
    issue = answer.json()["issue"][0]
    assert answer.status_code == 500
    assert issue["details"] == {
        "coding": [{"code": "internal"}],
        "text": f"our fault; request {request}",
    }
    assert any(request in row and "RuntimeError" in row for row in caplog.messages)
    assert "Quillfeather" not in answer.text + caplog.text


def test_log_lines_hold_no_values(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.put("/fhir/Patient/secretid", json=patient(id="secretid"))
    client.get("/fhir/Patient?name=Quillfeather")
    client.get("/fhir/Quillfeather")
    client.request("QUILLFEATHER", "/fhir/Patient")
    ours = [row.getMessage() for row in caplog.records if row.name == "adapter.api"]
    assert [row.split("ms ")[0].rsplit(" ", 1)[0] for row in ours] == [
        "PUT /fhir/{kind}/{uid} 201",
        "GET /fhir/{kind} 200",
        "GET /fhir/{kind} 404",
        "? - 405",
    ]
    assert not any(word in " ".join(ours) for word in ("Quillfeather", "secretid"))


def test_answers_are_not_kept_or_sniffed(client: TestClient) -> None:
    headers: Any = client.get("/fhir/metadata").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
