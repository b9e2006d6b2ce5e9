"""Converters of table cells and form answers: one text in, one FHIR value out."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapter import terms
from adapter.mapping.registry import converter
from adapter.mapping.run import BadValue, Run

_SPACES = re.compile(r"\s+")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_US = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_SERIAL = re.compile(r"(\d{4,5})(\.\d{0,16})?", re.ASCII)
_TIME = re.compile(
    r"(\S+)[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?"
    r"\s*([AaPp])?(?(5)\.?[Mm]\.?)\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_CIN = re.compile(r"(9\d{7}[A-Z])(\d(\d{4})?)?", re.ASCII)
_NPI = re.compile(r"[12]\d{9}", re.ASCII)
_EXTENSION = re.compile(r"[,;]?\s*(?:ext(?:ension)?\.?|x)\s*(\d{1,8})$", re.ASCII | re.IGNORECASE)
_PLAIN_PHONE = re.compile(r"\(?([2-9]\d\d)\)?[ .-]?(\d{3})[ .-]?(\d{4})", re.ASCII)
_ZIP = re.compile(r"(\d{4,5})(?:\s?-?\s?(\d{4}))?", re.ASCII)
_MONEY = re.compile(r"-?\$?\s?(\d{1,9}|\d{1,3}(,\d{3}){1,2})(\.\d{1,4})?", re.ASCII)
_LONGEST = 64  # characters of a date, a number or a telephone number; more is no such thing
_EPOCH_1900 = date(1899, 12, 30)  # Excel's day 0, its false leap day of 1900 allowed for


@converter("text")
def text(run: Run, cell: str) -> str | None:
    """A cell as text, white space folded; None when nothing is left."""
    return " ".join(cell.split()) or None


@converter("id")
def identifier(run: Run, cell: str) -> str | None:
    """An identifier as it stands, outer and inner spaces removed; leading zeros stay."""
    return "".join(cell.split()) or None


@converter("cin")
def cin(run: Run, cell: str) -> str:
    """A Medi-Cal Client Index Number: 9, seven digits, a letter (files.md 8.13, reconstructed).

    Raises BadValue for any other shape.
    """
    value = cin_in(cell) or cin_in("".join(cell.split()).replace("-", ""))
    if value:
        return value
    raise BadValue("identifier-format", "not the shape of a CIN: 9, seven digits, a letter")


def cin_in(text: str) -> str:
    """The CIN that a number of Medi-Cal begins with, in capitals; `""` for one of another shape.

    The number of a card (BIC) has a check digit behind it, and the day of issue in four digits.
    """
    match = _CIN.fullmatch(text) or _CIN.fullmatch(text.upper())
    return match[1] if match is not None else ""


@converter("npi")
def npi(run: Run, cell: str) -> str:
    """A National Provider Identifier, Luhn digit right (45 CFR 162.406). Raises BadValue."""
    value = _SPACES.sub("", cell)
    if not is_npi(value):
        raise BadValue("identifier-format", "not an NPI: ten digits with a Luhn check digit")
    return value


def is_npi(text: str) -> bool:
    """Whether a text has the shape of an NPI and its check digit is right."""
    return _NPI.fullmatch(text) is not None and luhn("80840" + text)


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
        match = pattern.fullmatch(cell)
        if match:
            year, month, day = (int(match[group]) for group in order)
            try:
                return date(year, month, day).isoformat() if 1850 <= year <= 2150 else None
            except ValueError:
                return None
    serial = _SERIAL.fullmatch(cell)
    number = int(serial[1]) if serial else 0
    if 1000 <= number <= 73050 and not 1850 <= number <= 2150:  # a year alone is no day
        return (_EPOCH_1900 + timedelta(days=number)).isoformat()
    return None


@converter("us_date")
def us_date(run: Run, cell: str) -> str:
    """A date of any form that member files carry, as YYYY-MM-DD (files.md 8.10).

    Month first; also ISO, YYYYMMDD, Excel serials, and a date with a time after it. Raises
    BadValue for anything else, also for days that no calendar has and for a year alone.
    """
    cell = _short(cell, "date-format")
    found = _date(cell)
    if found is None:
        match = _TIME.fullmatch(cell)
        found = _date(match[1]) if match else None
    if found is None:
        raise BadValue("date-format", "expected MM/DD/YYYY or YYYY-MM-DD")
    return found


@converter("date_time")
def date_time(run: Run, cell: str) -> str:
    """A date with or without time, as FHIR dateTime; a time without offset is in the feed's zone.

    Raises BadValue when it is neither, or when no zone is known for a time.
    """
    match = _TIME.fullmatch(_short(cell, "date-format"))
    if match is None:
        return us_date(run, cell)
    day, hour, minute, second = _date(match[1]), _hour(match), int(match[3]), int(match[4] or 0)
    if day is None or hour > 23 or minute > 59 or second > 59:
        raise BadValue("date-format", "expected MM/DD/YYYY HH:MM")
    clock = f"{day}T{hour:02}:{minute:02}:{second:02}"
    if not match[6]:
        return clock + offset_of(run, clock)
    offset = match[6].replace(":", "")
    if offset == "Z":
        return clock + offset
    if offset[1:3] > "14" or offset[3:] > "59" or offset[1:] > "1400":
        raise BadValue("date-format", "no such offset from UTC")
    return f"{clock}{offset[:3]}:{offset[3:]}"


def _hour(match: re.Match[str]) -> int:
    """The hour of a time of day, with AM or PM if it has one; 24 when it cannot be."""
    hour = int(match[2])
    if not match[5]:
        return hour
    if not 1 <= hour <= 12:
        return 24
    return hour % 12 + (12 if match[5] in "Pp" else 0)


def _short(cell: str, detail: str) -> str:
    """A cell without outer space. Raises BadValue when it is too long to be what it should."""
    value = cell.strip()
    if len(value) > _LONGEST:
        raise BadValue(detail, f"longer than {_LONGEST} characters")
    return value


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

    A number with a leading + of another country is kept as it stands; words beside a number are
    reported. Raises BadValue unless it has ten digits.
    """
    if plain := _PLAIN_PHONE.fullmatch(cell):
        return f"({plain[1]}) {plain[2]}-{plain[3]}"
    value = _short(cell, "phone-format")
    found = _EXTENSION.search(value)
    body, extension = (value[: found.start()], found[1]) if found else (value, "")
    digits = re.sub(r"[^0-9]", "", body)
    if re.fullmatch(r"\+[02-9][0-9 ().-]{6,24}", body):
        return value
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    if len(digits) != 10 or digits[0] in "01":
        raise BadValue("phone-format", "expected ten digits")
    if re.search(r"[^0-9\s().+/-]", body):
        run.issue("information", "unmapped", "words beside the number are not read")
    tail = f" x{extension}" if extension else ""
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}{tail}"


