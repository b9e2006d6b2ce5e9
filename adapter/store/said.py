"""What an entry says, as registers: by slot, by piece, and of a stay as a movement."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from adapter.outcome import Outcome
from adapter.record import PIECEWISE, Entry, Origin, Resource, piece
from adapter.store import movements, pieces
from adapter.store.fold import WEAK, Contribution, Register, Stamp, slot, slots

Parts = Mapping[str, Sequence[str]]


def told_by(outcome: Outcome, entry: Entry, resource: Resource, stamp: Stamp) -> Contribution:
    """What an entry says; of a stay, what an HL7 v2 message says of it is a movement of its own."""
    if not outcome.event:
        return _said(entry, resource, stamp, entry.parts)
    if resource["resourceType"] != movements.KIND:
        return _again(entry, resource, stamp)
    others = movements.rest(resource)
    said = _said(entry, others, stamp, _parts(entry, others))
    for path in entry.cleared:
        if movements.keeps(path):
            said.pop(slot(path), None)
    told = movements.movement(outcome, entry, resource, movements.happened(outcome))
    origins = tuple([row for row in entry.origins if row.element not in others])
    said[movements.name_of(stamp)] = Register(stamp, told, origins)
    return said


class _Told(NamedTuple):
    """What an entry said the last time: all that it was made of, and its registers."""

    made_of: tuple[Any, ...]
    said: Contribution


_LAST: OrderedDict[str, _Told] = OrderedDict()  # by urn
_MOST = 2000


def _again(entry: Entry, resource: Resource, stamp: Stamp) -> Contribution:
    """What an entry says; wards, doctors and payors say the same thing with every message."""
    made_of = (resource, list(entry.origins), entry.cleared, entry.weak, entry.parts)
    last = _LAST.get(entry.urn)
    if last is not None and last.made_of == made_of:
        _LAST[entry.urn] = last
        _LAST.move_to_end(entry.urn)
        return {name: Register(stamp, one.value, one.origins) for name, one in last.said.items()}
    said = _said(entry, resource, stamp, _parts(entry, resource))
    _LAST[entry.urn] = _Told(made_of, said)
    if len(_LAST) > _MOST:
        _LAST.popitem(last=False)
    return said


def _parts(entry: Entry, resource: Resource) -> Parts:
    """How lists are told item by item, so that a field that is absent changes nothing."""
    parts: dict[str, Sequence[str]] = dict(entry.parts)
    for element, value in resource.items():
        if element == "period":
            parts[element] = ["."]
        elif element in PIECEWISE and not parts.get(element) and element not in entry.weak:
            if element == "diagnosis" and element not in parts:
                continue  # a whole list, unless its items have action codes
            names = [piece(element, item) for item in value]
            if all(names):
                parts[element] = names
    return parts


def _said(entry: Entry, resource: Resource, stamp: Stamp, parts: Parts) -> Contribution:
    """What an entry says, by slot: values, weak values, and what it clears."""
    weak = {slot(name) for name in entry.weak}
    origins: dict[str, list[Origin]] = {}
    for origin in entry.origins:
        origins.setdefault(_top(origin.element), []).append(origin)
    said = {_cleared(resource, path): Register(stamp, None) for path in entry.cleared}
    for name, value in slots(resource).items():
        rows = origins.get(name, ())
        found = pieces.cut(name, value[name], parts[name]) if name in parts else None
        for register, part in (found or {}).items():
            said[register] = Register(stamp, {"": part}, _told(rows, name, register))
        if found is None:
            told = _told(rows, name, name) if entry.parts else tuple(rows)
            said[name + WEAK if name in weak else name] = Register(stamp, value, told)
    return said


def _cleared(resource: Resource, path: str) -> str:
    """The register that a deletion empties; what a stay's movement deletes it holds itself."""
    if path.startswith("period.") and resource["resourceType"] != movements.KIND:
        return path.replace("period.", f"period{pieces.MARK}.")
    return slot(path)


def _told(rows: Sequence[Origin], name: str, register: str) -> tuple[Origin, ...]:
    """The places that a register came from, as places of its element."""
    if register != name:
        own = register.partition("#")[0]
        rows = [row for row in rows if row.element in (own, name)]
    return tuple([_bare(row) for row in rows])


def _bare(row: Origin) -> Origin:
    """The place as one of the element, without the name of its piece."""
    element, mark, _ = row.element.partition(pieces.MARK)
    return row._replace(element=element) if mark else row


@lru_cache(maxsize=4096)
def _top(element: str) -> str:
    """The slot of an element path: `name` of `name[0].family`."""
    return slot(element.partition(".")[0].partition("[")[0].partition(pieces.MARK)[0])
