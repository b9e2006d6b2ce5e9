"""How what a source says is kept in one text: stamps once, then slot, value and origins."""

from __future__ import annotations

from adapter import data
from adapter.record import Origin
from adapter.store.fold import Contribution, Register, Stamp
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


def unpack(text: str) -> Contribution:
    """The contribution that `pack` wrote."""
    packed = data.loads(text)
    stamps = [Stamp(*stamp) for stamp in packed["stamps"]]
    return {
        name: Register(stamps[index], value, tuple(Origin(*origin) for origin in origins))
        for name, (index, value, origins) in packed["slots"].items()
    }
