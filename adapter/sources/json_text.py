"""JSON bytes of a stranger as Python values: limits on size and depth, no key twice."""

from __future__ import annotations

import json
import re
from typing import Any

from adapter import data

MAX_BYTES = 1 << 20
MAX_DEPTH = 16

_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)  # linear on any text


class BadJson(ValueError):
    """Why a text is not taken: a slug of issues.DETAILS, a text, the line, and the key at fault."""

    def __init__(self, detail: str, text: str, line: int = 1, key: str = "") -> None:
        super().__init__(detail)
        self.detail, self.text, self.line, self.key = detail, text, line, key


def loads(raw: bytes | str) -> Any:
    """The value of a JSON text. Raises BadJson, also for a key that stands twice in one object.

    A repeated key has no agreed meaning (RFC 8259, 4), and one value would be lost in silence.
    """
    if len(raw) > MAX_BYTES:
        raise BadJson("file-size", "a form is at most 1 MiB")
    text = _text(raw)
    if not text.strip():
        raise BadJson("file-empty", "the input holds nothing")
    if _depth(text) > MAX_DEPTH:
        raise BadJson("file-format", f"nested deeper than {MAX_DEPTH}")
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=data.decimal
        )
    except BadJson:
        raise
    except json.JSONDecodeError as error:
        raise BadJson("file-format", "not JSON from here on", error.lineno) from None
    except ValueError:
        raise BadJson("file-format", "a number that JSON readers do not share") from None


def _text(raw: bytes | str) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadJson("file-encoding", "JSON is UTF-8 (RFC 8259, 8.1)") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise BadJson("file-format", "a key stands twice in one object", key=key)
        made[key] = value
    return made


def _constant(name: str) -> Any:
    raise BadJson("file-format", "NaN and Infinity are not JSON")
