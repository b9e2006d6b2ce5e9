"""The table of R4 (profiles/r4.json): every type and backbone element with its elements."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from adapter import data

Row = list[Any]
Groups = tuple[tuple[str, frozenset[str]], ...]


@cache
def types() -> dict[str, dict[str, Row]]:
    """Every R4 type and backbone element with its own and inherited elements.

    A row is `[types, min, max, required value set, reference targets]`, its empty tail left out.
    """
    raw = data.json(data.path("profiles", "r4.json"))["types"]
    return {name: _whole(name, raw) for name in raw}


def _whole(name: str, raw: dict[str, dict[str, Any]]) -> dict[str, Row]:
    table = dict(raw[name])
    base = table.pop("@", "")
    return {**_whole(base, raw), **table} if base else table


@cache
def resources() -> frozenset[str]:
    """The resource types of R4 that may be sent."""
    abstract = {"Resource", "DomainResource"}
    return frozenset(
        name
        for name, rows in types().items()
        if rows.get("id", [[]])[0] == ["id"] and name not in abstract
    )


@cache
def loops() -> frozenset[str]:
    """The types that count depth; every loop in the type graph passes one of them."""
    own = {
        kind
        for name, rows in types().items()
        for row in rows.values()
        for kind in row[0]
        if "." in kind and name.startswith(kind)
    }
    return frozenset(own | {"Extension", "Reference"})


def groups(table: dict[str, Row]) -> Groups:
    """Choice elements with the names that each may have."""
    return tuple(
        (key, frozenset(name for name, _ in choices(key, row[0])))
        for key, row in table.items()
        if key.endswith("[x]")
    )


def choices(key: str, kinds: Iterable[str]) -> list[tuple[str, str]]:
    """The names that a choice element may have, each with its type."""
    stem = key.removesuffix("[x]")
    return [(stem + kind[0].upper() + kind[1:], kind) for kind in kinds]
