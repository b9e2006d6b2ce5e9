"""An object as a whole: what it must have, what excludes one another, and its invariants."""

from __future__ import annotations

from typing import NamedTuple

from adapter.validation import r4
from adapter.validation.faults import Fault, Json
from adapter.validation.invariants import BY_NAMES, Invariant
from adapter.validation.r4 import Groups
from adapter.validation.resource_invariants import INVARIANTS


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


def by_names(of: Whole, node: Json) -> bool:
    """Whether an object keeps what its elements alone decide."""
    if misfit(of, node):
        return False
    return all(one.holds(node) for one in of.invariants if one.holds in BY_NAMES)


def asked(of: Whole, node: Json) -> list[Invariant]:
    """The invariants that ask values of objects with a node's elements."""
    return [
        one
        for one in of.invariants
        if one.holds not in BY_NAMES and (not one.about or one.about in node)
    ]
