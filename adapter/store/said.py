"""What an entry says, as registers: by slot, by piece, and of a stay as a movement."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import is_not
from typing import Any

from adapter import data
from adapter.constant import Constant, Constants
from adapter.outcome import Outcome
from adapter.record import (
    BY_FIELD,
    PIECEWISE,
    Entry,
    Origin,
    Resource,
    by_field,
    new,
    piece,
)
from adapter.store import movements, pieces
from adapter.store.fold import slot, slots
from adapter.store.registers import WEAK, Contribution, Register, Stamp

Parts = Mapping[str, Sequence[str]]

_NESTED = frozenset({dict, list, Constant, Constants})


class Saying:
    """All that a source says of a resource at one time; `text`: packed, once that is needed."""

    __slots__ = ("registers", "text")

    def __init__(self, registers: Contribution) -> None:
        self.registers, self.text = registers, ""

    def at(self, stamp: Stamp) -> Contribution:
        """The same, said at another time."""
        return {
            name: new(Register, (stamp, one.value, one.origins))
            for name, one in self.registers.items()
        }


@dataclass(slots=True)
class Told:
    """An entry as the store takes it in.

    `made_of`   all that the entry is made of
    `targets`   its references, and where they were led
    `resource`  with its references led on
    `saying`    its registers, once they are made; None for what no message says again
    """

    made_of: tuple[Any, ...]
    targets: Mapping[str, str]
    resource: Resource
    saying: Saying | None = None

    def still(self, target: Callable[[str], str]) -> bool:
        """Whether its references lead where they led."""
        return all(target(old) == new for old, new in self.targets.items())


_LAST: OrderedDict[str, Told] = OrderedDict()  # by urn
_MOST = 2000
RECORD = "Provenance"  # every unit makes one anew, and no unit tells of another's
_ONCE = frozenset((movements.KIND, RECORD))  # every message says something else of them


def told(entry: Entry, event: str, target: Callable[[str], str]) -> Told:
    """An entry with its references led on; wards, doctors and payors are told over and over.

    Whatever `target` raises for a reference that leads nowhere comes through.
    """
    if not event or entry.resource["resourceType"] in _ONCE:
        return Told((), {}, led(entry.resource, target))
    made_of = (entry.resource, entry.told, entry.cleared, entry.weak, entry.parts)
    last = _LAST.get(entry.urn)
    if last is not None and last.made_of == made_of and last.still(target):
        _remember(entry.urn, last)
        return last
    targets: dict[str, str] = {}

    def noted(reference: str) -> str:
        found = targets[reference] = target(reference)
        return found

    return Told(made_of, targets, led(entry.resource, noted))


def _remember(urn: str, one: Told) -> None:
    _LAST[urn] = one
    _LAST.move_to_end(urn)
    if len(_LAST) > _MOST:
        _LAST.popitem(last=False)


def told_by(outcome: Outcome, entry: Entry, one: Told, stamp: Stamp) -> Contribution:
    """What an entry says; of a stay, what an HL7 v2 message says of it is a movement of its own."""
    resource = one.resource
    if not outcome.event:
        return _said(entry, resource, stamp, entry.parts, entry.origins)
    if resource["resourceType"] != movements.KIND:
        return _again(entry, one, stamp)
    others, rows = movements.rest(resource), entry.origins
    said = _said(entry, others, stamp, _parts(entry, others), rows)
    for path in entry.cleared:
        if movements.keeps(path):
            said.pop(slot(path), None)
    happened = movements.movement(outcome, entry, resource, rows)
    said[movements.name_of(stamp)] = new(
        Register, (stamp, happened, movements.origins(rows, others))
    )
    return said


def _again(entry: Entry, one: Told, stamp: Stamp) -> Contribution:
    if one.saying is not None:
        return one.saying.at(stamp)
    said = _said(entry, one.resource, stamp, _parts(entry, one.resource), entry.origins)
    _beside(entry, said, stamp)
    if one.resource["resourceType"] not in _ONCE:
        one.saying = Saying(said)
        _remember(entry.urn, one)
    return said


_YES_OR_NO = ("deceased", "multipleBirth")  # beside a date or number of a field of its own


def _beside(entry: Entry, said: Contribution, stamp: Stamp) -> None:
    """A yes (PID-24, PID-30) only fills the gap where nothing tells more; a no ends what does."""
    for name in _YES_OR_NO:
        if name not in said:
            continue
        told, alone = said[name], name + "Boolean"
        answer = (told.value or {}).get(alone)
        if answer is None and alone not in entry.cleared:
            continue
        value = None if answer is None else told.value
        said[name + WEAK] = new(Register, (stamp, value, told.origins))
        if answer is False or any(slot(one) == name and one != alone for one in entry.cleared):
            said[name] = new(Register, (stamp, None, ()))
        elif answer or told.value is None:
            del said[name]


def led(elements: Resource, target: Callable[[str], str]) -> Resource:
    """Elements with every Reference.reference led on; what has none is shared, not copied."""
    changed: dict[str, Any] = {}
    for name, value in elements.items():
        if type(value) not in _NESTED or id(value) in _PLAIN:
            continue
        if data.dumps(value).find(_MARK) >= 0:  # `in` would try it as a number first
            after = _led(value, target)
            if after is not value:
                changed[name] = after
    return {**elements, **changed} if changed else elements


_MARK = b'"reference":'


def _led(node: Any, target: Callable[[str], str]) -> Any:
    if isinstance(node, list):
        items = [_led(item, target) if type(item) in _NESTED else item for item in node]
        return items if any(map(is_not, items, node)) else node
    if id(node) in _PLAIN:
        return node
    changed = {}
    for key, value in node.items():
        if type(value) in _NESTED:
            after = _led(value, target)
        elif key == "reference" and type(value) is str:
            after = target(value)
        else:
            continue
        if after is not value:
            changed[key] = after
    if not changed and type(node) is Constant:
        _note_plain(node)
    return {**node, **changed} if changed else node


# Constants without a reference, so that nobody looks into them again; held, so that ids stay true.
_PLAIN: dict[int, Constant] = {}
_MOST_PLAIN = 5000


def _note_plain(node: Constant) -> None:
    if not any(True for _ in references(node)):
        if len(_PLAIN) >= _MOST_PLAIN:
            _PLAIN.clear()
        _PLAIN[id(node)] = node


def references(node: Any) -> Iterator[str]:
    """Every reference of a resource."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list):
                yield from references(value)


