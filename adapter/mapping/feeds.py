"""Feed profiles: what is known of each sender of HL7 v2 messages, and which sender is which."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapter import data
from adapter.errors import DataFileError
from adapter.mapping.run import Feed
from adapter.outcome import FEED
from adapter.record import Message

FEED_KEYS = frozenset(
    {
        "source", "confidence", "title", "match", "zone", "facility", "authorities", "namespaces",
        "codes", "visit", "never", "processing", "control", "silence", "ahead", "switches",
    }
)  # fmt: skip
MATCH_KEYS = frozenset({"application", "facility", "port"})
CONTROLS = ("unique", "reused")
NAMESPACES = ("facility", "feed")
PROCESSING = frozenset("PTD")  # HL7 table 0103
SWITCHES = frozenset({"important-persons", "service-episodes", "severity-of-reaction", "ssn"})
DEFAULT = "default"

_CODED = re.compile(r"(?!MSH)[A-Z][A-Z0-9]{2}-\d{1,2}(\.\d{1,2})?")
_FIELD = re.compile(r"(?!MSH)[A-Z][A-Z0-9]{2}-\d{1,2}")
_NEVER = re.compile(r"[A-Z][A-Z0-9]{2}(-\d{1,2})?")
_SYSTEM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


class Match(NamedTuple):
    """One way to know a sender: what it gives must all hold; `""` and 0 hold for any."""

    feed: str
    application: str
    facility: str
    port: int


@cache
def feed(name: str) -> Feed:
    """A feed profile (mappings/hl7v2/feeds/<name>.toml). Raises DataFileError when it is wrong."""
    path = data.path("mappings", "hl7v2", "feeds", f"{name}.toml")
    raw, file = data.toml(path), data.name(path)
    _known(file, "feed", raw, FEED_KEYS)
    _checked(file, raw)
    return Feed(
        name=name,
        source=f"{FEED}{name}",
        zone=raw["zone"],
        facility=raw.get("facility", ""),
        authorities=raw.get("authorities", {}),
        codes=raw.get("codes", {}),
        shared=raw.get("namespaces", "facility") == "feed",
        visit=raw.get("visit", "PV1-19"),
        never=frozenset(raw.get("never", ())),
        processing=frozenset(raw["processing"]) if "processing" in raw else None,
        unique=raw.get("control", "unique") == "unique",
        silence=seconds(raw.get("silence", "PT0S")),
        ahead=seconds(raw.get("ahead", "P1D")),
        switches=frozenset(raw.get("switches", ())),
    )


@cache
def names() -> tuple[str, ...]:
    """Every feed that has a profile."""
    folder = data.path("mappings", "hl7v2", "feeds")
    return tuple(sorted(file.stem for file in folder.glob("*.toml")))


def of_sender(application: str, facility: str, port: int = 0) -> Feed:
    """The profile of a message by MSH-3, MSH-4 and the port it came in on, the closest match first.

    A sender that no profile names is read by the profile `default`.
    """
    return feed(_of_sender(application.strip().upper(), facility.strip().upper(), port))


@cache
def _of_sender(application: str, facility: str, port: int) -> str:
    for one in matches():
        fits = one.port in (0, port) and all(
            not wanted or wanted in (sent, sent.partition("^")[0])
            for wanted, sent in ((one.application, application), (one.facility, facility))
        )
        if fits:
            return one.feed
    return DEFAULT


@cache
def matches() -> tuple[Match, ...]:
    """What every profile says of its senders, the closest first.

    Raises DataFileError when a profile is wrong, or two feeds claim the same sender.
    """
    found: dict[tuple[str, str, int], Match] = {}
    for name in names():
        feed(name)
        path = data.path("mappings", "hl7v2", "feeds", f"{name}.toml")
        for row in data.toml(path).get("match", ()):
            _known(data.name(path), "match", row, MATCH_KEYS)
            application, facility = (row.get(k, "").upper() for k in ("application", "facility"))
            one = Match(name, application, facility, row.get("port", 0))
            other = found.setdefault(one[1:], one)
            if other.feed != name or not any(one[1:]):
                text = f"says the same as feed {other.feed}" if any(one[1:]) else "names nobody"
                raise DataFileError(data.name(path), "match", text)
    return tuple(sorted(found.values(), key=_closeness))


def _closeness(one: Match) -> tuple[int, int, str]:
    """Both of MSH-3 and MSH-4 before one of them before the port alone; then by name."""
    said = bool(one.application) + bool(one.facility)
    return -said, -bool(one.port), one.feed


def facility(message: Message) -> str:
    """Whose numbers a message tells that names no authority: MSH-4, else the program of MSH-3."""
    return message.facility.strip() or message.application.partition("^")[0].strip()


def prepared(segments: Sequence[str], feed: Feed) -> Sequence[str]:
    """The segments of a message as the shipped rules read them: the feed's own ways translated."""
    if feed.codes:
        segments = [_recoded(text, feed.codes) for text in segments]
    return segments if feed.visit == "PV1-19" else _with_visit(segments, feed.visit)


