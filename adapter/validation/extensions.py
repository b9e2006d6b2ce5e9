"""HL7's own extensions (profiles/r4-extensions.json): the type of their value and its codes."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter import data
from adapter.validation import bindings
from adapter.validation.faults import Fault, Rule, Walk


@cache
def known() -> dict[str, list[Any]]:
    """`url: [types of the value, required value set]`; a type has a capital as in `valueCode`."""
    found = data.json(data.path("profiles", "r4-extensions.json"))["extensions"]
    return {url: _named(*row) for url, row in found.items()}


def _named(kinds: list[str], value_set: str) -> list[Any]:
    return [frozenset("value" + kind[0].upper() + kind[1:] for kind in kinds), value_set]


def checked(rule: Rule) -> Rule:
    """The rule of Extension with what is known of its url added."""
    table = known()

    def check(value: Any, walk: Walk) -> list[Fault] | None:
        found = rule(value, walk)
        if found is not None or (row := table.get(value.get("url"))) is None:
            return found
        return _fault(value, *row)

    return check


def fits(value: Any) -> bool:
    """Whether an Extension of sound structure holds what is known of its url."""
    row = known().get(value.get("url"))
    return row is None or _fault(value, *row) is None


def _fault(value: Any, names: frozenset[str], value_set: str) -> list[Fault] | None:
    there = [key for key in value if key.startswith("value")]
    if not names.issuperset(there):
        return [Fault("", "datatype", "the extension has a value of another type")]
    allowed = bindings.pairs(value_set) if value_set else None
    if not there or allowed is None or _within(value[there[0]], allowed):
        return None
    return [Fault(f".{there[0]}", "binding", bindings.fault(value_set)[0].text)]


def _within(value: Any, allowed: frozenset[tuple[str, str]]) -> bool:
    if isinstance(value, dict):
        return bindings.holds(value, allowed)
    return any(code == value for _, code in allowed)
