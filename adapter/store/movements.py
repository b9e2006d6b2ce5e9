"""What messages say of a stay, kept one by one: the state machine reads them in order of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapter.outcome import Outcome
from adapter.record import Entry, Movement, Origin, Resource, new
from adapter.store.registers import WEAK, Contribution, Contributions, Register, Stamp

MARK = "@"  # begins the name of a movement's register; its place in time follows
_ASIDE = ("@", "~")  # movements, and whole lists (lists.py): no elements
KIND = "Encounter"
# What is told by one message and follows from those before it: read by the state machine only.
_KEPT = ("status", "class", "period", "length", "hospitalization", "location")
# The extension of the end that is planned, by the name of its piece; the field that tells it.
_PLANNED_END, _PLANNED_END_FIELD = "extension/extension-Encounter_plannedEndDate", "PV2-9"

# From movements to elements: (value, number of the movement in order of time, whether weak).
Replay = Callable[[Sequence[Movement]], Mapping[str, tuple[Any, int, bool]]]


def newest(movements: Sequence[Movement]) -> dict[str, tuple[Any, int, bool]]:
    """The least state machine: the newest word on each element."""
    found: dict[str, tuple[Any, int, bool]] = {}
    for number, one in enumerate(sorted(movements, key=lambda row: row.order)):
        for path in one.cleared:
            found.pop(path.partition(".")[0].partition("[")[0], None)
        for name, value in one.says.items():
            if name not in one.weak or found.get(name, (None, 0, True))[2]:
                found[name] = (value, number, name in one.weak)
    return found


def movement(
    outcome: Outcome, entry: Entry, resource: Resource, rows: Sequence[Origin]
) -> dict[str, Any]:
    """What a message says of a stay, as a register holds it; `rows`: the origins of its entry."""
    places = [row.field for row in rows if row.element == "location" and row.field.startswith("PV")]
    return {
        "event": outcome.event if _named(entry) else "",
        "at": outcome.at or outcome.unit.as_of.partition(" ")[0],
        "says": {
            **{name: resource[name] for name in _KEPT if name in resource},
            **_planned(resource),
        },
        "weak": [name for name in entry.weak if name in _KEPT],
        "cleared": [path for path in entry.cleared if keeps(path)],
        "places": places if len(places) == len(resource.get("location", ())) else [],
    }


def _named(entry: Entry) -> bool:
    """Whether a stay may be told of again; what nothing names and nothing ends is of no status."""
    return bool(entry.identity or entry.key or entry.resource.get("status") != "unknown")


def _planned(resource: Resource) -> dict[str, Any]:
    items = [item for item in resource.get("extension", ()) if _ends(item)]
    return {_PLANNED_END: items[-1]} if items else {}


def _ends(item: Any) -> bool:
    """Whether an extension tells the end that is planned."""
    return str(item.get("url", "")).endswith("extension-Encounter.plannedEndDate")


def rest(resource: Resource) -> Resource:
    """What else a message says of a stay: as of any other resource."""
    others = {name: value for name, value in resource.items() if name not in _KEPT}
    items = others.pop("extension", ())
    kept = [item for item in items if not _ends(item)]
    return {**others, "extension": kept} if kept else others


def keeps(path: str) -> bool:
    """Whether a path leads into what only movements tell."""
    return path == _PLANNED_END or _root(path) in _KEPT


def origins(rows: Sequence[Origin], others: Resource) -> tuple[Origin, ...]:
    """Those of an entry's origins that a movement holds: not those of the `rest`."""
    return tuple(
        [row for row in rows if row.element not in others or row.field == _PLANNED_END_FIELD]
    )


def name_of(stamp: Stamp) -> str:
    """The name of the register of a movement."""
    return f"{MARK}{stamp.as_of}|{stamp.tie}"


def settled(contributions: Contributions, replay: Replay, cut: str, traced: bool) -> Contributions:
    """The contributions with every source's movements turned into elements, `traced`: to cells.

    Movements not later than `cut`, a deletion, no longer count. Contributions without any are the
    same object.
    """
    if not any(name[0] in _ASIDE for mine in contributions.values() for name in mine):
        return contributions
    return {source: _settled(mine, replay, cut, traced) for source, mine in contributions.items()}


def _settled(mine: Contribution, replay: Replay, cut: str, traced: bool) -> Contribution:
    done = {name: register for name, register in mine.items() if name[0] not in _ASIDE}
    told = [
        register
        for name, register in mine.items()
        if name[0] == MARK and register.stamp.as_of > cut
    ]
    told.sort(key=lambda register: register.stamp.order)
    found = replay([_movement(register) for register in told]) if told else {}
    for name, (value, number, weak) in found.items():
        register, piece = told[number], "/" in name
        kept = {"": [value]} if piece else {name: value}
        rows = _origins(register, name, piece) if traced else ()
        done[name + WEAK if weak else name] = new(Register, (register.stamp, kept, rows))
    return done


def _origins(register: Register, name: str, piece: bool) -> tuple[Origin, ...]:
    """Where a movement has an element from."""
    of = name.partition("/")[0]
    of = _SOURCES.get(of, of)
    rows = [row for row in register.origins if _root(row.element) == of]
    return tuple(rows if piece else [new(Origin, (name, row.line, row.field)) for row in rows])


_SOURCES = {"statusHistory": "status", "classHistory": "class"}


def _movement(register: Register) -> Movement:
    value: dict[str, Any] = register.value or {}
    lists = value["weak"], value["cleared"], value["places"]
    said = (register.stamp.order, value["event"], value["at"], value["says"], *lists)
    return new(Movement, said)


def _root(path: str) -> str:
    """`period` of `period.end`, `location` of `location[pending]`, `status` of `_status`."""
    return path.partition(".")[0].partition("[")[0].removeprefix("_")
