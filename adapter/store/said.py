"""What an entry says, as registers: by slot, by piece, and of a stay as a movement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from adapter.outcome import Outcome
from adapter.record import Entry, Origin, Resource, piece
from adapter.store import movements, pieces
from adapter.store.fold import WEAK, Contribution, Register, Stamp, slot, slots


def told_by(outcome: Outcome, entry: Entry, resource: Resource, stamp: Stamp) -> Contribution:
    """What an entry says; of a stay, what an HL7 v2 message says of it is a movement of its own."""
    if not outcome.event:
        return _said(entry, resource, stamp)
    if resource["resourceType"] != movements.KIND:
        return _said(_in_pieces(entry, resource), resource, stamp)
    others, cleared = movements.rest(entry, resource)
    said = _said(_in_pieces(replace(entry, cleared=cleared), others), others, stamp)
    told = movements.movement(outcome, entry, resource, movements.happened(outcome))
    origins = tuple(row for row in entry.origins if row.element not in others)
    said[movements.name_of(stamp)] = Register(stamp, told, origins)
    return said


def _in_pieces(entry: Entry, resource: Resource) -> Entry:
    """The entry with its lists told item by item: a field that is absent changes nothing."""
    parts: dict[str, Sequence[str]] = dict(entry.parts)
    for element, value in resource.items():
        if parts.get(element) or element in entry.weak:
            continue
        if element == "diagnosis" and element not in parts:
            continue  # a whole list, unless its items have action codes
        if isinstance(value, list) and all(names := [piece(element, item) for item in value]):
            parts[element] = names
        elif element == "period":
            parts[element] = ["."]
    cleared = (path.replace("period.", "period/.") for path in entry.cleared)
    return replace(entry, parts=parts, cleared=tuple(cleared))


def _said(entry: Entry, resource: Resource, stamp: Stamp) -> Contribution:
    """What an entry says, by slot: values, weak values, and what it clears."""
    weak = {slot(name) for name in entry.weak}
    origins: dict[str, list[Origin]] = {}
    for origin in entry.origins:
        origins.setdefault(_top(origin.element), []).append(origin)
    said = {slot(name): Register(stamp, None) for name in entry.cleared}
    for name, value in slots(resource).items():
        found = pieces.cut(name, value[name], entry.parts[name]) if name in entry.parts else None
        for register, part in (found or {}).items():
            said[register] = Register(stamp, {"": part}, _told(origins, name, register))
        if found is None:
            key = name + WEAK if name in weak else name
            said[key] = Register(stamp, value, _told(origins, name, name))
    return said


def _told(origins: dict[str, list[Origin]], name: str, register: str) -> tuple[Origin, ...]:
    """The places that a register came from, as places of its element."""
    rows = origins.get(name, ())
    if register == name:
        mine = rows
    else:
        piece = register.partition("#")[0]
        mine = [row for row in rows if row.element in (piece, name)]
    return tuple([_bare(row) for row in mine])


def _bare(row: Origin) -> Origin:
    """The place as one of the element, without the name of its piece."""
    element, mark, _ = row.element.partition(pieces.MARK)
    return row._replace(element=element) if mark else row


@lru_cache(maxsize=4096)
def _top(element: str) -> str:
    """The slot of an element path: `name` of `name[0].family`."""
    return slot(element.partition(".")[0].partition("[")[0].partition(pieces.MARK)[0])
