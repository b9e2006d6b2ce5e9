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
    ends = [sum(widths[: place + 1]) for place in range(len(widths))]
    spans = list(zip([0, *ends], ends, strict=False))
    for text in lines:
        lines.mark()
        line = text.rstrip("\r\n")
        if line[ends[-1] :].strip():
            at = Location(lines.source, lines.number)
            problem = "something stands behind the last column"
            lines.issues.append(Issue("error", "column-count", problem, at))
            continue
        length = len(line.rstrip())
        yield Row(lines.number, [line[start:end] for start, end in spans if start < length])
