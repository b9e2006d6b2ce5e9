"""What a sender's texts said before: the same ward, doctor or code is not read twice.

Nothing that is a member's own is remembered: names, numbers, addresses and times of persons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from adapter.constant import fixed
from adapter.mapping.paths import LINE
from adapter.mapping.run import Feed, Run

_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., Any])
_MOST = 50_000  # texts that are remembered; then all are forgotten
_SENDERS = 1_000
_LONGEST = 2_000  # letters of a text that is remembered


_Tape = list[tuple[Callable[..., None], tuple[Any, ...]]]


class _Read(NamedTuple):
    """What a text was read as, and all that reading it told: resources named, findings."""

    value: Any
    told: tuple[tuple[Callable[..., None], tuple[Any, ...]], ...]


_beside: dict[Callable[..., Any], tuple[int, ...]] = {}  # steady readers
_known: dict[tuple[Any, ...], _Read] = {}
_senders: dict[tuple[int, str], tuple[int, Feed]] = {}


def sender(feed: Feed, facility: str) -> int:
    """A number for a feed and the facility it speaks for: what a text means depends on them."""
    place = (id(feed), facility)
    found = _senders.get(place)
    if found is None:
        if len(_senders) >= _SENDERS:
            _senders.clear()
            _forget()
        _senders[place] = found = (len(_senders) + 1, feed)  # held, so that its id stays its own
    return found[0]


def steady(*beside: int) -> Callable[[_F], _F]:
    """Mark a reader: its result hangs on the sender, the field's text and these other fields alone.

    Only for what is no member's own.
    """

    def mark(read: _F) -> _F:
        _beside[read] = beside
        return read

    return mark


def beside(read: Callable[..., Any] | None) -> tuple[int, ...] | None:
    """The other fields that a steady reader asks; None of one that is not steady."""
    return None if read is None else _beside.get(read)


def lasting(read: Callable[[Run, list[str]], _R]) -> Callable[[Run, list[str]], _R]:
    """A steady reader of components that asks no other field, remembered wherever it is called.

    The value is fixed: nobody may change it. A reader that raises is asked again.
    """

    @steady()
    def again(run: Run, parts: list[str]) -> Any:
        if run.sub != "&":
            return read(run, parts)
        place = (run.sender, read, run.label[:4] == "PID-", *parts)
        known = _known.get(place)
        if known is None:
            return _keep(_known, place, _told(run, lambda: fixed(read(run, parts)))).value
        for tell, what in known.told:
            tell(run, *what)
        return known.value

    again.__doc__ = read.__doc__
    return again


def field(
    run_field: Callable[[Run, str], None], others: Iterable[int], unless: Iterable[int] = ()
) -> Callable[[Run, str], None]:
    """A field whose readers are all steady: what was written for a text is written again.

    `others` are the fields that they ask too. Where one of `unless` says something it is read
    anew: that may be a time of the member's own.
    """
    places = tuple(others)
    texts: dict[int, dict[Any, _Read]] = {}
    _fields.append(texts)

    def run_again(run: Run, text: str) -> None:
        known = texts.get(run.sender)
        if known is None:
            known = texts[run.sender] = {}
        place = (text, *_texts(run.fields, places)) if places else text
        made = known.get(place)
        if made is None:
            if text == _NULL:
                run_field(run, text)
            else:
                _learn(known, place, run, run_field)
            return
        ops, told = made
        for tell, what in told:
            tell(run, *what)
        drafts, line, label = run.drafts, run.line, run.label
        for name, draft_of, put, value, rep, shared, root in ops:
            draft = drafts.get(name) or draft_of(run)
            put(draft, value, line * LINE + rep if shared else rep)
            if root:
                draft.origins.append((line, root, label))

    return _either(run_field, run_again, tuple(unless))


def _either(
    anew: Callable[[Run, str], None], again: Callable[[Run, str], None], places: tuple[int, ...]
) -> Callable[[Run, str], None]:
    """The one where these fields say something, else the other."""
    if not places:
        return again

    def run_either(run: Run, text: str) -> None:
        (anew if any(_texts(run.fields, places)) else again)(run, text)

    return run_either


_NULL = '""'  # to be deleted: no reader sees it
_fields: list[dict[int, dict[Any, _Read]]] = []  # by field, of each sender


def _texts(fields: list[str], places: tuple[int, ...]) -> list[str]:
    return [fields[place] if place < len(fields) else "" for place in places]


def _learn(
    known: dict[Any, _Read], place: Any, run: Run, run_field: Callable[[Run, str], None]
) -> None:
    text = place if isinstance(place, str) else place[0]
    ops: list[Any] = []
    run.ops = ops
    try:
        made = _told(run, lambda: run_field(run, text))
    finally:
        run.ops = None
    if "~" not in text or all(tell is Run.take for tell, _ in made.told):
        done = [(name, of, put, fixed(value), *rest) for name, of, put, value, *rest in ops]
        _keep(known, place, made._replace(value=done))


def short(texts: Iterable[object]) -> bool:
    """Whether texts may be remembered: what a hostile sender repeats must not fill the memory."""
    return sum(len(text) for text in texts if isinstance(text, str)) <= _LONGEST


def _keep(among: dict[Any, _Read], place: Any, made: _Read) -> _Read:
    if not short((place,) if isinstance(place, str) else place):
        return made
    among[place] = made
    _kept[0] += 1
    if _kept[0] > _MOST:
        _forget()
    return made


def _forget() -> None:
    _kept[0] = 0
    _known.clear()
    for texts in _fields:
        texts.clear()


_kept = [0]  # how many texts


def _told(run: Run, read: Callable[[], Any]) -> _Read:
    """What reading returns, with all that it tells of meanwhile."""
    outer = run.tape
    tape: _Tape = []
    run.tape = tape
    try:
        return _Read(read(), tuple(tape))
    finally:
        run.tape = outer
        if outer is not None:
            outer += tape
