"""Texts of table cells: what a workbook's typed cell says, and cells that only look filled."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

_EXACT = 10**15  # Excel keeps 15 digits; a longer number has lost some
_SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE]\+?\d+")
_NOT_KEY = re.compile(r"[\W_]+")

Cell = int | float | str | bool | time | date | datetime | timedelta
Typed = str | float | date | None


def text(cell: Cell) -> str:
    """A workbook cell as text: whole numbers without `.0`, dates as ISO, midnight left out.

    Numbers too large to be exact keep their exponent, so that whoever reads an id can tell.
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        return str(int(cell)) if cell == cell // 1 and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell.isoformat()


def typed(cell: Cell) -> Typed:
    """A workbook cell as it is; one at midnight is its date, what is no number or date its text."""
    if isinstance(cell, datetime):
        return cell.date() if cell.time() == time() else cell
    if isinstance(cell, bool | time | timedelta):
        return text(cell)
    return cell if cell != "" else None


def key(header: str) -> str:
    """A column header by its letters and digits alone, lower-cased (files.md section 8, 1)."""
    return _NOT_KEY.sub("", header).lower()


def id_text(cell: str) -> str | None:
    """An identifier as its sender meant it; None when a spreadsheet has eaten digits of it.

    `="00123"` and `'00123` are ways to keep leading zeros; `123.0` is a number read as an id;
    `6.45722E+12` is beyond repair.
    """
    if cell.startswith('="') and cell.endswith('"'):
        return cell[2:-1].strip()
    if cell.startswith("'"):
        return cell[1:].strip()
    whole, point, zeros = cell.partition(".")
    if point and whole.isdigit() and not zeros.strip("0"):
        return whole
    return None if _SCIENTIFIC.fullmatch(cell) else cell


_DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?![\d])")
_SERIAL_0 = date(1899, 12, 30)  # day 0 of an Excel date, whose year 1900 is a leap year
_ORDERS = {"mdy": (2, 0, 1), "dmy": (2, 1, 0), "ymd": (0, 1, 2)}


@lru_cache(maxsize=16384)
def iso_date(cell: str, order: str) -> str | None:
    """The ISO date that a cell of a file with this date order (`mdy`, `dmy`, `ymd`) begins with.

    A four-digit part that stands first is the year whatever the order; eight digits are
    YYYYMMDD and five an Excel day number. None when the cell is not
    such a date: then the converter of the mapping says what is wrong with it.
    """
    if cell.isascii() and cell.isdigit():
        return _of_digits(cell)
    match = _DATE.match(cell)
    if match is None:
        return None
    parts = (match[1], match[3], match[4])
    places = _ORDERS["ymd"] if len(match[1]) == 4 else _ORDERS[order]
    year, month, day = (parts[place] for place in places)
    return _iso(year, month, day) if len(year) == 4 else None


def _of_digits(cell: str) -> str | None:
    if len(cell) == 8:
        return _iso(cell[:4], cell[4:6], cell[6:])
    if len(cell) == 5:
        return (_SERIAL_0 + timedelta(days=int(cell))).isoformat()
    return None


def _iso(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
