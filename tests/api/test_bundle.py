"""Transaction (all or nothing) and batch (each on its own) at the base."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from .conftest import patient

ID = [{"system": "urn:invented", "value": "Q-1"}]
WHERE = "identifier=urn:invented|Q-1"


def entry(method: str, url: str, resource: Any = None, **more: Any) -> dict[str, Any]:
    """One entry; keywords are further parts of `request`, `fullUrl` of the entry."""
    full_url = more.pop("fullUrl", None)
    made: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    made |= {} if resource is None else {"resource": resource}
    return made | ({} if full_url is None else {"fullUrl": full_url})


def send(client: TestClient, kind: str, *entries: Any, url: str = "/fhir") -> Any:
    """Post a Bundle."""
    return client.post(url, json={"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def statuses(answer: Any) -> list[str]:
    return [row["response"]["status"] for row in answer.json()["entry"]]


def task(reference: str) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "requested", "for": {"reference": reference}}


def test_references_inside_become_literal(client: TestClient) -> None:
    answer = send(
        client,
        "transaction",
        entry("POST", "Task", task("urn:uuid:1")),
        entry("PUT", f"Patient?{WHERE}", patient(identifier=ID), fullUrl="urn:uuid:1"),
        url="/fhir/",
    )
    assert answer.json()["type"] == "transaction-response"
    assert statuses(answer) == ["201", "201"]
    target = answer.json()["entry"][0]["resource"]["for"]["reference"]
    assert client.get(f"/fhir/{target}").status_code == 200
    assert answer.json()["entry"][1]["response"]["etag"] == 'W/"1"'


def test_again_changes_the_same_resource(client: TestClient) -> None:
    update = entry("PUT", f"Patient?{WHERE}", patient(identifier=ID))
    assert statuses(send(client, "transaction", update)) == ["201"]
    assert statuses(send(client, "transaction", update)) == ["200"]
    assert client.get("/fhir/Patient").json()["total"] == 1


def test_if_none_exist_links_to_what_is_there(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p", identifier=ID))
    made = entry("POST", "Patient", patient(identifier=ID), ifNoneExist=WHERE, fullUrl="urn:uuid:1")
    answer = send(client, "transaction", made, entry("POST", "Task", task("urn:uuid:1")))
    assert statuses(answer) == ["200", "201"]
    assert answer.json()["entry"][1]["resource"]["for"]["reference"] == "Patient/p"
    where = answer.json()["entry"][0]["response"]["location"]
    assert where.endswith("/fhir/Patient/p/_history/1")


@pytest.mark.parametrize(
    "pair",
    [
        [entry("POST", "Task", task("urn:uuid:1"), ifNoneExist="status=requested")] * 2,
        [entry("PUT", "Task?status=requested", task("urn:uuid:1"))] * 2,
        [
            entry("POST", "Patient", patient(), fullUrl="urn:uuid:2"),
            entry("POST", "Patient", patient(gender="male"), fullUrl="urn:uuid:2"),
        ],
    ],
    ids=["create", "update", "fullUrl"],
)
def test_one_thing_stands_once_in_a_transaction(client: TestClient, pair: list[Any]) -> None:
    """Twice the same criteria made two, and a fullUrl of two led to the last (bdl-7)."""
    answer = send(client, "transaction", *pair)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    totals = [client.get(f"/fhir/{kind}").json()["total"] for kind in ("Patient", "Task")]
    assert totals == [0, 0]


def test_conditional_reference(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p", identifier=ID))
    answer = send(client, "transaction", entry("POST", "Task", task(f"Patient?{WHERE}")))
    assert answer.json()["entry"][0]["resource"]["for"]["reference"] == "Patient/p"
    missing = send(client, "transaction", entry("POST", "Task", task("Patient?identifier=none")))
    assert missing.status_code == 412


def test_order_is_delete_post_put_get(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    answer = send(
        client,
        "transaction",
        entry("GET", "Patient?name=Quill"),
        entry("PUT", "Patient/q", patient(id="q")),
        entry("POST", "Patient", patient(identifier=ID)),
        entry("DELETE", "Patient/p"),
    )
    assert statuses(answer) == ["200", "201", "201", "204"]
    assert answer.json()["entry"][0]["resource"]["total"] == 2


@pytest.mark.parametrize(
    ("bad", "status", "path"),
    [
        (entry("POST", "Patient", patient(gender="F")), 422, "Bundle.entry[1].resource.gender"),
        (entry("PUT", "Patient/a", patient(id="b")), 400, "Bundle.entry[1].resource"),
        (entry("PUT", "Patient/a", patient(id="a"), ifMatch='W/"4"'), 412, "Bundle.entry[1]"),
        (entry("GET", "Patient/none"), 404, "Bundle.entry[1]"),
        (entry("GET", "Patient?shoe=1"), 400, "Bundle.entry[1]"),
        (entry("PUT", "Patient/good", patient(id="good")), 400, "Bundle.entry[1]"),
        (entry("POST", "Bicycle", patient()), 400, "Bundle.entry[1]"),
        (entry("POST", "", patient()), 400, "Bundle.entry[1]"),
        (entry("PATCH", "Patient/a", patient()), 400, "Bundle.entry[1]"),
        (entry("POST", "Patient", "text"), 400, "Bundle.entry[1]"),
        (entry("POST", "Patient"), 400, "Bundle.entry[1]"),
        ({"resource": patient()}, 400, "Bundle.entry[1]"),
        ("text", 400, "Bundle.entry[1]"),
        ({"request": {"method": ["PUT"], "url": "Patient/a"}}, 400, "Bundle.entry[1]"),
    ],
)
def test_transaction_fails_whole(client: TestClient, bad: Any, status: int, path: str) -> None:
    good = entry("PUT", "Patient/good", patient(id="good"))
    answer = send(client, "transaction", good, bad)
    assert answer.status_code == status
    assert answer.json()["issue"][0]["expression"][0].startswith(path)
    assert client.get("/fhir/Patient/good").status_code == 404


def test_conditional_with_many_matches_fails(client: TestClient) -> None:
    send(client, "batch", entry("POST", "Patient", patient()), entry("POST", "Patient", patient()))
    answer = send(client, "transaction", entry("PUT", "Patient?name=Quill", patient()))
    assert answer.status_code == 412


def test_batch_goes_on_after_a_failure(client: TestClient) -> None:
    answer = send(
        client,
        "batch",
        entry("POST", "Patient", patient(gender="F")),
        "text",
        entry("PUT", "/Patient/a", patient(id="a")),
        entry("GET", "http://127.0.0.1:8000/fhir/Patient/a"),
        entry("GET", "metadata"),
        entry("DELETE", "Patient/a"),
    )
    assert answer.json()["type"] == "batch-response"
    assert statuses(answer) == ["422", "400", "201", "200", "200", "204"]
    assert answer.json()["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("path", ["Patient/%00", "Patient/a%20b/_history"])
def test_what_is_no_id_names_nothing(client: TestClient, path: str) -> None:
    """PostgreSQL takes no NUL: what stands before it in a batch must not be answered 503 for it."""
    answer = send(client, "batch", entry("PUT", "Patient/a", patient(id="a")), entry("GET", path))
    assert statuses(answer) == ["201", "404"]
    text = answer.json()["entry"][1]["response"]["outcome"]["issue"][0]["details"]["text"]
    assert text == "not a FHIR id"
    assert send(client, "transaction", entry("GET", path)).status_code == 404


def test_empty_and_huge(client: TestClient) -> None:
    assert send(client, "transaction").json() == {
        "resourceType": "Bundle",
        "type": "transaction-response",
    }
    huge = [entry("GET", "metadata")] * 2001
    assert send(client, "batch", *huge).status_code == 400
