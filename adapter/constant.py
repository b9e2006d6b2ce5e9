"""JSON values that stand in many resources: nothing may change them, and answers stay with them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, NoReturn


class _Fixed:
    """What objects and lists of mapping files have in common: nothing may change them.

    `sound`    the rules that found nothing wrong with it, each with the References in it
    `sure`     the last of these that met no Reference in it
    `answers`  what tests said of it
    """

    answers: Mapping[object, bool] = MappingProxyType({})
    sure: object = None
    sound: tuple[tuple[object, tuple[Any, ...], tuple[Any, ...]], ...] = ()

    def _fixed(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a constant of a mapping file is never changed; copy it first")


class Constant(_Fixed, dict[str, Any]):
    """A JSON object of a mapping file: it stands in many resources.

    `written`  of a resource: its urn, and the JSON of the Bundle's entry that it stands in
    """

    written: tuple[str, object] = ("", None)

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = _Fixed._fixed
    __ior__ = _Fixed._fixed

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: deepcopy(value, memo) for key, value in self.items()}


class Constants(_Fixed, list[Any]):
    """A JSON list of a mapping file."""

    __setitem__ = __delitem__ = append = extend = insert = pop = remove = _Fixed._fixed
    clear = sort = reverse = __iadd__ = __imul__ = _Fixed._fixed

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [deepcopy(value, memo) for value in self]


def fixed(value: Any) -> Any:
    """A JSON value whose objects and lists can no longer be changed."""
    if isinstance(value, dict):
        return Constant({key: fixed(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return Constants(fixed(inner) for inner in value)
    return value


def opened(box: dict[str, Any], key: str) -> Any:
    """What a key of an object holds, to be written to: a copy in its place when it is fixed."""
    value = box.get(key)
    if type(value) is Constant:
        value = box[key] = dict(value)
    elif type(value) is Constants:
        value = box[key] = list(value)
    return value
