"""Reads a return file back, as a plan or county does: rows of canonical values, then the state.

A header is recognized by letters and digits alone. Columns that the layout lacks are reported
and left out; a cell that cannot be read is an issue and the row goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from adapter import terms
from adapter.issues import Issue
from adapter.record import Location
from adapter.reports import apart
from adapter.reports.cells import BadCell, parsed
from adapter.reports.found import Value
from adapter.reports.known import FILE
from adapter.reports.layout import Column, Layout
from adapter.reports.outreach import ATTEMPTS

Cells = Sequence[str | float | date | None]
_NAMED_BY = ("cin", "plan_member_id", "mrn")  # what says who a row is of; the first that is there
_ENOUGH = 2  # a first row with fewer known headers is a title or a member, not a heading
_TEXTS = {
    "date-format": "not a date of the layout's form",
    "flag-format": "not one of the layout's two flags",
    "number-format": "not a whole number",
}


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row: its line, whom it names, its values by element (empty cells left out), issues.

    `cells` are all of it as they came, also those of columns that the layout lacks. `part` counts
    the attempts of a row that holds several, from 1.
    """

    line: int
    key: str
    values: Mapping[str, Value]
    issues: tuple[Issue, ...] = ()
    cells: Cells = ()
    part: int = 1


@dataclass(slots=True)
class State:
    """What a file says of one member: values by element, and the outreach attempts in order."""

    values: dict[str, Value] = field(default_factory=dict)
    attempts: list[dict[str, Value]] = field(default_factory=list)


def read(table: Iterable[tuple[int, Cells]], layout: Layout, file: str) -> Iterator[ReadRow]:
    """The rows of a table, each with its line, as a layout understands them; no empty rows.

    A heading without a column that the layout requires is one row with an error and no values.
    """
    source = (row for row in table if not all(map(_blank, row[1])))
    bound: list[Column | None] = [*layout.columns]
    if layout.heading:
        line, head = next(source, (1, ()))
        bound, issues = _bind([str(cell or "") for cell in head], layout, Location(file, line))
        if issues:
            yield ReadRow(line, "", {}, tuple(issues))
        if any(issue.failed for issue in issues):
            return
    for line, cells in source:
        yield from _rows(cells, bound, layout, Location(file, line))


def _blank(cell: str | float | date | None) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def state(rows: Iterable[ReadRow], layout: Layout) -> dict[str, State]:
    """The state of every member that a file's rows tell of, by what names them.

    A row with a void mark takes back what an earlier row of the same told.
    """
    found: dict[str, State] = {}
    for row in rows:
        if not row.values:
            continue
        if row.values.get("void") is True:
            _take_back(found, row, layout)
            continue
        known = found.setdefault(row.key, State())
        kept = {name: value for name, value in row.values.items() if name not in FILE}
        attempt = {name: value for name, value in kept.items() if name in ATTEMPTS}
        known.values |= {name: value for name, value in kept.items() if name not in ATTEMPTS}
        if attempt:
            known.attempts.append(attempt)
    return found


def _bind(
    head: Sequence[str], layout: Layout, at: Location
) -> tuple[list[Column | None], list[Issue]]:
    """The column of each place (None: unknown), and what is missing or unknown."""
    known = {terms.fold(column.header): column for column in layout.columns}
    bound = [known.get(terms.fold(text)) for text in head]
    there = {column.header for column in bound if column}
    unknown = [text for text, column in zip(head, bound, strict=True) if text and not column]
    if len(there) < _ENOUGH:  # not a heading: its texts may be a member's, and are not repeated
        unknown = []
    required = [column.header for column in layout.columns if column.required]
    missing = [header for header in required if header not in there]
    issues = [_issue("warning", "column-unknown", at._replace(field=text)) for text in unknown]
    issues += [_issue("error", "column-missing", at._replace(field=text)) for text in missing]
    return bound, issues


def _rows(
    cells: Cells, bound: Sequence[Column | None], layout: Layout, at: Location
) -> Iterator[ReadRow]:
    """A row, or one for each attempt of a row that holds several (files.md section 8, 18)."""
    several, found = apart.attempts(cells, [one.element if one else "" for one in bound], layout)
    for part, some in enumerate(several, 1):
        row = _row(some, bound, layout, at)
        told = [_issue("warning", "value-format", at._replace(field=_header(bound, name)))
                for name in found] if part == 1 else []  # fmt: skip
        yield replace(row, issues=(*told, *row.issues), cells=cells, part=part)


def _header(bound: Sequence[Column | None], element: str) -> str:
    return next((one.header for one in bound if one and one.element == element), element)


def _row(cells: Cells, bound: Sequence[Column | None], layout: Layout, at: Location) -> ReadRow:
    values: dict[str, Value] = {}
    issues = []
    if len(cells) > len(bound):
        issues.append(_issue("warning", "column-count", at))
    for cell, column in zip(cells, bound, strict=False):
        if column is None or not column.element:
            continue
        place = at._replace(field=column.header)
        try:
            value = parsed(cell, column, layout)
        except BadCell as bad:
            issues.append(_issue("warning", str(bad), place))
            continue
        if value is not None:
            values[column.element] = value
        if isinstance(value, str) and _unknown(value, column):
            issues.append(_issue("warning", "code-unknown", place))
    key = next((str(values[name]) for name in _NAMED_BY if name in values), "")
    return ReadRow(at.line, key or f"line {at.line}", values, tuple(issues), cells)


def _unknown(value: str, column: Column) -> bool:
    return column.words is not None and value not in column.words


def _take_back(found: dict[str, State], row: ReadRow, layout: Layout) -> None:
    if layout.grain != "attempt":
        found.pop(row.key, None)
        return
    gone = {name: value for name, value in row.values.items() if name in ATTEMPTS}
    known = found.get(row.key, State())
    known.attempts = [one for one in known.attempts if one != gone]


def _issue(severity: str, slug: str, at: Location) -> Issue:
    text = _TEXTS.get(slug) or _SAID[slug]
    return Issue("error" if severity == "error" else "warning", slug, text, at)


_SAID = {
    "column-unknown": "the layout has no such column",
    "column-missing": "a required column is not there",
    "column-count": "more cells than columns",
    "value-format": "several values in one cell, not as many as attempts: they were left out",
    "code-unknown": "the layout's list has no such word",
}
