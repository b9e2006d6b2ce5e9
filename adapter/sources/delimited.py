"""Lines of a CSV, tab or pipe file to rows of cells; a broken quotation costs its own line only."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from adapter.issues import Issue
from adapter.record import Location
from adapter.sources.lines import Lines

DELIMITERS = (",", "\t", "|", ";")
_LINES_IN_ROW = 50  # a quoted cell over more lines than this is a quotation mark never closed


class Row(NamedTuple):
    """One row: the number of its first line (workbook: row number) and its cells as text."""

    line: int
    cells: list[str]


def rows(lines: Lines, delimiter: str, width: int = 0, quoted: bool = True) -> Iterator[Row]:
    """The rows of a delimited text file; findings are added to `lines.issues`.

    A quoted cell may hold line ends. When a quotation runs away (never closed, or its row does not
    have `width` cells), the line that opened it is refused and reading goes on with the next one.
    Where cells are not `quoted`, a quotation mark is a letter like any other.
    """
    reader = _reader(lines, delimiter, quoted)
    while True:
        lines.mark()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # its only cause here: a cell over csv.field_size_limit()
            cells = []
        if not cells and lines.held[0].strip("\r\n"):
            _refuse(lines, "line-size", "a cell is too long, or its quotation mark is never closed")
        elif len(lines.held) > 1 and _ran_away(lines, cells, width):
            _refuse(lines, "column-count", "a quotation mark in this line is never closed")
        else:
            yield Row(lines.number - len(lines.held) + 1, cells)
            continue
        reader = _reader(lines, delimiter, quoted)


def _reader(lines: Lines, delimiter: str, quoted: bool) -> Iterator[list[str]]:
    if quoted:
        return csv.reader(lines, delimiter=delimiter)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _ran_away(lines: Lines, cells: list[str], width: int) -> bool:
    return lines.ended or len(lines.held) > _LINES_IN_ROW or len(cells) != (width or len(cells))


def _refuse(lines: Lines, detail: str, text: str) -> None:
    """Give up the line that began the row; those it swallowed are read again."""
    lines.take_back(1)
    lines.issues.append(Issue("error", detail, text, Location(lines.source, lines.number)))
