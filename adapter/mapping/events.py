"""Trigger events: one short file each says what a message carries and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapter import data
from adapter.errors import DataFileError
from adapter.mapping.fields import segment
from adapter.mapping.records import Compiled

EVENT_KEYS = frozenset(
    {"source", "confidence", "like", "event", "title", "needs", "wants", "segments", "set", "weak"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger event: what it must and should carry, and what it says by itself."""

    code: str
    title: str
    needs: tuple[str, ...]
    wants: tuple[str, ...]
    segments: Mapping[str, Compiled]
    sets: tuple[tuple[str, str, str], ...]
    weak: Mapping[str, tuple[str, ...]]


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
    sets = []
    for path, value in raw.get("set", {}).items():
        name, element = path.split(".", 1)
        sets.append((name, element, value))
    weak: dict[str, tuple[str, ...]] = {}
    for path in raw.get("weak", ()):
        name, element = path.split(".", 1)
        weak[name] = (*weak.get(name, ()), element)
    return Event(
        code=raw["event"],
        title=raw["title"],
        needs=tuple(raw.get("needs", ())),
        wants=tuple(raw.get("wants", ())),
        segments={name: segment(name) for name in raw["segments"]},
        sets=tuple(sets),
        weak=weak,
    )
