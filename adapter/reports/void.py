"""Rows that take back what an earlier file told, for layouts with a void mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapter.reports.rows import Row, Sheet, taken_back
from adapter.store.protocol import Store


class Voids:
    """What the last file of a series told and no longer holds.

    Members: those who are no longer there. Attempts: those entered in error since, however old.
    """

    def __init__(self, store: Store, sheet: Sheet, earlier: Sequence[str]) -> None:
        self._store, self._sheet, self._earlier = store, sheet, earlier
        self._mark = sheet.layout.column("void")
        self._seen: set[str] = set()

    def seen(self, subject: str) -> None:
        """The member is in this file."""
        if self._mark is not None and self._earlier:
            self._seen.add(subject)

    def rows(self) -> Iterator[Row]:
        """One row for each, with its void mark."""
        if self._mark is None or not self._earlier:
            return
        by_member = self._sheet.layout.grain != "attempt"
        for subject, told in self._gone() if by_member else self._wrong():
            if told.get(self._mark.header) != self._sheet.layout.flags[0]:
                yield taken_back(subject, told, self._sheet)

    def _gone(self) -> Iterator[tuple[str, dict[str, str]]]:
        for row in self._store.sent_rows(self._sheet.layout.series, self._earlier[-1]):
            if row.subject not in self._seen:
                yield row.subject, row.texts

    def _wrong(self) -> Iterator[tuple[str, dict[str, str]]]:
        for row in self._store.each("Communication", [("status", "entered-in-error")]):
            subject = f"Communication/{row['id']}"
            last = self._earlier[-1] + "~"  # after the last period
            told = self._store.last_sent(self._sheet.layout.series, subject, last)
            if told is not None:
                yield subject, told
