"""Return files from the store alone: pre-flight, the file, what it told, the record that it went.

The file is written beside its place, the store is told in one batch, and the file stands last; a
run killed in between is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapter import staging
from adapter.errors import OutputError
from adapter.issues import Issue
from adapter.reports import record
from adapter.reports.attempts import Attempt
from adapter.reports.book import Book, opened
from adapter.reports.facts import Facts, members
from adapter.reports.layout import Format, Layout
from adapter.reports.rows import Row, Sheet, of_member
from adapter.reports.setup import Setup
from adapter.reports.shelf import Loop, Wanted
from adapter.reports.void import Voids
from adapter.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Run:
    """One report to make.

    `files`   the layouts of each file; several layouts are the sheets of one workbook
    `form`    csv, pipe or xlsx; None: as the layouts have it
    `period`  the month (`2026-01`); `now` the instant, with zone; `by` who sends it
    `loop`    tells what a referral's history means (adapter.referrals.loop.loop_status)
    """

    files: tuple[tuple[Layout, ...], ...]
    period: str
    now: datetime
    loop: Loop
    by: str = "ecm-adapter"
    form: Format | None = None

    def setup(self) -> Setup:
        """What is the same in every row. Raises SettingError when the period is no month."""
        return self.files[0][0].setup(self.period, self.now)

    def format(self, layouts: Sequence[Layout]) -> Format:
        """The format of a file."""
        return self.form or layouts[0].format


@dataclass(slots=True)
class Written:
    """The files that a run wrote, their rows without headings, and the pre-flight's findings.

    `counts`     rows by file, or by file and sheet
    `recovered` files belong to a former run that was committed and then killed.
    """

    files: list[Path] = field(default_factory=list)
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    recovered: list[Path] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The first file."""
        return self.files[0]


def preflight(store: Store, run: Run) -> list[Issue]:
    """Everything `write` would find, without writing."""
    setup = run.setup()
    found = []
    for layouts in run.files:
        form = run.format(layouts)
        name = layouts[0].file(setup, form)
        sheets = [Sheet(one, form, name, setup, _before(one, layouts)) for one in layouts]
        found += [issue for _, row in _produce(store, run, sheets) for issue in row.issues]
    return found


def write(store: Store, run: Run, folder: Path) -> Written:
    """Write the files, whole or not at all, and remember what they told and were made from.

    Findings do not keep a row out: a plan wants every member. The same month written again takes
    the place of what was written before. Raises SettingError, OutputError, StoreError.
    """
    result = Written(recovered=recover(store, folder))
    setup = run.setup()
    with ExitStack() as stack:
        books = []
        for layouts in run.files:
            book = stack.enter_context(opened(layouts, run.format(layouts), setup, folder))
            _mine(store, book)
            _fill(store, run, book, result)
            books.append((book, book.finish()))
        with store.batch():
            for book, bytes_ in books:
                _remember(store, run, book, bytes_)
        for book, _ in books:
            book.part.stand()
            result.files.append(book.part.file)
    return result


def recover(store: Store, folder: Path) -> list[Path]:
    """Put files in their place that a run had recorded before it was killed."""

    def known(name: str, part: Path) -> bool:
        return record.known(store, name, staging.settled(part).digest)

    return staging.recover(folder, "report", known)


def _before(layout: Layout, layouts: Sequence[Layout]) -> str:
    return f"{layout.sheet}!" if len(layouts) > 1 else ""


def _mine(store: Store, book: Book) -> None:
    sheet = book.sheets[0]
    if record.stranger(store, sheet.file, sheet.layout.plan):
        raise OutputError(f"{sheet.file} was written for another plan: name it otherwise")


def _fill(store: Store, run: Run, book: Book, result: Written) -> None:
    for place, row in _produce(store, run, book.sheets):
        book.add(place, row)
        result.rows += 1
        result.issues += row.issues
    for sheet in book.sheets:
        name = sheet.file + (f" {sheet.layout.sheet}" if sheet.fields else "")
        result.counts[name] = sheet.rows


def _produce(store: Store, run: Run, sheets: Sequence[Sheet]) -> Iterator[tuple[int, Row]]:
    """The rows of a file with the place of their sheet: members in order of id, then voids."""
    elements = frozenset().union(*(sheet.wanted for sheet in sheets))
    wanted = Wanted(sheets[0].setup, run.loop, elements)
    baselines = [_Baseline(store, sheet, run.period) for sheet in sheets]
    for facts in members(store, wanted):
        for place, baseline in enumerate(baselines):
            yield from ((place, row) for row in baseline.rows(facts))
    for place, baseline in enumerate(baselines):
        yield from ((place, row) for row in baseline.voids.rows())


class _Baseline:
    """What earlier files of a sheet's series told, which its next rows start from."""

    def __init__(self, store: Store, sheet: Sheet, period: str) -> None:
        self._store, self._sheet, self._period = store, sheet, period
        earlier = [one for one in store.sent_periods(sheet.layout.series) if one < period]
        self._since = earlier[0] if earlier else ""
        self.voids = Voids(store, sheet, earlier)

    def rows(self, facts: Facts) -> Iterator[Row]:
        """A member's rows."""
        sheet = self._sheet
        self.voids.seen(facts.ref)
        sent = None
        if self._since and sheet.layout.grain != "attempt":
            sent = self._last(facts.ref)
        tried = [one for one in facts.attempts if self._due(one)]
        return of_member(facts, tried, sheet, sent)

    def _due(self, attempt: Attempt) -> bool:
        """Whether an attempt is of this month, or of an earlier one whose file lacked it."""
        if self._sheet.setup.holds(attempt.on):
            return True
        if not self._sheet.layout.late or not self._since or attempt.on.isoformat() < self._since:
            return False
        return self._last(attempt.ref) is None

    def _last(self, subject: str) -> dict[str, str] | None:
        return self._store.last_sent(self._sheet.layout.series, subject, self._period)


def _remember(store: Store, run: Run, book: Book, bytes_: staging.Settled) -> None:
    """Cells, what was told, and the record; an earlier file of the month is superseded."""
    now, layout, setup = run.now.isoformat(), book.sheets[0].layout, book.sheets[0].setup
    sent = record.Sent(
        plan=layout.plan,
        series=tuple(sheet.layout.series for sheet in book.sheets),
        kinds=tuple(dict.fromkeys(kind for sheet in book.sheets for kind in sheet.layout.kinds)),
        period=(setup.start.isoformat(), setup.end.isoformat()),
        file=book.part.file,
        form=book.sheets[0].form,
        by=run.by,
        at=setup.moment,
        bytes=bytes_,
    )
    store.write_cells(book.part.file.name, book.cells(), now)
    for place, series in enumerate(sent.series):
        store.write_sent(series, run.period, book.told(place), now)
    for old in list(record.former(store, sent)):
        store.put({**old, "status": "superseded"}, now)
    store.put(record.document(sent), now)
