"""Raw rows of a known header to records: width, fillers, ids, open ends, rows seen before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from adapter.issues import Issue, Severity
from adapter.record import Location, Record
from adapter.sources import cells
from adapter.sources.delimited import Row
from adapter.sources.header import Header, mended
from adapter.sources.layout import Layout
from adapter.spreadsheet import plain

AGAIN = "row-duplicate"  # the finding of a row that stands in the file before
OPEN = "9999-12-31"  # an end date that says "no end"; absent says nothing
_SEVERAL = re.compile(r"\s*[;|\n]\s*")
_TAIL = 8  # bytes of a fingerprint kept behind its two bucket bytes


def records(
    rows: Iterable[Row], header: Header, layout: Layout, found: list[Issue]
) -> Iterator[Record | Issue]:
    """The rows as records, each after its findings; `found` is where the reader below leaves its.

    A row with too few or too many cells is refused, one seen before skipped, an empty one ignored;
    one with several values in a cell becomes several records named `row`, `row 2`, ...
    """
    shape = _Shape(header, layout, found)
    seen = Seen()
    any_row = False
    for row in rows:
        fields = shape.fit(row)
        text = shape.telling(fields) if fields else ""
        if fields and seen.before(text):
            shape.tell(row.line, None, "warning", AGAIN, "the same row stands above")
            fields = []
        split = [fields] if fields else []
        if fields:
            any_row = True
            shape.clean(row.line, fields)
            split = shape.split(row.line, fields, text)
        if found:
            yield from _until(row.line, found)
        for number, part in enumerate(split, 1):
            name = "row" if number == 1 else f"row {number}"
            yield Record(header.source, row.line, name, part, header.labels)
    if any_row:
        shape.tell_unfilled()
    yield from found
    found.clear()
    if not any_row:
        at = Location(header.source, max(header.line, 1))
        yield Issue("warning", "file-empty", "there is no row to take", at)


def _until(line: int, found: list[Issue]) -> list[Issue]:
    """Take the findings up to a line; those of lines that were only looked at ahead wait."""
    due = [issue for issue in found if issue.at is None or issue.at.line <= line]
    found[:] = [issue for issue in found if issue not in due]
    return due


class Seen:
    """The fingerprints of rows seen, ten bytes each, so that a million rows cost about 23 MB."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}

    def before(self, text: str) -> bool:
        """True when this text came before; remembers it."""
        mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=2 + _TAIL).digest()
        bucket = self._buckets.get(mark[:2])
        if bucket is None:
            bucket = self._buckets[mark[:2]] = bytearray()
        tail = mark[2:]
        place = bucket.find(tail)
        while place > 0 and place % _TAIL:
            place = bucket.find(tail, place + 1)
        if place < 0:
            bucket += tail
        return place >= 0


