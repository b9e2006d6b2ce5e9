"""A mapping file compiled for one kind of record: present fields drive the rules that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Literal

from adapter.errors import DataFileError
from adapter.mapping.model import Map, MapFile, Rule
from adapter.mapping.paths import LINE, Constants, putter
from adapter.mapping.run import Link, Run
from adapter.record import new

# Runs everything that reads one field, on that field's text.
FieldFunction = Callable[[Run, str], None]


@dataclass(slots=True)
class Compiled:
    """A compiled record: what to do with each field, and what stands beside sourced values.

    A field of False is left out on purpose; no rule reads one of None.

    `moving`  the fields of which a rule makes something else each time: a member's own, times
    `asked`   the fields that decide with others what becomes of these
    """

    fields: list[FieldFunction | Literal[False] | None] = field(default_factory=list)
    needs: list[tuple[int, str, str]] = field(default_factory=list)
    fresh: tuple[str, ...] = ()
    beside: list[tuple[str, Constants]] = field(default_factory=list)
    links: list[tuple[str, Link, bool]] = field(default_factory=list)
    moving: tuple[int, ...] = ()
    asked: frozenset[int] = frozenset()

    def apply(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        """Run the rules of one record. `labels` name the fields as the source's people do."""
        for name in self.fresh:
            run.drafts[name] = None
        every = zip(fields, self.fields, labels, strict=False)
        for text, function, label in compress(every, fields):
            if function:
                run.label = label
                function(run, text)
            elif function is None:
                run.label = label
                run.issue("information", "unmapped", "no rule reads this field")
        if self.needs or len(fields) > len(self.fields):
            self._report(run, fields, labels)
        if self.beside or self.links:
            self._finish(run)

    def _report(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        """Report what stands behind the last field that any standard knows, and what is missing."""
        self._report_rest(run, fields, labels)
        for index, label, text in self.needs:
            if index >= len(fields) or not fields[index]:
                run.label = label
                run.issue("error", "required", text)

    def _report_rest(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        for index in range(len(self.fields), len(fields)):
            if fields[index]:
                run.label = f"{labels[0].partition('-')[0]}-{index}"
                run.issue("information", "unmapped", "no rule reads this field")

    def _finish(self, run: Run) -> None:
        drafts = run.drafts
        for name, constants in self.beside:
            draft = drafts.get(name)
            if draft is not None:
                constants.write(draft)
        for name, link, shared in self.links:
            draft = drafts.get(name)
            if draft is not None:
                root, put, aim = link
                to = drafts.get(aim) if isinstance(aim, str) else aim
                if to is not None:
                    link = new(Link, (root, put, to))
                elif aim in self.fresh:
                    continue  # this record made none
                draft.links.append(_of_line(link, run.line) if shared else link)


def skeleton(maps: Sequence[Map], width: int) -> Compiled:
    """A Compiled with constants and links of the maps; the fields are for the caller to fill."""
    done = Compiled([None] * width, fresh=tuple(m.name for m in maps if not m.once))
    for item in maps:
        constants = Constants([(r.to, r.value) for r in item.rules if r.value is not None])
        if constants:
            done.beside.append((item.name, constants))
        done.links += [
            (item.name, Link(r.to.root, putter(r.to), r.link), item.once and r.to.named)
            for r in item.rules
            if r.link
        ]
    return done


def _of_line(link: Link, line: int) -> Link:
    """A link in a slot of a map that several records share belongs to its own record's slot."""
    put, first = link.put, line * LINE
    return link._replace(put=lambda draft, reference, rep: put(draft, reference, first + rep))


def ignored(run: Run, text: str) -> None:
    """What runs on a cell that is left out on purpose: nothing."""


def sourced(file: MapFile) -> list[tuple[Map, Rule]]:
    """Every rule that reads a source, with its map. Raises DataFileError for an ignored one."""
    found = [(item, rule) for item in file.maps for rule in item.rules if rule.source]
    for _, rule in found:
        if rule.source in file.ignore:
            raise DataFileError(file.file, rule.source, "both read and ignored")
    return found
