"""What never changes is asked once: constants of mapping files, and words that feeds repeat."""

from __future__ import annotations

from typing import Any

from adapter.constant import Constant, Constants
from adapter.validation.faults import Fault, Rule, Walk

FIXED = frozenset({Constant, Constants})


def once(rule: Rule, value: Any, walk: Walk) -> list[Fault] | None:
    """What a rule finds in a fixed value: it never changes, so what was sound is not asked again.

    Its References are noted each time, since they lead to what is beside it.
    """
    if value.sure is rule:
        return None
    for known, links, urns in value.sound:
        if known is rule:
            walk.links += links
            walk.urns += urns
            return None
    met, met_urns = len(walk.links), len(walk.urns)
    found = rule(value, walk)
    if not found:
        told = tuple(walk.links[met:]), tuple(walk.urns[met_urns:])
        value.sound = (*value.sound, (rule, *told))
        if told == ((), ()):
            value.sure = rule
    return found
