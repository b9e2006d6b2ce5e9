"""How what a source says is kept in one text: stamps once, then slot, value and origins.

And how texts are kept: SQLite has no compression of its own, PostgreSQL has (TOAST).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from adapter import data
from adapter.record import Origin, Resource
from adapter.store import phrases
from adapter.store.fold import slots
from adapter.store.registers import Contribution, Register, Stamp
from adapter.store.said import Saying


def pack(said: Contribution) -> str:
    """A contribution as JSON text."""
    stamps: dict[Stamp, int] = {}
    packed = {
        name: [
            stamps.setdefault(register.stamp, len(stamps)),
            register.value,
            [tuple(origin) for origin in register.origins],
        ]
        for name, register in said.items()
    }
    return data.dumps({"stamps": [tuple(stamp) for stamp in stamps], "slots": packed}).decode()


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


def pack_plain(said: Contribution, version: int) -> str | None:
    """A contribution that is a version of its resource and nothing besides; None if it is more.

    So is the Provenance of each unit: one source says it, at once, and no cell says where.
    """
    stamps = {register.stamp for register in said.values()}
    if len(stamps) != 1 or any(one.origins or one.value is None for one in said.values()):
        return None
    if not all(name.replace(".", "").isalnum() for name in said):
        return None  # of pieces, of movements, weak
    return data.dumps({"stamps": [tuple(stamps.pop())], "version": version}).decode()


def unpack(kept: str | bytes, version: Callable[[int], Resource]) -> Contribution:
    """The contribution that `pack`, `pack_alone` or `pack_plain` wrote, squeezed or not.

    `version` gives the content of a version of the resource, for those that are one.
    """
    packed = data.loads(spread(kept))
    stamps = [Stamp(*stamp) for stamp in packed["stamps"]]
    if "version" in packed:
        said = slots(version(packed["version"]))
        return {name: Register(stamps[0], value) for name, value in said.items()}
    return {
        name: Register(stamps[index], value, tuple(Origin(*origin) for origin in origins))
        for name, (index, value, origins) in packed["slots"].items()
    }


_PHRASES = phrases.FIRST.encode()
_BITS, _SPACE = -13, 7  # 8 KB looked back upon, and little memory: to begin anew is half the work
_MARK = b"1"  # begins what was squeezed upon the first phrases
_BEGUN = zlib.compressobj(2, zlib.DEFLATED, _BITS, _SPACE, zdict=_PHRASES)
_PLAIN = frozenset(("postgresql",))  # databases that keep texts as they are


def squeezed(text: str, dialect: str) -> str | bytes:
    """A text as the database keeps it."""
    if dialect in _PLAIN:
        return text
    begun = _BEGUN.copy()
    return _MARK + begun.compress(text.encode()) + begun.flush()


def spread(kept: str | bytes) -> str | bytes:
    """A kept text, whether it was squeezed or is from before that was done."""
    if isinstance(kept, str) or kept[:1] != _MARK:
        return kept
    return zlib.decompressobj(_BITS, _PHRASES).decompress(kept[1:])
