"""What the last transactions of this process saw, so that the next need not read it again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from sqlalchemy import Connection

from adapter.store import bulk, schema

_NAME = "writes"
_MOST_HINTS = 20_000
_COUNT = "SELECT value FROM setting WHERE name IN ()"

K = TypeVar("K")
S = TypeVar("S")


class Memory(Generic[K, S]):
    """The newest things by name; good as long as nobody else wrote to the database.

    The database counts its writing transactions: who finds another number than he left has to
    read again. Only for one transaction at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[K, S] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self.hints: dict[str, str] = {}
        self._count = -1
        self._sure = False

    def known(self, connection: Connection) -> OrderedDict[K, S]:
        """What is still true in this writing transaction."""
        if self._sure:
            return self._known
        rows = bulk.ask(connection, _COUNT, [_NAME])
        count = int(rows[0][0]) if rows else 0
        if count != self._count:
            self.forget()
        self._count, self._sure = count, True
        return self._known

    def hint(self, ids: Mapping[str, str]) -> None:
        """Note under which ids entries were stored: what to look up when they come again."""
        if len(self.hints) > _MOST_HINTS:
            self.hints.clear()
        self.hints.update(ids)

    def draw(self, connection: Connection, query: str) -> int:
        """The next number of a row whose last a query tells; nobody else draws one meanwhile."""
        self.known(connection)
        if query not in self._numbers:
            self._numbers[query] = connection.exec_driver_sql(query).scalar() or 0
        self._numbers[query] += 1
        return self._numbers[query]

    def count(self, connection: Connection) -> None:
        """Tell others that this transaction wrote; as its last statement."""
        self.known(connection)
        bulk.upsert(connection, schema.setting, [(_NAME, str(self._count + 1))])

    def keep(self, seen: Iterable[tuple[K, S]], wrote: bool) -> None:
        """Remember what a transaction saw or made, after it was committed."""
        self._count, self._sure = self._count + wrote, False
        for name, thing in seen:
            self._known[name] = thing
            self._known.move_to_end(name)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """After a transaction that was undone: nothing of it is true."""
        self._known.clear()
        self._numbers.clear()
        self._count, self._sure = -1, False
