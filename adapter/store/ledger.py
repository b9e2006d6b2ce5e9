"""The lines of the ledger that one transaction looks up and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from adapter import data
from adapter.issues import Issue
from adapter.outcome import FEED
from adapter.record import Location
from adapter.store import bulk, schema
from adapter.store.memory import Memory
from adapter.store.protocol import Status

Mark = tuple[str, str, str]  # hash, source, key: what makes two units the same
Key = tuple[str, str]  # source, key: a sender and its own number for a unit

_LAST = "SELECT max(id) FROM unit"
# A test of the status would let SQLite walk through its index, which is the whole ledger.
_KEYS = (
    "WITH asked (source, key) AS (VALUES ())"
    " SELECT u.hash, u.source, u.key, u.id, u.status, u.issues"
    " FROM asked JOIN unit AS u ON u.key = asked.key"
)
_MARKS = (
    "WITH asked (hash, source, key) AS (VALUES ())"
    " SELECT u.hash, u.source, u.key, u.id, u.status, u.issues"
    " FROM asked JOIN unit AS u"
    " ON u.key = asked.key AND u.source = asked.source AND u.hash = asked.hash"
)
# The same under any source: from one source of a key to the next, since many rows may have it.
_ANYWHERE = (
    "WITH RECURSIVE asked (hash, source, key) AS (VALUES ()), step (hash, source, key) AS ("
    "SELECT hash, (SELECT min(u.source) FROM unit AS u WHERE u.key = asked.key), key FROM asked"
    " UNION SELECT hash, (SELECT min(u.source) FROM unit AS u"
    " WHERE u.key = step.key AND u.source > step.source), key"
    " FROM step WHERE source IS NOT NULL)"
    " SELECT u.hash, u.source, u.key, u.id, u.status, u.issues"
    " FROM step AS asked JOIN unit AS u"
    " ON u.key = asked.key AND u.source = asked.source AND u.hash = asked.hash"
)


def _same(mark: Mark) -> Mark:
    """What makes a unit the same again: of a message not which profile its sender has by now."""
    return (mark[0], FEED, mark[2]) if mark[1].startswith(FEED) else mark


def _by_status(row: bulk.Row) -> tuple[bool, bool, int]:
    """Of several lines of one message the one that holds comes first: stored before waiting."""
    return row[4] != "stored", row[4] != "review", row[3]


class Entered(NamedTuple):
    """A line of the ledger: its number, and what became of the unit."""

    unit: int
    status: Status
    issues: str

    def doubt(self, at: Location) -> Issue:
        """Why a unit waits: the last of its issues."""
        row = data.loads(self.issues)[-1]
        details = row["details"]
        return Issue(row["severity"], details["coding"][0]["code"], details["text"], at)


class Ledger:
    """What came before, looked up in bulk, and what is entered now."""

    def __init__(self, connection: Connection, memory: Memory[Any, Any]) -> None:
        self._connection, self._memory = connection, memory
        self._known: dict[Mark, Entered] = {}
        self._marks: set[Mark] = set()  # what the database was asked for
        self._keys: set[Key] = set()
        self._lines: dict[Mark, int] = {}  # drawn, and not yet entered
        self._taken: dict[Key, dict[str, int]] = {}  # what is not refused: hash -> unit
        self._units: dict[int, bulk.Row] = {}
        self._raw: list[bulk.Row] = []
        self._held: dict[int, bulk.Row] = {}

    def know_marks(self, marks: Iterable[Mark]) -> None:
        """Look up which of these units came before, in a few statements."""
        wanted = [mark for mark in marks if mark not in self._marks and mark[1:] not in self._keys]
        self._marks.update(wanted)
        self._read(_MARKS, [mark for mark in wanted if _same(mark) == mark])
        self._read(_ANYWHERE, [mark for mark in wanted if _same(mark) != mark])

    def know_keys(self, keys: Iterable[Key]) -> None:
        """Look up all that came before under these keys of senders, in a few statements."""
        wanted = [key for key in keys if key not in self._keys]
        self._keys.update(wanted)
        self._read(_KEYS, wanted)

    def _read(self, query: str, wanted: Sequence[bulk.Row]) -> None:
        rows = bulk.ask_rows(self._connection, query, wanted)
        for digest, source, key, unit, status, issues in sorted(rows, key=_by_status):
            mark, line = (digest, source, key), Entered(unit, status, issues)
            self._known.setdefault(_same(mark), line)  # what this transaction wrote is newer
            self._taken_by(mark, line)

    def _note(self, mark: Mark, line: Entered) -> None:
        self._known[_same(mark)] = line
        self._taken_by(mark, line)

    def _taken_by(self, mark: Mark, line: Entered) -> None:
        if line.status != "refused":
            self._taken.setdefault(mark[1:], {})[mark[0]] = line.unit

    def entered(self, mark: Mark) -> Entered | None:
        """The line of a unit."""
        same = _same(mark)
        if same not in self._known:
            self.know_marks([mark])
        return self._known.get(same)

    def line(self, mark: Mark) -> int:
        """The number of a unit's line, drawn when it has none yet."""
        entered = self.entered(mark)
        if entered is not None:
            return entered.unit
        same = _same(mark)
        if same not in self._lines:
            self._lines[same] = self._memory.draw(self._connection, _LAST)
        return self._lines[same]

    def taken_before(self, mark: Mark) -> bool:
        """Whether other content under the same key of the same sender came before this unit."""
        self.know_keys([mark[1:]])
        taken = self._taken.get(mark[1:], {})
        mine = taken.get(mark[0])
        return any(
            digest != mark[0] and (mine is None or number < mine)
            for digest, number in taken.items()
        )

    @property
    def changed(self) -> bool:
        """Whether there is a line that is not sent yet."""
        return bool(self._units)

    def enter(self, mark: Mark, line: Entered, about: bulk.Row, raw: bytes) -> None:
        """Write a line, and keep the bytes; `about`: columns between."""
        self._units[line.unit] = (line.unit, *mark, *about, line.status, line.issues)
        if _same(mark) not in self._known:
            self._raw.append((line.unit, raw))
        self._note(mark, line)

    def hold(self, unit: int, outcome: str, candidates: str) -> None:
        """Keep a unit for a person to decide on."""
        self._held[unit] = (unit, outcome, candidates, "", "", "")

    def flush(self) -> None:
        """Send everything to the database; still inside the transaction."""
        bulk.upsert(self._connection, schema.unit, list(self._units.values()))
        bulk.insert(self._connection, schema.raw, self._raw)
        bulk.upsert(self._connection, schema.review, list(self._held.values()))
        for sent in (self._units, self._raw, self._held):
            sent.clear()
