"""What a row says of an element piece by piece, so that an empty cell leaves the others' pieces be.

A piece is named by its slot (`address[home]`) or by the field that is appended (`telecom[]` from
`phone_cell`). A slot that several fields fill is taken apart by its elements: `home.city`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter.mapping.model import Map, Rule
from adapter.mapping.run import Draft

CLEAR: Any = object()  # what a converter gives when its cell says that there is none
Tell = Callable[[Draft, Any, int, str], None]


def teller(item: Map, rule: Rule) -> Tell:
    """The function that notes, after a rule wrote a value, which piece came from which field.

    It is given the draft, the value, the line and the field's label.
    """
    root, slot = rule.to.steps[0]
    if slot is None and (len(rule.to.steps) == 1 or not several(item, rule)):
        return whole(rule)
    split = slot != "" and several(item, rule)
    name = rule.source if slot == "" else f"{slot or ''}{'.' if split else ''}"
    leaf = rule.to.steps[1].key if split and len(rule.to.steps) > 1 else ""
    return _of_item(root, name, leaf) if slot is not None else _of_object(root, leaf)


def several(item: Map, rule: Rule) -> bool:
    """Whether other fields write to the same slot, or object, as the rule."""
    first = rule.to.steps[0]
    return len({one.source for one in item.rules if one.source and one.to.steps[0] == first}) > 1


def whole(rule: Rule) -> Tell:
    """The function for an element that is told as a whole."""
    root = rule.to.root

    def tell(draft: Draft, value: Any, line: int, label: str) -> None:
        if value is CLEAR:
            draft.cleared.append(root)
        else:
            draft.origins.append((line, root, label))

    return tell


def _of_object(root: str, leaf: str) -> Tell:
    element = f"{root}/.{leaf}"

    def tell(draft: Draft, value: Any, line: int, label: str) -> None:
        if value is CLEAR:
            draft.cleared.append(element)
            return
        draft.parts[root] = ["."]
        draft.origins.append((line, element, label))

    return tell


def _of_item(root: str, name: str, leaf: str) -> Tell:
    element = f"{root}/{name}{leaf}"

    def tell(draft: Draft, value: Any, line: int, label: str) -> None:
        if value is CLEAR:
            draft.cleared.append(element)
            return
        names = draft.parts.get(root)
        if names is None:
            names = draft.parts[root] = []
        while len(names) < len(draft.resource[root]):
            names.append(name)
        if leaf or name[-1] != "." or not isinstance(value, dict):
            draft.origins.append((line, element, label))
        else:
            draft.origins += [(line, element + key, label) for key in value]

    return tell
