"""What validation finds wrong in a unit: left out where the rest can stand, else it refuses."""

from __future__ import annotations

from dataclasses import replace

from adapter import validation
from adapter.constant import Constant
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.record import Entry, Location

_MENDS = 3  # what is left out may be required by a profile, which then is no longer claimed


def checked(outcome: Outcome) -> Outcome:
    """The outcome with what validation finds, placed where the value came from.

    An element that is not valid is left out and a profile that does not hold is not claimed, both
    with a warning, so that the rest of the message is not lost; what is wrong after that refuses.
    """
    changed: set[str] | None = None
    for _ in range(_MENDS if outcome.entries else 0):
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
            name = (entry.urn if entry else "", element)
            mended = name in gone or (entry is not None and _left_out(entry, issue, element))
            changed.add(name[0])
            if mended and issue.detail != "profile":
                gone.add(name)  # another fault of the same element went with it
            severity = "warning" if mended else issue.severity
            outcome.issues.append(issue._replace(severity=severity, at=at))
        if not outcome.ok:
            return outcome
    outcome.issues += _faults(outcome, changed) if outcome.entries else []
    return outcome


def _faults(outcome: Outcome, only: set[str] | None) -> list[Issue]:
    return validation.check_unit([(entry.urn, entry.resource) for entry in outcome.entries], only)


def _left_out(entry: Entry, issue: Issue, element: str) -> bool:
    """Take the faulty element, or the claim of the profile, out of a resource."""
    if issue.detail == "profile":
        meta = entry.resource.pop("meta", {})
        kept = {key: value for key, value in meta.items() if key != "profile"}
        if kept:  # security labels stay, whatever the profile
            entry.resource["meta"] = kept
        return True
    return entry.resource.pop(element, None) is not None


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
