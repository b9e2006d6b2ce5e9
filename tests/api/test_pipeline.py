"""The API with the real checks, loads and store: files in, a referral's state, a Bundle twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from adapter import validation
from adapter.api import ApiSettings, app
from adapter.console import landing
from adapter.pipeline import Pipeline
from adapter.store import SqlStore
from adapter.store import open as open_store

from .conftest import BASE, clock, patient

BYTES = {"content-type": "application/octet-stream"}
POSTS = [
    ("mif?plan=sunrise", "mif/sunrise-csv"),
    ("adt?feed=default", "hl7v2/a01-inpatient"),
    ("referral?form=sacramento", "referral/adult"),
]

RETURNS = [
    ("rtf?plan=canonical", "returns/canonical-rtf"),
    ("otf?plan=kern", "returns/kern-outreach"),
]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[TestClient]:
    """A client of the API as `serve` puts it together, over an empty SQLite database."""
    store: SqlStore = open_store(f"sqlite:///{tmp_path / 'live.sqlite'}")
    now = clock()
    settings = ApiSettings(pages={"/": landing.page})
    made = app(store, Pipeline(store, now), settings, now, lambda: str(uuid4()))
    with TestClient(made, base_url=BASE) as client:
        yield client
    store.close()


def post_file(client: TestClient, root: Path, url: str, case: str) -> Any:
    """Post the input of a fixture."""
    file = next((root / "fixtures" / case).glob("input.*"))
    return client.post(f"/intake/{url}", content=file.read_bytes(), headers=BYTES)


@pytest.mark.parametrize(("url", "case"), [*POSTS, *RETURNS])
def test_a_file_is_stored_once(live: TestClient, root: Path, url: str, case: str) -> None:
    first, again = (post_file(live, root, url, case) for _ in "ab")
    assert (first.status_code, again.status_code) == (200, 200)
    stored = [row["response"] for row in first.json()["entry"] if "location" in row["response"]]
    assert {row["status"] for row in stored} == {"201 stored"}
    assert live.get(f"/fhir/{stored[0]['location']}").status_code == 200
    states = {row["response"]["status"] for row in again.json()["entry"]}
    assert states <= {"200 duplicate", "422 refused"}


@pytest.mark.parametrize(
    "url", ["mif?plan=nowhere", "referral?form=nowhere", "adt?feed=nowhere", "rtf?plan=nowhere"]
)
def test_an_unknown_sender_is_refused(live: TestClient, url: str) -> None:
    answer = live.post(f"/intake/{url}", content=b"MSH|^~\\&|x", headers=BYTES)
    assert answer.status_code == 422
    assert {row["response"]["status"] for row in answer.json()["entry"]} == {"422 refused"}


def test_a_referral_moves_only_along_its_arrows(live: TestClient, root: Path) -> None:
    assert post_file(live, root, *POSTS[2]).status_code == 200
    task = live.get("/fhir/Task?status=requested").json()["entry"][0]["resource"]
    url = f"/fhir/Task/{task['id']}"
    accepted = live.put(url, json={**task, "status": "accepted"}, headers={"if-match": 'W/"1"'})
    late = live.put(url, json={**task, "status": "rejected"}, headers={"if-match": 'W/"1"'})
    back = live.put(url, json={**task, "status": "requested"})
    assert [row.status_code for row in (accepted, late, back)] == [200, 412, 422]
    slugs = [row["details"]["coding"][0]["code"] for row in back.json()["issue"]]
    assert "transition" in slugs
    parts = [row["part"] for row in live.get(f"{url}/$explain").json()["parameter"]]
    told = {row[0]["valueString"]: row[1]["valueString"] for row in parts}
    assert (told["status"], told["authoredOn"]) == ("api", "form:sacramento")


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (patient(gender="female"), 201, None),
        (patient(gender="F"), 422, "Patient.gender"),
        (patient(shoe=1), 422, "Patient.shoe"),
        (patient(birthDate="1990-02-30"), 422, "Patient.birthDate"),
        (patient(identifier="text"), 422, "Patient.identifier"),
        (patient(name=[]), 422, "Patient.name"),
    ],
)
def test_what_is_sent_is_checked(
    live: TestClient, body: dict[str, Any], status: int, path: str | None
) -> None:
    answer = live.post("/fhir/Patient", json=body)
    assert answer.status_code == status
    if path is not None:
        assert path in [row["expression"][0] for row in answer.json()["issue"]]


def test_a_converted_bundle_can_be_posted_twice(live: TestClient, root: Path) -> None:
    cases = [root / "fixtures" / case / "expected.json" for _, case in POSTS]
    for file in cases:
        bundle = json.loads(file.read_bytes())
        bundle = bundle[0] if isinstance(bundle, list) else bundle
        first, again = (live.post("/fhir", json=bundle) for _ in "ab")
        assert (first.status_code, again.status_code) == (200, 200), first.text
        tags = [[row["response"]["etag"] for row in one.json()["entry"]] for one in (first, again)]
        assert tags[0] == tags[1]


def test_everything_stored_can_be_had_as_xml(live: TestClient, root: Path) -> None:
    for url, case in POSTS:
        post_file(live, root, url, case)
    statement = live.get("/fhir/metadata").json()
    kinds = [row["type"] for row in statement["rest"][0]["resource"]]
    answers = {kind: live.get(f"/fhir/{kind}?_format=xml") for kind in kinds}
    assert {kind for kind, row in answers.items() if row.status_code != 200} == set()
    totals = {kind: live.get(f"/fhir/{kind}?_count=0").json()["total"] for kind in kinds}
    assert {kind for kind, total in totals.items() if total} >= {"Patient", "Task", "Encounter"}


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        (
            "Encounter?_lastUpdated=gt2020-01-01&_include=Encounter:patient",
            {"Encounter", "Patient"},
        ),
        ("Encounter?_lastUpdated=lt2020-01-01", set()),
        ("Encounter?date=ge2000&status=in-progress,finished", {"Encounter"}),
        ("Task?status=requested&_include=Task:patient", {"Task", "Patient"}),
        ("ServiceRequest?category=x", set()),
        ("Patient?birthdate=lt1900", set()),
    ],
)
def test_search_of_what_was_loaded(
    live: TestClient, root: Path, query: str, kinds: set[str]
) -> None:
    for url, case in POSTS:
        post_file(live, root, url, case)
    page = live.get(f"/fhir/{query}").json()
    assert {row["resource"]["resourceType"] for row in page.get("entry", [])} == kinds
    assert page["total"] == len(
        [r for r in page.get("entry", []) if r["search"]["mode"] == "match"]
    )


def test_the_capability_statement_is_valid(live: TestClient) -> None:
    statement = live.get("/fhir/metadata").json()
    assert [issue for issue in validation.check(statement) if issue.failed] == []
    assert [issue for issue in validation.judge(statement) if issue.failed] == []
