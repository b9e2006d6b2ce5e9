"""How what a source says is kept in one text: stamps once, then slot, value and origins."""

from __future__ import annotations

from adapter import data
from adapter.record import Origin
from adapter.store.fold import Contribution, Register, Stamp


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


def unpack(text: str) -> Contribution:
    """The contribution that `pack` wrote."""
    packed = data.loads(text)
    stamps = [Stamp(*stamp) for stamp in packed["stamps"]]
    return {
        name: Register(stamps[index], value, tuple(Origin(*origin) for origin in origins))
        for name, (index, value, origins) in packed["slots"].items()
    }
