"""Acknowledgements of HL7 v2 messages: what MSH asks for, MSA, and ERR at the faulty place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal, NamedTuple

from adapter import terms
from adapter.issues import Issue
from adapter.sources.hl7v2_pieces import lines, pieces

Verdict = Literal["A", "E", "R"]  # taken; our trouble; malformed or not taken

_STANDARD = "|^~\\&"
_HEAD = re.compile(r"MSH([^\w\s])([^\r\n]{1,6}?)\1")
_TWICE = re.compile(r"(.)\1")  # some senders' programs escape the escape character
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?")
_NOT_TAKEN = {"9": ("201", "Unsupported event code"), "11": ("202", "Unsupported processing id"),
              "12": ("203", "Unsupported version id")}  # fmt: skip
_SEVERITY = {"fatal": "F", "error": "E", "warning": "W", "information": "I"}
_ASKS = frozenset(("AL", "NE", "ER", "SU"))  # HL7 table 0155
_UNKNOWN = ("207", "Application internal error")
_MODERN, _NO_TEXT = (2, 5), (2, 7)  # ERR by component since 2.5; MSA-3 withdrawn in 2.7
_MOST = 20  # ERR segments in one answer


class Answer(NamedTuple):
    """What became of a message: the verdict, and what is wrong with it, with its places."""

    verdict: Verdict
    issues: Sequence[Issue] = ()


class Head:
    """A message as its answer needs it: MSH as it came, in its own delimiters, and its segments.

    `line` is the 1-based line of MSH in its source, as in the places of issues.
    """

    def __init__(self, lines: Sequence[str], line: int = 1) -> None:
        match = _HEAD.match(lines[0]) if lines else None
        found = match[1] + match[2] if match else _STANDARD
        found = found[:3] + _TWICE.sub(r"\1", found[3:5]) + found[5:]
        self.lines, self.line = lines, line
        self.delimiters = found[:5] + _STANDARD[len(found) :][: 5 - len(found)]
        self._fields = ["", *lines[0].split(found[0])] if match else []
        self.known = match is not None

    def field(self, place: int) -> str:
        """MSH-n as it came; `""` when it is not there."""
        return self._fields[place] if 2 < place < len(self._fields) else ""

    @property
    def version(self) -> tuple[int, ...]:
        """MSH-12 as numbers; 2.5.1 when it does not say."""
        return _numbers(self.field(12).split(self.delimiters[1])[0])

    @property
    def enhanced(self) -> bool:
        """Whether MSH-15 or MSH-16 asks for the enhanced mode (chapter 2.9.2)."""
        return bool(self.asks(15) or self.asks(16))

    def asks(self, place: int) -> str:
        """When MSH-15 or MSH-16 wants an answer: a code of HL7 table 0155, `""` for any other.

        A null or a word that is no code asks for nothing: it must not silence the answer.
        """
        code = self.field(place).split(self.delimiters[1])[0].strip().upper()
        return code if code in _ASKS else ""

    def text(self, words: str) -> str:
        """Our own words, with what looks like a delimiter escaped."""
        marks = dict(zip("FSRET", self.delimiters, strict=False))
        codes = {mark: name for name, mark in marks.items()}
        escape = marks.get("E", "")
        return "".join(escape + codes[c] + escape if c in codes else c for c in words)


@lru_cache(maxsize=256)
def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d{1,9}", text)[:3])) or (2, 5, 1)


def heads(text: str) -> Iterator[Head]:
    """Every message of a frame, file or batch; a text without MSH is one without a known head.

    Lines are counted as `hl7v2.read` counts them.
    """
    found = [Head(lines(one.text), one.line) for one in pieces(text) if one.name == "MSH"]
    yield from found or [Head(lines(text))]


def wanted(head: Head, verdict: Verdict) -> list[str]:
    """The acknowledgement codes that the sender asks for, in their order.

    Original mode: AA, AE or AR. Enhanced mode: CA, CE or CR as MSH-15 says (AL always, ER on
    error, SU on success, NE never), then AA, AE or AR as MSH-16 says; after CE or CR the sender
    waits for nothing more, so that no application answer follows them.
    """
    if not head.enhanced:
        return ["A" + verdict]
    asked = {"AL", "SU" if verdict == "A" else "ER"}
    accept = ["C" + verdict] if head.asks(15) in asked else []
    if accept and verdict != "A":
        return accept
    return accept + (["A" + verdict] if head.asks(16) in asked else [])


def acknowledge(head: Head, answer: Answer, now: datetime) -> list[str]:
    """The acknowledgement messages of a message: none, one, or commit and application."""
    return [_message(head, code, answer.issues, now) for code in wanted(head, answer.verdict)]


def _message(head: Head, code: str, issues: Iterable[Issue], now: datetime) -> str:
    told = [one for one in issues if one.failed][:_MOST]
    modern = head.version[:2] >= _MODERN
    rows = [_msh(head, code, now), _msa(head, code, told)]
    if code[1] == "A":  # taken all the same: a person looks at it
        told = [one._replace(severity="warning") for one in told]
    rows += [_err(head, one) if modern else _old_err(head, one) for one in told]
    return "".join(head.delimiters[0].join(_trimmed(row)) + "\r" for row in rows)


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row


def _msh(head: Head, code: str, now: datetime) -> list[str]:
    """Sender and receiver change places; version, processing id and character set stay."""
    field = head.field
    mode = ["NE", "NE"] if head.enhanced and code[0] == "A" else ["", ""]
    return [
        "MSH", head.delimiters[1:], field(5), field(6), field(3), field(4), stamp(now), "",
        _kind(head), control(head, code), field(11) or "P", field(12) or "2.5.1", "", "",
        *mode, field(17), field(18),
    ]  # fmt: skip


def _kind(head: Head) -> str:
    """MSH-9 of the answer: ACK, with the trigger event since 2.3, with its structure since 2.3.1"""
    component = head.delimiters[1]
    event = [*head.field(9).split(component), ""][1]
    if head.version < (2, 3) or not event:
        return "ACK"
    return component.join(["ACK", event] if head.version < (2, 3, 1) else ["ACK", event, "ACK"])


def control(head: Head, code: str) -> str:
    """MSH-10 of the answer: the same message gets the same one again (20 characters at most)."""
    return code[0] + sha256("\r".join(head.lines).encode("utf-8", "replace")).hexdigest()[:19]


@lru_cache(maxsize=16)
def stamp(now: datetime) -> str:
    """An instant as DTM with its offset."""
    return now.strftime("%Y%m%d%H%M%S%z")


def _msa(head: Head, code: str, issues: Sequence[Issue]) -> list[str]:
    row = ["MSA", code, head.field(10)]
    if not issues or head.version[:2] >= _NO_TEXT:
        return row
    row.append(head.text(issues[0].text))
    if head.version[:2] < _MODERN:
        row += ["", "", _coded(head, issues[0])]
    return row


def _err(head: Head, issue: Issue) -> list[str]:
    """ERR since 2.5: location (ERL), code of table 0357, severity, and words for the user."""
    place = head.delimiters[1].join(_trimmed(list(location(head, issue))))
    row = ["ERR", "", place, _coded(head, issue), _SEVERITY[issue.severity]]
    return [*row, "", "", "", head.text(f"{issue.detail}: {issue.text}")]


def _old_err(head: Head, issue: Issue) -> list[str]:
    """ERR before 2.5: ERR-1 (ELD) has segment, its number, the field, and the code."""
    segment, sequence, field, *_ = location(head, issue)
    sub = head.delimiters[4:5] or "&"
    code = sub.join((*condition(head, issue), "HL70357"))
    return ["ERR", head.delimiters[1].join((segment, sequence, field, code))]


def _coded(head: Head, issue: Issue) -> str:
    return head.delimiters[1].join((*condition(head, issue), "HL70357"))


def condition(head: Head, issue: Issue) -> tuple[str, str]:
    """What is wrong as (code, display) of HL7 table 0357 (terminology/tables/error-condition)."""
    if issue.detail == "not-supported":
        place = _PLACE.fullmatch(issue.at.field) if issue.at else None
        if head.field(9).split(head.delimiters[1])[0].strip().upper() != "ADT":
            return "200", "Unsupported message type"
        return _NOT_TAKEN.get(place[2] if place else "9", _NOT_TAKEN["9"])
    found = terms.table("error-condition").get(issue.detail)
    return (found.code, found.display) if found else _UNKNOWN


def location(head: Head, issue: Issue) -> tuple[str, str, str, str, str, str]:
    """Where it is, as the components of ERL: segment, its number, field, repetition, parts."""
    place = _PLACE.fullmatch(issue.at.field) if issue.at else None
    row = issue.at.line - head.line if issue.at else -1
    if place is None and 0 <= row < len(head.lines):
        place = _PLACE.fullmatch(head.lines[row][:3])
    if place is None:
        return ("MSH", "1", "", "", "", "")
    segment, field, repetition, component, part = (text or "" for text in place.groups())
    if field and not repetition:
        repetition = "1"
    return (segment, str(_sequence(head, segment, row)), field, repetition, component, part)


def _sequence(head: Head, segment: str, row: int) -> int:
    """Which of the segments of its name the one of a line is; 1 for one that is not there."""
    return max(sum(line.startswith(segment) for line in head.lines[: max(row, 0) + 1]), 1)


def batch(text: str, answers: Sequence[Sequence[str]], now: datetime) -> str:
    """The answer to a batch: its envelope turned round, and the answers to each of its messages.

    BTS-1 counts answers, FTS-1 batches (chapter 2.10.3); a trailer that the sender left out is
    written.
    """
    written = _Batch(now)
    waiting = iter(answers)
    for piece in pieces(text):
        if piece.name == "MSH":
            written.add(next(waiting))
        elif piece.name in ("FHS", "BHS"):
            written.open(lines(piece.text)[0])
        elif piece.name:
            written.close(piece.name)
    written.close("FTS")
    return "".join(written.rows)


def enveloped(text: str) -> bool:
    """Whether messages came in a batch or file envelope."""
    return any(piece.name in ("FHS", "BHS") for piece in pieces(text))


class _Batch:
    """A batch of answers being written: which headers are open, and how much stands in each."""

    def __init__(self, now: datetime) -> None:
        self.rows: list[str] = []
        self._now = now
        self._open: dict[str, str] = {}  # FHS or BHS -> its separator
        self._counts = {"BHS": 0, "FHS": 0}

    def open(self, line: str) -> None:
        kind = line[:3]
        self.close("BTS" if kind == "BHS" else "FTS")
        self._open[kind] = line[3:4] or "|"
        self._counts |= {"BHS": 0, kind: 0}
        self.rows.append(_envelope(line, self._now))

    def add(self, answers: Sequence[str]) -> None:
        self._counts["BHS"] += len(answers)
        self.rows += answers

    def close(self, trailer: str) -> None:
        """Write a trailer, if its header is open; that of a file closes the batch inside it."""
        if trailer == "FTS":
            self.close("BTS")
        header = "BHS" if trailer == "BTS" else "FHS"
        separator = self._open.pop(header, None)
        if separator is None:
            return
        count = self._counts[header]
        if header == "BHS":
            self._counts["FHS"] += 1
        elif not count:  # messages without BHS are a batch too
            count = int(self._counts["BHS"] > 0)
        self.rows.append(f"{trailer}{separator}{count}\r")


def _envelope(line: str, now: datetime) -> str:
    """FHS or BHS of the answer: sender and receiver change places, field 12 refers to theirs."""
    separator = line[3:4] or "|"
    fields = [*line.split(separator), *[""] * 12]
    own = "A" + sha256(line.encode("utf-8", "replace")).hexdigest()[:19]
    row = [line[:3], fields[1], fields[4], fields[5], fields[2], fields[3], stamp(now), "", "", ""]
    return separator.join([*row, own, fields[10]]) + "\r"
