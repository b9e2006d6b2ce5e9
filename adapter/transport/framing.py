"""MLLP framing without sockets: bytes in, whole frames and what is wrong out."""

from __future__ import annotations

from typing import Literal, NamedTuple

VT, FS, CR = 0x0B, 0x1C, 0x0D
_START, _END = b"\x0b", b"\x1c"
_AFTER = b"\r\n\x0b"  # what may stand after FS: CR; what senders put there; the next frame
_SPACE = b"\r\n \t\x1c"
_HEAD = 4096  # bytes kept of a frame over the limit: enough for its MSH

Wrong = Literal["junk", "no-end", "too-long"]


class Fault(NamedTuple):
    """Bytes that are no frame: outside of any, without an end, or over the limit.

    `head` is the beginning of a frame that ended but is too long; it can be answered.
    """

    wrong: Wrong
    head: bytes = b""


def frame(message: bytes) -> bytes:
    """A message as an MLLP block (HL7 MLLP release 1: VT, message, FS, CR)."""
    return _START + message + b"\x1c\r"


class Deframer:
    """Cuts a stream into frames, however the bytes arrive.

    FS ends a frame when CR follows, or LF or VT; any other FS is part of the message. A VT inside
    a frame begins a new one: what came before has no end and is never taken for whole.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._inside = False
        self._seen = 0  # bytes of the buffer that were searched
        self._too_long = b""  # the head of a frame whose rest is thrown away
        self._junk = False

    @property
    def inside(self) -> bool:
        """True while a frame has begun and not ended."""
        return self._inside

    @property
    def pending(self) -> bool:
        """True when all that may be missing is the CR that some senders leave out."""
        return self._inside and self._buffer.endswith(_END)

    def feed(self, data: bytes) -> list[bytes | Fault]:
        """What is complete after these bytes."""
        self._buffer += data
        found: list[bytes | Fault] = []
        while self._content(found) if self._inside else self._between(found):
            pass
        return found

    def end(self) -> list[bytes | Fault]:
        """What is left when nothing more comes: a frame without its last CR is whole."""
        found: list[bytes | Fault] = []
        if self.pending:
            found = self.feed(b"\r")
        elif self._inside:
            found.append(Fault("no-end"))
        self._reset(len(self._buffer))
        return found

    def _between(self, found: list[bytes | Fault]) -> bool:
        """Outside of a frame: everything up to VT is thrown away. True when there may be more."""
        start = self._buffer.find(_START)
        passed = self._buffer if start < 0 else self._buffer[:start]
        if passed.strip(_SPACE) and not self._junk:
            self._junk = True  # once, however much of it there is
            found.append(Fault("junk"))
        del self._buffer[: len(passed) + (start >= 0)]
        if start < 0:
            return False
        self._inside, self._junk, self._seen = True, False, 0
        return True

    def _content(self, found: list[bytes | Fault]) -> bool:
        """Inside a frame: look for its end. True when there may be more in the buffer."""
        end, again = self._stop()
        if again >= 0 and (end < 0 or again < end):
            found.append(Fault("no-end"))
            self._reset(again + 1)
            self._inside = True
            return True
        if end < 0:
            self._shorten()
            return False
        found.append(self._whole(end))
        after = self._buffer[end + 1]
        self._reset(end + (1 if after == VT else 2))
        return bool(self._buffer)

    def _stop(self) -> tuple[int, int]:
        """Where the frame ends, and where another begins inside it; -1 for not yet."""
        again = self._buffer.find(_START, self._seen)
        last = again if again >= 0 else len(self._buffer)  # what ends behind it is another's end
        end = self._buffer.find(_END, self._seen, last)
        while end >= 0 and not self._ends(end):
            end = self._buffer.find(_END, end + 1, last)
        if again == end + 1 and end >= 0:
            again = -1  # the next frame, right behind the end of this one
        self._seen = max(len(self._buffer) - 1, 0)
        return end, again

    def _ends(self, place: int) -> bool:
        return place + 1 < len(self._buffer) and self._buffer[place + 1] in _AFTER

    def _whole(self, end: int) -> bytes | Fault:
        if self._too_long or end > self._limit:
            return Fault("too-long", self._too_long or bytes(self._buffer[:_HEAD]))
        return bytes(self._buffer[:end])

    def _shorten(self) -> None:
        """Keep no more of an endless frame than its head."""
        if len(self._buffer) > self._limit + 1:
            self._too_long = self._too_long or bytes(self._buffer[:_HEAD])
        if self._too_long:
            del self._buffer[:-1]
            self._seen = 0

    def _reset(self, count: int) -> None:
        del self._buffer[:count]
        self._inside, self._seen, self._too_long = False, 0, b""
