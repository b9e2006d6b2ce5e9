"""Finds the header of a table and says which canonical field each column is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from adapter.sources.cells import key
from adapter.sources.delimited import Row
from adapter.sources.layout import Layout

_RENAMED = re.compile(r"[_. ]\d$")  # how libraries tell equal headers apart
# What is written before the cells of a refused row, so that it can be mended and loaded again.
REFUSED = (
    "reject_file",
    "reject_as_of",
    "reject_line",
    "reject_column",
    "reject_reason",
    "reject_remedy",
)
_ENOUGH = 2  # a row with fewer known headers is a title or a member, not a header


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of one file: canonical field of each (None: unknown) and what people call it.

    `line` is where the header stands, 0 without one; `least` the number of columns up to the last
    with a header; `twice` the positions of columns that mean a field which an earlier or surer
    column means already.
    """

    source: str
    line: int
    columns: tuple[str | None, ...]
    labels: tuple[str, ...]
    least: int
    twice: tuple[int, ...] = ()


def best_header(rows: Iterable[Row], layout: Layout, source: str) -> tuple[int, Header | None]:
    """The row with most known headers, the first of equals, and how many it has; else (0, None)."""
    known = layout.keys
    best, found = _ENOUGH - 1, None
    for row in rows:
        score = len({known[k][1] for k in map(key, row.cells) if k in known})
        if score > best:
            best, found = score, row
    return (best, _header(found, layout, source)) if found else (0, None)


def positional(layout: Layout, source: str) -> Header:
    """The header of a file without one: labels give position and field, `column 5 (cin)`."""
    names = enumerate(layout.positions, 1)
    labels = [f"column {n} ({field})" if field else f"column {n}" for n, field in names]
    columns = tuple(field or None for field in layout.positions)
    return Header(source, 0, columns, tuple(labels), len(columns))


def labelled(row: Row | None, layout: Layout, source: str) -> Header | None:
    """The header of a file of refused rows: the labels of columns that had none, `column 5 (cin)`.

    None when the row is no such header.
    """
    without = positional(layout, source)
    fields = dict(zip(without.labels, without.columns, strict=True))
    cells = [cell.strip() for cell in row.cells] if row else []
    if len(fields.keys() & set(cells)) < _ENOUGH:
        return None
    marks = {key(text): name for name in REFUSED for text in layout.columns.get(name, ())}
    columns = tuple(fields[c] if c in fields else marks.get(key(c)) for c in cells)
    return Header(source, row.line if row else 0, columns, tuple(_labels(cells)), len(columns))


def mended(header: Header) -> bool:
    """Whether a file holds rows that were refused before: it says why, and is not a whole list."""
    return not set(REFUSED).isdisjoint(header.columns)


def missing(header: Header, layout: Layout) -> list[str]:
    """The required fields that no column means; `a or b` where one of them would do."""
    found = set(header.columns)
    wanted = [(one,) if isinstance(one, str) else one for one in layout.required]
    return [" or ".join(names) for names in wanted if found.isdisjoint(names)]


def _header(row: Row, layout: Layout, source: str) -> Header:
    ranks = layout.keys
    keys = _again([key(cell) for cell in row.cells], row.cells, ranks.keys())
    columns: list[str | None] = [None] * len(keys)
    ranked = sorted((ranks[k][0], place) for place, k in enumerate(keys) if k in ranks)
    twice, taken = [], set()
    for _, place in ranked:
        field = ranks[keys[place]][1]
        if field in taken:
            twice.append(place)
            continue
        taken.add(field)
        columns[place] = field
    labels = tuple(_labels(row.cells))
    least = max((place for place, k in enumerate(keys, 1) if k), default=0)
    return Header(source, row.line, tuple(columns), labels, least, tuple(sorted(twice)))


def _again(keys: list[str], texts: Sequence[str], known: Set[str]) -> list[str]:
    """Keys in which `Phone_1` beside `Phone` is `Phone` once more (files.md section 8, 6)."""
    there = set(keys)
    bare = [key(_RENAMED.sub("", text)) for text in texts]
    return [
        stem if k not in known and k != stem and stem in there and stem in known else k
        for k, stem in zip(keys, bare, strict=True)
    ]


def _labels(cells: Sequence[str]) -> Iterable[str]:
    seen: dict[str, int] = {}
    for number, cell in enumerate(cells, 1):
        label = " ".join(cell.split()) or f"column {number}"
        seen[label] = seen.get(label, 0) + 1
        yield label if seen[label] == 1 else f"{label} ({seen[label]})"
