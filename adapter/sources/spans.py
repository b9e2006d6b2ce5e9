"""Joins the enrollments of a member that a file tells in several rows (files.md 8.25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from adapter.record import Record
from adapter.sources.cells import iso_date

OPEN = "9999-12-31"
_WHO = ("plan_member_id", "cin")
Span = tuple[str, str]


class Spans:
    """The last enrollment of each member met so far, from its first to its last day."""

    def __init__(self, columns: Sequence[str | None], days: int) -> None:
        """`columns` are the fields of the file; spans up to `days` apart are one."""
        at = {name: place for place, name in enumerate(columns) if name}
        self._who = [at[name] for name in _WHO if name in at]
        self._start, self._end = at.get("ecm_start", -1), at.get("ecm_end", -1)
        self._gap = timedelta(days=days)
        self._known: dict[str, Span] = {}

    def joined(self, record: Record) -> Record:
        """The row, with the whole enrollment where it goes on with one told before.

        A row without a start, or with an end before it, is left as it stands.
        """
        if self._start < 0 or self._end < 0:
            return record
        fields = [*record.fields]
        who = next((fields[place] for place in self._who if fields[place]), "")
        start = iso_date(fields[self._start], "mdy") or ""
        end = (iso_date(fields[self._end], "mdy") or "") if fields[self._end] else OPEN
        if not (who and start and start <= end):
            return record
        before = self._known.get(who)
        self._known[who] = now = self._one(before, (start, end)) if before else (start, end)
        if now == (start, end):
            return record
        fields[self._start], fields[self._end] = now
        return replace(record, fields=fields)

    def _one(self, before: Span, now: Span) -> Span:
        first, last = sorted((before, now))
        if first[1] == OPEN or date.fromisoformat(last[0]) <= self._limit(first[1]):
            return first[0], max(first[1], last[1])
        return now

    def _limit(self, end: str) -> date:
        return date.fromisoformat(end) + self._gap
