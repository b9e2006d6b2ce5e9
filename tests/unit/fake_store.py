"""A store of dicts for unit tests: what claims and reports ask of the protocol, and no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from adapter.record import Resource
from adapter.store.protocol import Cell, Page, SentRow, Stored, Trace


class FakeStore:
    """Resources by `Kind/id`; every put is version 1."""

    def __init__(self, *resources: Resource) -> None:
        self.resources = {f"{row['resourceType']}/{row['id']}": row for row in resources}
        self.cells: dict[str, list[Cell]] = {}
        self.traces: dict[str, list[Trace]] = {}
        self.numbers: dict[str, int] = {}
        self.versions: dict[str, list[Stored]] = {}
        self.sent: dict[tuple[str, str], dict[str, dict[str, str]]] = {}  # series, period

    def read(self, kind: str, uid: str) -> Stored | None:
        found = self.resources.get(f"{kind}/{uid}")
        return Stored(found, 1, "2026-01-01T00:00:00Z") if found else None

    def search(self, kind, params=(), count=50, cursor=None) -> Page:
        rows = [Stored(row, 1, "2026-01-01T00:00:00Z") for row in self.each(kind, params)]
        return Page(rows, total=len(rows))

    def each(self, kind: str, params: Sequence[tuple[str, str]] = ()) -> Iterator[Resource]:
        rows = sorted(key for key in self.resources if key.startswith(f"{kind}/"))
        return (self.resources[key] for key in rows if _fits(self.resources[key], params))

    def history(self, kind: str, uid: str) -> list[Stored]:
        found = self.read(kind, uid)
        return self.versions.get(f"{kind}/{uid}", [found] if found else [])

    def trace(self, kind: str, uid: str) -> list[Trace]:
        return self.traces.get(f"{kind}/{uid}", [])

    def cell(self, file: str, line: int, field: str) -> Cell | None:
        rows = self.cells.get(file, [])
        return next((row for row in rows if (row.line, row.field) == (line, field)), None)

    def batch(self):
        return contextlib.nullcontext()

    def put(self, resource: Resource, now: str, if_version=None) -> tuple[Stored, bool]:
        self.resources[f"{resource['resourceType']}/{resource['id']}"] = resource
        return Stored(resource, 1, now), True

    def write_cells(self, file: str, cells: Iterable[Cell], now: str) -> None:
        self.cells[file] = list(cells)

    def write_sent(self, series: str, period: str, rows: Iterable[SentRow], now: str) -> None:
        self.sent[series, period] = {row.subject: dict(row.texts) for row in rows}

    def last_sent(self, series: str, subject: str, before: str) -> dict[str, str] | None:
        earlier = [self.sent[series, one] for one in self.sent_periods(series) if one < before]
        return next((rows[subject] for rows in reversed(earlier) if subject in rows), None)

    def sent_periods(self, series: str) -> list[str]:
        return sorted(period for name, period in self.sent if name == series)

    def sent_rows(self, series: str, period: str) -> Iterator[SentRow]:
        return (SentRow(*row) for row in sorted(self.sent[series, period].items()))

    def sequence(self, name: str) -> int:
        self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.numbers[name]


class LargeStore(FakeStore):
    """The same for many members: what a patient has is looked up, and must not change."""

    def __init__(self, *resources: Resource) -> None:
        super().__init__(*resources)
        self._of: dict[tuple[str, str], list[Resource]] = {}
        for row in resources:
            self._of.setdefault((row["resourceType"], _person(row)), []).append(row)

    def each(self, kind: str, params: Sequence[tuple[str, str]] = ()) -> Iterator[Resource]:
        if params and params[0][0] == "patient":
            found = [self._of.get((kind, one), ()) for one in params[0][1].split(",")]
            rows = sorted((row for some in found for row in some), key=lambda row: row["id"])
            return (row for row in rows if _fits(row, params[1:]))
        if params and params[0][0] == "_id":
            names = sorted(params[0][1].split(","))
            found = [self.resources.get(f"{kind}/{name}") for name in names]
            return (row for row in found if row is not None and _fits(row, params[1:]))
        return super().each(kind, params)


def _fits(row: Resource, params: Sequence[tuple[str, str]]) -> bool:
    return all(_tests[name](row, value) for name, value in params)


def _person(row: Resource) -> str:
    subject = row.get("patient") or row.get("subject") or row.get("beneficiary") or row.get("for")
    actors = [one.get("actor") for one in row.get("participant", ()) if "actor" in one]
    return (subject or next(iter(actors), {})).get("reference", "")


def _patient(row: Resource, value: str) -> bool:
    return _person(row) in value.split(",")


def _identifier(row: Resource, value: str) -> bool:
    system, _, number = value.partition("|")
    rows = [(item.get("system"), item.get("value")) for item in row.get("identifier", ())]
    return any(have == system and number in ("", found) for have, found in rows)


def _category(row: Resource, value: str) -> bool:
    codings = [one for concept in row.get("category", ()) for one in concept.get("coding", ())]
    return value in [f"{one.get('system')}|{one.get('code')}" for one in codings]


_tests = {
    "_id": lambda row, value: row["id"] in value.split(","),
    "category": _category,
    "patient": _patient,
    "identifier": _identifier,
    "status": lambda row, value: row.get("status") == value,
}
