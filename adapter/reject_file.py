"""The file of refused rows of a member file: why, how to mend them, and the cells themselves."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from adapter.issues import DETAILS, Issue
from adapter.sources import layout as layouts
from adapter.sources.header import REFUSED
from adapter.sources.originals import originals
from adapter.spreadsheet import safe


@dataclass(frozen=True, slots=True)
class Rejected:
    """A member file, and its refused rows: what was wrong with each, by its line.

    `layout` names the layout it was read by, `received` is the instant it came.
    """

    file: Path | bytes
    name: str
    layout: str
    received: str
    refused: Mapping[int, Sequence[Issue]]


def write(out: IO[str], rejected: Rejected) -> int:
    """Write the refused rows of a file as CSV and return how many they are.

    The same layout reads it: mend the cells, and load it. It says when the rows were true, so that
    they do not stand before what was told since. A cell that would be a formula has an apostrophe
    in front, which is read as none. Raises DataFileError for an unknown layout.
    """
    layout, refused = layouts.load(rejected.layout), rejected.refused
    labels, rows = originals(rejected.file, layout, refused.keys())
    day, name = layout.date_of(rejected.name), rejected.name
    when = f"{day}T00:00:00+00:00" if day else rejected.received
    writer = csv.writer(out)
    writer.writerow([*(layout.columns[name][0] for name in REFUSED), *map(safe, labels)])
    cells = {row.line: row.cells for row in rows}
    for line, issues in sorted(refused.items()):
        known = [safe(name), when, line, *map(safe, _why(issues))]
        writer.writerow([*known, *map(safe, cells.get(line, ()))])
    return len(refused)


def _why(issues: Sequence[Issue]) -> Iterator[str]:
    """Columns, reasons and remedies of a row, each once."""
    failed = [issue for issue in issues if issue.failed] or list(issues)
    yield "; ".join(dict.fromkeys(i.at.field for i in failed if i.at and i.at.field))
    yield "; ".join(dict.fromkeys(f"{issue.detail}: {issue.text}" for issue in failed))
    yield "; ".join(dict.fromkeys(DETAILS[issue.detail].remedy for issue in failed))
