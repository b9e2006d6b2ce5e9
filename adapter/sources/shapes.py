"""What the values of a column look like, as shares; no value leaves this module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from adapter import terms
from adapter.sources import cells

_CIN = re.compile(r"9\d{7}[A-Z](\d{5})?", re.ASCII)
_NPI = re.compile(r"[12]\d{9}", re.ASCII)
_TIN = re.compile(r"\d{2}-?\d{7}", re.ASCII)
_ZIP = re.compile(r"9[0-6]\d{3}(-\d{4})?|\d{5}-\d{4}", re.ASCII)  # California's, or plus four
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_STREET = re.compile(r"\d+\s+\S+.*|.*\bP\.?\s*O\.?\s*BOX\b.*|GENERAL DELIVERY", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_][^\d_@|;]+")
_NAMED_ID = re.compile(r"[A-Z]{2,8}-?\d{4,14}[A-Z]?", re.ASCII | re.IGNORECASE)
_ID = re.compile(r"[A-Z]{0,8}-?\d{2,14}[A-Z]?", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\S+)[ T]\d{1,2}:\d{2}")

Test = Callable[[str], bool]


def _in(table: str) -> Test:
    return lambda text: terms.table(table).get(text) is not None


def _parts_in(table: str) -> Test:
    def holds(text: str) -> bool:
        found = terms.table(table)
        parts = re.split(r"\s*[;|,]\s*", text)
        return found.get(text) is not None or all(found.get(p) is not None for p in parts if p)

    return holds


def is_date(text: str) -> bool:
    """Whether a text is a day, with or without a time after it."""
    match = _TIME.match(text)
    day = match[1] if match else text
    return len(day) >= 8 and cells.iso_date(day, "mdy") is not None


def _is_npi(text: str) -> bool:
    return _NPI.fullmatch(text) is not None and _luhn("80840" + text)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_phone(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", re.split(r"\s*(?:[,;/]|or|x|ext)\s*", text.lower())[0])
    bare = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return len(bare) == 10 and bare[0] not in "01" and not _is_npi(text)


TESTS: Mapping[str, Test] = {
    "cin": lambda text: _CIN.fullmatch(text.upper().replace("-", "")) is not None,
    "npi": _is_npi,
    "tin": lambda text: _TIN.fullmatch(text) is not None,
    "date": is_date,
    "zip": lambda text: _ZIP.fullmatch(text.removesuffix(".0")) is not None,
    "phone": _is_phone,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "street": lambda text: _STREET.fullmatch(text) is not None,
    "flag": _in("member-flag"),
    "sex": _in("member-sex"),
    "state": _in("us-state"),
    "race": _parts_in("member-race"),
    "ethnicity": _in("member-ethnicity"),
    "language": _in("language"),
    "population": _parts_in("population-of-focus"),
    "acuity": _in("acuity"),
    "priority": _in("priority"),
    "record status": _in("member-record-status"),
    "ECM status": _in("ecm-status"),
    "id": lambda text: _ID.fullmatch(text) is not None and not is_date(text),
    "named id": lambda text: _NAMED_ID.fullmatch(text) is not None,
    "word": lambda text: _WORDS.fullmatch(text) is not None,
}
SHOWN = {
    "cin": "the shape of a CIN",
    "npi": "ten digits with the check digit of an NPI",
    "tin": "nine digits",
    "date": "dates",
    "zip": "ZIPs",
    "phone": "telephone numbers",
    "email": "e-mail addresses",
    "street": "street addresses",
    "flag": "yes or no",
    "sex": "words of table member-sex",
    "state": "states",
    "race": "words of table member-race",
    "ethnicity": "words of table member-ethnicity",
    "language": "words of table language",
    "population": "labels of table population-of-focus",
    "acuity": "words of table acuity",
    "priority": "1 to 3",
    "record status": "words of table member-record-status",
    "ECM status": "words of table ecm-status",
    "id": "numbers",
    "named id": "letters before a number",
    "word": "words",
}


class Column:
    """Shares of one column's filled cells that have each shape; how many, how different."""

    def __init__(self, values: Sequence[str]) -> None:
        filled = [text for text in values if text]
        self.filled = len(filled)
        self.share_filled = len(filled) / max(len(values), 1)
        self.distinct = len(set(filled))
        self.shares = {name: _share(test, filled) for name, test in TESTS.items()}
        days = sorted(d for text in filled if (d := cells.iso_date(text.split(" ")[0], "mdy")))
        self.middle_day = days[len(days) // 2] if days else ""


def _share(test: Test, filled: Sequence[str]) -> float:
    return sum(map(test, filled)) / len(filled) if filled else 0.0


def is_data(text: str) -> bool:
    """Whether a text is rather a value than what a column is called."""
    return any(
        TESTS[name](text) for name in ("cin", "npi", "date", "zip", "phone", "email", "id", "tin")
    )
