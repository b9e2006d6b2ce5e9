"""What a map writes beside the values of a row: constants, wherever their place exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapter.mapping.model import Map, Rule
from adapter.mapping.paths import constant
from adapter.mapping.run import Draft

Beside = Callable[[Mapping[str, Draft | None]], None]
SlotKey = tuple[tuple[str, ...], int]


def beside(item: Map) -> Beside:
    """The function that writes all constants of a map into its draft, if the row made one."""
    name = item.name
    writes = [_write(rule) for rule in item.rules if rule.value is not None]

    def write(drafts: Mapping[str, Draft | None]) -> None:
        draft = drafts[name]
        if draft is not None and not draft.urn:
            for function in writes:
                function(draft)

    return write


def _write(rule: Rule) -> Callable[[Draft], None]:
    """A row has no repetitions: a slot is there once or not at all."""
    steps = rule.to.steps
    if len(steps) == 2 and steps[0].slot and steps[1].slot is None:
        return _in_slot(((steps[0].key, steps[0].slot), 0), steps[1].key, rule.value)
    return constant(rule.to, rule.value)


def _in_slot(slot: SlotKey, key: str, value: Any) -> Callable[[Draft], None]:
    def write(draft: Draft) -> None:
        element = draft.slots.get(slot)
        if element is not None:
            element[key] = value

    return write
