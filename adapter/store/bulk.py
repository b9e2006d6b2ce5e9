"""Many rows in one call: statements compiled once, rows as plain tuples in column order.

They go to the driver itself: what SQLAlchemy does around each takes longer than to run it. The
driver's errors come through (engine.py tells them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.sql.dml import Delete, Insert

CHUNK = 512  # values in one IN list

Row = tuple[Any, ...]


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows."""
    _run(connection, _insert(connection.dialect.name, table), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or replace those of the same primary key, but for what never changes in one.

    SQLite would write the index rows of a value anew, though it is the same.
    """
    _run(connection, _upsert(connection.dialect.name, table), rows)


def delete(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Delete rows by their whole primary key, in column order."""
    _run(connection, _delete(connection.dialect.name, table), rows)


def ask(connection: Connection, text: str, values: Iterable[Any], *before: Any) -> list[Row]:
    """The rows of a query for values of any number: `()` in its text stands for them.

    `before` are values of the places before it.
    """
    found: list[Row] = []
    rest = list(values)
    if not rest:
        return found
    with closing(connection.connection.cursor()) as cursor:
        for some in _filled(rest):
            cursor.execute(_asking(connection.dialect.name, text, len(some)), (*before, *some))
            found += cursor.fetchall()
    return found


def ask_rows(connection: Connection, text: str, rows: Iterable[Row]) -> list[Row]:
    """The same for rows of values, all of one width: `VALUES ()` in its text stands for them."""
    found: list[Row] = []
    rest = list(rows)
    if not rest:
        return found
    with closing(connection.connection.cursor()) as cursor:
        for some in _filled(rest):
            sql = _asking_rows(connection.dialect.name, text, len(some), len(some[0]))
            cursor.execute(sql, [value for row in some for value in row])
            found += cursor.fetchall()
    return found


def _filled(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Values in lists that one statement takes, the last of each repeated up to a power of two.

    So few different texts are needed, each prepared once.
    """
    for some in chunks(values):
        yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


@cache
def _asking(dialect: str, text: str, size: int) -> str:
    mark = "%s" if dialect == "postgresql" else "?"
    return text.replace("()", f"({', '.join([mark] * size)})").replace("?", mark)


@cache
def _asking_rows(dialect: str, text: str, size: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return _asking(dialect, text.replace("()", ", ".join([row] * size)), 0)


def by_first(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Pairs as the seconds of each first, to be asked for apart.

    Two lists in one query would look up every pair of them; of pairs SQLite uses no index.
    """
    found: dict[str, list[str]] = {}
    for first, second in pairs:
        found.setdefault(first, []).append(second)
    return found


def chunks(values: Iterable[Any]) -> Iterable[list[Any]]:
    """Values in lists that one statement takes."""
    rest = list(values)
    return (rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK))


def _run(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    if rows:
        with closing(connection.connection.cursor()) as cursor:
            cursor.executemany(sql, rows)


@cache
def _insert(dialect: str, table: Table) -> str:
    return _compiled(dialect, table.insert())


@cache
def _upsert(dialect: str, table: Table) -> str:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    names = [
        column.name
        for column in table.columns
        if not (column.primary_key or column.info.get("fixed"))
    ]
    changed = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in names},
    )
    return _compiled(dialect, changed)


@cache
def _delete(dialect: str, table: Table) -> str:
    tests = [column == bindparam(column.name) for column in table.primary_key.columns]
    return _compiled(dialect, table.delete().where(*tests))


def _compiled(dialect: str, statement: Insert | Delete) -> str:
    """As text with positional places: `?` for sqlite3, `%s` for psycopg."""
    driver, style = _STYLES[dialect]
    return str(statement.compile(dialect=registry.load(driver)(paramstyle=style)))


_STYLES = {"postgresql": ("postgresql.psycopg", "format"), "sqlite": ("sqlite", "qmark")}
