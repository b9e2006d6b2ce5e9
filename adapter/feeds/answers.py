"""What goes back for HL7 v2 messages once their units are durable, or are not to be had."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from adapter import convert, logs
from adapter.errors import AdapterError
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.pipeline import Pipeline, UnitResult
from adapter.sources import hl7v2_ack
from adapter.sources.hl7v2_ack import Answer, Head, Verdict
from adapter.sources.hl7v2_pieces import opened

log = logging.getLogger("adapter.feeds")

_VERDICT: dict[str, Verdict] = {"stored": "A", "duplicate": "A", "review": "A", "refused": "R"}
_TROUBLE = Issue("error", "internal", "not stored, by no fault of the message; send it again")


class Frame(NamedTuple):
    """The bytes of one MLLP frame or request, and the port they came in on.

    `cut`  only its beginning is here, since it is over the limit: refused
    """

    raw: bytes
    port: int = 0
    cut: bool = False

    @property
    def name(self) -> str:
        """What the ledger calls it: the same bytes have the same name."""
        return f"adt-{hashlib.sha256(self.raw).hexdigest()[:16]}"


def take(house: Pipeline, frames: Sequence[Frame]) -> list[list[bytes]]:
    """Convert and store frames in one durable batch; the messages to send back for each.

    AA: stored, stored before, or put aside for a person to look at. AR: in the ledger as refused.
    AE: not stored, because of us. Nothing is answered before it is durable.
    """
    found = [_converted(house, frame) for frame in frames]
    outcomes = [one for some in found if some is not None for one in some]
    results = iter(_committed(house, outcomes))
    now = house.clock()
    answers = []
    for frame, some in zip(frames, found, strict=True):
        of_frame = [next(results) for _ in some] if some is not None else [None]
        if None in of_frame:
            answers.append(trouble(frame.raw, now))
        else:
            answers.append(acknowledge(frame.raw, [one for one in of_frame if one], now))
    return answers


def _converted(house: Pipeline, frame: Frame) -> list[Outcome] | None:
    """The units of a frame; None when our own fault keeps us from reading it."""
    try:
        door = convert.Door(frame.port, house.takes)
        found = list(convert.adt(frame.raw, frame.name, "", door))
        if frame.cut:
            found = [_cut(found[0])]
    except Exception as error:  # the boundary: one message must not stop those of others
        logs.fault(log, "a message could not be converted", error)
        return None
    for one in found:
        if not one.unit.raw:  # not even a message: kept whole, for whoever looks into it
            one.unit.raw, one.unit.key = frame.raw, str(one.unit.at)
    return found


def _cut(first: Outcome) -> Outcome:
    """The outcome of a message of which only the beginning was kept."""
    issue = Issue("error", "file-size", "the message is over the limit", first.unit.at)
    return Outcome(first.unit, issues=[issue])


def _committed(house: Pipeline, outcomes: Sequence[Outcome]) -> Iterator[UnitResult | None]:
    """The result of each unit, None for what is not stored.

    A database out of reach is out of reach for all of them; any other fault may be that of one
    unit, and then each is tried by itself.
    """
    done = 0
    try:
        for result in house.commit(outcomes):
            done += 1
            yield result
    except AdapterError as error:
        logs.fault(log, "a batch was not stored", error)
        yield from [None] * (len(outcomes) - done)
    except Exception as error:  # the boundary: one unit must not keep the others from storing
        logs.fault(log, "a batch failed", error)
        for outcome in outcomes[done:]:
            yield _alone(house, outcome) if len(outcomes) > 1 else None


def _alone(house: Pipeline, outcome: Outcome) -> UnitResult | None:
    try:
        return next(iter(house.commit([outcome])))
    except Exception as error:  # the boundary: this one is answered AE
        logs.fault(log, "a message was not stored", error)
        return None


# --- the answers


def acknowledge(raw: bytes, results: Iterable[UnitResult], now: datetime) -> list[bytes]:
    """The messages to send back for a frame or request whose units have these results.

    A batch gets one batch; several messages without an envelope one answer each.
    """
    found = list(results)
    return _answers(raw, now, lambda head, end: _answer(found, head, end))


def trouble(raw: bytes, now: datetime) -> list[bytes]:
    """The answers when nothing of it is stored, because of us."""
    return _answers(raw, now, lambda head, end: Answer("E", [_TROUBLE]))


def _answers(raw: bytes, now: datetime, answer: Callable[[Head, int], Answer]) -> list[bytes]:
    text, codec, _ = opened(raw)
    heads = list(hl7v2_ack.heads(text))
    ends = [*(head.line for head in heads[1:]), 1 << 62]
    found = [
        hl7v2_ack.acknowledge(head, answer(head, end), now)
        for head, end in zip(heads, ends, strict=True)
    ]
    if hl7v2_ack.enveloped(text):
        return [hl7v2_ack.batch(text, found, now).encode(codec)]
    return [one.encode(codec) for some in found for one in some]


def _answer(results: list[UnitResult], head: Head, end: int) -> Answer:
    """The verdict on the message that begins at a line: that of the worst of its units."""
    mine = [one for one in results if head.line <= one.line < end] or results[:1]
    verdicts = {_VERDICT[one.status] for one in mine} or {"E"}
    issues = [issue for one in mine if one.status != "duplicate" for issue in one.issues]
    verdict: Verdict = "R" if "R" in verdicts else "E" if "E" in verdicts else "A"
    return Answer(verdict, issues if issues or verdict == "A" else [_TROUBLE])
