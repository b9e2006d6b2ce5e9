"""MLLP frames out of any stream of bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.transport.framing import Deframer, Fault, frame

ONE, TWO = b"MSH|one\rPID|\r", b"MSH|two\r"
JUNK, NO_END = Fault("junk"), Fault("no-end")


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (frame(ONE), [ONE]),
        (frame(ONE) + frame(TWO), [ONE, TWO]),
        (b"\r\n \r\n" + frame(ONE) + b"\r\n" + frame(TWO), [ONE, TWO]),
        (b"GET / HTTP/1.1\r\n" + frame(ONE), [JUNK, ONE]),
        (frame(ONE) + b"MSH|unframed\r" + frame(TWO), [ONE, JUNK, TWO]),
        (b"\x0b" + ONE + frame(TWO), [NO_END, TWO]),
        (b"\x0b" + ONE + b"\x1c\n" + frame(TWO), [ONE, TWO]),
        (b"\x0b" + ONE + b"\x1c" + frame(TWO), [ONE, TWO]),
        (b"\x0b\x0b" + ONE + b"\x1c\r", [NO_END, ONE]),
        (frame(b"a\x1cb"), [b"a\x1cb"]),
        (frame(b"a\x1c\x1cb"), [b"a\x1c\x1cb"]),
        (frame(b""), [b""]),
        (frame(b"x" * 100), [b"x" * 100]),
        (frame(b"x" * 101) + frame(ONE), [Fault("too-long", b"x" * 101), ONE]),
        (b"\x0b" + ONE, []),
        (b"\x1c\r\x1c\r", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_frames_however_they_arrive(stream: bytes, found: list[bytes | Fault], size: int) -> None:
    deframer = Deframer(limit=100)
    got: list[bytes | Fault] = []
    for start in range(0, len(stream), size):
        got += deframer.feed(stream[start : start + size])
    cut = [one._replace(head=b"x" * 101) if isinstance(one, Fault) and one.head else one
           for one in got]  # fmt: skip
    assert cut == found


@pytest.mark.parametrize(
    ("stream", "at_once", "at_end"),
    [
        (b"\x0b" + ONE + b"\x1c", [], [ONE]),
        (b"\x0b" + ONE, [], [NO_END]),
        (frame(ONE), [ONE], []),
        (b"\x0b", [], [NO_END]),
        (b"", [], []),
    ],
)
def test_what_is_left_at_the_end(stream: bytes, at_once: list[bytes], at_end: list[bytes]) -> None:
    deframer = Deframer(limit=100)
    assert deframer.feed(stream) == at_once
    assert deframer.pending == (at_end == [ONE])
    assert deframer.end() == at_end
    assert not deframer.inside
    assert deframer.feed(frame(TWO)) == [TWO]


def test_an_endless_frame_is_not_kept() -> None:
    deframer = Deframer(limit=1000)
    assert deframer.feed(b"\x0bMSH|") == []
    for _ in range(100):
        assert deframer.feed(b"x" * 1000) == []
    assert len(deframer._buffer) <= 1001
    (fault,) = deframer.feed(b"\x1c\r")
    assert isinstance(fault, Fault) and fault.wrong == "too-long"
    assert fault.head.startswith(b"MSH|xxx")


PARTS = st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"MSH|", b"x" * 30, b"y"])


@given(st.lists(PARTS, max_size=40), st.lists(st.integers(0, 200), max_size=10))
def test_the_cuts_of_a_stream_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole = Deframer(limit=50)
    expected = [*whole.feed(stream), *whole.end()]
    pieces, got = Deframer(limit=50), []
    places = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(places):
        got += pieces.feed(stream[start:end])
    got += pieces.end()

    def plain(found: list[bytes | Fault]) -> list[object]:
        return [one if isinstance(one, bytes) else one.wrong for one in found]

    assert plain(got) == plain(expected)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_frames_come_out_as_they_went_in(messages: list[bytes]) -> None:
    clean = [one.replace(b"\x0b", b"").replace(b"\x1c", b"") for one in messages]
    stream = b"".join(map(frame, clean))
    assert Deframer(limit=100).feed(stream) == clean
