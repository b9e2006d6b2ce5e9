"""Messages, member files and forms to FHIR without a store: what the public functions call."""

from __future__ import annotations

from collections.abc import Iterator

from adapter.issues import Issue
from adapter.mapping import message as messages
from adapter.mapping.run import Feed
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Message
from adapter.sources import hl7v2


def adt_units(
    raw: bytes | str, source: str = "message", feed: str = "default"
) -> Iterator[Outcome]:
    """Every message of a file, frame or batch as an Outcome, in order; none is left out."""
    profile = messages.feed(feed)
    waiting: list[Issue] = []
    for found in hl7v2.read(raw, source):
        if isinstance(found, Issue):
            if found.failed:
                at = found.at or Location(source, 1)
                yield Outcome(Unit(at, "adt", profile.source), issues=[found])
            else:
                waiting.append(found)
            continue
        outcome = _convert(found, profile)
        outcome.issues[:0] = waiting
        waiting = []
        yield outcome


def _convert(message: Message, profile: Feed) -> Outcome:
    key = f"{message.application}|{message.facility}|{message.control}"
    unit = Unit(Location(message.source, message.line), "adt", profile.source, key)
    return messages.convert(message, profile, unit)
