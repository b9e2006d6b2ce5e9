"""Objects of one type and the same elements: which may be there is asked once, values each time."""

from __future__ import annotations

from typing import NamedTuple

from adapter.validation import r4
from adapter.validation.faults import Fault, Json, Link, Rule, Walk
from adapter.validation.invariants import BY_NAMES, Holds, Invariant
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test
from adapter.validation.r4 import Groups
from adapter.validation.resource_invariants import INVARIANTS

_MOST = 1_000  # sets of elements of a type that are remembered


class Parts(NamedTuple):
    """The elements of a type: quick tests of single primitives, and rules that know what to say."""

    tests: dict[str, Test]
    rules: dict[str, Rule]


class Plan(NamedTuple):
    """What is left to ask of an object that has just these elements, each of which may be there."""

    tests: tuple[tuple[str, Test], ...]
    rules: tuple[tuple[str, Rule], ...]
    holds: tuple[Holds, ...]


class Wrong(NamedTuple):
    """Where asking by plan came to an end: an element with its faults, or none of them."""

    key: str
    faults: list[Fault]
    links: list[Link]


_SOMETHING = Wrong("", [], [])


def wrong(plan: Plan, node: Json, walk: Walk) -> Wrong | None:
    """None when an object of a plan's elements is sound; else its References are not noted yet.

    The faults of an element are kept: who tells all that is wrong does not ask for them again,
    level by level.
    """
    tests, rules, invariants = plan
    try:
        for key, test in tests:
            if not test(node[key]):
                return _SOMETHING
    except TypeError:  # not text at all
        return _SOMETHING
    before = len(walk.links)
    for key, rule in rules:
        value, met = node[key], len(walk.links)
        found = once(rule, value, walk) if type(value) in FIXED else rule(value, walk)
        if found is not None:
            own = walk.links[met:]
            del walk.links[before:]
            return Wrong(key, found, own)
    for holds in invariants:
        if not holds(node):
            del walk.links[before:]
            return _SOMETHING
    return None


class Plans(dict[tuple[str, ...], Plan]):
    """The plans of a type by the elements that an object has, in their order."""

    def __init__(self, name: str, parts: Parts) -> None:
        super().__init__()
        self._parts, self._whole = parts, whole(name)

    def made(self, node: Json) -> Plan | None:
        """The plan for objects with a node's elements; None where these alone are wrong."""
        tests, rules = self._parts
        asked = self._whole.invariants
        if any(key not in rules for key in node) or misfit(self._whole, node):
            return None
        if not all(one.holds(node) for one in asked if one.holds in BY_NAMES):
            return None
        if len(self) >= _MOST:
            self.clear()
        plan = self[tuple(node)] = Plan(
            tuple((key, tests[key]) for key in node if key in tests),
            tuple((key, rules[key]) for key in node if key not in tests),
            tuple(one.holds for one in asked if _asks(one, node)),
        )
        return plan


def _asks(one: Invariant, node: Json) -> bool:
    """Whether an invariant asks values of objects with these elements."""
    return one.holds not in BY_NAMES and (not one.about or one.about in node)


# -- an object as a whole -------------------------------------------------------------------------


class Whole(NamedTuple):
    """What an object must have, what excludes one another, and its invariants."""

    required: frozenset[str]
    needed: Groups
    groups: Groups
    invariants: tuple[Invariant, ...]


def whole(name: str) -> Whole:
    """What is asked of an object of a type beside its single elements."""
    table = r4.types()[name]
    required = frozenset(key for key, row in table.items() if row[1] and not key.endswith("[x]"))
    groups = r4.groups(table)
    needed = tuple(group for group in groups if table[group[0]][1])
    return Whole(required, needed, groups, _invariants(name))


def _invariants(name: str) -> tuple[Invariant, ...]:
    own = INVARIANTS.get(name, ())
    holds_others = name in r4.resources() and "contained" in r4.types()[name]
    return (*own, *INVARIANTS["DomainResource"]) if holds_others else own


def misfit(of: Whole, node: Json) -> list[Fault]:
    """What is wrong with which elements an object has."""
    found: list[Fault] = []
    if of.needed or not of.required <= node.keys():
        found += _missing(node, of.required, of.needed)
    for group, names in of.groups:
        if len(names.intersection(node)) > 1:
            text = f"only one of {group} is allowed"
            found.append(Fault(f".{group[:-3]}", "cardinality", text))
    return found


def broken(invariants: tuple[Invariant, ...], node: Json) -> list[Fault]:
    """The invariants that an object of sound elements does not keep."""
    return [
        Fault("", "invariant", f"{one.key}: {one.human}")
        for one in invariants
        if not one.holds(node)
    ]


def _missing(node: Json, required: frozenset[str], needed: Groups) -> list[Fault]:
    """Required elements that are neither there nor stood in for by `_name`."""
    there = {str(key).removeprefix("_") for key in node}
    single = [key for key in sorted(required) if key not in there]
    choice = [group[:-3] for group, names in needed if names.isdisjoint(there)]
    return [Fault(f".{key}", "required", f"{key} is required") for key in (*single, *choice)]
