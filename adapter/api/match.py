"""Patient/$match: who of the people we know somebody may be, with a score and a grade."""

from __future__ import annotations

from typing import Any

from adapter.api.call import Answer, Call, Refusal, refuse
from adapter.issues import Candidate
from adapter.record import Resource

_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_FULL, _PROBABLE = 10, 7  # weights of HL7 FAST Identity Matching: idi-L1, and short of certain
_MOST = 50


def match(call: Call) -> Answer:
    """POST Patient/$match: a searchset Bundle of people, the likest first (FHIR R4 Patient $match).

    Takes Parameters with `resource` (a Patient), `onlyCertainMatches` and `count`. The score is
    the weight of what agrees, of 10; who was merged is not among them, their survivors are. 400
    without a Patient, 422 for one that is not valid.
    """
    asked = _parameters(call.body())
    person = asked.get("resource")
    if not isinstance(person, dict) or person.get("resourceType") != "Patient":
        raise refuse(400, "required", "the parameter resource must be a Patient")
    faults = [issue for issue in call.server.intake.check(person) if issue.failed]
    if faults:
        raise Refusal(422, faults)
    found = call.server.intake.match(person)
    certain = [row for row in found if row[1].certain]
    if _only_certain(asked):
        found = certain if len(certain) == 1 else []
    rows = [_entry(call, *row, alone=len(certain) == 1) for row in found[: _count(asked)]]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    return Answer(200, {**bundle, "entry": rows} if rows else bundle)


def _parameters(body: Resource) -> dict[str, Any]:
    """The parameters by name: a resource, or the value of whatever type. Raises Refusal 400."""
    rows = body.get("parameter")
    if body.get("resourceType") != "Parameters" or not isinstance(rows, list):
        raise refuse(400, "resource-type", "only Parameters go here")
    found = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            values = [value for name, value in row.items() if name.startswith("value")]
            found[row["name"]] = row.get("resource", *values[:1]) if values else row.get("resource")
    return found


def _only_certain(asked: dict[str, Any]) -> bool:
    """Whether people who only may be meant are to be left out. Raises Refusal 400."""
    only = asked.get("onlyCertainMatches", False)
    if not isinstance(only, bool):
        raise refuse(400, "value-format", "the parameter onlyCertainMatches must be a boolean")
    return only


def _count(asked: dict[str, Any]) -> int:
    """How many at most. Raises Refusal 400."""
    count = asked.get("count", _MOST)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise refuse(400, "value-format", "the parameter count must be a number above 0")
    return min(count, _MOST)


def _entry(call: Call, person: Resource, like: Candidate, alone: bool) -> dict[str, Any]:
    certain = like.certain and alone
    probable = (like.score >= _PROBABLE and not like.differs) or like.certain
    grade = "certain" if certain else "probable" if probable else "possible"
    return {
        "fullUrl": f"{call.base}/Patient/{person['id']}",
        "resource": person,
        "search": {
            "extension": [{"url": _GRADE, "valueCode": grade}],
            "mode": "match",
            "score": min(like.score, _FULL) / _FULL,
        },
    }
