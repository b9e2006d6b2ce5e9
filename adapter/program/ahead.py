"""What a pending discharge (A16) tells ahead of time, by its path in the Encounter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.program.course import ENDED, OF_THE_END, Before, Stay, fit
from adapter.program.effects import Effect

Json = dict[str, Any]

PLANNED_END = "extension/extension-Encounter_plannedEndDate"
_AHEAD = ("hospitalization.destination", "hospitalization.dischargeDisposition", "period.end")
_PLAN = (*_AHEAD, "length", PLANNED_END)  # of which _AHEAD may tell of a real end
# What the event that takes it back (A25) clears by itself; a null of its message clears once more.
_UNPLANNED = ("hospitalization.destination", PLANNED_END)


def plan(stay: Stay) -> Json:
    """What is told of the discharge, by its path."""
    ends = stay.hospitalization
    found = {f"hospitalization.{name}": ends[name] for name in OF_THE_END if name in ends}
    if "end" in stay.period:
        found["period.end"] = stay.period["end"]
    return {**found, **stay.alone}


def cleared(
    stay: Stay, effect: Effect, paths: Sequence[str], undone: Before | None
) -> Sequence[str]:
    """What a message deletes; a plan is not deleted where what stood before it comes back.

    Nor twice: told again, a cancel finds what the first left. A null of its own deletes anyway.
    """
    if effect.move != "unplan":
        return paths
    if stay.status in ENDED:
        paths = [path for path in paths if path not in _AHEAD]
    if undone is not None or stay.by.get("plan", -1) <= stay.calm:
        nulls = _nulls(paths)
        return [path for path in paths if path not in _PLAN or path in nulls]
    return paths


def take(stay: Stay, number: int, effect: Effect, was: Before, undone: Before | None) -> None:
    """Note what an event does to the plan; one that takes it back restores what stood before."""
    if undone is not None and effect.move == "unplan":
        _plan_again(stay, number, undone.plan)
    if plan(stay) != was.plan:
        stay.by["plan"] = number
    if effect.move == "unplan":
        stay.calm = number


def _plan_again(stay: Stay, number: int, before: Json) -> None:
    """What was told of the discharge before its plan; what is told of a real end stays."""
    for path in (PLANNED_END,) if stay.status in ENDED else _PLAN:
        root, _, child = path.partition(".")
        box = {"period": stay.period, "hospitalization": stay.hospitalization}.get(root, stay.alone)
        name = child or path
        if box.get(name) != before.get(path):
            stay.by[root] = number
            box.pop(name, None)
            old = {name: before[path]} if path in before else {}
            box.update(old)
            if root == "period":
                fit(stay, old)


def _nulls(paths: Sequence[str]) -> frozenset[str]:
    """What a null of a cancel's own message deletes, besides what its event takes back."""
    return frozenset(path for path in paths if path not in _UNPLANNED or paths.count(path) > 1)
