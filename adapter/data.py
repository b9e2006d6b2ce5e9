"""Where the shipped data files are; the only module that knows."""

from __future__ import annotations

import csv
import json as _json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from adapter.errors import DataFileError

_PACKAGE = Path(__file__).resolve().parent


@cache
def root() -> Path:
    """The folder that holds mappings/, profiles/, terminology/ and fixtures/.

    In a checkout that is the project's root; in an installed wheel it is inside the package.
    """
    inside = _PACKAGE / "shipped"
    return inside if inside.is_dir() else _PACKAGE.parent


def path(*parts: str) -> Path:
    """The path of a shipped file or folder, e.g. `path("mappings", "mif", "layouts")`."""
    return root().joinpath(*parts)


def name(file: Path) -> str:
    """A shipped file's name as error texts give it: relative to the project's root."""
    return file.relative_to(root()).as_posix() if file.is_relative_to(root()) else file.name


def toml(file: Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises DataFileError naming file and line when it does not parse."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataFileError(name(file), "file", "does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError(name(file), "syntax", str(error)) from None


def json(file: Path) -> Any:
    """A JSON file. Raises DataFileError when it does not parse."""
    try:
        return orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise DataFileError(name(file), "file", "does not exist") from None
    except orjson.JSONDecodeError as error:
        raise DataFileError(name(file), "syntax", str(error)) from None


def table(file: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """A CSV table as (header, rows); the header is its leading `# key: value` comment lines.

    Raises DataFileError when a row has more or fewer cells than the heading.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if line and not line.startswith("#")]
    rows = list(csv.DictReader(body, restkey="", restval=None))
    for number, row in enumerate(rows, len(head) + 2):
        if "" in row or None in row.values():
            raise DataFileError(name(file), f"line {number}", "cells and columns differ in number")
    return dict(_comments(head)), rows


def _comments(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, colon, value = line.lstrip("# ").partition(":")
        if colon:
            yield key.strip(), value.strip()


class Exact(float):
    """A decimal whose text says more than its number: 7.40 is more precise than 7.4.

    FHIR R4, datatypes, decimal: precision has significance, 0.010 is regarded as different to 0.01.
    """

    def __new__(cls, text: str) -> Exact:
        """Of a text that is a number in JSON."""
        self = super().__new__(cls, text)
        self.text = text
        return self

    text: str

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # a float's own has the number
        return (self.text,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exact) and self.text == other.text

    def __ne__(self, other: object) -> bool:  # a float's own asks the number
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def decimal(text: str) -> Any:
    """A text that is a number in JSON as a number that is written as this text again."""
    found = float(text)
    return found if repr(found) == text else Exact(text)


def whole(text: str) -> Any:
    """A text that is a whole number in JSON as that number; beyond 64 bits as the text again."""
    found = int(text)
    return found if -(1 << 63) <= found < 1 << 64 else Exact(text)


# Before an exact decimal: blank in JSON, and nowhere else in what is written here.
_MARK, _IN_BYTES = "\t", b"\t"
_EXACT = re.compile(rb"[.](?:[0-9]*0|[0-9]{16,})[\s,}\]eE]|[0-9][eE][+-]?[0-9]|[0-9]{19}")


def _unknown(value: Any) -> object:
    if isinstance(value, Exact):
        return orjson.Fragment(_MARK + value.text)
    raise TypeError(f"no JSON value: {type(value).__name__}")


def dumps(value: Any) -> bytes:
    """A JSON-able value as UTF-8 bytes, keys in their order."""
    return orjson.dumps(value, _unknown)


def written(value: Any) -> object:
    """A JSON-able value as JSON already, for `dumps` to copy wherever it stands."""
    return orjson.Fragment(dumps(value))


def loads(text: bytes | str) -> Any:
    """JSON text as `dumps` wrote it as Python values. Raises ValueError when it does not parse."""
    if (_MARK in text) if isinstance(text, str) else (_IN_BYTES in text):
        return _json.loads(text, parse_float=decimal, parse_int=whole)
    return orjson.loads(text)


def foreign(text: bytes) -> Any:
    """JSON text as anybody writes it, decimals exact. Raises ValueError when it does not parse."""
    value = orjson.loads(text)
    if not _EXACT.search(text):
        return value
    try:
        return _json.loads(text, parse_float=decimal, parse_int=whole)
    except RecursionError:  # deeper than Python reads, and than any resource is
        return value
