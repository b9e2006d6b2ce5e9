"""Damaged messages, byte by byte: no exception but our own, and none dropped without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapter
from adapter.mapping.events import events
from tests.fuzz.holds import holds

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [file.read_bytes() for file in sorted((ROOT / "fixtures" / "hl7v2").glob("*/input.hl7"))]
HEAD = b"MSH|^~\\&|REG|MERCYTEST|HUB|HARBOR|20260701080000-0700||ADT^%s|N1|P|2.6\r"
MADE = b"PID|||M1^^^MERCYTEST^MR||TESTWELL^AURORA\rPR1|1||A-1||%s\r"
DOCTOR = b"PID|||M1^^^MERCYTEST^MR\rPV1||I|||||000000000^FIXTURE^GRETA^^^^^^^^^^SS\r"

# What the coverage-guided search (tests/fuzz) found, as small as it gets: (event, rest, refused).
FOUND: dict[str, tuple[bytes, bytes, bool]] = {
    "a patient of whom nothing is read": (b"A01", b"PID|||||||||||||||||||||||||||B\r", True),
    "nothing in PID": (b"A08", b"PID|\r", True),
    "nothing in NPU": (b"A20", b"NPU|\r", True),
    "minutes that only look like digits": (b"A08", MADE % b"20260701080000||\xc2\xb275", False),
    "a doctor by social security number": (b"A01", DOCTOR, False),
    "minutes beyond all time": (b"A08", MADE % b"99991231235900||999999", False),
}


@pytest.mark.parametrize(("event", "rest", "refused"), FOUND.values(), ids=FOUND)
def test_found_by_search(event: bytes, rest: bytes, refused: bool) -> None:
    raw = HEAD % event + rest
    holds(raw)
    assert adapter.convert_adt(raw).ok is not refused


WORDS = st.sampled_from(
    [b"\r", b"\n", b"|", b"^", b"~", b"&", b"\\", b'""', b"\x0b", b"\x1c\r", b"\0", b"\xff",
     b"\xe9", b"MSH|", b"MSH|^~\\&|", b"\rPID|", b"\rPV1|", b"\rMRG|", b"\rZBE|", b"\rBTS|2",
     b"\\X00\\", b"\\.br\\", b"\\T\\", b"0000", b"99991231", b"UNICODE UTF-16", b"8859/9"]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 60), WORDS), min_size=1, max_size=8)


def damaged(raw: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The bytes with a word put in at each place, instead of as many bytes as the edit says."""
    for where, gone, word in edits:
        at = int(where * len(raw))
        raw = raw[:at] + word + raw[at + gone :]
    return raw


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), EDITS)
def test_damaged_messages(raw: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    holds(damaged(raw, edits))


@given(st.sampled_from(SEEDS), st.sampled_from(SEEDS), st.floats(0, 1), st.floats(0, 1))
def test_one_message_cut_into_another(one: bytes, other: bytes, end: float, start: float) -> None:
    holds(one[: int(end * len(one))] + other[int(start * len(other)) :])


PERSON = b"PID|||M1^^^MERCYTEST^MR||TESTWELL^AURORA||19850314|F\r"
STAY = b"PV1||I|WARD" + b"|" * 16 + b"V1^^^MERCYTEST^VN\r"


@pytest.mark.parametrize("segment", sorted(events()["A01"].segments.keys() - {"MSH"}))
@pytest.mark.parametrize("event", ["A01", "A08", "A31"])
def test_a_null_in_any_field_refuses_nothing(segment: str, event: str) -> None:
    """`""` asks for a deletion: nowhere may it cost the rest of the message."""
    base = {"PID": PERSON, "PV1": STAY}
    wrong = []
    for place in range(1, 57):
        fields = base.get(segment, segment.encode()).rstrip(b"\r").split(b"|")
        fields += [b""] * (place + 1 - len(fields))
        fields[place] = b'""'
        made = {**base, segment: b"|".join(fields) + b"\r"}
        outcome = adapter.convert_adt(HEAD % event.encode() + b"".join(made.values()))
        if not outcome.ok:
            wrong.append(place)
    assert wrong == []
