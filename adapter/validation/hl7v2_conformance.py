"""HL7 v2 structure and tables judged by hl7apy, on request: too slow and too strict a gate."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapter import terms
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


def judge(rows: Sequence[str], at: Location) -> list[Issue]:
    """What hl7apy finds in the segments of a message; a warning each, no source value.

    Places name segment, field and component, and the line of the message's MSH. Where the sender
    left the structure out (MSH-9.3) and hl7apy needs it, it is that of the event.
    """
    found = _findings(rows, at)
    if found is None and (msh := _structured(rows[0])) != rows[0]:
        found = _findings([msh, *rows[1:]], at)
        found = found and [one for one in found if not (one.at and one.at.field[:5] == "MSH-9")]
    if found is None:
        found = [Issue("warning", "not-supported", "hl7apy cannot judge this message", at)]
    return list(dict.fromkeys(found))


def _structured(msh: str) -> str:
    """MSH with the structure of its event in MSH-9.3 (HL7 table 0354), if it has none."""
    separator, component = msh[3:4] or "|", msh[4:5] or "^"
    fields = msh.split(separator)
    kind = [*(fields[8:9] or [""])[0].split(component), "", ""]
    structure = terms.table("message-structure").get(kind[1].strip().upper())
    if structure is None or kind[2]:
        return msh
    fields[8] = component.join([*kind[:2], structure.code])
    return separator.join(fields)


def _findings(rows: Sequence[str], at: Location) -> list[Issue] | None:
    """None when hl7apy cannot read the message."""
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
        return None
    text = "a segment that the structure of this event does not have here"
    strays = [_found("message-structure", text, at, name) for name in lost]
    return [*strays, *(issue for line in found for issue in _issue(line, at))]


def _lost(rows: Sequence[str], message: Any) -> list[str]:
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
