"""HL7 v2 messages of invented people, converted as a feed's are, for tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from adapter import convert
from adapter.outcome import Outcome
from adapter.record import Resource

FEED = "default"
NOW = "2026-07-20T08:00:00Z"
_PV1 = {"cls": 2, "here": 3, "came": 6, "doctor": 7, "temp": 11, "source": 14, "visit": 19,
        "left": 36, "goes": 37, "next": 42, "start": 44, "end": 45}  # fmt: skip


def at(hour: int) -> str:
    """An hour of an invented day, as the sender writes it."""
    return f"202607{5 + hour // 24:02d}{hour % 24:02d}0000"


def pid(
    mrn: str = "M1", name: str = "QUILLFEATHER^ODETTE", born: str = "19800517", **more: str
) -> str:
    """A PID segment; `more` by field number: `f13="..."`."""
    fields = {3: f"{mrn}^^^MERCY^MR", 5: name, 7: born, 8: "F"}
    fields |= {int(key[1:]): text for key, text in more.items()}
    return _segment("PID", {1: "1", **fields})


def pv1(**says: Any) -> str:
    """A PV1 segment: class, place, visit and the rest by name; hours as numbers."""
    given = {"cls": "I", "visit": "V1", **says}
    fields = {
        _PV1[name]: at(value) if isinstance(value, int) else value for name, value in given.items()
    }
    fields[19] = f"{given['visit']}^^^MERCY^VN"
    return _segment("PV1", {1: "1", **fields})


def message(
    event: str, hour: int, *segments: str, control: str = "", occurred: int | None = None
) -> bytes:
    """A message that was recorded and sent at an hour; `occurred` gives EVN-6."""
    key = control or f"{event}-{hour}-{crc32(repr(segments).encode())}"
    head = ["MSH|^~\\&|ADT|MERCY|ECM|HARBOR", at(hour), "", f"ADT^{event}", key, "P", "2.5.1"]
    evn = _segment("EVN", {1: event, 2: at(hour), 6: at(occurred) if occurred is not None else ""})
    return "\r".join(["|".join(head), evn, *segments, ""]).encode()


def stay(event: str, hour: int, occurred: int | None = None, **says: Any) -> bytes:
    """A message of the one invented stay of the one invented person."""
    return message(event, hour, pid(), pv1(**says), occurred=occurred)


def converted(*messages: bytes, feed: str = FEED) -> list[tuple[Outcome, bytes]]:
    """Messages as the pipeline hands them to the store."""
    found = [(one, raw) for raw in messages for one in convert.adt(raw, "feed.hl7", feed)]
    assert all(one.ok for one, _ in found), [one.issues for one, _ in found if not one.ok]
    return found


def contents(store: Any, *kinds: str) -> dict[str, list[Resource]]:
    """What is stored, without versions and instants, which depend on arrival."""
    return {kind: [_bare(one) for one in store.each(kind)] for kind in kinds}


def the(store: Any, kind: str) -> Resource:
    """The one resource of a type."""
    (found,) = store.each(kind)
    return _bare(found)


def _bare(resource: Resource) -> Resource:
    meta = {
        name: value
        for name, value in resource.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


def _segment(name: str, fields: dict[int, str]) -> str:
    width = max(fields, default=0)
    return "|".join([name, *(fields.get(place, "") for place in range(1, width + 1))])


def texts(rows: Sequence[Resource], *path: str) -> list[Any]:
    """What stands at a path of each row."""
    found: list[Any] = list(rows)
    for name in path:
        found = [row[name] for row in found]
    return found
