"""What a unit asks of the store besides its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """By the urns of its entries.

    `merges`    (urn of the survivor, urn of the loser) of each merge that it tells
    `moves`     from whom an identifier comes, by whom it goes to
    `known`     those who must be stored, and have an identifier that says so
    `answers`   what a person decided of each doubt: `Patient/abc`, or NEW
    `changes`   what gets another number (renaming.py), and since when
    `sender`    whose stays these are: admitted at one time elsewhere it is another stay
    `line`      its line in the ledger
    `heard`     it comes from others than the plan whose member it is of
    `moves_on`  it says that stays go to another person, or that two people are one
    `order`     its place in time
    """

    merges: Sequence[tuple[str, str]] = ()
    moves: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    answers: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[frozenset[str], str] = (frozenset(), "")
    sender: str = ""
    line: int = 0
    heard: bool = False
    moves_on: bool = False
    order: tuple[str, str] = ("", "")
