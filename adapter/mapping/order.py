"""A message's place in time: when what it tells happened, and what breaks a tie of two."""

from __future__ import annotations

import re

from adapter.issues import Issue
from adapter.mapping.times import date_time, utc
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Message

# Events that take another back. Their EVN-6 is when that one occurred (HL7 v2.9 chapter 3.4.1.6):
# what they tell happened when it was recorded.
CANCELS = frozenset(
    ("A11", "A12", "A13", "A25", "A26", "A27", "A32", "A33", "A38", "A52", "A53", "A55", "A62")
)
_VISIT = {"A01": 44, "A03": 45, "A04": 44}  # the field of PV1 that tells when it occurred, too
_DAY = 8  # digits of a date


def place(message: Message, zone: str) -> tuple[str, str]:
    """An instant in UTC and what follows it as text that sorts by time; and when, as FHIR dateTime.

    EVN-6 (occurred), else EVN-2 (recorded), else MSH-7 (sent); ties by EVN-2, MSH-7, MSH-13. A day
    without a time of day gives way to an instant of the same day: when it was recorded, sent, when
    the stay began or ended (PV1-44, PV1-45). With none, a day before that of its recording stands
    for its end. Both are "" when no time is told.
    """
    recorded, occurred = _told(message)
    sent = utc(message.sent, zone) if message.sent else ""
    noted, text = _when(recorded, "", message, zone) if recorded else ("", "")
    first = noted
    if occurred and message.event not in CANCELS:
        happened, told = _when(occurred, recorded, message, zone)
        if happened:
            first, text = happened, told
    if not first:
        first, text = sent, message.sent
    if not first:
        return "", ""
    order = f"{first} {noted or first} {sent} {message.sequence:>15}".rstrip()
    return order, date_time(text, zone)[0]


def believe(outcome: Outcome, latest: str, received: str) -> None:
    """Give a message that is said to be of a time still far ahead another place in time, and tell.

    The first of EVN-6, EVN-2, MSH-7 that is not after `latest`, else when it was `received`: the
    sender's clock is wrong, and all that is true after it would be late.
    """
    unit = outcome.unit
    first, noted, sent, rest = [*unit.as_of.split(" ", 3), "", "", ""][:4]
    best = next((told for told in (first, noted, sent) if told and told <= latest), received)
    wrong = {first: "EVN-6", noted: "EVN-2", sent: "MSH-7"}  # of one time the surest place
    for told, label in wrong.items():
        if told > latest:
            text = "a time far after the message came; it does not count for the order"
            outcome.issues.append(Issue("warning", "time-ahead", text, _place_of(unit, label)))
    places = (best, *(told if told <= latest else best for told in (noted, sent)), rest)
    unit.as_of, outcome.at = " ".join(places).rstrip(), best


def _place_of(unit: Unit, label: str) -> Location:
    """Where a field of MSH or EVN stands."""
    name, lines = label[:3].encode(), re.split(rb"\r\n|\r|\n", unit.raw.lstrip())
    found = next((n for n, text in enumerate(lines) if text.startswith(name)), 0)
    return Location(unit.at.source, unit.at.line + found, label)


def _told(message: Message) -> tuple[str, str]:
    """EVN-2 and EVN-6."""
    for text in message.segments:
        if text.startswith("EVN|"):
            fields = text.split("|", 7)
            return (fields[2] if len(fields) > 2 else ""), (fields[6] if len(fields) > 6 else "")
    return "", ""


def _when(text: str, recorded: str, message: Message, zone: str) -> tuple[str, str]:
    """The instant of a DTM, or of what says it more closely, and the text that says so."""
    if _timed(text):
        return utc(text, zone), text
    for finer in (recorded, message.sent, _visit(message)):
        if _timed(finer) and finer.startswith(text[:_DAY]):
            found = utc(finer, zone)
            if found:
                return found, finer
    day, last = text[:_DAY], recorded or message.sent
    if day.isdigit() and len(day) == _DAY <= len(last) and day < last[:_DAY]:
        return utc(f"{day}235959.999{text[_DAY:]}", zone), text
    return utc(text, zone), text


def _timed(text: str) -> bool:
    """Whether a DTM has a time of day."""
    return text[_DAY : _DAY + 2].isdigit()


def _visit(message: Message) -> str:
    """When the stay began or ended, of a message of that event."""
    field = _VISIT.get(message.event, 0)
    for text in message.segments if field else ():
        if text.startswith("PV1|"):
            return (text.split("|", field + 1) + [""] * field)[field]
    return ""
