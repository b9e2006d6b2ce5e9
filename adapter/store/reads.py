"""Reading by id: versions, traces, cells, the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from adapter import data
from adapter.record import Origin, Resource
from adapter.store import bulk, schema
from adapter.store.bundles import source_of
from adapter.store.fold import API, Precedence, winners
from adapter.store.packing import spread, unpack
from adapter.store.protocol import Activity, Cell, Status, Stored, Trace
from adapter.store.registers import Contributions, Register

_RESOURCE, _VERSION = schema.resource, schema.version
_COLUMNS = (_VERSION.c.json, _VERSION.c.version, _VERSION.c.deleted)


class LedgerLine(NamedTuple):
    """What the ledger says of a unit; `issues` as OperationOutcome.issue, without source values."""

    unit: int
    source: str
    kind: str
    file: str
    line: int
    received: str
    status: Status
    issues: list[dict[str, Any]]


def one_version(
    connection: Connection, kind: str, uid: str, version: int | None = None
) -> Stored | None:
    """A version of a resource, the current one when none is named."""
    wanted = _RESOURCE.c.version if version is None else version
    query = _joined().where(
        _RESOURCE.c.id == uid, _RESOURCE.c.kind == kind, _VERSION.c.version == wanted
    )
    row = connection.execute(query).first()
    return None if row is None else stored(*row)


def all_versions(connection: Connection, kind: str, uid: str) -> list[Stored]:
    """Every version of a resource, newest first."""
    query = _joined().where(_RESOURCE.c.id == uid, _RESOURCE.c.kind == kind)
    rows = connection.execute(query.order_by(_VERSION.c.version.desc()))
    return [stored(*row) for row in rows]


def current(connection: Connection, rids: Sequence[int]) -> list[Stored]:
    """The current versions of resources by their row numbers, in that order."""
    found: dict[int, Stored] = {}
    for some in bulk.chunks(rids):
        query = (
            _joined(_RESOURCE.c.rid, *_COLUMNS)
            .where(_RESOURCE.c.rid.in_(some), _VERSION.c.version == _RESOURCE.c.version)
        )  # fmt: skip
        found.update((row[0], stored(*row[1:])) for row in connection.execute(query))
    return [found[rid] for rid in rids if rid in found]


def referred(connection: Connection, references: Sequence[str]) -> list[Stored]:
    """The current versions of `Patient/abc` references; deleted ones and strangers left out."""
    wanted = dict.fromkeys(references)
    ids = {reference.partition("/")[2] for reference in wanted}
    found: dict[str, int] = {}
    for some in bulk.chunks(ids):
        query = select(_RESOURCE.c.kind, _RESOURCE.c.id, _RESOURCE.c.rid).where(
            _RESOURCE.c.id.in_(some), _RESOURCE.c.deleted == 0
        )
        found.update((f"{kind}/{uid}", rid) for kind, uid, rid in connection.execute(query))
    return current(connection, [found[reference] for reference in wanted if reference in found])


def stored(kept: str | bytes, version: int, deleted: int) -> Stored:
    """A row of the version table as the store hands it out."""
    resource = data.loads(spread(kept))
    return Stored(resource, version, resource["meta"]["lastUpdated"], bool(deleted))


def trace(connection: Connection, kind: str, uid: str, order: Precedence) -> list[Trace]:
    """Where each element of the current version came from, by element."""
    said, units = _said(connection, kind, uid), dict[int, str]()
    won = list(winners(kind, said, order))
    for some in bulk.chunks({register.stamp.unit for _, _, register in won}):
        query = select(schema.unit.c.id, schema.unit.c.file).where(schema.unit.c.id.in_(some))
        units.update((number, file) for number, file in connection.execute(query))
    return [row for name, source, register in won for row in _rows(name, source, register, units)]


def cell(connection: Connection, file: str, line: int, field: str) -> Cell | None:
    """What a cell of a written file was made from."""
    table = schema.cell
    query = select(table.c.refs).where(
        table.c.file == file, table.c.line == line, table.c.field == field
    )
    row = connection.execute(query).first()
    return None if row is None else Cell(line, field, tuple(data.loads(row[0])))


def ledger(connection: Connection, status: Status | None = None) -> list[LedgerLine]:
    """The lines of the ledger in order of arrival, of one status if named."""
    table = schema.unit
    query = select(
        table.c.id, table.c.source, table.c.kind, table.c.file, table.c.line, table.c.received,
        table.c.status, table.c.issues,
    ).order_by(table.c.id)  # fmt: skip
    rows = connection.execute(query if status is None else query.where(table.c.status == status))
    return [LedgerLine(*row[:7], data.loads(row[7])) for row in rows]


def activity(connection: Connection, since: str) -> list[Activity]:
    """What each source sent since an instant, by source; when its last unit came, however old."""
    return [_activity(connection, source, since) for source in _sources(connection)]


def _activity(connection: Connection, source: str, since: str) -> Activity:
    table = schema.unit
    last = select(func.max(table.c.received)).where(table.c.source == source)
    counts = (
        select(table.c.status, func.count())
        .where(table.c.source == source, table.c.received >= since)
        .group_by(table.c.status)
    )
    units = {str(status): int(number) for status, number in connection.execute(counts)}
    return Activity(source, connection.execute(last).scalar_one(), units)


def _sources(connection: Connection) -> Iterator[str]:
    """Every source of the ledger: one look into its index each, however long the ledger is."""
    table, last = schema.unit, ""
    query = select(func.min(table.c.source))
    while found := connection.execute(query.where(table.c.source > last)).scalar():
        yield (last := str(found))


def raw(connection: Connection, unit: int) -> bytes | None:
    """The bytes of a unit as they came in."""
    row = connection.execute(select(schema.raw.c.bytes).where(schema.raw.c.unit == unit)).first()
    return None if row is None else bytes(row[0])


def _joined(*columns: Any) -> Select[Any]:
    joined = _RESOURCE.join(_VERSION, _VERSION.c.rid == _RESOURCE.c.rid)
    return select(*(columns or _COLUMNS)).select_from(joined)


def _said(connection: Connection, kind: str, uid: str) -> Contributions:
    table = schema.contribution
    query = (
        select(table.c.source, table.c.json, table.c.rid)
        .join(_RESOURCE, _RESOURCE.c.rid == table.c.rid)
        .where(_RESOURCE.c.id == uid, _RESOURCE.c.kind == kind)
    )
    found: Contributions = {}
    for row, text, rid in connection.execute(query).all():
        said = unpack(text, partial(_content, connection, rid))
        found.setdefault(source_of(row), {}).update(said)
    return found


def _content(connection: Connection, rid: int, version: int) -> Resource:
    query = select(_VERSION.c.json).where(_VERSION.c.rid == rid, _VERSION.c.version == version)
    found: Resource = data.loads(spread(connection.execute(query).scalar_one()))
    return found


def _rows(name: str, source: str, register: Register, files: dict[int, str]) -> Iterator[Trace]:
    """One row per source value; of an API write one row that says so."""
    as_of, unit = _shown(register.stamp.as_of), register.stamp.unit
    origins = register.origins
    if source == API and not origins:
        origins = (Origin(name, 0, ""),)
    for element, line, field in origins:
        yield Trace(element, source, unit, files.get(unit, source), line, field, as_of)


def _shown(as_of: str) -> str:
    return as_of.partition(" ")[0].removesuffix(".000000") + "Z"
