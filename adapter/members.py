"""Loading a member file: its rows, then what they changed in the plan's list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adapter import convert, terms
from adapter.issues import Issue
from adapter.mapping.roster import named
from adapter.outcome import Outcome, Unit
from adapter.program import snapshots
from adapter.program.snapshots import Changes, Row, Snapshot
from adapter.record import Entry, Location, Record, Resource
from adapter.sources import tabular as tables
from adapter.sources.rows import AGAIN
from adapter.store.protocol import Store

if TYPE_CHECKING:  # pipeline.py loads by this module
    from adapter.pipeline import UnitResult

RETURNED = ("rtf", "otf")  # kinds of which a row may be several units
_LISTS = ("end", "changes")  # units of a file that are no row of it


def again(outcome: Outcome) -> bool:
    """Whether a unit is a row that stands in its file before: told, and not stored once more."""
    return not outcome.entries and [issue.detail for issue in outcome.issues] == [AGAIN]


def row(outcome: Outcome) -> tuple[int, str]:
    """How many rows of a table a unit stands for, and the member it is about."""
    unit = outcome.unit
    if unit.kind != "mif":
        return int(unit.kind not in RETURNED or " " not in unit.key), ""
    _, colon, part = unit.key.partition(":")
    if not colon:
        return int(not any(issue.severity == "fatal" for issue in outcome.issues)), ""
    if part.startswith(_LISTS):
        return 0, ""
    member = named(outcome)
    return int(" " not in part), f"{member.system}|{member.value}" if member else ""


class Load:
    """One member file on its way into the store.

    `received`  the instant it came; `said`: the day on which it came, for one that is loaded later
    """

    def __init__(self, store: Store, received: str, said: str = "") -> None:
        self._store, self._received, self._said = store, received, said
        self._table: convert.Table | None = None
        self._file = convert.File(b"")
        self._shot: Snapshot | None = None
        self._context: Mapping[str, str] = {}
        self.changes: Changes | None = None
        self._lists: list[str] = []
        self._same: list[str] = []
        self._whole = True

    def open(self, data: bytes | Path, layout: str, name: str) -> bool:
        """Open the file; whether all its rows are stored. Raises DataFileError: no such layout."""
        table = self._table = convert.member_table(layout)
        self._context = table.context
        file = self._file = convert.file_of(data, table, name, self._received)
        self._same = snapshots.same_content(self._store, table.layout.plan, file.digest)
        if self._same and not file.as_of:
            file.digest = self._same[-1]  # a copy without a date is the file that it is a copy of
        return snapshots.is_whole(self._store, table.layout.plan, file.digest)

    def again(self) -> Iterator[tuple[int, int]]:
        """Line and count (0 for the further parts of a row, and for the list) of each unit."""
        table, file = self._opened(), self._file
        for found in tables.read(file.content, table.layout, file.name):
            if isinstance(found, Record):
                yield found.line, int(found.name == "row")
            elif isinstance(found, Issue) and found.detail == AGAIN and found.at:
                yield found.at.line, 1
        yield 1, 0

    def _opened(self) -> convert.Table:
        if self._table is None:
            raise AssertionError("no file was opened")
        return self._table

    def outcomes(self) -> Iterator[Outcome]:
        """The units of the file."""
        table, file = self._opened(), self._file
        before = snapshots.known(self._store, table.layout.plan)
        if table.layout.mapping == "member":
            self._shot = Snapshot(before, file.as_of or self._received, spared=file.spared)
        for outcome in convert.file_rows(file, table):
            self._lists += _lists(outcome)
            yield outcome

    def watched(self, results: Iterable[UnitResult]) -> Iterator[UnitResult]:
        """The results, each noted in the snapshot."""
        for result in results:
            self._whole = self._whole and result.status in ("stored", "duplicate")
            if self._shot is not None:
                patient = next((ref for ref in result.refs if ref.startswith("Patient/")), "")
                told = [name for name in result.fields if name not in self._context]
                self._shot.add(Row(result.member, patient, told), result.status)
            yield result

    def closing(self) -> Iterator[Outcome]:
        """What the file changed, and lists that no longer have members; nothing if it was known."""
        table, shot = self._table, self._shot
        if table is None or shot is None or not shot.fresh:
            return
        shot.delta = self._file.delta
        changes = self.changes = shot.close(self._store)
        yield self._outcome("changes", [self._changes(table, changes)])
        old = [] if shot.delta else snapshots.leftovers(shot.before, self._lists)
        if old:
            yield self._outcome("end-empty", [_emptied(shot.before.groups[one]) for one in old])

    def _changes(self, table: convert.Table, changes: Changes) -> Entry:
        plan, digest = table.layout.plan, self._file.digest
        when = self._said or self._file.as_of or self._received
        resource = changes.resource(plan, digest, when)
        if self._whole:
            resource["identifier"].append(snapshots.whole(plan, digest))
        earlier = [name.partition("@")[2] for name in self._same if name != digest]
        if earlier:
            day = earlier[-1] or "another day"
            resource["note"].append({"text": f"the same content came as of {day}"})
        system = terms.system("roster", plan)
        return Entry(resource, f"urn:uuid:list-{digest}", ((system, digest),))

    def _outcome(self, part: str, entries: list[Entry]) -> Outcome:
        table, file = self._opened(), self._file
        as_of = f"{file.as_of or self._received} {0:09d}"
        key = f"{file.digest}:{part}"
        unit = Unit(Location(file.name, 1), "mif", table.owner, key, as_of, b"", self._received)
        return Outcome(unit, entries)


def _lists(outcome: Outcome) -> Iterator[str]:
    for entry in outcome.entries:
        if entry.resource["resourceType"] == "Group" and entry.identity:
            yield entry.identity[0][1]


def _emptied(group: Resource) -> Entry:
    """A list of the plan without members."""
    kept = ("resourceType", "identifier", "type", "actual", "name")
    resource = {name: group[name] for name in kept if name in group} | {"active": False}
    system, value = group["identifier"][0]["system"], group["identifier"][0]["value"]
    return Entry(
        resource,
        f"urn:uuid:group-{group['id']}",
        ((system, value),),
        cleared=("member", "quantity"),
    )
