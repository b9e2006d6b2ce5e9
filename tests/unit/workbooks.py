"""Workbooks of invented rows, as a spreadsheet program writes them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import xlsxwriter


def book(*sheets: tuple[str, Sequence[Sequence[Any]]]) -> bytes:
    """A workbook's bytes; each sheet is (name, rows), None an empty cell."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as made:
        day = made.add_format({"num_format": "mm/dd/yyyy"})
        for name, rows in sheets:
            sheet = made.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(r, c, cell, day)
                    elif cell is not None:
                        sheet.write(r, c, cell)
    return stream.getvalue()
