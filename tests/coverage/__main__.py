"""`make coverage`: rows of the v2-to-FHIR guide that a real message proves, per segment.

`python -m tests.coverage [--rows]` also lists what is written elsewhere, left out, or missing.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from tests.coverage import guide, probe


def main(listed: bool) -> int:
    """Print the table; 1 when a row is neither implemented nor left out by name."""
    if not guide.available():
        print("The guide's tables (../shared/data/v2-to-fhir) are not at hand.")
        return 0
    found = [probe.try_row(row) for row in guide.rows()]
    segments: dict[str, list[probe.Found]] = defaultdict(list)
    for one in found:
        segments[one.row.segment].append(one)
    print("Rows of HL7's v2-to-FHIR guide that a message with just their field proves")
    print(
        f"{'segment':<9}{'mapped':>8}{'implemented':>13}{'of these elsewhere':>20}{'left out':>10}"
    )
    for name, some in [*sorted(segments.items()), ("all", found)]:
        n = probe.counts(some)
        done = n["stated"] + n["elsewhere"]
        print(f"{name:<9}{len(some):>8}{done:>13}{n['elsewhere']:>20}{n['out']:>10}")
    missing = [one for one in found if probe.verdict(one) == "missing"]
    if listed:
        _list(found)
    for one in missing:
        print(f"missing: {one.row.map} row {one.row.line}: {one.row.field} -> {one.row.path}")
    return 1 if missing else 0


def _list(found: list[probe.Found]) -> None:
    out = probe.left_out()
    for one in found:
        reason = out.get((one.row.map, one.row.line)) or one.why
        if reason:
            verdict = "left out" if (one.row.map, one.row.line) in out else "elsewhere"
            print(f"{verdict}: {one.row.map} row {one.row.line} {one.row.path}: {reason}")


if __name__ == "__main__":
    sys.exit(main("--rows" in sys.argv))
