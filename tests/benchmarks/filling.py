"""A store filled with very many stays: the rows of a few real ones again, under other names.

Written into the tables directly, since a million messages would take an hour. Row numbers, ids,
hashes and identifiers are those of other stays, in every column and index row that the cost of
a message could depend on. The texts of versions and contributions stay those of the real ones:
as long as they would be, but about other ids. Nobody reads these stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

# What each stay has of its own; wards and doctors are told by all.
OWN = ("Patient", "Encounter", "Condition", "Coverage", "Provenance")
# Index rows whose value is a number of one person or stay.
NUMBERS = ("Patient.identifier", "Encounter.identifier", "Coverage.identifier",
           "Coverage.subscriber-id", "Patient.telecom")  # fmt: skip

Row = tuple[Any, ...]


class Again:
    """The rows of the real stays under the names of copy number `copy`."""

    def __init__(self, run: sqlite3.Connection) -> None:
        marks = ", ".join("?" * len(OWN))
        query = f"SELECT rid, id FROM resource WHERE kind IN ({marks})"  # noqa: S608 - no value
        self._ids = dict(run.execute(query, OWN))
        self._known = frozenset(self._ids.values())
        self._rids = max(rid for (rid,) in run.execute("SELECT rid FROM resource"))
        self._units = max(unit for (unit,) in run.execute("SELECT id FROM unit"))
        self._rows = {table: self._own(run, table) for table in _RENAMED}

    def _own(self, run: sqlite3.Connection, table: str) -> list[Row]:
        names = [row[1] for row in run.execute(f"PRAGMA table_info({table})")]
        found = run.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a table of ours
        if "rid" in names:
            place = names.index("rid")
            return [row for row in found if row[place] in self._ids]
        return [row for row in found if table != "identifier" or row[3] in self._known]

    def rows(self, table: str, copies: int) -> Iterator[Row]:
        """Every row of every copy."""
        rename = _RENAMED[table]
        for copy in range(1, copies + 1):
            yield from map(partial(rename, self, copy), self._rows[table])

    def resource(self, copy: int, row: Row) -> Row:
        """rid, kind, id, version, updated, deleted."""
        return (row[0] + copy * self._rids, row[1], self._id(copy, row[2]), *row[3:])

    def of_resource(self, copy: int, row: Row) -> Row:
        """rid and more."""
        return (row[0] + copy * self._rids, *row[1:])

    def identifier(self, copy: int, row: Row) -> Row:
        """value, system, kind, id."""
        return (f"{row[0]}{copy:05d}", row[1], row[2], self._id(copy, row[3]))

    def term(self, copy: int, row: Row) -> Row:
        """param, value, extra, rid."""
        param, value, extra, rid = row
        kind, _, uid = value.partition("/")
        if uid in self._known:
            value = f"{kind}/{self._id(copy, uid)}"
        elif value[:1] == "@" and int(value[1:]) in self._ids:
            value = f"@{int(value[1:]) + copy * self._rids}"
        elif param in NUMBERS:
            value = f"{value}{copy:05d}"
        return param, value, extra, rid + copy * self._rids

    def unit(self, copy: int, row: Row) -> Row:
        """id, hash, source, key and more."""
        number, digest, source, key, *rest = row
        return (number + copy * self._units, _hash(copy, digest), source, f"{key}{copy}", *rest)

    def raw(self, copy: int, row: Row) -> Row:
        """unit and bytes."""
        return (row[0] + copy * self._units, *row[1:])

    def _id(self, copy: int, uid: str) -> str:
        return str(UUID(bytes=md5(f"{uid}{copy}".encode(), usedforsecurity=False).digest()))


def _hash(copy: int, digest: str) -> str:
    return sha256(f"{digest}{copy}".encode()).hexdigest()


_RENAMED = {
    "resource": Again.resource,
    "version": Again.of_resource,
    "contribution": Again.of_resource,
    "change": Again.of_resource,
    "identifier": Again.identifier,
    "unit": Again.unit,
    "raw": Again.raw,
    "term": Again.term,
}
_SORTED = ("identifier", "term")  # kept in order of their keys: brought in in that order


def multiply(path: str, copies: int) -> None:
    """Bring so many more copies of all stays into a SQLite store that nobody else has open."""
    run = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4000000"):
        run.execute(f"PRAGMA {pragma}")
    again = Again(run)
    for table in _RENAMED:
        _bring(run, table, again.rows(table, copies))
    run.execute("PRAGMA journal_mode = WAL")
    run.close()


def _bring(run: sqlite3.Connection, table: str, rows: Iterator[Row]) -> None:
    width = len(run.execute(f"PRAGMA table_info({table})").fetchall())
    marks = ", ".join("?" * width)
    run.execute("BEGIN")
    if table not in _SORTED:
        run.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - ours
    else:
        run.execute(f"CREATE TEMP TABLE later AS SELECT * FROM {table} LIMIT 0")  # noqa: S608
        run.executemany(f"INSERT INTO later VALUES ({marks})", rows)  # noqa: S608
        order = ", ".join(str(place) for place in range(1, width + 1))
        run.execute(f"INSERT INTO {table} SELECT * FROM later ORDER BY {order}")  # noqa: S608
        run.execute("DROP TABLE later")
    run.execute("COMMIT")
