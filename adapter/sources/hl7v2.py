"""HL7 v2 bytes to messages: any delimiters, frames and batches, and what is wrong with each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from adapter.issues import Issue
from adapter.record import Location, Message
from adapter.sources.hl7v2_pieces import BATCH, Piece, characters, lines, opened, pieces

_HEAD = re.compile(r"MSH(?P<field>[^\w\s\x00-\x1f])(?P<rest>[^\w\s\x00-\x1f]{3,6}?)(?P=field)")
_INSIDE = "a batch segment inside of a message was not read"
_TRAILERS = {"FHS": "FTS", "BHS": "BTS"}
_ENDED = {"FHS": ("FHS", "BHS"), "BHS": ("BHS",)}  # what cannot go on behind a header
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}(?:\||\Z)")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))  # no text of FHIR may hold them
_BLANKS = dict.fromkeys(_CONTROLS, " ")
STANDARD = "|^~\\&"
# One message and nothing else, nothing in it to be read in some other way: nearly all there are.
_PLAIN = re.compile(
    r"MSH\|\^~\\&\|[^\x00-\x1f]*+"
    r"(?:\r\n?(?!MSH|[BF][HT]S)[A-Z][A-Z0-9]{2}\|[^\x00-\x1f]*+)*+[\r\n]*"
).fullmatch


class Delimiters(NamedTuple):
    """The characters that MSH-1 and MSH-2 name; `sub` is empty in messages before 2.2."""

    field: str
    component: str
    repetition: str
    escape: str
    sub: str = ""


def read(raw: bytes | str, source: str = "message") -> Iterator[Message | Issue]:
    """The messages of a file, frame or batch, in order; what is not one is an Issue with its line.

    MLLP framing, byte order marks and FHS/BHS/BTS/FTS are taken off; batch counts are checked.
    Each message may have its own line end, delimiters and character set.
    """
    text, codec, lost = opened(raw)
    at = Location(source, 1, "MSH-18")
    if lost:
        yield Issue("warning", "file-encoding", "what is no character was replaced", at)
    if _PLAIN(text):
        text = text.rstrip("\r\n ").replace("\r\n", "\r")
        raw = text.encode(codec)
        if not text.isascii():
            text, issues = characters(text, codec, at)
            yield from issues
        yield _message(text.split("\r"), 1, source, raw)
        return
    found = list(pieces(text))
    if not any(piece.name == "MSH" for piece in found):
        if text.strip():
            yield Issue("error", "message-structure", "no MSH segment", at._replace(field="MSH"))
        else:
            yield Issue("error", "file-empty", "nothing in it", Location(source, 1))
        return
    yield from _outside(found, source)
    yield from _batch(found, source)
    for piece in found:
        if piece.name == "MSH":
            yield from _whole(piece, codec, source)


def texts(raw: bytes | str, source: str) -> Iterator[tuple[Location, list[str]]]:
    """The segments of each message as they came, with its place: for who judges what was sent."""
    text, codec, _ = opened(raw)
    for piece in pieces(text):
        if piece.name == "MSH":
            at = Location(source, piece.line)
            whole, _ = characters("\r".join(lines(piece.text)), codec, at)
            yield at, [row for row in whole.split("\r") if row]


def _whole(piece: Piece, codec: str, source: str) -> Iterator[Message | Issue]:
    """The message of a piece, in its own line end, delimiters and character set."""
    rows = lines(piece.text)
    if piece.cut:
        where = Location(source, piece.line + len(rows) - 1)
        yield Issue("error", "message-truncated", "the MLLP frame has no end", where)
        return
    text = "\r".join(rows)
    raw = re.sub("\r+", "\r", text) if "\r\r" in text else text
    text, issues = characters(text, codec, Location(source, piece.line, "MSH-18"))
    yield from issues
    yield from message(text, piece.line, source, raw.encode(codec))


def message(text: str, line: int, source: str, raw: bytes) -> Iterator[Message | Issue]:
    """One message, its segments by CR. Yields its issues, then the message if it is one."""
    head, at = _HEAD.match(text), Location(source, line, "MSH-2")
    found = _delimiters(head["field"], head["rest"]) if head else None
    if head is None or found is None:
        note = "MSH-1 and MSH-2 do not name the delimiters"
        yield Issue("error", "message-structure", note, at)
        return
    if head["rest"][2:4] == found.escape * 2:
        yield Issue("warning", "message-structure", "the escape character stands twice", at)
    rows, coded = text.split("\r"), text.encode()
    if len(coded) != len(coded.translate(None, _CONTROLS)):
        given, rows = rows, [one.translate(_BLANKS) for one in rows]
        where = line + next(n for n, one in enumerate(rows) if one != given[n])
        note = "control characters were read as blanks"
        yield Issue("warning", "file-encoding", note, Location(source, where))
    rest = [rows[0][head.end() - 1 :], *rows[1:]]
    if "".join(found) != STANDARD:
        rest = [_translate(one, found) for one in rest]
    segments = ["MSH|^~\\&" + rest[0], *map(_segment, rest[1:])]
    for n, one in enumerate(segments):
        if not one and rest[n].strip():
            note = "not a segment: three letters and a field separator are expected"
            note = _INSIDE if rest[n][:3] in BATCH else note
            yield Issue("warning", "message-structure", note, Location(source, line + n))
    yield _message(segments, line, source, raw)


def _segment(line: str) -> str:
    return line if _SEGMENT.match(line) and line[:3] not in BATCH else ""


def _delimiters(field: str, rest: str) -> Delimiters | None:
    """What MSH-1 and MSH-2 name, None when one stands for two things.

    Some senders' programs escape the escape character: then it stands twice.
    """
    if rest[2:3] == rest[3:4]:
        rest = rest[:3] + rest[4:]
    return Delimiters(field, *rest[:4]) if len({field, *rest}) > len(rest) < 6 else None


def _message(segments: list[str], line: int, source: str, raw: bytes) -> Message | Issue:
    msh = [*segments[0].split("|"), *[""] * 20]
    kind = msh[8].split("^")
    event = (kind[1].strip().upper() if len(kind) > 1 else "") or _event_code(segments)
    if kind[0].strip().upper() != "ADT" or not event:
        text = "MSH-9 does not name an ADT trigger event"
        detail = "not-supported" if kind[0] else "message-truncated"
        return Issue("error", detail, text, Location(source, line, "MSH-9"))
    return Message(
        source=source,
        line=line,
        segments=tuple(segments),
        event=event,
        application=msh[2],
        facility=msh[3].split("^")[0],
        control=msh[9],
        sent=msh[6],
        processing=msh[10],
        version=msh[11].split("^")[0],
        sequence=msh[12],
        raw=raw,
    )


def _event_code(segments: list[str]) -> str:
    """EVN-1: where HL7 v2.1 tells the event, whose MSH-9 is `ADT` alone."""
    found = next((text for text in segments if text.startswith("EVN|")), "EVN|")
    return found.split("|", 2)[1].strip().upper()


_ESCAPED = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}


def _translate(line: str, found: Delimiters) -> str:
    """A segment of other delimiters in the standard ones; what now looks like one is escaped.

    An escape sequence for a delimiter means that of this message (HL7 v2 chapter 2.7.1): with `$`
    between fields, `\\F\\` is a `$`.
    """
    names = dict(zip(found, STANDARD, strict=True))
    for lone in ("", found.escape):  # an escape character that begins nothing is text
        names.pop(lone, None)
    own = dict(zip("FSRET", (*found[:4], found.sub or "&"), strict=True))

    def moved(text: str) -> str:
        return "".join(names.get(c) or _ESCAPED.get(c, c) for c in text)

    escape = re.escape(found.escape)
    parts = re.split(f"{escape}([^{escape}]{{1,200}}){escape}", line)
    for place in range(1, len(parts), 2):
        char = own.get(parts[place])
        parts[place] = _ESCAPED.get(char, char) if char else f"\\{moved(parts[place])}\\"
    parts[::2] = [moved(text) for text in parts[::2]]
    return "".join(parts)


# --- batches


def _outside(found: list[Piece], source: str) -> Iterator[Issue]:
    """What stands outside of messages and is no batch segment is told once."""
    for piece in found:
        rows = [] if piece.name == "MSH" else lines(piece.text)
        for n, one in enumerate(rows):
            if one.strip() and (n or not piece.name):
                text = "what stands outside of messages was not read"
                where = Location(source, piece.line + n)
                yield Issue("warning", "message-structure", text, where)
                return


def _batch(found: list[Piece], source: str) -> Iterator[Issue]:
    """BTS-1 is the number of messages since BHS, FTS-1 that of batches (chapter 2.10.3)."""
    messages = batches = 0
    inside = False
    for piece in found:
        if piece.name == "FHS":
            batches, inside = 0, False
        elif piece.name in ("BHS", "MSH"):
            if piece.name == "BHS" or not inside:  # messages without BHS are a batch too
                messages, batches, inside = 0, batches + 1, True
            messages += piece.name == "MSH"
        elif piece.name:
            count = messages if piece.name == "BTS" else batches
            inside = False
            if _count(lines(piece.text)[0]) not in (None, count):
                text = f"{piece.name}-1 and what was sent differ in number"
                where = Location(source, piece.line, f"{piece.name}-1")
                yield Issue("warning", "batch-count", text, where)
    yield from _unended(found, source)


def _unended(found: list[Piece], source: str) -> Iterator[Issue]:
    """A file or batch that is begun and has no trailer may have been cut off after any message."""
    begun: dict[str, int] = {}  # header -> its line
    for piece in (*found, Piece("FHS", 0, "")):
        for header in _ENDED.get(piece.name, ()):
            line = begun.pop(header, 0)
            if line:
                text = f"no {_TRAILERS[header]} ends what {header} begins"
                text += ": it may not have come whole"
                yield Issue("warning", "batch-count", text, Location(source, line, header))
        for header, trailer in _TRAILERS.items():
            if piece.name == header:
                begun[header] = piece.line
            elif piece.name == trailer:
                begun.pop(header, None)


def _count(line: str) -> int | None:
    text = line.split(line[3])[1].strip() if len(line) > 4 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
