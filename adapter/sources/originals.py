"""The rows of a file as they stand in it, for those that were refused and are to be mended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from adapter.sources import fixed, xml_table
from adapter.sources.delimited import Row
from adapter.sources.layout import Layout
from adapter.sources.lines import Lines
from adapter.sources.tabular import DEFAULT_LIMITS, chunks, open_table

Split = Callable[[str], list[str]]


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
    split = partial(_split, opened.delimiter, layout.widths)
    return opened.header.labels, _rows(file, opened.rows, split, set(wanted))


def _split(delimiter: str, widths: Sequence[int], text: str) -> list[str]:
    line = text.rstrip("\r\n")
    return line.split(delimiter) if delimiter else fixed.cut(line, widths)


def _rows(file: Path | bytes, rows: Iterable[Row], split: Split, left: set[int]) -> Iterator[Row]:
    try:
        for row in rows:
            if row.line in left:
                left.discard(row.line)
                yield row
            if not left:
                return
    except xml_table.NotATable:
        return  # what is behind the break has no rows
    lines = Lines(chunks(file), "", DEFAULT_LIMITS.line) if left else ()
    for number, text in enumerate(lines, 1):
        if number in left:
            yield Row(number, split(text))
