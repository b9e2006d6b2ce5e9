"""A value as a plan's cell can tell it, as its text, and back from the text.

What a cell cannot tell is taken off first (`told`): then writing and reading give the same value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cache

from adapter import terms
from adapter.reports.found import Value
from adapter.reports.layout import DELIMITER, Column, Format, Layout

_DATES = ("%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y%m%d")
_HOURS = re.compile(r"^(?:(\d+) h)? ?(?:(\d+) mins?)?$")
# Elements whose codes have names: what a text column tells when the plan has no word.
_TABLES = {
    "acuity": "acuity",
    "discont_reason": "discontinuation-reason",
    "ecm_status": "ecm-status",
    "method": "outreach-method",
    "outcome": "outreach-outcome",
}
_YES = {"y", "yes", "1", "true"}
_NO = {"n", "no", "0", "false"}


class BadCell(ValueError):
    """A cell that its column cannot hold; the text is an issue's slug."""


def told(value: Value, column: Column, form: Format = "csv") -> tuple[Value, bool]:
    """What the cell will tell of a value, and False when the plan's list has no word for a code.

    Codes of one word become the first of them. A code without a word is told by its name in a
    text column, and leaves a `code` column empty. Texts lose line breaks and what ends a cell.
    """
    if value is None or value == "":
        return None, True
    if column.words is not None:
        return _coded(str(value), column, form)
    if isinstance(value, str):
        return _plain(value, column, form) or None, True
    if column.form == "date" and isinstance(value, datetime):
        return value.date(), True
    return value, True


def text(value: Value, column: Column, layout: Layout) -> str:
    """The cell's text for a value of `told`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return layout.flags[0 if value else 1]
    if isinstance(value, date):
        return value.strftime(_pattern(column, layout))
    if column.words is not None:
        return column.words.get(str(value), str(value))
    if column.form == "duration" and isinstance(value, int):
        return _hours(value)
    return str(value)


def parsed(cell: str | float | date | None, column: Column, layout: Layout) -> Value:
    """The value of a cell: a text, or what a workbook holds. Raises BadCell."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, date):
        return _moment(cell, column)
    if isinstance(cell, float | int) and not isinstance(cell, bool):
        cell = str(int(cell)) if cell == int(cell) else str(cell)
    found = str(cell).strip()
    if column.words is not None:
        code = column.code(found)
        return found if code is None else code
    return _READ.get(column.form, _text)(found, column, layout)


def _coded(code: str, column: Column, form: Format) -> tuple[Value, bool]:
    words = column.words or {}
    word = words.get(code)
    if word is None:
        shown = _plain(_names(column.element).get(code, code), column, form)
        known = column.code(shown)
        if known is None:
            return (None if column.form == "code" else shown or None), False
        return known, True
    return column.code(word), True


@cache
def _names(element: str) -> Mapping[str, str]:
    """What our codes of an element are called, for people."""
    if element not in _TABLES:
        return {}
    table = terms.table(_TABLES[element])
    targets = [table.get(code) for code in table.codes()]
    return {target.code: target.display for target in targets if target and target.display}


def named(element: str, shown: str) -> str:
    """Our code of an element by what people call it; `""` when nothing is called so."""
    return _called(element).get(terms.fold(shown), "")


@cache
def _called(element: str) -> Mapping[str, str]:
    return {terms.fold(name): code for code, name in _names(element).items()}


def _plain(value: str, column: Column, form: Format) -> str:
    """One line of characters that every format has, without the delimiter of an unquoted file."""
    if form == "pipe":
        value = value.replace(DELIMITER[form], " ")
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in value)
    kept = " ".join(kept.split())
    return _digits(kept) if column.form == "phone" else kept


def _digits(value: str) -> str:
    digits = re.sub(r"\D", "", value.partition("x")[0])
    return digits.removeprefix("1") if len(digits) == 11 else digits or value


def _pattern(column: Column, layout: Layout) -> str:
    if column.form == "month":
        return layout.period
    return layout.times if column.form == "datetime" else layout.dates


def _hours(minutes: int) -> str:
    """`45 mins`, `1 h 5 mins`: as the one vendor writes it whose tracker is known."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} mins" if hours else f"{rest} mins"


def _moment(cell: date, column: Column) -> Value:
    day = cell.date() if isinstance(cell, datetime) else cell
    if column.form == "datetime":
        return cell if isinstance(cell, datetime) else datetime.combine(cell, time())
    return day.replace(day=1) if column.form == "month" else day


def _text(found: str, _column: Column, _layout: Layout) -> Value:
    return found


def _date(found: str, column: Column, layout: Layout) -> Value:
    own = _pattern(column, layout)
    for pattern in (own, *(() if column.form == "month" else _DATES)):
        try:
            moment = datetime.strptime(found, pattern)  # a wall clock of the plan
        except ValueError:
            continue
        return moment if column.form == "datetime" else moment.date()
    raise BadCell("date-format")


def _flag(found: str, _column: Column, layout: Layout) -> Value:
    word = found.casefold()
    yes, no = (flag.casefold() for flag in layout.flags)
    if word == yes or (word != no and word in _YES):
        return True
    if word == no or word in _NO:
        return False
    raise BadCell("flag-format")


def _integer(found: str, _column: Column, _layout: Layout) -> Value:
    if not re.fullmatch(r"-?\d{1,9}", found):
        raise BadCell("number-format")
    return int(found)


def _duration(found: str, column: Column, layout: Layout) -> Value:
    parts = _HOURS.match(found)
    if parts is None or not any(parts.groups()):
        return _integer(found, column, layout)
    return int(parts[1] or 0) * 60 + int(parts[2] or 0)


_READ = {
    "date": _date,
    "datetime": _date,
    "month": _date,
    "flag": _flag,
    "integer": _integer,
    "minutes": _integer,
    "duration": _duration,
}
