"""What names a resource without a business identifier: the texts at the paths of its map's key."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from adapter import data
from adapter.mapping.run import Draft


@lru_cache(maxsize=1024)
def roots(key: tuple[str, ...]) -> frozenset[str]:
    """The elements that a key reads."""
    paths = _paths(key)
    return frozenset(path[0] for one in paths for path in ((one[0], one[1]), *one[2]))


def texts(draft: Draft) -> tuple[str, ...]:
    """The texts that name a resource; none when one is absent whose path has no `?`."""
    resource, parts = draft.resource, []
    for root, rest, others, needed in _paths(draft.key):
        value = resource.get(root)
        text = "" if value is None else _text(value, rest)
        if others and not text:
            text = next(filter(None, (_text(resource.get(one), more) for one, more in others)), "")
        if text[10:11] == "T":
            text = _instant(text)
        if needed and not text:
            return ()
        parts.append(text)
    return tuple(parts)


def called(draft: Draft) -> str:
    """What tells a draft from others of its person and stay: the last text of its key."""
    ((first, rest, others, _),) = _paths(draft.key[-1:])
    paths = ((first, rest), *others)
    return next(filter(None, (_text(draft.resource.get(one), more) for one, more in paths)), "")


@lru_cache(maxsize=1024)
def _instant(text: str) -> str:
    """A dateTime in UTC, however its sender wrote it; any other text as it is."""
    try:
        when = datetime.fromisoformat(text)
        return text if when.tzinfo is None else when.astimezone(UTC).isoformat()
    except (OverflowError, ValueError):
        return text


@lru_cache(maxsize=1024)
def _paths(key: tuple[str, ...]) -> tuple[tuple[str, _Rest, tuple[_Path, ...], bool], ...]:
    """Of each path of a key its first name, the others, and whether it must lead to something.

    Before the last: the paths that stand for it when it leads to nothing.
    """
    found = []
    for text in key:
        first, *others = [_path(one) for one in text.rstrip("?").split("|")]
        found.append((*first, tuple(others), not text.endswith("?")))
    return tuple(found)


_Rest = tuple[str, ...]
_Path = tuple[str, _Rest]


def _path(text: str) -> _Path:
    root, *rest = text.split(".")
    return root, tuple(rest)


def _text(value: Any, names: tuple[str, ...]) -> str:
    for name in names:
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(name) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, dict) and "reference" in value:
        return str(value["reference"])
    return token(value) or data.dumps(value).decode()


_OWN = "/CodeSystem/local/"  # in systems made of a sender's own name for them


def token(value: Any) -> str:
    """The first of a list of Identifiers or Codings as `system|code`; `""` of anything else.

    Codes of a sender's own are told apart by their words too: many allergies are its `OTHER`.
    """
    item = value[0] if isinstance(value, list) and value else None
    code = item.get("code") or item.get("value") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(code, str):
        return ""
    system = str(item.get("system", ""))
    words = str(item.get("display", "")) if not system or _OWN in system else ""
    return "|".join((system, code, words.casefold()) if words else (system, code))
