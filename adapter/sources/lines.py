"""Bytes of a text file in, decoded lines of bounded size out, with their numbers and findings."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterable, Iterator

from adapter.issues import Issue, Severity
from adapter.record import Location

_BOMS = (  # longest first: the UTF-32 mark starts like the UTF-16 one
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
_BLANKED = bytes(32 if byte in _CONTROLS else byte for byte in range(256))
_LOST = "\ufffd".encode()


class Lines:
    """Physical lines of one text file, an iterator that can take lines back.

    `number` is the 1-based line handed out last and `held` the lines since `mark()`, so that a
    reader of quoted cells can start again one line further on; `ended` says that it asked for more
    than there is. A line that cannot be used (too
    long, NUL bytes, no known character set) comes out as an empty one; the finding is in `issues`.
    """

    def __init__(self, chunks: Iterable[bytes], source: str, limit: int) -> None:
        """`limit`: longest line in bytes; memory stays near it whatever the file holds."""
        self._lines = split(to_utf8(chunks), limit)
        self._back: deque[str] = deque()
        self._told: set[str] = set()
        self._read = 0  # lines taken from the file, those taken back included
        self.source, self.limit = source, limit
        self.held: list[str] = []
        self.issues: list[Issue] = []
        self.ended = False

    @property
    def number(self) -> int:
        """The 1-based number of the line handed out last."""
        return self._read - len(self._back)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._fresh()
        self.held.append(line)
        return line

    def mark(self) -> None:
        """Forget the lines held; a row begins here."""
        self.held.clear()
        self.ended = False

    def take_back(self, kept: int) -> None:
        """Put all held lines but the first `kept` back in front."""
        self._back.extendleft(reversed(self.held[kept:]))
        del self.held[kept:]

    def _fresh(self) -> str:
        raw = next(self._lines, b"")
        if raw == b"":
            self.ended = True
            raise StopIteration
        self._read += 1
        if raw is None:
            self._tell("error", "line-size", f"a line over {self.limit} bytes was skipped")
            return "\n"
        return self._text(raw)

    def _text(self, raw: bytes) -> str:
        if len(raw) != len(raw.translate(None, _CONTROLS)):
            raw = self._without_controls(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return self._windows(raw)
        if _LOST in raw:
            self._tell("warning", "file-encoding", "a character was lost before it came here")
        return text

    def _without_controls(self, raw: bytes) -> bytes:
        if b"\0" in raw:
            self._tell("error", "file-encoding", "the line holds NUL bytes and was skipped")
            return b"\n"
        if raw.strip(b"\x1a\r\n"):  # Ctrl-Z alone: the end mark of old DOS files
            self._once("file-encoding", "control characters were read as blanks")
        return raw.translate(_BLANKED)

    def _windows(self, raw: bytes) -> str:
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            self._tell("error", "file-encoding", "the line is in no known character set")
            return "\n"
        self._once("file-encoding", "not UTF-8; such lines were read as Windows-1252")
        return text

    def _once(self, detail: str, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell("warning", detail, text)

    def _tell(self, severity: Severity, detail: str, text: str) -> None:
        self.issues.append(Issue(severity, detail, text, Location(self.source, self._read)))


def to_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks without byte order mark, UTF-16 and UTF-32 rewritten as UTF-8.

    Without a mark, NULs at every other of the first bytes tell UTF-16; anything else is handed on
    as it is, since UTF-8 and Windows-1252 share their line ends.
    """
    rest = iter(chunks)
    first = next(rest, b"")
    encoding, mark = _encoding(first)
    first = first[mark:]
    if encoding == "utf-8":
        yield first
        yield from rest
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield decoder.decode(first).encode()
    for chunk in rest:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _encoding(head: bytes) -> tuple[str, int]:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    sample = head[:64]
    if len(sample) >= 4 and not any(sample[1::2]) and all(sample[0::2]):
        return "utf-16-le", 0
    if len(sample) >= 4 and not any(sample[0::2]) and all(sample[1::2]):
        return "utf-16-be", 0
    return "utf-8", 0


def split(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | None]:
    """Lines with their ends (LF, CRLF or CR); None in place of one over `limit` bytes.

    An over-long line is dropped piece by piece, so that memory does not grow with it.
    """
    rest, dropping = b"", False
    for chunk in chunks:
        parts = (rest + chunk).splitlines(keepends=True)
        rest = parts.pop() if parts and not parts[-1].endswith(b"\n") else b""
        for part in parts:
            yield None if dropping or len(part) > limit else part
            dropping = False
        if rest.endswith(b"\r"):  # a CR, or the first half of a CRLF: the next chunk tells
            continue
        if len(rest) > limit:
            rest, dropping = b"", True
    if rest or dropping:
        yield None if dropping or len(rest) > limit else rest
