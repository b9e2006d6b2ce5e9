"""Looks up codes, identifier systems and value sets of `terminology/`; none is hidden in code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from adapter import data
from adapter.errors import DataFileError

CONFIDENCE = ("confirmed", "reconstructed", "unverified")
COLUMNS = ("code", "display", "target_system", "target_code", "target_display", "note")
Row = Mapping[str, str]


class Target(NamedTuple):
    """What a source code means on our side; an empty `code`: known, and means nothing here."""

    code: str
    system: str
    display: str


class Identifier(NamedTuple):
    """An identifier system: its URI, its v2-0203 type code, and the shape of its values (regex)."""

    name: str
    system: str
    type_code: str
    pattern: str


class Table:
    """One table of source codes; `get` costs one dict lookup.

    Tables headed `# match: words` hold words that people type: case, spaces and punctuation of
    the code do not count there. All others match exactly.
    """

    __slots__ = ("_displays", "_targets", "head", "name", "words")

    def __init__(self, name: str, head: Mapping[str, str], rows: Iterable[Row]) -> None:
        self.name = name
        self.head = MappingProxyType(dict(head))
        self.words = head.get("match") == "words"
        self._targets: dict[str, Target] = {}
        self._displays: dict[str, str] = {}
        for row in rows:
            self._add(row)

    @property
    def system(self) -> str:
        """The URI of the source codes; "" when they have none."""
        return self.head.get("system", "")

    def get(self, code: str) -> Target | None:
        """The target of a source code; None when the table has no row for it."""
        found = self._targets.get(code)
        if found is None and self.words:
            return self._targets.get(fold(code))
        return found

    def display(self, code: str) -> str:
        """What the source's standard calls the code; "" when the table has no row for it."""
        return self._displays.get(fold(code) if self.words else code, "")

    def codes(self) -> tuple[str, ...]:
        """All source codes, in the order of the file (folded in a table of words)."""
        return tuple(self._targets)

    def _add(self, row: Row) -> None:
        key = fold(row["code"]) if self.words else row["code"]
        if key in self._targets:
            raise DataFileError(f"terminology/tables/{self.name}.csv", row["code"], "stands twice")
        self._targets[key] = Target(row["target_code"], row["target_system"], row["target_display"])
        self._displays[key] = row["display"]


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """A word as tables of words compare it: letters and digits only, case folded."""
    return "".join(filter(str.isalnum, text)).casefold()


@cache
def table(name: str) -> Table:
    """The table `terminology/tables/<name>.csv`. Raises DataFileError when absent or malformed."""
    head, rows = _read("tables", f"{name}.csv")
    if rows and tuple(rows[0]) != COLUMNS:
        raise DataFileError(f"terminology/tables/{name}.csv", "heading", ",".join(COLUMNS))
    return Table(name, head, rows)


@cache
def rows(name: str) -> tuple[Row, ...]:
    """The rows of `terminology/<name>.csv`, a list with columns of its own (README.md there).

    Raises DataFileError when absent.
    """
    _, found = _read(f"{name}.csv")
    return tuple(MappingProxyType(row) for row in found)


@cache
def value_set(url_or_name: str) -> frozenset[tuple[str, str]]:
    """All (system, code) of a value set, by canonical URL (a `|version` is ignored) or by name.

    Raises DataFileError when it is not shipped (`value_set_names` lists those that are).
    """
    url = url_or_name.partition("|")[0]
    name = url.rpartition("/")[2]
    head, found = _read("valuesets", f"{name}.csv")
    if "/" in url and head.get("url") != url:
        raise DataFileError(f"terminology/valuesets/{name}.csv", "url", f"is not {url}")
    return frozenset((row["system"], row["code"]) for row in found)


@cache
def value_set_names() -> Mapping[str, str]:
    """Canonical URL -> name of every shipped value set."""
    files = sorted(data.path("terminology", "valuesets").glob("*.csv"))
    return MappingProxyType({_head(file)["url"]: file.stem for file in files})


@cache
def identifier(name: str) -> Identifier:
    """An identifier system by our name for it, e.g. `cin`. Raises DataFileError when unknown."""
    for row in rows("identifier-systems"):
        if row["name"] == name:
            return Identifier(name, row["system"], row["type_code"], row["pattern"])
    raise DataFileError("terminology/identifier-systems.csv", name, "has no row")


@cache
def system(name: str, scope: str = "") -> str:
    """The URI of an identifier system; `scope` narrows it to one plan, provider or feed.

    `system("plan-member", "sunrise")` is `.../sid/plan-member/sunrise`.
    """
    base = identifier(name).system
    return f"{base}/{scope}" if scope else base


def authority(namespace: str) -> str | None:
    """The system that an assigner stands for: an HD.1 namespace or an OID; None when unknown."""
    return _authorities().get(namespace.removeprefix("urn:oid:").strip().upper())


@cache
def _authorities() -> Mapping[str, str]:
    return {row["namespace"].upper(): row["system"] for row in rows("authorities")}


def _read(*parts: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    file = data.path("terminology", *parts)
    if not file.is_file():
        raise DataFileError("/".join(("terminology", *parts)), "file", "does not exist")
    return data.table(file)


def _head(file: Path) -> Mapping[str, str]:
    return data.table(file)[0]
