"""Who was merged into whom: later messages about the loser are led on to the survivor."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from adapter.store import bulk, schema

Name = tuple[str, str]  # kind, id

_TABLE = schema.merged
_ANY = "SELECT 1 FROM merged WHERE loser > () LIMIT 1"
_ROWS = (
    "SELECT kind, loser, survivor FROM merged WHERE loser IN ()",
    "SELECT kind, loser, survivor FROM merged WHERE survivor IN ()",
)


class Merged:
    """The merges that concern the resources of one transaction, looked up once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._some: bool | None = None  # whether anything was ever merged
        self._into: dict[Name, str] = {}
        self._losers: dict[Name, set[str]] = {}
        self._asked: set[Name] = set()
        self._new: dict[Name, bulk.Row] = {}

    def know(self, names: Iterable[Name]) -> None:
        """Look up what these were merged into, and what into them, in a few statements."""
        if not self._any():
            return
        wanted = {name for name in names if name not in self._asked}
        self._asked |= wanted
        ids = {uid for _, uid in wanted}
        for query in _ROWS:
            for kind, loser, survivor in bulk.ask(self._connection, query, ids):
                self._into.setdefault((kind, loser), survivor)
                self._losers.setdefault((kind, survivor), set()).add(loser)

    def _any(self) -> bool:
        if self._some is None:
            self._some = bool(bulk.ask(self._connection, _ANY, ("",)))
        return self._some

    def survivor(self, kind: str, uid: str) -> str:
        """Who goes on for a resource: itself, or the end of the chain of merges."""
        at, passed = uid, {uid}
        while self._any():
            self.know([(kind, at)])
            into = self._into.get((kind, at))
            if into is None or into in passed:
                return at
            passed.add(at := into)
        return at

    def losers(self, kind: str, uid: str) -> list[str]:
        """Everyone who was merged into a resource, directly or by a chain, in order of id."""
        found: set[str] = set()
        open_ones = [uid]
        while open_ones:
            name = (kind, open_ones.pop())
            self.know([name])
            fresh = self._losers.get(name, set()) - found
            found |= fresh
            open_ones += fresh
        return sorted(found - {uid})

    def add(self, kind: str, loser: str, survivor: str, unit: int) -> None:
        """Remember a merge."""
        self._some = True
        self._into[kind, loser] = survivor
        self._losers.setdefault((kind, survivor), set()).add(loser)
        self._new[kind, loser] = (kind, loser, survivor, unit)

    def flush(self) -> None:
        """Send what is new to the database."""
        bulk.upsert(self._connection, _TABLE, list(self._new.values()))
        self._new.clear()
