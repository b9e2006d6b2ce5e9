"""Table rows and forms through the engine: canonical field names bound to columns, once a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from adapter import data
from adapter.errors import DataFileError
from adapter.mapping import builders, cells  # noqa: F401  # they register what rules may name
from adapter.mapping.finish import finish
from adapter.mapping.model import Map, MapFile, Rule
from adapter.mapping.model import load as load_file
from adapter.mapping.paths import putter
from adapter.mapping.records import FieldFunction, sourced
from adapter.mapping.row_constants import beside
from adapter.mapping.row_steps import BY_PIECE, cell_step, sequence
from adapter.mapping.run import Draft, Feed, Link, Run
from adapter.mapping.shared_parts import Part, loosen, shared
from adapter.outcome import Outcome, Unit
from adapter.record import Record

Column = tuple[str, FieldFunction]


class TableMapping:
    """A mapping file for rows: `fields` are the canonical names that it knows."""

    def __init__(self, file: MapFile) -> None:
        rules = [rule for _, rule in sourced(file)]
        self._file = file
        self.fields = frozenset(rule.source for rule in rules) | file.ignore
        self.required = frozenset(rule.source for rule in rules if rule.need)
        self._check(rules)

    def _check(self, rules: Sequence[Rule]) -> None:
        """Names that rules use are names of this file. Raises DataFileError."""
        maps, file = {item.name for item in self._file.maps}, self._file.file
        for item in self._file.maps:
            for rule in item.rules:
                if rule.link and rule.link not in maps:
                    raise DataFileError(file, f"{item.name}.{rule.to.root}", "no map of this name")
        for rule in rules:
            if rule.unless and rule.unless not in self.fields:
                raise DataFileError(file, rule.unless, "unless names a field of this file")

    def bind(self, columns: Sequence[str | None], labels: Sequence[str]) -> BoundTable:
        """Bind the rules to a file's columns: the canonical name of each, None if unknown."""
        rest = sorted(self.fields - {name for name in columns if name})
        names = [*columns, *rest]
        return BoundTable(self._file, names, [*labels, *rest], len(columns))


class BoundTable:
    """Rules bound to columns; `apply` turns one row into one unit."""

    def __init__(
        self, file: MapFile, names: Sequence[str | None], labels: Sequence[str], width: int
    ) -> None:
        """`names` and `labels` of the `width` columns, then of the fields without a column."""
        index = {name: place for place, name in enumerate(names) if name}
        self._width, self._rest = width, names[width:]
        own = {name: place for name, place in index.items() if place < width}
        self._parts = [part for item in file.maps if (part := shared(file, item, own))]
        rules: dict[str, list[tuple[Map, Rule]]] = {}
        for item, rule in sourced(file):
            rules.setdefault(rule.source, []).append((item, rule))
        bind = _Binding(file, rules, index, self._parts)
        columns = [(labels[place], bind.field(name)) for place, name in enumerate(names)]
        self._cells, self._behind = columns[:width], columns[width:]
        self._needs = [
            (index[name], labels[index[name]], f"{name} is required")
            for name, of in rules.items()
            if any(rule.need for _, rule in of)
        ]
        self._fresh: dict[str, Draft | None] = dict.fromkeys(item.name for item in file.maps)
        whole = file.file.startswith(BY_PIECE)
        self._last = [(item.name, beside(item, whole), _links(item)) for item in file.maps]
        self._feed = Feed("", "", "")
        self._context: Mapping[str, str] | None = None
        self._texts: list[str] = []
        self._constant: list[tuple[str, str, FieldFunction]] = []

    def apply(self, record: Record, unit: Unit, context: Mapping[str, str]) -> Outcome:
        """One row as an Outcome. `context` gives values for canonical names that have no column.

        `zone` in the context is the IANA zone of times without an offset.
        """
        run = Run(unit, self._sender(unit.source, context.get("zone", "")), line=record.line)
        row = run.fields = [*record.fields[: self._width]]
        row += [""] * (self._width - len(row))
        run.drafts = self._fresh.copy()
        if context is not self._context:
            self._use(context)
        row += self._texts
        for text, (label, function) in zip(row, self._cells, strict=False):
            if text:
                run.label = label
                function(run, text)
        for text, label, function in self._constant:
            run.label = label
            function(run, text)
        self._complete(run)
        loosen(run)
        outcome = finish(run)
        for part in self._parts:
            if part.new:
                part.remember(run, outcome.entries)
        return outcome

    def _use(self, context: Mapping[str, str]) -> None:
        """Take the values of fields without a column from a context, the same for many rows."""
        self._context = context
        self._texts = [context.get(name or "", "") for name in self._rest]
        behind = zip(self._texts, self._behind, strict=True)
        self._constant = [(text, *column) for text, column in behind if text]
        for part in self._parts:
            part.forget()

    def _sender(self, source: str, zone: str) -> Feed:
        if self._feed.source != source or self._feed.zone != zone:
            self._feed = Feed(source, source, zone)
        return self._feed

    def _complete(self, run: Run) -> None:
        """Report what is needed and empty; write the constants and note the links."""
        for place, label, text in self._needs:
            if not run.fields[place]:
                run.label = label
                run.issue("error", "required", text)
        drafts = run.drafts
        for name, writes, links in self._last:
            draft = drafts[name]
            if draft is not None and not draft.urn:
                for write in writes:
                    write(draft)
                draft.links += links


