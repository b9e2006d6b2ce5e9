"""What an element function gives back: a value, and the resource elements it was made from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from adapter.record import Resource
from adapter.reports.facts import Facts

Value = str | int | bool | date | datetime | None


class Found(NamedTuple):
    """A value (None: nothing to tell), and the elements it was made from (`Patient/x#name`)."""

    value: Value
    refs: tuple[str, ...] = ()


NOTHING = Found(None)
Element = Callable[[Facts], Found]


def of(resource: Resource | None, element: str, value: Any) -> Found:
    """A value of a resource's element; nothing when the resource or the value is absent."""
    if resource is None or value in (None, ""):
        return NOTHING
    return Found(value, (f"{resource['resourceType']}/{resource['id']}#{element}",))
