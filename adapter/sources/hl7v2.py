"""HL7 v2 bytes to messages: any line end, any delimiters, the character set that MSH-18 names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from adapter.issues import Issue
from adapter.record import Location, Message

# HL7 table 0211, the character sets that Python knows. What says it is UTF-16 or UTF-32 and yet
# reads `MSH` byte by byte is not; what is, is known by its bytes.
_CHARSETS = {
    "ASCII": "utf-8",  # senders of plain ASCII declare it and then send UTF-8
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-8",
    "UNICODE UTF-32": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "8859/1": "cp1252",  # the same letters, and the quotes and dashes that senders use beside them
    "ISO IR6": "utf-8",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "CNS 11643-1992": "big5",
    "BIG-5": "big5",
} | {f"8859/{part}": f"iso8859_{part}" for part in (*range(2, 12), 13, 14, 15)}
_WIDE = (  # byte order marks; that of UTF-32 begins as that of UTF-16
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_HEAD = re.compile(r"MSH(?P<field>[^\w\s\x00-\x1f])(?P<rest>[^\w\s\x00-\x1f]{3,6}?)(?P=field)")
_BATCH = ("FHS", "BHS", "BTS", "FTS")
_TRAILERS = {"FHS": "FTS", "BHS": "BTS"}
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}(?:\||\Z)")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))  # no text of FHIR may hold them
_BLANKS = dict.fromkeys(_CONTROLS, " ")
_FRAME = "\x0b\x1c"  # MLLP: start and end of a block
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
    Each message may have its own line end and delimiters; the character set is the first one's.
    """
    text, issues = _decode(raw, source)
    yield from issues
    if text is None:
        return
    if _PLAIN(text):
        text = text.rstrip("\r\n ").replace("\r\n", "\r")
        yield _message(text.split("\r"), 1, source, text.encode())
        return
    starts = list(_starts(text))
    if not starts:
        detail = "message-structure" if text.strip() else "file-empty"
        yield Issue("error", detail, "no MSH segment", Location(source, 1, "MSH"))
        return
    pieces = [text[at:end] for at, end in zip(starts, (*starts[1:], None), strict=True)]
    head = text[: starts[0]]
    yield from _outside(head, source)
    if "BHS" in head or "FHS" in head or "\rBTS" in text or "\nBTS" in text or "FTS" in text:
        yield from _batch([head, *pieces], source)
    line = _breaks(head)
    for at, piece in zip(starts, pieces, strict=True):
        lines = _lines(piece)
        if text[at - 1 : at] == "\x0b" and "\x1c" not in piece:
            where = Location(source, line + len(lines))
            yield Issue("error", "message-truncated", "the MLLP frame has no end", where)
        else:
            yield from message(lines, line + 1, source)
        line += _breaks(piece)


def _starts(text: str) -> Iterator[int]:
    """Where messages begin: `MSH` at the start of a line or frame."""
    at = text.find("MSH")
    while at >= 0:
        if text[at - 1 : at] in ("", "\r", "\n", "\x0b", "\x1c"):
            yield at
        at = text.find("MSH", at + 3)


def _end(text: str) -> str:
    """CR ends a segment, and LF only where no CR does; a LF beside CR is white space."""
    return "\r" if "\r" in text.rstrip("\r\n \t" + _FRAME) else "\n"


def _lines(text: str) -> list[str]:
    """The segments of one message; a LF inside a field is text where CR ends segments."""
    end = _end(text)
    text = text.replace("\x0b", "").replace("\x1c", "").rstrip("\r\n \t")
    if end == "\n":
        return text.split("\n")
    return [line.lstrip("\n") for line in text.replace("\r\n", "\r").split("\r")]


def _breaks(text: str) -> int:
    """How many lines end in a piece of the file."""
    end = _end(text)
    return text.count(end) or text.count("\r")


def message(lines: Sequence[str], line: int, source: str) -> Iterator[Message | Issue]:
    """One message of its lines, MSH first. Yields its issues, then the message if it is one."""
    head, at = _HEAD.match(lines[0]), Location(source, line, "MSH-2")
    found = _delimiters(head["field"], head["rest"]) if head else None
    if head is None or found is None:
        text = "MSH-1 and MSH-2 do not name the delimiters"
        yield Issue("error", "message-structure", text, at)
        return
    if head["rest"][2:4] == found.escape * 2:
        yield Issue("warning", "message-structure", "the escape character stands twice", at)
    raw = "\r".join([one for one in lines if one and one[:3] not in _BATCH]).encode()
    if len(raw) != len(raw.translate(None, _CONTROLS)):
        given, lines = lines, [one.translate(_BLANKS) for one in lines]
        where = line + next(n for n, one in enumerate(lines) if one != given[n])
        text = "control characters were read as blanks"
        yield Issue("warning", "file-encoding", text, Location(source, where))
    rest = [lines[0][head.end() - 1 :], *lines[1:]]
    if "".join(found) != STANDARD:
        rest = [_translate(one, found) for one in rest]
    segments = ["MSH|^~\\&" + rest[0], *map(_segment, rest[1:])]
    for n, one in enumerate(segments):
        if not one and rest[n].strip() and rest[n][:3] not in _BATCH:
            text = "not a segment: three letters and a field separator are expected"
            yield Issue("warning", "message-structure", text, Location(source, line + n))
    yield _message(segments, line, source, raw)


