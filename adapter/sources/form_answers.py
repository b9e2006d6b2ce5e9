"""One answer of a form as text: of the type that its field asks for, or a BadAnswer."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from adapter.sources.form_layout import Field

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_US = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # R4 string: none of these


class BadAnswer(Exception):
    """An answer that its field does not take; becomes an Issue where the field is known."""

    def __init__(self, detail: str, text: str) -> None:
        super().__init__(detail)
        self.detail, self.text = detail, text


def text_of(field: Field, value: Any) -> str:
    """An answer as the record's text; `""` when nothing is in it. Raises BadAnswer.

    Booleans become true/false, dates (ISO or MM/DD/YYYY) ISO, choices their code; a number is
    not taken for a string, since it has lost its leading zeros.
    """
    if isinstance(value, BadAnswer):
        raise value
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise BadAnswer("flag-format", "expected true or false")
        return "true" if value else "false"
    if not isinstance(value, str):
        raise BadAnswer("value-format", f"expected a {field.type} as JSON string")
    text = value.strip()
    if _CONTROL.search(text) or not _encodable(text):
        raise BadAnswer("value-format", "characters that FHIR does not allow")
    if not text:
        return ""
    if field.type == "date":
        return _date(text)
    return _option(field, text) if field.type == "choice" else text


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _date(text: str) -> str:
    iso, us = _ISO.fullmatch(text), _US.fullmatch(text)
    parts = (iso[1], iso[2], iso[3]) if iso else (us[3], us[1], us[2]) if us else ("0", "0", "0")
    year, month, day = (int(part) for part in parts)
    try:
        if not 1850 <= year <= 2150:
            raise ValueError
        return date(year, month, day).isoformat()
    except ValueError:
        raise BadAnswer("date-format", "expected YYYY-MM-DD or MM/DD/YYYY") from None


def _option(field: Field, text: str) -> str:
    """The code of an option, given as code or as its text in any case."""
    for code, display in field.options.items():
        if text == code or text.casefold() in (code.casefold(), display.casefold()):
            return code
    raise BadAnswer("code-unknown", f"not an option; there are {', '.join(field.options)}")
