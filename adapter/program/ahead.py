"""What a pending discharge (A16) tells ahead of time, by its path in the Encounter."""

from __future__ import annotations

PLANNED_END = "extension/extension-Encounter_plannedEndDate"
AHEAD = ("hospitalization.destination", "hospitalization.dischargeDisposition", "period.end")
PLAN = (*AHEAD, "length", PLANNED_END)  # of which AHEAD may tell of a real end
# What the event that takes it back (A25) clears by itself; a null of its message clears once more.
_UNPLANNED = ("hospitalization.destination", PLANNED_END)


def nulls(paths: tuple[str, ...]) -> frozenset[str]:
    """What a null of a cancel's own message deletes, besides what its event takes back."""
    return frozenset(path for path in paths if path not in _UNPLANNED or paths.count(path) > 1)