def _segment(line: str) -> str:
    return line if _SEGMENT.match(line) and line[:3] not in _BATCH else ""


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


# --- bytes


def _decode(raw: bytes | str, source: str) -> tuple[str | None, list[Issue]]:
    at = Location(source, 1, "MSH-18")
    if isinstance(raw, str):
        text = raw.encode(errors="replace").decode()  # a lone half of a pair is no character
        note = "half a character in the text was replaced"
        lost = [] if text == raw else [Issue("warning", "file-encoding", note, at)]
        return text.lstrip("\ufeff"), lost
    if raw.isascii() and b"MSH" in raw and b"\x1b" not in raw:
        return raw.decode("ascii"), []  # the same in every character set without shifts
    if not raw.strip():
        return None, [Issue("error", "file-empty", "nothing in it", Location(source, 1))]
    codec, issues = _codec(raw, at)
    try:
        return raw.decode(codec).lstrip("\ufeff"), issues
    except (UnicodeDecodeError, LookupError):
        wide = codec.startswith(("utf-16", "utf-32"))
        note = "bytes outside the declared character set; read as Windows-1252"
        note = "bytes that are no characters were replaced" if wide else note
        text = raw.decode(codec if wide else "cp1252", "replace").lstrip("\ufeff")
        return text, [Issue("warning", "file-encoding", note, at)]


def _codec(raw: bytes, at: Location) -> tuple[str, list[Issue]]:
    """The codec of a file: by byte order mark, else by MSH-18 of its first message, else UTF-8."""
    for mark, name in _WIDE:
        if raw.startswith(mark):
            return name, []
    if (wide := raw[:64].find(b"M\0S\0H")) >= 0:
        return "utf-16-be" if wide % 2 else "utf-16-le", []
    start = raw.find(b"MSH")
    head = re.split(rb"[\r\n]", raw[start : start + 2000], maxsplit=1)[0] if start >= 0 else b""
    fields = head.split(head[3:4]) if len(head) > 4 else []
    if len(fields) <= 17:
        return "utf-8", []
    name = re.split(rb"[~^]", fields[17])[0].decode("ascii", "replace").strip().upper()
    if name and name not in _CHARSETS and not raw.isascii():
        text = "a character set that is not known; read as UTF-8"
        return "utf-8", [Issue("warning", "file-encoding", text, at)]
    return _CHARSETS.get(name, "utf-8"), []


# --- batches


def _outside(head: str, source: str) -> Iterator[Issue]:
    """What stands before the first message and is no batch header is told once."""
    for n, one in enumerate(_lines(head), 1):
        if one.strip() and one[:3] not in _BATCH:
            text = "what stands before the first MSH was not read"
            yield Issue("warning", "message-structure", text, Location(source, n))
            return


def _batch(pieces: list[str], source: str) -> Iterator[Issue]:
    """BTS-1 is the number of messages since BHS, FTS-1 that of batches (chapter 2.10.3)."""
    messages = batches = line = 0
    for piece in pieces:
        for one in _lines(piece):
            line += 1
            name = one[:3]
            if name == "MSH":
                messages += 1
            elif name == "BHS":
                messages, batches = 0, batches + 1
            elif name in ("BTS", "FTS"):
                count = messages if name == "BTS" else max(batches, 1)
                if _count(one) not in (None, count):
                    text = f"{name}-1 and what was sent differ in number"
                    yield Issue("warning", "batch-count", text, Location(source, line, f"{name}-1"))
    yield from _unended(pieces, source)


def _unended(pieces: list[str], source: str) -> Iterator[Issue]:
    """A file or batch that is begun and has no trailer may have been cut off after any message."""
    names = (one[:3] for piece in pieces for one in _lines(piece))
    begun: dict[str, int] = {}  # header -> its line
    for line, name in enumerate(names, 1):
        if name in _TRAILERS:
            begun.setdefault(name, line)
        for header, trailer in _TRAILERS.items():
            if name == trailer:
                begun.pop(header, None)
    for header, line in begun.items():
        text = f"no {_TRAILERS[header]} ends what {header} begins: it may not have come whole"
        yield Issue("warning", "batch-count", text, Location(source, line, header))


def _count(line: str) -> int | None:
    text = line.split(line[3])[1].strip() if len(line) > 4 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
