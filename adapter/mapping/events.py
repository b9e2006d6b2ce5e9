"""Trigger events: one short file each says what a message carries and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from adapter import data
from adapter.errors import DataFileError
from adapter.mapping.fields import segment
from adapter.mapping.heading import Heading
from adapter.mapping.merges import MEANINGS, Meaning
from adapter.mapping.paths import Target, target
from adapter.mapping.routes import ROUTES, Routed
from adapter.mapping.run import Run

EVENT_KEYS = frozenset(
    {
        "source", "confidence", "like", "event", "title", "refuse", "needs", "wants", "segments",
        "ignore", "group", "set", "weak", "occurred", "clear", "means",
    }
)  # fmt: skip


class SegmentRules(Protocol):
    """What is done with a segment: its compiled map, or one of several by what it says."""

    def apply(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        """Run the rules of one segment."""


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger event: what it must and should carry, and what it says by itself."""

    code: str
    title: str
    refuse: str
    needs: tuple[str, ...]
    wants: tuple[str, ...]
    wanted: frozenset[str]
    segments: Mapping[str, SegmentRules]
    ignored: frozenset[str]
    group: str
    single: tuple[str, ...]
    sets: tuple[tuple[str, str, Any], ...]
    weak: Mapping[str, tuple[str, ...]]
    occurred: tuple[tuple[str, Target], ...]
    clears: tuple[tuple[str, Target], ...]
    means: tuple[Meaning, ...]


@cache
def events() -> dict[str, Event]:
    """All trigger events, by MSH-9.2. Raises DataFileError when one of the files is wrong."""
    folder = data.path("mappings", "hl7v2", "events")
    found = [_event(path.stem) for path in sorted(folder.glob("*.toml"))]
    return {event.code: event for event in found}


@cache
def _raw(stem: str) -> dict[str, Any]:
    """An event's file with what it takes over by `like`."""
    path = data.path("mappings", "hl7v2", "events", f"{stem}.toml")
    raw = data.toml(path)
    for key in raw:
        if key not in EVENT_KEYS:
            raise DataFileError(data.name(path), key, f"unknown key; one of {sorted(EVENT_KEYS)}")
    like = raw.pop("like", None)
    return {**_raw(like), **raw} if like else raw


def _event(stem: str) -> Event:
    raw = _raw(stem)
    weak: dict[str, tuple[str, ...]] = {}
    for name, element in map(_split, raw.get("weak", ())):
        weak[name] = (*weak.get(name, ()), element)
    return Event(
        code=raw["event"],
        title=raw["title"],
        refuse=raw.get("refuse", ""),
        needs=tuple(raw.get("needs", ())),
        wants=tuple(raw.get("wants", ())),
        wanted=frozenset((*raw.get("needs", ()), *raw.get("wants", ()))),
        segments={name[:3]: _rules(name) for name in raw.get("segments", ())},
        ignored=frozenset(raw.get("ignore", ())),
        group=raw.get("group", ""),
        single=_single(raw),
        sets=tuple((*_split(path), value) for path, value in raw.get("set", {}).items()),
        weak=weak,
        occurred=_targets(raw.get("occurred", ())),
        clears=_targets(raw.get("clear", ())),
        means=tuple(_meaning(stem, name) for name in raw.get("means", ())),
    )


def _single(raw: dict[str, Any]) -> tuple[str, ...]:
    """Segments that may come once: without groups a second one is of someone or something else."""
    group = raw.get("group", "")
    once = {"": ("PID", "PV1"), "MRG": ("PID",)}.get(group, ())
    return tuple(name for name in once if name in raw.get("segments", ()))


def _split(path: str) -> tuple[str, str]:
    """`Encounter.period.end` as map and path."""
    name, _, element = path.partition(".")
    return name, element


def _targets(paths: Sequence[str]) -> tuple[tuple[str, Target], ...]:
    return tuple((name, target(path)) for name, path in map(_split, paths))


def _rules(name: str) -> SegmentRules:
    """The rules of a segment, or of one of its forms (`MRG_ACCOUNT`)."""
    route = ROUTES.get(name)
    if name == "MSH":
        return _heading()
    if route is None:
        return segment(name)
    return Routed(route.choose, {form: segment(form) for form in route.forms})


@cache
def _heading() -> Heading:
    return Heading(segment("MSH"))


def _meaning(stem: str, name: str) -> Meaning:
    if name not in MEANINGS:
        raise DataFileError(stem, f"means {name}", f"one of {sorted(MEANINGS)}")
    return MEANINGS[name]
