"""What waits is judged again once more is known: each unit in a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from adapter import logs
from adapter.store import deciding, held, linking
from adapter.store.doubts import Judges
from adapter.store.protocol import Receipt
from adapter.store.work import NOTHING, Learned, Work, Write

log = logging.getLogger("adapter.store")


class Settling:
    """Made by the store, in whose transactions it writes.

    Who told what settles it is stored by then: a fault in judging what waits is not theirs. It is
    told in the log, the unit waits on, and `review again` tries it anew.
    """

    def __init__(
        self,
        write: Write,
        read: Callable[[], AbstractContextManager[Connection]],
        namespace: UUID,
        judges: Judges,
    ) -> None:
        self._write, self._read = write, read
        self._namespace, self._judges = namespace, judges

    def after(self, learned: Learned, now: str) -> list[Receipt]:
        """Judge what waits about those of whom more is known now: what is stored for that."""
        stored = []
        while learned != NOTHING:
            with self._read() as connection:
                found = held.about(connection, {ref.partition("/")[2] for ref in learned.people})
                found += held.of_event(connection, linking.EVENT) if learned.linked else []
            receipts, learned = self._each(dict.fromkeys(found), now)
            stored += receipts
        return stored

    def again(self, units: Iterable[int], now: str) -> list[Receipt]:
        """Judge units that wait, and what that settles: what is stored for it."""
        receipts, learned = self._each(units, now)
        return receipts + self.after(learned, now)

    def _each(self, units: Iterable[int], now: str) -> tuple[list[Receipt], Learned]:
        """The receipts of those that are stored now, and what is known by them."""
        stored, learned = [], NOTHING
        for unit in units:
            try:
                receipt, more = self._write(partial(self._judged, unit=unit, now=now))
            except Exception as error:  # the boundary: one unit must not keep the others waiting
                logs.fault(log, f"unit {unit} waits on", error)
                continue
            if receipt is not None and receipt.status == "stored":
                stored.append(receipt)
                learned = learned.more((*more.people, *receipt.ids.values()), more.linked)
        return stored, learned

    def _judged(self, work: Work, unit: int, now: str) -> tuple[Receipt | None, Learned]:
        receipt = deciding.again(work, unit, now, self._namespace, self._judges)
        return receipt, work.learned()
