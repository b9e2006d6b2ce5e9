"""The store on SQL: SQLite or PostgreSQL, one writer at a time, any number of readers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from adapter import data
from adapter.errors import NotUnique, StoreError, VersionConflict
from adapter.outcome import Outcome
from adapter.record import Resource
from adapter.store import alike, bulk, deciding, direct, held, reads, schema, sent, units
from adapter.store import search as searching
from adapter.store.arrivals import arrival
from adapter.store.doubts import Judges
from adapter.store.engine import (
    clashes,
    in_memory,
    laid,
    lay,
    remember,
    setting,
    told,
    unguessable,
)
from adapter.store.fold import Precedence
from adapter.store.memory import Memory
from adapter.store.outbox import SqlOutbox
from adapter.store.protocol import (
    Activity,
    BadSearch,
    Cell,
    Held,
    Page,
    Receipt,
    SentRow,
    Status,
    Stored,
    Trace,
)
from adapter.store.settling import Settling
from adapter.store.terms import shipped, terms
from adapter.store.work import Learned, Name, State, Work

_TRIES = 3  # a writer outside the lock may take an identifier between look-up and write
_REMEMBERED = 2000  # resources kept from one transaction to the next
_SLICE = 200  # units looked up, and sent, at once

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a store is opened with: who is the same person, who is believed, how long to wait."""

    judges: Judges
    order: Precedence
    timeout: float


