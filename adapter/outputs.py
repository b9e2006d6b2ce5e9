"""What goes out: a plan's return file, its claims, and where any of it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from adapter import returned
from adapter.claims import plan as plans
from adapter.claims import write as claims
from adapter.issues import Issue
from adapter.pipeline import Pipeline
from adapter.referrals.loop import loop_status
from adapter.reports import write
from adapter.reports.layout import Format, Kind, Layout
from adapter.reports.layout_file import layouts, load
from adapter.reports.read import State, read, state
from adapter.reports.write import Run
from adapter.store.protocol import Reader, Trace


def claim_files(house: Pipeline, plan: str, month: str, folder: Path) -> claims.Written:
    """Write the 837P files of a plan for a month (`2026-01`). Raises DataFileError, OutputError."""
    run = claims.Run(plans.load(plan), month, folder, house.clock())
    return claims.write(house.store, run)


def return_run(
    house: Pipeline, plan: str, kind: Kind, month: str, form: Format | None = None, by: str = ""
) -> Run:
    """A plan's return files of a kind for a month: which files, in which format, who sends them.

    In a workbook the layouts that share one are its sheets. Raises DataFileError for a plan
    without such a layout.
    """
    found: dict[str, tuple[Layout, ...]] = {}
    for layout in layouts(plan, kind):
        whole = (form or layout.format) == "xlsx" and layout.book
        sheets = tuple(load(plan, name) for name in layout.book) if whole else (layout,)
        found.setdefault(sheets[0].file_name, sheets)
    return Run(tuple(found.values()), month, house.clock(), loop_status, by or "ecm-adapter", form)


def preflight(house: Pipeline, run: Run) -> list[Issue]:
    """What is empty, unknown or contradicts itself in files that are not written."""
    return write.preflight(house.store, run)


def return_files(house: Pipeline, run: Run, folder: Path) -> write.Written:
    """Write the files of a run. Raises SettingError for what is no month, OutputError."""
    return write.write(house.store, run, folder)


def return_file(
    house: Pipeline, plan: str, month: str, folder: Path, kind: Kind = "rtf"
) -> write.Written:
    """Write a plan's Return Transmission File (or tracker file) for a month.

    Raises DataFileError for a plan without one, SettingError for what is no month, OutputError.
    """
    return return_files(house, return_run(house, plan, kind, month), folder)


def read_back(file: Path, layout: Layout) -> tuple[dict[str, State], list[Issue]]:
    """What a return file says of each member (by CIN), as its plan or county reads it.

    Raises OutputError when it cannot be opened, or is neither text nor a workbook.
    """
    table = returned.table(returned.Source(file, file.name), layout)
    rows = list(read(table.rows, layout, file.name))
    return state(rows, layout), [*table.found, *(issue for row in rows for issue in row.issues)]


def explain(reader: Reader, ref: str) -> Iterator[str]:
    """Where something came from, a line a step: a cell's resources, and their source places.

    `ref` is `Patient/ID`, `Patient/ID#name`, or `FILE:LINE:FIELD` of a file that we wrote.
    """
    if "/" in ref and ":" not in ref:
        yield from _of_resource(reader, ref, "")
        return
    file, _, rest = ref.partition(":")
    line, _, field = rest.partition(":")
    known = re.fullmatch(r"[0-9]{1,9}", line)
    cell = reader.cell(file, int(line), field) if known else None
    if cell is None:
        return
    yield f"{file} line {cell.line} {cell.field}"
    for one in cell.refs:
        yield from _of_resource(reader, one, "  ")


def _of_resource(reader: Reader, ref: str, indent: str) -> Iterator[str]:
    name, _, element = ref.partition("#")
    kind, _, uid = name.partition("/")
    if reader.read(kind, uid) is None:
        return
    yield f"{indent}{ref}"
    seen = set()
    for trace in reader.trace(kind, uid):
        if element and trace.element != element:
            continue
        line = f"{indent}  {_place(trace)}"
        if line not in seen:
            seen.add(line)
            yield line


def _place(trace: Trace) -> str:
    return f"{trace.element} <- {trace.file}:{trace.line} {trace.field} ({trace.source})"
