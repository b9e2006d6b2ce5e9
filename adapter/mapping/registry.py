"""The named functions that rules may call: converters of one value, builders over repetitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from adapter.mapping.run import Run

Convert = Callable[[Run, str], Any]
ConvertParts = Callable[[Run, list[str]], Any]
Build = Callable[[Run, list[str]], Any]
Join = Callable[[Run, list[str]], list[str]]
_C = TypeVar("_C", bound=Convert)
_P = TypeVar("_P", bound=ConvertParts)
_B = TypeVar("_B", bound=Build)
_J = TypeVar("_J", bound=Join)


class Converter(NamedTuple):
    """A converter: of one text (`reads` empty), or of a component list, of which it reads `reads`.

    It returns None for "nothing to write" and raises BadValue for what it cannot read.
    """

    text: Convert | None
    parts: ConvertParts | None
    reads: frozenset[int]


CONVERTERS: dict[str, Converter] = {}
JOINS: dict[str, Join] = {}
BUILDERS: dict[str, Build] = {}


def converter(name: str) -> Callable[[_C], _C]:
    """Register a converter of one text: a table cell, or an HL7 v2 primitive."""

    def register(function: _C) -> _C:
        CONVERTERS[name] = Converter(function, None, frozenset())
        return function

    return register


def datatype(name: str, reads: int, but: Iterable[int] = ()) -> Callable[[_P], _P]:
    """Register a converter of an HL7 v2 datatype's components 1 to `reads`, all `but` some.

    Components that it does not read are reported as unmapped.
    """
    read = frozenset(range(1, reads + 1)) - frozenset(but)

    def register(function: _P) -> _P:
        CONVERTERS[name] = Converter(None, function, read)
        return function

    return register


def joined(name: str) -> Callable[[_J], _J]:
    """Register what leaves out repetitions that tell of a thing that another one tells.

    It gets all texts of a field that a converter reads, and gives them back, `""` for those.
    """

    def register(function: _J) -> _J:
        JOINS[name] = function
        return function

    return register


def builder(name: str) -> Callable[[_B], _B]:
    """Register a builder: all repetitions of a source (texts) to one value or a list of values."""

    def register(function: _B) -> _B:
        BUILDERS[name] = function
        return function

    return register
