"""What written files told: what their cells were made from, and their rows, month after month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import Connection, select

from adapter import data
from adapter.store import bulk, schema
from adapter.store.protocol import Cell, SentRow

_SLICE = 1000  # rows in one statement: what is held of a file in memory

_CELL, _SENT = schema.cell, schema.sent


def write_cells(connection: Connection, file: str, cells: Iterable[Cell], now: str) -> None:
    """Remember a file's cells in place of what was known of that name."""
    connection.execute(_CELL.delete().where(_CELL.c.file == file))
    source = iter(cells)
    while some := list(islice(source, _SLICE)):
        rows = [(file, c.line, c.field, data.dumps(list(c.refs)).decode(), now) for c in some]
        bulk.upsert(connection, _CELL, rows)


def write_rows(
    connection: Connection, series: str, period: str, rows: Iterable[SentRow], now: str
) -> None:
    """Remember what the file of a period told, in place of what was known of that period."""
    place = (_SENT.c.series == series, _SENT.c.period == period)
    connection.execute(_SENT.delete().where(*place))
    source = iter(rows)
    while some := list(islice(source, _SLICE)):
        made = [(series, r.subject, period, data.dumps(r.texts).decode(), now) for r in some]
        bulk.upsert(connection, _SENT, made)


def last(connection: Connection, series: str, subject: str, before: str) -> dict[str, str] | None:
    """What the last file before a period told of a subject; None when none told of it."""
    query = (
        select(_SENT.c.texts)
        .where(_SENT.c.series == series, _SENT.c.subject == subject, _SENT.c.period < before)
        .order_by(_SENT.c.period.desc())
        .limit(1)
    )
    found = connection.execute(query).scalar()
    return None if found is None else dict(data.loads(found))


def periods(connection: Connection, series: str) -> list[str]:
    """The periods whose files are known, oldest first."""
    query = select(_SENT.c.period).where(_SENT.c.series == series).distinct()
    return [row[0] for row in connection.execute(query.order_by(_SENT.c.period))]


def rows(connection: Connection, series: str, period: str, after: str) -> Iterator[SentRow]:
    """A slice of what the file of a period told, by subject, after a subject."""
    query = (
        select(_SENT.c.subject, _SENT.c.texts)
        .where(_SENT.c.series == series, _SENT.c.period == period, _SENT.c.subject > after)
        .order_by(_SENT.c.subject)
        .limit(_SLICE)
    )
    return (SentRow(name, data.loads(text)) for name, text in connection.execute(query).all())
