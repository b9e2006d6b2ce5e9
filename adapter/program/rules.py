"""Dated rules per plan and county from mappings/program: which one holds for whom on a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any

from adapter import data
from adapter.errors import DataFileError

CONFIDENCES = ("confirmed", "reconstructed", "unverified")
FILES = ("outreach", "care", "settings")
# What a rule of a topic may say besides who, when and where from.
VALUES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "outreach": frozenset(
            ("clock", "window", "by_priority", "start", "attempts", "modalities", "ways",
             "in_person_of", "letter", "monthly", "counts", "as_modality")
        ),
        "disengaged": frozenset(("attempts", "modalities")),
        "contact": frozenset(
            ("tiers", "unstated", "new_days", "homeless", "stays", "attempts")
        ),
        "assessment": frozenset(("begin", "complete", "again", "care_plan")),
        "authorization": frozenset(("first", "further", "ask", "listed", "holidays")),
        "caseload": frozenset(("recommended", "maximum")),
        "setting": frozenset(("value", "unit", "permitted")),
    }
)  # fmt: skip
_ABOUT = frozenset(("name", "plan", "county", "from", "to", "source", "confidence", "like"))
_FIRST, _LAST = date(2022, 1, 1), date.max


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a rule is asked for: a plan's short name, and the member's county (`""`: unknown)."""

    plan: str
    county: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a topic: whom it binds (empty: all), first and last day, what it says."""

    topic: str
    name: str
    plans: frozenset[str]
    counties: frozenset[str]
    start: date
    end: date
    source: str
    confidence: str
    values: Mapping[str, Any]

    def holds(self, scope: Scope, on: date) -> bool:
        """True when it binds the plan and the county on a day."""
        plan = not self.plans or plan_name(scope.plan) in self.plans
        county = not self.counties or scope.county.casefold() in self.counties
        return plan and county and self.start <= on <= self.end

    @property
    def precision(self) -> tuple[bool, bool, date]:
        """Plan before county before none; then the one that began last."""
        return bool(self.plans), bool(self.counties), self.start


def find(topic: str, scope: Scope, on: date, name: str = "") -> Rule | None:
    """The rule of a topic that holds on a day; `name` for topics with several things (settings).

    None when there is none: nothing is owed, then.
    """
    fits = [rule for rule in rules(topic, name) if rule.holds(scope, on)]
    return max(fits, key=lambda rule: rule.precision, default=None)


def plan_name(name: str) -> str:
    """The name by which rules know a plan (mappings/program/plans.toml), else its own."""
    folded = name.casefold()
    return _plan_names().get(folded, folded)


@cache
def _plan_names() -> Mapping[str, str]:
    rows = _file("plans")["plan"]
    return {other: name for name, row in rows.items() for other in row.get("also", ())}


@cache
def rules(topic: str, name: str = "") -> tuple[Rule, ...]:
    """All rules of a topic in the order of the files. Raises DataFileError when one is wrong."""
    found = [rule for file in FILES for rule in _read(file) if rule.topic == topic]
    kept = [rule for rule in found if rule.name == name] if name else found
    return tuple(kept)


@cache
def table(name: str) -> Mapping[str, Any]:
    """A table that is no rule: `modality` or `outcome` of outreach.toml."""
    found: dict[str, Any] = _file("outreach")[name]
    return MappingProxyType(found)


@cache
def _file(name: str) -> dict[str, Any]:
    return data.toml(data.path("mappings", "program", f"{name}.toml"))


@cache
def _read(file: str) -> tuple[Rule, ...]:
    found = [
        _rule(file, topic, _inherited(file, topic, row))
        for topic, rows in _file(file).items()
        if topic in VALUES
        for row in rows
    ]
    for rule in found:
        _alone(file, rule, found)
    return tuple(found)


def _inherited(file: str, topic: str, row: dict[str, Any]) -> dict[str, Any]:
    if "like" not in row:
        return row
    for other in _file(file)[topic]:
        if other["name"] == row["like"]:
            return {**other, **row}
    raise DataFileError(_name(file), f"{topic}.{row['name']}", "is like a rule that is not there")


def _rule(file: str, topic: str, row: dict[str, Any]) -> Rule:
    at = f"{topic}.{row.get('name', '?')}"
    if unknown := row.keys() - _ABOUT - VALUES[topic]:
        raise DataFileError(_name(file), at, f"unknown key {min(unknown)}")
    if missing := {"name", "from", "source", "confidence"} - row.keys():
        raise DataFileError(_name(file), at, f"has no {min(missing)}")
    if row["confidence"] not in CONFIDENCES:
        raise DataFileError(_name(file), at, f"confidence is one of {', '.join(CONFIDENCES)}")
    return Rule(
        topic=topic,
        name=row["name"],
        plans=_folded(row.get("plan", ())),
        counties=_folded(row.get("county", ())),
        start=row.get("from", _FIRST),
        end=row.get("to", _LAST),
        source=row["source"],
        confidence=row["confidence"],
        values=MappingProxyType({key: row[key] for key in row.keys() & VALUES[topic]}),
    )


def _alone(file: str, rule: Rule, others: list[Rule]) -> None:
    """Two rules for the same plan and county of one first day would leave the choice to chance."""
    for other in _rivals(rule, others):
        if _share(rule.plans, other.plans) and _share(rule.counties, other.counties):
            key = f"{rule.topic}.{rule.name}"
            raise DataFileError(_name(file), key, f"begins with {other.name}, for the same")


def _rivals(rule: Rule, others: list[Rule]) -> Iterator[Rule]:
    for other in others:
        same = other.topic == rule.topic and other.precision == rule.precision
        if same and other is not rule and (rule.topic != "setting" or other.name == rule.name):
            yield other


def _share(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one & other) or (not one and not other)


def _folded(words: Any) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)


def _name(file: str) -> str:
    return f"mappings/program/{file}.toml"
