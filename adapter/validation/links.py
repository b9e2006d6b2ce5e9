"""References inside one resource: the type each names, and contained resources (ref-1, dom-3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapter.validation.faults import Fault, Json, Link, element

_TARGET = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/.+)?$|\?)")


def target_type(reference: str) -> str | None:
    """The resource type that a literal or conditional reference names; None when it names none."""
    match = _TARGET.search(reference)
    return match.group(1) if match else None


def faults(resource: Json, links: list[Link]) -> list[Fault]:
    """What is wrong with the resource's References as far as they can be read without others."""
    inside = resource.get("contained")
    contained = _by_name(inside) if isinstance(inside, list) else {}
    found: list[Fault] = []
    for link in links:
        node, targets = link
        reference = node.get("reference", "")
        if len(node) == 1 and reference[:4] == "urn:":
            continue  # who knows the unit resolves it
        if reference[:1] == "#":
            found += _local(resource, link, contained)
        elif targets and (reference[:4] != "urn:" or "type" in node):
            kind = target_type(reference) or node.get("type", "")
            if kind.isalpha() and kind not in targets:
                found.append(wrong_target(resource, link))
    return found + _unused(resource, contained) if contained else found


def _by_name(contained: list[Any]) -> dict[str, Json]:
    return {f"#{part.get('id')}": part for part in contained if isinstance(part, dict)}


def _local(resource: Json, link: Link, contained: dict[str, Json]) -> list[Fault]:
    (node, targets), reference = link, link[0]["reference"]
    if reference == "#":
        return []
    if reference not in contained:
        text = "ref-1: no contained resource has this id"
        return [Fault(place(resource, node), "reference", text)]
    allowed = not targets or contained[reference].get("resourceType") in targets
    return [] if allowed else [wrong_target(resource, link)]


def wrong_target(resource: Json, link: Link) -> Fault:
    """The fault of a reference to a type that the element does not allow."""
    node, targets = link
    text = f"a reference to {' or '.join(sorted(targets))} is expected"
    return Fault(place(resource, node), "reference", text)


def _unused(resource: Json, contained: dict[str, Json]) -> list[Fault]:
    """dom-3: a contained resource is referred to, or refers to its container itself."""
    used = {text for text in _texts(resource) if text[:1] == "#"}
    return [
        Fault(".contained", "invariant", "dom-3: nothing refers to a contained resource")
        for name, part in contained.items()
        if name not in used and "#" not in set(_texts(part))
    ]


def _texts(root: Any) -> Iterator[str]:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def place(root: Any, wanted: Json) -> str:
    """The path from a resource to a node inside it (the same object, not an equal one)."""
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        path, node = stack.pop()
        if node is wanted:
            return path
        if isinstance(node, dict):
            stack.extend((path + element(key), value) for key, value in node.items())
        elif isinstance(node, list):
            stack.extend((f"{path}[{i}]", value) for i, value in enumerate(node))
    return ""
