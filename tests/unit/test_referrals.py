"""The referral Task's states, its loop as CLR values, and what a form becomes in FHIR."""

from __future__ import annotations

import copy
import json
from itertools import pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import terms
from adapter.referrals import loop, states
from adapter.referrals.loop import Event

CLOSURE = "https://ecm-adapter.example/fhir/CodeSystem/clr-closure-reason"
FULFILL = {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]}

# fhir-and-exchange.md 2.1, written down once more: what the code must not do besides.
DRAWN = {
    "draft": "requested",
    "requested": "accepted rejected cancelled",
    "accepted": "in-progress on-hold completed failed cancelled",
    "in-progress": "on-hold completed failed cancelled",
    "on-hold": "in-progress completed failed cancelled",
    "rejected": "",
    "cancelled": "",
    "completed": "",
    "failed": "",
}
EVERY = (*DRAWN, "entered-in-error")


def task(status: Any, **more: Any) -> dict[str, Any]:
    made = {"resourceType": "Task", "status": status, "intent": "order", "code": FULFILL, **more}
    if status == "completed" and "output" not in more:
        made["output"] = [{"type": {"text": "outcome"}, "valueString": "done"}]
    if status in list(states.NEED_REASON) and "statusReason" not in more:
        made["statusReason"] = {"text": "a reason"}
    return made


def found(issues: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(issue.severity, issue.detail, issue.path) for issue in issues]


REFUSED = [("error", "transition", "Task.status")]


@pytest.mark.parametrize(("old", "new"), list(product(EVERY, EVERY)))
def test_only_drawn_arrows_are_allowed(old: str, new: str) -> None:
    drawn = new in DRAWN.get(old, "").split()
    free = old == new or (new == "entered-in-error" and old != "entered-in-error")
    assert found(states.check(task(old), task(new))) == ([] if drawn or free else REFUSED)


@pytest.mark.parametrize("status", EVERY)
def test_a_referral_starts_as_draft_or_requested(status: str) -> None:
    allowed = status in ("draft", "requested")
    assert found(states.check(None, task(status))) == ([] if allowed else REFUSED)


@pytest.mark.parametrize(
    ("old", "new", "issues"),
    [
        ("received", "accepted", []),
        ("received", "completed", REFUSED),
        ("ready", "in-progress", []),
        ("received", "received", []),
        ("requested", "received", REFUSED),
        ("accepted", "ready", REFUSED),
        ("requested", "done", REFUSED),
        ("requested", None, REFUSED),
        ("requested", ["accepted"], REFUSED),
        ("done", "accepted", REFUSED),
        (None, "requested", []),
    ],
)
def test_statuses_that_the_guide_leaves_out(old: Any, new: Any, issues: list[Any]) -> None:
    assert found(states.check(task(old), task(new))) == issues


@pytest.mark.parametrize(
    ("new", "actor", "allowed"),
    [
        ("accepted", "target", True),
        ("accepted", "requester", False),
        ("rejected", "requester", False),
        ("cancelled", "requester", True),
        ("cancelled", "target", True),
        ("entered-in-error", "requester", True),
        ("entered-in-error", "target", False),
    ],
)
def test_who_may_set_a_status(new: str, actor: str, allowed: bool) -> None:
    issues = states.check(task("requested"), task(new), actor)
    assert found(issues) == ([] if allowed else REFUSED)


@pytest.mark.parametrize(
    ("new", "issues"),
    [
        (task("completed", output=[]), [("error", "transition", "Task.output")]),
        (task("on-hold", statusReason=None), [("warning", "transition", "Task.statusReason.text")]),
        (
            task("failed", statusReason={"coding": []}),
            [("warning", "transition", "Task.statusReason.text")],
        ),
        (
            task("in-progress", statusReason={"coding": []}),
            [("warning", "transition", "Task.statusReason.text")],
        ),
        (task("in-progress", statusReason={"text": "visited"}), []),
    ],
)
def test_outcome_and_reason(new: dict[str, Any], issues: list[Any]) -> None:
    assert found(states.check(task("accepted"), new)) == issues


def test_a_task_of_another_kind_is_free_but_stays_a_referral_once_it_was_one() -> None:
    other = {"resourceType": "Task", "status": "ready", "code": {"text": "call the ward"}}
    assert states.check(None, other) == []
    assert found(states.check(task("requested"), other | {"status": "completed"})) == [
        *REFUSED,
        ("error", "transition", "Task.output"),
    ]
    assert states.check(None, {"resourceType": "Patient"}) == []


