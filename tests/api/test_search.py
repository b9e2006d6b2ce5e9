"""Searching: what matches, pages, includes, strict and lenient handling, and the form body."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from .conftest import BASE, patient


@pytest.fixture
def people(client: TestClient) -> TestClient:
    """A client of a store with five people and a referral task of the first."""
    for number, family in enumerate(["Alder", "Beech", "Cedar", "Cypress", "Dogwood"], 1):
        identifier = [{"system": "urn:invented", "value": f"Q-{number}"}]
        name = [{"family": family}]
        body = patient(id=f"p{number}", identifier=identifier, name=name)
        client.put(f"/fhir/Patient/p{number}", json=body)
    task = {"resourceType": "Task", "id": "t1", "status": "requested", "intent": "order"}
    client.put("/fhir/Task/t1", json={**task, "for": {"reference": "Patient/p1"}})
    return client


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["p1", "p2", "p3", "p4", "p5"]),
        ("_id=p2", ["p2"]),
        ("identifier=urn:invented|Q-3", ["p3"]),
        ("identifier=Q-3", ["p3"]),
        ("identifier=urn:other|Q-3", []),
        ("name=c", ["p3", "p4"]),
        ("name=c&birthdate=1990-02-03", ["p3", "p4"]),
        ("birthdate=1991-02-03", []),
    ],
)
def test_search_by_get_and_by_form(people: TestClient, query: str, ids: list[str]) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    got = people.get(f"/fhir/Patient?{query}").json()
    posted = people.post("/fhir/Patient/_search", content=query, headers=form).json()
    assert found(got) == found(posted) == ids
    assert got["total"] == posted["total"] == len(ids)
    assert (got["resourceType"], got["type"]) == ("Bundle", "searchset")


def test_an_empty_result_has_no_entry(people: TestClient) -> None:
    assert "entry" not in people.get("/fhir/Patient?_id=nobody").json()


def test_entries_say_where_they_are_and_why(people: TestClient) -> None:
    entries = people.get("/fhir/Task?status=requested&_include=Task:patient").json()["entry"]
    told = [(entry["fullUrl"], entry["search"]["mode"]) for entry in entries]
    assert told == [(f"{BASE}/fhir/Task/t1", "match"), (f"{BASE}/fhir/Patient/p1", "include")]


def test_next_links_lead_through_all(people: TestClient) -> None:
    url, seen = "/fhir/Patient?birthdate=1990&_count=2", []
    while url:
        page = people.get(url).json()
        assert page["total"] == 5
        seen.append(found(page))
        url = link(page, "next")
    assert seen == [["p1", "p2"], ["p3", "p4"], ["p5"]]


@pytest.mark.parametrize("query", ["_count=0", "_summary=count"])
def test_count_only(people: TestClient, query: str) -> None:
    page = people.get(f"/fhir/Patient?{query}").json()
    assert page["total"] == 5
    assert "entry" not in page
    assert link(page, "next") == ""


def test_self_link_shows_what_was_used(people: TestClient) -> None:
    lenient = {"prefer": "handling=lenient"}
    page = people.get("/fhir/Patient?shoe=1&name=c&given=&_format=json", headers=lenient).json()
    assert found(page) == ["p3", "p4"]
    assert link(page, "self") == f"{BASE}/fhir/Patient?name=c"


@pytest.mark.parametrize("name", ["name", "_id", "identifier"])
def test_so_many_alternatives_at_most(people: TestClient, name: str) -> None:
    """More of them than a database takes in one statement is the caller's fault, not ours."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    for count, status in ((200, 200), (201, 400), (40_000, 400)):
        asked = f"{name}=" + ",".join(["p1"] * count)
        answer = people.post("/fhir/Patient/_search", content=asked, headers=form)
        assert answer.status_code == status
    assert answer.json()["issue"][0]["code"] == "too-costly"
    split = "&".join([f"{name}=" + ",".join(["p1"] * 101)] * 2)
    assert people.get(f"/fhir/Patient?{split}").status_code == 400


def test_strict_is_the_default(people: TestClient) -> None:
    strict = {"prefer": "handling=strict"}
    assert people.get("/fhir/Patient?shoe=1").status_code == 400
    assert people.get("/fhir/Patient?shoe=1", headers=strict).status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"name=c", "application/json", 415),
        (b"name=c", "", 415),
        (b"name=%ff", "application/x-www-form-urlencoded; charset=utf-8", 200),
        (b"name=\xff", "application/x-www-form-urlencoded", 400),
        (b"", "", 200),
    ],
)
def test_search_body(people: TestClient, body: bytes, content_type: str, status: int) -> None:
    headers = {"content-type": content_type}
    answer = people.post("/fhir/Patient/_search", content=body, headers=headers)
    assert answer.status_code == status


def test_capabilities_come_from_the_tables(client: TestClient) -> None:
    statement = client.get("/fhir/metadata").json()
    rest = statement["rest"][0]
    patient_row = next(row for row in rest["resource"] if row["type"] == "Patient")
    codes = {row["code"] for row in patient_row["interaction"]}
    assert statement["fhirVersion"] == "4.0.1"
    assert {row["code"] for row in rest["interaction"]} == {"transaction", "batch"}
    wanted = {"read", "vread", "update", "delete", "history-instance", "create", "search-type"}
    assert codes == wanted
    operations = {row["name"] for row in patient_row["operation"]}
    assert operations == {"validate", "explain", "match"}
    assert patient_row["updateCreate"] is True


def test_every_parameter_that_is_declared_is_known(client: TestClient) -> None:
    statement = client.get("/fhir/metadata").json()
    rows = statement["rest"][0]["resource"]
    asked = [(row["type"], param["name"]) for row in rows for param in row["searchParam"]]
    answers = {pair: client.get(f"/fhir/{pair[0]}?{pair[1]}=").status_code for pair in asked}
    assert len(answers) > 200
    assert {pair for pair, status in answers.items() if status != 200} == set()


def found(page: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in page.get("entry", [])]


def link(page: dict[str, Any], relation: str) -> str:
    urls = [row["url"] for row in page["link"] if row["relation"] == relation]
    return urls[0] if urls and relation == "self" else _relative(urls)


def _relative(urls: list[str]) -> str:
    parts = urlsplit(urls[0]) if urls else None
    return f"{parts.path}?{parts.query}" if parts else ""
