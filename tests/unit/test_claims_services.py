"""The service log as FHIR: contacts and outreach attempts, row by row, and what may not pass."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from adapter import data, validation
from adapter.claims.contacts import contact, is_contact
from adapter.claims.plan import load
from adapter.mapping import builders_services, service_log
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Record
from tests.unit.engine import fresh

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = {"zone": "America/Los_Angeles"}


def columns(labels: list[str]) -> list[str | None]:
    layout = data.toml(data.path("mappings", "services", "layouts", "canonical.toml"))["columns"]
    names = {text: name for name, texts in layout.items() for text in texts}
    return [names.get(label) for label in labels]


def read(rows: list[list[str]], labels: list[str], context: dict[str, str]) -> list[Outcome]:
    bound = service_log.LogMapping().bind(columns(labels), labels)
    made = []
    for line, row in enumerate(rows, 2):
        unit = Unit(Location("log.csv", line), "services", "log:harbor")
        made.append(bound.apply(Record("log.csv", line, "row", row, labels), unit, context))
    return made


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    text = (ROOT / "fixtures/services/log/input.csv").read_text(encoding="utf-8")
    labels, *rows = csv.reader(text.splitlines())
    return dict(zip([row[0] for row in rows], read(rows, labels, CONTEXT), strict=True))


def the(outcome: Outcome, kind: str) -> dict:
    (found,) = [
        entry.resource for entry in outcome.entries if entry.resource["resourceType"] == kind
    ]
    return found


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("HL-0001", ("2026-01-05", "outreach", "clinical", "telehealth", 10, "02", ("Z5900",))),
        ("HL-0002", ("2026-01-06", "outreach", "clinical", "in_person", 20, "15", ("Z5900",))),
        ("HL-0003", ("2026-01-07", "outreach", "non_clinical", "telehealth", 5, "02", ("Z5900",))),
        ("HL-0004", ("2026-01-08", "outreach", "non_clinical", "in_person", 25, "15", ("Z5900",))),
        (
            "HL-0005",
            ("2026-01-13", "service", "clinical", "in_person", 29, "11", ("Z5900", "F331")),
        ),
        ("HL-0006", ("2026-01-14", "service", "clinical", "telehealth", 30, "10", ("F331",))),
        ("HL-0007", ("2026-01-15", "service", "non_clinical", "in_person", 45, "12", ("Z5900",))),
        ("HL-0008", ("2026-01-16", "service", "non_clinical", "telehealth", 14, "10", ("Z5900",))),
    ],
)
def test_a_row_becomes_what_billing_reads(outcomes, number: str, expected: tuple) -> None:
    encounter = {"id": "x", **the(outcomes[number], "Encounter")}
    person = {"id": "p", **the(outcomes[number], "Practitioner")}
    found = contact(encounter, person, load("sunrise").zone)
    assert is_contact(encounter)
    assert found is not None
    assert (
        found.on.isoformat(),
        found.phase,
        found.staff,
        found.modality,
        found.minutes,
        found.place,
        found.diagnoses,
    ) == expected
    assert found.rendering is not None and found.rendering.npi in ("1888880014", "1888880022")


@pytest.mark.parametrize(
    ("number", "medium", "outcome", "sent"),
    [
        ("HL-0001", "PHONE", "voicemail", "2026-01-05T09:00:00-08:00"),
        ("HL-0002", "FACE", "no-answer", "2026-01-06"),
        ("HL-0003", "text-message", "contacted", "2026-01-07T14:15:00-08:00"),
        ("HL-0004", "FACE", "enrolled", "2026-01-08"),
    ],
)
def test_an_attempt_is_a_communication_too(outcomes, number, medium, outcome, sent) -> None:
    found = the(outcomes[number], "Communication")
    assert found["medium"][0]["coding"][0]["code"] == medium
    assert found["statusReason"]["coding"][0]["code"] == outcome
    assert found["sent"] == sent
    urns = {entry.urn: entry.resource["resourceType"] for entry in outcomes[number].entries}
    assert urns[found["encounter"]["reference"]] == "Encounter"
    assert urns[found["sender"]["reference"]] == "Practitioner"
    assert urns[found["recipient"][0]["reference"]] == "Patient"


@pytest.mark.parametrize("number", ["HL-0005", "HL-0006", "HL-0007", "HL-0008"])
def test_a_service_is_no_attempt(outcomes, number: str) -> None:
    kinds = [entry.resource["resourceType"] for entry in outcomes[number].entries]
    assert "Communication" not in kinds


def test_a_letter_is_a_contact_that_cannot_be_billed(outcomes) -> None:
    encounter = {"id": "x", **the(outcomes["HL-0009"], "Encounter")}
    found = contact(encounter, None, load("sunrise").zone)
    assert found is not None
    assert found.modality == ""


@pytest.mark.parametrize(
    ("number", "severity", "field"),
    [
        ("HL-0010", "error", "Start Time"),
        ("HL-0011", "error", "CIN"),
        ("HL-0012", "error", "Modality"),
        ("HL-0012", "warning", "Minutes"),
        ("HL-0012", "warning", "Core Service"),
        ("HL-0012", "warning", "Place of Service"),
        ("HL-0012", "warning", "Staff NPI"),
        ("HL-0012", "warning", "Staff Type"),
        ("HL-0012", "warning", "Diagnosis"),
    ],
)
def test_a_bad_cell_is_named(outcomes, number: str, severity: str, field: str) -> None:
    found = [(i.severity, i.at.field) for i in outcomes[number].issues if i.at]
    assert (severity, field) in found
    assert outcomes[number].ok is False


def test_no_issue_and_no_resource_holds_a_note(outcomes) -> None:
    for outcome in outcomes.values():
        assert "call back" not in json.dumps(outcome.bundle)
        assert all(
            word not in i.text for i in outcome.issues for word in ("Moon", "Wizard", "12345")
        )


def test_a_log_without_phase_takes_it_from_the_command() -> None:
    labels = ["Contact ID", "CIN", "Date of Service", "Method"]
    row = ["7", "90000011A", "1/5/2026", "email"]
    first = read([row], labels, {**CONTEXT, "phase": "outreach"})[0]
    second = read([row], labels, {**CONTEXT, "phase": "service"})[0]
    assert the(first, "Communication")["medium"][0]["coding"][0]["code"] == "EMAILWRIT"
    assert [e.resource["resourceType"] for e in second.entries].count("Communication") == 0
    codes = [c["code"] for t in the(first, "Encounter")["type"] for c in t["coding"]]
    assert "outreach" in codes


def test_the_same_row_has_the_same_names() -> None:
    labels = ["Contact ID", "CIN", "Date of Service", "Method"]
    row = ["7", "90000011A", "1/5/2026", "email"]
    first, second = read([row, row], labels, CONTEXT)
    name = [e.urn for e in first.entries if e.resource["resourceType"] == "Encounter"]
    assert name == [e.urn for e in second.entries if e.resource["resourceType"] == "Encounter"]


@pytest.mark.parametrize(
    ("text", "family", "given"),
    [
        ("Fernfield, Ottoline Mae", "Fernfield", ["Ottoline", "Mae"]),
        ("Cosmo Brightwater", "Brightwater", ["Cosmo"]),
        ("Brightwater", "Brightwater", []),
    ],
)
def test_staff_names(text: str, family: str, given: list[str]) -> None:
    found = builders_services.staff_name(fresh(), [text])
    assert (found["family"], found.get("given", [])) == (family, given)


def test_what_a_log_says_is_valid_r4_by_two_judges(outcomes) -> None:
    for outcome in outcomes.values():
        rows = [(entry.urn, entry.resource) for entry in outcome.entries]
        assert validation.check_unit(rows) == []
        assert [issue for _, row in rows for issue in validation.judge(row)] == []
