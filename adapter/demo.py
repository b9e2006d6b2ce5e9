"""The whole chain on the shipped fixtures: files and messages in, FHIR, loop, RTF and 837P out."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adapter import data, outputs, store
from adapter.errors import SettingError
from adapter.identity.match import may_merge, resolve
from adapter.issues import Issue
from adapter.pipeline import Pipeline, Tally, UnitResult
from adapter.program.encounters import replay
from adapter.referrals.loop import Event, advance
from adapter.store.protocol import Store

PLAN = "sunrise"
MONTH = "2026-07"
RECEIVED = datetime(2026, 7, 13, 15, 0, tzinfo=UTC)
REPORTED = datetime(2026, 8, 3, 16, 0, tzinfo=UTC)  # the demo's clock stands still twice
LOOP = (
    ("accept", "2026-07-14T10:00:00-07:00"),
    ("start", "2026-07-16T11:30:00-07:00"),
    ("complete", "2026-07-28T13:00:00-07:00"),
)

Say = Callable[..., None]


def run(folder: Path, say: Say) -> int:
    """Load fixtures/demo into a new store in `folder`, write the files, print what was made.

    What an earlier demo made there gives way. Raises SettingError for a folder of other things.
    """
    file = folder / "demo.sqlite"
    _clear(folder, file)
    base = store.open(f"sqlite:///{file}", resolve, replay=replay, may_merge=may_merge)
    house = Pipeline(base, lambda: RECEIVED)
    _load(house, say)
    _close_loop(house.store, say)
    _write(replace(house, clock=lambda: REPORTED), folder, say)
    _count(house.store, say)
    say(f"\nThe store: {file}. See any of it: ecm-adapter --database sqlite:///{file} serve")
    return 0


def _clear(folder: Path, file: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists() and any(folder.iterdir()):
        raise SettingError("demo --out: a new or empty folder, or that of an earlier demo")
    for pattern in ("demo.sqlite*", f"837P_{PLAN}_{MONTH}_*.837"):
        for old in folder.glob(pattern):
            old.unlink()


def _load(house: Pipeline, say: Say) -> None:
    say("In")
    shelf = data.path("fixtures", "demo")
    for name, results in _inputs(house, shelf):
        tally = Tally()
        for result in results:
            tally.add(result)
        units = ", ".join(f"{count} {status}" for status, count in sorted(tally.units.items()))
        found = ", ".join(f"{count} {detail}" for detail, count in sorted(tally.issues.items()))
        say(f"  {name:<22} {units}" + (f"   issues: {found}" if found else ""))


def _inputs(house: Pipeline, shelf: Path) -> Iterator[tuple[str, Iterator[UnitResult]]]:
    yield "members.csv", house.mif(shelf / "members.csv", PLAN, "members.csv")
    for file in sorted(shelf.glob("*.hl7")):
        yield file.name, house.adt(file.read_bytes(), "default", file.name)
    for file in sorted(shelf.glob("referral*.json")):
        yield file.name, house.referral(file.read_bytes(), "sacramento", file.name)
    yield "contacts.csv", house.services(shelf / "contacts.csv", "canonical", "contacts.csv")


def _close_loop(house: Store, say: Say) -> None:
    """The first referral is accepted, worked on and completed, as its owner would do by API."""
    task = next(house.each("Task", [("status", "requested")]))
    path = ["requested"]
    for verb, at in LOOP:
        outcome = "the member was enrolled in ECM" if verb == "complete" else ""
        step = advance(task, Event(verb, at, outcome=outcome))
        task = house.put(step.task, at)[0].resource
        path.append(task["status"])
    say("\nReferral loop\n  " + " -> ".join(path))


def _write(house: Pipeline, folder: Path, say: Say) -> None:
    say("\nOut")
    report = outputs.return_file(house, PLAN, MONTH, folder)
    say(f"  {report.file.name}: {report.rows} members, {_issues(report.issues)}")
    claims = outputs.claim_files(house, PLAN, MONTH, folder)
    for file in claims.files:
        say(f"  {file.name}: {claims.claims} claims, {claims.lines} lines, ${claims.total}")
    say(f"  not billed: {_issues(claims.issues)}")
    _explain(house.store, report.file, claims.files, say)


def _explain(known: Store, report: Path, claims: list[Path], say: Say) -> None:
    """A cell of the member whose referral was closed, and the first claim line."""
    with report.open(newline="", encoding="utf-8") as stream:
        lines = [n for n, row in enumerate(csv.DictReader(stream), 2) if row["Referral Status"]]
    refs = [f"{report.name}:{lines[0]}:Member ECM Status"]
    for file in claims[:1]:
        segments = file.read_text(encoding="ascii").split("~")
        first = next(n for n, text in enumerate(segments, 1) if text.strip().startswith("SV1"))
        refs.append(f"{file.name}:{first}:SV1")
    say("\nWhere a cell and a claim line came from")
    for ref in refs:
        for line in outputs.explain(known, ref):
            say(f"  {line}")


def _issues(found: list[Issue]) -> str:
    counts = Counter(issue.detail for issue in found)
    return ", ".join(f"{n} {detail}" for detail, n in sorted(counts.items())) or "no issues"


def _count(house: Store, say: Say) -> None:
    say("\nIn the store")
    for label, kind, params in (
        ("members", "Patient", ()),
        ("hospital stays and ECM contacts", "Encounter", ()),
        ("authorizations", "ClaimResponse", ()),
        ("claims", "Claim", ()),
    ):
        say(f"  {house.search(kind, params, count=1).total:>4} {label}")
    statuses = Counter(task["status"] for task in house.each("Task"))
    for status, count in sorted(statuses.items()):
        say(f"  {count:>4} referrals {status}")