@pytest.mark.parametrize("code", [None, "fulfill", {"coding": {}}, {"coding": ["fulfill"]}])
def test_a_malformed_code_is_no_referral(code: Any) -> None:
    assert not states.is_referral({"resourceType": "Task", "code": code})


# ---- advance --------------------------------------------------------------------------------

AT = "2026-03-0{}T10:00:00-08:00"


def test_a_referral_from_requested_to_completed() -> None:
    now = task("requested", owner={"display": "x"})
    history = [now]
    for number, verb in enumerate(("accept", "start", "hold", "resume"), 1):
        step = loop.advance(now, Event(verb, AT.format(number), reason=verb))
        assert not any(issue.failed for issue in step.issues)
        history.append(now := step.task)
    step = loop.advance(now, Event("complete", AT.format(5), outcome="Encounter/9"))
    assert step.issues == []
    assert step.task["output"][0]["valueReference"] == {"reference": "Encounter/9"}
    assert "statusReason" not in step.task
    assert [tuple(entry) for entry in loop.loop_history([*history, step.task])] == [
        ("Pending", "", ""),
        ("Accepted", "2026-03-01", ""),
        ("Outreach Initiated", "2026-03-02", ""),
        ("Referral Loop Closed", "2026-03-05", "Services Received"),
    ]


def test_advance_leaves_the_given_task_alone() -> None:
    before = task("in-progress", output=[{"type": {"text": "call"}}], meta={"versionId": "3"})
    given_task = copy.deepcopy(before)
    after = loop.advance(given_task, Event("complete", AT.format(1), outcome="Encounter/9")).task
    assert given_task == before
    assert len(after["output"]) == 2
    assert after["meta"] == before["meta"]


@pytest.mark.parametrize(
    ("status", "event", "path"),
    [
        ("requested", Event("complete", AT.format(1), outcome="Encounter/9"), "Task.status"),
        ("accepted", Event("complete", AT.format(1)), "Task.output"),
        ("accepted", Event("accept", AT.format(1)), "Task.status"),
        ("requested", Event("accept", AT.format(1), actor="requester"), "Task.status"),
        ("requested", Event("explode", AT.format(1)), "Task.status"),
        ("requested", Event("cancel", AT.format(1), closure="bored"), "Task.statusReason"),
    ],
)
def test_an_event_that_may_not_happen(status: str, event: Event, path: str) -> None:
    before = task(status)
    step = loop.advance(before, event)
    assert step.task is before
    assert [issue.path for issue in step.issues if issue.failed] == [path]


def test_a_closure_reason_is_coded_and_in_words() -> None:
    event = Event("fail", AT.format(1), closure="unable-to-reach")
    reason = loop.advance(task("accepted"), event).task["statusReason"]
    assert reason["coding"][0]["system"] == CLOSURE
    assert reason["text"] == "Unable to Reach Member"


events = st.builds(
    Event,
    verb=st.sampled_from(list(loop.EVENTS)),
    at=st.integers(1, 9).map(AT.format),
    reason=st.sampled_from(["", "why"]),
    closure=st.sampled_from(["", *loop.closure_reasons()]),
    outcome=st.sampled_from(["", "Encounter/9"]),
    actor=st.sampled_from([None, "requester", "target"]),
)


@given(st.lists(events, max_size=12))
def test_no_sequence_of_events_leaves_the_machine(sequence: list[Event]) -> None:
    history = [task("draft")]
    for event in sequence:
        step = loop.advance(history[-1], event)
        if any(issue.failed for issue in step.issues):
            assert step.task is history[-1]
        else:
            history.append(step.task)
    path = [version["status"] for version in history]
    for old, new in pairwise(path):
        assert new in DRAWN.get(old, "").split() or new == "entered-in-error"
        assert old not in states.TERMINAL or new == "entered-in-error"
    entries = loop.loop_history(history)
    assert [entry.date for entry in entries] == sorted(entry.date for entry in entries)
    for entry in entries[:-1]:
        assert entry.status != "Referral Loop Closed"


# ---- CLR values -----------------------------------------------------------------------------


def version(number: int, status: str, updated: str, **more: Any) -> dict[str, Any]:
    return task(status, meta={"versionId": str(number), "lastUpdated": updated}, **more)


