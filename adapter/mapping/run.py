"""The working state of one unit while its rules run: drafts of resources, place, issues."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from adapter.constant import Constant, fixed, opened
from adapter.issues import Issue, Severity
from adapter.outcome import Unit
from adapter.record import Entry, Location, Resource, new

STAND_IN = "\x1f"  # for the sub-component separator while a decoded text may hold a `&` of its own
_NAMESPACE = bytes.fromhex("6f1f0b7c5d0e4f0c9b1d7a3c52e8a914")  # ours, made once


class BadValue(Exception):
    """A source value that its converter cannot read; becomes an Issue where the rule is run."""

    def __init__(self, detail: str, text: str, part: int = 0) -> None:
        super().__init__(detail)
        self.detail, self.text, self.part = detail, text, part


def urn(kind: str, *parts: str) -> str:
    """A deterministic `urn:uuid:` (version 5, RFC 4122 4.3) for a resource named by its parts."""
    text = "\x1f".join((kind, *parts)).encode()
    h = hashlib.sha1(_NAMESPACE + text, usedforsecurity=False).hexdigest()
    low, mid, high, variant, clock, node = _PARTS(h)
    return f"urn:uuid:{low}-{mid}-5{high}-{_VARIANT[variant]}{clock}-{node}"


_PARTS = itemgetter(
    slice(8), slice(8, 12), slice(13, 16), slice(16, 17), slice(17, 20), slice(20, 32)
)
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # its two high bits are 10


def restored(value: Any) -> Any:
    """A value with `&` where a part of it held the stand-in for it (see datatypes.components)."""
    if isinstance(value, str):
        return value.replace(STAND_IN, "&")
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


class Link(NamedTuple):
    """A reference still to be written: its top-level element, how, and to which draft (or name)."""

    root: str
    put: Callable[[Any, Any, int], None]
    to: Draft | str


class Draft:
    """A resource being written, with its slots and the places its values came from."""

    __slots__ = (
        "cleared", "identity", "key", "kind", "line", "links", "name", "origins", "parts",
        "profile", "resource", "slots", "urn", "weak",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        name: str,
        key: tuple[str, ...],
        line: int,
        resource: Resource,
        profile: str = "",
    ) -> None:
        self.kind, self.name, self.key, self.line = kind, name, key, line
        self.resource, self.profile = resource, profile
        self.slots: dict[tuple[tuple[str, ...], int], dict[str, Any]] = {}
        self.origins: list[tuple[int, str, str]] = []
        self.cleared: list[str] = []
        self.links: list[Link] = []
        self.urn = ""
        self.weak: tuple[str, ...] = ()
        self.identity: tuple[tuple[str, str], ...] = ()
        self.parts: dict[str, list[str]] = {}

    def slot(
        self, box: dict[str, Any], key: str, name: tuple[str, ...], rep: int
    ) -> dict[str, Any]:
        """The element of a named slot for a repetition, appended to `box[key]` when new."""
        element = self.slots.get((name, rep))
        if element is None:
            element = self.slots[name, rep] = {}
            items = box.get(key)
            if items is None:
                box[key] = [element]
            elif type(items) is list:
                items.append(element)
            else:
                opened(box, key).append(element)
        return element


class Side:
    """A resource that a value names (practitioner, organization, location): named from the start.

    `named`  the resource as it is remembered; None when this unit says something of its own of it
    """

    __slots__ = ("key", "kind", "label", "line", "links", "named", "resource", "urn")

    def __init__(  # noqa: PLR0913  # one for each slot
        self,
        kind: str,
        key: tuple[str, ...],
        line: int,
        label: str,
        resource: Resource,
        urn: str,
        named: Named | None,
    ) -> None:
        self.kind, self.key, self.line, self.label = kind, key, line, label
        self.resource, self.urn, self.named = resource, urn, named
        self.links: list[Link] | tuple[()] = ()

    def opened(self) -> Resource:
        """The resource, to be written to."""
        if self.named is not None or type(self.resource) is Constant:
            self.resource, self.named = dict(self.resource), None
        return self.resource

    def link(self, root: str, put: Callable[[Any, Any, int], None], to: Draft) -> None:
        """Add a reference to a draft that has no name yet."""
        self.opened()
        self.links = [*self.links, Link(root, put, to)]


@dataclass(slots=True, eq=False)
class Named:
    """A resource that many units name, and what finishing makes of it by the line and field.

    Units have these Entries in common: who changes one, changes a copy.
    """

    resource: Resource
    done: dict[tuple[int, str], Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of a sender: whose data it is, its zone, and its default authority.

    `zone`        IANA name; times without an offset are read in it
    `codes`       by field, codes of the sender's own and the code of its table that each means
    `shared`      an authority's name without a system means the same in all its facilities
    `visit`       the field that identifies the stay, when it is not PV1-19
    `never`       segments and fields that it does not send, so that nobody misses them
    `processing`  MSH-11 values that are taken; None: those of the installation
    `unique`      it never uses a message control id (MSH-10) twice
    `silence`     seconds without a message after which something is wrong, 0 for never
    `ahead`       seconds after its arrival beyond which no time of a message is believed
    `switches`    what is left out unless a profile asks for it (mappings/README.md)
    """

    name: str
    source: str
    zone: str
    facility: str = ""
    authorities: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    shared: bool = False
    visit: str = "PV1-19"
    never: frozenset[str] = frozenset()
    processing: frozenset[str] | None = None
    unique: bool = True
    silence: int = 0
    ahead: int = 24 * 60 * 60
    switches: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Groups:
    """What spans the segment groups of one HL7 v2 message.

    `later`   what waits for the end of the group, when all its segments are read
    `closed`  the drafts of the groups that are complete
    `mark`    how many drafts the complete groups made
    `pairs`   (survivor, loser) of each merge that the message asks for
    `moves`   (stay, whose it was) of each stay that goes to another person
    `head`    line and text of the segment that began this group
    `prior`   a MRG of this group was read
    """

    later: list[Callable[[Run], None]] = field(default_factory=list)
    closed: list[dict[str, Draft | None]] = field(default_factory=list)
    mark: int = 0
    pairs: list[tuple[Draft, Draft]] = field(default_factory=list)
    moves: list[tuple[Draft, Draft]] = field(default_factory=list)
    head: tuple[int, str] = (0, "")
    prior: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """One unit on its way: rules read `fields`, write drafts, and report issues at `line label`."""

    unit: Unit
    feed: Feed
    line: int = 0
    label: str = ""
    rep: int = 0
    sub: str = "&"
    fields: list[str] = field(default_factory=list)
    drafts: dict[str, Draft | None] = field(default_factory=dict)
    made: list[Draft] = field(default_factory=list)
    side: dict[str, Side] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    once: set[tuple[str, str]] = field(default_factory=set)
    facts: dict[str, str] = field(default_factory=dict)
    groups: Groups | None = None
    sender: int = 0
    place: str = ""
    # what is told, and what is written, while a text is read that is to be kept
    tape: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = None
    ops: list[Any] | None = None

    def at(self, part: int = 0) -> Location:
        """The place of the value being read; `part` is the component, 0 the whole."""
        label = f"{self.label}[{self.rep + 1}]" if self.rep else self.label
        place = (self.unit.at[0], self.line, f"{label}.{part}" if part else label)
        return new(Location, place)

    def issue(self, severity: Severity, detail: str, text: str, part: int = 0) -> None:
        """Report a finding at the value being read."""
        self.issues.append(new(Issue, (severity, detail, text, self.at(part), None)))
        if self.tape is not None:
            self.tape.append((Run.issue, (severity, detail, text, part)))

    def issue_once(self, detail: str, about: str, text: str) -> None:
        """Report an information once a unit, however often it occurs."""
        if (detail, about) not in self.once:
            self.once.add((detail, about))
            self.issues.append(new(Issue, ("information", detail, text, self.at(), None)))
        if self.tape is not None:
            self.tape.append((Run.issue_once, (detail, about, text)))

    def decode(self, text: str) -> str:
        """A component without its HL7 v2 escape sequences (chapter 2.7), decoded once."""
        return _escapes(self, text) if "\\" in text else text

    def add(self, kind: str, resource: Resource, *key: str, more: Resource | None = None) -> str:
        """Add a resource that a value names (practitioner, organization, location); its urn.

        The same key in one unit is the same resource; the first one stands, and takes `more`.
        """
        if self.sub != "&":
            resource, key, more = restored(resource), tuple(map(restored, key)), restored(more)
        name = urn(kind, *key)
        whole = {**resource, **more} if more else resource
        if self.tape is not None:
            whole, more = fixed(whole), fixed(more)
        self.take(name, kind, key, more, Named(whole))
        return name

    def take(
        self, name: str, kind: str, key: tuple[str, ...], more: Resource | None, named: Named
    ) -> None:
        """Take in a resource by its urn; one that is there already takes `more`."""
        if self.tape is not None:
            self.tape.append((Run.take, (name, kind, key, more, named)))
        known = self.side.get(name)
        if known is None:
            resource = named.resource
            self.side[name] = Side(kind, key, self.line, self.label, resource, name, named)
        elif more:
            _amend(known.opened(), more)

    def opened(self, reference: Resource) -> Resource:
        """The resource of the unit that a value named, to be written to."""
        return self.side[reference["reference"]].opened()


def _amend(resource: Resource, more: Resource) -> None:
    for element, value in more.items():
        if element == "identifier":
            value = [*resource[element], *(one for one in value if one not in resource[element])]
        resource[element] = value


_ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", "P": "#", "H": "", "N": ""}
_FORMAT = re.compile(r"^\.(br|sp|in|ti|fi|nf|ce|sk)([+-]?\d*)$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # no text of FHIR may hold them
_SEQUENCE = re.compile(r"\\([^\\]{1,200})\\")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _escapes(run: Run, text: str) -> str:
    """Delimiters, hexadecimal bytes and formatting commands; anything unknown stays as it is."""

    def one(match: re.Match[str]) -> str:
        body = match[1]
        if body in _ESCAPES:
            return _ESCAPES[body]
        if body[0] == "X" and re.fullmatch(r"([0-9A-Fa-f]{2})+", body[1:]):
            raw = bytes.fromhex(body[1:])
            return _CONTROL.sub(" ", _text(raw))
        if _FORMAT.match(body):
            return "\n" if body.startswith((".br", ".sp", ".ce")) else " "
        run.issue("information", "escape", "an escape sequence that is not known was kept")
        return match[0]

    return _SEQUENCE.sub(one, text)
