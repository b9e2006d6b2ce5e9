"""Elements told piece by piece: taken apart into registers of their own, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapter import data
from adapter.record import BY_FIELD, Origin, by_field, new
from adapter.record import piece as name_of
from adapter.store.registers import Contribution, Contributions, Register

MARK = "/"  # between a slot and its piece: `address/home.city`, `period/.end`, `extension/race`


def cut(element: str, value: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """What each register of an element holds, by its name; None when the names do not fit.

    An item is a register by the name of its piece, a list of those that share it. Named `home.`,
    each of its elements is one; given names by place and telephone numbers by system, since they
    come from cells of their own.
    """
    if isinstance(value, dict):
        return _split(f"{element}{MARK}.", value) if list(names) == ["."] else None
    if not isinstance(value, list) or len(value) != len(names):
        return None
    found: dict[str, Any] = {}
    for name, item in zip(names, value, strict=True):
        register = f"{element}{MARK}{name}"
        if name.endswith("."):
            found |= _split(register, item)
        else:
            found.setdefault(register, []).append(item)
    return found


def _split(start: str, item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in item.items():
        if key == "given":
            found |= {f"{start}{key}#{place}": one for place, one in enumerate(value)}
        elif key == "telecom":
            for point in value:
                found.setdefault(f"{start}{key}#{point.get('system', '')}", []).append(point)
        else:
            found[start + key] = value
    return found


def whole(contributions: Contributions, since: Callable[[str], str]) -> Contributions:
    """The contributions with every element in one piece; those without pieces are the same object.

    `since` gives the instant before which what others said of an element no longer counts.
    """
    if not any(MARK in name for mine in contributions.values() for name in mine):
        return contributions
    return {source: _joined(mine, since) for source, mine in contributions.items()}


def _joined(mine: Contribution, since: Callable[[str], str]) -> Contribution:
    done: Contribution = {}
    apart: dict[str, dict[str, Register]] = {}
    for name, register in mine.items():
        element, mark, piece = name.partition(MARK)
        if not mark:
            done[name] = register
        elif register.stamp.as_of > since(element):
            apart.setdefault(element, {})[piece] = register
    for element, registers in apart.items():
        if element in BY_FIELD:
            registers = _of_fields(registers)
        done[element] = _upon(done.get(element), element, registers)
    return done


def _of_fields(registers: dict[str, Register]) -> dict[str, Register]:
    """Pieces of fields (`PID-13`), and those of other names that none of them is newer than."""
    told = [register.stamp.order for name, register in registers.items() if name[3:4] == "-"]
    if not told or len(told) == len(registers):
        return registers
    return {
        name: register
        for name, register in registers.items()
        if name[3:4] == "-" or register.stamp.order > max(told)
    }


def _upon(plain: Register | None, element: str, registers: dict[str, Register]) -> Register:
    """Pieces upon what was said of the whole element; those that are older no longer count.

    What a message says itself stands over its deletion of the rest.
    """
    if plain is None:
        return _join(element, registers)
    since = plain.stamp.order
    newer = {
        name: register
        for name, register in registers.items()
        if register.stamp.order > since or (plain.value is None and register.stamp.order == since)
    }
    if not newer:
        return plain
    joined = _join(element, newer)
    below, above = ((r.value or {}).get(element, []) for r in (plain, joined))
    if not isinstance(below, list) or not isinstance(above, list):
        return joined
    kept = [item for item, name in _named(element, plain, below) if name not in newer]
    items = {_same(item): item for item in (*kept, *above)}
    told = tuple(dict.fromkeys((*plain.origins, *joined.origins)))
    value = {element: list(items.values())} if items else None
    return new(Register, (joined.stamp, value, told))


def _named(element: str, plain: Register, items: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    """The items of a whole element, each with the name of its piece."""
    if element in BY_FIELD:
        names = by_field([row.field for row in plain.origins], len(items))
        yield from zip(items, names, strict=False)
    else:
        yield from ((item, name_of(element, item)) for item in items)


def _join(element: str, registers: Mapping[str, Register]) -> Register:
    """One register of all pieces, in the order of their names; None when none is left."""
    items: dict[str, Any] = {}
    origins: list[Origin] = []
    for piece, register in sorted(registers.items()):
        if register.value is None:
            continue
        origins += register.origins
        item, dot, leaf = piece.partition(".")
        if dot and _whole_since(registers.get(item), register):
            continue
        if dot:
            _put(_opened(items, item), leaf, register.value[""])
        else:
            items[item] = register.value[""]
    newest = max(registers.values(), key=_order)
    value = items[""] if "" in items else _listed(items)
    told = tuple(dict.fromkeys(origins))
    return new(Register, (newest.stamp, {element: value} if value else None, told))


def news(before: Contribution, said: Contribution) -> list[str]:
    """The fields whose registers hold something else than the same source said before."""
    found = []
    for name, register in said.items():
        old = before.get(name)
        if old is not None and register.stamp.order <= old.stamp.order:
            continue  # old news
        if (old.value if old else None) != register.value:
            found += [row.field for row in register.origins if row.field]
    return found


def _order(register: Register) -> tuple[str, str]:
    return register.stamp.order


def _whole_since(whole: Register | None, register: Register) -> bool:
    """Whether the item was told in one piece at the same time as this leaf of it, or after."""
    return whole is not None and whole.value is not None and _order(whole) >= _order(register)


def _opened(items: dict[str, Any], item: str) -> dict[str, Any]:
    """An item whose leaves are told; one that was told whole before is taken as they start."""
    held = items.setdefault(item, {})
    if isinstance(held, list):
        held = items[item] = dict(held[0]) if held else {}
    found: dict[str, Any] = held
    return found


def _put(item: dict[str, Any], leaf: str, value: Any) -> None:
    key, several, _ = leaf.partition("#")
    if several:
        item.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    else:
        item[key] = value


def _listed(items: Mapping[str, Any]) -> list[Any]:
    """The items in order; what two pieces say in the same words, or the same code, stands once."""
    found: list[Any] = []
    for value in items.values():
        if isinstance(value, list):
            found += value
        else:
            found.append(value)
    if len(found) < 2:
        return found
    kept: dict[bytes, Any] = {}
    for item in found:
        kept.setdefault(_same(item), item)
    return list(kept.values())


def _same(item: Any) -> bytes:
    """What two items have in common that are the same thing: a member, a coded extension."""
    if isinstance(item, dict) and "entity" in item:
        return data.dumps(item["entity"])
    codings = item.get("valueCodeableConcept", {}).get("coding") if isinstance(item, dict) else None
    if codings:
        return f"{item['url']} {codings[0].get('code', '')}".encode()
    return data.dumps(item)
