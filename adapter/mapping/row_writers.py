"""Writing the value of a cell where its rule says, and noting which piece came from which field.

One closure for each shape of target: this runs for every filled cell of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter.mapping import pieces
from adapter.mapping.model import Map, Rule
from adapter.mapping.paths import putter
from adapter.mapping.pieces import CLEAR
from adapter.mapping.row_constants import in_one
from adapter.mapping.run import Draft, Run
from adapter.mapping.steps import open_draft

Write = Callable[[Run, Any], None]
Open = Callable[[Run], Draft]
Target = tuple[str, Open]  # the name of a draft, and what makes it
Set = Callable[[dict[str, Any], str, Any], None]


def writer(item: Map, rule: Rule, by_piece: bool) -> Write:
    """The function that writes a rule's value into its draft, made by the first value.

    `by_piece`: an empty cell leaves alone what other cells said of a list or object.
    """
    target, first = (item.name, open_draft(item)), rule.to.steps[0]
    if first.slot is None and len(rule.to.steps) == 1:
        return _scalar(*target, first.key)
    made = _by_piece(target, item, rule) if by_piece else None
    if made is not None:
        return made
    tell = pieces.teller(item, rule) if by_piece else pieces.whole(rule)
    return _other(item, rule, target[1], tell)


def _by_piece(target: Target, item: Map, rule: Rule) -> Write | None:
    """The function for one of the usual shapes of target; None for any other."""
    first, steps = rule.to.steps[0], rule.to.steps
    if first.slot == "" and len(steps) == 1:
        return _append(target, first.key, rule.source)
    if pieces.several(item, rule):
        return _beside_others(target, rule)
    if in_one(item, rule) is None:
        return None
    if first.slot is None:
        return _scalar(*target, first.key)
    return _element(target, first.key, first.slot)


def _beside_others(target: Target, rule: Rule) -> Write | None:
    """The function for an element or object that several fields fill; None if it lies deeper."""
    key, slot = rule.to.steps[0]
    if len(rule.to.steps) == 1:
        leaf, shape = "", "parts" if rule.build else ""
    else:
        leaf, inner = rule.to.steps[1]
        shape = "" if inner or len(rule.to.steps) > 2 else "list" if inner == "" else "value"
    if slot and shape:
        return _in_slot(target, (key, slot), leaf, _SETTERS[shape])
    return _in_object(target, key, leaf) if slot is None and shape == "value" else None


def _scalar(name: str, new: Open, key: str) -> Write:
    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(key)
            return
        draft.resource[key] = value
        draft.origins.append((run.line, key, run.label))

    return write


def _append(target: Target, key: str, source: str) -> Write:
    (name, new), element = target, f"{key}/{source}"

    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(element)
            return
        items = draft.resource.get(key)
        if items is None:
            items, draft.parts[key] = [], []
            draft.resource[key] = items
        if isinstance(value, list):
            items += value
            draft.parts[key] += [source] * len(value)
        else:
            items.append(value)
            draft.parts[key].append(source)
        draft.origins.append((run.line, element, run.label))

    return write


def _element(target: Target, key: str, piece: str) -> Write:
    """A whole element of a list, that no other field adds to."""
    (name, new), element = target, f"{key}/{piece}"

    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(element)
            return
        items = draft.resource.get(key)
        if items is None:
            draft.resource[key], draft.parts[key] = [value], [piece]
        else:
            items.append(value)
            draft.parts[key].append(piece)
        draft.origins.append((run.line, element, run.label))

    return write


def _in_object(target: Target, key: str, child: str) -> Write:
    (name, new), element = target, f"{key}/.{child}"

    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(element)
            return
        inner = draft.resource.get(key)
        if inner is None:
            draft.resource[key], draft.parts[key] = {child: value}, ["."]
        else:
            inner[child] = value
        draft.origins.append((run.line, element, run.label))

    return write


def _in_slot(target: Target, slot: tuple[str, str], child: str, set_in: Set) -> Write:
    """A part of an element that several fields fill: one of its elements, or some of them."""
    (name, new), (key, _) = target, slot
    place, piece = (slot, 0), slot[1] + "."
    element = f"{key}/{piece}{child}"

    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(element)
            return
        item = draft.slots.get(place)
        if item is None:
            item = draft.slots[place] = {}
            resource = draft.resource
            if key in resource:
                resource[key].append(item)
                draft.parts[key].append(piece)
            else:
                resource[key], draft.parts[key] = [item], [piece]
        set_in(item, child, value)
        if child:
            draft.origins.append((run.line, element, run.label))
        else:
            draft.origins += [(run.line, element + one, run.label) for one in value]

    return write


def _set_list(item: dict[str, Any], child: str, value: Any) -> None:
    more = value if isinstance(value, list) else (value,)
    if child in item:
        item[child] += more
    else:
        item[child] = [*more]


_SETTERS: dict[str, Set] = {
    "value": dict.__setitem__,
    "list": _set_list,
    "parts": lambda item, _, value: item.update(value),
}


def _other(item: Map, rule: Rule, new: Open, tell: pieces.Tell) -> Write:
    name, put = item.name, putter(rule.to)
    each = bool(rule.build) and rule.to.steps[-1].slot == ""

    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is not CLEAR:
            for one in value if each and isinstance(value, list) else (value,):
                put(draft, one, 0)
        tell(draft, value, run.line, run.label)

    return write
