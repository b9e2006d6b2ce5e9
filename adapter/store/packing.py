"""How what a source says is kept in one text: stamps once, then slot, value and origins.

And how texts are kept: SQLite has no compression of its own, PostgreSQL has (TOAST).
"""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import NamedTuple

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

from adapter import data
from adapter.record import Origin, Resource
from adapter.store.fold import recorded
from adapter.store.registers import Contribution, Register, Stamp
from adapter.store.said import Saying


def pack(said: Contribution) -> bytes:
    """A contribution as JSON."""
    stamps: dict[Stamp, int] = {}
    packed = {
        name: [
            stamps.setdefault(register.stamp, len(stamps)),
            register.value,
            [tuple(origin) for origin in register.origins],
        ]
        for name, register in said.items()
    }
    return data.dumps({"stamps": [tuple(stamp) for stamp in stamps], "slots": packed})


def pack_alone(saying: Saying, stamp: Stamp) -> str:
    """A contribution of one saying, all as of one time; its slots are written once."""
    if not saying.text:
        slots = {
            name: [0, register.value, [tuple(origin) for origin in register.origins]]
            for name, register in saying.registers.items()
        }
        saying.text = data.dumps(slots).decode()
    stamps = data.dumps([tuple(stamp)]).decode()
    return f'{{"stamps":{stamps},"slots":{saying.text}}}'


def pack_record(stamp: Stamp) -> str:
    """The contribution of a record (said.RECORD): all of it is the first version."""
    return data.dumps({"stamps": [tuple(stamp)], "version": 1}).decode()


def unpack(kept: str | bytes, version: Callable[[int], Resource]) -> Contribution:
    """The contribution that `pack`, `pack_alone` or `pack_record` wrote, squeezed or not.

    `version` gives the content of a version of the resource, for those that are one.
    """
    packed = data.loads(spread(kept))
    stamps = [Stamp(*stamp) for stamp in packed["stamps"]]
    if "version" in packed:
        return recorded(version(packed["version"]), stamps[0])
    return {
        name: Register(stamps[index], value, tuple(Origin(*origin) for origin in origins))
        for name, (index, value, origins) in packed["slots"].items()
    }


TRAINED = data.path("profiles", "texts.zdict")  # made by tests/benchmarks/texts.py
LEVEL = 1  # of Zstandard (RFC 8878): 3 saves a twentieth, and takes a third longer
_COMMON = ZstdCompressionDict(TRAINED.read_bytes())
_COMMON.precompute_compress(level=LEVEL)
_PLAIN = frozenset(("postgresql",))  # databases that keep texts as they are


class Tools(NamedTuple):
    """What squeezes and spreads."""

    squeezer: ZstdCompressor
    spreader: ZstdDecompressor


_OWN = local()


def tools() -> Tools:
    """Those of this thread: none may be used by two at once."""
    found: Tools | None = getattr(_OWN, "tools", None)
    if found is None:
        squeezer = ZstdCompressor(level=LEVEL, dict_data=_COMMON)
        found = _OWN.tools = Tools(squeezer, ZstdDecompressor(dict_data=_COMMON))
    return found


def squeezed(text: bytes, dialect: str) -> str | bytes:
    """A text as the database keeps it: a Zstandard frame upon what such texts have in common."""
    return text.decode() if dialect in _PLAIN else tools().squeezer.compress(text)


def spread(kept: str | bytes) -> str | bytes:
    """A kept text, whether it was squeezed or not."""
    return tools().spreader.decompress(kept) if isinstance(kept, bytes) else kept
