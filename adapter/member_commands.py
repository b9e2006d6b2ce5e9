"""The commands about member files: load, what a list changed, panels for exchanges, new layouts."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

from adapter import reject_file
from adapter.errors import OutputError, SettingError
from adapter.issues import Issue
from adapter.pipeline import Pipeline, Tally, UnitResult
from adapter.program import snapshots
from adapter.record import Resource, shown
from adapter.reports import exchange, panel
from adapter.sources import sample, suggestion_text
from adapter.sources.suggest import suggest as propose
from adapter.spreadsheet import safe

Say = Callable[..., None]
Tell = Callable[[Issue], None]
_STATUSES = ("stored", "duplicate", "refused", "review")


def load(house: Pipeline, options: Namespace, say: Say, tell: Tell) -> int:
    """Load member files; rows refused or put aside go to the reject file, one for each file."""
    clean = True
    for file in options.files:
        received = house.clock()
        tally, refused = Tally(), dict[int, list[Issue]]()
        changes = ""
        for result in house.mif(file, options.plan, shown(file), options.received or ""):
            tally.add(result)
            changes = _changes(house, result) or changes
            if result.status in ("refused", "review") and result.rows:
                refused.setdefault(result.line, []).extend(result.issues)
            clean &= not _say_wrong(result, bool(options.mend), tell)
        say(f"{shown(file)}: {_rows(tally)}")
        if changes:
            say(f"  members: {changes}")
        if options.mend and refused:
            _reject(options, file, received, refused)
        clean &= tally.clean
    return int(not clean)


def _say_wrong(result: UnitResult, rejects: bool, tell: Tell) -> bool:
    """Tell what is wrong with a unit, unless the reject file will; whether anything is."""
    wrong = [issue for issue in result.issues if issue.severity != "information"]
    in_file = rejects and result.rows and result.status in ("refused", "review")
    for issue in wrong if not in_file else ():
        tell(issue)
    return bool(wrong)


def _rows(tally: Tally) -> str:
    """`8 rows: 6 stored, 1 duplicate, 1 refused (1 required)`: the counts make up the rows."""
    counts = [f"{tally.rows[status]} {status}" for status in _STATUSES if tally.rows[status]]
    issues = [f"{number} {detail}" for detail, number in sorted(tally.issues.items())]
    found = ", ".join(counts) or "nothing stored"
    return f"{tally.rows.total()} rows: {found}" + (f" ({', '.join(issues)})" if issues else "")


def _changes(house: Pipeline, result: UnitResult) -> str:
    ref = next((ref for ref in result.refs if ref.startswith("List/")), "")
    stored = house.store.read("List", ref.partition("/")[2]) if ref and not result.rows else None
    return "; ".join(str(note["text"]) for note in stored.resource["note"]) if stored else ""


def _reject(
    options: Namespace, file: Path, received: datetime, refused: dict[int, list[Issue]]
) -> None:
    out: Path = options.mend
    if len(options.files) > 1:
        out = out.with_name(f"{out.stem}-{file.stem}{out.suffix}")
    with _writing(out, "--mend") as stream:
        came = received.isoformat()
        found = reject_file.Rejected(file, shown(file), options.plan, came, refused)
        reject_file.write(stream, found)


def _writing(file: Path, option: str) -> IO[str]:
    try:
        return file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"{option}: cannot be written ({type(error).__name__})") from None


def suggest(options: Namespace, say: Say, tell: Tell) -> int:
    """Propose a layout for a file; 1 when a column that every layout needs was not found."""
    try:
        found = propose(options.file)
    except (sample.NoTable, OSError) as error:
        text = str(error) if isinstance(error, sample.NoTable) else type(error).__name__
        tell(Issue("error", "file-format", f"no layout can be proposed: {text}"))
        return 1
    text = suggestion_text.toml(found, options.name)
    if options.out:
        with _writing(options.out, "--out") as stream:
            stream.write(text)
        taken = sum(bool(guess.field) and guess.score >= 0.5 for guess in found.guesses)
        say(f"{options.out.name}: {taken} of {len(found.guesses)} columns")
    else:
        say(text)
    return int(bool(found.missing))


def roster(house: Pipeline, options: Namespace, say: Say, tell: Tell) -> int:
    """What a plan's files changed in its list, or the panel for an exchange."""
    if options.action == "panel":
        return _panel(house, options, say, tell)
    lists = snapshots.history(house.store, options.plan)
    chosen = lists if options.all else lists[-1:]
    rows = [row for one in chosen for row in _diff(one)]
    if options.out:
        with _writing(options.out, "--out") as stream:
            shown = (map(safe, row) for row in rows)
            csv.writer(stream).writerows([["as of", "change", "member", "fields"], *shown])
    for one in chosen:
        say(f"{one.get('date', '')[:10]}: {one['note'][0]['text']}")
    if not options.out:
        _say_rows(rows, say)
    return 0


def _diff(changes: Resource) -> Iterator[list[str]]:
    for what, member, fields in snapshots.told(changes):
        yield [str(changes.get("date", ""))[:10], what, member, fields]


def _say_rows(rows: Iterable[list[str]], say: Say) -> None:
    for _, what, member, fields in rows:
        say(f"  {what:<8} {member}" + (f"  {fields}" if fields else ""))


def _panel(house: Pipeline, options: Namespace, say: Say, tell: Tell) -> int:
    if options.exchange not in exchange.names():
        raise SettingError(f"--exchange: one of {', '.join(exchange.names())}")
    definition = exchange.load(options.exchange)
    written = panel.write(house.store, definition, options.out, house.clock())
    for issue in written.issues:
        tell(issue)
    say(f"{written.file.name}: {written.rows} rows, {definition.mode}")
    return int(bool(written.issues))
