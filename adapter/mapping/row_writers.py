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
from adapter.mapping.run import Draft, Run
from adapter.mapping.steps import open_draft

Write = Callable[[Run, Any], None]
Open = Callable[[Run], Draft]


def writer(item: Map, rule: Rule, by_piece: bool) -> Write:
    """The function that writes a rule's value into its draft, made by the first value.

    `by_piece`: an empty cell leaves alone what other cells said of a list or object.
    """
    new, steps = open_draft(item), rule.to.steps
    tell = pieces.teller(item, rule) if by_piece else pieces.whole(rule)
    first = steps[0]
    if first.slot is None and len(steps) == 1:
        return _scalar(item.name, new, first.key)
    if by_piece and first.slot == "" and len(steps) == 1:
        return _append(item.name, new, first.key, rule.source)
    if by_piece and first.slot and len(steps) == 2 and steps[1].slot is None:
        dot = "." if pieces.several(item, rule) else ""
        return _in_slot((item.name, new), (first.key, first.slot), dot, steps[1].key)
    return _other(item, rule, new, tell)


def _scalar(name: str, new: Open, key: str) -> Write:
    def write(run: Run, value: Any) -> None:
        draft = run.drafts[name] or new(run)
        if value is CLEAR:
            draft.cleared.append(key)
            return
        draft.resource[key] = value
        draft.origins.append((run.line, key, run.label))

    return write


def _append(name: str, new: Open, key: str, source: str) -> Write:
    element = f"{key}/{source}"

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


def _in_slot(target: tuple[str, Open], slot: tuple[str, str], dot: str, child: str) -> Write:
    (name, new), (key, _) = target, slot
    place, piece = (slot, 0), slot[1] + dot
    element = f"{key}/{piece}{child if dot else ''}"

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
        item[child] = value
        draft.origins.append((run.line, element, run.label))

    return write


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
