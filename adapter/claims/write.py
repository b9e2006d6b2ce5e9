"""Claims of a plan for a month: 837P files, with their Claims and cells in the store.

Claims are committed first, and the file takes its place after: a run killed in between leaves a
part that the next run puts in its place, so that nothing is billed that no file says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapter import staging
from adapter.claims import edits, p837, voids, x12
from adapter.claims.charges import charges
from adapter.claims.drafts import Draft, drafts
from adapter.claims.gather import Case, cases, place, sourced
from adapter.claims.plan import Plan
from adapter.claims.resources import claim
from adapter.errors import OutputError
from adapter.issues import Issue
from adapter.record import Location
from adapter.store.protocol import Cell, Store

MAX_CLAIMS = 5000  # claims in one transaction set (005010X222A1 1.3.2, recommended)


@dataclass(frozen=True, slots=True)
class Correction:
    """A claim to send again: its Claim, the payer's own number for it, 7 replace or 8 void."""

    claim: str
    payer_number: str
    frequency: str = "7"


@dataclass(slots=True)
class Written:
    """What a run wrote, for people and for tests; `repeated` contacts were billed before.

    `recovered` files belong to a former run that was committed and then killed.
    """

    files: list[Path] = field(default_factory=list)
    claims: int = 0
    lines: int = 0
    total: Decimal = Decimal(0)
    repeated: int = 0
    recovered: list[Path] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: where to write, for whom, which month (`2026-01`), when, and what to correct."""

    plan: Plan
    month: str
    folder: Path
    now: datetime
    corrections: Sequence[Correction] = ()


def write(store: Store, run: Run) -> Written:
    """Bill every contact of the month that no active Claim holds yet.

    Contacts that may not be billed become issues (placed in their source file) and the others
    go on; a month without anything billable writes no file. `run.now` carries a zone.
    Raises OutputError when the folder cannot be written, StoreError.
    """
    result = Written(recovered=recover(store, run.folder))
    ready = list(_voids(store, run, result))
    for case in cases(store, run.plan, run.month):
        found = _bill(store, case, run, result)
        ready += [(draft, case.insurer) for draft in found]
    ready.sort(key=lambda row: row[0].charges[0].member.ref)
    for start in range(0, len(ready), MAX_CLAIMS):
        _file(store, run, ready[start : start + MAX_CLAIMS], result)
    return result


def recover(store: Store, folder: Path) -> list[Path]:
    """Put files in their place whose claims were committed by a run that was killed then."""
    return staging.recover(folder, "claims", lambda name, _: store.cell(name, 1, "ISA") is not None)


def _voids(store: Store, run: Run, result: Written) -> Iterator[tuple[Draft, dict[str, Any]]]:
    """What is to be voided, whether or not its contacts could be billed today."""
    for row in run.corrections:
        if row.frequency != "8":
            continue
        found = voids.void(store, row.claim, run.plan)
        if isinstance(found, str):
            result.issues.append(Issue("error", "not-billable", found, Location(row.claim, 0)))
            continue
        (draft,) = _corrected([found], row)
        faults = _faults(store, draft, run.plan)
        result.issues += faults
        if not faults:
            yield draft, voids.insurer(store, row.claim)


def _bill(store: Store, case: Case, run: Run, result: Written) -> list[Draft]:
    """The claims of one member that pass the edits; issues and counts go to the result."""
    accepted = []
    corrections = [row for row in run.corrections if row.frequency != "8"]
    corrected = {row.claim for row in corrections}
    fresh = [row for row in case.contacts if row.ref not in case.billed]
    again = [row for row in case.contacts if case.billed.get(row.ref) in corrected]
    result.repeated += len(case.contacts) - len(fresh) - len(again)
    made, refused = charges(fresh, case.member, run.plan)
    found = [*drafts(made)]
    for correction in corrections:
        own = [row for row in again if case.billed[row.ref] == correction.claim]
        anew, more = charges(own, case.member, run.plan)
        refused += more
        found += _corrected(drafts(anew), correction)
    result.issues += [sourced(store, issue) for issue in refused]
    for draft in found:
        faults = _faults(store, draft, run.plan)
        result.issues += faults
        accepted += [] if faults else [draft]
    return accepted


def _corrected(found: list[Draft], correction: Correction) -> list[Draft]:
    for draft in found[:1]:
        draft.frequency = correction.frequency
        draft.original, draft.corrects = correction.payer_number, correction.claim
    return found


def _faults(store: Store, draft: Draft, plan: Plan) -> list[Issue]:
    """What the edits find in one claim, placed at the source of its first contact."""
    draft.number = "0"
    rows = p837.subscriber([draft], plan, 2)
    found = edits.check([p837.cased(row.segment, plan.character_set) for row in rows])
    if not found:
        return []
    at = place(store, draft.charges[0].contacts[0], "period")
    return [
        Issue("error", "not-billable", f"{issue.at.field if issue.at else ''}: {issue.text}", at)
        for issue in found
    ]


def _file(
    store: Store, run: Run, ready: Sequence[tuple[Draft, dict[str, Any]]], result: Written
) -> None:
    """One file: numbers, Claims and cells are stored in one batch, and then the file stands."""
    with ExitStack() as stack:
        with store.batch():
            count = store.sequence(f"interchange:{run.plan.receiver.id}")
            for draft, _ in ready:
                draft.number = f"{run.plan.claim_prefix}{store.sequence('claim'):09d}"
            body, text = _text(run, [draft for draft, _ in ready], count)
            file = run.folder / f"837P_{run.plan.name}_{run.month}_{count:09d}.837"
            part = stack.enter_context(_part(file, text))
            _remember(store, run, ready)
            store.write_cells(file.name, list(_cells(body)), run.now.isoformat())
        part.stand()
    result.files.append(file)
    result.claims += len(ready)
    result.lines += sum(len(draft.charges) for draft, _ in ready)
    result.total += sum((draft.total for draft, _ in ready), Decimal(0))


def _remember(store: Store, run: Run, ready: Sequence[tuple[Draft, dict[str, Any]]]) -> None:
    now, today = run.now.isoformat(), run.now.date().isoformat()
    for draft, insurer in ready:
        _supersede(store, draft, now)
        store.put(claim(draft, run.plan, insurer, today), now)


@contextmanager
def _part(file: Path, text: str) -> Iterator[staging.Staged]:
    """The file's text beside its place, on the disk. Raises OutputError when the place is taken."""
    if file.exists():
        raise OutputError(f"cannot write {file.name}: it is there already")
    with staging.staged(file, "claims") as part:
        part.stream.write(text.encode("ascii"))
        part.settle()
        yield part


