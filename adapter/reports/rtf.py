"""The Return Transmission File: rows from the store alone, a pre-flight, and the CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from adapter.errors import OutputError
from adapter.issues import Issue
from adapter.record import Location
from adapter.reports.cells import text
from adapter.reports.elements import ELEMENTS
from adapter.reports.facts import Facts, Loop, members
from adapter.reports.layout import Column, Layout
from adapter.reports.preflight import contradictions
from adapter.reports.setup import Setup
from adapter.store.protocol import Cell, Store


@dataclass(frozen=True, slots=True)
class Run:
    """One report to make: its layout, the month (`2026-01`), the instant (with zone), and `loop`,
    which tells what a referral's history means (adapter.referrals.loop.loop_status).
    """

    layout: Layout
    period: str
    now: datetime
    loop: Loop

    def setup(self) -> Setup:
        """What is the same in every row. Raises SettingError when the period is no month."""
        return self.layout.setup(self.period, self.now.astimezone(self.layout.zone).date())


@dataclass(frozen=True, slots=True)
class Row:
    """One member's row: line in the file (2 on), texts and refs by column, and the findings."""

    line: int
    texts: tuple[str, ...]
    refs: tuple[tuple[str, ...], ...]
    issues: tuple[Issue, ...]


@dataclass(slots=True)
class Written:
    """The file that a run wrote, its rows without the header, and the pre-flight's findings."""

    file: Path
    rows: int = 0
    issues: list[Issue] = field(default_factory=list)


def rows(store: Store, run: Run) -> Iterator[Row]:
    """One row a member, in the order of the Patient's id.

    An empty required cell is an `error`, a code without the plan's word and a contradiction are
    a `warning`; all are placed in the file to be (name, line, header).
    """
    setup = run.setup()
    name = run.layout.name(setup)
    for line, facts in enumerate(members(store, setup, run.loop), 2):
        yield _row(facts, run.layout, name, line)


def preflight(store: Store, run: Run) -> list[Issue]:
    """Everything `write` would find, without writing."""
    return [issue for row in rows(store, run) for issue in row.issues]


def write(store: Store, run: Run, folder: Path) -> Written:
    """Write the file, whole or not at all, and remember what every cell was made from.

    Findings do not keep a row out: a plan wants every member. Raises SettingError, OutputError,
    StoreError.
    """
    result = Written(folder / run.layout.name(run.setup()))
    part = result.file.with_name(f".{result.file.name}.part")
    cells: list[Cell] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as stream:
            for row in _csv(stream, run.layout, rows(store, run)):
                cells += _cells(run.layout, row)
                result.rows += 1
                result.issues += row.issues
        with store.batch():
            store.write_cells(result.file.name, cells, run.now.isoformat())
            part.replace(result.file)
    except OSError as error:
        raise OutputError(f"cannot write {result.file.name}: {error.strerror}") from None
    return result


def _row(facts: Facts, layout: Layout, file: str, line: int) -> Row:
    texts: list[str] = []
    refs: list[tuple[str, ...]] = []
    issues: list[Issue] = []
    for column in layout.columns:
        found = ELEMENTS[column.element](facts)
        shown, known = text(found, column, layout)
        texts.append(shown)
        refs.append(found.refs)
        issues += _findings(column, shown, known, Location(file, line, column.header))
    at = Location(file, line)
    issues += [Issue("warning", "contradiction", told, at) for told in contradictions(facts)]
    return Row(line, tuple(texts), tuple(refs), tuple(issues))


def _findings(column: Column, shown: str, known: bool, at: Location) -> Iterator[Issue]:
    if column.required and not shown:
        yield Issue("error", "cell-empty", "a required cell is empty", at)
    if not known:
        yield Issue("warning", "code-unknown", "the plan's list has no word for this code", at)


def _csv(stream: TextIO, layout: Layout, found: Iterator[Row]) -> Iterator[Row]:
    writer = csv.writer(stream)
    writer.writerow([column.header for column in layout.columns])
    for row in found:
        writer.writerow(row.texts)
        yield row


def _cells(layout: Layout, row: Row) -> Iterator[Cell]:
    for column, refs in zip(layout.columns, row.refs, strict=True):
        if refs:
            yield Cell(row.line, column.header, refs)
