"""Enrolled members of each lead care manager, across all plans, against the plan's ratio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from adapter.program.rules import Rule, Scope, find

Load = Literal["over the maximum", "over what is recommended", "within", "no ratio"]


@dataclass(frozen=True, slots=True)
class Caseload:
    """How many enrolled members a lead care manager has; `manager` `""`: those who have none."""

    manager: str
    members: int
    load: Load
    rule: Rule | None


def caseloads(managers: Iterable[str], plan: str, on: date) -> list[Caseload]:
    """The caseload of every manager, the highest first.

    `managers` holds one reference (or `""`) for each enrolled member of whatever plan; `plan`
    says whose ratio is looked at (Health Net guide 3.5: across all plans).
    """
    rule = find("caseload", Scope(plan), on)
    counts = sorted(Counter(managers).items(), key=lambda pair: (-pair[1], pair[0]))
    return [Caseload(who, count, _load(who, count, rule), rule) for who, count in counts]


def _load(manager: str, members: int, rule: Rule | None) -> Load:
    if rule is None or not manager or "maximum" not in rule.values:
        return "no ratio"
    if members > rule.values["maximum"]:
        return "over the maximum"
    return "over what is recommended" if members > rule.values["recommended"] else "within"
