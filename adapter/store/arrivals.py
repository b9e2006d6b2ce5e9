"""Units as they come in: what was converted, its bytes, when, and what makes it the same again."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from adapter.outcome import Outcome
from adapter.store.instants import moment, since
from adapter.store.ledger import Mark
from adapter.store.registers import Stamp
from adapter.store.terms import clip

_TIE = 12  # hex digits of the hash that decide between two units of one instant


class Arrival(NamedTuple):
    """A unit as it came in: its outcome, its bytes, when, and what makes it the same again."""

    outcome: Outcome
    raw: bytes
    now: str
    mark: Mark

    @property
    def stamp(self) -> Stamp:
        """When it was true, without its ledger number; if it does not say, when it came."""
        return Stamp(since(self.outcome.unit.as_of) or moment(self.now), self.mark[0][:_TIE])


def arrival(outcome: Outcome, raw: bytes, now: str) -> Arrival:
    """A unit with its mark: hash of its bytes, source and key; its place if it has neither."""
    unit = outcome.unit
    key = unit.key or ("" if raw else str(unit.at))
    return Arrival(outcome, raw, now, (sha256(raw).hexdigest(), clip(unit.source), clip(key)))