def _with_visit(segments: Sequence[str], visit: str) -> Sequence[str]:
    """The field that identifies the stay, where PV1-19 is read: of PV1 itself, or of its group.

    A group begins with PID: that of a swap or a merge of several people has its own stay.
    """
    name, _, number = visit.partition("-")
    place, groups = int(number), list(accumulate(int(text[:3] == "PID") for text in segments))
    values: dict[int, str] = {}
    for group, text in zip(groups, segments, strict=True):
        if text[:3] == name and not values.get(group):
            values[group] = _field(text, place)
    made = []
    for group, text in zip(groups, segments, strict=True):
        value = ""
        if text[:3] == "PV1":
            value = _field(text, place) if name == "PV1" else values.get(group, "")
        made.append(_put(text, 19, value) if value else text)
    return made


def _recoded(text: str, codes: dict[str, dict[str, str]]) -> str:
    """A segment with the feed's own codes replaced by those of the field's table."""
    for source, meant in codes.items():
        name, _, place = source.partition("-")
        if text[:3] == name:
            number, _, part = place.partition(".")
            value = _field(text, int(number))
            if value:
                reps = [_recode(one, int(part or 1), meant) for one in value.split("~")]
                text = _put(text, int(number), "~".join(reps))
    return text


def _recode(rep: str, part: int, meant: dict[str, str]) -> str:
    """One repetition; what a coded element said itself is kept as its alternate (CWE.4 to 6)."""
    parts = rep.split("^")
    own = parts[part - 1] if part <= len(parts) else ""
    if own not in meant:
        return rep
    if part == 1 and len(parts) > 1 and not any(parts[3:6]):
        first = [*parts[:3], ""][:3]
        return "^".join([meant[own], "", "", *first, *parts[6:]]).rstrip("^")
    parts[part - 1] = meant[own]
    return "^".join(parts)


def _field(text: str, place: int) -> str:
    fields = text.split("|")
    return fields[place] if place < len(fields) else ""


def _put(text: str, place: int, value: str) -> str:
    fields = text.split("|")
    fields += [""] * (place + 1 - len(fields))
    fields[place] = value
    return "|".join(fields)


def seconds(text: str) -> int:
    """An ISO 8601 duration of days, hours, minutes and seconds. Raises ValueError for another."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(part is not None for part in match.groups()):
        raise ValueError("expected a duration like PT2H or P1D")
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _known(file: str, where: str, raw: dict[str, Any], keys: frozenset[str]) -> None:
    for key in raw:
        if key not in keys:
            raise DataFileError(file, f"{where}.{key}", f"unknown key; one of {sorted(keys)}")


def _checked(file: str, raw: dict[str, Any]) -> None:
    """Each value of a profile, so that a mistake is told at start and not by a message."""
    for key, (right, text) in _VALUES.items():
        if (key in raw or key == "zone") and not right(raw.get(key)):
            raise DataFileError(file, key, text)


def _is_zone(value: Any) -> bool:
    try:
        return _is_text(value) and bool(ZoneInfo(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return False


def _is_duration(value: Any) -> bool:
    try:
        return _is_text(value) and seconds(value) >= 0
    except ValueError:
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any, fits: Callable[[str], object] = bool) -> bool:
    return isinstance(value, list) and all(_is_text(one) and fits(one) for one in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_systems(value: Any) -> bool:
    return _is_table(value) and all(map(_SYSTEM.fullmatch, value.values()))


def _are_codes(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _CODED.fullmatch(place) and _is_table(codes) for place, codes in value.items()
    )


def _are_matches(value: Any) -> bool:
    """Tables of texts, and whole numbers for ports; an unknown key is told apart."""
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and all(type(one) is (int if key == "port" else str) for key, one in row.items())
        for row in value
    )


# What each key of a profile may be, and what to say if it is not.
_VALUES: dict[str, tuple[Callable[[Any], object], str]] = {
    "source": (_is_text, "expected a text"),
    "confidence": (_is_text, "expected a text"),
    "title": (_is_text, "expected a text"),
    "facility": (_is_text, "expected a text"),
    "zone": (_is_zone, "not an IANA time zone"),
    "match": (_are_matches, 'expected tables: { application = "..", facility = "..", port = 1 }'),
    "authorities": (_are_systems, "expected a table: authority = system, a URI"),
    "codes": (_are_codes, "by field: [codes.PV1-2]"),
    "visit": (lambda v: _is_text(v) and _FIELD.fullmatch(v), "expected a field like PV1-50"),
    "never": (lambda v: _are_texts(v, _NEVER.fullmatch), "segments, and fields: PID-22"),
    "processing": (lambda v: _are_texts(v, PROCESSING.__contains__), "a list of P, T and D"),
    "control": (lambda v: v in CONTROLS, f"one of {', '.join(CONTROLS)}"),
    "namespaces": (lambda v: v in NAMESPACES, " or ".join(NAMESPACES)),
    "silence": (_is_duration, "expected a duration like PT2H or P1D"),
    "ahead": (_is_duration, "expected a duration like PT2H or P1D"),
    "switches": (lambda v: _are_texts(v, SWITCHES.__contains__), ", ".join(sorted(SWITCHES))),
}