@converter("email")
def email(run: Run, cell: str) -> str:
    """An e-mail address. Raises BadValue when it cannot be one."""
    value = cell.strip()
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise BadValue("value-format", "not an e-mail address")
    return value


@converter("zip")
def zip_code(run: Run, cell: str) -> str:
    """A ZIP as `95814` or `95814-1234`; a zero lost to a number format is put back.

    Raises BadValue for any other count of digits.
    """
    match = _ZIP.fullmatch(_short(cell, "value-format").removesuffix(".0"))
    if match is None:
        raise BadValue("value-format", "expected a ZIP of five or nine digits")
    return match[1].zfill(5) + (f"-{match[2]}" if match[2] else "")


@converter("integer")
def integer(run: Run, cell: str) -> int:
    """A whole number; `3.0` is 3. Raises BadValue."""
    value = cell.strip().removesuffix(".0")
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise BadValue("number-format", "expected a whole number")
    return int(value)


@converter("money")
def money(run: Run, cell: str) -> Decimal:
    """An amount in dollars as Decimal, `$` and thousands commas allowed. Raises BadValue."""
    value = _short(cell, "number-format")
    if not _MONEY.fullmatch(value):
        raise BadValue("number-format", "expected an amount")
    return Decimal(re.sub(r"[$,\s]", "", value))


@converter("code")
def code(run: Run, cell: str) -> str | None:
    """A code to be looked up in the rule's table: upper-cased, white space folded."""
    return _SPACES.sub(" ", cell).strip().upper() or None
