"""What never changes is asked once: constants of mapping files, and words that feeds repeat."""

from __future__ import annotations

from typing import Any

from adapter.record import Constant, Constants
from adapter.validation.faults import Fault, Rule, Walk

FIXED = frozenset({Constant, Constants})


def once(rule: Rule, value: Any, walk: Walk) -> list[Fault] | None:
    """What a rule finds in a fixed value: it never changes, so what was sound is not asked again.

    Its References are noted each time, since they lead to what is beside it.
    """
    for known, links in value.sound:
        if known is rule:
            walk.links += links
            return None
    met = len(walk.links)
    found = rule(value, walk)
    if not found:
        value.sound = (*value.sound, (rule, tuple(walk.links[met:])))
    return found
