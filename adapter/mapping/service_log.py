"""A service log's columns bound to its mapping, so that an outreach attempt is told twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapter import terms
from adapter.mapping import tabular
from adapter.mapping.builders_services import phase
from adapter.outcome import Outcome, Unit
from adapter.record import Record

_CLOCK = re.compile(r"^\d{1,2}:\d{2}")
# What an outreach attempt reads of its row; the cells are given twice, to the Encounter as well.
_ATTEMPT = {
    "attempt_id": "contact_id",
    "attempt_date": "service_date",
    "attempt_start": "start",
    "attempt_method": "modality",
    "attempt_outcome": "outcome",
}


class LogMapping:
    """What a table mapping is, for service logs: the fields it knows, and `bind`."""

    def __init__(self) -> None:
        known = tabular.load("services", "contact")
        self.fields = known.fields - frozenset(_ATTEMPT)
        self.required = known.required

    def bind(self, columns: Sequence[str | None], labels: Sequence[str]) -> BoundLog:
        """Bind a log's header: the canonical name of each column (None: unknown), its text."""
        return BoundLog(columns, labels)


class BoundLog:
    """A service log's columns bound to mappings/services/contact.toml and attempt.toml."""

    def __init__(self, columns: Sequence[str | None], labels: Sequence[str]) -> None:
        self._at = {name: place for place, name in enumerate(columns) if name}
        self._width = len(columns)
        sources = [self._at.get(name, -1) for name in _ATTEMPT.values()]
        more = [labels[place] if place >= 0 else "" for place in sources]
        bound, named = [*columns, *_ATTEMPT], [*labels, *more]
        self._phased = "phase" in self._at
        if not self._phased:  # what the whole log is may still be said
            bound, named = [*bound, "phase"], [*named, ""]
        self._table = tabular.load("services", "contact").bind(bound, named)
        self._letters = tabular.load("services", "attempt").bind(bound, named)

    def apply(self, record: Record, unit: Unit, context: Mapping[str, str]) -> Outcome:
        """One row as a unit: an Encounter, and a Communication when it is an outreach attempt.

        An attempt by letter is a Communication alone: nobody was met. A time without a date is of
        the row's service date. `context` as for any table; its `phase` (`outreach` or `service`)
        holds for rows that do not say one.
        """
        cells = [*record.fields[: self._width]]
        cells += [""] * (self._width - len(cells))
        for name in ("start", "end"):
            self._dated(cells, name)
        said = self._cell(cells, "phase") or context.get("phase", "")
        attempt = phase(said) == "outreach"
        cells += [self._cell(cells, name) if attempt else "" for name in _ATTEMPT.values()]
        if self._phased:
            cells[self._at["phase"]] = said
        else:
            cells.append(said)
        table = self._letters if attempt and self._by_letter(cells) else self._table
        return table.apply(replace(record, fields=cells), unit, context)

    def _by_letter(self, cells: Sequence[str]) -> bool:
        """Whether the method is known and is no contact (table contact-modality)."""
        target = terms.table("contact-modality").get(self._cell(cells, "modality"))
        return target is not None and not target.code

    def _cell(self, cells: Sequence[str], name: str) -> str:
        place = self._at.get(name, -1)
        return cells[place] if place >= 0 else ""

    def _dated(self, cells: list[str], name: str) -> None:
        text, day = self._cell(cells, name), self._cell(cells, "service_date")
        if day and _CLOCK.match(text):
            cells[self._at[name]] = f"{day} {text}"


def bind(columns: Sequence[str | None], labels: Sequence[str]) -> BoundLog:
    """Bind a log's header: the canonical name of each column (None if unknown), and its text."""
    return BoundLog(columns, labels)
