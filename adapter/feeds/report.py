"""What a sample of a new feed carries, lacks and leaves unread, field by field; never a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from adapter import convert, data
from adapter.issues import Issue
from adapter.mapping import feeds, model
from adapter.mapping.events import events
from adapter.record import Message
from adapter.sources import hl7v2
from adapter.validation import hl7v2_conformance

State = Literal["mapped", "ignored", "unmapped"]
STATES: tuple[State, ...] = ("mapped", "ignored", "unmapped")

_TIMES = frozenset({"dtm", "instant", "time_of_birth", "dr"})
_NO_OFFSET = re.compile(r"\d{10}(\d\d(\d\d(\.\d+)?)?)?")
_EVENT = re.compile(r"[A-Z]\d\d")
_PROCESSING = re.compile(r"[PTD](\^[ART])?")
_VERSION = re.compile(r"2\.\d(\.\d)?")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2}-\d+)(?:\[\d+\])?(\.\d+)?(?:\.\d+)?")
# Read before any rule: delimiters, control id, what it is for, sequence, character set, event.
_READ_FIRST = frozenset(("MSH-2", "MSH-10", "MSH-11", "MSH-13", "MSH-18", "EVN-1"))
_PROBES = 3  # messages on which it is tried out whether anything becomes of a field


class Place(NamedTuple):
    """A field: segment and number, in the order of a message."""

    segment: str
    number: int

    def __str__(self) -> str:
        return f"{self.segment}-{self.number}"


@dataclass(slots=True)
class Use:
    """How a field is used in the sample.

    `carried`    segments in which it has a value; `of` segments of its name
    `idle`       those of them that their message's event does not read
    `no_offset`  times of day without an offset, read in the zone of the feed
    `parts`      components, or the field, of which not all is written
    `issues`     findings by slug
    `probes`     messages to try out on whether anything becomes of it, where no rule says so
    """

    state: State
    carried: int = 0
    idle: int = 0
    no_offset: int = 0
    parts: set[str] = field(default_factory=set)
    issues: Counter[str] = field(default_factory=Counter)
    probes: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """The whole sample.

    `absent`  segments that rules read for the sample's events and no message has
    `lacks`   fields that rules read of its segments and no message carries
    `never`   those of both that the profile says are never sent
    `broken`  fields that are sent though the profile says never
    `reasons` why messages are refused: finding and place
    `control` messages without MSH-10, and those whose MSH-10 came before
    `missing` findings about no field that is carried: finding and place
    """

    feed: str
    messages: int = 0
    refused: int = 0
    events: Counter[str] = field(default_factory=Counter)
    not_taken: Counter[str] = field(default_factory=Counter)
    processing: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    segments: Counter[str] = field(default_factory=Counter)
    uses: dict[Place, Use] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    conformance: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    def of(self, state: State) -> list[Place]:
        """The fields that the sample carries and that are read so, in order."""
        return sorted(place for place, use in self.uses.items() if use.state == state)

    def as_json(self) -> dict[str, Any]:
        """As JSON: counts and names of fields, no value of any message."""
        rows = []
        for place, use in sorted(self.uses.items()):
            row: dict[str, Any] = {"field": str(place), "name": name_of(place), "state": use.state}
            row |= {"carried": use.carried, "of": self.segments[place.segment]}
            row |= {"notRead": use.idle} if use.idle else {}
            row |= {"timesWithoutOffset": use.no_offset} if use.no_offset else {}
            row |= {"unmapped": sorted(use.parts)} if use.parts else {}
            row |= {"issues": dict(use.issues)} if use.issues else {}
            rows.append(row)
        named = (
            "events", "not_taken", "processing", "versions", "control", "reasons", "issues",
            "missing", "conformance",
        )  # fmt: skip
        counts = {name: dict(sorted(getattr(self, name).items())) for name in named}
        lists = {"absent": self.absent, "lacks": self.lacks, "neverSent": self.never}
        lists["neverYetSent"] = sorted(self.broken)
        head = {"feed": self.feed, "messages": self.messages, "refused": self.refused}
        return head | counts | lists | {"fields": rows}


def report(files: Iterable[tuple[str, bytes]], feed: str = "", judged: bool = False) -> Report:
    """Of (name, bytes) of files of messages. `feed` `""`: each by its sender; `judged`: by hl7apy.

    Raises DataFileError for an unknown feed.
    """
    made = Report(feed or "by sender")
    ids: dict[str, bytes] = {}
    nevers: set[frozenset[str]] = set()
    for name, raw in files:
        nevers |= _count(made, hl7v2.read(raw, name), feed, ids)
        for outcome in convert.adt(raw, name, feed):
            made.refused += not outcome.ok
            made.reasons.update({_reason(issue) for issue in outcome.issues if issue.failed})
            _issues(made, outcome.issues)
        if judged:
            for at, rows in hl7v2.texts(raw, name):
                issues = hl7v2_conformance.judge(rows, at)
                made.conformance.update(_finding(issue) for issue in issues)
    _idle(made)
    _try_out(made, feed)
    _lacks(made, frozenset.intersection(*nevers) if nevers else frozenset())
    return made


@cache
def _names() -> dict[str, Any]:
    return data.toml(data.path("mappings", "hl7v2", "names.toml"))


def name_of(place: Place) -> str:
    """What the standard calls a field, `""` where that is not known."""
    return str(_names().get(place.segment, {}).get(str(place.number), ""))


def _reason(issue: Issue) -> str:
    place = issue.at.field if issue.at else ""
    return f"{issue.detail} {place}".strip()


def _idle(made: Report) -> None:
    """A field that no event of the sample reads is not mapped, though rules for it exist."""
    left_out = frozenset[str]().union(*(events()[code].ignored for code in made.events))
    for place, use in made.uses.items():
        if use.state == "mapped" and use.idle == use.carried:
            use.state = "ignored" if place.segment in left_out else "unmapped"


def _try_out(made: Report, feed: str) -> None:
    """A field that no rule names may still be read together with another: see what it changes."""
    for place, use in made.uses.items():
        if any(_becomes(one, None, feed) != _becomes(one, place, feed) for one in use.probes):
            use.state = "mapped"


def _becomes(message: Message, without: Place | None, feed: str) -> str:
    """What a message becomes, or would without a field; ids that follow from its bytes apart."""
    texts = filter(None, message.segments)
    raw = "\r".join(_without(text, without) if without else text for text in texts)
    entries = [entry for one in convert.adt(raw, message.source, feed) for entry in one.entries]
    told = data.dumps([entry.resource for entry in entries]).decode()
    for number, entry in enumerate(entries):
        told = told.replace(entry.urn.removeprefix("urn:uuid:"), str(number))
    return told


def _without(text: str, place: Place) -> str:
    fields = text.split("|")
    number = place.number - (place.segment == "MSH")
    if fields[0] == place.segment and number < len(fields):
        fields[number] = ""
    return "|".join(fields)


def _finding(issue: Issue) -> str:
    place = issue.at.field if issue.at else ""
    return f"{place or 'message'}: {issue.text}"


def _count(
    made: Report, read: Iterable[Message | Issue], feed: str, ids: dict[str, bytes]
) -> set[frozenset[str]]:
    """Count what a file has; what each of its senders says it never sends."""
    nevers = set()
    for found in read:
        if not isinstance(found, Message):
            made.messages += found.failed
            continue
        made.messages += 1
        _control(made, found, ids)
        event = events().get(found.event)
        known = event is not None and not event.refuse
        (made.events if known else made.not_taken)[_named(_EVENT, found.event)] += 1
        made.processing[_named(_PROCESSING, found.processing)] += 1
        made.versions[_named(_VERSION, found.version)] += 1
        profile = feeds.feed(feed) if feed else feeds.of_sender(found.application, found.facility)
        nevers.add(profile.never)
        for text in filter(None, found.segments):
            idle = known and event is not None and text[:3] not in event.segments
            _segment(made, text, found, profile.never, idle)
    return nevers


def _control(made: Report, message: Message, ids: dict[str, bytes]) -> None:
    """How MSH-10 is used: other content under one that came before waits for a person."""
    if not message.control:
        made.control["absent"] += 1
        return
    key = f"{message.application}|{message.facility}|{message.control}"
    digest = sha256(message.raw).digest()
    if key in ids:
        same = ids[key] == digest
        made.control["same message again" if same else "again with other content"] += 1
    ids.setdefault(key, digest)


def _named(shape: re.Pattern[str], text: str) -> str:
    """A code of the header, if it is one: anything else is a value, and not told."""
    return text if shape.fullmatch(text) else "other" if text else "none"


def _segment(made: Report, text: str, message: Message, never: frozenset[str], idle: bool) -> None:
    name, *fields = text.split("|")
    made.segments[name] += 1
    first = 2 if name == "MSH" else 1
    for number, value in enumerate(fields, first):
        if value:
            place = Place(name, number)
            use = made.uses.setdefault(place, Use(_state(place)))
            use.carried += 1
            use.idle += idle
            if name in never or str(place) in never:
                made.broken[str(place)] += 1
            if use.state != "mapped" and len(use.probes) < _PROBES and message not in use.probes:
                use.probes.append(message)
            if place in _rules().times:
                parts = (part for one in value.split("~") for part in one.split("^"))
                use.no_offset += any(map(_NO_OFFSET.fullmatch, parts))


def _issues(made: Report, issues: Iterable[Issue]) -> None:
    for issue in issues:
        if issue.severity != "information":
            made.issues[issue.detail] += 1
        match = _PLACE.fullmatch(issue.at.field) if issue.at else None
        segment, _, number = match[1].partition("-") if match else ("", "", "0")
        use = made.uses.get(Place(segment, int(number)))
        if match and use and issue.detail == "unmapped":
            use.parts.add(match[1] + (match[2] or ""))
        elif issue.severity != "information":
            told, name = (made.missing, _reason(issue)) if use is None else (use.issues, "")
            told[name or issue.detail] += 1


def _lacks(made: Report, never: frozenset[str]) -> None:
    """What is read but never carried; apart, what no sender of the sample ever sends."""
    for place in sorted(_read_by(made.events) - made.uses.keys()):
        name = str(place) if made.segments[place.segment] else place.segment
        if {place.segment, str(place)} & never:
            made.never.append(name)
        elif name == place.segment:
            made.absent.append(name)
        else:
            made.lacks.append(name)
    made.absent, made.never = _once(made.absent), _once(made.never)


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _read_by(sent: Iterable[str]) -> set[Place]:
    known = events()
    segments = {name for event in sent for name in known[event].segments}
    return {place for place in _rules().read if place.segment in segments}


class _Rules(NamedTuple):
    read: frozenset[Place]
    ignored: frozenset[Place]
    times: frozenset[Place]


def _state(place: Place) -> State:
    rules = _rules()
    if str(place) in _READ_FIRST:
        return "mapped"
    return "mapped" if place in rules.read else "ignored" if place in rules.ignored else "unmapped"


@cache
def _rules() -> _Rules:
    """What the shipped segment mappings read, leave out on purpose, and read as a time."""
    read, times, ignored = set(), set(), set()
    for file in sorted(data.path("mappings", "hl7v2", "segments").glob("*.toml")):
        found = model.load(file)
        ignored |= set(_places(found.ignore))
        for rule in (rule for item in found.maps for rule in item.rules if rule.source):
            places = set(_places([rule.source]))
            read |= places
            times |= places if rule.convert in _TIMES else set()
    return _Rules(frozenset(read), frozenset(ignored), frozenset(times))


def _places(sources: Iterable[str]) -> Iterator[Place]:
    for source in sources:
        match = _PLACE.fullmatch(source)
        if match is not None:
            segment, _, number = match[1].partition("-")
            yield Place(segment, int(number))
