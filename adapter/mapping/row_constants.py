"""What a map writes beside the values of a row: constants, wherever their place exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter.constant import fixed
from adapter.mapping.model import Map, Rule
from adapter.mapping.paths import Target, putter
from adapter.mapping.run import Draft

Write = Callable[[Draft], None]
_DAYS = frozenset({"us_date", "end_date"})
_MOST = 16_384  # objects of one element that are remembered
SlotKey = tuple[tuple[str, ...], int]


def beside(item: Map, whole: bool) -> list[Write]:
    """The functions that write the constants of a map into its draft.

    `whole`: a slot of one field is written with its constants, so nothing is left to write there.
    """
    done = {rule.to.steps[0] for rule in item.rules if whole and in_one(item, rule) is not None}
    constants = (rule for rule in item.rules if rule.value is not None)
    writes = [_write(rule) for rule in constants if rule.to.steps[0] not in done]
    return writes + [_once(key) for key in _of_days(item)] if whole else writes


def in_one(item: Map, rule: Rule) -> dict[str, Any] | None:
    """The constants beside the value of a rule that alone fills its slot or object, by element.

    None when another field or a deeper path writes there too: then no cell makes it whole.
    """
    slot = rule.to.steps[0]
    if slot.slot == "" or not rule.source:
        return None
    same = [one for one in item.rules if one.to.steps[0] == slot]
    flat = all(len(one.to.steps) == 2 and one.to.steps[1].slot is None for one in same)
    if not flat or sum(one.value is None for one in same) > 1:
        return None
    return {one.to.steps[1].key: one.value for one in same if one.value is not None}


def _of_days(item: Map) -> list[str]:
    """The objects of a map that hold nothing but dates: a period stands in many rows."""
    rules = [rule for rule in item.rules if rule.to.steps[0].slot is None]
    objects = {rule.to.root for rule in rules if len(rule.to.steps) == 2}
    other = {rule.to.root for rule in rules if rule.convert not in _DAYS}
    return sorted(objects - other)


def _once(key: str) -> Write:
    """Let equal objects of texts be one, that nobody may change."""
    known: dict[tuple[tuple[str, str], ...], Any] = {}

    def write(draft: Draft) -> None:
        inner = draft.resource.get(key)
        if inner is None:
            return
        mark = tuple(inner.items())
        one = known.get(mark)
        if one is None and len(known) < _MOST:
            one = known[mark] = fixed(inner)
        draft.resource[key] = one or inner

    return write


def _write(rule: Rule) -> Write:
    """A row has no repetitions: a slot is there once or not at all."""
    steps = rule.to.steps
    if len(steps) == 2 and steps[0].slot and steps[1].slot is None:
        return _in_slot(((steps[0].key, steps[0].slot), 0), steps[1].key, rule.value)
    return _anywhere(rule.to, rule.value)


def _in_slot(slot: SlotKey, key: str, value: Any) -> Write:
    def write(draft: Draft) -> None:
        element = draft.slots.get(slot)
        if element is not None:
            element[key] = value

    return write


def _anywhere(path: Target, value: Any) -> Write:
    """Write a constant at the top, or below a slot or object that a value has opened."""
    put, steps = putter(path), path.steps
    slots = [place for place, step in enumerate(steps[:-1]) if step.slot]
    last = slots[-1] + 1 if slots else 0
    name = tuple(text for step in steps[:last] for text in (step.key, step.slot or ""))

    def write(draft: Draft) -> None:
        if (name, 0) in draft.slots if name else _opened(draft.resource, path):
            put(draft, value, 0)

    return write


def _opened(box: Any, path: Target) -> bool:
    """Whether the objects on the way to the last step of a path are there."""
    for step in path.steps[:-1]:
        box = box.get(step.key) if isinstance(box, dict) else None
    return box is not None
