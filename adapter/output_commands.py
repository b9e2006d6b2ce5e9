"""What the commands report, claims and deliver do; each returns its exit code."""

from __future__ import annotations

import getpass
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

from adapter import outputs
from adapter.issues import Issue
from adapter.pipeline import Clock, Pipeline
from adapter.transport import delivery

Say = Callable[..., None]
Tell = Callable[[Issue], None]


def report(house: Pipeline, options: Namespace, say: Say, tell: Tell) -> int:
    """Write a plan's return files; prints their names, their rows, and what is missing in them.

    With --preflight only the latter, and nothing is written.
    """
    by = options.by or getpass.getuser()
    run = outputs.return_run(house, options.plan, options.kind, options.period, options.format, by)
    if options.preflight:
        found = outputs.preflight(house, run)
        say(f"{len(found)} findings; nothing was written")
    else:
        written = outputs.return_files(house, run, options.out)
        found = written.issues
        _recovered(written.recovered, say)
        for name, rows in written.counts.items():
            say(f"{name}: {rows} rows")
    for issue in found:
        tell(issue)
    return int(any(issue.failed for issue in found))


def claims(house: Pipeline, options: Namespace, say: Say, tell: Tell) -> int:
    """Write a plan's 837P for a month; prints files, claims and total, and what was not billed."""
    written = outputs.claim_files(house, options.plan, options.period, options.out)
    for issue in written.issues:
        tell(issue)
    _recovered(written.recovered, say)
    for file in written.files:
        say(file.name)
    say(f"{written.claims} claims, {written.lines} lines, ${written.total}")
    return int(bool(written.issues))


def deliver(options: Namespace, clock: Clock, say: Say) -> int:
    """Send files, or fetch what is new; prints what became of each."""
    place = delivery.place(options.to or options.collect, options.known_hosts, options.key)
    log = delivery.Receipts(options.receipts or options.out / "deliveries.ndjson", clock)
    how = delivery.Patience(tries=options.tries)
    if options.to:
        found = delivery.send(options.files, place, log, how)
    else:
        found = delivery.collect(place, options.out, log, how)
    for receipt in found:
        say(f"{receipt.file}: {receipt.status}" + (f" ({receipt.why})" if receipt.why else ""))
    return int(any(receipt.status == "failed" for receipt in found))


def _recovered(files: Iterable[Path], say: Say) -> None:
    for file in files:
        say(f"{file.name}: recovered, a former run had recorded it")
