"""The CapabilityStatement, computed from the table that makes the routes."""

from __future__ import annotations

from typing import Any

from adapter.api.call import Action, Answer, Call
from adapter.api.formats import JSON, XML
from adapter.api.search import includes, kinds, parameters
from adapter.record import Resource

_FACTS = {
    "readHistory": True,
    "updateCreate": True,
    "conditionalCreate": True,
    "conditionalRead": "not-match",
    "conditionalUpdate": True,
    "conditionalDelete": "not-supported",
    "referencePolicy": ["literal", "local"],
}
_SYSTEM = ("transaction", "batch")
_OPERATIONS = {
    "$validate": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    "$explain": "https://ecm-adapter.example/fhir/OperationDefinition/explain",
    "$match": "http://hl7.org/fhir/OperationDefinition/Patient-match",
    "$process-message": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
}


def capabilities(call: Call) -> Answer:
    """GET metadata: what this server does, as a CapabilityStatement (FHIR R4 http 3.1.0.9)."""
    statement: Resource = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": call.server.now(),
        "kind": "instance",
        "software": {"name": "ecm-adapter"},
        "implementation": {"description": "ECM adapter FHIR API", "url": call.base},
        "fhirVersion": "4.0.1",
        "format": [JSON, XML],
        "rest": [_rest(call.server.actions, call.server.settings.versioned)],
    }
    return Answer(200, statement)


def _rest(actions: tuple[Action, ...], versioned: frozenset[str]) -> dict[str, Any]:
    whole = [action.name for action in actions if action.path == f"/{action.name}"]
    shared = [action for action in actions if action.name not in whole]
    names = list(dict.fromkeys(one.name for one in shared if "$" not in one.path or _of_any(one)))
    system = [{"code": name} for name in _SYSTEM if "transaction" in names]
    return {
        "mode": "server",
        "security": {"description": "a bearer token, unless bound to loopback only"},
        "resource": [
            _resource(kind, [*names, *_own(shared, kind)], kind in versioned) for kind in kinds()
        ],
        "interaction": system,
        "operation": [_operation(name) for name in whole],
    }


def _of_any(action: Action) -> bool:
    """An operation of every type."""
    return "{kind}" in action.path


def _own(actions: list[Action], kind: str) -> list[str]:
    """The operations of one type only."""
    return [action.name for action in actions if action.path == f"/{kind}/{action.name}"]


def _operation(name: str) -> dict[str, Any]:
    return {"name": name.removeprefix("$"), "definition": _OPERATIONS[name]}


def _resource(kind: str, names: list[str], versioned: bool) -> dict[str, Any]:
    shared = [name for name in names if name not in _SYSTEM and name != "capabilities"]
    row: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": name} for name in shared if not name.startswith("$")],
        "versioning": "versioned-update" if versioned else "versioned",
        **_FACTS,
    }
    if includes(kind):
        row["searchInclude"] = list(includes(kind))
    row["searchParam"] = list(parameters(kind))
    operations = [name for name in shared if name.startswith("$")]
    row["operation"] = [_operation(name) for name in operations]
    return row
