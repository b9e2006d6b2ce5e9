"""What a sender's texts said before: the same ward, doctor or code is not read twice.

Nothing that is a member's own is remembered: names, numbers, addresses and times of persons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from adapter.mapping.paths import LINE
from adapter.mapping.run import Feed, Run
from adapter.record import fixed

_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., Any])
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


def steady(*beside: int) -> Callable[[_F], _F]:
    """Mark a reader: its result hangs on the sender, the field's text and these other fields alone.

    Only for what is no member's own.
    """

    def mark(read: _F) -> _F:
        read.beside = beside  # type: ignore[attr-defined]  # a mark on a function
        return read

    return mark


def beside(read: Callable[..., Any] | None) -> tuple[int, ...] | None:
    """The other fields that a steady reader asks; None of one that is not steady."""
    return getattr(read, "beside", None)


def lasting(read: Callable[[Run, list[str]], _R]) -> Callable[[Run, list[str]], _R]:
    """A steady reader of components that asks no other field, remembered wherever it is called.

    The value is fixed: nobody may change it. A reader that raises is asked again.
    """
    name = f"{read.__module__}.{read.__qualname__} {id(read)}"

    @steady()
    def again(run: Run, parts: list[str]) -> Any:
        if run.sub != "&":
            return read(run, parts)
        place = (run.sender, name, run.label[:4] == "PID-", *parts)
        known = _known.get(place)
        if known is None:
            known = _keep(place, _told(run, lambda: fixed(read(run, parts))))
            return known.value
        for tell, *what in known.told:
            tell(run, *what)
        return known.value

    again.__doc__ = read.__doc__
    return again


def field(
    run_field: Callable[[Run, str], None], others: Iterable[int]
) -> Callable[[Run, str], None]:
    """A field whose readers are all steady: what was written for a text is written again."""
    places = tuple(others)

    def run_again(run: Run, text: str) -> None:
        if run.ops is not None or '"' in text or "~" in text or "\\" in text:
            run_field(run, text)
            return
        fields = run.fields
        place = (run.sender, run_field, text, *[fields[n] for n in places if n < len(fields)])
        known = _known.get(place)
        if known is None:
            _learn(place, run, run_field, text)
            return
        for tell, *what in known.told:
            tell(run, *what)
        line = run.line
        for draft_of, put, value, rep, shared, root in known.value:
            draft = draft_of(run)
            put(draft, value, line * LINE if shared else rep)
            if root:
                draft.origins.append((line, root, run.label))

    return run_again


def _learn(
    place: tuple[Any, ...], run: Run, run_field: Callable[[Run, str], None], text: str
) -> None:
    run.ops = ops = list[Any]()
    try:
        known = _told(run, lambda: run_field(run, text))
    finally:
        run.ops = None
    if None not in ops:
        done = [(draft_of, put, fixed(value), *rest) for draft_of, put, value, *rest in ops]
        _keep(place, known._replace(value=done))


def _keep(place: tuple[Any, ...], known: _Read) -> _Read:
    if len(_known) >= _MOST:
        _known.clear()
    _known[place] = known
    return known


def _told(run: Run, read: Callable[[], Any]) -> _Read:
    """What reading returns, with all that it tells of meanwhile."""
    outer, tape = run.tape, list[tuple[Any, ...]]()
    run.tape = tape
    try:
        return _Read(read(), tuple(tape))
    finally:
        run.tape = outer
        if outer is not None:
            outer += tape
