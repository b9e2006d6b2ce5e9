"""HL7 v2 by HTTPS POST: the acknowledgement is the answer, of a batch a batch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from adapter.api import ApiSettings, app
from adapter.errors import StoreError
from adapter.pipeline import Pipeline
from tests.transport.conftest import fields, message

HL7 = {"content-type": "application/hl7-v2"}


@pytest.fixture
def client(house: Pipeline) -> Iterator[TestClient]:
    made = app(house.store, house, ApiSettings(), house.clock, lambda: "n1")
    with TestClient(made, base_url="http://127.0.0.1:8000") as found:
        yield found


@pytest.mark.parametrize(
    ("sent", "accept", "hl7"),
    [
        ("application/hl7-v2", None, True),
        ("application/hl7-v2; charset=utf-8", "*/*", True),
        ("x-application/hl7-v2+er7", None, True),
        ("application/hl7-v2", "application/hl7-v2", True),
        ("text/plain", "application/json, application/hl7-v2;q=0.5", True),
        ("application/hl7-v2", "application/json", False),
        ("text/plain", "*/*", False),
        ("application/octet-stream", None, False),
    ],
)
def test_which_answer(client: TestClient, sent: str, accept: str | None, hl7: bool) -> None:
    headers = {"content-type": sent, "accept": accept or ""}
    answer = client.post("/intake/adt?feed=default", content=message(1), headers=headers)
    assert answer.status_code == 200
    if hl7:
        assert answer.headers["content-type"] == "application/hl7-v2"
        assert fields(answer.content)["MSA"][1:3] == ["AA", "M000001"]
    else:
        assert answer.json()["type"] == "batch-response"


@pytest.mark.parametrize(
    ("raw", "status", "codes"),
    [
        (message(1), 200, ["AA"]),
        (message(1) + message(1, "A77"), 200, ["AA", "AR"]),
        (message(1, "A77"), 422, ["AR"]),
        (message(1, msh="T|2.5.1"), 422, ["AR"]),
        (b"nothing", 422, ["AR"]),
        (b"", 422, ["AR"]),
        (b"BHS|^~\\&\r" + message(1) + b"BTS|1", 200, ["AA"]),
    ],
)
def test_status_and_codes(client: TestClient, raw: bytes, status: int, codes: list[str]) -> None:
    answer = client.post("/intake/adt", content=raw, headers=HL7)
    rows = [row.split("|") for row in answer.text.split("\r")]
    assert answer.status_code == status
    assert [row[1] for row in rows if row[0] == "MSA"] == codes
    assert (rows[0][0] == "BHS") == raw.startswith(b"BHS")


@pytest.mark.parametrize(
    ("fault", "status"), [(StoreError("locked"), 503), (RuntimeError("QUILLFEATHER"), 500)]
)
def test_trouble_is_answered_ae(
    client: TestClient,
    house: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    status: int,
) -> None:
    """Whatever it is: a sender of HL7 v2 reads nothing else."""

    def broken(*_: object) -> None:
        raise fault

    monkeypatch.setattr(house.store, "commit_all", broken)
    answer = client.post("/intake/adt", content=message(1), headers=HL7)
    assert answer.status_code == status
    assert fields(answer.content)["MSA"][1:3] == ["AE", "M000001"]
    assert type(fault).__name__ in caplog.text or "locked" in caplog.text
    assert "QUILL" not in caplog.text


@pytest.mark.parametrize("query", ["feed=../x", "name=a/b"])
def test_names_are_plain(client: TestClient, query: str) -> None:
    answer = client.post(f"/intake/adt?{query}", content=message(1), headers=HL7)
    assert answer.status_code == 400


def test_an_unknown_feed_is_refused(client: TestClient) -> None:
    answer = client.post("/intake/adt?feed=nobody", content=message(1), headers=HL7)
    assert answer.status_code == 422
    assert fields(answer.content)["MSA"][1] == "AR"
