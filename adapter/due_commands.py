"""What `due`, `outreach` and `letter` do: lists for people, Tasks in the store, letters."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from adapter import data
from adapter.errors import OutputError, SettingError
from adapter.pipeline import Pipeline
from adapter.program import lists, tasks
from adapter.program.days import today
from adapter.program.dues import Due
from adapter.spreadsheet import safe
from adapter.store.protocol import Store

Say = Callable[..., None]


def due(house: Pipeline, options: Namespace, say: Say) -> int:
    """Write what is due in a plan as CSV (or a Bundle of Tasks), and keep it as Tasks."""
    on = day(options.on, house)
    found = lists.due(house.store, options.plan, on)
    _write(options.out, found, house.store)
    counts = tasks.reconcile(house.store, found, options.plan, on, house.clock().isoformat())
    late = sum(one.overdue for one in found)
    say(f"{options.out.name}: {len(found)} due, {late} overdue on {on.isoformat()}")
    for kind, count in sorted(Counter(one.kind for one in found).items()):
        say(f"  {count:>5} {kind}")
    say("  tasks:", ", ".join(f"{count} {what}" for what, count in counts.items()))
    _caseload(house.store, options.plan, on, say)
    return 0


def outreach(house: Pipeline, options: Namespace, say: Say) -> int:
    """Write where outreach to each member stands, as CSV."""
    on = day(options.on, house)
    found = lists.standings(house.store, options.plan, on)
    table(options.out, lists.OUTREACH_COLUMNS, lists.outreach_rows(found))
    late = sum(row.outreach is not None and row.outreach.overdue for row in found)
    say(f"{options.out.name}: {len(found)} members, {late} overdue on {on.isoformat()}")
    return 0


def letter(house: Pipeline, options: Namespace, say: Say) -> int:
    """Write the letters that are owed (or the one asked for) and record them as sent that day."""
    from adapter import letters

    on = day(options.on, house)
    order = letters.Order(options.plan, on, options.out, options.member, options.draft)
    written = letters.write(house, order)
    for one in written:
        say(f"{one.file.name} ({one.language})")
    say(f"{len(written)} letters" + (", not recorded as sent" if options.draft else ""))
    return int(bool(options.member) and not written)


def day(text: str | None, house: Pipeline) -> date:
    """A day of the command line, today in California if none. Raises SettingError."""
    if text is None:
        return today(house.clock())
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingError("--on: a day is written like 2026-07-13") from None


def table(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a list for people as CSV; no cell is a formula. Raises OutputError."""
    try:
        with file.open("w", newline="", encoding="utf-8-sig") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows({name: safe(cell) for name, cell in row.items()} for row in rows)
    except OSError as error:
        raise OutputError(f"{file.name} cannot be written ({type(error).__name__})") from error


def _write(file: Path, found: list[Due], store: Store) -> None:
    if file.suffix == ".json":
        try:
            file.write_bytes(data.dumps(tasks.bundle(found)))
        except OSError as error:
            raise OutputError(f"{file.name} cannot be written ({type(error).__name__})") from error
        return
    table(file, lists.DUE_COLUMNS, lists.due_rows(store, found))


def _caseload(store: Store, plan: str, on: date, say: Say) -> None:
    """Say which lead care manager has too many members, and how many members have none."""
    for one in lists.caseload_rows(store, lists.caseloads(store, plan, on)):
        if not one["lead_care_manager"]:
            say(f"  {one['members']} enrolled members without a lead care manager")
        elif one["caseload"].startswith("over"):
            say(f"  {one['lead_care_manager']}: {one['members']} members, {one['caseload']}")
