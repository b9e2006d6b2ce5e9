"""Workbooks that would take all memory are refused before they are opened; others are read."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile
import zlib

import openpyxl
import pytest
import xlsxwriter

from adapter.sources import unpacked, workbook

LIMIT = 1 << 22


def book(*cells: tuple[str, str]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as made:
        sheet = made.add_worksheet("A")
        for place, text in cells:
            sheet.write_string(place, text)
    return file.getvalue()


def changed(old: str, new: str, content: bytes = b"", part: str = "sheet1.xml") -> bytes:
    """A workbook with a pattern of one part replaced."""
    file = io.BytesIO()
    whole = zipfile.ZipFile(io.BytesIO(content or book(("A1", "x"), ("B2", "y"))))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            text = whole.read(name).decode()
            archive.writestr(name, re.sub(old, new, text) if name.endswith(part) else text)
    return file.getvalue()


def texts(content: bytes) -> list[list[str]]:
    return [row.cells for row in workbook.open_sheet(content, [], LIMIT).rows()]


def lying(size: int) -> bytes:
    """A workbook whose directory says that its large sheet unpacks to `size` bytes."""
    sheet = b"<worksheet><sheetData>" + b" " * LIMIT + b"</sheetData></worksheet>"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    stated = len(sheet).to_bytes(4, "little")
    check = zlib.crc32(sheet).to_bytes(4, "little")
    content = file.getvalue().replace(stated, size.to_bytes(4, "little"))
    return content.replace(check, zlib.crc32(sheet[:size]).to_bytes(4, "little"))


@pytest.mark.parametrize(
    "content",
    [
        book(("A1", "x"), ("XFD1048576", "y")),
        book(("XFD1", "x"), ("A1048576", "y")),
        book(("XFD1048576", "y")),
        changed('"B2"', "'XFD1048576'"),
        changed('"B2"', '"xfd1048576"'),
        changed("<c r=.B2.", '<c t="s" q=">" r = "XFD1048576"'),
        changed('<row r="2"', '<row r="99999999"', changed("<c r=.B2.", "<c")),
        changed("<c r=.B2.", '<c r="XFC1048576"/><c r="XFD1048576"'),
        changed('<row r="2"', '<row r="1"><c r="A1048576"/><c><v>0</v></c></row><row r="2"',
                changed('"B2"', '"XFD1048576"')),
        lying(10), lying(LIMIT // 2), lying(LIMIT * 2),
    ],
)  # fmt: skip
def test_too_large_to_open(content: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(workbook.NotAWorkbook):
        workbook.open_sheet(content, [], LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 junk", b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 junk", b"a,b\n1,2\n",
        changed("<worksheet", "x<worksheet"), changed("worksheet\\b", "sst"),
        changed("</sheetData>", ""),
        changed('"B2"', '"B2&#48;&#33;"'), changed("", "", part="none") + b"x" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_workbook(content: bytes) -> None:
    with pytest.raises(workbook.NotAWorkbook):
        workbook.open_sheet(content, [], LIMIT)


def test_formats_without_values_cost_nothing() -> None:
    file = io.BytesIO()
    made = openpyxl.Workbook()
    made.active["B2"] = "x"
    made.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)
    made.active.row_dimensions[1048576].height = 3
    made.save(file)
    assert texts(file.getvalue()) == [["", ""], ["", "x"]]
    assert unpacked.size(io.BytesIO(file.getvalue()), LIMIT) < 40_000


def test_other_tables_are_not_guessed() -> None:
    file = io.BytesIO(book(("A1", "x")))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("content.xml", b"<table/>")
    with pytest.raises(workbook.NotAWorkbook):
        workbook.open_sheet(file.getvalue(), [], LIMIT)
