"""Lists of words: our codes and what a document or plan calls them (mappings/outbound/lists)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from adapter import data


@cache
def words(name: str) -> Mapping[str, str]:
    """Our codes -> the words of a list. Raises KeyError when there is no such list."""
    file = data.path("mappings", "outbound", "lists", f"{name}.toml")
    if not file.is_file():
        raise KeyError(name)
    found: dict[str, str] = data.toml(file)["values"]
    return MappingProxyType(found)
