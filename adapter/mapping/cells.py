"""Converters of table cells and form answers: one text in, one FHIR value out."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapter import terms
from adapter.mapping.registry import converter
from adapter.mapping.run import BadValue, Run

_SPACES = re.compile(r"\s+")
_ISO = re.compile(r"^(\d{4})-(\d{1,2})-(\d{1,2})$")
_US = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_SERIAL = re.compile(r"^\d{4,5}(\.0+)?$")
_TIME = re.compile(
    r"^(.+?)[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?"
    r"\s*([AaPp][Mm])?\s*(Z|[+-]\d{2}:?\d{2})?$"
)
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_EPOCH_1900 = date(1899, 12, 30)  # Excel's day 0, its false leap day of 1900 allowed for


@converter("text")
def text(run: Run, cell: str) -> str | None:
    """A cell as text, white space folded; None when nothing is left."""
    return _SPACES.sub(" ", cell).strip() or None


@converter("id")
def identifier(run: Run, cell: str) -> str | None:
    """An identifier as it stands, outer and inner spaces removed; leading zeros stay."""
    return _SPACES.sub("", cell) or None


@converter("cin")
def cin(run: Run, cell: str) -> str:
    """A Medi-Cal Client Index Number: 9, seven digits, a letter (files.md 8.13, reconstructed).

    A longer BIC number begins with it. Raises BadValue for any other shape.
    """
    value = _SPACES.sub("", cell).upper().replace("-", "")
    if re.match(r"^9\d{7}[A-Z](\d{5})?$", value):
        return value[:9]
    raise BadValue("identifier-format", "not the shape of a CIN: 9, seven digits, a letter")


@converter("npi")
def npi(run: Run, cell: str) -> str:
    """A National Provider Identifier, Luhn digit right (45 CFR 162.406). Raises BadValue."""
    value = _SPACES.sub("", cell)
    if not re.match(r"^[12]\d{9}$", value) or not luhn("80840" + value):
        raise BadValue("identifier-format", "not an NPI: ten digits with a Luhn check digit")
    return value


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the ones before (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@lru_cache(maxsize=65536)
def _date(cell: str) -> str | None:
    for pattern, order in ((_US, (3, 1, 2)), (_ISO, (1, 2, 3)), (_COMPACT, (1, 2, 3))):
        match = pattern.match(cell)
        if match:
            year, month, day = (int(match[group]) for group in order)
            try:
                return date(year, month, day).isoformat() if 1850 <= year <= 2150 else None
            except ValueError:
                return None
    if _SERIAL.match(cell):
        day_number = int(float(cell))
        if 2 <= day_number <= 73050:
            return (_EPOCH_1900 + timedelta(days=day_number)).isoformat()
    return None


@converter("us_date")
def us_date(run: Run, cell: str) -> str:
    """A date of any form that member files carry, as YYYY-MM-DD (files.md 8.10).

    Month first; also ISO, YYYYMMDD, Excel serials, and a date with a time after it.
    Raises BadValue for anything else, also for days that no calendar has.
    """
    cell = cell.strip()
    found = _date(cell)
    if found is None:
        match = _TIME.match(cell)
        found = _date(match[1].strip()) if match else None
    if found is None:
        raise BadValue("date-format", "expected MM/DD/YYYY or YYYY-MM-DD")
    return found


@converter("date_time")
def date_time(run: Run, cell: str) -> str:
    """A date with or without time, as FHIR dateTime; a time without offset is in the feed's zone.

    Raises BadValue when it is neither, or when no zone is known for a time.
    """
    match = _TIME.match(cell.strip())
    if match is None:
        return us_date(run, cell)
    day = _date(match[1].strip())
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    if match[5]:
        hour = hour % 12 + (12 if match[5].lower() == "pm" else 0)
    if day is None or hour > 23 or minute > 59 or second > 59:
        raise BadValue("date-format", "expected MM/DD/YYYY HH:MM")
    clock = f"{day}T{hour:02}:{minute:02}:{second:02}"
    if match[6]:
        offset = (
            match[6] if match[6] == "Z" or ":" in match[6] else match[6][:3] + ":" + match[6][3:]
        )
        return clock + offset
    return clock + offset_of(run, clock)


def offset_of(run: Run, clock: str) -> str:
    """The offset `-08:00` of a local time in the feed's zone. Raises BadValue without a zone."""
    if not run.feed.zone:
        raise BadValue("date-format", "a time without offset, and no zone is set")
    text = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(run.feed.zone)).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


@converter("flag")
def flag(run: Run, cell: str) -> bool | None:
    """Yes/No, Y/N, 1/0 as a boolean (terminology table member-flag). Raises BadValue."""
    target = terms.table("member-flag").get(cell.strip().upper())
    if target is None:
        raise BadValue("flag-format", "not a yes or no of table member-flag")
    return {"true": True, "false": False}.get(target.code)


@converter("phone")
def phone(run: Run, cell: str) -> str:
    """A North American number as `(916) 555-0100`, with ` x12` if it has an extension.

    A number with a leading + is kept as it stands. Raises BadValue below ten digits.
    """
    body, _, extension = re.sub(r"(?i)\s*(?:ext\.?|x)\s*(\d+)\s*$", r"|\1", cell.strip()).partition(
        "|"
    )
    digits = re.sub(r"\D", "", body)
    if body.startswith("+") and not digits.startswith("1"):
        return body
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    if len(digits) != 10 or digits[0] in "01":
        raise BadValue("phone-format", "expected ten digits")
    tail = f" x{extension}" if extension else ""
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}{tail}"


@converter("email")
def email(run: Run, cell: str) -> str:
    """An e-mail address. Raises BadValue when it cannot be one."""
    value = cell.strip()
    if not _EMAIL.match(value):
        raise BadValue("value-format", "not an e-mail address")
    return value


@converter("zip")
def zip_code(run: Run, cell: str) -> str:
    """A ZIP as `95814` or `95814-1234`; a zero lost to a number format is put back.

    Raises BadValue for any other count of digits.
    """
    digits = re.sub(r"[\s-]", "", cell.removesuffix(".0"))
    if not digits.isdigit() or len(digits) not in (4, 5, 8, 9):
        raise BadValue("value-format", "expected a ZIP of five or nine digits")
    digits = digits.zfill(5 if len(digits) < 6 else 9)
    return digits if len(digits) == 5 else f"{digits[:5]}-{digits[5:]}"


@converter("integer")
def integer(run: Run, cell: str) -> int:
    """A whole number; `3.0` is 3. Raises BadValue."""
    value = cell.strip().removesuffix(".0")
    if not re.match(r"^-?\d{1,9}$", value):
        raise BadValue("number-format", "expected a whole number")
    return int(value)


@converter("money")
def money(run: Run, cell: str) -> Decimal:
    """An amount in dollars as Decimal, `$` and thousands commas allowed. Raises BadValue."""
    try:
        return Decimal(cell.strip().replace("$", "").replace(",", ""))
    except InvalidOperation:
        raise BadValue("number-format", "expected an amount") from None


@converter("code")
def code(run: Run, cell: str) -> str | None:
    """A code to be looked up in the rule's table: upper-cased, white space folded."""
    return _SPACES.sub(" ", cell).strip().upper() or None
