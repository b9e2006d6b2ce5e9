"""Elements that repeat: lists of objects, lists of primitives, and the lists beside those."""

from __future__ import annotations

from typing import Any

from adapter.validation.faults import Fault, Rule, Walk, below
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test

_MANY = 10**9  # as many as there are
_NULL = [Fault("", "null", "a null with nothing beside it")]


def limit(most: str) -> int:
    """How many values a list may have at most, of a `max` of the table."""
    return _MANY if most == "*" else int(most)


def objects(rule: Rule, most: str) -> Rule:
    """The rule of a list whose values have a rule; `most` is a number or `*`."""
    allowed = limit(most)
    shape = [Fault("", "cardinality", "a list is expected")]
    empty = [Fault("", "cardinality", "an empty list; leave the element out")]
    many = Fault("", "cardinality", f"at most {most} values")

    def check(values: Any, walk: Walk) -> list[Fault] | None:
        if not isinstance(values, list):
            return shape
        if len(values) == 1:
            value = values[0]
            found = once(rule, value, walk) if type(value) in FIXED else rule(value, walk)
            return None if found is None else below("[0]", found)
        if not values:
            return empty
        faults = [many] if len(values) > allowed else []
        for index, value in enumerate(values):
            found = once(rule, value, walk) if type(value) in FIXED else rule(value, walk)
            if found:
                faults += below(f"[{index}]", found)
        return faults or None

    return check


def beside(rule: Rule) -> Rule:
    """The rule of a list `_name`: ids and extensions of the values, null where there is none."""
    shape = [Fault("", "cardinality", "a list with an object is expected")]

    def check(values: Any, walk: Walk) -> list[Fault] | None:
        if not isinstance(values, list) or not any(values):
            return shape
        found = ((i, _NULL if v is None else rule(v, walk)) for i, v in enumerate(values))
        return [f for i, faults in found if faults for f in below(f"[{i}]", faults)] or None

    return check


def primitives(test: Test, rule: Rule, most: str) -> Rule:
    """A list of primitives: all tested in one go, and one by one only to say what is wrong."""
    slow = objects(_or_null(rule), most)
    allowed = limit(most)

    def check(values: Any, walk: Walk) -> list[Fault] | None:
        if isinstance(values, list) and 0 < len(values) <= allowed:
            try:
                if all(map(test, values)):
                    return None
            except TypeError:  # not text at all; the rule says so
                pass
        return slow(values, walk)

    return check


def _or_null(rule: Rule) -> Rule:
    return lambda value, walk: _NULL if value is None else rule(value, walk)