def _links(item: Map) -> list[Link]:
    return [Link(rule.to.root, putter(rule.to), rule.link) for rule in item.rules if rule.link]


@cache
def load(*parts: str) -> TableMapping:
    """The mapping `mappings/<parts>.toml`. Raises DataFileError when it is wrong."""
    *folders, last = parts
    return TableMapping(load_file(data.path("mappings", *folders, f"{last}.toml")))


class _Binding(NamedTuple):
    """A file's rules by source, the places of fields, and the parts that rows share."""

    file: MapFile
    rules: Mapping[str, Sequence[tuple[Map, Rule]]]
    places: Mapping[str, int]
    parts: Sequence[Part]

    def field(self, name: str | None) -> FieldFunction:
        """What runs on the cells of a field; of an unknown one, and of one without a rule, once."""
        mine = self.rules.get(name or "", ())
        if name is None or (not mine and name not in self.file.ignore):
            return _report_once()
        own = {part.name: part for part in self.parts}
        functions = []
        for item, rule in mine:
            step = self._step(item, rule)
            functions.append(own[item.name].instead(step) if item.name in own else step)
        if mine and all(rule.where for _, rule in mine):
            functions.append(_unchosen([rule.where for _, rule in mine]))
        return sequence(functions)

    def _step(self, item: Map, rule: Rule) -> FieldFunction:
        step = cell_step(self.file.file, item, rule)
        place = self.places.get(rule.unless, -1)
        return step if place < 0 else _unless(step, place)


def _unchosen(wheres: Sequence[str]) -> FieldFunction:
    """Report a cell that the `where` of every rule leaves to another."""
    chosen = frozenset(text for where in wheres for text in where.split("|"))

    def report(run: Run, text: str) -> None:
        if text not in chosen:
            run.issue("information", "unmapped", "no rule takes this value")

    return report


def _unless(step: FieldFunction, place: int) -> FieldFunction:
    def run_unless(run: Run, text: str) -> None:
        if not run.fields[place]:
            step(run, text)

    return run_unless


def _report_once() -> Callable[[Run, str], None]:
    """An unknown column is reported with its first value, not with every row."""
    reported = False

    def report(run: Run, text: str) -> None:
        nonlocal reported
        if not reported:
            reported = True
            run.issue("information", "unmapped", "no rule reads this column")

    return report
