"""The table of ADT trigger events: what each does to a stay, and what it takes back."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from adapter import data

Json = dict[str, Any]

_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


class Effect(NamedTuple):
    """What an event does (mappings/program/encounters.toml); `over` None is any status."""

    status: str = ""
    over: frozenset[str] | None = frozenset()
    undoes: frozenset[str] = frozenset()
    default: Json | None = None
    fits: frozenset[str] | None = None
    unfit: frozenset[str] = frozenset()
    move: str = ""
    drops: tuple[str, ...] = ()

    def may_replace(self, status: str) -> bool:
        """Whether the event may change a stay of this status."""
        return self.over is None or status in self.over

    def class_of(self, said: Json | None) -> Json | None:
        """The class that the event means when a message says one, or none."""
        code = said.get("code") if said else None
        fits = code is not None and (self.fits is None or code in self.fits)
        return said if self.default is None or (fits and code not in self.unfit) else self.default


@cache
def effects() -> dict[str, Effect]:
    """The table of events, by trigger event."""
    raw = data.toml(data.path("mappings", "program", "encounters.toml"))
    return {name: _effect(row) for name, row in raw.items() if isinstance(row, dict)}


def _effect(row: Json) -> Effect:
    over, of_class = row.get("over", []), dict(row.get("class", {}))
    fits, unfit = of_class.pop("fits", None), of_class.pop("unfit", ())
    return Effect(
        status=row.get("status", ""),
        over=None if over == "any" else frozenset(over),
        undoes=frozenset(row.get("undoes", ())),
        default={"system": _ACT, **of_class} if of_class else None,
        fits=frozenset(fits) if fits else None,
        unfit=frozenset(unfit),
        move=row.get("move", ""),
        drops=tuple(row.get("drops", ())),
    )


@cache
def undoable() -> frozenset[str]:
    """The events that some other event takes back."""
    return frozenset(event for effect in effects().values() for event in effect.undoes)