def _text(run: Run, claims: Sequence[Draft], count: int) -> tuple[list[p837.Row], str]:
    """The transaction's rows, and the whole file; ISA13, GS06 and BHT03 come of one number."""
    plan = run.plan
    envelope = x12.Envelope(
        sender=plan.submitter.id,
        receiver=plan.receiver.id,
        sender_qualifier=plan.submitter.qualifier,
        receiver_qualifier=plan.receiver.qualifier,
        usage=plan.usage,
        written=run.now.astimezone(plan.zone),
        interchange=count,
        group=count,
    )
    body = p837.transaction(plan, f"{plan.name.upper()[:15]}{count:09d}", envelope, claims)
    return body, x12.text(x12.interchange(envelope, [row.segment for row in body]))


def _supersede(store: Store, draft: Draft, now: str) -> None:
    """The corrected Claim is cancelled: its contacts are on the new one, or free again."""
    kind, _, uid = draft.corrects.partition("/")
    old = store.read(kind, uid) if draft.corrects else None
    if old is not None:
        store.put({**old.resource, "status": "cancelled"}, now)


def _cells(body: Sequence[p837.Row]) -> Iterator[Cell]:
    """One cell a segment: line is the segment number in the file (ISA is 1), field its name.

    ISA is made of nothing that is stored; its cell says that the file was committed.
    """
    yield Cell(1, "ISA", ())
    for number, row in enumerate(body, 4):
        if row.refs:
            yield Cell(number, str(row.segment[0]), row.refs)
