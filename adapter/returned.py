"""Return files read as a plan or county reads them: one Outcome a row, for the plan's own store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapter import convert, data
from adapter.checked import checked
from adapter.errors import DataFileError, OutputError
from adapter.issues import Issue
from adapter.mapping import tabular
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Record
from adapter.reports.cells import named
from adapter.reports.layout import DELIMITER, SUFFIX, Format, Kind, Layout
from adapter.reports.layout_file import layouts
from adapter.reports.read import ReadRow, read
from adapter.reports.told import SOURCES, Teller, text
from adapter.sources import plain, workbook

KINDS: tuple[Kind, ...] = ("rtf", "otf")
_CONTEXT = ("payer_name", "plan")
_MARK = b"|"


@dataclass(frozen=True, slots=True)
class Source:
    """One return file: its content, its name, and the instant it came, `""` if nobody says."""

    content: Path | bytes
    name: str
    received: str = ""


def outcomes(file: Source, plan: str, kind: Kind) -> Iterator[Outcome]:
    """Every row of a plan's return file as an Outcome, in order; what cannot be read is refused.

    What it says is true from its production date, else from its rows' own time stamp, else from
    when it came. It belongs to `return:<plan>`: the provider's word, as told to that plan.
    Raises DataFileError for a plan without such a file.
    """
    found = layouts(plan, kind)
    try:
        layout = _layout(file, found)
        rows = table(file, layout)
        yield from _Reader(file, kind, layout).units(rows)
    except OutputError as error:
        issue = Issue("fatal", "file-format", str(error), Location(file.name, 1))
        yield convert.refused(issue, kind, f"return:{plan}")


def table(file: Source, layout: Layout) -> plain.Table:
    """The rows of a file as a workbook or text, whichever it is, and where findings are left.

    Raises OutputError when it cannot be opened, or is neither.
    """
    try:
        form = _form(file) or layout.format
        if form == "xlsx":
            return plain.sheet(file.content, layout.sheet)
        return plain.text(file.content, file.name, DELIMITER[form], quoted=form != "pipe")
    except plain.NotATable as error:
        raise OutputError(f"cannot read {file.name}: {error}") from None


def _layout(file: Source, found: Sequence[Layout]) -> Layout:
    """Which of a plan's layouts a file has: by its name, else by how many cells its rows have."""
    if len(found) == 1:
        return found[0]
    named = [one for one in found if _stem(one).search(file.name)]
    if len(named) == 1:
        return named[0]
    _, first = next(table(file, found[0]).rows, (1, ()))
    return min(found, key=lambda one: abs(len(one.columns) - len(first)))


def _stem(layout: Layout) -> re.Pattern[str]:
    """What every name of a layout's files holds, whoever sends them and when."""
    fixed = re.sub(r"\{plan\}", layout.plan, layout.file_name)
    longest = max(re.split(r"\{[a-z]+\}", fixed), key=len)
    return re.compile(re.escape(longest), re.IGNORECASE)


def _form(file: Source) -> Format | None:
    """The format by the content's first bytes, else by the name; None: as the layout has it."""
    head = _head(file.content)
    if head.startswith(workbook.MAGIC):
        return "xlsx"
    suffix = Path(file.name).suffix.lower()
    named = next((name for name, ending in SUFFIX.items() if ending == suffix), None)
    if named == "xlsx":
        return named
    line = head.partition(b"\n")[0]
    if named == "csv" and line.count(_MARK) > line.count(DELIMITER["csv"].encode()):
        return "pipe"
    return named


