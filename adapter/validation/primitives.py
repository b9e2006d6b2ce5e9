"""The primitive types of FHIR R4 (datatypes.html): a test for each, and the rule made of it.

A test is given any value, answers truly when it is sound, and may raise TypeError instead of
answering no; where it can be it is a bound method in C, which is what makes the check fast.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

from adapter.validation.faults import Fault, Rule
from adapter.validation.narrative import is_narrative

Test = Callable[[Any], object]

_ZONE = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
_DAY = r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_MONTH = r"\d{4}(?:-(?:0[1-9]|1[0-2]))?"

_LAST = dict.fromkeys(("04", "06", "09", "11"), "30") | {"02": "28"}
_LAST |= {f"{month:02}": "31" for month in (1, 3, 5, 7, 8, 10, 12)}

_date = re.compile(f"{_DAY}|{_MONTH}", re.ASCII).fullmatch
_moment = re.compile(f"{_DAY}T{_TIME}{_ZONE}", re.ASCII).fullmatch
_plain = re.compile(  # a day that is in every month, with or without a time of day
    rf"(?!0000)\d{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])(?:T{_TIME}{_ZONE})?", re.ASCII
).fullmatch
_base64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?").fullmatch
_blank = re.compile(r"\s").search

is_string = re.compile(r"\s*[^\s\x00-\x1f][^\x00-\x08\x0b\x0c\x0e-\x1f]*").fullmatch
is_code = re.compile(r"[^\s]+(?:\s[^\s]+)*").fullmatch
is_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
is_time = re.compile(_TIME, re.ASCII).fullmatch
is_oid = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
is_uuid = re.compile(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").fullmatch


@lru_cache(maxsize=4096)
def is_uri(value: Any) -> bool:
    """Text without white space (R4 asks no more). Systems repeat, so answers are kept."""
    return isinstance(value, str) and value != "" and _blank(value) is None


def is_date(value: Any) -> bool:
    """Year, year and month, or a day that the calendar has."""
    match = _date(value)
    return match is not None and value[:4] != "0000" and _on_calendar(match)


def is_instant(value: Any) -> bool:
    """A moment, at least to the second, with its zone."""
    match = _moment(value)
    return match is not None and value[:4] != "0000" and _on_calendar(match)


def is_date_time(value: Any) -> bool:
    """A date, or a moment."""
    if _plain(value) is not None:
        return True
    return is_date(value) if len(value) < 11 else is_instant(value)


def _on_calendar(match: re.Match[str]) -> bool:
    year, month, day = match.groups()
    if day is None or day < "29":
        return True
    return day <= _LAST[month] or (month == "02" and day == "29" and isleap(int(year)))


def is_boolean(value: Any) -> bool:
    """True or false, never a word for it."""
    return value is True or value is False


def is_integer(value: Any) -> bool:
    """32 bits, signed; true and 1.0 are none."""
    return type(value) is int and -(2**31) <= value < 2**31


def is_unsigned(value: Any) -> bool:
    """0 to 2147483647."""
    return type(value) is int and 0 <= value < 2**31


def is_positive(value: Any) -> bool:
    """1 to 2147483647."""
    return type(value) is int and 0 < value < 2**31


def is_decimal(value: Any) -> bool:
    """A finite number; true is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isinstance(value, int) or isfinite(value)


def is_base64(value: Any) -> bool:
    """Base64 with right padding; white space between is allowed, nothing at all is not."""
    text = value if _blank(value) is None else "".join(value.split())
    return text != "" and _base64(text) is not None


TESTS: dict[str, tuple[Test, str]] = {
    "base64Binary": (is_base64, "base64 text is expected"),
    "boolean": (is_boolean, "true or false is expected"),
    "canonical": (is_uri, "a canonical URL without blanks is expected"),
    "code": (is_code, "a code without outer or double blanks is expected"),
    "date": (is_date, "a date YYYY, YYYY-MM or YYYY-MM-DD that exists is expected"),
    "dateTime": (is_date_time, "a date, or a time to the second with zone, is expected"),
    "decimal": (is_decimal, "a number is expected"),
    "id": (is_id, "an id of 1 to 64 letters, digits, - and . is expected"),
    "instant": (is_instant, "a time to the second with zone is expected"),
    "integer": (is_integer, "a whole number is expected"),
    "markdown": (is_string, "text that is not empty is expected"),
    "oid": (is_oid, "urn:oid: and a dotted number are expected"),
    "positiveInt": (is_positive, "a whole number from 1 is expected"),
    "string": (is_string, "text that is not empty is expected"),
    "time": (is_time, "a time hh:mm:ss is expected"),
    "unsignedInt": (is_unsigned, "a whole number from 0 is expected"),
    "uri": (is_uri, "a URI without blanks is expected"),
    "url": (is_uri, "a URL without blanks is expected"),
    "uuid": (is_uuid, "urn:uuid: and a lower-case UUID are expected"),
    "xhtml": (is_narrative, "txt-1/txt-2: a plain XHTML div with content is expected"),
}


def fault(name: str) -> list[Fault]:
    """What to say when the test of a primitive type says no."""
    return [Fault("", "datatype", f"{TESTS[name][1]} ({name})")]


def rule(test: Test, faults: list[Fault]) -> Rule:
    """A test as a rule."""

    def check(value: Any, _walk: object) -> list[Fault] | None:
        try:
            return None if test(value) else faults
        except TypeError:  # not text at all
            return faults

    return check
