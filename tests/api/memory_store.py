"""A store of dicts, just enough of the protocol to test the API without a database."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapter.errors import NotUnique, VersionConflict
from adapter.outcome import Outcome
from adapter.record import Resource
from adapter.store.protocol import BadSearch, Cell, Page, Receipt, Stored, Trace


class MemoryStore:
    """Versions by (type, id); searches by walking all of them."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], list[Stored]] = {}
        self.traces: dict[tuple[str, str], list[Trace]] = {}
        self.lock = threading.RLock()

    def read(self, kind: str, uid: str) -> Stored | None:
        with self.lock:
            versions = self.versions.get((kind, uid), [])
            return copy.deepcopy(versions[-1]) if versions else None

    def vread(self, kind: str, uid: str, version: int) -> Stored | None:
        with self.lock:
            versions = self.versions.get((kind, uid), [])
            return next((copy.deepcopy(row) for row in versions if row.version == version), None)

    def history(self, kind: str, uid: str) -> list[Stored]:
        with self.lock:
            return copy.deepcopy(self.versions.get((kind, uid), []))[::-1]

    def put(
        self, resource: Resource, now: str, if_version: int | None = None
    ) -> tuple[Stored, bool]:
        with self.lock:
            kind, uid = resource["resourceType"], resource["id"]
            old = self.read(kind, uid)
            current = 0 if old is None or old.deleted else old.version
            if if_version is not None and if_version != current:
                raise VersionConflict
            self._unique(kind, uid, resource)
            stored = self._add(resource, now, deleted=False)
            return stored, old is None or old.deleted

    def delete(self, kind: str, uid: str, now: str) -> Stored | None:
        with self.lock:
            old = self.read(kind, uid)
            return self._add(old.resource, now, deleted=True) if old else None

    def search(
        self,
        kind: str,
        params: Sequence[tuple[str, str]] = (),
        count: int = 50,
        cursor: str | None = None,
    ) -> Page:
        with self.lock:
            plain = [(name, value) for name, value in params if name != "_include"]
            rows = [row for row in self._current(kind) if all(_fits(row, *pair) for pair in plain)]
            if cursor is not None and not cursor.isdecimal():
                raise BadSearch("_cursor", "not one of ours")
            start = int(cursor or 0)
            matches = rows[start : start + count]
            more = str(start + count) if start + count < len(rows) else None
            included = [
                target
                for name, value in params
                if name == "_include"
                for target in self._included(matches, value)
            ]
            return copy.deepcopy(Page(matches, included, len(rows), more))

    def each(self, kind: str, params: Sequence[tuple[str, str]] = ()) -> Iterator[Resource]:
        return iter([row.resource for row in self.search(kind, params, 10**6).matches])

    def trace(self, kind: str, uid: str) -> list[Trace]:
        return self.traces.get((kind, uid), [])

    def cell(self, file: str, line: int, field: str) -> Cell | None:
        return None

    @contextmanager
    def batch(self) -> Iterator[None]:
        with self.lock:
            before = {key: list(rows) for key, rows in self.versions.items()}
            try:
                yield
            except BaseException:
                self.versions = before
                raise

    def commit(self, outcome: Outcome, raw: bytes, now: str) -> Receipt:
        raise NotImplementedError

    def commit_all(self, units: Sequence[tuple[Outcome, bytes]], now: str) -> list[Receipt]:
        raise NotImplementedError

    def write_cells(self, file: str, cells: Sequence[Cell], now: str) -> None:
        raise NotImplementedError

    def sequence(self, name: str) -> int:
        raise NotImplementedError

    def _add(self, resource: Resource, now: str, deleted: bool) -> Stored:
        kind, uid = resource["resourceType"], resource["id"]
        rows = self.versions.setdefault((kind, uid), [])
        number = len(rows) + 1
        meta = {**resource.get("meta", {}), "versionId": str(number), "lastUpdated": now}
        rest = {name: value for name, value in resource.items() if name != "meta"}
        stored = Stored({**copy.deepcopy(rest), "meta": meta}, number, now, deleted)
        rows.append(stored)
        return copy.deepcopy(stored)

    def _current(self, kind: str) -> list[Stored]:
        rows = [rows[-1] for (name, _), rows in sorted(self.versions.items()) if name == kind]
        return [row for row in rows if not row.deleted]

    def _unique(self, kind: str, uid: str, resource: Resource) -> None:
        mine = {_pair(row) for row in resource.get("identifier", []) if isinstance(row, dict)}
        for row in self._current(kind):
            others = {_pair(i) for i in row.resource.get("identifier", [])}
            if row.resource["id"] != uid and mine & others:
                raise NotUnique

    def _included(self, matches: list[Stored], wish: str) -> Iterator[Stored]:
        kind, _, name = wish.partition(":")
        element = {"patient": "for" if kind == "Task" else "subject"}.get(name, name)
        for row in matches:
            reference = row.resource.get(element, {}).get("reference", "/")
            target = self.read(*reference.split("/", 1))
            if target is not None:
                yield target


def _pair(identifier: dict[str, Any]) -> tuple[str, str]:
    return identifier.get("system", ""), identifier.get("value", "")


def _fits(row: Stored, name: str, value: str) -> bool:
    resource = row.resource
    if name == "_id":
        return bool(resource["id"] == value)
    if name == "identifier":
        system, bar, code = value.rpartition("|")
        pairs = [_pair(item) for item in resource.get("identifier", [])]
        return any(code == pair[1] and (not bar or system == pair[0]) for pair in pairs)
    if name == "name":
        return any(n.get("family", "").lower().startswith(value.lower()) for n in resource["name"])
    if name == "birthdate":
        if not value[:1].isdecimal():
            raise BadSearch(name, "not a date")
        return bool(resource.get("birthDate", "").startswith(value))
    if name == "status":
        return bool(resource.get("status") == value)
    if name == "patient":
        element = "for" if resource["resourceType"] == "Task" else "subject"
        return resource.get(element, {}).get("reference", "") in (value, f"Patient/{value}")
    raise BadSearch(name, "not in this store")
