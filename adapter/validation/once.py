"""What never changes is asked once: constants of mapping files, and words that columns repeat."""

from __future__ import annotations

from typing import Any

from adapter.record import Constant, Constants
from adapter.validation.faults import Fault, Rule, Walk

FIXED = frozenset({Constant, Constants})
_MOST = 100_000  # values that are remembered; then all are forgotten
_sound: dict[tuple[int, int], Any] = {}  # by identity: (value, rule) that was sound


def once(rule: Rule, value: Any, walk: Walk) -> list[Fault] | None:
    """What a rule finds in a fixed value: it never changes, so what was sound is not asked again.

    A value with References is asked each time, since they lead to what is beside it.
    """
    mark, links = (id(value), id(rule)), len(walk.links)
    if _sound.get(mark) is value:
        return None
    found = rule(value, walk)
    if not found and len(walk.links) == links:
        if len(_sound) >= _MOST:
            _sound.clear()
        _sound[mark] = value
    return found
