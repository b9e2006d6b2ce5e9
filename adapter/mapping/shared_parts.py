"""Plans, providers and physicians that stand in thousands of rows: made once, told in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapter.constant import fixed
from adapter.mapping import remembered
from adapter.mapping.model import Map, MapFile
from adapter.mapping.records import FieldFunction, sourced
from adapter.mapping.run import Draft, Run
from adapter.record import Entry

_SHARED = frozenset({"Location", "Organization", "Practitioner"})
_MOST = 20_000
Texts = tuple[str, ...]


class Part:
    """One map whose resource is told by cells at some places alone; `name` is the map's."""

    def __init__(self, item: Map, places: tuple[int, ...]) -> None:
        self.name, self._places = item.name, places
        self._known: dict[Texts, Draft] = {}
        self.new = False  # the row at hand has cells that were not met before

    def instead(self, step: FieldFunction) -> FieldFunction:
        """The step, or the resource made before of the same cells."""
        name, known, places = self.name, self._known, self._places

        def run_part(run: Run, text: str) -> None:
            draft = run.drafts[name]
            if draft is not None and draft.urn:
                return
            fields = run.fields
            made = known.get(tuple([fields[place] for place in places])) if not draft else None
            if made is None:
                self.new = True
                step(run, text)
                return
            run.drafts[name] = draft = _again(made, run.line)
            run.made.append(draft)

        return run_part

    def forget(self) -> None:
        """Start anew: what is the same in all rows has changed."""
        self._known.clear()

    def remember(self, run: Run, entries: Sequence[Entry]) -> None:
        """Keep what a row without any finding made, if other rows would name it the same."""
        draft, self.new = run.drafts.get(self.name), False
        if draft is None or run.issues or not (draft.identity or draft.key):
            return
        if sum(other.urn == draft.urn for other in run.made) > 1:
            return  # it holds what other cells of this row say of the same one
        texts = tuple([run.fields[place] for place in self._places])
        if len(self._known) >= _MOST:
            self._known.clear()
        weak = next(entry.weak for entry in entries if entry.urn == draft.urn)
        self._known[texts] = _kept(draft, weak)


def _kept(draft: Draft, weak: tuple[str, ...]) -> Draft:
    """The draft to be told again: its values stand in many rows, so nothing may change them."""
    kept = Draft(draft.kind, draft.name, draft.key, draft.line, fixed(draft.resource))
    kept.origins, kept.urn, kept.identity = draft.origins, draft.urn, draft.identity
    kept.parts, kept.weak = draft.parts, weak
    return kept


def _again(made: Draft, line: int) -> Draft:
    """The draft as another line tells it. What it claims to conform to is among its values."""
    draft = Draft(made.kind, made.name, made.key, line, made.resource)
    draft.origins = [(line, element, label) for _, element, label in made.origins]
    draft.urn, draft.identity = made.urn, made.identity
    draft.weak, draft.parts = made.weak, made.parts
    return draft


def loosen(run: Run) -> None:
    """Let what is shared be added to where a row has two drafts that may be of the same one."""
    drafts = [draft for draft in run.made if draft.kind in _SHARED]
    names = {draft.urn for draft in drafts}
    if "" in names or len(names) < len(drafts):
        for draft in drafts:
            draft.resource = dict(draft.resource)


def shared(file: MapFile, item: Map, index: Mapping[str, int]) -> Part | None:
    """The map as a shared part, if nothing but its own cells decides what becomes of it.

    `index` gives the places of fields that have a column; the others are the same in all rows.
    """
    own = [rule for _, rule in sourced(replace(file, maps=(item,)))]
    if item.once or item.resource not in _SHARED or any(rule.link for rule in item.rules):
        return None
    if not all(map(remembered.by_cells, own)):
        return None
    names = {rule.source for rule in own} | {rule.unless for rule in own if rule.unless}
    return Part(item, tuple(sorted(index[name] for name in names if name in index)))
