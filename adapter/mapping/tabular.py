"""Table rows and forms through the engine: canonical field names bound to columns, once a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from adapter import data
from adapter.mapping import builders, cells  # noqa: F401  # they register what rules may name
from adapter.mapping.finish import finish
from adapter.mapping.model import MapFile
from adapter.mapping.model import load as load_file
from adapter.mapping.records import Compiled, FieldFunction, ignored, skeleton, sourced
from adapter.mapping.run import Feed, Run
from adapter.mapping.steps import build_step, read_text, step
from adapter.outcome import Outcome, Unit
from adapter.record import Record


class TableMapping:
    """A mapping file for rows: `fields` are the canonical names that it knows."""

    def __init__(self, file: MapFile) -> None:
        rules = [rule for _, rule in sourced(file)]
        self._file = file
        self.fields = frozenset(rule.source for rule in rules) | file.ignore
        self.required = frozenset(rule.source for rule in rules if rule.need)

    def bind(self, columns: Sequence[str | None], labels: Sequence[str]) -> BoundTable:
        """Bind the rules to a file's columns: the canonical name of each, None if unknown."""
        rest = sorted(self.fields - {name for name in columns if name})
        names = [*columns, *rest]
        compiled = skeleton(self._file.maps, len(names))
        index = {name: place for place, name in enumerate(names) if name}
        for place, name in enumerate(names):
            compiled.fields[place] = self._field(name, index)
        for name in self.required:
            place = index[name]
            label = labels[place] if place < len(labels) else name
            compiled.needs.append((place, label, f"{name} is required"))
        return BoundTable(compiled, [*labels, *rest], len(columns), rest)

    def _field(self, name: str | None, index: Mapping[str, int]) -> FieldFunction:
        if name is None:
            return _report_once()
        file = self._file
        functions: list[FieldFunction] = []
        for item, rule in sourced(file):
            if rule.source != name:
                continue
            unless = index.get(rule.unless, -1)
            if rule.build:
                functions.append(_whole(build_step(file.file, item, rule), unless))
                continue
            choose = _one_of(rule.where) if rule.where else None
            one = step(item, rule, read_text(file.file, rule, "text"), choose)
            functions.append(_cell(one, unless))
        if not functions:
            return ignored
        return functions[0] if len(functions) == 1 else _all(functions)


class BoundTable:
    """Rules bound to columns; `apply` turns one row into one unit."""

    def __init__(
        self, compiled: Compiled, labels: Sequence[str], width: int, rest: Sequence[str]
    ) -> None:
        self._compiled, self._labels, self._width, self._rest = compiled, labels, width, rest

    def apply(self, record: Record, unit: Unit, context: Mapping[str, str]) -> Outcome:
        """One row as an Outcome. `context` gives values for canonical names that have no column.

        `zone` in the context is the IANA zone of times without an offset.
        """
        feed = Feed(unit.source, unit.source, context.get("zone", ""))
        run = Run(unit, feed, line=record.line)
        cells_here = [*record.fields[: self._width]]
        cells_here += [""] * (self._width - len(cells_here))
        cells_here += [context.get(name, "") for name in self._rest]
        run.fields = cells_here
        self._compiled.apply(run, cells_here, self._labels)
        return finish(run)


@cache
def load(*parts: str) -> TableMapping:
    """The mapping `mappings/<parts>.toml`. Raises DataFileError when it is wrong."""
    *folders, last = parts
    return TableMapping(load_file(data.path("mappings", *folders, f"{last}.toml")))


def _cell(one: Callable[[Run, str, int], bool], unless: int) -> FieldFunction:
    if unless < 0:

        def run_cell(run: Run, text: str) -> None:
            one(run, text, 0)

        return run_cell

    def run_unless(run: Run, text: str) -> None:
        if not run.fields[unless]:
            one(run, text, 0)

    return run_unless


def _whole(build: Callable[[Run, list[str]], None], unless: int) -> FieldFunction:
    def run_build(run: Run, text: str) -> None:
        if unless < 0 or not run.fields[unless]:
            build(run, [text])

    return run_build


def _all(functions: Sequence[FieldFunction]) -> FieldFunction:
    def run_all(run: Run, text: str) -> None:
        for function in functions:
            function(run, text)

    return run_all


def _one_of(where: str) -> Callable[[str], bool]:
    allowed = frozenset(where.split("|"))
    return lambda text: text in allowed


def _report_once() -> FieldFunction:
    """An unknown column is reported with its first value, not with every row."""
    reported = False

    def report(run: Run, text: str) -> None:
        nonlocal reported
        if not reported:
            reported = True
            run.issue("information", "unmapped", "no rule reads this column")

    return report