class SqlStore:
    """Implements `protocol.Store`; safe to share between threads. Made by `adapter.store.open`."""

    def __init__(self, engine: Engine, rules: Rules, namespace: UUID | None) -> None:
        self._engine, self._rules = engine, rules
        self._lock = threading.RLock()
        self._single = in_memory(engine)
        self._memory = Memory[Name, State](_REMEMBERED)
        self._mine = threading.local()  # .work: the transaction of this thread's batch
        digest = sha256(data.dumps([alike.VERSION, shipped()])).hexdigest()
        with self._reading() as connection:
            ready = laid(connection) and setting(connection, "parameters") == digest
        if not ready:  # an open store is not kept waiting by someone who loads
            with self._writing() as work:
                _prepare(work.connection, digest, namespace)
        with self._reading() as connection:
            self._namespace = UUID(setting(connection, "namespace"))

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @property
    def outbox(self) -> SqlOutbox:
        """What care teams are told; its writes belong to this store's transactions."""
        return SqlOutbox(self._write, self._reading)

    @property
    def _settling(self) -> Settling:
        return Settling(self._write, self._reading, self._namespace, self._rules.judges)

    # -- reading ----------------------------------------------------------------------------

    def read(self, kind: str, uid: str) -> Stored | None:
        """The current version (deleted ones too, flagged), or None."""
        with self._reading() as connection:
            return reads.one_version(connection, kind, uid)

    def vread(self, kind: str, uid: str, version: int) -> Stored | None:
        """One version, or None."""
        with self._reading() as connection:
            return reads.one_version(connection, kind, uid, version)

    def history(self, kind: str, uid: str) -> list[Stored]:
        """All versions, newest first."""
        with self._reading() as connection:
            return reads.all_versions(connection, kind, uid)

    def search(
        self,
        kind: str,
        params: Sequence[tuple[str, str]] = (),
        count: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """FHIR search, a page ordered by id. Raises BadSearch."""
        with self._reading() as connection:
            return searching.search(connection, kind, params, count, cursor)

    def each(self, kind: str, params: Sequence[tuple[str, str]] = ()) -> Iterator[Resource]:
        """Every match of this moment as a stream, ordered by id. Raises BadSearch."""
        with self._reading() as connection:
            rids = searching.found(connection, kind, params)
        return self._stream(rids)

    def _stream(self, rids: list[int]) -> Iterator[Resource]:
        for some in bulk.chunks(rids):
            with self._reading() as connection:
                found = reads.current(connection, some)
            yield from (one.resource for one in found if not one.deleted)

    def trace(self, kind: str, uid: str) -> list[Trace]:
        """Where each element of the current version came from."""
        with self._reading() as connection:
            return reads.trace(connection, kind, uid, self._rules.order)

    def cell(self, file: str, line: int, field: str) -> Cell | None:
        """What a cell of a written file was made from."""
        with self._reading() as connection:
            return reads.cell(connection, file, line, field)

    def last_sent(self, series: str, subject: str, before: str) -> dict[str, str] | None:
        """What a series' last file before a period told of a subject, by header."""
        with self._reading() as connection:
            return sent.last(connection, series, subject, before)

    def sent_periods(self, series: str) -> list[str]:
        """The periods of a series whose files are known, oldest first."""
        with self._reading() as connection:
            return sent.periods(connection, series)

    def sent_rows(self, series: str, period: str) -> Iterator[SentRow]:
        """What the file of a period told, by subject, in slices."""
        after = ""
        while True:
            with self._reading() as connection:
                some = list(sent.rows(connection, series, period, after))
            yield from some
            if not some:
                return
            after = some[-1].subject

    def ledger(self, status: Status | None = None) -> list[reads.LedgerLine]:
        """What came in, in order of arrival; only one status (e.g. `review`) if named."""
        with self._reading() as connection:
            return reads.ledger(connection, status)

    def activity(self, since: str) -> list[Activity]:
        """What each source sent since an instant (ISO 8601, UTC), ordered by source."""
        with self._reading() as connection:
            return reads.activity(connection, since)

    def raw(self, unit: int) -> bytes | None:
        """The bytes of a unit as they came in."""
        with self._reading() as connection:
            return reads.raw(connection, unit)

    def similar(self, person: Resource) -> list[Stored]:
        """Patients that share an identifier, a telephone, or birth date and family name."""
        with self._reading() as connection:
            return deciding.similar(Work(connection, self._rules.order), person)

    def waiting(self) -> list[Held]:
        """The units that wait for a person, in order of arrival."""
        with self._reading() as connection:
            return held.waiting(connection)

    # -- writing ----------------------------------------------------------------------------

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Group what this thread writes inside into one durable transaction.

        Nothing counts as stored before the block has ended; an exception undoes all of it.
        Other writers wait meanwhile: convert first, then store.
        """
        with self._writing():
            yield

    def commit(self, outcome: Outcome, raw: bytes, now: str) -> Receipt:
        """Store a unit whole, or nothing of it; the same unit again is `duplicate`."""
        return self.commit_all([(outcome, raw)], now)[0]

    def commit_all(self, units_: Sequence[tuple[Outcome, bytes]], now: str) -> list[Receipt]:
        """Commit (outcome, raw) pairs in one durable transaction, each by itself.

        What waited and is settled by them is stored next; it is not among the receipts.
        """
        arrivals = [arrival(outcome, raw, now) for outcome, raw in units_]

        def write(work: Work) -> tuple[list[Receipt], Learned]:
            receipts = []
            for start in range(0, len(arrivals), _SLICE):
                some = arrivals[start : start + _SLICE]
                receipts += units.commit_all(work, some, self._namespace, self._rules.judges)
            return receipts, work.learned()

        receipts, learned = self._write(write)
        self._settling.after(learned, now)
        return receipts

    def decide(self, unit: int, decision: str, who: str, now: str) -> Receipt | None:
        """Carry out what a person decided of a waiting unit; None when it does not wait."""
        by = deciding.Decision(unit, decision, who, now)
        judges, namespace = self._rules.judges, self._namespace

        def write(work: Work) -> tuple[Receipt | None, Learned]:
            return deciding.decide(work, by, namespace, judges), work.learned()

        receipt, learned = self._write(write)
        self._settling.after(learned, now)
        return receipt

    def judge_again(self, now: str) -> list[Receipt]:
        """Judge all that waits as if it came again: the receipts of what waits no longer."""
        return self._settling.again([one.unit for one in self.waiting()], now)

    def put(
        self, resource: Resource, now: str, if_version: int | None = None
    ) -> tuple[Stored, bool]:
        """Create or replace by id; the flag says created. Raises VersionConflict, NotUnique."""
        return self._write(lambda work: direct.put(work, resource, now, if_version))

    def delete(self, kind: str, uid: str, now: str) -> Stored | None:
        """Mark deleted as a new version; None when there is no such resource."""
        return self._write(lambda work: direct.delete(work, kind, uid, now))

    def write_cells(self, file: str, cells: Iterable[Cell], now: str) -> None:
        """Remember what a written file was made from, in place of what was known of that name."""
        self._write(lambda work: sent.write_cells(work.connection, file, cells, now))

    def write_sent(self, series: str, period: str, rows: Iterable[SentRow], now: str) -> None:
        """Remember what the file of a period told, in place of what was known of that period."""
        self._write(lambda work: sent.write_rows(work.connection, series, period, rows, now))

    def sequence(self, name: str) -> int:
        """The next number of a gap-free sequence, from 1; undone with the batch it is drawn in."""

        def write(work: Work) -> int:
            table = schema.sequence
            query = select(table.c.value).where(table.c.name == name)
            number = int(work.connection.execute(query).scalar() or 0) + 1
            bulk.upsert(work.connection, table, [(name, number)])
            return number

        return self._write(write)

    # -- transactions -----------------------------------------------------------------------

    def _write(self, write: Callable[[Work], T]) -> T:
        """Run a write in a transaction of its own, or in this thread's batch."""
        if getattr(self._mine, "work", None) is not None:
            with told(), _marked(self._mine.work):
                return write(self._mine.work)
        for _ in range(_TRIES - 1):
            try:
                with self._writing(retried=True) as work:
                    return write(work)
            except clashes():
                continue
        with self._writing() as work:
            return write(work)

    @contextmanager
    def _writing(self, retried: bool = False) -> Iterator[Work]:
        """A transaction of this thread; a clash comes through when it will be retried."""
        if getattr(self._mine, "work", None) is not None:
            raise StoreError("a batch inside a batch")
        if not self._lock.acquire(timeout=self._rules.timeout):
            raise StoreError("another thread writes for too long")
        try:
            with _passing(retried), self._remembered(), self._begun() as connection:
                self._mine.work = work = Work(connection, self._rules.order, self._memory)
                yield work
                if work.broken:
                    raise StoreError("a write inside the batch failed; nothing was stored")
                work.flush()
                if work.wrote:
                    self._memory.count(connection)
        finally:
            self._mine.work = None
            self._lock.release()

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        """Remember what a transaction saw and made, once it is committed."""
        try:
            yield
        except BaseException:
            self._memory.forget()
            raise
        work: Work = self._mine.work
        self._memory.keep(work.seen(), work.wrote)

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with (
            self._engine.connect().execution_options(writer=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """This thread's batch, as far as it is, or a connection that only reads."""
        work: Work | None = getattr(self._mine, "work", None)
        with told():
            if work is not None:
                with _marked(work):
                    work.flush()
                    yield work.connection
            elif self._single:
                with self._lock, self._engine.connect() as connection:
                    yield connection
            else:
                with self._engine.connect() as connection:
                    yield connection


@contextmanager
def _marked(work: Work) -> Iterator[None]:
    """After a failure in the middle of a batch nothing of the batch may be committed.

    PostgreSQL would turn the commit into a rollback without a word.
    """
    try:
        yield
    except (BadSearch, VersionConflict, NotUnique):
        raise  # found before anything was written
    except BaseException:
        work.broken = True
        raise


@contextmanager
def _passing(retried: bool) -> Iterator[None]:
    """Tell database errors as StoreError, but let a retry see that a row was not unique."""
    unique: Exception | None = None
    with told():
        try:
            yield
        except clashes() as error:
            if not retried:
                raise
            unique = error
    if unique is not None:
        raise unique


def _prepare(connection: Connection, digest: str, namespace: UUID | None) -> None:
    """Tables, the namespace of ids, and index rows by the search parameters of `digest`.

    The namespace is drawn once, so that an id does not betray the identifier it was made from.
    """
    lay(connection)
    if setting(connection, "namespace") is None:
        remember(connection, "namespace", namespace.hex if namespace else unguessable(connection))
    if setting(connection, "parameters") != digest:
        _index_anew(connection)
        remember(connection, "parameters", digest)


def _index_anew(connection: Connection) -> None:
    """Write all index rows again."""
    connection.execute(schema.term.delete())
    query = select(schema.resource.c.rid).where(schema.resource.c.deleted == 0)
    for rids in bulk.chunks(row[0] for row in connection.execute(query)):
        found = zip(rids, reads.current(connection, rids), strict=True)
        rows = [(*term, rid) for rid, one in found for term in terms(one.resource)]
        bulk.insert(connection, schema.term, rows)
