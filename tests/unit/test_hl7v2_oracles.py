"""Two other parsers judge our tokenizer: the same fields and components from real messages."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from adapter.record import Message
from adapter.sources import hl7v2

ROOT = Path(__file__).resolve().parents[2]


def messages(files) -> list[tuple[str, Message]]:
    found = ((file.name, one) for file in files for one in hl7v2.read(file.read_bytes(), file.name))
    return [(name, one) for name, one in found if isinstance(one, Message)]


@pytest.fixture(scope="module")
def corpus(shared) -> list[tuple[str, Message]]:
    return messages(sorted((shared / "samples" / "adt").rglob("*.hl7")))


def own() -> list[tuple[str, Message]]:
    return messages(sorted((ROOT / "fixtures" / "hl7v2").rglob("input.hl7")))


def lines(message: Message) -> list[str]:
    return [segment for segment in message.segments if segment]


def fields(segment: str) -> list[str]:
    parts = segment.split("|")
    return [parts[0], "|", *parts[1:]] if parts[0] == "MSH" else parts


def differ_from_python_hl7(message: Message) -> list[str]:
    """The segments of which python-hl7 reads other fields or components."""
    theirs = hl7.parse("\r".join(lines(message)))
    wrong = []
    for segment, other in zip(lines(message), theirs, strict=True):
        parts = [
            [[str(part) for part in one] if isinstance(one, hl7.Repetition) else [str(one)]
             for one in found] if isinstance(found, hl7.Field) else [[str(found)]]
            for found in other
        ]  # fmt: skip
        if segment.startswith("MSH|"):
            continue  # it splits MSH-2 by the characters that MSH-2 names
        if parts != [[rep.split("^") for rep in text.split("~")] for text in fields(segment)]:
            wrong.append(segment[:3])
    return wrong


def texts(segment: str) -> Counter[str]:
    """The components of a segment that are not empty, in any order, numbers without leading zeros.

    hl7apy moves withdrawn fields and components, writes numbers anew and trims white space.
    """
    found = (part.strip() for text in fields(segment)[1:] for part in re.split(r"[~^&]", text))
    plain = (text.lstrip("0") if text.isdigit() else text for text in found)
    return Counter(text for text in plain if text and "\\" not in text)


def differ_from_hl7apy(message: Message) -> list[str]:
    """The segments of which hl7apy reads other values; escapes, which it rewrites, left out."""
    tolerant = VALIDATION_LEVEL.TOLERANT
    other = parse_message("\r".join(lines(message)), validation_level=tolerant, find_groups=False)
    pairs = zip(lines(message), other.children, strict=True)
    return [a[:3] for a, b in pairs if not a.startswith("MSH") and texts(a) != texts(b.to_er7())]


def test_python_hl7_reads_the_same_from_every_sample(corpus):
    assert len(corpus) > 240
    assert [name for name, message in corpus if differ_from_python_hl7(message)] == []


def test_hl7apy_reads_the_same_from_samples(corpus):
    chosen = corpus[::8]
    assert len(chosen) > 30
    assert [name for name, message in chosen if differ_from_hl7apy(message)] == []


def test_both_read_our_own_fixtures_the_same():
    assert len(own()) > 15
    for _, message in own():
        assert differ_from_python_hl7(message) == []
        if re.fullmatch(r"2\.[2-8]", message.version):
            assert differ_from_hl7apy(message) == []


@pytest.mark.parametrize("delimiters", ["$*%!@", "|^~\\&", "#:;?,", "^|~\\&"])
def test_python_hl7_reads_other_delimiters_the_same(delimiters):
    names = dict(zip("|^~\\&", delimiters, strict=True))
    text = "MSH|^~\\&|APP|FAC|HUB||20260701||ADT^A08|7|T|2.5\rEVN|A08\rPID|||A^^^X&1.2&ISO~B||C^D"
    moved = "".join(names.get(char, char) for char in text)
    (ours,), theirs = hl7v2.read(moved), hl7.parse(moved)
    assert [str(theirs.segment("PID")[n]) for n in (3, 5)] == [
        "".join(names.get(char, char) for char in part)
        for part in (ours.segments[2].split("|")[n] for n in (3, 5))
    ]
