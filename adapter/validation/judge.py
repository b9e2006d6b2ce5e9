"""The second judge: the R4B models of fhir.resources, for what enters at the API and in tests.

Element names of R4 and R4B are the same for the types used here (stack.md 2). The models check
neither codes nor profiles, and only the type in use is imported (0.5 s for the first).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from adapter.issues import Issue
from adapter.validation import r4
from adapter.validation.faults import element

if TYPE_CHECKING:
    from pydantic import BaseModel

# pydantic's error type -> our detail; any other is a wrong value
_DETAILS = {
    "missing": "required",
    "extra_forbidden": "element-unknown",
    "list_type": "cardinality",
    "too_long": "cardinality",
    "too_short": "cardinality",
}


def judge(resource: Any) -> list[Issue]:
    """What fhir.resources says against a resource; texts hold no value of it."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or kind not in r4.resources():
        text = "R4 has no resource of this type"
        return [Issue("error", "resource-type", text, path="Resource.resourceType")]
    from pydantic import ValidationError  # costs 0.15 s, which a conversion need not pay

    model = _model(kind)
    if model is None:
        return [Issue("error", "not-supported", f"fhir.resources has no {kind}", path=kind)]
    try:
        model.model_validate(resource)
    except ValidationError as error:
        return [_issue(kind, found) for found in error.errors(include_input=False)]
    return []


@cache
def _model(kind: str) -> type[BaseModel] | None:
    try:
        module = import_module(f"fhir.resources.R4B.{kind.lower()}")
    except ModuleNotFoundError:
        return None
    model: type[BaseModel] = getattr(module, kind)
    return model


def _issue(kind: str, found: Any) -> Issue:
    steps = (f"[{s}]" if isinstance(s, int) else element(s) for s in found["loc"])
    detail = _DETAILS.get(found["type"], "datatype")
    text = f"fhir.resources: {found['type']}"
    return Issue("error", detail, text, path=kind + "".join(steps))
