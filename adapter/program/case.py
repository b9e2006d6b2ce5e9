"""What the rules know of one member: dated facts, each with the resource that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from adapter.program.rules import Scope

Phase = Literal["outreach", "enrolled", "over"]
TIERS = ("catastrophic", "high", "moderate", "low")  # the highest risk first


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to reach the member: its day, in which way, and our code of what came of it.

    `modality` and `outcome` are `""` when unknown; `letter`: that contact could not be made.
    """

    ref: str
    on: date
    modality: str
    outcome: str = ""
    letter: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """One ECM service after enrollment; `services` are our codes of the core services."""

    ref: str
    on: date
    in_person: bool = False
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """One assessment; `done` when it is complete."""

    ref: str
    on: date
    done: bool


@dataclass(frozen=True, slots=True)
class Authorization:
    """A period that the plan authorized (`decided`), or was asked to; no end: open."""

    ref: str
    start: date
    end: date | None
    decided: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """Who the member is, as a list for people says it."""

    name: str = ""
    cin: str = ""
    member_id: str = ""
    languages: tuple[str, ...] = ()
    address: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One member of one plan; days are California's, None: unknown.

    `received`   the member file that named the member came to us
    `assigned`   the plan's own word for the day
    `enrolled`, `ended`  first day, and last day once it is over
    `manager`    reference of the lead care manager
    `priority`   1 (highest) to 3; `acuity` one of TIERS or `""`
    `stays`      last known day of each hospital or emergency stay
    `undated`    attempts without a day, which no rule can count
    """

    patient: str
    plan: str
    episode: str
    phase: Phase
    county: str = ""
    person: Person = Person()
    received: date | None = None
    assigned: date | None = None
    enrolled: date | None = None
    ended: date | None = None
    manager: str = ""
    priority: int | None = None
    acuity: str = ""
    homeless: bool = False
    attempts: tuple[Attempt, ...] = ()
    contacts: tuple[Contact, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    care_plans: tuple[date, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    stays: tuple[date, ...] = ()
    undated: int = 0

    @property
    def scope(self) -> Scope:
        """Which rules bind the member."""
        return Scope(self.plan, self.county)

    @property
    def risk(self) -> tuple[int, int]:
        """The highest first: the worse of priority and acuity (Health Net tiers), then acuity."""
        rank = TIERS.index(self.acuity) if self.acuity in TIERS else len(TIERS)
        return min(self.priority or len(TIERS), max(rank, 1)), rank
