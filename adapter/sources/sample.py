"""The first rows of a file whose layout is not known yet: its form, its header, its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from adapter.sources import delimited, fixed, shapes, workbook, xml_table
from adapter.sources.lines import Lines, to_utf8
from adapter.sources.tabular import DEFAULT_LIMITS, chunks

_ROWS = 500
_TITLES = 30  # rows in which the header is looked for
_PROOF = 2  # columns whose values have a shape that their header has not

Rows = list[list[str]]


class NoTable(ValueError):
    """The file holds nothing that a layout could be proposed for; the text says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's form, what its columns are called (`header` None: nothing), and some rows.

    `widths` of a file without separators; `sheet` and `element` where its rows stand.
    """

    form: str
    header: list[str] | None
    rows: Rows
    delimiter: str = ""
    widths: tuple[int, ...] = ()
    sheet: str = ""
    element: str = ""

    def column(self, place: int) -> list[str]:
        """The values of a column."""
        return [row[place].strip() if place < len(row) else "" for row in self.rows]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return max(map(len, [*self.rows, self.header or []]), default=0)


def take(file: Path | bytes) -> Sample:
    """Read the first rows of a file, whatever its form. Raises NoTable."""
    head = next(chunks(file), b"")
    if head.startswith(workbook.MAGIC):
        return _of_workbook(file)
    if next(to_utf8([head])).lstrip().startswith(xml_table.MAGIC):
        return _of_xml(file)
    return _of_text(file)


def _of_workbook(file: Path | bytes) -> Sample:
    try:
        found = {
            name: [row.cells for row in islice(rows, _ROWS)]
            for name, rows in workbook.sheets(file, DEFAULT_LIMITS.unpacked)
        }
    except workbook.NotAWorkbook as error:
        raise NoTable(str(error)) from None
    if not any(found.values()):
        raise NoTable("every sheet is empty")
    name = max(found, key=lambda one: sum(bool(cell) for row in found[one] for cell in row))
    header, rows = _split(found[name])
    return Sample("xlsx", header, rows, sheet=name)


def _of_xml(file: Path | bytes) -> Sample:
    try:
        element = xml_table.likely(file)
        names = xml_table.names(file, [element])
        rows = [row.cells for row in islice(xml_table.rows(file, [element], names), _ROWS)]
    except xml_table.NotATable as error:
        raise NoTable(str(error)) from None
    return Sample("xml", names, rows, element=element)


def _of_text(file: Path | bytes) -> Sample:
    lines = list(islice(Lines(chunks(file), "", DEFAULT_LIMITS.line), _ROWS))
    if not any(line.strip() for line in lines):
        raise NoTable("the file holds nothing")
    best: tuple[float, str, Rows] = (0.0, "", [])
    for delimiter in delimited.DELIMITERS:
        rows = [row.cells for row in delimited.rows(_again(lines), delimiter)]
        width, count = Counter(map(len, rows)).most_common(1)[0]
        score = (width > 1) * (count / len(rows)) * min(width, 10)
        if score > best[0]:
            best = (score, delimiter, rows)
    if best[0] < 1:
        return _of_fixed(lines)
    header, rows = _split(best[2])
    return Sample("pipe" if best[1] == "|" else "csv", header, rows, delimiter=best[1])


def _again(lines: Sequence[str]) -> Lines:
    text = "".join(lines).encode()
    return Lines([text], "", len(text) + 1)


def _of_fixed(lines: Sequence[str]) -> Sample:
    """Columns begin where a character follows a place that is blank in every line."""
    texts = [line.rstrip("\r\n") for line in lines if line.strip()]
    longest = max(map(len, texts))
    blank = [all(text[n : n + 1] in ("", " ") for text in texts) for n in range(longest)]
    starts = [0, *(n for n in range(1, longest) if blank[n - 1] and not blank[n]), longest]
    widths = tuple(b - a for a, b in pairwise(starts))
    if len(widths) < 3:
        raise NoTable("no columns can be told apart")
    rows = [row.cells for row in fixed.rows(_again(lines), widths)]
    return Sample("fixed", None, rows, widths=widths)


def _split(rows: Rows) -> tuple[list[str] | None, Rows]:
    """The header, if a row is one beyond doubt, and the rows below it."""
    filled = [[cell.strip() for cell in row] for row in rows]
    ranked = sorted(range(min(len(rows), _TITLES)), key=lambda n: -_labels(filled[n]))
    for place in ranked[:3]:
        below = [row for row in filled[place + 1 :] if any(row)]
        if _labels(filled[place]) > 1 and _is_header(filled[place], below):
            return filled[place], below
    width, _ = Counter(map(len, filled)).most_common(1)[0]
    return None, [row for row in filled if any(row) and len(row) >= width - 3]


def _labels(row: Iterable[str]) -> int:
    """How many cells of a row could be what a column is called."""
    return sum(1 if cell and not shapes.is_data(cell) else -2 if cell else 0 for cell in row)


def _is_header(row: Sequence[str], below: Rows) -> bool:
    """Whether the values of some columns have a shape that their header has not.

    A row of words above rows of words may be a member; it is not shown to anybody.
    """
    proven = 0
    for place, cell in enumerate(row):
        values = [other[place] for other in below if place < len(other) and other[place]]
        shaped = sum(map(shapes.is_data, values)) if cell else 0
        proven += bool(values) and shaped > len(values) / 2 and not shapes.is_data(cell)
    return proven >= _PROOF


def rows_of(sample: Sample) -> Iterator[list[str]]:
    """The values of each column."""
    yield from (sample.column(place) for place in range(sample.width))
