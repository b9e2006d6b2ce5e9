"""What validation finds wrong in a unit: left out where the rest can stand, else it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapter import validation
from adapter.constant import Constant, opened
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.record import Entry, Location, Resource

_MENDS = 5  # what is left out may be required by a profile, which then is no longer claimed
_PARTS = 2  # the first of these, which leave no more out than what is wrong within an element


def checked(outcome: Outcome) -> Outcome:
    """The outcome with what validation finds, placed where the value came from.

    What is not valid is left out, with the element it is in where that cannot stand without it, and
    a profile that does not hold is not claimed, both with a warning, so that the rest of the
    message is not lost; what is wrong after that refuses.
    """
    changed: set[str] | None = None
    for mend in range(_MENDS if outcome.entries else 0):
        found = _faults(outcome, changed)
        if not found:
            return outcome
        gone: set[tuple[str, str]] = set()
        changed, places = set(), _places(outcome.entries)
        for issue in found:
            place, element = _find(issue.path or "", places)
            entry = outcome.entries[place] if place >= 0 else None
            entry = _own(outcome, entry) if entry else None
            at = _place(outcome, entry, element)
            path = issue.path or "" if mend < _PARTS else ""
            mended = entry is not None and _mended(entry, issue, element, path, gone)
            changed.add(entry.urn if entry else "")
            severity = "warning" if mended else issue.severity
            outcome.issues.append(issue._replace(severity=severity, at=at))
        if not outcome.ok:
            return outcome
    outcome.issues += _faults(outcome, changed) if outcome.entries else []
    return outcome


def _faults(outcome: Outcome, only: set[str] | None) -> list[Issue]:
    return validation.check_unit([(entry.urn, entry.resource) for entry in outcome.entries], only)


def _mended(
    entry: Entry, issue: Issue, element: str, path: str, gone: set[tuple[str, str]]
) -> bool:
    """Leave out what is wrong: the claim of a profile, the part at a path, or the whole element.

    `gone` is what is left out already: with it went other faults of the same.
    """
    resource, name, part = entry.resource, (entry.urn, element), (entry.urn, path)
    if name in gone or part in gone:
        return True
    if issue.detail == "profile":
        meta = resource.pop("meta", {})
        kept = {key: value for key, value in meta.items() if key != "profile"}
        if kept:  # security labels stay, whatever the profile
            resource["meta"] = kept
        return True
    if path and _part_left_out(resource, path):
        gone.add(part)
        return True
    if resource.pop(element, None) is None:
        return False
    gone.add(name)
    return True


def _part_left_out(resource: Resource, path: str) -> bool:
    """Take what is wrong within an element out, if anything else of its object is left."""
    _, *inner, last = path.split(".")
    box: Any = resource
    for step in inner:
        name, _, number = step.rstrip("]").partition("[")
        box = opened(box, name) if name in box else None
        if isinstance(box, list) and number and isinstance(box[int(number)], dict):
            box[int(number)] = box = dict(box[int(number)])
        if not isinstance(box, dict):
            return False
    name = last.partition("[")[0]
    return bool(inner) and len(box) > 1 and box.pop(name, None) is not None


def _own(outcome: Outcome, entry: Entry) -> Entry:
    """The entry to be changed: a copy in its place where other units have it too."""
    if type(entry.resource) is not Constant:
        return entry
    own = replace(entry, resource=dict(entry.resource))
    outcome.entries = [own if one is entry else one for one in outcome.entries]
    return own


def _place(outcome: Outcome, entry: Entry | None, element: str) -> Location:
    """Where an element came from; the unit's own place when nobody said."""
    found = entry.origins if entry else ()
    origin = next((o for o in found if o.element.partition("/")[0] == element), None)
    at = outcome.unit.at
    return at if origin is None else Location(at.source, origin.line, origin.field)


def _places(entries: list[Entry]) -> dict[str, list[int]]:
    """Where the entries of each type of resource are."""
    places: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.resource["resourceType"], []).append(place)
    return places


def _find(path: str, places: dict[str, list[int]]) -> tuple[int, str]:
    """The entry's place (-1 for none) and the top-level element of a path like
    `Condition[1].code.coding[0]`.
    """
    root, _, rest = path.partition(".")
    kind, _, number = root.rstrip("]").partition("[")
    same, place = places.get(kind, ()), int(number or 0)
    element = rest.partition(".")[0].partition("[")[0]
    return (same[place] if place < len(same) else -1), element
