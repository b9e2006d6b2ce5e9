"""What can be wrong with data: an Issue has a place, a FHIRPath, and never a source value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from adapter.record import Location

Severity = Literal["fatal", "error", "warning", "information"]
FAILING: frozenset[Severity] = frozenset(("fatal", "error"))  # with these a unit is refused
SEVERITIES: tuple[Severity, ...] = ("fatal", "error", "warning", "information")

_FILE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-file"
_LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"


class Detail(NamedTuple):
    """A stable slug's FHIR IssueType, what it means, and how to mend it."""

    code: str
    meaning: str
    remedy: str


DETAILS: dict[str, Detail] = {
    # files and messages
    "file-empty": Detail("structure", "the file holds nothing", "send it again"),
    "file-format": Detail("structure", "not the format it claims to be", "check name and export"),
    "file-encoding": Detail("structure", "bytes that the character set lacks", "send UTF-8"),
    "file-size": Detail("too-long", "larger than the limit", "split it, or raise the limit"),
    "line-size": Detail("too-long", "a line over the limit", "check for a missing line end"),
    "delimiter": Detail("structure", "no header under any known delimiter", "check the layout"),
    "column-missing": Detail("required", "a required column is not there", "add it, or an alias"),
    "column-unknown": Detail("informational", "no rule reads this column", "add an alias or rule"),
    "column-count": Detail(
        "structure", "more or fewer cells than columns", "look for a delimiter in a cell"
    ),
    "row-duplicate": Detail("duplicate", "the same row stands in this file before", "none needed"),
    "message-structure": Detail("structure", "not an HL7 v2 message", "send from MSH on, whole"),
    "message-truncated": Detail("incomplete", "the message ends early", "send it again"),
    "segment-missing": Detail(
        "required", "a required segment is not there", "complete the message"
    ),
    "not-supported": Detail(
        "not-supported", "no mapping for this kind of input", "add an event or form"
    ),
    "batch-count": Detail(
        "structure", "trailer and content differ in number", "send the batch again"
    ),
    # values
    "required": Detail("required", "a required value is absent", "fill it at the source"),
    "date-format": Detail("value", "not a date of the expected form", "mend the date"),
    "number-format": Detail("value", "not a number", "mend the number"),
    "flag-format": Detail("value", "not yes or no", "use Y or N"),
    "identifier-format": Detail(
        "value", "not the shape of this identifier", "check which id it is"
    ),
    "phone-format": Detail("value", "not a telephone number", "mend the number"),
    "value-format": Detail("value", "not the expected form", "mend the value"),
    "escape": Detail("value", "an escape sequence that cannot be read", "mend the sender"),
    "code-unknown": Detail(
        "code-invalid", "the code has no row in its table", "add a row to the table"
    ),
    "authority-unknown": Detail(
        "code-invalid", "an assigning authority without a system", "add it to identifier-systems"
    ),
    "unmapped": Detail("informational", "a value that no rule read", "add a rule, or ignore it"),
    "cleared": Detail("informational", "the source deletes this element", "none needed"),
    "filler": Detail("informational", "a filler text was read as absent", "none needed"),
    "zone-assumed": Detail(
        "informational", "a time without offset was read in the feed's zone", "set the zone"
    ),
    "time-ahead": Detail("value", "a time far after the message came", "set the sender's clock"),
    # FHIR
    "resource-structure": Detail("structure", "not a valid R4 structure", "mend the resource"),
    "resource-type": Detail(
        "structure", "not a resource type that is known here", "check resourceType"
    ),
    "element-unknown": Detail("structure", "R4 has no such element here", "remove it"),
    "cardinality": Detail("structure", "too few or too many of an element", "mend the resource"),
    "datatype": Detail("value", "not a value of the element's type", "mend the value"),
    "binding": Detail(
        "code-invalid", "the code is not in the required value set", "use one of the set"
    ),
    "profile": Detail("invariant", "a rule of the profile does not hold", "see the profile"),
    "invariant": Detail("invariant", "a rule of FHIR does not hold", "mend the resource"),
    "reference": Detail("not-found", "a reference leads nowhere", "send the target too"),
    # state
    "duplicate": Detail("duplicate", "this unit is already stored", "none needed"),
    "key-reused": Detail(
        "conflict", "a control id that came before with other content", "a person decides"
    ),
    "identity-conflict": Detail(
        "conflict", "identifiers of more than one person", "a person decides"
    ),
    "identity-unsure": Detail(
        "conflict", "same identifier, other birth date and name", "a person decides"
    ),
    "version-conflict": Detail("conflict", "changed since it was read", "read again, then write"),
    "transition": Detail(
        "business-rule", "the status may not change this way", "see the referral states"
    ),
    "not-found": Detail("not-found", "no such resource", "check the id"),
    "gone": Detail("deleted", "the resource was deleted", "none needed"),
    "search": Detail("invalid", "a search parameter is not known or malformed", "see metadata"),
    "too-costly": Detail("too-costly", "over the request limit", "send less at once"),
    "forbidden": Detail("forbidden", "a token is needed", "send a bearer token"),
    "internal": Detail("exception", "our fault; nothing was stored", "report it with the time"),
    # money and reports
    "not-billable": Detail("business-rule", "a contact that may not be claimed", "see the reason"),
    "contradiction": Detail(
        "business-rule", "two facts of a member exclude each other", "mend one of them"
    ),
    "cell-empty": Detail(
        "required", "a required cell of the report is empty", "complete the record"
    ),
    "late": Detail("informational", "of an earlier month, and no file told it yet", "none needed"),
}


class Issue(NamedTuple):
    """One finding. `detail` is a slug of DETAILS; `text` never holds a source value."""

    severity: Severity
    detail: str
    text: str
    at: Location | None = None
    path: str | None = None

    @property
    def failed(self) -> bool:
        """True when the unit must be refused."""
        return self.severity in FAILING

    def outcome_issue(self) -> dict[str, Any]:
        """As one OperationOutcome.issue (FHIR R4 2.27), place in `diagnostics` and extensions."""
        issue: dict[str, Any] = {
            "severity": self.severity,
            "code": DETAILS[self.detail].code,
            "details": {"coding": [{"code": self.detail}], "text": self.text},
        }
        if self.at is not None:
            issue["diagnostics"] = str(self.at)
            issue["extension"] = [
                {"url": _FILE, "valueString": self.at.source},
                {"url": _LINE, "valueInteger": self.at.line},
            ]
        if self.path is not None:
            issue["expression"] = [self.path]
        return issue


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """An OperationOutcome of the issues; of "All OK" when there is none (issue is 1..*)."""
    rows = [issue.outcome_issue() for issue in issues]
    ok = {"severity": "information", "code": "informational", "details": {"text": "All OK"}}
    return {"resourceType": "OperationOutcome", "issue": rows or [ok]}


class Candidate(NamedTuple):
    """A stored resource that may be meant: its id, how alike it is, and in what; no value of it.

    `certain`   alike enough to be linked without a person, and nothing speaks against it
    `possible`  alike enough for a person to decide
    """

    id: str
    score: int
    agrees: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    certain: bool = False
    possible: bool = True


class Doubt(NamedTuple):
    """Why it is not sure who an entry is, and who it may be, the likest first."""

    issue: Issue
    candidates: list[Candidate]
