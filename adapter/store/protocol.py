"""What a store promises: the seam that rules, reports, claims and the API are written against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from adapter.errors import AdapterError
from adapter.issues import Issue
from adapter.outcome import Outcome
from adapter.record import Resource


class BadSearch(AdapterError):
    """A search parameter is unknown or malformed; the text names the parameter, never its value."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(f"search parameter {parameter}: {text}")
        self.parameter = parameter


class Stored(NamedTuple):
    """One version of a resource; `resource` carries id, meta.versionId and meta.lastUpdated."""

    resource: Resource
    version: int
    updated: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search: matches, resources pulled in by `_include`, and where to go on."""

    matches: list[Stored]
    included: list[Stored] = field(default_factory=list)
    total: int = 0
    cursor: str | None = None


class Trace(NamedTuple):
    """Where an element of a stored resource came from: one row per source value."""

    element: str
    source: str
    unit: int
    file: str
    line: int
    field: str
    as_of: str


class Activity(NamedTuple):
    """What a source sent: when its last unit came in, and how many since an instant, by status."""

    source: str
    last: str
    units: dict[str, int]


Status = Literal["stored", "duplicate", "refused", "review"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a unit: its ledger number, the ids its entries got, what really changed."""

    status: Status
    unit: int
    ids: dict[str, str] = field(default_factory=dict)  # urn -> "Patient/abc"
    changed: tuple[str, ...] = ()  # references whose version went up
    issues: tuple[Issue, ...] = ()


class Cell(NamedTuple):
    """One cell or segment of a file we wrote, and the resource elements it was made from."""

    line: int
    field: str
    refs: tuple[str, ...]  # "Patient/abc#name"


class Reader(Protocol):
    """What rules, reports and claims need."""

    def read(self, kind: str, uid: str) -> Stored | None:
        """The current version (deleted ones too, flagged), or None."""

    def search(
        self,
        kind: str,
        params: Sequence[tuple[str, str]] = (),
        count: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """FHIR search by the parameters of profiles/search-parameters.json.

        Values of one parameter separated by commas are alternatives, repeated parameters all hold.
        Raises BadSearch for an unknown or malformed parameter.
        """

    def each(self, kind: str, params: Sequence[tuple[str, str]] = ()) -> Iterator[Resource]:
        """Every current match as a stream, ordered by id."""

    def trace(self, kind: str, uid: str) -> list[Trace]:
        """Where each element of the current version came from."""

    def cell(self, file: str, line: int, field: str) -> Cell | None:
        """What a cell of a written file was made from."""


class Store(Reader, Protocol):
    """What the pipeline and the API need besides."""

    def vread(self, kind: str, uid: str, version: int) -> Stored | None:
        """One version, or None."""

    def history(self, kind: str, uid: str) -> list[Stored]:
        """All versions, newest first."""

    def batch(self) -> AbstractContextManager[None]:
        """Group the commits inside into one durable transaction; each unit keeps its savepoint."""

    def commit(self, outcome: Outcome, raw: bytes, now: str) -> Receipt:
        """Store a unit whole, or nothing of it; the same unit again is `duplicate` and no write.

        An outcome that is not ok is only written to the ledger (`refused`).
        """

    def commit_all(self, units: Sequence[tuple[Outcome, bytes]], now: str) -> list[Receipt]:
        """Commit (outcome, raw) pairs in one durable transaction: the quick way for bulk loads.

        Each is taken or refused by itself as by `commit`; lookups are made for all at once.
        """

    def put(
        self, resource: Resource, now: str, if_version: int | None = None
    ) -> tuple[Stored, bool]:
        """Create or replace by id (API writes, source `api`); the flag says created.

        Raises VersionConflict, NotUnique.
        """

    def delete(self, kind: str, uid: str, now: str) -> Stored | None:
        """Mark deleted as a new version; None when there is no such resource."""

    def activity(self, since: str) -> list[Activity]:
        """What each source sent since an instant (ISO 8601, UTC), ordered by source."""

    def write_cells(self, file: str, cells: Sequence[Cell], now: str) -> None:
        """Remember what a written file was made from, for `explain`."""

    def sequence(self, name: str) -> int:
        """The next number of a gap-free ledger sequence (control numbers), from 1, durable."""
