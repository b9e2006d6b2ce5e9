"""HL7 v2 structure and tables judged by hl7apy, on request: too slow and too strict a gate."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from adapter.issues import Issue, Severity
from adapter.record import Location

# What hl7apy writes into its report, by the names in it; the values in it are not told.
_MISSING = re.compile(r"Missing required child (\w+)\.(\w+)$")
_TOO_MANY = re.compile(r"Child limit exceeded (\w+)\.(\w+)$")
_STRANGE = re.compile(r"Invalid children detected for <\w+ (\w+)")
_TABLE = re.compile(r"not in table (?:HL7)?(\w+) in element (\w+)\.(\w+)$")
_LENGTH = re.compile(r"Exceeded max length \((\d+)\) of (\w+)\.(\w+)$")
_TYPE = re.compile(r"Datatype \w+ is not correct for (\w+)\.(\w+) ")
_FIELD = re.compile(r"([A-Z][A-Z0-9]{1,2})_(\d+)")


def judge(raw: bytes, source: str) -> Iterator[list[Issue]]:
    """What hl7apy finds in each message of a file, in order; a warning each, no source value.

    Places name segment, field and component, and the line of the message's MSH.
    """
    text = raw.decode("latin-1").replace("\x0b", "").replace("\x1c", "")
    lines = text.replace("\r\n", "\r").replace("\n", "\r").split("\r")
    starts = [n for n, line in enumerate(lines) if line.startswith("MSH")]
    for start, end in pairwise([*starts, len(lines)]):
        rows = [line for line in lines[start:end] if line and line[:3] not in ("BTS", "FTS", "BHS")]
        yield _distinct(_judge(rows, Location(source, start + 1)))


def _distinct(issues: Iterator[Issue]) -> list[Issue]:
    return list(dict.fromkeys(issues))


def _judge(rows: list[str], at: Location) -> Iterator[Issue]:
    from hl7apy.exceptions import ValidationError
    from hl7apy.parser import parse_message

    try:
        message = parse_message("\r".join(rows))  # with groups: else their segments look misplaced
        lost = _lost(rows, message)
        with tempfile.TemporaryDirectory() as folder:  # hl7apy writes its findings into a file
            report = Path(folder) / "report"
            with suppress(ValidationError):  # the first of what the report has
                message.validate(report_file=str(report))
            found = report.read_text(encoding="utf-8").splitlines()
    except Exception:  # it knows no 2.9 and not every structure, and then raises what comes
        yield Issue("warning", "not-supported", "hl7apy cannot judge this message", at)
        return
    for name in lost:
        text = "a segment that the structure of this event does not have here"
        yield Issue("warning", "message-structure", text, at._replace(field=name))
    for line in found:
        yield from _issue(line, at)


def _lost(rows: list[str], message: Any) -> list[str]:
    """Segments that hl7apy left out because they stand where its structure has none."""
    kept = Counter(row[:3] for row in message.to_er7().split("\r"))
    lost = Counter(row[:3] for row in rows) - kept
    return sorted(name for name in lost if not name.startswith("Z"))


def _issue(line: str, at: Location) -> Iterator[Issue]:
    if match := _MISSING.search(line):
        place = _place(match[1], match[2])
        detail = "required" if "-" in place else "segment-missing"
        yield _found(detail, "required by the standard", at, place)
    elif match := _TOO_MANY.search(line):
        yield _found("cardinality", "more often than the standard allows", at,
                     _place(match[1], match[2]))  # fmt: skip
    elif match := _TABLE.search(line):
        text = f"not in HL7 table {match[1]}"
        yield _found("code-unknown", text, at, _place(match[2], match[3]))
    elif match := _LENGTH.search(line):
        text = f"longer than {match[1]} characters"
        yield _found("value-format", text, at, _place(match[2], match[3]))
    elif match := _TYPE.search(line):
        yield _found("value-format", "not of the standard's datatype", at,
                     _place(match[1], match[2]))  # fmt: skip
    elif match := _STRANGE.search(line):
        yield _found("message-structure", "more parts than the standard has", at,
                     _place("", match[1]))  # fmt: skip


def _found(detail: str, text: str, at: Location, place: str) -> Issue:
    severity: Severity = "warning"
    return Issue(severity, detail, text, at._replace(field=place))


def _place(parent: str, name: str) -> str:
    """`PID-5.7` of PID_5 and XPN_7, `PID-5` of PID and PID_5, `EVN` of ADT_A01 and EVN."""
    outer, inner = _FIELD.fullmatch(parent), _FIELD.fullmatch(name)
    if outer and inner:
        return f"{outer[1]}-{outer[2]}.{inner[2]}"
    if inner:
        return f"{inner[1]}-{inner[2]}"
    return name if re.fullmatch(r"[A-Z][A-Z0-9]{2}", name) else ""