_NAMED = frozenset((*BY_FIELD, *PIECEWISE))


def _parts(entry: Entry, resource: Resource) -> Parts:
    """How lists are told item by item, so that a field that is absent changes nothing."""
    parts: dict[str, Sequence[str]] = dict(entry.parts) if entry.parts else {}
    for element, value in resource.items():
        if element == "period":
            parts[element] = ["."]
        elif element in _NAMED and not parts.get(element) and element not in entry.weak:
            names = _names(entry, element, value)
            if names and all(names):
                parts[element] = names
    return parts


def _names(entry: Entry, element: str, items: Sequence[Any]) -> list[str]:
    """The pieces that the items of a list are, none for a list that is told as a whole."""
    if element in BY_FIELD:
        if not isinstance(items, list):
            return []
        return by_field([label for _, of, label in entry.told if of == element], len(items))
    if element == "diagnosis" and element not in entry.parts:
        return []  # a whole list, unless its items have action codes
    return [piece(element, item) for item in items]


def _said(
    entry: Entry, resource: Resource, stamp: Stamp, parts: Parts, every: Sequence[Origin]
) -> Contribution:
    """What an entry with these origins says, by slot: values, weak values, and what it clears."""
    weak = {slot(name) for name in entry.weak}
    origins: dict[str, list[Origin]] = {}
    for origin in every:
        origins.setdefault(_top(origin.element), []).append(origin)
    said = {_cleared(resource, path): Register(stamp, None) for path in entry.cleared}
    for name, value in slots(resource).items():
        rows = origins.get(name, ())
        found = pieces.cut(name, value[name], parts[name]) if name in parts else None
        many = _spread(rows, found) if found and len(found) > _FEW else None
        for register, part in (found or {}).items():
            told = many[register] if many is not None else _told(rows, name, register)
            said[register] = new(Register, (stamp, {"": part}, told))
        if found is None:
            places = _told(rows, name, name) if entry.parts else tuple(rows)
            said[name + WEAK if name in weak else name] = new(Register, (stamp, value, places))
    return said


def _cleared(resource: Resource, path: str) -> str:
    """The register that a deletion empties; what a stay's movement deletes it holds itself."""
    if path.startswith("period.") and resource["resourceType"] != movements.KIND:
        return path.replace("period.", f"period{pieces.MARK}.")
    return slot(path)


_FEW = 50


def _spread(rows: Sequence[Origin], registers: Iterable[str]) -> dict[str, tuple[Origin, ...]]:
    """The places that very many pieces came from: one each, or all of them with the first.

    Each with all of them would be their square.
    """
    places, names = [_bare(row) for row in rows], list(registers)
    if len(places) == len(names):
        return {name: (place,) for name, place in zip(names, places, strict=True)}
    return {**dict.fromkeys(names, ()), names[0]: tuple(places)}


def _told(rows: Sequence[Origin], name: str, register: str) -> tuple[Origin, ...]:
    """The places that a register came from, as places of its element."""
    if register != name:
        own, piece = register.partition("#")[0], register.partition(pieces.MARK)[2]
        rows = [row for row in rows if row.element in (own, name)]
        rows = [row for row in rows if row.field == piece] or rows
    return tuple([_bare(row) for row in rows])


def _bare(row: Origin) -> Origin:
    """The place as one of the element, without the name of its piece."""
    element, mark, _ = row.element.partition(pieces.MARK)
    return row._replace(element=element) if mark else row


@lru_cache(maxsize=4096)
def _top(element: str) -> str:
    """The slot of an element path: `name` of `name[0].family`."""
    return slot(element.partition(".")[0].partition("[")[0].partition(pieces.MARK)[0])
