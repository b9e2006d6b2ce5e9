"""Where the shipped data files are; the only module that knows."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Iterator
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


dumps: Callable[[Any], bytes] = orjson.dumps
"""A JSON-able value as UTF-8 bytes, keys in their order."""


def written(value: Any) -> object:
    """A JSON-able value as JSON already, for `dumps` to copy wherever it stands."""
    return orjson.Fragment(orjson.dumps(value))


def loads(text: bytes | str) -> Any:
    """JSON text as Python values. Raises ValueError when it does not parse."""
    return orjson.loads(text)
