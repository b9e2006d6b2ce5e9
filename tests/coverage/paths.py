"""Finds what stands at a path of the guide, `participant[1].individual(Practitioner.name)`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]
_TOKEN = re.compile(r"[A-Za-z]+|[()]")
_INDEX = re.compile(r"\[[^\]]*\]|:[a-z-]+")


class Step(NamedTuple):
    """An element, or (`into`) the resource that a reference leads to, of this type."""

    name: str
    into: bool = False


def steps(path: str) -> list[Step]:
    """A path as steps; indices, and parentheses that nobody closed, do not count."""
    text = _INDEX.sub("", path.partition("=")[0])
    found, opened = [], False
    for token in _TOKEN.findall(text):
        if token == "(":
            opened = True
        elif token != ")":
            name = token if opened else token[0].lower() + token[1:]
            found.append(Step(name, opened))
            opened = False
    return found


def values(resources: Sequence[Json], kind: str, path: str) -> Iterator[Any]:
    """Every value at a path in the resources of a type; references inside the unit are followed."""
    by_urn = {row["fullUrl"]: row["resource"] for row in resources}
    for row in resources:
        if row["resource"]["resourceType"] == kind:
            yield from _walk([row["resource"]], steps(path), by_urn)


def _walk(found: list[Any], todo: list[Step], by_urn: dict[str, Json]) -> Iterator[Any]:
    for n, step in enumerate(todo):
        if step.into:
            found = [one for item in found if (one := _target(item, step.name, by_urn))]
        else:
            following = todo[n + 1].name if n + 1 < len(todo) else ""
            found = [one for item in found for one in _children(item, step.name, following)]
    yield from found


def _target(item: Any, kind: str, by_urn: dict[str, Json]) -> Json | None:
    reference = item.get("reference", "") if isinstance(item, dict) else ""
    resource = by_urn.get(reference)
    return resource if resource is not None and resource["resourceType"] == kind else None


def _children(item: Any, name: str, following: str) -> list[Any]:
    """The values of an element; the extensions of a primitive stand beside it, under `_name`."""
    if not isinstance(item, dict):
        return []
    value = item.get("_" + name) if following == "extension" and _plain(item, name) else None
    value = item.get(name) if value is None else value
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None]


def _plain(item: Json, name: str) -> bool:
    value = item.get(name)
    first = value[0] if isinstance(value, list) and value else value
    return not isinstance(first, dict)
