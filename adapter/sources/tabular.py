"""Member files and other tables, text or workbook, as a stream of records and findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from adapter.issues import Issue, Severity
from adapter.record import Location, Record
from adapter.sources import delimited, fixed, workbook, xml_table
from adapter.sources.delimited import Row
from adapter.sources.header import Header, best_header, labelled, mended, missing, positional
from adapter.sources.layout import Layout
from adapter.sources.lines import Lines, to_utf8
from adapter.sources.rows import records

_CHUNK = 1 << 16
_SAMPLE = 30  # rows in which the header is looked for (files.md section 8, 4)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x1a"))
_FOREIGN = (b"%PDF", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"{\\rtf", b"7z\xbc\xaf")
_LOST = "\ufffd".encode()
_JUNK_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes beyond which a file, a line or an unpacked workbook is refused."""

    file: int = 4 << 30
    line: int = 1 << 20
    unpacked: int = 1 << 30


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class Opened:
    """A file whose header is found: its raw rows below it, and what was found on the way.

    `header` is None when it cannot be read; `found` is where the reader of the rows leaves its
    findings, `told` what is to be said before the first row.
    """

    header: Header | None = None
    rows: Iterable[Row] = ()
    delimiter: str = ","
    found: list[Issue] = field(default_factory=list)
    told: list[Issue] = field(default_factory=list)


def read(
    file: Path | bytes, layout: Layout, source: str = "", limits: Limits = DEFAULT_LIMITS
) -> Iterator[Header | Record | Issue]:
    """First the Header, then the records in the file's order, with findings in between.

    `source` names the file in every place (default: its name; a workbook adds `#sheet`). Lines are
    those of the file, counted from 1; rows of a workbook and records of XML likewise. Whether it is
    text, a workbook or XML is told by its content. A fatal Issue ends the stream; an `error`
    refuses one row or line and the next goes on. Never raises for what is in the file; memory does
    not grow with a text file.
    """
    opened = open_table(file, layout, source, limits)
    yield from opened.told
    header = opened.header
    if header is None:
        return
    yield header
    try:
        yield from records(opened.rows, header, layout, opened.found)
    except xml_table.NotATable as error:
        yield _fatal(header.source, "file-format", str(error))


def open_table(
    file: Path | bytes, layout: Layout, source: str = "", limits: Limits = DEFAULT_LIMITS
) -> Opened:
    """Find the header of a file, whatever it is."""
    name = source or (file.name if isinstance(file, Path) else "input")
    try:
        size, head = glimpse(file)
    except OSError as error:
        text = f"the file cannot be opened ({type(error).__name__})"
        return Opened(told=[_fatal(name, "file-format", text)])
    problem = unusable(size, head, limits)
    if problem:
        return Opened(told=[_fatal(name, *problem)])
    if head.startswith(workbook.MAGIC):
        return _known(_open_workbook(file, layout, name, limits), layout)
    if next(to_utf8([head])).lstrip().startswith(xml_table.MAGIC):
        return _known(_open_xml(file, layout, name), layout)
    return _known(_open_text(file, layout, name, limits), layout)


def glimpse(file: Path | bytes) -> tuple[int, bytes]:
    """The size of a file and its first bytes. Raises OSError."""
    if isinstance(file, bytes):
        return len(file), file[:_CHUNK]
    with file.open("rb") as stream:
        return file.stat().st_size, stream.read(_CHUNK)


def unusable(size: int, head: bytes, limits: Limits) -> tuple[str, str] | None:
    """What makes a file no table, by its size and first bytes: an issue's detail and text."""
    text = b"".join(to_utf8([head]))
    if not text.strip(b" \t\r\n\x1a"):
        return "file-empty", "the file holds nothing"
    if size > limits.file:
        return "file-size", f"the file is over {limits.file} bytes"
    if head.startswith(workbook.MAGIC):
        return None
    junk = len(text) - len(text.translate(None, _CONTROLS)) + text.count(_LOST)
    if head.startswith(_FOREIGN) or junk > len(text) * _JUNK_SHARE:
        return "file-format", "neither a text table nor a workbook"
    return None


def _fatal(source: str, detail: str, text: str, line: int = 1, field: str = "") -> Issue:
    return Issue("fatal", detail, text, Location(source, line, field))


