"""A referral form in FHIR: the Task, its request, and what the member is said to want."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapter import convert, data
from adapter.errors import DataFileError
from adapter.outcome import Outcome
from adapter.referrals import loop, states
from adapter.sources import form_layout

FIXTURES = data.path("fixtures", "referral")
GOOD = ("adult", "adult-response", "adult-sections", "kaiser", "minimal", "youth-guardian")


def converted(case: str, **change: Any) -> Outcome:
    raw = json.loads((FIXTURES / case / "input.json").read_text(encoding="utf-8")) | change
    return convert.referral(json.dumps(raw), "sacramento", "form.json")


def resources(outcome: Outcome, kind: str) -> list[dict[str, Any]]:
    found = [entry.resource for entry in outcome.entries]
    return [resource for resource in found if resource["resourceType"] == kind]


def one(outcome: Outcome, kind: str) -> dict[str, Any]:
    (resource,) = resources(outcome, kind)
    return resource


@pytest.mark.parametrize("case", GOOD)
def test_every_resource_is_valid_and_every_reference_leads_somewhere(case: str) -> None:
    outcome = converted(case)
    assert outcome.issues == []
    urns = {entry.urn for entry in outcome.entries}
    for entry in outcome.entries:
        kind = entry.resource["resourceType"]
        get_fhir_model_class(kind).model_validate(entry.resource)
        assert set(references(entry.resource)) <= urns
    kinds = {entry.resource["resourceType"] for entry in outcome.entries}
    assert kinds >= {
        "Patient", "ServiceRequest", "Task", "QuestionnaireResponse", "Organization",
        "Practitioner", "PractitionerRole", "Coverage",
    }  # fmt: skip


def references(value: Any) -> Sequence[str]:
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [name for item in value.values() for name in references(item)]


@pytest.mark.parametrize("case", ["adult-response", "adult-sections"])
def test_one_referral_is_the_same_resources_however_it_is_written(case: str) -> None:
    left, right = (
        [
            (entry.urn, entry.resource, entry.identity, entry.key, sorted(entry.origins))
            for entry in converted(name).entries
            if entry.resource["resourceType"] != "Provenance"
        ]
        for name in ("adult", case)
    )
    assert left == right


def test_a_referral_begins_as_an_open_task_that_may_go_on() -> None:
    task = one(converted("adult"), "Task")
    assert states.is_referral(task)
    assert states.check(None, task) == []
    step = loop.advance(task, loop.Event("accept", "2026-03-03T09:00:00-08:00", actor="target"))
    assert (step.task["status"], step.issues) == ("accepted", [])


def test_the_request_says_who_why_and_for_what() -> None:
    outcome = converted("adult")
    request, role = one(outcome, "ServiceRequest"), one(outcome, "PractitionerRole")
    urns = {id(entry.resource): entry.urn for entry in outcome.entries}
    assert (request["status"], request["intent"]) == ("active", "order")
    assert request["requester"]["reference"] == urns[id(role)]
    codes = [reason["coding"][0]["code"] for reason in request["reasonCode"]]
    assert codes == ["homelessness", "smh-sud"]
    supporting = {item["reference"] for item in request["supportingInfo"]}
    assert supporting == {
        urns[id(one(outcome, kind))] for kind in ("QuestionnaireResponse", "Consent")
    }


def test_interest_is_a_proposed_consent_to_treatment_and_no_release() -> None:
    consent = one(converted("adult"), "Consent")
    assert consent["status"] == "proposed"
    assert consent["scope"]["coding"][0]["code"] == "treatment"
    assert consent["dateTime"] == "2026-03-02"
    assert "securityLabel" not in consent["provision"]


@pytest.mark.parametrize("interest", [None, "", "no"])
def test_no_interest_told_is_no_consent(interest: str | None) -> None:
    outcome = converted("adult", **{"member-interest": interest})
    assert resources(outcome, "Consent") == []
    assert outcome.ok


def test_a_task_has_an_owner_only_when_a_provider_is_preferred() -> None:
    assert "owner" in one(converted("adult"), "Task")
    without = converted("adult", **{"preferred-provider": None})
    assert "owner" not in one(without, "Task")
    assert "performer" not in one(without, "ServiceRequest")


def test_every_answer_stands_in_the_response_and_is_traced_to_its_field() -> None:
    outcome = converted("adult")
    given = json.loads((FIXTURES / "adult" / "input.json").read_text(encoding="utf-8"))
    (entry,) = [e for e in outcome.entries if e.resource["resourceType"] == "QuestionnaireResponse"]
    groups = entry.resource["item"]
    answered = {item["linkId"]: item["answer"] for group in groups for item in group["item"]}
    assert answered.keys() == given.keys()
    assert len(answered["population-of-focus"]) == 2
    traced = {origin.field for origin in entry.origins if origin.element == "item"}
    assert traced >= given.keys()


def test_every_field_has_a_rule_or_is_left_on_purpose() -> None:
    from adapter.mapping import tabular

    form = form_layout.load("sacramento")
    assert tabular.load("forms", "sacramento").fields == form.fields.keys()


@pytest.mark.parametrize(
    ("language", "code", "details"),
    [("Spanish", "es", []), ("SPA", "es", []), ("Sindarin-like", None, ["code-unknown"])],
)
def test_a_language_without_a_code_stays_in_words(
    language: str, code: str | None, details: list[str]
) -> None:
    outcome = converted("adult", **{"member-language": language})
    spoken = one(outcome, "Patient")["communication"][0]["language"]
    assert spoken["text"] == language
    assert [coding["code"] for coding in spoken.get("coding", [])] == ([code] if code else [])
    assert [issue.detail for issue in outcome.issues] == details
    assert outcome.ok


def test_two_people_of_one_mail_box_are_two_practitioners() -> None:
    ids = {
        one(converted("adult", **{"referrer-first-name": name}), "Practitioner")["identifier"][0][
            "value"
        ]
        for name in ("Basil", "Bergamot", "Basil")
    }
    assert len(ids) == 2


def test_a_referral_without_a_number_is_the_same_task_when_it_comes_again() -> None:
    names = {
        entry.urn
        for comment in ("once", "twice")
        for entry in converted("minimal", comments=comment).entries
        if entry.resource["resourceType"] == "Task"
    }
    assert len(names) == 1


def test_an_unknown_form_is_our_fault() -> None:
    with pytest.raises(DataFileError):
        convert.referral(b"{}", "no-such-form")
