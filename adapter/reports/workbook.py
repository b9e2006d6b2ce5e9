"""Writes workbooks with typed cells, a row at a time; the door of xlsxwriter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from adapter.errors import OutputError
from adapter.reports.found import Value
from adapter.reports.layout import Layout

_FIRST_YEAR = 1900  # what a workbook takes as a date
_EXCEL = (("%m", "mm"), ("%d", "dd"), ("%Y", "yyyy"), ("%H", "hh"), ("%M", "mm"), ("%S", "ss"))


class Workbook:
    """A workbook of several sheets; rows of each come in order, and memory stays flat.

    `made` is written into the file in place of a clock; `folder` takes what does not fit memory.
    """

    def __init__(self, stream: BinaryIO, made: datetime, folder: Path) -> None:
        options = {"constant_memory": True, "tmpdir": str(folder), "strings_to_formulas": False}
        self._book = xlsxwriter.Workbook(stream, options)
        self._book.set_properties({"created": made.replace(tzinfo=None)})

    def sheet(self, layout: Layout) -> WorkSheet:
        """A further sheet for a layout, with its heading."""
        return WorkSheet(self._book, self._book.add_worksheet(layout.sheet), layout)

    def close(self) -> None:
        """Write the file. Raises OutputError."""
        try:
            self._book.close()
        except xlsxwriter.exceptions.XlsxWriterException as error:
            raise OutputError(f"cannot write a workbook: {type(error).__name__}") from None


class WorkSheet:
    """One sheet: dates are dates, counts are numbers, ids and words are text."""

    def __init__(self, book: xlsxwriter.Workbook, sheet: Worksheet, layout: Layout) -> None:
        self._sheet, self._layout, self._at = sheet, layout, 0
        self._days = book.add_format({"num_format": _excel(layout.dates)})
        self._times = book.add_format({"num_format": _excel(layout.times)})
        if layout.heading:
            bold = book.add_format({"bold": True})
            for place, column in enumerate(layout.columns):
                sheet.write_string(0, place, column.header, bold)
            sheet.freeze_panes(1, 0)
            self._at = 1

    def row(self, values: Sequence[Value], texts: Sequence[str]) -> None:
        """Write one row. Raises OutputError for a text that no cell takes."""
        for place, (value, text) in enumerate(zip(values, texts, strict=True)):
            if text and self._cell(place, value, text):
                raise OutputError("a text is too long for a cell of a workbook")
        self._at += 1

    def _cell(self, place: int, value: Value, text: str) -> Any:
        """0, or why a cell was not written."""
        form = self._layout.columns[place].form
        if isinstance(value, date) and value.year >= _FIRST_YEAR and form != "month":
            shown = self._times if isinstance(value, datetime) else self._days
            return self._sheet.write_datetime(self._at, place, value, shown)
        if isinstance(value, int) and not isinstance(value, bool) and form != "duration":
            return self._sheet.write_number(self._at, place, value)
        return self._sheet.write_string(self._at, place, text)


def _excel(pattern: str) -> str:
    """A strftime pattern as Excel writes it."""
    for ours, theirs in _EXCEL:
        pattern = pattern.replace(ours, theirs)
    return pattern
