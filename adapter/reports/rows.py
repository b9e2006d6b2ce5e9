"""Rows of a return file from a member's facts: values, texts, what each was made from, findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adapter.issues import Issue
from adapter.record import Location
from adapter.reports import cells
from adapter.reports.attempts import Attempt
from adapter.reports.elements import ELEMENTS
from adapter.reports.facts import Facts
from adapter.reports.found import NOTHING, Found, Value
from adapter.reports.known import RENEWED
from adapter.reports.layout import Column, Format, Layout
from adapter.reports.outreach import ATTEMPTS
from adapter.reports.preflight import contradictions, lateness
from adapter.reports.setup import Setup

Sent = Mapping[str, str] | None  # what was told last of the member, by header


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its value, its text, the elements it was made from, and whether it is known."""

    value: Value
    text: str
    refs: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet: the line it will stand on, whom it tells of, its cells, its findings.

    `also` is the attempt in a member's row, `""` if there is none.
    """

    line: int
    subject: str
    cells: tuple[Cell, ...]
    issues: tuple[Issue, ...] = ()
    also: str = ""


@dataclass(slots=True)
class Sheet:
    """A layout being filled: in which format, the file's name, and how many rows it has."""

    layout: Layout
    form: Format
    file: str
    setup: Setup
    fields: str = ""  # what stands before a header in the name of a cell: `RTF!`
    rows: int = 0

    def field(self, column: Column) -> str:
        """What `explain` and issues call a cell of a column."""
        return f"{self.fields}{column.header}"

    def place(self) -> int:
        """The line of the next row."""
        self.rows += 1
        return self.rows + (1 if self.layout.heading else 0)

    @property
    def wanted(self) -> frozenset[str]:
        """The elements that its columns hold."""
        return frozenset(column.element for column in self.layout.columns)


def of_member(facts: Facts, tried: Sequence[Attempt], sheet: Sheet, sent: Sent) -> Iterator[Row]:
    """A member's rows: one, or one an attempt, or one with each attempt (`both`).

    What contradicts itself is told at the first of them.
    """
    grain = sheet.layout.grain
    several: Sequence[Attempt | None] = () if grain == "member" else tried
    alone: Sequence[Attempt | None] = () if grain == "attempt" else (None,)
    found = list(contradictions(facts))
    for attempt in several or alone:
        row = _row(facts, attempt, sheet, sent)
        at = Location(sheet.file, row.line)
        told = tuple(Issue("warning", "contradiction", text, at) for text in found)
        yield replace(row, issues=(*row.issues, *told))
        found = []


def taken_back(subject: str, texts: Mapping[str, str], sheet: Sheet) -> Row:
    """The row of something told before that must no longer count, with its void mark."""
    line = sheet.place()
    made = [_void_cell(column, texts, sheet) for column in sheet.layout.columns]
    return Row(line, subject, tuple(made))


def texts(row: Row, layout: Layout) -> dict[str, str]:
    """What a row says, by header; empty cells are left out."""
    both = zip(layout.columns, row.cells, strict=True)
    return {column.header: cell.text for column, cell in both if cell.text}


def _row(facts: Facts, attempt: Attempt | None, sheet: Sheet, sent: Sent) -> Row:
    line = sheet.place()
    columns = sheet.layout.columns
    made = [_cell(_found(column, facts, attempt, sheet), column, sheet) for column in columns]
    made = _renewed(made, sheet.layout, sent)
    at = Location(sheet.file, line)
    issues = [*_findings(made, sheet, line)]
    if attempt is not None:
        issues += [Issue(*found, at) for found in lateness(attempt, facts.setup)]
    tried = attempt.ref if attempt else ""
    if sheet.layout.grain == "attempt":
        return Row(line, tried, tuple(made), tuple(issues))
    return Row(line, facts.ref, tuple(made), tuple(issues), tried)


def _found(column: Column, facts: Facts, attempt: Attempt | None, sheet: Sheet) -> Found:
    if not column.element:
        return Found(column.constant)
    if column.element in ELEMENTS:
        return ELEMENTS[column.element](facts)
    if column.element in ATTEMPTS:
        return ATTEMPTS[column.element](attempt) if attempt else NOTHING
    return _line(column.element, sheet)


def _line(element: str, sheet: Sheet) -> Found:
    """An element of the row itself."""
    if element == "sequence":
        return Found(f"{sheet.rows:04d}")
    return Found(False if element == "void" else sheet.setup.moment.replace(tzinfo=None))


def _cell(found: Found, column: Column, sheet: Sheet) -> Cell:
    value, known = cells.told(found.value, column, sheet.form)
    text = cells.text(value, column, sheet.layout)
    return Cell(value, text, found.refs, known)


def _renewed(made: list[Cell], layout: Layout, sent: Sent) -> list[Cell]:
    """`New` is what another than the plan said, and the last file of the series did not tell."""
    if sent is None:
        return made
    at = {column.element: place for place, column in enumerate(layout.columns)}
    for element, parts in RENEWED.items():
        if element not in at:
            continue
        places = [at[part] for part in parts if part in at]
        differs = any(made[p].text != sent.get(layout.columns[p].header, "") for p in places)
        old = made[at[element]]
        new = differs and old.value is not False
        if any(made[place].text for place in places):
            text = cells.text(new, layout.columns[at[element]], layout)
            made[at[element]] = replace(old, value=new, text=text)
    return made


def _findings(made: Sequence[Cell], sheet: Sheet, line: int) -> Iterator[Issue]:
    columns = sheet.layout.columns
    shown = {column.element: cell.text for column, cell in zip(columns, made, strict=True)}
    for column, cell in zip(columns, made, strict=True):
        at = Location(sheet.file, line, sheet.field(column))
        other, text = column.need_if or ("", "")
        if not cell.text and (column.required or (other and shown.get(other) == text)):
            yield Issue("error", "cell-empty", "a required cell is empty", at)
        if not cell.known:
            yield Issue("warning", "code-unknown", "the plan's list has no word for this code", at)


def _void_cell(column: Column, told: Mapping[str, str], sheet: Sheet) -> Cell:
    if column.element == "void":
        return Cell(True, cells.text(True, column, sheet.layout))
    if column.element in ("sequence", "sent_at"):
        return _cell(_line(column.element, sheet), column, sheet)
    text = told.get(column.header, "")
    return Cell(text or None, text)
