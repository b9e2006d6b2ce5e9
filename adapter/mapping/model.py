"""A mapping file as checked values: the grammar of mappings/README.md, and nothing besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter import data
from adapter.constant import fixed
from adapter.errors import DataFileError
from adapter.mapping.paths import Target, target

FILE_KEYS = frozenset({"source", "confidence", "ignore", "map"})
MAP_KEYS = frozenset({"resource", "name", "profile", "once", "key", "rules"})
RULE_KEYS = frozenset(
    {"to", "from", "value", "link", "as", "table", "where", "unless", "need", "build"}
)
_TYPES: dict[str, type] = {
    **dict.fromkeys(("ignore", "map", "key", "rules"), list),
    **dict.fromkeys(("need", "once"), bool),
}
_WORDS = {str: "text", list: "list", bool: "true or false"}
CONFIDENCES = frozenset({"confirmed", "reconstructed", "unverified"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a mapping: one target, and one of a source, a constant or a link."""

    to: Target
    source: str
    value: Any
    link: str
    convert: str
    table: str
    where: str
    unless: str
    need: bool
    build: str


@dataclass(frozen=True, slots=True)
class Map:
    """The rules of one resource. `once`: one per unit, shared by every record that writes to it."""

    resource: str
    name: str
    profile: str
    once: bool
    key: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class MapFile:
    """One mapping file: its maps, and the sources it leaves out on purpose."""

    file: str
    ignore: frozenset[str]
    maps: tuple[Map, ...]


def load(path: Path) -> MapFile:
    """Read and check a mapping file. Raises DataFileError naming the file and the key."""
    name, raw = data.name(path), data.toml(path)
    _known(name, "file", raw, FILE_KEYS)
    if not raw.get("source"):
        raise DataFileError(name, "source", "every mapping names its source")
    if raw.get("confidence") not in CONFIDENCES:
        raise DataFileError(name, "confidence", f"one of {', '.join(sorted(CONFIDENCES))}")
    maps = tuple(_map(name, item) for item in _tables(name, "map", raw.get("map", [])))
    _no_two_for_one(name, maps)
    return MapFile(name, frozenset(raw.get("ignore", [])), maps)


def _tables(file: str, where: str, items: list[Any]) -> list[dict[str, Any]]:
    if not all(isinstance(item, dict) for item in items):
        raise DataFileError(file, where, "expected a list of tables")
    return items


def _known(file: str, where: str, table: dict[str, Any], keys: frozenset[str]) -> None:
    for key in table:
        if key not in keys:
            raise DataFileError(file, f"{where}.{key}", f"unknown key; one of {sorted(keys)}")
        kind = _TYPES.get(key, str)
        if key != "value" and type(table[key]) is not kind:
            raise DataFileError(file, f"{where}.{key}", f"expected a {_WORDS[kind]}")


def _map(file: str, raw: dict[str, Any]) -> Map:
    kind = raw.get("resource", "")
    _known(file, f"map {kind}", raw, MAP_KEYS)
    rules = _tables(file, f"map {kind}.rules", raw.get("rules", []))
    if not kind:
        raise DataFileError(file, "map.resource", "every map names its resource type")
    return Map(
        resource=kind,
        name=raw.get("name", kind),
        profile=raw.get("profile", ""),
        once=raw.get("once", False),
        key=tuple(raw.get("key", ())),
        rules=tuple(_rule(file, kind, item) for item in rules),
    )


def _rule(file: str, kind: str, raw: dict[str, Any]) -> Rule:
    to = raw.get("to", "")
    where = f"{kind}.{to}"
    _known(file, where, raw, RULE_KEYS)
    if sum(key in raw for key in ("from", "value", "link")) != 1:
        raise DataFileError(file, where, "exactly one of from, value, link")
    if "from" not in raw and raw.keys() & {"as", "table", "where", "need", "build", "unless"}:
        raise DataFileError(file, where, "as, table, where, unless, need, build go with from")
    if "build" in raw and raw.keys() & {"as", "table", "where"}:
        raise DataFileError(file, where, "build stands alone: no as, table or where")
    try:
        path = target(to)
    except ValueError as error:
        raise DataFileError(file, where, str(error)) from None
    return Rule(
        to=path,
        source=raw.get("from", ""),
        value=fixed(raw.get("value")),
        link=raw.get("link", ""),
        convert=raw.get("as", ""),
        table=raw.get("table", ""),
        where=raw.get("where", ""),
        unless=raw.get("unless", ""),
        need=raw.get("need", False),
        build=raw.get("build", ""),
    )


def _no_two_for_one(file: str, maps: tuple[Map, ...]) -> None:
    """Two rules that write one element are a mistake, unless it repeats or they say when.

    A builder may write nothing, or elsewhere; it says so itself.
    """
    names = [item.name for item in maps]
    for name in names:
        if names.count(name) > 1:
            raise DataFileError(file, f"map {name}", "two maps have this name")
    seen: set[tuple[str, Target]] = set()
    for item in maps:
        for rule in item.rules:
            if rule.where or rule.unless or rule.build or rule.to.steps[-1].slot is not None:
                continue
            if (item.name, rule.to) in seen:
                path = ".".join(step.key for step in rule.to.steps)
                raise DataFileError(file, f"{item.name}.{path}", "two rules write this element")
            seen.add((item.name, rule.to))
