"""HL7 v2 bytes to messages: any line end, any delimiters, the character set that MSH-18 names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapter.issues import Issue
from adapter.record import Location, Message

# HL7 table 0211, the character sets that Python knows.
_CHARSETS = {
    "ASCII": "utf-8",  # senders of plain ASCII declare it and then send UTF-8
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "ISO IR6": "utf-8",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "CNS 11643-1992": "big5",
    "BIG-5": "big5",
} | {f"8859/{part}": f"iso8859_{part}" for part in (*range(1, 12), 13, 14, 15)}
_HEAD = re.compile(r"MSH(?P<field>[^\w\s])(?P<rest>[^\r\n]{3,5}?)(?P=field)")
_BATCH = ("FHS", "BHS", "BTS", "FTS")
_SEGMENT = re.compile(r"^[A-Z][A-Z0-9]{2}\|")
STANDARD = "|^~\\&"


def read(raw: bytes | str, source: str = "message") -> Iterator[Message | Issue]:
    """The messages of a file, frame or batch, in order; what is not one is an Issue with its line.

    MLLP framing, byte order marks and FHS/BHS/BTS/FTS are taken off; batch counts are checked.
    """
    text, issues = _decode(raw, source)
    yield from issues
    if text is None:
        return
    lines = _lines(text)
    starts = [n for n, line in enumerate(lines) if line.startswith("MSH")]
    if not starts:
        detail = "message-structure" if text.strip() else "file-empty"
        yield Issue("error", detail, "no MSH segment", Location(source, 1, "MSH"))
        return
    yield from _batch(lines, starts, source)
    cut = isinstance(raw, bytes) and raw[:1] == b"\x0b" and b"\x1c" not in raw
    for n, start in enumerate(starts):
        last = n + 1 == len(starts)
        if last and cut:
            at = Location(source, len(lines))
            yield Issue("error", "message-truncated", "the MLLP frame has no end", at)
        else:
            yield from message(
                lines[start : len(lines) if last else starts[n + 1]], start + 1, source
            )


def message(lines: list[str], line: int, source: str) -> Iterator[Message | Issue]:
    """One message of its lines, MSH first. Yields its issues, then the message if it is one."""
    head = _HEAD.match(lines[0])
    if head is None:
        text = "MSH-1 and MSH-2 do not name the delimiters"
        yield Issue("error", "message-structure", text, Location(source, line, "MSH-2"))
        return
    found = head["field"] + head["rest"]
    segments = []
    for n, one in enumerate(lines):
        if not one.strip() or one[:3] in _BATCH:
            segments.append("")
            continue
        standard = one if found[:5] == STANDARD else _translate(one, found)
        if standard.startswith("MSH"):
            segments.append(_standard_head(standard))
        elif _SEGMENT.match(standard) or re.fullmatch(r"[A-Z][A-Z0-9]{2}", standard):
            segments.append(standard)
        else:
            text = "not a segment: three letters and a field separator are expected"
            yield Issue("warning", "message-structure", text, Location(source, line + n))
            segments.append("")
    yield _message(segments, line, source)


def _message(segments: list[str], line: int, source: str) -> Message | Issue:
    msh = [*segments[0].split("|"), *[""] * 20]
    kind = msh[8].split("^")
    event = kind[1].strip().upper() if len(kind) > 1 else ""
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
        raw="\r".join(segments).encode(),
    )


def _standard_head(line: str) -> str:
    """MSH with the standard delimiters in MSH-2, as the rest of the segment has them."""
    return "MSH|^~\\&|" + line.split("|", 2)[2] if line.count("|") > 1 else "MSH|^~\\&|"


def _translate(line: str, found: str) -> str:
    """A segment of other delimiters in the standard ones; what now looks like one is escaped."""
    field, component, repetition, *rest = tuple(found)
    escape = rest[0] if rest else ""
    sub = rest[1] if len(rest) > 1 else ""
    names = {field: "|", component: "^", repetition: "~", sub: "&", escape: "\\"}
    names.pop("", None)
    codes = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}
    return "".join(names.get(c) or codes.get(c, c) for c in line)


def _decode(raw: bytes | str, source: str) -> tuple[str | None, list[Issue]]:
    if isinstance(raw, str):
        return raw.lstrip("\ufeff\x0b").rstrip("\x1c\r\n "), []
    if not raw.strip():
        return None, [Issue("error", "file-empty", "nothing in it", Location(source, 1))]
    codec = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else _charset(raw)
    try:
        text = raw.decode(codec)
    except (UnicodeDecodeError, LookupError):
        at = Location(source, 1, "MSH-18")
        text = raw.decode("cp1252", "replace")
        note = "bytes outside the declared character set; read as Windows-1252"
        return _strip(text), [Issue("warning", "file-encoding", note, at)]
    return _strip(text), []


def _strip(text: str) -> str:
    return text.lstrip("\ufeff").replace("\x0b", "").replace("\x1c", "").rstrip("\r\n ")


def _charset(raw: bytes) -> str:
    start = raw.find(b"MSH")
    head = re.split(rb"[\r\n]", raw[start : start + 2000], maxsplit=1)[0] if start >= 0 else b""
    fields = head.split(head[3:4]) if len(head) > 4 else []
    if len(fields) <= 17:
        return "utf-8"
    names = re.split(rb"[~^]", fields[17])
    name = names[0].decode("ascii", "replace").strip().upper()
    return _CHARSETS.get(name, "utf-8")


def _lines(text: str) -> list[str]:
    """CR ends a segment, and LF only where no CR does; a LF beside CR is white space."""
    if "\r" in text:
        return [line.lstrip("\n") for line in text.replace("\r\n", "\r").split("\r")]
    return text.split("\n")


def _batch(lines: list[str], starts: list[int], source: str) -> Iterator[Issue]:
    """BTS-1 must be the number of messages (HL7 v2 chapter 2.10.3)."""
    for n, line in enumerate(lines):
        if line[:3] == "BTS":
            field = line.split(line[3])[1].strip() if len(line) > 4 else ""
            if field.isdigit() and int(field) != len(starts):
                text = "BTS-1 and the messages differ in number"
                yield Issue("warning", "batch-count", text, Location(source, n + 1, "BTS-1"))
