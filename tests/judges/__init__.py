"""Second opinions on FHIR: what the project emits must pass validators that are not ours.

`assert_valid(resources)` asks our own check, fhir.resources (R4B models), fhirclient (R4 models)
and, where node and ../shared are at hand, a FHIRPath validator with US Core 6.1.0 and 7.0.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from adapter.issues import Issue
from adapter.validation import check, judge
from tests.judges import client, node

Json = dict[str, Any]

__all__ = ["assert_valid", "complaints"]


def complaints(resource: Json) -> list[str]:
    """What the judges in Python say against one resource, as `judge: path: text`."""
    ours = [f"check: {line(issue)}" for issue in check(resource)]
    models = [f"fhir.resources: {line(issue)}" for issue in judge(resource)]
    return ours + models + [f"fhirclient: {text}" for text in client.complaints(resource)]


def line(issue: Issue) -> str:
    return f"{issue.path}: {issue.text}"


def assert_valid(resources: Iterable[Json]) -> None:
    """Fail with every complaint of every judge; without node only the judges in Python speak."""
    known = list({json.dumps(each): each for each in resources}.values())  # each asked of once
    found = [(r["resourceType"], text) for r in known for text in complaints(r)]
    if not found and node.missing() is None:
        found = node.complaints(known)
    assert not found, "\n".join(f"{kind}: {text}" for kind, text in sorted(set(found)))
