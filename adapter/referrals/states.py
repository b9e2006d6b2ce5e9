"""The states of a referral Task, and which change to which, as Gravity SDOHCC 3.0.0 draws them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from adapter.issues import Issue
from adapter.record import Resource

_END = frozenset({"entered-in-error"})

# SDOHCC-TaskForReferralManagement; referral_workflow.html. None: the Task is created.
# Note: requested -> in-progress and requested -> completed are not arrows.
ARROWS: Mapping[str | None, frozenset[str]] = MappingProxyType(
    {
        None: frozenset({"draft", "requested"}),
        "draft": _END | {"requested"},
        "requested": _END | {"accepted", "rejected", "cancelled"},
        "accepted": _END | {"in-progress", "on-hold", "completed", "failed", "cancelled"},
        "in-progress": _END | {"on-hold", "completed", "failed", "cancelled"},
        "on-hold": _END | {"in-progress", "completed", "failed", "cancelled"},
        "rejected": _END,
        "cancelled": _END,
        "completed": _END,
        "failed": _END,
        "entered-in-error": frozenset(),
    }
)
STATUSES = frozenset(status for status in ARROWS if status is not None)
TERMINAL = frozenset(s for s in STATUSES if ARROWS[s] <= _END)

# FHIR R4 knows these two, SDOHCC excludes them. One that another server wrote is read as the state
# it grew from: received is seen but not decided, ready is taken but not begun (R4 task-status).
EXCLUDED: Mapping[str, str] = MappingProxyType({"received": "requested", "ready": "accepted"})

_BOTH = frozenset({"requester", "target"})
_REQUESTER = frozenset({"requester"})
_TARGET = frozenset({"target"})

# referral_workflow.html: who may set which status.
ACTORS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "draft": _REQUESTER,
        "requested": _REQUESTER,
        "entered-in-error": _REQUESTER,
        "cancelled": _BOTH,
        "accepted": _TARGET,
        "rejected": _TARGET,
        "in-progress": _TARGET,
        "on-hold": _TARGET,
        "failed": _TARGET,
        "completed": _TARGET,
    }
)

# Task.statusReason should be there, and if there it has a text.
NEED_REASON = frozenset({"rejected", "cancelled", "on-hold", "failed"})

_TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"


def is_referral(task: Resource) -> bool:
    """True for a Task that asks for a referral to be fulfilled (code `task-code|fulfill`)."""
    code = task.get("code")
    coding = code.get("coding") if isinstance(code, dict) else None
    rows = coding if isinstance(coding, list) else []
    return any(
        isinstance(row, dict) and (row.get("system"), row.get("code")) == (_TASK_CODE, "fulfill")
        for row in rows
    )


def known(status: Any) -> str | None:
    """The state that a stored status stands for; None when there is none.

    `received` and `ready`, which only a foreign server writes, stand for the state before.
    """
    return EXCLUDED.get(status, status) if isinstance(status, str) else None


def check(old: Resource | None, new: Resource, actor: str | None = None) -> list[Issue]:
    """What forbids `new` to follow `old` (None: a create); empty for a Task of another kind.

    `actor` is `requester`, `target` or None (not known, then not checked). A change of status
    must be an arrow; `completed` needs an output (rule refer-9); a missing reason only warns.
    """
    if new.get("resourceType") != "Task" or not (is_referral(new) or (old and is_referral(old))):
        return []
    status = new.get("status")
    before = old.get("status") if old is not None else None
    issues = [] if old is not None and status == before else _change(known(before), status, actor)
    return [*issues, *_output(new), *_reason(new)]


def _change(before: str | None, status: Any, actor: str | None) -> list[Issue]:
    if not isinstance(status, str) or status not in STATUSES:
        return [_refuse("this status is not one of a referral Task")]
    if status not in ARROWS.get(before, frozenset()):
        text = "a referral starts as draft or requested" if before is None else _arrows(before)
        return [_refuse(text)]
    if actor is not None and actor not in ACTORS[status]:
        return [_refuse(f"the {actor} of a referral may not set {status}")]
    return []


def _arrows(before: str) -> str:
    after = sorted(ARROWS.get(before, ()))
    if before not in STATUSES or not after:
        return "the present status of this referral may not change any more"
    return f"a referral that is {before} may only become {', '.join(after)}"


def _output(task: Resource) -> list[Issue]:
    if task.get("status") != "completed" or task.get("output"):
        return []
    text = "a completed referral needs an output that tells the outcome (refer-9)"
    return [Issue("error", "transition", text, path="Task.output")]


def _reason(task: Resource) -> list[Issue]:
    reason = task.get("statusReason")
    if isinstance(reason, dict):
        if reason.get("text"):
            return []
        text = "a status reason needs a text"
    elif known(task.get("status")) not in NEED_REASON:
        return []
    else:
        text = "this status should come with a reason in words"
    return [Issue("warning", "transition", text, path="Task.statusReason.text")]


def _refuse(text: str) -> Issue:
    return Issue("error", "transition", text, path="Task.status")
