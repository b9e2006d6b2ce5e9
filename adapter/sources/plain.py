"""A table whose columns the reader of its rows knows: rows with their lines, and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from adapter.issues import Issue
from adapter.sources import delimited, workbook
from adapter.sources.cells import Typed
from adapter.sources.lines import Lines
from adapter.sources.tabular import DEFAULT_LIMITS, Limits, chunks, glimpse, unusable

_EMPTY = "file-empty"  # for whom no row is no fault


class NotATable(ValueError):
    """The bytes are no table of rows; the text says in what way."""


class Table(NamedTuple):
    """Rows with the number of their first line, from 1, and where findings are left meanwhile."""

    rows: Iterator[tuple[int, Sequence[Typed]]]
    found: list[Issue]


def text(
    file: Path | bytes, source: str, delimiter: str, quoted: bool, limits: Limits = DEFAULT_LIMITS
) -> Table:
    """A text file's rows, named `source` in findings; a line that cannot be used is left out.

    Raises NotATable for what is no text or cannot be opened. An empty file has no rows.
    """
    try:
        problem = unusable(*glimpse(file), limits)
    except OSError as error:
        raise NotATable(f"the file cannot be opened ({type(error).__name__})") from None
    if problem and problem[0] != _EMPTY:
        raise NotATable(problem[1])
    lines = Lines(chunks(file), source, limits.line)
    return Table(_rows(lines, delimiter, quoted), lines.issues)


def _rows(lines: Lines, delimiter: str, quoted: bool) -> Iterator[tuple[int, Sequence[Typed]]]:
    """The first row with cells says how many a row has whose quoted cells hold line ends."""
    for first in delimited.rows(lines, delimiter, quoted=quoted):
        if first.cells:
            yield from chain([first], delimited.rows(lines, delimiter, len(first.cells), quoted))


def sheet(file: Path | bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Table:
    """The rows of a workbook's sheet of that name, else of its first with cells.

    Raises NotATable for what is no workbook, or unpacks beyond the limit.
    """
    try:
        found = workbook.open_sheet(file, [name] if name else [], limits.unpacked)
    except workbook.NotAWorkbook as error:
        raise NotATable(str(error)) from None
    return Table(found.typed(), [])
