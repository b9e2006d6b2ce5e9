"""A stay as far as it is told, and what it was before each event that another may take back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapter.program.effects import Effect, effects
from adapter.program.places import Places, in_order

Json = dict[str, Any]

ENDED = frozenset(("finished", "cancelled", "entered-in-error"))
LIVE = frozenset(("arrived", "triaged", "in-progress", "onleave"))
PLANNED = frozenset(("planned",))
OF_THE_END = ("dischargeDisposition", "destination")  # elements of the hospitalization


class Before(NamedTuple):
    """What the stay was before an event that another may take back.

    `after` it, where the patient was; `began`, the start that was told then.
    """

    event: str
    number: int
    status: str
    coding: Json | None
    places: Places
    plan: Json
    start: str
    after: Places = Places()
    began: str = ""

    @property
    def plans(self) -> bool:
        """Whether the event only told what is to come."""
        effect = effects().get(self.event, Effect())
        return not (effect.status or effect.move)

    def without(self, paths: Sequence[str]) -> Before:
        """The same, with nothing planned at these paths."""
        return self._replace(plan={n: v for n, v in self.plan.items() if n not in paths})


@dataclass(slots=True)
class Stay:
    """The stay so far; `by` names the movement that last changed an element.

    `aside`  start or end, while the other was told since and they cannot both be right
    `alone`  elements of which no part has a life of its own: length, the end that is planned
    `left`   when the stay ended, as far as it did: the places of then were left
    `calm`   the movement that last took the plan of a discharge back
    """

    status: str = ""
    status_since: str = ""
    statuses: list[Json] = field(default_factory=list)
    coding: Json | None = None
    class_since: str = ""
    classes: list[Json] = field(default_factory=list)
    period: Json = field(default_factory=dict)
    aside: Json = field(default_factory=dict)
    hospitalization: Json = field(default_factory=dict)
    alone: Json = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    weak: Json = field(default_factory=dict)
    before: list[Before] = field(default_factory=list)
    by: dict[str, int] = field(default_factory=dict)
    left: str = ""
    calm: int = -1

    @property
    def start(self) -> str:
        """When it began, as last told; "" when nobody said."""
        return str(self.period.get("start") or self.aside.get("start", ""))


def fit(stay: Stay, said: Json) -> None:
    """Take in what is said of start and end; what it cannot be right beside comes back with it."""
    every = {**stay.aside, **stay.period, **said}
    right = in_order(every.get("start", ""), every.get("end", ""))
    stay.period = every if right else dict(said)
    stay.aside = {name: every[name] for name in every if name not in stay.period}
