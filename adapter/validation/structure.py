"""R4 structure: profiles/r4.json compiled, type by type on first use, into plain functions.

A rule takes a value and returns None when it is sound; paths are only made for what is not.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from adapter.validation import (
    accept,
    bindings,
    extensions,
    links,
    lists,
    primitives,
    profiles,
    r4,
    wholes,
)
from adapter.validation.accept import Element, Extension, Object, Reference, Resource, Type
from adapter.validation.faults import DEPTH, Fault, Json, Rule, Walk, below, element
from adapter.validation.once import FIXED, once
from adapter.validation.primitives import Test
from adapter.validation.r4 import Row

_EMPTY = [Fault("", "resource-structure", "ele-1: an object without content")]
_TOO_DEEP = Fault("", "resource-structure", f"nested deeper than {DEPTH} levels")
_types: dict[str, Type] = {}
_built: dict[str, Rule] = {}  # every type compiled so far; written under the lock only
_ready: dict[str, Rule] = {}  # the resources among them whose whole graph is compiled
_lock = Lock()
_CODINGS = 50_000  # sound Codings that are remembered


def inspect(node: Any, depth: int = 0) -> tuple[list[Fault], Walk]:
    """All faults of a resource, profile included, and its References for who knows the unit."""
    walk = Walk(depth)
    wrong = None
    if depth >= DEPTH or not isinstance(node, dict) or not accept.accepts(node, walk):
        walk = Walk(depth)
        wrong = _contained(node, walk)
    found = list(wrong) if wrong else profiles.faults(node, walk)
    if isinstance(node, dict) and (walk.links or "contained" in node):
        found += links.faults(node, walk.links)
    return found, walk


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
        accept.ready(kind, _types[kind])
    return _ready[kind]


# -- types ----------------------------------------------------------------------------------------


def _type_rule(name: str) -> Rule:
    """Compile a type and all it reaches; one that is met again on the way is in `_built`."""
    if name not in _built:
        kind = _types[name] = Type(name)
        check = _object_rule(name, kind)
        check = extensions.checked(check) if name == "Extension" else check
        check = _remembered(check) if name == "Coding" else check
        _built[name] = _bounded(check) if name in r4.loops() else check
        for key, row in r4.types()[name].items():
            _add_element(key, row, kind.elements)
        kind.ready()
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


def _object_rule(name: str, kind: Type) -> Rule:
    """The rule of a type: it knows what to say of an object that was not accepted."""
    shape = [Fault("", "datatype", f"an object ({name}) is expected")]
    strange = _saying(Fault("", "element-unknown", f"no such element in {name}"))
    unknown = Element(strange, strange)
    whole, elements = kind.whole, kind.elements

    def check(node: Any, walk: Walk) -> list[Fault] | None:
        if not isinstance(node, dict) or not node:
            return _EMPTY if node == {} else shape
        faults: list[Fault] = []
        for key, value in node.items():
            element = elements.get(key, unknown)
            if element.test is not None and not element.most and _passes(element.test, value):
                continue
            rule = element.rule
            found = once(rule, value, walk) if type(value) in FIXED else rule(value, walk)
            if found is not None:
                faults += _below_key(node, key, found)
        faults += wholes.misfit(whole, node)
        return faults or wholes.broken(whole.invariants, node) or None

    return check


def _passes(test: Test, value: Any) -> bool:
    try:
        return bool(test(value))
    except TypeError:  # not text at all
        return False


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


def _add_element(key: str, row: Row, elements: dict[str, Element]) -> None:
    pairs = r4.choices(key, row[0]) if key.endswith("[x]") else [(key, row[0][0])]
    for name, kind in pairs:
        if kind in primitives.TESTS:
            _add_primitive(name, kind, row, elements)
        else:
            elements[name] = _element(kind, row, _value_rule(key, kind, row))


def _element(kind: str, row: Row, one: Rule) -> Element:
    several = row[2] != "1"
    rule = lists.objects(one, row[2]) if several else one
    most = lists.limit(row[2]) if several else 0
    if kind == "Resource":
        return Resource(rule, one, most=most)
    if kind == "Reference":
        return Reference(rule, one, _types[kind], most, _targets(row))
    if kind == "Extension":
        return Extension(rule, one, _types[kind], most)
    if kind in r4.loops() or _bound(kind, row):
        return Element(rule, one, most=most)
    return Object(rule, one, _types[kind], most)


def _bound(kind: str, row: Row) -> bool:
    """Whether an object has a required binding."""
    return kind != "Reference" and len(row) > 3 and bool(row[3])


def _targets(row: Row) -> frozenset[str]:
    return frozenset(row[4] if len(row) > 4 else ())


def _add_primitive(name: str, kind: str, row: Row, elements: dict[str, Element]) -> None:
    test, fault = primitives.TESTS[kind][0], primitives.fault(kind)
    if len(row) > 3 and row[3]:
        test, fault = bindings.test(row[3], test), bindings.fault(row[3])
    rule, beside = primitives.rule(test, fault), _type_rule("Element")
    if row[2] == "1":
        elements[name] = accept.primitive(rule, rule, test)
        elements["_" + name] = Object(beside, beside, _types["Element"], 0)
    else:
        several, most = lists.primitives(test, rule, row[2]), lists.limit(row[2])
        elements[name] = accept.primitive(several, rule, test, most)
        elements["_" + name] = Element(lists.beside(beside), beside)


def _value_rule(key: str, kind: str, row: Row) -> Rule:
    if kind == "Resource":
        return _contained if key == "contained" else _independent
    rule = _type_rule(kind)
    if kind == "Reference":
        return _reference_rule(rule, _targets(row))
    return bindings.bound(kind, row[3], rule) if _bound(kind, row) else rule


def _reference_rule(rule: Rule, targets: frozenset[str]) -> Rule:
    def check(value: Any, walk: Walk) -> list[Fault] | None:
        found = rule(value, walk)
        if found is None:
            walk.note(value, targets)
        return found

    return check