def _head(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return content[:4096]
    try:
        with content.open("rb") as stream:
            return stream.read(4096)
    except OSError as error:
        raise OutputError(f"cannot read {content.name}: {type(error).__name__}") from None


class _Reader:
    """One file being read: its rules bound to the layout's fields, and findings that wait."""

    def __init__(self, file: Source, kind: Kind, layout: Layout) -> None:
        self._file, self._kind, self._layout = file, kind, layout
        mapping = tabular.load("returns", "row")
        self._fields = sorted(mapping.fields - {*_CONTEXT})
        self._bound = mapping.bind(self._fields, [self._label(name) for name in self._fields])
        self._context = {
            "plan": layout.plan, "payer_name": layout.payer_name, "zone": str(layout.zone),
        }  # fmt: skip
        self._digest = _digest(file.content)
        self._required = {one.element: one.header for one in layout.columns if one.required}
        self._teller = Teller(layout)
        self._waiting: list[Issue] = []

    def units(self, table: plain.Table) -> Iterator[Outcome]:
        """The units of the rows and of lines that cannot be used; last, findings no row took."""
        for row in read(table.rows, self._layout, self._file.name):
            yield from self._found(table.found)
            if row.values:
                yield self._unit(row)
            elif any(issue.failed for issue in row.issues):
                yield Outcome(self._named(row, {}), issues=[*row.issues])
            else:
                self._waiting += row.issues
        yield from self._found(table.found)
        if self._waiting:
            line = self._waiting[-1].at.line if self._waiting[-1].at else 1
            yield Outcome(self._named(ReadRow(line, "", {}), {}), issues=self._waiting)

    def _found(self, found: list[Issue]) -> Iterator[Outcome]:
        """A refused unit for each line that could not be used; the rest waits for the next row."""
        told = [*found]
        found.clear()
        self._waiting += [issue for issue in told if not issue.failed]
        for issue in told:
            if issue.failed:
                yield convert.refused(issue, self._kind, f"return:{self._layout.plan}")

    def _unit(self, row: ReadRow) -> Outcome:
        said = self._teller.fields(row)
        cells = [said.get(name, "") for name in self._fields]
        unit = self._named(row, said)
        record = Record(self._file.name, row.line, "row", cells)
        outcome = self._bound.apply(record, unit, self._context)
        known = [issue for issue in row.issues if not self._called(issue, row)]
        outcome.issues[:0] = [*self._waiting, *known, *self._empty(row)]
        self._waiting = []
        return checked(outcome)

    def _named(self, row: ReadRow, said: dict[str, str]) -> Unit:
        file, layout = self._file, self._layout
        made = _instant(said.get("sent_at") or said.get("produced_on") or file.received, layout)
        as_of = f"{made} {row.line:09d}" if made else ""
        part = f" {row.part}" if row.part > 1 else ""
        key = f"{self._digest}:{layout.name}:{row.line}{part}"
        raw = data.dumps([text(cell) for cell in row.cells]) if said else b""
        at = Location(file.name, row.line)
        return Unit(at, self._kind, f"return:{layout.plan}", key, as_of, raw, file.received)

    def _called(self, issue: Issue, row: ReadRow) -> bool:
        """Whether a word that the plan's list lacks is the name of a code of ours."""
        field = issue.at.field if issue.at else ""
        column = next((one for one in self._layout.columns if one.header == field), None)
        if issue.detail != "code-unknown" or column is None:
            return False
        return bool(named(column.element, str(row.values.get(column.element, ""))))

    def _empty(self, row: ReadRow) -> Iterator[Issue]:
        """A required cell that is empty is told at its first row: all of them may be."""
        if row.part > 1:
            return
        told = {issue.at.field for issue in row.issues if issue.at}
        empty = [
            n for n, head in self._required.items() if n not in row.values and head not in told
        ]
        for element in empty:
            at = Location(self._file.name, row.line, self._required.pop(element))
            yield Issue("warning", "cell-empty", "a required cell is empty, here first", at)

    def _label(self, field: str) -> str:
        """The header that a field is read from; its own name when the layout has no such column."""
        found = (self._layout.column(name) for name in SOURCES.get(field, (field,)))
        return next((column.header for column in found if column is not None), field)


def _instant(text: str, layout: Layout) -> str:
    """An instant in UTC: a time without offset is in the layout's zone, a day begins in UTC."""
    if not text:
        return ""
    moment = datetime.fromisoformat(text)
    if len(text) > len("2026-01-01") and moment.tzinfo is None:
        moment = moment.replace(tzinfo=layout.zone)
    return (
        (moment if moment.tzinfo is None else moment.astimezone(UTC))
        .replace(tzinfo=UTC)
        .isoformat()
    )


def _digest(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()[:32]
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


def known_plans(kind: Kind) -> list[str]:
    """The plans that want a kind of return file, by name."""
    folders = sorted(one for one in data.path("mappings", "outbound").iterdir() if one.is_dir())
    return [one.name for one in folders if _has(one.name, kind)]


def _has(plan: str, kind: Kind) -> bool:
    try:
        return bool(layouts(plan, kind))
    except DataFileError:
        return False
