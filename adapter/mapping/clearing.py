"""What an HL7 v2 null (`""`) deletes: the element, or its piece, that the field's rule writes."""

from __future__ import annotations

from typing import Any

from adapter.mapping.model import Map, Rule
from adapter.record import BY_FIELD, PIECEWISE, by_field, piece

# Elements of which each child is told by a field of its own.
_BY_CHILD = ("period", "hospitalization", "meta")
# Told as a whole list, though single items of it may be deleted.
_WHOLE = ("diagnosis",)
# What converters and builders write that no constant beside them shows.
_SAMPLES: dict[str, dict[str, Any]] = {
    "organization": {"reference": "Organization/"},
    "practitioner": {"reference": "Practitioner/"},
    "us_core_race": {"url": "/us-core-race"},
    "us_core_ethnicity": {"url": "/us-core-ethnicity"},
    "citizenship": {"url": "/patient-citizenship"},
    "tribal_affiliation": {"url": "/us-core-tribal-affiliation"},
    "nationality": {"url": "/patient-nationality"},
    "species": {"url": "/patient-animal"},
    "important_person": {"url": "/patient-importance"},
    "subscriber_number": {"url": "/extension-Coverage.subscriberId"},
    "observation_id": {"url": "/observation-v2-subid"},
    "specimens": {"url": "/extension-Observation.specimen"},
    "episode_text": {"url": "/resource-instance-description"},
    "prior_temporary": {"url": "/extension-EncounterHistory.location"},
}


def cleared(item: Map, rule: Rule) -> str:
    """The path that a null of the rule's field deletes, `""` for none.

    `gender`; `period.end`; `location[temporary]`; an item as it is told again: `telecom/PID-13`.
    An identifier is never deleted for being absent: it may lead to the person once more. Nor are
    the items of a list that other fields tell, where nobody knows which of them the field told.
    """
    first, *rest = rule.to.steps
    if first.key == "identifier":
        return ""
    if first.slot is None:
        children = [step.key for step in rest] if first.key in _BY_CHILD else []
        return ".".join([first.key, *children])
    if first.key == "location":
        return f"location[{first.slot}]"
    if first.key in BY_FIELD:
        return f"{first.key}/{by_field([rule.source.partition('.')[0]], 1)[0]}"
    if first.key in _WHOLE or first.key not in PIECEWISE:
        return first.key
    name = piece(first.key, _sample(item, rule))
    return f"{first.key}/{name}" if name else ""


def _sample(item: Map, rule: Rule) -> dict[str, Any]:
    """What is known before any message of the item that a rule writes: constants of its slot."""
    first = rule.to.steps[0]
    found = dict(_SAMPLES.get(rule.build or rule.convert, {}))
    for other in item.rules:
        steps = other.to.steps
        if first.slot and other.value is not None and steps[0] == first and len(steps) > 1:
            found[steps[1].key] = other.value
    return found
