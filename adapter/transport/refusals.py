"""Whether a FHIR answer says that a message was not taken after all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from adapter import data

Refusal = Literal["", "transient-error", "fatal-error"]

# IssueType: `transient` and what is below it. The same message may be taken later.
_PASSING = frozenset({
    "transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled",
})  # fmt: skip


def refusal(body: bytes) -> Refusal:
    """What a body says: `fatal-error` and `transient-error` by MessageHeader.response.code.

    Without one, an OperationOutcome with errors says it. `""` for taken, and for what is no FHIR.
    """
    try:
        found = list(_resources(data.loads(body)))
    except ValueError:
        return ""
    for header in (one for one in found if one.get("resourceType") == "MessageHeader"):
        match _part(header.get("response")).get("code"):
            case "ok":
                return ""
            case "transient-error":
                return "transient-error"
            case "fatal-error":
                return "fatal-error"
    return _by_issues([code for one in found for code in _errors(one)])


def _by_issues(codes: list[Any]) -> Refusal:
    if not codes:
        return ""
    return "transient-error" if all(code in _PASSING for code in codes) else "fatal-error"


def _resources(answer: Any) -> Iterator[dict[str, Any]]:
    """The answer, and what is in it if it is a Bundle."""
    yield _part(answer)
    for row in _rows(_part(answer).get("entry")):
        yield _part(row.get("resource"))


def _errors(resource: dict[str, Any]) -> Iterator[Any]:
    if resource.get("resourceType") == "OperationOutcome":
        for issue in _rows(resource.get("issue")):
            if issue.get("severity") in ("fatal", "error"):
                yield str(issue.get("code"))


def _rows(node: Any) -> Iterator[dict[str, Any]]:
    yield from map(_part, node if isinstance(node, list) else ())


def _part(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}