@pytest.mark.parametrize(
    ("status", "clr"),
    [
        ("draft", None),
        ("requested", "Pending"),
        ("received", "Pending"),
        ("accepted", "Accepted"),
        ("rejected", "Declined"),
        ("in-progress", "Outreach Initiated"),
        ("on-hold", None),
        ("completed", "Referral Loop Closed"),
        ("failed", "Referral Loop Closed"),
        ("cancelled", "Referral Loop Closed"),
        ("entered-in-error", None),
    ],
)
def test_each_status_as_clr(status: str, clr: str | None) -> None:
    now = loop.loop_status([version(1, status, "2026-03-02T20:00:00Z")])
    assert (now and now.status) == clr


def test_every_clr_value_is_one_of_the_return_file() -> None:
    table = terms.table("clr-status-of-task")
    values = {target.code for code in table.codes() if (target := table.get(code))}
    allowed = terms.table("clr-status")
    targets = {target.code for code in allowed.codes() if (target := allowed.get(code))}
    assert values - {""} <= targets


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ""),
        ({"statusReason": {"text": "moved away"}}, ""),
        ({"statusReason": {"coding": [{"system": "x", "code": "other"}]}}, ""),
        ({"statusReason": {"coding": [{"system": CLOSURE, "code": "nonsense"}]}}, ""),
        ({"statusReason": {"coding": [{"system": CLOSURE, "code": "other"}]}}, "Other"),
        (
            {"businessStatus": {"coding": [{"system": CLOSURE, "code": "unable-to-reach"}]}},
            "Unable to Reach Member",
        ),
        ({"businessStatus": {"coding": "x"}, "statusReason": "x"}, ""),
    ],
)
def test_the_reason_of_a_failed_referral_is_never_guessed(more: Any, reason: str) -> None:
    now = loop.loop_status([version(1, "failed", "2026-03-02T20:00:00Z", **more)])
    assert now is not None
    assert now.closure_reason == reason


def test_on_hold_keeps_the_last_value_and_its_date() -> None:
    history = [
        version(3, "on-hold", "2026-03-09T20:00:00Z"),
        version(2, "accepted", "2026-03-03T20:00:00Z"),
        version(1, "requested", "2026-03-02T20:00:00Z"),
    ]
    assert loop.loop_status(history) == ("Accepted", "2026-03-03", "")


def test_the_date_is_that_of_the_change_not_of_the_last_write() -> None:
    history = [
        version(1, "accepted", "2026-03-02T20:00:00Z"),
        version(2, "accepted", "2026-03-08T20:00:00Z"),
    ]
    assert loop.loop_status(history) == ("Accepted", "2026-03-02", "")


@pytest.mark.parametrize(
    ("zone", "modified", "day"),
    [
        (None, None, "2026-03-02"),  # 23:30 in California, the next day in UTC
        (ZoneInfo("UTC"), None, "2026-03-03"),
        (None, "2026-03-01", "2026-03-01"),
        (None, "2026-03-04T01:00:00-08:00", "2026-03-04"),
        (None, "2026", ""),
        (None, "soon", ""),
        (None, "0001-01-01T00:00:00Z", ""),
    ],
)
def test_the_day_of_a_change(zone: ZoneInfo | None, modified: str | None, day: str) -> None:
    one = version(1, "accepted", "2026-03-03T07:30:00Z")
    now = loop.loop_status([one | ({"lastModified": modified} if modified else {})], zone)
    assert now == ("Accepted", day, "")


def test_a_referral_entered_in_error_tells_nothing() -> None:
    history = [
        version(1, "requested", "2026-03-02T20:00:00Z"),
        version(2, "entered-in-error", "2026-03-03T20:00:00Z"),
    ]
    assert loop.loop_history(history) == []
    assert loop.loop_status([]) is None


stamps = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.text(max_size=12)
versions = st.fixed_dictionaries(
    {
        "resourceType": st.just("Task"),
        "status": st.sampled_from(EVERY) | st.none() | st.lists(st.none()),
    },
    optional={
        "meta": st.none()
        | st.fixed_dictionaries({}, optional={"versionId": st.text(), "lastUpdated": stamps}),
        "lastModified": stamps | st.integers(),
        "statusReason": st.none() | st.dictionaries(st.just("coding"), st.lists(st.none())),
    },
)


@given(st.lists(versions, max_size=8))
def test_the_dates_of_any_history_never_go_back(history: list[Any]) -> None:
    entries = loop.loop_history(history)
    days = [entry.date for entry in entries]
    assert days == sorted(days)
    assert loop.loop_status(history) == (entries[-1] if entries else None)
    assert json.dumps(entries)
