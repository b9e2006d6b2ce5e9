"""Values that know their place in the source, and what one unit of input became."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

Resource = dict[str, Any]
new = tuple.__new__  # what a NamedTuple's own constructor comes to, for what is made most


class Location(NamedTuple):
    """A place in a source: file or feed name, 1-based line (HL7 v2: segment), field label.

    Field labels read as the source's own people write them: a column header, or `PID-3[2].4`.
    """

    source: str
    line: int
    field: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" + (f" {self.field}" if self.field else "")


def shown(file: Path) -> str:
    """A file's name as places and people have it; bytes that are no UTF-8 are replaced."""
    return file.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Value(NamedTuple):
    """One text of the source and where it stands; `""` is absent."""

    text: str
    at: Location


@dataclass(frozen=True, slots=True)
class Record:
    """One line of input: raw field texts by position (`""` = absent) with the label of each.

    HL7 v2: one segment, `fields[3]` is field 3. Tables: one row, `fields[0]` is the first column.
    """

    source: str
    line: int
    name: str
    fields: Sequence[str]
    labels: Sequence[str] = ()

    def value(self, index: int) -> Value:
        """The value at a position; absent (`""`) beyond the end."""
        text = self.fields[index] if index < len(self.fields) else ""
        return Value(text, Location(self.source, self.line, self.label(index)))

    def label(self, index: int) -> str:
        """What people call the field: its column header, or `PID-3`."""
        return self.labels[index] if index < len(self.labels) else f"{self.name}-{index}"


class Origin(NamedTuple):
    """Which element of a resource a source value was written to: (`name`, 3, `PID-5`)."""

    element: str
    line: int
    field: str


_NO_PARTS: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(slots=True, init=False)
class Entry:
    """One FHIR resource of a unit, how the store finds it again, and where its values came from.

    `urn`       deterministic `urn:uuid:...`; references inside the unit use it
    `identity`  (system, value) business identifiers that name the same thing everywhere
    `key`       parts that name the resource when it has no business identifier; a part may be an
                `urn` of another entry and is replaced by that entry's stored id
    `told`      one (line, element, field label) per source value written; of no element: of all
    `cleared`   top-level elements that the source asks to delete (HL7 v2 `""`)
    `weak`      top-level elements that only fill a gap and never replace what is stored
    `parts`     top-level elements told piece by piece: of each list item the name of its piece,
                `home.` if each element of the item is one; `.` for an object. What is not said of
                a piece changes nothing; `cleared` names a piece as `address/home.city`
    """

    resource: Resource
    urn: str
    identity: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    told: Sequence[tuple[int, str, str]]
    cleared: tuple[str, ...]
    weak: tuple[str, ...]
    parts: Mapping[str, Sequence[str]]

    def __init__(  # noqa: PLR0913  # one for each field; a dataclass's own stays slow when compiled
        self,
        resource: Resource,
        urn: str,
        identity: tuple[tuple[str, str], ...] = (),
        key: tuple[str, ...] = (),
        told: Sequence[tuple[int, str, str]] = (),
        cleared: tuple[str, ...] = (),
        weak: tuple[str, ...] = (),
        parts: Mapping[str, Sequence[str]] = _NO_PARTS,
    ) -> None:
        self.resource, self.urn, self.identity, self.key = resource, urn, identity, key
        self.told, self.cleared, self.weak, self.parts = told, cleared, weak, parts

    @property
    def origins(self) -> list[Origin]:
        """Where its elements came from, one row per source value written."""
        every = [name for name in self.resource if name != "resourceType"]
        return [
            new(Origin, (name, line, label))
            for line, element, label in self.told
            for name in ([element] if element else every)
        ]


def piece(element: str, item: Any) -> str:
    """The name under which a list's item is told again, `""` for one that is told with its list.

    What a message says of one telephone, extension or doctor leaves the others be. Names hold
    letters, digits and hyphens only.
    """
    name = _PIECES.get(element)
    return name(item) if name is not None else ""


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", name)


def _type(item: Any) -> str:
    """The first code of an Identifier's type, or of a list of types."""
    kind = item.get("type") or {}
    first = (kind[0] if kind else {}) if isinstance(kind, list) else kind
    return str((first.get("coding") or [{}])[0].get("code", ""))


def _number(item: Any) -> str:
    """The name of an Identifier; most numbers are plain already."""
    value = str(item.get("value", ""))
    start = _plain(f"{_type(item)}-{item.get('system', '')}-")
    return start + (value if value.isascii() and value.isalnum() else _plain(value))


_PIECES: dict[str, Callable[[Any], str]] = {
    "diagnosis": lambda item: _plain(str(item.get("condition", {}).get("reference", ""))),
    "extension": lambda item: _plain(str(item.get("url", "")).rpartition("/")[2]),
    "generalPractitioner": lambda item: _plain(str(item.get("reference", "")).partition("/")[0]),
    "identifier": _number,
    "link": lambda item: _plain(
        f"{item.get('type', '')}-{item.get('other', {}).get('reference', '')}"
    ),
    "participant": lambda item: _plain(_type(item)),
}
PIECEWISE = frozenset(_PIECES)  # the lists whose items have such names
BY_FIELD = frozenset(("address", "name", "telecom"))  # of a message: items named by their fields


def by_field(fields: Sequence[str], count: int) -> list[str]:
    """The names of a list's items by the field that told each, in order; none if no field did."""
    every = [*fields, *[name for name in fields[-1:] for _ in range(count)]]
    return [_plain(name) for name in every[:count]]


def died(patient: Resource) -> bool:
    """Whether a Patient is known to have died (HL7 v2 PID-29, PID-30)."""
    return bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime"))


class Movement(NamedTuple):
    """What one message says of a stay (Encounter), as the stay's state machine reads it.

    `order`    its place in time: instant with what breaks ties, then the hash of the message
    `event`    HL7 v2 trigger event (MSH-9.2), `A01`
    `at`       when it happened, as FHIR dateTime with the sender's offset, `""` if nobody says
    `says`     the elements it writes that follow from the events before it too
    `weak`     those of `says` that only fill a gap
    `cleared`  paths that it asks to delete: `period.end`
    `places`   of each `location` of `says` the field it came from: `PV1-3`
    """

    order: tuple[str, str]
    event: str
    at: str
    says: Resource
    weak: Sequence[str] = ()
    cleared: Sequence[str] = ()
    places: Sequence[str] = ()


class Message(NamedTuple):
    """One HL7 v2 message as read: its segments with the standard delimiters, and what MSH says.

    `line` is the 1-based line of MSH in its source. Delimiters other than `|^~\\&` are translated
    on reading, so `segments` can be split without looking them up.
    """

    source: str
    line: int
    segments: tuple[str, ...]
    event: str
    application: str
    facility: str
    control: str
    sent: str
    processing: str = ""
    version: str = ""
    sequence: str = ""
    raw: bytes = b""
