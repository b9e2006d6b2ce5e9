"""How a database is opened, how its transactions begin, and how its errors are told."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from adapter.errors import SettingError, StoreError
from adapter.store import schema

# Which PostgreSQL advisory lock says "I write"; any number, the same for everyone.
WRITER = 20260101


def engine(url: str, timeout: float) -> Engine:
    """An engine for a SQLite or PostgreSQL URL; `timeout` seconds to wait for another writer.

    Raises SettingError when the URL is not one of these (it may hold a password: not told).
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingError("the database URL cannot be read") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, timeout)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, timeout)
    raise SettingError("the database URL must be sqlite: or postgresql:")


def in_memory(made: Engine) -> bool:
    """True for a SQLite database that lives in one connection."""
    return isinstance(made.pool, StaticPool)


def _refusals() -> tuple[type[Exception], ...]:
    """What databases raise: SQLAlchemy's errors, and those of the drivers that are loaded."""
    return (SQLAlchemyError, *_of_drivers("Error"))


def clashes() -> tuple[type[Exception], ...]:
    """What databases raise for a row that is there already."""
    return (IntegrityError, *_of_drivers("IntegrityError"))


def _of_drivers(name: str) -> tuple[type[Exception], ...]:
    """The error of a name (PEP 249) of each driver that is loaded."""
    loaded = [sqlite3, *filter(None, [sys.modules.get("psycopg")])]
    return tuple(getattr(driver, name) for driver in loaded)


@contextmanager
def told() -> Iterator[None]:
    """Turn database errors into StoreError; neither statement nor values are told."""
    try:
        yield
    except _refusals() as error:
        cause = getattr(error, "orig", error)
        code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
        name = type(cause).__name__
        raise StoreError(f"the database refused: {name} {code or ''}".rstrip()) from None


def laid(connection: Connection) -> bool:
    """True when all tables are there. Raises StoreError for tables of another version."""
    known = set(inspect(connection).get_table_names())
    if schema.setting.name not in known:
        return False
    found = setting(connection, "schema")
    if found not in (None, schema.VERSION):
        raise StoreError(f"the database has schema {found}, this program {schema.VERSION}")
    return found is not None and known >= schema.metadata.tables.keys()


def lay(connection: Connection) -> None:
    """Create the tables that are missing. Raises StoreError for tables of another version."""
    if not laid(connection):
        schema.metadata.create_all(connection)
        remember(connection, "schema", schema.VERSION)


def setting(connection: Connection, name: str) -> str | None:
    """What the store remembers under a name."""
    table = schema.setting
    row = connection.execute(select(table.c.value).where(table.c.name == name)).first()
    return None if row is None else str(row[0])


def remember(connection: Connection, name: str, value: str) -> None:
    """Set what the store remembers under a name."""
    table = schema.setting
    connection.execute(table.delete().where(table.c.name == name))
    connection.execute(table.insert().values(name=name, value=value))


def unguessable(connection: Connection) -> str:
    """32 hex digits drawn by the database."""
    if connection.dialect.name == "sqlite":
        return str(connection.execute(select(func.lower(func.hex(func.randomblob(16))))).scalar())
    return str(connection.execute(select(func.gen_random_uuid())).scalar()).replace("-", "")


def _sqlite(url: URL, timeout: float) -> Engine:
    memory = not url.database or url.database == ":memory:"
    if not memory:
        _private(Path(url.database or ""))
    more: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    made = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": timeout, "check_same_thread": False},
        **more,
    )

    @event.listens_for(made, "connect")
    def _connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # this module begins transactions, not the driver
        # Rows are short and stand apart: small pages are less to write. A page that many
        # transactions change is written back once, after 4,000 pages and not after 1,000.
        for pragma in ("page_size = 4096", "journal_mode = WAL", "synchronous = FULL",
                       "foreign_keys = ON", "cache_size = -65536", "temp_store = MEMORY",
                       "wal_autocheckpoint = 4000"):  # fmt: skip
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begun(connection: Connection) -> None:
        # A writer takes the lock at once: to upgrade a reader fails without waiting.
        if connection.get_execution_options().get("writer"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made


def _private(file: Path) -> None:
    """Create the file so that its owner only may read it; -wal and -shm take after it."""
    try:
        file.touch(mode=0o600)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError(f"the database file cannot be opened: {why}") from None


def _postgresql(url: URL, timeout: float) -> Engine:
    made = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": max(int(timeout), 2)},
    )

    @event.listens_for(made, "begin")
    def _begun(connection: Connection) -> None:
        # One writer at a time, as in SQLite: what it read stays true until it commits.
        if connection.get_execution_options().get("writer"):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(timeout * 1000)}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")

    return made
