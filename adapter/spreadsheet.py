"""CSV files that people open in a spreadsheet: no cell is a formula; and the rows of what is wrong.

Files that a plan's or an exchange's program reads are not written so: there a mark before a name
would be part of the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapter.issues import DETAILS, Issue
from adapter.record import Location

FOUND = ("file", "line", "field", "severity", "issue", "text", "remedy")
_RISKY = "=+-@\t\r"  # a cell that begins so is a formula to a spreadsheet


def safe(cell: str) -> str:
    """A cell that no spreadsheet reckons with: a formula gets an apostrophe in front."""
    return f"'{cell}" if _formula(cell) else cell


def plain(cell: str) -> str:
    """What the cell of `safe` said."""
    return cell[1:] if cell[:1] == "'" and _formula(cell[1:]) else cell


def _formula(cell: str) -> bool:
    return cell != "" and cell[0] in _RISKY and not cell.removeprefix("-").isdigit()


def found_rows(issues: Iterable[Issue]) -> Iterator[list[object]]:
    """What is wrong with a unit as rows under FOUND: place, and how to mend it; no source value."""
    for issue in issues:
        at = issue.at or Location("", 0)
        remedy = DETAILS[issue.detail].remedy
        where = [safe(at.source), at.line, safe(at.field)]  # names that a sender may choose
        yield [*where, issue.severity, issue.detail, issue.text, remedy]
