"""What of a resource is searched: the index rows that profiles/search-parameters.json asks for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple

from adapter import data
from adapter.record import Resource
from adapter.store import alike
from adapter.store.instants import EARLIEST, LATEST, span

Term = tuple[str, str, str]  # param ("Patient.name"), value, extra

LONGEST = 200  # characters of an indexed text; PostgreSQL limits an index row to 2,704 bytes


class Parameter(NamedTuple):
    """One search parameter of one resource type."""

    kind: str
    name: str
    type: str
    paths: tuple[str, ...]
    targets: tuple[str, ...]
    key: str  # how index rows name it: by the first parameter of its type and paths


def shipped() -> list[dict[str, Any]]:
    """The rows of profiles/search-parameters.json."""
    rows: list[dict[str, Any]] = data.json(data.path("profiles", "search-parameters.json"))[
        "parameters"
    ]
    return rows


@cache
def parameters(kind: str) -> dict[str, Parameter]:
    """By name, those of a type and those of every type."""
    keys: dict[tuple[str, tuple[str, ...]], str] = {}
    found = {}
    for row in shipped():
        if row["kind"] in (kind, "*"):
            name, read = row["name"], (row["type"], tuple(row["paths"]))
            key = keys.setdefault(read, f"{kind}.{name}")
            found[name] = Parameter(kind, name, *read, tuple(row.get("target", ())), key)
    return found


@cache
def reference_keys(kind: str) -> frozenset[str]:
    """The keys of a type's index rows that are references."""
    return frozenset(one.key for one in parameters(kind).values() if one.type == "reference")


NUMBERED = "@"  # begins the name of a stored resource; a text that begins so refers to nothing


def by_number(rid: int) -> str:
    """How an index row names a stored resource it refers to.

    One that was not stored when the row was written it names as `Patient/abc`: ask for both.
    """
    return f"{NUMBERED}{rid}"


def terms(resource: Resource) -> set[Term]:
    """The index rows of a resource; what cannot be read as its type is not indexed."""
    kind = resource.get("resourceType", "")
    return _terms(kind, resource) | _alike(alike.keys(resource))


def _terms(kind: str, resource: Resource) -> set[Term]:
    found: set[Term] = set()
    for key, first, rest, read in _plan(kind):
        if first in resource:
            for leaf in _leaves(resource[first], rest):
                for value, extra in read(leaf):
                    found.add((key, clip(value), clip(extra)))
    return found


def _alike(keys: Iterable[str]) -> set[Term]:
    return {(alike.PARAM, key, "") for key in keys}


def difference(kind: str, old: Resource, new: Resource) -> tuple[set[Term], set[Term]]:
    """The index rows that go and that come when a resource changes; only what differs is read."""
    if not old:
        return set(), terms({"resourceType": kind, **new})
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    near = _near(kind)
    read = names.union(*(near[name] for name in names if name in near))
    before, after = (
        _terms(kind, {name: one[name] for name in read if name in one}) for one in (old, new)
    )
    if kind == alike.KIND:
        was, now = (alike.keys({**one, "resourceType": kind}, names) for one in (old, new))
        before, after = before | _alike(was - now), after | _alike(now - was)
    return before - after, after - before


@cache
def _near(kind: str) -> dict[str, set[str]]:
    """By element, all elements that write index rows under a key of its own."""
    keys: dict[str, set[str]] = {}
    for key, first, _, _ in _plan(kind):
        keys.setdefault(key, set()).add(first)
    found: dict[str, set[str]] = {}
    for group in keys.values():
        for name in group:
            found.setdefault(name, set()).update(group)
    return {name: group for name, group in found.items() if len(group) > 1}


@lru_cache(maxsize=8192)
def fold_text(text: str) -> str:
    """A text without case, accents and doubled spaces, as string search compares it."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in text if not unicodedata.combining(char))
    return " ".join(text.casefold().split())


def clip(text: str) -> str:
    """A text as an index row holds it: no NUL (PostgreSQL has none), at most LONGEST."""
    return text.replace("\0", "")[:LONGEST] if len(text) > LONGEST or "\0" in text else text


_Pair = tuple[str, str]
_Read = Callable[[Any], list[_Pair]]
# Kept in columns of the resource, not as index rows.
_COLUMNS = frozenset(("_id", "_lastUpdated"))


@cache
def _plan(kind: str) -> list[tuple[str, str, tuple[str, ...], _Read]]:
    """(key, first step, other steps, reader) of every path, once for parameters that share it."""
    steps = {
        (parameter.key, *path.partition(".")[::2]): _READERS[parameter.type]
        for parameter in parameters(kind).values()
        if parameter.name not in _COLUMNS
        for path in parameter.paths
    }
    return [
        (key, first, tuple(rest.split(".")) if rest else (), read)
        for (key, first, rest), read in steps.items()
    ]


def _leaves(node: Any, path: tuple[str, ...]) -> list[Any]:
    """Every value at the end of a path; lists on the way and at the end are gone through."""
    nodes = node if isinstance(node, list) else [node]
    for name in path:
        below: list[Any] = []
        for one in nodes:
            value = one.get(name) if isinstance(one, dict) else None
            if isinstance(value, list):
                below += value
            elif value is not None:
                below.append(value)
        nodes = below
    return nodes


def _tokens(leaf: Any) -> list[_Pair]:
    """Code, boolean, Coding, CodeableConcept, Identifier, ContactPoint: (code, system)."""
    if isinstance(leaf, str):
        return [(leaf, "")]
    if isinstance(leaf, bool):
        return [("true" if leaf else "false", "")]
    if not isinstance(leaf, dict):
        return []
    if "coding" in leaf:
        return [pair for coding in leaf["coding"] for pair in _tokens(coding)]
    code = leaf.get("code") or leaf.get("value")
    return [(code, str(leaf.get("system", "")))] if isinstance(code, str) else []


_SPOKEN = ("text", "family", "given", "prefix", "suffix", "line", "city", "district", "state",
           "postalCode", "country")  # fmt: skip


def _strings(leaf: Any) -> list[_Pair]:
    """Text, and every part of a HumanName or Address: (folded, as written)."""
    if isinstance(leaf, str):
        return [(fold_text(leaf), leaf)]
    if not isinstance(leaf, dict):
        return []
    parts = (part for name in _SPOKEN if name in leaf for part in _leaves(leaf[name], ()))
    return [(fold_text(part), part) for part in parts if isinstance(part, str)]


def _dates(leaf: Any) -> list[_Pair]:
    """Date, dateTime, instant, Period: (from, before)."""
    if isinstance(leaf, str):
        found = span(leaf)
        return [found] if found else []
    if not isinstance(leaf, dict) or not ("start" in leaf or "end" in leaf):
        return []
    start, end = span(str(leaf.get("start", ""))), span(str(leaf.get("end", "")))
    return [(start[0] if start else EARLIEST, end[1] if end else LATEST)]


def _references(leaf: Any) -> list[_Pair]:
    """Reference: ("Patient/abc", "Patient"); of a URL ("https://x.example/Patient/abc", "")."""
    text = leaf.get("reference") if isinstance(leaf, dict) else None
    if not isinstance(text, str) or text.startswith(NUMBERED):
        return []
    kind, mark, _ = text.partition("/")
    return [(text.partition("/_history/")[0], kind if mark and kind.isalpha() else "")]


def _uris(leaf: Any) -> list[_Pair]:
    return [(leaf, "")] if isinstance(leaf, str) else []


_READERS: dict[str, _Read] = {
    "token": _tokens,
    "string": _strings,
    "date": _dates,
    "reference": _references,
    "uri": _uris,
}
