"""A message's place in time: when what it tells happened, and what breaks a tie of two."""

from __future__ import annotations

from adapter.mapping.times import utc
from adapter.record import Message

# Events that take another back. Their EVN-6 is when that one occurred (HL7 v2.9 chapter 3.4.1.6):
# what they tell happened when it was recorded.
CANCELS = frozenset(
    ("A11", "A12", "A13", "A25", "A26", "A27", "A32", "A33", "A38", "A52", "A53", "A55", "A62")
)
_DAY = 8  # digits of a date


def place(message: Message, zone: str) -> str:
    """An instant in UTC and what follows it as text that sorts by time, "" when no time is told.

    EVN-6 (occurred), else EVN-2 (recorded), else MSH-7 (sent); ties by EVN-2, MSH-7, MSH-13. A day
    without a time of day gives way to the instant of the same day when it was recorded.
    """
    recorded, occurred = _told(message)
    sent = utc(message.sent, zone) if message.sent else ""
    noted = utc(recorded, zone) if recorded else ""
    first = noted
    if occurred and message.event not in CANCELS and not _vaguer(occurred, recorded):
        first = utc(occurred, zone) or noted
    first = first or sent
    return f"{first} {noted or first} {sent} {message.sequence:>15}".rstrip() if first else ""


def _told(message: Message) -> tuple[str, str]:
    """EVN-2 and EVN-6."""
    for text in message.segments:
        if text.startswith("EVN|"):
            fields = text.split("|", 7)
            return (fields[2] if len(fields) > 2 else ""), (fields[6] if len(fields) > 6 else "")
    return "", ""


def _vaguer(occurred: str, recorded: str) -> bool:
    """Whether the first is only the day of the second."""
    return len(occurred) == _DAY < len(recorded) and recorded.startswith(occurred)
