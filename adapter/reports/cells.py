"""A found value as the text of a cell, in the plan's form, and the plan's words for our codes."""

from __future__ import annotations

import re
from datetime import date

from adapter.reports.found import Found
from adapter.reports.layout import Column, Layout

_BREAKS = re.compile(r"\s+")


def text(found: Found, column: Column, layout: Layout) -> tuple[str, bool]:
    """The cell's text, and False when a code has no word in the plan's list.

    Such a code stays as it is in a text column, and leaves a `code` column empty.
    """
    value = found.value
    if value is None or value == "":
        return "", True
    if column.values is not None:
        other = "" if column.format == "code" else str(value)
        return column.values.get(str(value), other), str(value) in column.values
    if isinstance(value, bool):
        return layout.flags[0 if value else 1], True
    if isinstance(value, date):
        return value.strftime(layout.dates), True
    return _form(str(value), column.format), True


def _form(value: str, form: str) -> str:
    if form == "phone":
        digits = re.sub(r"\D", "", value.partition("x")[0])
        return digits.removeprefix("1") if len(digits) == 11 else digits or value
    return _BREAKS.sub(" ", value).strip()
