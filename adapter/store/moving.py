"""Stays and numbers that a sender gave to another person, and whose they were.

HL7 v2.9 chapters 3.3.43 (A43) and 3.3.45 (A45). What is told of the one before, as of a time
before, is late and no doubt: the stay, or the number, was theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adapter.store import alike
from adapter.store.fold import merge
from adapter.store.registers import Register, Stamp
from adapter.store.work import State, Work

_MARK = "~from "  # begins the name of a register that is no element; whose it was follows


def keep(work: Work, stay: State, source: str, whose: str, stamp: Stamp) -> None:
    """Remember that a source gave a stay of someone to another, or a number to this one."""
    merge(stay.contributions, source, {_MARK + whose: Register(stamp, {})})
    work.contributed(stay, source)


def had(work: Work, stay: State, whose: str, order: tuple[str, str]) -> bool:
    """Whether a stay was someone's until after a time."""
    return any(uid == whose and stamp.order > order for uid, stamp in _before(work, stay))


def giver(work: Work, uids: Sequence[str], order: tuple[str, str]) -> str:
    """Of several people the one who gave a number to each of the others after a time, or `""`."""
    known = {uid: state for uid in uids if (state := work.state(alike.KIND, uid)) is not None}
    gave = (
        uid
        for uid in uids
        if all(had(work, one, uid, order) for other, one in known.items() if other != uid)
    )
    return next(gave, "")


def people(work: Work, stay: State) -> list[str]:
    """The ids of all whose a stay was, as far as a move told it, and is."""
    before = {uid for uid, _ in _before(work, stay)}
    subject = stay.content.get("subject", {}).get("reference", "")
    return sorted({*before, _survivor(work, subject.partition("/")[2])})


def _before(work: Work, stay: State) -> Iterator[tuple[str, Stamp]]:
    for name, register in _registers(stay):
        if name.startswith(_MARK):
            yield _survivor(work, name.removeprefix(_MARK)), register.stamp


def _registers(stay: State) -> Iterable[tuple[str, Register]]:
    return (row for mine in stay.contributions.values() for row in mine.items())


def _survivor(work: Work, uid: str) -> str:
    return work.merged.survivor(alike.KIND, uid)
