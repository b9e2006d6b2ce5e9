"""Takes a tracker's row apart that holds all attempts to reach a member (files.md section 8, 18).

One vendor writes the days as `start - end, start - end`, the methods of all notes between commas,
and the time spent as one sum. A list is split only when it has as many values as there are days.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from adapter.reports.layout import Layout

_WHEN = ("attempt_date", "attempt_time")
_LISTS = ("method", "outcome", "success", "contact_reason")
_SHARED = ("provider_type",)  # one value may hold for all
_CLOCKS = ("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y-%m-%d %H:%M", "%m-%d-%Y %H:%M")
_SPAN = re.compile(r"\s+(?:-|–|to)\s+")  # noqa: RUF001 - an en dash is written there too
_DAY = re.compile(r"\d{1,4}[-/.]\d")
Row = Sequence[str | float | date | None]


def attempts(cells: Row, elements: Sequence[str], layout: Layout) -> tuple[list[Row], list[str]]:
    """The row once for each attempt in it, and the elements whose values could not be divided.

    `elements` names what stands in each place. What cannot be divided is left out of each.
    """
    place = next((n for n, one in enumerate(elements) if one in _WHEN and n < len(cells)), -1)
    said = cells[place] if place >= 0 else None
    if layout.grain == "member" or not isinstance(said, str):
        return [cells], []
    spans = [_SPAN.split(one.strip(), maxsplit=1) for one in said.split(",") if one.strip()]
    plain = len(spans) < 2 and all(len(one) == 1 for one in spans)
    if plain or not all(_DAY.match(one[0]) for one in spans):
        return [cells], []
    lasted = [_minutes(one) for one in spans]
    rows, wrong = [[*cells] for _ in spans], []
    for row, span in zip(rows, spans, strict=True):
        row[place] = _start(span[0], elements[place])
    for n, element in enumerate(elements[: len(cells)]):
        values = _divided(cells[n], element, lasted)
        if values is None:
            wrong.append(element)
        for row, value in zip(rows, values or [None] * len(rows), strict=True):
            if n != place:
                row[n] = value
    return [*rows], wrong


def _divided(
    cell: str | float | date | None, element: str, lasted: Sequence[int | None]
) -> Sequence[str | float | date | None] | None:
    """A cell's value for each attempt; None when it holds another number of values."""
    count = len(lasted)
    if count == 1 or cell in (None, "") or element not in (*_LISTS, *_SHARED, "time_spent"):
        return [cell] * count
    if element == "time_spent":
        return [str(one) for one in lasted] if all(one is not None for one in lasted) else None
    values = [one.strip() for one in str(cell).split(",")]
    if element in _SHARED and len(values) == 1:
        return values * count
    return values if len(values) == count else None


def _minutes(span: Sequence[str]) -> int | None:
    """From start to end; None when one has no time of day."""
    moments = [_moment(one) for one in span]
    if len(moments) != 2 or moments[0] is None or moments[1] is None:
        return None
    return max(0, int((moments[1] - moments[0]).total_seconds() // 60))


def _start(text: str, element: str) -> str:
    """What the column is read from: a day alone where it holds days."""
    moment = _moment(text)
    if element == "attempt_date" or moment is None:
        return text.split(" ")[0]
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _moment(text: str) -> datetime | None:
    for pattern in _CLOCKS:
        try:
            return datetime.strptime(text, pattern)  # a wall clock of the plan
        except ValueError:
            continue
    return None
