"""The file of refused rows of a member file: why, how to mend them, and the cells themselves."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from adapter.issues import DETAILS, Issue
from adapter.sources import layout as layouts
from adapter.sources.header import REFUSED
from adapter.sources.originals import originals

Refused = Mapping[int, Sequence[Issue]]  # by the line of the row


def write(out: IO[str], file: Path, plan: str, as_of: str, refused: Refused) -> int:
    """Write the refused rows of a file as CSV and return how many they are.

    The same layout reads it: mend the cells, and load it. `as_of` is when the file came, so that
    mended rows do not stand before what was told since. Raises DataFileError for an unknown layout.
    """
    layout = layouts.load(plan)
    labels, rows = originals(file, layout, refused.keys())
    day = layout.date_of(file.name)
    when = f"{day}T00:00:00+00:00" if day else as_of
    writer = csv.writer(out)
    writer.writerow([*(layout.columns[name][0] for name in REFUSED), *labels])
    written = set()
    for row in rows:
        written.add(row.line)
        writer.writerow([file.name, when, row.line, *_why(refused[row.line]), *row.cells])
    for line in sorted(refused.keys() - written):
        writer.writerow([file.name, when, line, *_why(refused[line])])
    return len(refused)


def _why(issues: Sequence[Issue]) -> Iterator[str]:
    """Columns, reasons and remedies of a row, each once."""
    failed = [issue for issue in issues if issue.failed] or list(issues)
    yield "; ".join(dict.fromkeys(i.at.field for i in failed if i.at and i.at.field))
    yield "; ".join(dict.fromkeys(f"{issue.detail}: {issue.text}" for issue in failed))
    yield "; ".join(dict.fromkeys(DETAILS[issue.detail].remedy for issue in failed))
