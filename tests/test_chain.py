"""The whole chain over HTTP as users drive it: files in, the loop, RTF and 837P, explain."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import pyx12.params
import pyx12.x12n_document
from fastapi.testclient import TestClient

from adapter import outputs, serving, store
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.settings import Settings
from tests.judges import assert_valid

NOW = datetime(2026, 8, 3, 16, 0, tzinfo=UTC)
BYTES = {"content-type": "application/octet-stream"}


@dataclass
class House:
    """One database with the web application over it."""

    pipeline: Pipeline
    client: TestClient
    demo: Path

    def post(self, route: str, name: str) -> list[str]:
        """Post a file of fixtures/demo; the status of each unit."""
        body = (self.demo / name).read_bytes()
        answer = self.client.post(f"/intake/{route}&name={name}", content=body, headers=BYTES)
        return [row["response"]["status"][4:] for row in answer.json()["entry"]]

    def task(self, **changed: Any) -> Any:
        """PUT the one referral Task with something changed."""
        task = self.client.get("/fhir/Task").json()["entry"][0]["resource"]
        etag = {"if-match": f'W/"{task["meta"]["versionId"]}"'}
        return self.client.put(f"/fhir/Task/{task['id']}", json={**task, **changed}, headers=etag)


@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = tmp_path_factory.mktemp("chain") / "house.sqlite"
    base = store.open(f"sqlite:///{file}", same_person=resolve)
    pipeline = Pipeline(base, lambda: NOW)
    with TestClient(
        serving.application(pipeline, Settings()), base_url="http://127.0.0.1:8000"
    ) as client:
        yield House(pipeline, client, root / "fixtures" / "demo")
    base.close()


@pytest.fixture(scope="module")
def loaded(house: House) -> House:
    """Everything of the demo, posted; the contacts come from our own log by command line."""
    assert set(house.post("mif?plan=sunrise", "members.csv")) == {"stored"}
    assert set(house.post("adt?feed=default", "inpatient.hl7")) == {"stored"}
    assert house.post("adt?feed=default", "emergency.hl7") == ["stored", "refused"]
    assert house.post("referral?form=sacramento", "referral.json") == ["stored"]
    log = house.demo / "contacts.csv"
    rows = [row.status for row in house.pipeline.services(log, "canonical", log.name)]
    assert (rows.count("stored"), rows.count("refused")) == (8, 1)
    return house


@pytest.fixture(scope="module")
def closed(loaded: House) -> House:
    """The referral is moved to its end, one arrow at a time."""
    assert loaded.task(status="completed").status_code == 422
    for status in ("accepted", "in-progress"):
        assert loaded.task(status=status).status_code == 200
    assert loaded.task(status="completed").status_code == 422  # refer-9: without an outcome
    outcome = {"type": {"text": "outcome"}, "valueString": "enrolled in ECM"}
    assert loaded.task(status="completed", output=[outcome]).status_code == 200
    return loaded


def test_one_person_in_all_sources_is_one_patient(loaded: House) -> None:
    found = loaded.client.get("/fhir/Patient?identifier=90000011A").json()
    assert found["total"] == 1
    patient = found["entry"][0]["resource"]
    systems = {item["system"].rpartition("/")[2] for item in patient["identifier"]}
    assert systems == {"cin", "sunrise", "urn:oid:2.999.1.4711"}
    stays = loaded.client.get(f"/fhir/Encounter?patient={patient['id']}&class=IMP").json()
    assert [row["resource"]["status"] for row in stays["entry"]] == ["finished"]


def test_everything_in_the_store_is_valid_by_all_judges(closed: House) -> None:
    statement = closed.client.get("/fhir/metadata").json()
    kinds = [row["type"] for row in statement["rest"][0]["resource"]]
    resources = [one for kind in kinds for one in closed.pipeline.store.each(kind)]
    assert len(resources) > 80
    assert_valid(resources)


def test_the_return_file_shows_the_closed_loop(closed: House, tmp_path: Path) -> None:
    written = outputs.return_file(closed.pipeline, "sunrise", "2026-07", tmp_path)
    rows = list(csv.DictReader(StringIO(written.file.read_text(encoding="utf-8"))))
    aurora = next(row for row in rows if row["Member First Name"] == "Aurora")
    assert aurora["Referral Status"] == "Referral Loop Closed"
    assert aurora["Reason for Referral Loop Closure"] == "Services Received"
    assert aurora["Date of Referral Status Update"] == "08/03/2026"
    line = rows.index(aurora) + 2
    cell = f"{written.file.name}:{line}:Member Residential Zip"
    assert any("members.csv:2 " in text for text in told(closed, cell))


def test_the_claims_are_accepted_and_explained(closed: House, tmp_path: Path) -> None:
    written = outputs.claim_files(closed.pipeline, "sunrise", "2026-07", tmp_path)
    (file,) = written.files
    assert (written.lines, written.issues) == (8, [])
    assert pyx12.x12n_document.x12n_document(
        param=pyx12.params.params(None),
        src_file=str(file),
        fd_997=StringIO(),
        fd_html=None,
        fd_xmldoc=None,
        map_path=None,
    )
    segments = file.read_text(encoding="ascii").split("~")
    line = next(n for n, text in enumerate(segments, 1) if text.strip().startswith("SV1"))
    assert any("contacts.csv:" in text for text in told(closed, f"{file.name}:{line}:SV1"))


def test_a_resource_leads_back_to_every_source(closed: House) -> None:
    patient = closed.client.get("/fhir/Patient?identifier=90000011A").json()["entry"][0]["resource"]
    text = "\n".join(told(closed, f"Patient/{patient['id']}"))
    for place in ("members.csv:2", "PID-11 (feed:default)", "member-phone (form:sacramento)"):
        assert place in text


def told(house: House, ref: str) -> list[str]:
    """What explain says."""
    return list(outputs.explain(house.pipeline.store, ref))
