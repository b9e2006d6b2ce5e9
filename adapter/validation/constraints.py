"""What a profile says of an element, compiled into functions that check a node of sound structure.

Structure being sound, a key that is there has at least one value, so most minima are a set of
keys; elements that a profile only marks mustSupport cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adapter.validation import bindings
from adapter.validation.faults import Fault, Json, Rule, Walk, below
from adapter.validation.invariants import Invariant
from adapter.validation.once import FIXED, once

Check = Callable[[Json, Walk], list[Fault]]
Member = Callable[[Any], bool]
Values = list[tuple[str, Any]]
_NONE: list[Fault] = []  # nothing is wrong; never added to


@dataclass(slots=True)
class Node:
    """What a profile says of one element: its own rules, its children and its slices."""

    name: str
    least: int = 0
    most: int | None = None
    exact: Any = None
    pattern: Any = None
    codes: frozenset[tuple[str, str]] | None = None
    value_set: str = ""
    kinds: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    rules: tuple[Invariant, ...] = ()
    paths: tuple[str, ...] = ()
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)


def inside(node: Node) -> Check:
    """The check of an object: its invariants, what it must have, and each constrained child.

    What follows from which elements are there is found once for objects of the same elements.
    """
    rules, plan_of = node.rules, _planner(node)
    plans: dict[tuple[str, ...], Plan] = {}

    def made(value: Json) -> Plan:
        if len(plans) >= _PLANS:
            plans.clear()
        plan = plans[tuple(value)] = plan_of(value)
        return plan

    def check(value: Any, walk: Walk) -> list[Fault]:
        if not isinstance(value, dict):
            return _NONE  # of a choice
        faults, checks = plans.get(tuple(value)) or made(value)
        if rules:
            faults = [*faults, *_broken(rules, value)]
        for each in checks:
            if found := each(value, walk):
                faults = [*faults, *found]
        return faults

    return check


def _broken(rules: Iterable[Invariant], value: Json) -> list[Fault]:
    return [
        Fault("", "profile", f"{rule.key}: {rule.human}") for rule in rules if not rule.holds(value)
    ]


# What is wrong with objects of the same elements, and the checks of those that are there.
Plan = tuple[list[Fault], tuple[Check, ...]]
_PLANS = 1_000  # sets of elements that are remembered


def _planner(node: Node) -> Callable[[Json], Plan]:
    checks = [(child.name, c) for child in node.children.values() if (c := _child(child))]
    required = frozenset(
        child.name
        for child in node.children.values()
        if child.least == 1 and not child.name.endswith("[x]")
    )

    def plan(value: Json) -> Plan:
        faults = [] if required <= value.keys() else _missing(value, required)
        there = []
        for name, check in checks:
            if _there(name, value):
                there.append(check)
            else:
                faults += check({}, Walk())
        return faults, tuple(there)

    return plan


def _there(name: str, value: Json) -> bool:
    """Whether an object has an element, or one of a choice; `_name` counts for these."""
    if not name.endswith("[x]"):
        return name in value
    return any(key.lstrip("_").startswith(name[:-3]) for key in value)


def _missing(value: Json, required: frozenset[str]) -> list[Fault]:
    return [
        Fault(f".{key}", "profile", f"{key} is required by the profile")
        for key in sorted(required)
        if key not in value and f"_{key}" not in value
    ]


def _child(node: Node) -> Check | None:
    """The check of one element within its parent; None when nothing but its minimum is said."""
    if node.name.endswith("[x]"):
        return _choice(node)
    rule, slices, most = _value(node), _slices(node), node.most
    if rule is None and slices is None and most is None:
        return None
    name, step, most_of = node.name, "." + node.name, _most(node)

    def check(parent: Json, walk: Walk) -> list[Fault]:
        value = parent.get(name)
        if value is None and slices is None:
            return _NONE
        values = value if isinstance(value, list) else [] if value is None else [value]
        faults = _NONE if rule is None else _of_each(rule, step, value, values, walk)
        if len(values) > most_of:
            faults = [Fault(step, "profile", f"at most {most}"), *faults]
        if slices is not None and (wrong := slices(values, walk)):
            faults = [*faults, *below(step, wrong)]
        return faults

    return check


def _of_each(rule: Rule, step: str, value: Any, values: list[Any], walk: Walk) -> list[Fault]:
    faults = _NONE
    for index, each in enumerate(values):
        if found := _asked(rule, each, walk):
            faults = [*faults, *below(_step(step, value, index), found)]
    return faults


def _step(step: str, value: Any, index: int) -> str:
    return f"{step}[{index}]" if isinstance(value, list) else step


def _choice(node: Node) -> Check | None:
    """A choice element: at least or at most one, of the types the profile leaves."""
    stem, least, most, kinds = node.name[:-3], node.least, node.most, node.kinds
    rule = _value(node)
    if not least and most != 0 and not kinds and rule is None:
        return None

    def check(parent: Json, walk: Walk) -> list[Fault]:
        keys = [key for key in parent if key.startswith(stem) and key[len(stem) :][:1].isupper()]
        if not keys:
            absent = least and not any(key.startswith("_" + stem) for key in parent)
            return [Fault("." + stem, "profile", f"{stem} is required")] if absent else []
        kind = keys[0][len(stem) :].lower()
        if most == 0 or (kinds and kind not in kinds):
            return [Fault("." + stem, "profile", "this type is not allowed here")]
        return below("." + stem, (rule and rule(parent[keys[0]], walk)) or [])

    return check


def _value(node: Node) -> Rule | None:
    """The rule of one value; None when the profile says nothing of it."""
    checks = [c for c in (_exact(node), _codes(node), _targets(node), _deeper(node)) if c]
    if len(checks) < 2:
        return checks[0] if checks else None

    def rule(value: Any, walk: Walk) -> list[Fault]:
        return [fault for check in checks for fault in check(value, walk) or ()]

    return rule


def _exact(node: Node) -> Rule | None:
    if node.exact is None and node.pattern is None:
        return None
    fits, fault = _member(node), [Fault("", "profile", f"{node.name} has a fixed value here")]
    return lambda value, _walk: None if fits(value) else fault


def _codes(node: Node) -> Rule | None:
    if node.codes is None:
        return None
    fits, fault = _in_set(node.codes), bindings.fault(node.value_set)
    return lambda value, _walk: None if fits(value) else fault


def _targets(node: Node) -> Rule | None:
    targets = node.targets
    if not targets:
        return None

    def rule(value: Any, walk: Walk) -> None:
        walk.note(value, targets)

    return rule


def _deeper(node: Node) -> Rule | None:
    if not node.children and not node.rules:
        return None
    return inside(node)


# -- slices ---------------------------------------------------------------------------------------


def _slices(node: Node) -> Callable[[list[Any], Walk], list[Fault]] | None:
    if not node.slices:
        return None
    rules = {name: _value(part) for name, part in node.slices.items()}
    counted = tuple((n, p.least, _most(p)) for n, p in node.slices.items() if p.least or p.most)
    select, needed = _selector(node), any(least for _, least, _ in counted)

    def check(values: list[Any], walk: Walk) -> list[Fault]:
        faults: list[Fault] = []
        met: list[str] = []
        for index, value in enumerate(values):
            for name in select(value):
                met.append(name)
                if (rule := rules[name]) is not None and (found := _asked(rule, value, walk)):
                    faults += below(f"[{index}]", found)
        return faults + _miscounted(met, counted) if counted and (met or needed) else faults

    return check


def _asked(rule: Rule, value: Any, walk: Walk) -> list[Fault] | None:
    if type(value) not in FIXED:
        return rule(value, walk)
    return None if value.sure is rule else once(rule, value, walk)


def _miscounted(met: list[str], counted: tuple[tuple[str, int, int], ...]) -> list[Fault]:
    return [
        Fault("", "profile", f"too few or too many of slice {name}")
        for name, least, most in counted
        if not least <= met.count(name) <= most
    ]


def _most(node: Node) -> int:
    return 10**9 if node.most is None else node.most


def _selector(node: Node) -> Callable[[Any], tuple[str, ...]]:
    """The slices that a value belongs to; by a table where one fixed text tells them apart."""
    path = node.paths[0]
    parts = {name: part.children.get(path, part) for name, part in node.slices.items()}
    if len(node.paths) == 1 and all(isinstance(part.exact, str) for part in parts.values()):
        by_text = {part.exact: (name,) for name, part in parts.items()}
        return lambda value: by_text.get(value.get(path), ())
    members = {name: _part(node, part) for name, part in node.slices.items()}
    return lambda value: tuple(name for name, fits in members.items() if fits(value))


def _part(node: Node, part: Node) -> Member:
    """Whether a value belongs to a slice, by the discriminators of the sliced element."""
    tests = [_at(path, part) for path in node.paths]
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _at(path: str, part: Node) -> Member:
    if path == "$this":
        return _kept(_member(part))
    fits = _kept(_member(part.children[path]))
    return lambda value: path in value and fits(value[path])


def _kept(fits: Member) -> Member:
    """A test whose answer for a value that never changes is kept with the value."""

    def ask(value: Any) -> bool:
        if type(value) not in FIXED:
            return fits(value)
        answer = value.answers.get(fits)
        if answer is None:
            answer = fits(value)
            value.answers = {**value.answers, fits: answer}
        return bool(answer)

    return ask


def _member(node: Node) -> Member:
    if node.exact is not None:
        return lambda value: bool(value == node.exact)
    if node.pattern is not None:
        return lambda value: _fits(node.pattern, value)
    return _in_set(node.codes or frozenset())


def _in_set(codes: frozenset[tuple[str, str]]) -> Member:
    texts = frozenset(code for _, code in codes)
    return lambda value: bindings.holds(value, codes) if isinstance(value, dict) else value in texts


def _fits(pattern: Any, value: Any) -> bool:
    """Whether a value has at least what the pattern has (FHIR: pattern[x])."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and _fits(part, value[key]) for key, part in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(_fits(p, v) for v in value) for p in pattern)
    return bool(pattern == value)
