"""Opens a return file as a table of cells: delimited text, or a sheet of a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO

import python_calamine

from adapter.errors import OutputError
from adapter.reports.layout import DELIMITER, Format, Layout
from adapter.reports.read import Cells


def table(file: Path | bytes, layout: Layout, form: Format | None = None) -> Iterator[Cells]:
    """The rows of a file, or of its content, in a layout's format, or the one named.

    Raises OutputError when the file cannot be opened as that, or is not UTF-8.
    """
    if (form or layout.format) == "xlsx":
        return _sheet(file, layout)
    return _lines(file, form or layout.format)


def _lines(file: Path | bytes, form: Format) -> Iterator[Cells]:
    try:
        with _stream(file) as stream:
            if form == "pipe":
                yield from csv.reader(stream, delimiter="|", quoting=csv.QUOTE_NONE)
            else:
                yield from csv.reader(stream, delimiter=DELIMITER[form])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"cannot read {_name(file)}: {type(error).__name__}") from None


def _stream(file: Path | bytes) -> IO[str]:
    if isinstance(file, bytes):
        return io.TextIOWrapper(io.BytesIO(file), encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _name(file: Path | bytes) -> str:
    return "the content" if isinstance(file, bytes) else file.name


def _sheet(file: Path | bytes, layout: Layout) -> Iterator[Cells]:
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        book = python_calamine.CalamineWorkbook.from_object(source)
        names = book.sheet_names
        sheet = book.get_sheet_by_name(layout.sheet if layout.sheet in names else names[0])
    except (OSError, IndexError, python_calamine.CalamineError) as error:
        raise OutputError(f"cannot read {_name(file)}: {type(error).__name__}") from None
    for row in sheet.iter_rows():
        yield [_cell(cell) for cell in row]


def _cell(cell: object) -> str | float | date | None:
    """Dates of a workbook have a midnight that nobody wrote."""
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date()
    return cell if isinstance(cell, str | float | date) else None
