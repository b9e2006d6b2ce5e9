"""X12 segments as text: delimiters, element cleaning, and the ISA/GS/ST envelope."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

Element = str | tuple[str, ...]
Segment = tuple[Element, ...]

ELEMENT, COMPONENT, REPETITION, TERMINATOR = "*", ":", "^", "~"

_BASIC = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !\"&'()+,-./;?=")
_EXTENDED = _BASIC | set("abcdefghijklmnopqrstuvwxyz%@[]_{}\\|<>#$")
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE"}
    | {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the ISA, GS and ST segments say; the three numbers are ours and never repeat."""

    sender: str
    receiver: str
    sender_qualifier: str
    receiver_qualifier: str
    usage: str
    written: datetime
    interchange: int
    group: int
    transaction: int = 1
    version: str = "005010X222A1"


def clean(text: str, limit: int = 0) -> str:
    """Text in the X12 extended character set, without our delimiters, single-spaced, cut to limit.

    Accents fall off their letters (X12 has no others); what has no letter becomes a space.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    kept = "".join(c if c in _EXTENDED else " " for c in plain if not unicodedata.combining(c))
    joined = " ".join(kept.split())
    return (joined[:limit] if limit else joined).strip()


def number(value: Decimal) -> str:
    """A decimal of X12 type R: no leading plus, no trailing zeros, no trailing point."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def segment(*elements: Element) -> Segment:
    """A segment without trailing empty elements or components: `("NM1", "IL", "1", ...)`."""
    trimmed = [_component(e) if isinstance(e, tuple) else e for e in elements]
    while trimmed and trimmed[-1] in ("", ()):
        trimmed.pop()
    return tuple("" if element == () else element for element in trimmed)


def _component(parts: tuple[str, ...]) -> tuple[str, ...]:
    while parts and not parts[-1]:
        parts = parts[:-1]
    return parts


def text(segments: Iterable[Segment]) -> str:
    """Segments as X12 text, one a line; every element is taken as it is (see `clean`)."""
    return "".join(f"{_line(row)}{TERMINATOR}\n" for row in segments)


def _line(row: Segment) -> str:
    return ELEMENT.join(e if isinstance(e, str) else COMPONENT.join(e) for e in row)


def interchange(envelope: Envelope, body: Sequence[Segment]) -> list[Segment]:
    """The body of one transaction set in its ST/SE, GS/GE and ISA/IEA, counts filled in.

    Counts and numbers: X12.5 and X12.6; SE01 includes ST and SE, IEA02 repeats ISA13.
    """
    transaction = f"{envelope.transaction:04d}"
    return [
        _isa(envelope),
        _gs(envelope),
        ("ST", "837", transaction, envelope.version),
        *body,
        ("SE", str(len(body) + 2), transaction),
        ("GE", "1", str(envelope.group)),
        ("IEA", "1", f"{envelope.interchange:09d}"),
    ]


def _isa(envelope: Envelope) -> Segment:
    blank = " " * 10
    return (
        "ISA", "00", blank, "00", blank,
        envelope.sender_qualifier, f"{envelope.sender:<15.15}",
        envelope.receiver_qualifier, f"{envelope.receiver:<15.15}",
        f"{envelope.written:%y%m%d}", f"{envelope.written:%H%M}",
        REPETITION, "00501", f"{envelope.interchange:09d}", "0", envelope.usage, COMPONENT,
    )  # fmt: skip


def _gs(envelope: Envelope) -> Segment:
    return (
        "GS", "HC", envelope.sender, envelope.receiver,
        f"{envelope.written:%Y%m%d}", f"{envelope.written:%H%M}",
        str(envelope.group), "X", envelope.version,
    )  # fmt: skip
