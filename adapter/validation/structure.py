"""R4 structure: profiles/r4.json compiled, type by type on first use, into plain functions.

A rule takes a value and returns None when it is sound; paths are only made for what is not.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from adapter.validation import bindings, extensions, links, lists, primitives, profiles, r4
from adapter.validation.faults import DEPTH, Fault, Json, Link, Rule, Walk, below, element
from adapter.validation.invariants import Invariant
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test
from adapter.validation.r4 import Groups, Row
from adapter.validation.resource_invariants import INVARIANTS

Whole = Callable[[Json, list[Fault] | None], list[Fault] | None]


class Parts(NamedTuple):
    """The elements of a type: quick tests of single primitives, and rules that know what to say."""

    tests: dict[str, Test]
    rules: dict[str, Rule]


_EMPTY = [Fault("", "resource-structure", "ele-1: an object without content")]
_TOO_DEEP = Fault("", "resource-structure", f"nested deeper than {DEPTH} levels")
_built: dict[str, Rule] = {}  # every type compiled so far; written under the lock only
_ready: dict[str, Rule] = {}  # the resources among them whose whole graph is compiled
_lock = Lock()
_CODINGS = 50_000  # sound Codings that are remembered


def inspect(node: Any, depth: int = 0) -> tuple[list[Fault], list[Link]]:
    """All faults of a resource, profile included, and its References for who knows the unit."""
    walk = Walk(depth)
    found = list(_contained(node, walk) or ())
    if not found:
        found += profiles.faults(node, walk)
    if isinstance(node, dict):
        found += links.faults(node, walk.links)
    return found, walk.links


def _independent(node: Any, walk: Walk) -> list[Fault] | None:
    """A resource in a Bundle or Parameters: its references are its own affair."""
    return inspect(node, walk.depth)[0] or None


def _contained(node: Any, walk: Walk) -> list[Fault] | None:
    """A resource by its resourceType; its References are left in `walk.links`."""
    if not isinstance(node, dict):
        return [Fault("", "datatype", "a resource is expected")]
    kind = node.get("resourceType")
    rule = (_ready.get(kind) or _compiled(kind)) if isinstance(kind, str) else None
    if rule is None:
        return [Fault(".resourceType", "resource-type", "R4 has no resource of this type")]
    if walk.depth >= DEPTH:
        return [_TOO_DEEP]
    walk.depth += 1
    found = rule(node, walk)
    walk.depth -= 1
    return found


def _compiled(kind: str) -> Rule | None:
    """The rule of a resource type, made on its first use; None when R4 has no such type."""
    if kind not in r4.resources():
        return None
    with _lock:
        _ready[kind] = _type_rule(kind)
    return _ready[kind]


# -- types ----------------------------------------------------------------------------------------


def _type_rule(name: str) -> Rule:
    """Compile a type and all it reaches; one that is met again on the way is in `_built`."""
    if name not in _built:
        parts = Parts({}, {"resourceType": _sound} if name in r4.resources() else {})
        check = _object_rule(name, parts)
        check = extensions.checked(check) if name == "Extension" else check
        check = _remembered(check) if name == "Coding" else check
        _built[name] = _bounded(check) if name in r4.loops() else check
        for key, row in r4.types()[name].items():
            _add_element(key, row, parts)
    return _built[name]


def _remembered(rule: Rule) -> Rule:
    """Codings are few and repeat: one of texts only that was sound is not asked again."""
    sound: set[tuple[tuple[str, str], ...]] = set()

    def check(node: Any, walk: Walk) -> list[Fault] | None:
        try:
            key = tuple(node.items())
            if key in sound:
                return None
        except (AttributeError, TypeError):  # no object, or with something inside
            return rule(node, walk)
        found = rule(node, walk)
        if found is None and all(type(value) is str for value in node.values()):
            if len(sound) >= _CODINGS:
                sound.clear()
            sound.add(key)
        return found

    return check


def _bounded(rule: Rule) -> Rule:
    def check(value: Any, walk: Walk) -> list[Fault] | None:
        if walk.depth >= DEPTH:
            return [_TOO_DEEP]
        walk.depth += 1
        found = rule(value, walk)
        walk.depth -= 1
        return found

    return check


def _saying(fault: Fault) -> Rule:
    return lambda _value, _walk: [fault]


def _sound(_value: Any, _walk: Walk) -> None:
    return None


def _object_rule(name: str, parts: Parts) -> Rule:
    test_of, rule_of = parts.tests.get, parts.rules.get
    shape = [Fault("", "datatype", f"an object ({name}) is expected")]
    unknown = _saying(Fault("", "element-unknown", f"no such element in {name}"))
    whole = _whole_rule(name)

    def check(node: Any, walk: Walk) -> list[Fault] | None:
        if not isinstance(node, dict) or not node:
            return _EMPTY if node == {} else shape
        faults: list[Fault] | None = None
        for key, value in node.items():
            test = test_of(key)
            if test is not None:
                try:
                    if test(value):
                        continue
                except TypeError:  # not text at all; the rule says so
                    pass
            rule = rule_of(key, unknown)
            found = once(rule, value, walk) if type(value) in FIXED else rule(value, walk)
            if found is not None:
                faults = (faults or []) + _below_key(node, key, found)
        return faults if whole is None else whole(node, faults)

    return check


def _whole_rule(name: str) -> Whole | None:
    """What an object must have, what excludes one another, and its invariants; None if nothing."""
    table = r4.types()[name]
    required = frozenset(key for key, row in table.items() if row[1] and not key.endswith("[x]"))
    groups, invariants = r4.groups(table), _invariants(name)
    if not (required or groups or invariants):
        return None
    needed = tuple(group for group in groups if table[group[0]][1])
    return _whole_check((required, needed), groups, invariants)


def _whole_check(
    least: tuple[frozenset[str], Groups], groups: Groups, invariants: tuple[Invariant, ...]
) -> Whole:
    required, needed = least
    room = len(required) + 2  # fewer elements have no room for two of one choice

    def check(node: Json, faults: list[Fault] | None) -> list[Fault] | None:
        if needed or not required <= node.keys():
            faults = (faults or []) + _missing(node, required, needed)
        for group, names in groups if len(node) >= room else ():
            if len(names.intersection(node)) > 1:
                faults = (faults or []) + _twice(group)
        if faults:
            return faults
        for invariant in invariants:
            if not invariant.holds(node):
                return _broken(invariants, node)
        return None

    return check


def _twice(group: str) -> list[Fault]:
    return [Fault(f".{group[:-3]}", "cardinality", f"only one of {group} is allowed")]


def _broken(invariants: tuple[Invariant, ...], node: Json) -> list[Fault]:
    broken = (invariant for invariant in invariants if not invariant.holds(node))
    return [Fault("", "invariant", f"{key}: {human}") for key, human, _ in broken]


def _invariants(name: str) -> tuple[Invariant, ...]:
    own = INVARIANTS.get(name, ())
    holds_others = name in r4.resources() and "contained" in r4.types()[name]
    return (*own, *INVARIANTS["DomainResource"]) if holds_others else own


def _missing(node: Json, required: frozenset[str], needed: Groups) -> list[Fault]:
    """Required elements that are neither there nor stood in for by `_name`."""
    there = {str(key).removeprefix("_") for key in node}
    single = [key for key in sorted(required) if key not in there]
    choice = [group[:-3] for group, names in needed if names.isdisjoint(there)]
    return [Fault(f".{key}", "required", f"{key} is required") for key in (*single, *choice)]


def _below_key(node: Json, key: str, found: list[Fault]) -> list[Fault]:
    """Faults of an element; a null in `name` that has an extension in `_name` is none, nor the
    other way round."""
    if any(fault.detail == "null" for fault in found):
        beside = node.get(key[1:] if key[0] == "_" else f"_{key}")
        others = beside if isinstance(beside, list) else []
        excused = {f"[{i}]" for i, other in enumerate(others) if other is not None}
        found = [_not_null(f) for f in found if f.detail != "null" or f.path not in excused]
    return below(element(key), found)


def _not_null(fault: Fault) -> Fault:
    return fault._replace(detail="datatype") if fault.detail == "null" else fault


# -- elements -------------------------------------------------------------------------------------


def _add_element(key: str, row: Row, parts: Parts) -> None:
    pairs = r4.choices(key, row[0]) if key.endswith("[x]") else [(key, row[0][0])]
    for name, kind in pairs:
        if kind in primitives.TESTS:
            _add_primitive(name, kind, row, parts)
            continue
        rule = _value_rule(key, kind, row)
        parts.rules[name] = rule if row[2] == "1" else lists.objects(rule, row[2])


def _add_primitive(name: str, kind: str, row: Row, parts: Parts) -> None:
    test, fault = primitives.TESTS[kind][0], primitives.fault(kind)
    if len(row) > 3 and row[3]:
        test, fault = bindings.test(row[3], test), bindings.fault(row[3])
    rule, beside = primitives.rule(test, fault), _type_rule("Element")
    if row[2] == "1":
        parts.tests[name], parts.rules[name], parts.rules["_" + name] = test, rule, beside
    else:
        parts.rules[name] = lists.primitives(test, rule, row[2])
        parts.rules["_" + name] = lists.beside(beside)


def _value_rule(key: str, kind: str, row: Row) -> Rule:
    if kind == "Resource":
        return _contained if key == "contained" else _independent
    rule = _type_rule(kind)
    if kind == "Reference":
        return _reference_rule(rule, frozenset(row[4] if len(row) > 4 else ()))
    return bindings.bound(kind, row[3], rule) if len(row) > 3 and row[3] else rule


def _reference_rule(rule: Rule, targets: frozenset[str]) -> Rule:
    def check(value: Any, walk: Walk) -> list[Fault] | None:
        if isinstance(value, dict) and len(value) == 1:  # an urn of this unit and nothing else
            urn = value.get("reference")
            if type(urn) is str and urn[:9] == "urn:uuid:" and urn.isprintable():
                walk.links.append(Link(value, targets))
                return None
        found = rule(value, walk)
        if found is None:
            walk.links.append(Link(value, targets))
        return found

    return check
