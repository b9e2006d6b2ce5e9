"""One rule on one cell of a row: read it, convert it, write it; a row has no repetitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapter.constant import fixed
from adapter.errors import DataFileError
from adapter.issues import Severity
from adapter.mapping import remembered
from adapter.mapping.model import Map, Rule
from adapter.mapping.pieces import CLEAR
from adapter.mapping.records import FieldFunction, ignored
from adapter.mapping.registry import BUILDERS
from adapter.mapping.row_constants import in_one
from adapter.mapping.row_writers import writer
from adapter.mapping.run import BadValue, Run
from adapter.mapping.steps import Read, read_text

BY_PIECE = "mappings/mif/"  # where an empty cell leaves alone what other cells said of a list
_MOST = 16_384  # texts of one column that are remembered
_TRIED = 1024  # texts after which a column of names or numbers, hardly two alike, stops remembering
_NEW: Any = object()


def cell_step(file: str, item: Map, rule: Rule) -> FieldFunction:
    """The function that runs a rule on a cell. Raises DataFileError when it names nothing known.

    Where the text alone decides, a value is made once and then shared by every row with that text,
    fixed so that nobody can change it. What raised or reported something is asked again.
    """
    by_piece = file.startswith(BY_PIECE)
    read = _builder(file, rule) if rule.build else read_text(file, rule, "text")
    constants = in_one(item, rule) if by_piece else None
    if constants is not None:
        read = _whole(read, rule.to.steps[1].key, constants)
    read, write = _reported(read, rule), writer(item, rule, by_piece)
    if remembered.by_text(rule):
        step = _remembering(read, write)
    else:
        step = (_telling if rule.build in remembered.TELLING else _asked)(read, write)
    return _chosen(step, frozenset(rule.where.split("|"))) if rule.where else step


def _builder(file: str, rule: Rule) -> Read:
    build = BUILDERS.get(rule.build)
    if build is None:
        raise DataFileError(file, rule.build, "no such builder")
    return lambda run, text: build(run, [text])


def _whole(read: Read, child: str, constants: dict[str, Any]) -> Read:
    """The reader of a value that comes out with the constants of its element around it."""

    def read_whole(run: Run, text: str) -> Any:
        value = read(run, text)
        return value if value is None or value is CLEAR else {child: value, **constants}

    return read_whole


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
    read_new = _noting(read, known)

    def run_cell(run: Run, text: str) -> None:
        value = known.get(text, _NEW)
        if value is _NEW:
            value = read_new(run, text)
        if value is not None:
            write(run, value)

    return run_cell


def _noting(read: Read, known: dict[str, Any]) -> Read:
    """The reader that notes what it gave without a finding, until that is no use any more."""
    first = most = 0

    def read_new(run: Run, text: str) -> Any:
        nonlocal first, most
        if not most:
            first, most = run.line, _MOST
        if len(known) >= most:
            return read(run, text)
        before = len(run.issues)
        value = fixed(read(run, text))
        if len(run.issues) == before:
            known[text] = value
            if len(known) == _TRIED and run.line - first < 2 * _TRIED:
                known.clear()
                most = -1
        return value

    return read_new


def _telling(read: Read, write: Callable[[Run, Any], None]) -> FieldFunction:
    """A remembered value, with the facts that its builder left for those that come after it."""
    known: dict[str, tuple[Any, dict[str, str]]] = {}

    def read_new(run: Run, text: str) -> tuple[Any, dict[str, str]]:
        before, facts = len(run.issues), run.facts
        run.facts = {}
        value, told, run.facts = fixed(read(run, text)), run.facts, facts
        if len(run.issues) == before and len(known) < _TRIED:
            known[text] = (value, told)
        return value, told

    def run_cell(run: Run, text: str) -> None:
        value, told = known.get(text) or read_new(run, text)
        if told:
            run.facts.update(told)
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
