"""What a rule finds: a place below the checked node, and how findings become issues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from adapter.issues import Issue

Json = dict[str, Any]
DEPTH = 40  # objects inside one another; more is hostile or a loop
LIMIT = 500  # issues of one resource; one more says that there are others


class Fault(NamedTuple):
    """One finding; `path` is what follows the checked node's own path (`.name[0].family`)."""

    path: str
    detail: str
    text: str


# A Reference met on the way, and the types that it may lead to; none of them: any.
Link = tuple[Json, frozenset[str]]
# One that is an urn of this unit and nothing else, with its urn before it.
Urn = tuple[str, Json, frozenset[str]]


class Walk:
    """What one check carries along: how deep it is, and the References of this resource."""

    __slots__ = ("depth", "links", "urns")

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.links: list[Link] = []
        self.urns: list[Urn] = []

    def note(self, value: Json, targets: frozenset[str]) -> None:
        """Note a Reference of sound structure."""
        urn = value.get("reference", "") if len(value) == 1 else ""
        if urn[:9] == "urn:uuid:":
            self.urns.append((urn, value, targets))
        else:
            self.links.append((value, targets))


Rule = Callable[[Any, Walk], list[Fault] | None]
"""Checks one value; None when it is sound (the fast answer), else what is wrong with it."""

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,40}").fullmatch


def element(key: object) -> str:
    """A path step for a key of the input; a key that is no name is not repeated."""
    return f".{key}" if isinstance(key, str) and _NAME(key) else ".?"


def below(step: str, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a child, seen from its parent."""
    return [Fault(step + path, detail, text) for path, detail, text in faults]


def issues(root: str, faults: list[Fault]) -> list[Issue]:
    """As issues with whole FHIRPaths, one of a kind at a place, at most LIMIT of them."""
    if not faults:
        return []
    found = [Issue("error", f.detail, f.text, path=root + f.path) for f in dict.fromkeys(faults)]
    if len(found) <= LIMIT:
        return found
    more = Issue("error", "too-costly", "more issues than are listed", path=root)
    return [*found[:LIMIT], more]
