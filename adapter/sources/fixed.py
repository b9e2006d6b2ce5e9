"""Lines of a fixed-width file to rows of cells, cut where the layout says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapter.issues import Issue
from adapter.record import Location
from adapter.sources.delimited import Row
from adapter.sources.lines import Lines


def rows(lines: Lines, widths: Sequence[int]) -> Iterator[Row]:
    """The rows of a file whose columns are so many characters wide; a line may end early.

    A line with something behind the last column is refused: it is shifted, or another layout's.
    """
    for text in lines:
        lines.mark()
        cells = cut(text.rstrip("\r\n"), widths)
        if len(cells) > len(widths):
            at = Location(lines.source, lines.number)
            problem = "something stands behind the last column"
            lines.issues.append(Issue("error", "column-count", problem, at))
            continue
        yield Row(lines.number, cells)


def cut(line: str, widths: Sequence[int]) -> list[str]:
    """The cells of a line, one more for what stands behind the last column."""
    cells: list[str] = []
    start, text = 0, line.rstrip()
    for width in widths:
        if start >= len(text):
            return cells
        cells.append(text[start : start + width])
        start += width
    return [*cells, text[start:]] if text[start:].strip() else cells