class _Shape:
    """What a layout says about the columns of one header, by position."""

    def __init__(self, header: Header, layout: Layout, found: list[Issue]) -> None:
        self._header, self._layout, self._found = header, layout, found
        self._width = len(header.columns)
        self._mended = mended(header)
        self._least = layout.min_columns or header.least
        self._filled: set[int] = set()
        self._zeros = self._places(layout.zero_is_empty)
        self._ids = self._places(layout.ids)
        self._ends = self._places(layout.ends) if layout.open_from else ()
        self._dates = self._places(layout.dates) if layout.dates_as != "mdy" else ()
        self._lists = [
            (place, f"{layout.lists[field]}:")
            for place, field in enumerate(header.columns)
            if field and field in layout.lists
        ]
        self._untold = self._places(layout.same_without)
        self._unfilled = set(self._places(layout.wanted))
        self._together = self._places(layout.together)

    def _places(self, fields: frozenset[str]) -> tuple[int, ...]:
        return tuple(n for n, field in enumerate(self._header.columns) if field in fields)

    def fit(self, row: Row) -> list[str]:
        """The stripped cells, as many as columns; [] for an empty row or a refused one."""
        fields = list(map(str.strip, row.cells))
        if self._mended:
            fields = list(map(plain, fields))
        count = len(fields)
        if count == self._width:
            return fields if any(fields) else []
        if not any(fields):
            return []
        if count > self._width and not any(fields[self._width :]):
            return fields[: self._width]
        if self._least <= count < self._width:
            return fields + [""] * (self._width - count)
        text = f"{count} cells where the file has {self._width} columns"
        self.tell(row.line, None, "error", "column-count", text)
        return []

    def telling(self, fields: list[str]) -> str:
        """What makes a row different from another, as one text."""
        if self._untold:
            fields = ["" if n in self._untold else cell for n, cell in enumerate(fields)]
        return "\x1f".join(fields)

    def clean(self, line: int, fields: list[str]) -> None:
        """Empty what only looks filled, in place; mend ids and dates that a sender's tool bent."""
        if not self._layout.fillers.isdisjoint(fields):
            self._empty_fillers(line, fields)
        for place in self._zeros:
            if fields[place] and not fields[place].strip("0"):
                self._empty(line, fields, place, "a zero")
        for place in self._ids:
            cell = fields[place]
            if cell and ("." in cell or "+" in cell or cell[0] in "='"):
                self._mend_id(line, fields, place)
        if self._ends or self._dates:
            self._read_dates(line, fields)
        if self._lists or self._unfilled:
            self._note(fields)

    def _note(self, fields: list[str]) -> None:
        """Name the plan's own lists before their codes; note which columns are filled."""
        self._unfilled -= {place for place in self._unfilled if fields[place]}
        for place, prefix in self._lists:
            fields[place] = fields[place] and prefix + fields[place]

    def split(self, line: int, fields: list[str], text: str) -> list[list[str]]:
        """The row, or one for each of the values that its cells hold (files.md section 8, 18).

        Only cells that agree in number are split; others are emptied and told. `text` is the row
        as `telling` has it.
        """
        if not (self._untold or ";" in text or "|" in text or "\n" in text):
            return [fields]
        several = {
            place: _SEVERAL.split(fields[place].strip(" ;|"))
            for place in self._together
            if ";" in fields[place] or "|" in fields[place] or "\n" in fields[place]
        }
        if not several:
            return [fields]
        counts = {len(texts) for texts in several.values()}
        filled = [place for place in self._together if fields[place]]
        if len(counts) > 1 or len(filled) > len(several):
            for place in filled:
                fields[place] = ""
            text = "several values in one cell, and not as many in those beside it; left out"
            self.tell(line, filled[0], "warning", "value-format", text)
            return [fields]
        return [
            [several[place][number] if place in several else cell
             for place, cell in enumerate(fields)]
            for number in range(counts.pop())
        ]  # fmt: skip

    def tell_unfilled(self) -> None:
        """Warn of wanted columns that no row filled (files.md section 8, 17)."""
        for place in sorted(self._unfilled):
            text = "the column is there, and no row fills it"
            self.tell(max(self._header.line, 1), place, "warning", "required", text)

    def _read_dates(self, line: int, fields: list[str]) -> None:
        order, open_from = self._layout.dates_as, self._layout.open_from
        for place in self._ends:
            if (cells.iso_date(fields[place], order) or "") >= open_from:
                self._empty(line, fields, place, "an end too far off to be one")
                fields[place] = OPEN
        for place in self._dates:
            fields[place] = cells.iso_date(fields[place], order) or fields[place]

    def _empty_fillers(self, line: int, fields: list[str]) -> None:
        columns = self._header.columns
        for place, cell in enumerate(fields):
            if cell in self._layout.fillers and columns[place] not in self._layout.fillers_not_in:
                self._empty(line, fields, place, "a filler text")

    def _empty(self, line: int, fields: list[str], place: int, what: str) -> None:
        fields[place] = ""
        if place not in self._filled:  # once a column is enough to know the sender's habit
            self._filled.add(place)
            text = f"{what} was read as absent, here and in later rows"
            self.tell(line, place, "information", "filler", text)

    def _mend_id(self, line: int, fields: list[str], place: int) -> None:
        whole = cells.id_text(fields[place])
        fields[place] = whole or ""
        if whole is None:
            text = "an identifier as a rounded number; its digits are lost"
            self.tell(line, place, "warning", "identifier-format", text)

    def tell(
        self, line: int, place: int | None, severity: Severity, detail: str, text: str
    ) -> None:
        """Add a finding at a row, or at one of its cells."""
        label = "" if place is None else self._header.labels[place]
        at = Location(self._header.source, line, label)
        self._found.append(Issue(severity, detail, text, at))
