"""A store of dicts for unit tests: what claims and reports ask of the protocol, and no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from adapter.record import Resource
from adapter.store.protocol import Cell, Page, Stored, Trace


class FakeStore:
    """Resources by `Kind/id`; every put is version 1."""

    def __init__(self, *resources: Resource) -> None:
        self.resources = {f"{row['resourceType']}/{row['id']}": row for row in resources}
        self.cells: dict[str, list[Cell]] = {}
        self.traces: dict[str, list[Trace]] = {}
        self.numbers: dict[str, int] = {}
        self.versions: dict[str, list[Stored]] = {}

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

    def write_cells(self, file: str, cells: Sequence[Cell], now: str) -> None:
        self.cells[file] = list(cells)

    def sequence(self, name: str) -> int:
        self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.numbers[name]


def _fits(row: Resource, params: Sequence[tuple[str, str]]) -> bool:
    return all(_tests[name](row, value) for name, value in params)


def _patient(row: Resource, value: str) -> bool:
    subject = row.get("patient") or row.get("subject") or row.get("beneficiary") or row.get("for")
    return (subject or {}).get("reference") == value


def _identifier(row: Resource, value: str) -> bool:
    system, _, number = value.partition("|")
    rows = [(item.get("system"), item.get("value")) for item in row.get("identifier", ())]
    return any(have == system and number in ("", found) for have, found in rows)


_tests = {
    "patient": _patient,
    "identifier": _identifier,
    "status": lambda row, value: row.get("status") == value,
}
