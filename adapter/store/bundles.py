"""Long stays: their movements in rows of their own, so that one more message writes few of them."""

from __future__ import annotations

from adapter.store.movements import MARK
from adapter.store.registers import Contribution

SIZE = 16  # movements that every message of a stay writes anew, at most
_APART = "\x1f"  # in the name of a row between its source and its number; in no name of a feed


def source_of(row: str) -> str:
    """The source of which a row holds all, or a bundle of movements."""
    return row.partition(_APART)[0]


class Bundles:
    """The bundles of one stay as they are stored, by source."""

    __slots__ = ("_stored",)

    def __init__(self) -> None:
        self._stored: dict[str, list[Contribution]] = {}

    def read(self, row: str, said: Contribution) -> None:
        """Remember what a row holds, if it is a bundle."""
        source, bundle, number = row.partition(_APART)
        if bundle:
            stored = self._stored.setdefault(source, [])
            stored.extend({} for _ in range(len(stored), int(number) + 1))
            stored[int(number)] = said

    def rows(self, source: str, said: Contribution) -> dict[str, Contribution]:
        """The rows to write so that all is stored that a source says by now.

        Bundles stay as they are until something takes a movement out of one: a deletion, a merge.
        """
        stored = self._stored.get(source, [])
        if len(said) <= SIZE and not stored:
            return {source: said}
        changed: dict[str, Contribution] = {}
        if not all(said.get(name) is one for bundle in stored for name, one in bundle.items()):
            changed = {_name(source, number): {} for number in range(len(stored))}
            stored = []
        apart = {name for bundle in stored for name in bundle}
        own = {name: one for name, one in said.items() if name not in apart}
        loose = {name: one for name, one in own.items() if name[0] == MARK}
        if len(loose) > SIZE:
            changed[_name(source, len(stored))] = loose
            stored = [*stored, loose]
            own = {name: one for name, one in own.items() if name not in loose}
        self._stored[source] = stored
        return {source: own, **changed}


def _name(source: str, number: int) -> str:
    return f"{source}{_APART}{number}"
