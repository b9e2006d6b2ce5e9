"""One rule on one cell of a row: read it, convert it, write it; a row has no repetitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapter.errors import DataFileError
from adapter.issues import Severity
from adapter.mapping import remembered
from adapter.mapping.model import Map, Rule
from adapter.mapping.records import FieldFunction, ignored
from adapter.mapping.registry import BUILDERS
from adapter.mapping.row_writers import writer
from adapter.mapping.run import BadValue, Run
from adapter.mapping.steps import Read, read_text
from adapter.record import fixed

_BY_PIECE = "mappings/mif/"  # where an empty cell leaves alone what other cells said of a list
_MOST = 4096  # texts of one column; a column of names or numbers stops remembering there
_NEW: Any = object()


def cell_step(file: str, item: Map, rule: Rule) -> FieldFunction:
    """The function that runs a rule on a cell. Raises DataFileError when it names nothing known.

    Where the text alone decides, a value is made once and then shared by every row with that text,
    fixed so that nobody can change it. What raised or reported something is asked again.
    """
    read = _reported(_builder(file, rule) if rule.build else read_text(file, rule, "text"), rule)
    write = writer(item, rule, file.startswith(_BY_PIECE))
    make = _remembering if remembered.by_text(rule) else _asked
    step = make(read, write)
    return _chosen(step, frozenset(rule.where.split("|"))) if rule.where else step


def _builder(file: str, rule: Rule) -> Read:
    build = BUILDERS.get(rule.build)
    if build is None:
        raise DataFileError(file, rule.build, "no such builder")
    return lambda run, text: build(run, [text])


def _reported(read: Read, rule: Rule) -> Read:
    """The reader with a bad value as an issue, and None for nothing to write."""
    severity: Severity = "error" if rule.need else "warning"

    def read_or_report(run: Run, text: str) -> Any:
        try:
            value = read(run, text)
        except BadValue as bad:
            run.issue(severity, bad.detail, bad.text, bad.part)
            return None
        return None if value == [] else value

    return read_or_report


def _asked(read: Read, write: Callable[[Run, Any], None]) -> FieldFunction:
    def run_cell(run: Run, text: str) -> None:
        value = read(run, text)
        if value is not None:
            write(run, value)

    return run_cell


def _remembering(read: Read, write: Callable[[Run, Any], None]) -> FieldFunction:
    known: dict[str, Any] = {}

    def run_cell(run: Run, text: str) -> None:
        value = known.get(text, _NEW)
        if value is _NEW:
            before = len(run.issues)
            value = fixed(read(run, text))
            if len(run.issues) == before and len(known) < _MOST:
                known[text] = value
        if value is not None:
            write(run, value)

    return run_cell


def _chosen(step: FieldFunction, allowed: frozenset[str]) -> FieldFunction:
    def run_chosen(run: Run, text: str) -> None:
        if text in allowed:
            step(run, text)

    return run_chosen


def sequence(functions: Sequence[FieldFunction]) -> FieldFunction:
    """One function that runs all; what a field without rules does is nothing."""
    if len(functions) < 2:
        return functions[0] if functions else ignored

    def run_all(run: Run, text: str) -> None:
        label = run.label
        for function in functions:
            function(run, text)
            run.label = label  # a function may have named another column as its source

    return run_all
