"""One file of a report being written: delimited text or a workbook, and what is remembered."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from adapter import data, staging
from adapter.errors import OutputError
from adapter.reports.found import Value
from adapter.reports.layout import DELIMITER, Format, Layout
from adapter.reports.rows import Row, Sheet, texts
from adapter.reports.setup import Setup
from adapter.reports.workbook import Workbook
from adapter.store.protocol import Cell, SentRow

Sink = Callable[[Sequence[Value], Sequence[str]], None]  # takes one row


class Book:
    """One file: the part beside its place, its sheets, and a spool of what its rows told.

    The spool lies on the disk, so that a file of any length is remembered with flat memory.
    """

    def __init__(self, part: staging.Staged, sheets: Sequence[Sheet], spool: IO[bytes]) -> None:
        self.part, self.sheets, self._spool = part, sheets, spool
        self._sinks, self._close = _sinks(part, sheets)

    def add(self, place: int, row: Row) -> None:
        """Write a row of the sheet at a place, and spool what is remembered of it."""
        sheet = self.sheets[place]
        self._sinks[place]([c.value for c in row.cells], [c.text for c in row.cells])
        both = zip(sheet.layout.columns, row.cells, strict=True)
        refs = [(sheet.field(column), cell.refs) for column, cell in both if cell.refs]
        line = (place, row.line, (row.subject, row.also), texts(row, sheet.layout), refs)
        self._spool.write(data.dumps(line) + b"\n")

    def finish(self) -> staging.Settled:
        """Bring the whole file to the disk. Raises OutputError."""
        self._close()
        return self.part.settle()

    def cells(self) -> Iterator[Cell]:
        """What every cell of the file was made from."""
        for _, line, _, _, refs in self._spooled():
            yield from (Cell(line, field, tuple(found)) for field, found in refs)

    def told(self, place: int) -> Iterator[SentRow]:
        """What the rows of a sheet told, by subject, and which attempts they told."""
        for at, _, (subject, also), told, _ in self._spooled():
            if at == place:
                yield SentRow(subject, told)
            if at == place and also:
                yield SentRow(also, {})

    def _spooled(self) -> Iterator[Any]:
        self._spool.seek(0)
        yield from map(data.loads, self._spool)


@contextmanager
def opened(layouts: Sequence[Layout], form: Format, setup: Setup, folder: Path) -> Iterator[Book]:
    """The file of some layouts (several only in a workbook), to be filled and finished.

    Raises OutputError when the folder cannot be written.
    """
    file = folder / layouts[0].file(setup, form)
    before = [f"{layout.sheet}!" if len(layouts) > 1 else "" for layout in layouts]
    both = zip(layouts, before, strict=True)
    sheets = [Sheet(layout, form, file.name, setup, text) for layout, text in both]
    with staging.staged(file, "report") as part, TemporaryFile(dir=folder) as spool:
        yield Book(part, sheets, spool)


def _sinks(
    part: staging.Staged, sheets: Sequence[Sheet]
) -> tuple[list[Sink], Callable[[], object]]:
    """What takes the rows of each sheet, and what ends the file."""
    if sheets[0].form == "xlsx":
        book = Workbook(part.stream, sheets[0].setup.moment, part.file.parent)
        return [book.sheet(sheet.layout).row for sheet in sheets], book.close
    if len(sheets) > 1:
        raise OutputError("several sheets stand in a workbook only")
    return _delimited(part, sheets[0])


def _delimited(part: staging.Staged, sheet: Sheet) -> tuple[list[Sink], Callable[[], object]]:
    text = io.TextIOWrapper(part.stream, encoding="utf-8", newline="", write_through=False)
    mark = DELIMITER[sheet.form]
    if sheet.form == "pipe":
        writer = csv.writer(text, delimiter=mark, quoting=csv.QUOTE_NONE, quotechar=None)
    else:
        writer = csv.writer(text, delimiter=mark)
    if sheet.layout.heading:
        writer.writerow([column.header for column in sheet.layout.columns])

    def row(_: Sequence[Value], shown: Sequence[str]) -> None:
        writer.writerow(shown)

    return [row], text.detach
