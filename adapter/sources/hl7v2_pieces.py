"""HL7 v2 bytes to pieces: messages and batch segments, by line end, frame and character set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from adapter.issues import Issue
from adapter.record import Location

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
_ONE_BYTE = frozenset(one for name, one in _CHARSETS.items() if name.startswith("8859/"))
_WIDE = (  # byte order marks; that of UTF-32 begins as that of UTF-16
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_BYTES = "latin-1"  # a character a byte: text that splits as bytes do, whatever their set is
# A batch segment that a segment of a message follows stands inside that message.
_NAME = r"(?:MSH|[FB][HT]S(?![\w ]|[^\r\n\x0b\x1c]*+\s*+(?!MSH|[FB][HT]S)[A-Z][A-Z0-9]{2}\W))"
_MARK = re.compile("(?<![^\r\n\x0b\x1c])(?:\ufeff|\xef\xbb\xbf)+")  # as a character, as bytes
_FIRST, _NEXT = re.compile(_NAME), re.compile(rf"[\r\n\x0b\x1c](?={_NAME})")
BATCH = ("FHS", "BHS", "BTS", "FTS")
_WORD = re.compile(r"MSH[\w ]")
_FRAME = "\x0b\x1c"  # MLLP: start and end of a block


class Piece(NamedTuple):
    """A message or batch segment and what follows it; of no name: what stands before the first.

    `line`  1-based line in the source
    `cut`   the last of an MLLP frame that does not end
    """

    name: str
    line: int
    text: str
    cut: bool = False


def opened(raw: bytes | str) -> tuple[str, str, bool]:
    """A file, frame or batch as text, the codec that makes its bytes of it, and what was lost.

    Sets of one byte and of several are left as bytes (Latin-1): `characters` reads each message
    in its own. Byte order marks are taken off. Lost is what was no character; it was replaced.
    """
    if isinstance(raw, str):
        text = raw.encode(errors="replace").decode()  # a lone half of a pair is no character
        return _unmarked(text), "utf-8", text != raw
    if raw.isascii() and b"MSH" in raw:
        return raw.decode("ascii"), _BYTES, False
    codec = _wide(raw)
    if not codec:
        return _unmarked(raw.decode(_BYTES)), _BYTES, False
    try:
        return _unmarked(raw.decode(codec)), codec, False
    except UnicodeDecodeError:
        return _unmarked(raw.decode(codec, "replace")), codec, True


def _unmarked(text: str) -> str:
    """Without the byte order marks of files, of which one may hold several end to end."""
    return _MARK.sub("", text) if "\ufeff" in text or "\xef\xbb\xbf" in text else text


def _wide(raw: bytes) -> str:
    """UTF-16 or UTF-32, by byte order mark or the zeros between letters; `""` for any other."""
    for mark, name in _WIDE:
        if raw.startswith(mark):
            return name
    wide = raw[:64].find(b"M\0S\0H")
    return "" if wide < 0 else "utf-16-be" if wide % 2 else "utf-16-le"


def characters(text: str, codec: str, at: Location) -> tuple[str, list[Issue]]:
    """A message of an `opened` text, its lines by CR, in the set of its MSH-18, else in UTF-8.

    Bytes that are none of it are read as Windows-1252, with a warning; UTF-8 that is declared as
    a set of one byte is read as declared, with a warning too.
    """
    if codec != _BYTES or (text.isascii() and "\x1b" not in text):
        return text, []  # the same in every character set without shifts
    fields = text.partition("\r")[0].split(text[3:4] or None)
    name = re.split(r"[~^]", fields[17])[0].strip().upper() if len(fields) > 17 else ""
    raw, found = text.encode(_BYTES), list[Issue]()
    if name and name not in _CHARSETS and not text.isascii():
        note = "a character set that is not known; read as UTF-8"
        found = [Issue("warning", "file-encoding", note, at)]
    codec = _CHARSETS.get(name, "utf-8")
    try:
        read = raw.decode(codec)
        if codec in _ONE_BYTE and _is_utf_8(raw):
            note = "the bytes are UTF-8, and MSH-18 says another character set; read as it says"
            found = [Issue("warning", "file-encoding", note, at)]
        return read, found
    except (UnicodeDecodeError, LookupError):
        note = "bytes outside the declared character set; read as Windows-1252"
        return raw.decode("cp1252", "replace"), [Issue("warning", "file-encoding", note, at)]


def _is_utf_8(raw: bytes) -> bool:
    """Whether bytes above ASCII are UTF-8: by chance they hardly ever are."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not raw.isascii()


def pieces(text: str) -> Iterator[Piece]:
    """What stands before the first message or batch segment, if anything, then each of them."""
    if text.startswith("MSH") and text.find("MSH", 3) < 0 and not any(map(text.count, BATCH)):
        yield Piece("MSH", 1, text)  # one message, as most frames hold
        return
    starts = [0] if _FIRST.match(text) else []
    starts += [one.end() for one in _NEXT.finditer(text) if not _told(text, one.end())]
    head = text[: starts[0]] if starts else text
    if head:
        yield Piece("", 1, head)
    line = 1 + _breaks(head)
    inside = False
    for at, end in pairwise([*starts, len(text)]):
        piece = text[at:end]
        inside = (inside or text[at - 1 : at] == "\x0b") and "\x1c" not in piece
        last = end == len(text) or text[end - 1] == "\x0b"
        yield Piece(piece[:3], line, piece, inside and last)
        line += _breaks(piece)


def _told(text: str, at: int) -> bool:
    """Whether `MSH` behind a LF is a word of a field: CR ends segments, no delimiter follows."""
    if text[at - 1] != "\n" or text[at - 2 : at - 1] == "\r" or not _WORD.match(text, at):
        return False
    return text.find("\r", max(text.rfind("MSH", 0, at), 0), at) >= 0


def _end(text: str) -> str:
    """CR ends a segment, and LF only where no CR does; a LF beside CR is white space."""
    return "\r" if "\r" in text.rstrip("\r\n \t" + _FRAME) else "\n"


def lines(text: str) -> list[str]:
    """The segments of one piece; a LF inside a field is text where CR ends segments."""
    end = _end(text)
    text = text.replace("\x0b", "").replace("\x1c", "").rstrip("\r\n \t")
    if end == "\n" or "\n" not in text:
        return text.split(end)
    return [line.lstrip("\n") for line in text.replace("\r\n", "\r").split("\r")]


def _breaks(text: str) -> int:
    """How many lines end in a piece of the file."""
    end = _end(text)
    return text.count(end) or text.count("\r")
