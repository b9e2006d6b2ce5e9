"""The rows of a file as they stand in it, for those that were refused and are to be mended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from adapter.sources import xml_table
from adapter.sources.delimited import Row
from adapter.sources.layout import Layout
from adapter.sources.lines import Lines
from adapter.sources.tabular import DEFAULT_LIMITS, Opened, chunks, open_table


def originals(
    file: Path | bytes, layout: Layout, wanted: Collection[int]
) -> tuple[tuple[str, ...], Iterator[Row]]:
    """The labels of a file's columns, and its rows that begin on the wanted lines, untouched.

    A line that could not be split into cells comes as well as it can be split, without quotation.
    The file is read again; memory does not grow with it.
    """
    opened = open_table(file, layout)
    if opened.header is None:
        return (), iter(())
    return opened.header.labels, _rows(file, opened, set(wanted))


def _rows(file: Path | bytes, opened: Opened, wanted: set[int]) -> Iterator[Row]:
    left = set(wanted)
    try:
        for row in opened.rows:
            if row.line in left:
                left.discard(row.line)
                yield row
            if not left:
                return
    except xml_table.NotATable:
        return  # what is behind the break has no rows
    yield from _lines(file, opened.delimiter, left)


def _lines(file: Path | bytes, delimiter: str, left: set[int]) -> Iterator[Row]:
    lines = Lines(chunks(file), "", DEFAULT_LIMITS.line)
    for text in lines:
        if lines.number in left:
            yield Row(lines.number, text.rstrip("\r\n").split(delimiter))
