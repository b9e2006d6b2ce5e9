"""The conductor: convert, check, commit and report, in this order and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from adapter import convert, members, returned, validation
from adapter.errors import DataFileError
from adapter.identity.match import ranked
from adapter.issues import Candidate, Issue
from adapter.outcome import Outcome
from adapter.program import lists, snapshots, tasks
from adapter.program.days import today
from adapter.record import Location, Resource
from adapter.referrals import states
from adapter.reports.layout import Kind
from adapter.store.protocol import Receipt, Status, Store

Clock = Callable[[], datetime]
_NUMBERS = {"identifier", "document"}  # who shares one is shown, however little else agrees
_BATCH = 200  # units in one durable transaction: a lost batch is loaded again, none is half done


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What became of one unit of a file.

    `line`    1-based line of the unit's start (HL7 v2 batch: of its MSH)
    `refs`    "Patient/abc" of what it touched, the subject first
    `key`     the sender's own number for it, `""` if none; never sent back to the caller
    `rows`    how many rows of a table it stands for: 0 for the list of a file's members
    `member`  `system|value` of the member of a row, `""` if it names none
    `fields`  fields of the row that say something else than the same plan said before
    """

    line: int
    status: Status
    refs: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    key: str = ""
    rows: int = 1
    member: str = ""
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts of a load: units by status, rows by status, issues by detail."""

    rows: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    changed: int = 0

    def add(self, result: UnitResult) -> None:
        """Count one unit."""
        self.units[result.status] += 1
        self.rows[result.status] += result.rows
        self.issues.update(issue.detail for issue in result.issues)

    @property
    def clean(self) -> bool:
        """True when nothing was refused or put aside for review."""
        return not self.units["refused"] and not self.units["review"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Loads into one store; also what the API's intake calls.

    `takes`  MSH-11 values that may come in (HL7 table 0103), None for all
    """

    store: Store
    clock: Clock
    takes: frozenset[str] | None = None

    def check(self, resource: Resource) -> list[Issue]:
        """R4, required bindings and our profile; then the second judge, if the first is content."""
        return validation.check(resource) or validation.judge(resource)

    def check_change(self, old: Resource | None, new: Resource) -> list[Issue]:
        """The rules of the referral loop, for a Task that is one (Gravity SDOHCC, states)."""
        return states.check(old, new) if new.get("resourceType") == "Task" else []

    def match(self, person: Resource) -> list[tuple[Resource, Candidate]]:
        """The people we know who may be this one, the likest first, with how alike they are."""
        known = {str(one.resource["id"]): one.resource for one in self.store.similar(person)}
        found = ranked(person, known.values())
        return [(known[one.id], one) for one in found if one.possible or _NUMBERS & {*one.agrees}]

    def adt(self, data: bytes, feed: str, name: str) -> Iterator[UnitResult]:
        """Load one HL7 v2 message or a batch, a unit a message; feed `""`: by its sender."""
        door = convert.Door(takes=self.takes)
        return self._known(lambda: convert.adt(data, name, feed, door), name)

    def mif(
        self, data: bytes | Path, plan: str, name: str = "", received: str = ""
    ) -> Iterator[UnitResult]:
        """Load a member file of a plan, a unit a row; then what it changed in the plan's list.

        `received` is the day (ISO) on which it came, when that is not the one in its name or now.
        """
        source = name or (data.name if isinstance(data, Path) else "input")
        load = members.Load(self.store, self.clock().isoformat(), received)
        try:
            known = load.open(data, plan, source)
        except DataFileError as error:
            yield _no_such(error, source)
            return
        if known:
            yield from (UnitResult(line, "duplicate", rows=rows) for line, rows in load.again())
            return
        yield from load.watched(self.commit(load.outcomes()))
        yield from self.commit(load.closing())
        self.store.judge_again(self.clock().isoformat())  # messages may be of whom it names

    def changes(self, plan: str) -> list[Resource]:
        """What each file of a plan changed in its list, oldest first (FHIR Lists)."""
        return snapshots.history(self.store, plan)

    def services(
        self, data: bytes | Path, log: str, name: str = "", kind: str = "services"
    ) -> Iterator[UnitResult]:
        """Load a service log (kind `outreach`: of outreach attempts), a unit a row."""
        return self._known(lambda: self._table(data, convert.service_table(log, kind), name), name)

    def rtf(self, data: bytes | Path, plan: str, name: str = "") -> Iterator[UnitResult]:
        """Load a provider's Return Transmission File as its plan or county, a unit a row."""
        return self._returned(data, plan, "rtf", name)

    def otf(self, data: bytes | Path, plan: str, name: str = "") -> Iterator[UnitResult]:
        """Load a provider's outreach tracker as its plan or county, a unit a row."""
        return self._returned(data, plan, "otf", name)

    def due(self, plan: str, on: date | None = None) -> Resource:
        """What is due in a plan on a day (today in California) as a Bundle of Tasks, not stored."""
        found = lists.due(self.store, plan, on or today(self.clock()))
        return tasks.bundle(found)

    def referral(self, data: bytes, form: str, name: str) -> Iterator[UnitResult]:
        """Load one referral form."""
        return self._known(lambda: iter([convert.referral(data, form, name)]), name)

    def message(self, bundle: Resource) -> UnitResult:
        """Take in a FHIR message about a stay (Da Vinci Alerts), whole or not at all."""
        found = self.check(bundle)
        outcome = convert.notification(bundle, found, self.clock().isoformat())
        return next(self.commit([outcome]))

    def _table(self, data: bytes | Path, table: convert.Table, name: str) -> Iterator[Outcome]:
        received = self.clock().isoformat()
        return convert.rows(data, table, name, received=received)

    def _returned(
        self, data: bytes | Path, plan: str, kind: Kind, name: str
    ) -> Iterator[UnitResult]:
        label = name or (data.name if isinstance(data, Path) else "input")
        file = returned.Source(data, label, self.clock().isoformat())
        return self._known(lambda: returned.outcomes(file, plan, kind), label)

    def _known(self, outcomes: Callable[[], Iterator[Outcome]], name: str) -> Iterator[UnitResult]:
        """Commit a file's units; an unknown plan, feed or form is one refused unit."""
        try:
            found = outcomes()
            first = list(islice(found, 1))
        except DataFileError as error:
            yield _no_such(error, name)
            return
        yield from self.commit(_chain(first, found))

    def commit(self, outcomes: Iterable[Outcome]) -> Iterator[UnitResult]:
        """Store units in batches; a result is given only when its batch is durable."""
        source = iter(outcomes)
        while chunk := list(islice(source, _BATCH)):
            now = self.clock()
            told = [one for one in chunk if not members.again(one)]
            convert.timely(told, now)
            units = [(one, one.unit.raw) for one in told]
            receipts = iter(self.store.commit_all(units, now.isoformat()))
            for outcome in chunk:
                same = Receipt("duplicate", 0) if members.again(outcome) else next(receipts)
                yield _result(outcome, same)


def _no_such(error: DataFileError, name: str) -> UnitResult:
    """A file of an unknown plan, feed or form. Raises the error if it is another one."""
    if error.key not in ("file", "plan"):
        raise error
    issue = Issue("error", "not-supported", "no such plan, feed or form", Location(name, 1))
    return UnitResult(1, "refused", issues=(issue,))


def _chain(first: list[Outcome], rest: Iterator[Outcome]) -> Iterator[Outcome]:
    yield from first
    yield from rest


def _result(outcome: Outcome, receipt: Receipt) -> UnitResult:
    unit = outcome.unit
    refs = tuple(receipt.ids.values())
    found = (*outcome.issues, *(one for one in receipt.issues if one not in outcome.issues))
    rows, member = members.row(outcome)
    return UnitResult(
        unit.at.line, receipt.status, refs, found, unit.key, rows, member, receipt.news
    )