def _open_text(file: Path | bytes, layout: Layout, name: str, limits: Limits) -> Opened:
    lines = Lines(chunks(file), name, limits.line)
    sample = list(islice(lines, _SAMPLE))
    lines.take_back(0)
    delimiter, header = _best_delimiter(sample, layout, name)
    if header is None:
        text = "no header of this layout in the first rows"
        return Opened(told=[*lines.issues, _fatal(name, "delimiter", text)])
    opened = Opened(header, delimiter=delimiter, found=lines.issues)
    if layout.delimiter and delimiter != layout.delimiter and not mended(header):
        text = "another delimiter than the layout says"
        opened.told.append(_finding(header, "warning", "delimiter", text))
    for _ in islice(lines, max(header.line - 1, 0)):
        pass  # title rows
    if layout.widths and header.line == 0:
        rows = fixed.rows(lines, layout.widths)
    else:
        rows = delimited.rows(lines, delimiter, len(header.columns))
    opened.rows = (row for row in rows if row.line > header.line)
    return opened


def chunks(file: Path | bytes) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    if isinstance(file, bytes):
        yield from (file[at : at + _CHUNK] for at in range(0, len(file), _CHUNK))
        return
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _best_delimiter(sample: list[str], layout: Layout, name: str) -> tuple[str, Header | None]:
    """The delimiter under which most headers are known; that of the layout when others equal it."""
    again = None if layout.header else _labelled(sample, layout, name)
    if again is not None:
        return ",", again
    if layout.widths:
        return layout.delimiter, positional(layout, name)
    best: tuple[int, str, Header | None] = (0, "", None)
    for delimiter in dict.fromkeys((layout.delimiter or ",", *delimited.DELIMITERS)):
        lines = Lines(["".join(sample).encode()], name, sum(map(len, sample)) * 4)
        score, header = _score(delimited.rows(lines, delimiter), layout, name)
        if score > best[0]:
            best = (score, delimiter, header)
    return best[1], best[2]


def _labelled(sample: list[str], layout: Layout, name: str) -> Header | None:
    """The header of rows refused before and mended: a file without header has one then."""
    lines = Lines(["".join(sample[:1]).encode()], name, 1 << 20)
    return labelled(next(delimited.rows(lines, ","), None), layout, name)


def _score(rows: Iterator[Row], layout: Layout, name: str) -> tuple[int, Header | None]:
    if layout.header:
        return best_header(rows, layout, name)
    most = len(layout.positions)
    fitting = sum((layout.min_columns or most) <= len(row.cells) <= most for row in rows)
    return fitting, positional(layout, name)


def _open_workbook(file: Path | bytes, layout: Layout, name: str, limits: Limits) -> Opened:
    try:
        sheet = workbook.open_sheet(file, layout.sheets, limits.unpacked)
    except workbook.NotAWorkbook as error:
        return Opened(told=[_fatal(name, "file-format", str(error))])
    name = f"{name}#{sheet.name}"
    rows = sheet.rows()
    sample = list(islice(rows, _SAMPLE))
    _, header = _score(iter(sample), layout, name)
    if header is None:
        text = "no header of this layout in the first rows"
        return Opened(told=[_fatal(name, "delimiter", text)])
    below = (row for row in chain(sample, rows) if row.line > header.line)
    opened = Opened(header, below)
    if sheet.others:
        text = f"other sheets of the workbook, not read: {sheet.others}"
        opened.told.append(_finding(header, "information", "unmapped", text))
    return opened


def _open_xml(file: Path | bytes, layout: Layout, name: str) -> Opened:
    try:
        columns = xml_table.names(file, layout.elements)
    except xml_table.NotATable as error:
        return Opened(told=[_fatal(name, "file-format", str(error))])
    _, header = best_header([Row(0, columns)], layout, name)
    if header is None:
        return Opened(told=[_fatal(name, "delimiter", "no name of this layout in its records")])
    return Opened(header, xml_table.rows(file, layout.elements, columns))


def _known(opened: Opened, layout: Layout) -> Opened:
    """The file with what its header says besides; without header when a field must be there."""
    header = opened.header
    if header is None:
        return opened
    for place in header.twice:
        text = "another column means the same field; this one is not read"
        finding = _finding(header, "warning", "column-unknown", text, header.labels[place])
        opened.told.append(finding)
    for one in missing(header, layout):
        line = max(header.line, 1)
        opened.told.append(_fatal(header.source, "column-missing", "no such column", line, one))
        opened.header = None
    return opened


def _finding(header: Header, severity: Severity, detail: str, text: str, field: str = "") -> Issue:
    return Issue(severity, detail, text, Location(header.source, max(header.line, 1), field))
