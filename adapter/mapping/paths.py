"""Where a rule writes (`identifier[mrn].value`) and where it reads (`PID-5.7`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from adapter.constant import opened
from adapter.mapping.run import Draft

_STEP = re.compile(r"^(?P<key>_?[a-z][A-Za-z0-9]*)(?:\[(?P<slot>[a-z0-9-]*)\])?$")
_HL7 = re.compile(r"^(?P<segment>[A-Z][A-Z0-9]{2})-(?P<field>\d{1,2})(?:\.(?P<part>\d{1,2}))?$")
_PART = re.compile(r"^(?P<part>\d{1,2})(?:\.(?P<sub>\d{1,2}))?$")

Put = Callable[[Draft, Any, int], None]

# A slot of a map that several records share is each record's own: its repetitions count from here,
# times the record's line.
LINE = 1 << 20


class Step(NamedTuple):
    """One step of a target: an object (`slot` None), an append (`""`) or a named slot."""

    key: str
    slot: str | None


class Target(NamedTuple):
    """A parsed `to`: its steps; `root` is the top-level element it belongs to."""

    steps: tuple[Step, ...]

    @property
    def root(self) -> str:
        """The top-level element that it belongs to."""
        return self.steps[0].key

    @property
    def repeats(self) -> bool:
        """True when each repetition of the source yields an element of its own."""
        return any(step.slot is not None for step in self.steps)

    @property
    def named(self) -> bool:
        """True when it leads through a named slot."""
        return any(step.slot for step in self.steps)


def target(text: str) -> Target:
    """Parse a `to`. Raises ValueError when it is not a path of this grammar."""
    steps = []
    for part in text.split("."):
        match = _STEP.match(part)
        if match is None:
            raise ValueError(f"not a target path at '{part}'")
        steps.append(Step(match["key"], match["slot"]))
    return Target(tuple(steps))


def hl7_source(text: str) -> tuple[str, int, int]:
    """`PID-5.7` as (segment, field, component or 0 for the whole field). Raises ValueError."""
    match = _HL7.match(text)
    if match is None:
        raise ValueError("not a source like PID-5 or PID-5.7")
    return match["segment"], int(match["field"]), int(match["part"] or 0)


def part_source(text: str) -> tuple[int, int]:
    """`4.2` as (component, sub-component); 0 is the whole component. Raises ValueError."""
    match = _PART.match(text)
    if match is None:
        raise ValueError("not a component like 4 or 4.2")
    return int(match["part"]), int(match["sub"] or 0)


def putter(path: Target) -> Put:
    """A function that writes a value at the path of a draft, making what lies between.

    The repetition number chooses the element of a slot, so that several rules fill one element.
    """
    first, rest = path.steps[0], path.steps[1:]
    if not rest:
        return _put_root(first)
    if len(rest) == 1 and rest[0].slot is None:
        return _put_child(first, rest[0].key)
    return _put_deep(path.steps)


def _put_root(step: Step) -> Put:
    key, slot = step
    if slot is None:

        def put_value(draft: Draft, value: Any, rep: int) -> None:
            draft.resource[key] = value

        return put_value
    if slot == "":

        def put_append(draft: Draft, value: Any, rep: int) -> None:
            items = draft.resource.get(key)
            if items is None:
                draft.resource[key] = [value]
            elif type(items) is list:
                items.append(value)
            else:
                opened(draft.resource, key).append(value)

        return put_append

    def put_slot(draft: Draft, value: Any, rep: int) -> None:
        draft.slot(draft.resource, key, (key, slot), rep).update(value)

    return put_slot


def _put_child(step: Step, child: str) -> Put:
    key, slot = step
    if slot is None:

        def put_object(draft: Draft, value: Any, rep: int) -> None:
            inner = draft.resource.get(key)
            if inner is None:
                draft.resource[key] = {child: value}
            elif type(inner) is dict:
                inner[child] = value
            else:
                opened(draft.resource, key)[child] = value

        return put_object
    if slot == "":

        def put_new(draft: Draft, value: Any, rep: int) -> None:
            draft.resource.setdefault(key, [])
            opened(draft.resource, key).append({child: value})

        return put_new

    name = (key, slot)

    def put_in_slot(draft: Draft, value: Any, rep: int) -> None:
        draft.slot(draft.resource, key, name, rep)[child] = value

    return put_in_slot


def _put_deep(steps: tuple[Step, ...]) -> Put:
    inner, last = steps[:-1], steps[-1]

    def put(draft: Draft, value: Any, rep: int) -> None:
        box = draft.resource
        name: tuple[str, ...] = ()
        for key, slot in inner:
            name = (*name, key, slot or "")
            box = _enter(draft, box, key, slot, name, rep)
        key, slot = last
        if slot is None:
            box[key] = value
        elif slot == "":
            box.setdefault(key, [])
            opened(box, key).append(value)
        else:
            draft.slot(box, key, (*name, key, slot), rep).update(value)

    return put


def _enter(
    draft: Draft, box: dict[str, Any], key: str, slot: str | None, name: tuple[str, ...], rep: int
) -> dict[str, Any]:
    if slot is None:
        inner = box.setdefault(key, {})
        found: dict[str, Any] = inner if type(inner) is dict else opened(box, key)
        return found
    if slot == "":
        fresh: dict[str, Any] = {}
        items = box.setdefault(key, [])
        (items if type(items) is list else opened(box, key)).append(fresh)
        return fresh
    return draft.slot(box, key, name, rep)


def _constant(path: Target, value: Any) -> Callable[[Draft], None]:
    """A function that writes a constant of no slot: wherever its parent exists."""
    put, steps = putter(path), path.steps
    if len(steps) == 1 and steps[0].slot is None:
        return _at_root(steps[0].key, value)
    if len(steps) == 1:
        return lambda draft: put(draft, value, 0)
    return _inside(put, tuple(step.key for step in steps[:-1]), value)


def _at_root(key: str, value: Any) -> Callable[[Draft], None]:
    def put_constant(draft: Draft) -> None:
        draft.resource[key] = value

    return put_constant


def _slot_name(steps: tuple[Step, ...]) -> tuple[str, ...]:
    return tuple(text for key, slot in steps for text in (key, slot or ""))


class Constants:
    """What a map writes beside sourced values: each constant wherever its parent exists."""

    def __init__(self, constants: list[tuple[Target, Any]]) -> None:
        self._plain: list[Callable[[Draft], None]] = []
        self._in_slots: dict[tuple[str, ...], list[tuple[str, Any]]] = {}  # by key
        self._below_slots: dict[tuple[str, ...], list[tuple[Put, Any]]] = {}
        for path, value in constants:
            self._add(path, value)

    def __bool__(self) -> bool:
        return bool(self._plain or self._in_slots or self._below_slots)

    def write(self, draft: Draft) -> None:
        """Write all of them into a draft, as far as their parents are there."""
        for function in self._plain:
            function(draft)
        if not (self._in_slots or self._below_slots):
            return
        for (name, rep), element in list(draft.slots.items()):
            for key, value in self._in_slots.get(name, ()):
                element[key] = value
            for put, value in self._below_slots.get(name, ()):
                put(draft, value, rep)

    def _add(self, path: Target, value: Any) -> None:
        slots = [place for place, step in enumerate(path.steps[:-1]) if step.slot]
        if not slots:
            self._plain.append(_constant(path, value))
            return
        name, last = _slot_name(path.steps[: slots[-1] + 1]), path.steps[-1]
        if last.slot is None and slots[-1] == len(path.steps) - 2:
            self._in_slots.setdefault(name, []).append((last.key, value))
        else:
            self._below_slots.setdefault(name, []).append((putter(path), value))


def _inside(put: Put, keys: tuple[str, ...], value: Any) -> Callable[[Draft], None]:
    def put_inside(draft: Draft) -> None:
        box: Any = draft.resource
        for key in keys:
            box = box.get(key) if isinstance(box, dict) else None
        if box is not None:
            put(draft, value, 0)

    return put_inside
