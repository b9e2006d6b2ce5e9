"""What a sender's texts named before: the same ward, doctor or code is not read twice.

Nothing that is a member's own is remembered: names, numbers, addresses and times of persons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from adapter.mapping.run import Feed, Run
from adapter.record import fixed

_R = TypeVar("_R")
_MOST = 50_000  # texts that are remembered; then all are forgotten
_SENDERS = 1_000


class _Read(NamedTuple):
    """What a text was read as, and all that reading it told: resources named, findings."""

    value: Any
    told: tuple[tuple[Any, ...], ...]


_known: dict[tuple[Any, ...], _Read] = {}
_senders: dict[tuple[int, str], tuple[int, Feed]] = {}


def sender(feed: Feed, facility: str) -> int:
    """A number for a feed and the facility it speaks for: what a text means depends on them."""
    place = (id(feed), facility)
    found = _senders.get(place)
    if found is None:
        if len(_senders) >= _SENDERS:
            _senders.clear()
            _known.clear()
        _senders[place] = found = (len(_senders) + 1, feed)  # held, so that its id stays its own
    return found[0]


def lasting(read: Callable[[Run, list[str]], _R]) -> Callable[[Run, list[str]], _R]:
    """A reader of components whose result hangs on the sender and the texts alone, remembered.

    The value is fixed: nobody may change it. A reader that raises is asked again.
    """
    name = f"{read.__module__}.{read.__qualname__} {id(read)}"

    def again(run: Run, parts: list[str]) -> Any:
        if run.sub != "&":
            return read(run, parts)
        place = (run.sender, name, run.label[:4] == "PID-", *parts)
        known = _known.get(place)
        if known is None:
            known = _told(read, run, parts)
            if len(_known) >= _MOST:
                _known.clear()
            _known[place] = known
            return known.value
        for tell, *what in known.told:
            tell(run, *what)
        return known.value

    again.__doc__ = read.__doc__
    return again


def _told(read: Callable[[Run, list[str]], Any], run: Run, parts: list[str]) -> _Read:
    outer, tape = run.tape, list[tuple[Any, ...]]()
    run.tape = tape
    try:
        return _Read(fixed(read(run, parts)), tuple(tape))
    finally:
        run.tape = outer
        if outer is not None:
            outer += tape
