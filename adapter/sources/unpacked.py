"""How large an Excel workbook is once it is read, told without reading it: it may lie about that.

A sheet is held as a full rectangle around its filled cells, so that two of them may take more than
memory has (one in the last row by mistake is common), and the sizes that a ZIP file states are
those its writer chose.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO
from xml.parsers import expat

_CELL = 32  # bytes of a cell, an empty one too
_CHUNK = 1 << 16
_SHEET = b"sheetData"
_BOOK = "xl/workbook.xml"
_OTHERS = {"xl/workbook.bin", "content.xml"}  # what a reader might take it for besides
_XML = re.compile(rb"[\xef\xbb\xbf\s]*<")
_STRINGS = re.compile(rb"[\xef\xbb\xbf\s]*(<\?xml [^<>]*>\s*)?<sst[\s>]")  # large, and no sheet
_LETTERS = re.compile(r"[A-Za-z]{1,4}")
_HELD = {"v", "is", "f"}  # what a cell holds something in


class Unusual(ValueError):
    """The bytes are no such workbook; the text says what they are."""


def size(file: Path | IO[bytes], limit: int) -> int:
    """Bytes that a workbook's parts and sheets take; once over `limit`, counting ends.

    Raises Unusual for another file than xlsx or xlsm, OSError.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _size(archive, limit)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, RuntimeError) as error:
        raise Unusual(f"what cannot be unpacked ({type(error).__name__})") from None


def _size(archive: zipfile.ZipFile, limit: int) -> int:
    names = {part.filename.replace("\\", "/").lower() for part in archive.infolist()}
    if _BOOK not in names or names & _OTHERS:
        raise Unusual("no workbook of Excel's XML form")
    total = 0
    for part in archive.infolist():
        span = _Span()
        for chunk in _unpacked(archive, part, limit):
            total += len(chunk)
            span.feed(chunk)
            if total + span.taken > limit:
                return total + span.taken
        span.close()
        total += span.taken
    return total


def _unpacked(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
    part.file_size = limit + 1  # as far as the part goes, whatever size it states
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


class _Span:
    """The rectangle from A1 to the last cells that hold something; of one part, if a sheet."""

    def __init__(self) -> None:
        self._parser: expat.XMLParserType | None = None
        self._head = True
        self._tail = b""
        self._row, self._column = -1, -1  # from 0: the row open, the cell read last
        self._at = -1  # the row of that cell
        self._rows, self._columns = 0, 0

    @property
    def taken(self) -> int:
        """What the rectangle takes in memory, in bytes."""
        return self._rows * self._columns * _CELL

    def feed(self, chunk: bytes) -> None:
        """More of the part. Raises Unusual, ExpatError for a sheet that is not well-formed."""
        if self._head:
            self._head = False
            if _XML.match(chunk) and not _STRINGS.match(chunk):
                self._parser = expat.ParserCreate()
                self._parser.StartElementHandler = self._start
        if self._parser is not None:
            self._parser.Parse(chunk)
        elif _SHEET in self._tail + chunk:
            raise Unusual("a sheet in a part that is none")
        self._tail = chunk[-len(_SHEET) :]

    def close(self) -> None:
        """The part ends here. Raises ExpatError when it is cut."""
        if self._parser is not None:
            self._parser.Parse(b"", True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "c":
            row, column = _place(attributes.get("r", ""))
            self._at = self._row if row is None else row
            self._column = self._column + 1 if column is None else column
        elif name in _HELD:
            self._rows = max(self._rows, self._at + 1)
            self._columns = max(self._columns, self._column + 1)
        elif name == "row":
            row, _ = _place(attributes.get("r", ""))
            self._row, self._column = self._row + 1 if row is None else row, -1


def _place(ref: str) -> tuple[int | None, int | None]:
    """Row and column from 0 of `B3`, `B` or `3`; None for what it does not say."""
    letters = ref.rstrip("0123456789")
    digits = ref[len(letters) :]
    return int(digits[:10]) - 1 if digits else None, _column(letters)


@lru_cache(maxsize=1024)
def _column(letters: str) -> int | None:
    """The place of a column from 0: `A` 0, `Z` 25, `AA` 26; None without letters."""
    if not letters:
        return None
    if not _LETTERS.fullmatch(letters):
        raise Unusual("a cell in no known place")
    found = 0
    for letter in letters.upper():
        found = found * 26 + ord(letter) - 64
    return found - 1
