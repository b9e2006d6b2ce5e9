"""What an HL7 v2 null (`""`) deletes: the element, or its piece, that the field's rule writes."""

from __future__ import annotations

from typing import Any

from adapter.mapping.model import Map, Rule
from adapter.record import piece

# Elements of which each child is told by a field of its own.
_BY_CHILD = ("period", "hospitalization")
# What converters and builders write that no constant beside them shows.
_SAMPLES: dict[str, dict[str, Any]] = {
    "work_phone": {"use": "work"},
    "organization": {"reference": "Organization/"},
    "practitioner": {"reference": "Practitioner/"},
    "us_core_race": {"url": "/us-core-race"},
    "us_core_ethnicity": {"url": "/us-core-ethnicity"},
    "citizenship": {"url": "/patient-citizenship"},
    "nationality": {"url": "/patient-nationality"},
    "species": {"url": "/patient-animal"},
}


def cleared(item: Map, rule: Rule) -> str:
    """The path that a null of the rule's field deletes, `""` for none.

    `gender`; `period.end`; `location[temporary]`; an item as it is told again: `telecom/work`.
    An identifier is never deleted for being absent: it may lead to the person once more.
    """
    first, *rest = rule.to.steps
    if first.key == "identifier":
        return ""
    if first.slot is None:
        children = [step.key for step in rest] if first.key in _BY_CHILD else []
        return ".".join([first.key, *children])
    if first.key == "location":
        return f"location[{first.slot}]"
    name = piece(first.key, _sample(item, rule))
    return f"{first.key}/{name}" if name else first.key


def _sample(item: Map, rule: Rule) -> dict[str, Any]:
    """What is known before any message of the item that a rule writes: constants of its slot."""
    first = rule.to.steps[0]
    found = dict(_SAMPLES.get(rule.build or rule.convert, {}))
    for other in item.rules:
        steps = other.to.steps
        if first.slot and other.value is not None and steps[0] == first and len(steps) > 1:
            found[steps[1].key] = other.value
    return found
