"""What a source says of a resource, slot by slot, each with when it was true."""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.record import Origin

Slot = dict[str, Any]  # {"birthDate": ..., "_birthDate": ...}: what one source says of one element

WEAK = "?"  # ends the name of a slot that only fills a gap


class Stamp(NamedTuple):
    """When a unit was true, what breaks a tie of two (the unit's hash), and its ledger number."""

    as_of: str
    tie: str
    unit: int = 0

    @property
    def order(self) -> tuple[str, str]:
        """What later and earlier mean; the ledger number depends on arrival and does not count."""
        return self.as_of, self.tie


class Register(NamedTuple):
    """The newest that one source says of one slot; `value` None says that there is none."""

    stamp: Stamp
    value: Slot | None
    origins: tuple[Origin, ...] = ()


Contribution = dict[str, Register]  # slot -> register
Contributions = dict[str, Contribution]  # source -> what it says
