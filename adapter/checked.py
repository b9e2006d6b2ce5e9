"""What validation finds wrong in a unit: left out where the rest can stand, else it refuses."""

from __future__ import annotations

from adapter import validation
from adapter.issues import Issue, Severity
from adapter.outcome import Outcome
from adapter.record import Constant, Entry, Location

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
        changed = set()
        for issue in found:
            entry, element = _find(issue.path or "", outcome.entries)
            name = (entry.urn if entry else "", element)
            mended = name in gone or (entry is not None and _left_out(entry, issue, element))
            changed.add(name[0])
            if mended and issue.detail != "profile":
                gone.add(name)  # another fault of the same element went with it
            severity = "warning" if mended else issue.severity
            outcome.issues.append(_placed(issue, severity, outcome, entry, element))
        if not outcome.ok:
            return outcome
    outcome.issues += _faults(outcome, changed) if outcome.entries else []
    return outcome


def _faults(outcome: Outcome, only: set[str] | None) -> list[Issue]:
    return validation.check_unit([(entry.urn, entry.resource) for entry in outcome.entries], only)


def _left_out(entry: Entry, issue: Issue, element: str) -> bool:
    """Take the faulty element, or the claim of the profile, out of a resource."""
    if type(entry.resource) is Constant:
        entry.resource = dict(entry.resource)
        entry.told = [(line, name, label) for name, line, label in entry.origins if name != element]
    if issue.detail == "profile":
        meta = entry.resource.pop("meta", {})
        kept = {key: value for key, value in meta.items() if key != "profile"}
        if kept:  # security labels stay, whatever the profile
            entry.resource["meta"] = kept
        return True
    return entry.resource.pop(element, None) is not None


def _placed(
    issue: Issue, severity: Severity, outcome: Outcome, entry: Entry | None, element: str
) -> Issue:
    found = entry.origins if entry else ()
    origin = next((o for o in found if o.element.partition("/")[0] == element), None)
    at = outcome.unit.at
    if origin is not None:
        at = Location(at.source, origin.line, origin.field)
    return Issue(severity, issue.detail, issue.text, at, issue.path)


def _find(path: str, entries: list[Entry]) -> tuple[Entry | None, str]:
    """The entry and top-level element of a path like `Condition[1].code.coding[0]`."""
    root, _, rest = path.partition(".")
    kind, _, number = root.rstrip("]").partition("[")
    same = [entry for entry in entries if entry.resource["resourceType"] == kind]
    place = int(number or 0)
    element = rest.partition(".")[0].partition("[")[0]
    return (same[place] if place < len(same) else None), element
