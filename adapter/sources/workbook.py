"""A sheet of an Excel workbook to rows of cell texts; the one door to python-calamine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import python_calamine as calamine

from adapter.sources import cells, unpacked
from adapter.sources.delimited import Row

_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAGIC = (b"PK\x03\x04", _OLD)  # xlsx, xlsm; xls
_SHEET_NAME = 31  # Excel cuts sheet names there


class NotAWorkbook(ValueError):
    """The bytes are not a workbook that can be read; the text says in what way."""


class Sheet:
    """One sheet of a workbook: its name, its rows, and how many other sheets stay unread."""

    def __init__(self, sheet: calamine.CalamineSheet, others: int) -> None:
        self.name, self.others = sheet.name, others
        self._sheet = sheet

    def rows(self) -> Iterator[Row]:
        """Each row as texts, by its own number and from column A on, empty ones too."""
        start = self._sheet.start or (0, 0)
        before = [""] * start[1]
        for number, row in enumerate(self._sheet.iter_rows(), 1):
            yield Row(number, before + [cells.text(cell) for cell in row])

    def typed(self) -> Iterator[tuple[int, list[cells.Typed]]]:
        """Each row like `rows`, but numbers and dates as they are."""
        start = self._sheet.start or (0, 0)
        before: list[cells.Typed] = [None] * start[1]
        for number, row in enumerate(self._sheet.iter_rows(), 1):
            yield number, before + [cells.typed(cell) for cell in row]


def open_sheet(file: Path | bytes, names: Sequence[str], limit: int) -> Sheet:
    """The first sheet whose name is, or else contains, one of `names`; else the first with cells.

    Raises NotAWorkbook for junk, a password, a truncated file, or more than `limit` bytes unpacked.
    """
    book = _open(file, limit)
    try:
        return Sheet(_pick(book, names), len(book.sheet_names) - 1)
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise NotAWorkbook(f"the workbook cannot be read ({type(error).__name__})") from None


def _open(file: Path | bytes, limit: int) -> calamine.CalamineWorkbook:
    _check_size(file, limit)
    try:
        return calamine.load_workbook(io.BytesIO(file) if isinstance(file, bytes) else file)
    except calamine.PasswordError:
        raise NotAWorkbook("the workbook is locked with a password") from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise NotAWorkbook(f"the workbook cannot be read ({type(error).__name__})") from None


def sheets(file: Path | bytes, limit: int) -> Iterator[tuple[str, Iterator[Row]]]:
    """Every sheet of a workbook by name. Raises NotAWorkbook as `open_sheet`."""
    book = _open(file, limit)
    for name in book.sheet_names:
        yield name, Sheet(book.get_sheet_by_name(name), 0).rows()


def _check_size(file: Path | bytes, limit: int) -> None:
    packed = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        if _head(file) == _OLD and not zipfile.is_zipfile(packed):
            return  # an xls, or one that is locked
        size = unpacked.size(packed, limit)
    except unpacked.Unusual as error:
        raise NotAWorkbook(f"the workbook cannot be read: it is {error}") from None
    except OSError as error:
        raise NotAWorkbook(f"the workbook cannot be read ({type(error).__name__})") from None
    if size > limit:
        raise NotAWorkbook("the workbook unpacks to more than the limit")


def _head(file: Path | bytes) -> bytes:
    if isinstance(file, bytes):
        return file[: len(_OLD)]
    with file.open("rb") as stream:
        return stream.read(len(_OLD))


def _pick(book: calamine.CalamineWorkbook, names: Sequence[str]) -> calamine.CalamineSheet:
    wanted = [cells.key(name[:_SHEET_NAME]) for name in names]
    keys = {name: cells.key(name) for name in book.sheet_names}
    exact = [name for want in wanted for name, key in keys.items() if key == want]
    near = [name for want in wanted for name, key in keys.items() if want in key]
    for name in (*exact, *near):
        return book.get_sheet_by_name(name)
    sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
    if not sheets:
        raise NotAWorkbook("the workbook has no sheet")
    return next((sheet for sheet in sheets if sheet.height), sheets[0])
