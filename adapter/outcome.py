"""What became of one unit of input: its FHIR entries, its issues, and the transaction Bundle."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from adapter.issues import FAILING, Issue
from adapter.record import Entry, Location

FEED = "feed:"  # how the source of a unit begins that a sender of messages told
BUNDLE = {"resourceType": "Bundle", "type": "transaction"}  # of a unit, without its entries


@dataclass(slots=True)
class Unit:
    """What names a unit: its place, its kind (`mif`, `adt`, ...), its sender and when it was true.

    `source`  who owns the elements it writes: a plan (`plan:sunrise`), a feed (FEED: `feed:mercy`)
    `key`     the sender's own number for it (MSH-10, form id), `""` if none
    `as_of`   ISO instant in UTC that orders units of one source, more text after it breaks ties
    `raw`     the input as it came, for the ledger
    `received` instant it came in, when there is a clock; the same unit may come again later
    `once`    the sender never gives a key twice: other content under it is held for review
    """

    at: Location
    kind: str
    source: str
    key: str = ""
    as_of: str = ""
    raw: bytes = b""
    received: str = ""
    once: bool = False


@dataclass(slots=True)
class Outcome:
    """One unit converted. Refused whole (`ok` false, `bundle` None) when an issue failed it.

    `event`   the trigger event of an HL7 v2 message (MSH-9.2), `""` for any other unit
    `at`      when what it tells happened, as FHIR dateTime with the sender's precision and offset
    `merges`  (urn of the survivor, urn of the loser) of each merge that the unit tells
    `moves`   (urn of the stay, urn of whose it was) of each that goes to another person
    `lists`   (segment, urn of the person, urns of all it names) of each list that the unit tells
              as a whole
    """

    unit: Unit
    entries: list[Entry] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    event: str = ""
    at: str = ""
    merges: tuple[tuple[str, str], ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    lists: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def ok(self) -> bool:
        """True when the unit may be stored."""
        return FAILING.isdisjoint([issue.severity for issue in self.issues])

    @property
    def bundle(self) -> dict[str, Any] | None:
        """A FHIR transaction Bundle, every reference inside it resolvable; None when refused.

        A resource with a business identifier is a conditional update by it; any other a PUT to
        its own deterministic id, so that sending the Bundle again changes nothing.
        """
        if not self.ok or not self.entries:
            return None
        return {**BUNDLE, "entry": [bundle_entry(entry) for entry in self.entries]}


def bundle_entry(entry: Entry) -> dict[str, Any]:
    """An entry of a transaction Bundle."""
    resource, urn = entry.resource, entry.urn
    kind = resource["resourceType"]
    if entry.identity:
        system, value = entry.identity[0]
        plain = value.isalnum() and value.isascii()
        url = f"{kind}?identifier={_asked(system)}|{value if plain else _escaped(value)}"
    else:
        uid = urn.removeprefix("urn:uuid:")
        url = f"{kind}/{uid}"
        resource = {"resourceType": kind, "id": uid, **resource}
    return {"fullUrl": urn, "resource": resource, "request": {"method": "PUT", "url": url}}


_SPECIAL = re.compile(r"[\\,|$]")


def _escaped(text: str) -> str:
    """A text as a value of a search, `\\` before what means more there (R4 search, Escaping)."""
    return quote(_SPECIAL.sub(r"\\\g<0>", text), safe="/:")


@lru_cache(maxsize=4096)
def _asked(system: str) -> str:
    return _escaped(system)
