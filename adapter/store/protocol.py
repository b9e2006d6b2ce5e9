"""What a store promises: the seam that rules, reports, claims and the API are written against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from adapter.errors import AdapterError
from adapter.issues import Candidate, Issue
from adapter.outcome import Outcome
from adapter.record import Resource

NEW, REFUSE = "new", "refuse"  # what a person decides: none of the known; take it out


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
    news: tuple[str, ...] = ()  # fields of a row that say something else than its source before


class Held(NamedTuple):
    """A unit that waits for a person: where it came from, why, and whom it may mean.

    `issues` as OperationOutcome.issue; neither they nor the candidates hold a source value.
    """

    unit: int
    source: str
    kind: str
    file: str
    line: int
    received: str
    issues: list[dict[str, Any]]
    candidates: list[Candidate]


class Cell(NamedTuple):
    """One cell or segment of a file we wrote, and the resource elements it was made from."""

    line: int
    field: str
    refs: tuple[str, ...]  # "Patient/abc#name"


class SentRow(NamedTuple):
    """What one row of a written file told: of whom (`Patient/abc`), and its texts by header."""

    subject: str
    texts: dict[str, str]


# waiting  to go out, now or when `due`     delivered  the recipient took it
# stopped  refused until somebody mends the endpoint (401, 404)   failed  given up
# withdrawn  taken back before it went out    unaddressed  nobody is named for this member
LetterState = Literal["waiting", "delivered", "stopped", "failed", "withdrawn", "unaddressed"]
LetterSense = Literal["new", "update", "withdrawal"]


class Letter(NamedTuple):
    """One message about a stay to a care team's system; times are UTC, `""` when there is none.

    `id`        that of the message Bundle: who takes it twice knows it by this
    `event`     what happened, to whom: `admit@<id of the Patient>`
    `at`        when the event was; with `encounter`, `event` and `revision` it is unique
    `sense`     `new`, `update` or `withdrawal` of what was said before
    `due`       when to try next; `told`: when it was delivered
    `fault`     why it did not go out the last time: a status or an error's name, no text of it
    """

    id: str
    encounter: str
    event: str
    at: str
    revision: int
    sense: LetterSense
    recipient: str
    state: LetterState
    attempts: int = 0
    due: str = ""
    made: str = ""
    told: str = ""
    fault: str = ""
    body: str = ""


Address = Callable[[str, str], str]  # recipient, body -> the body that names him


class Outbox(Protocol):
    """Which stays have changed, and what care teams are told of them, each thing once."""

    def changed(self, count: int) -> list[Stored]:
        """Stays and Groups that changed since they were last `seen`, as they are now, deleted ones
        flagged; and Patients who died, or did not after all, or have other numbers."""

    def seen(self, changed: Sequence[Stored]) -> None:
        """Forget that these changed; what has another version by now is told again."""

    def of_stay(self, encounter: str) -> list[Letter]:
        """Every message about a stay (id of the Encounter), oldest first, without bodies."""

    def letters(self, *states: LetterState) -> list[Letter]:
        """Messages in these states (all when none is named), oldest first, without bodies."""

    def counts(self) -> dict[tuple[str, LetterState], int]:
        """How many messages each recipient has in each state."""

    def post(self, letter: Letter) -> bool:
        """Put a message in; False when one of its id or (stay, event, time, revision) is there."""

    def recall(self, uid: str) -> bool:
        """Take a message back that is no longer true; False when it may have gone out.

        What waits to be tried again stays: what comes after it makes it right.
        """

    def due(self, now: str) -> list[str]:
        """The recipients for whom something is due."""

    def claim(self, now: str, until: str, count: int, recipient: str = "") -> list[Letter]:
        """Messages that are due, with bodies; nobody else gets them before `until`.

        Least tried first, so that one that is never taken keeps no other waiting. To a recipient
        the messages of a stay go out in order, and none to one that is stopped.
        """

    def give_back(self, letter: Letter, fault: str) -> None:
        """Take a claimed message back before it is sent; its stay counts as changed."""

    def postpone(self, recipient: str, until: str) -> None:
        """Let what is due for a recipient wait at least until then."""

    def settle(self, letter: Letter) -> None:
        """Write down what became of a claimed message: state, attempts, due, told and fault."""

    def versions(self, kind: str) -> dict[str, int]:
        """The version of each resource of a type by id, deleted ones left out."""

    def retry(
        self, now: str, recipient: str = "", to: str = "", address: Address | None = None,
        without: Sequence[str] = (),
    ) -> int:  # fmt: skip
        """Let stopped and failed messages go again, to another recipient if named; how many.

        `recipient`  only those to this one; `to` also addresses those that had no recipient
        `address`    the body of a message for a recipient by name
        `without`    ids of messages to leave

        Those about which something was said since are no longer true: they are taken back.
        """


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

    def last_sent(self, series: str, subject: str, before: str) -> dict[str, str] | None:
        """What a series' last file before a period (`2026-02`) told of a subject, by header."""

    def sent_periods(self, series: str) -> list[str]:
        """The periods of a series whose files are known, oldest first."""

    def sent_rows(self, series: str, period: str) -> Iterator[SentRow]:
        """What the file of a period told, by subject."""


class Store(Reader, Protocol):
    """What the pipeline and the API need besides."""

    @property
    def outbox(self) -> Outbox:
        """What care teams are told; its writes belong to the store's transactions."""

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

    def similar(self, person: Resource) -> list[Stored]:
        """Patients that share an identifier, a telephone, or birth date and family name with one.

        Whoever was merged is not among them; their survivors are.
        """

    def waiting(self) -> list[Held]:
        """The units that wait for a person, in order of arrival."""

    def decide(self, unit: int, decision: str, who: str, now: str) -> Receipt | None:
        """Carry out what a person decided of a waiting unit; None when it does not wait.

        `Patient/abc` (one of its candidates) is who is meant, `new` somebody else, `refuse` takes
        the unit out. Who decided, and when, is kept. What waits about the same people is judged
        again.
        """

    def judge_again(self, now: str) -> list[Receipt]:
        """Judge all that waits as if it came again: the receipts of what waits no longer.

        Nobody is taken for somebody new whom a person has not called so.
        """

    def write_cells(self, file: str, cells: Iterable[Cell], now: str) -> None:
        """Remember what a written file was made from, for `explain`; a stream is taken in slices.

        In place of what was known of that name.
        """

    def write_sent(self, series: str, period: str, rows: Iterable[SentRow], now: str) -> None:
        """Remember what the file of a period told; in place of what was known of that period."""

    def sequence(self, name: str) -> int:
        """The next number of a gap-free ledger sequence (control numbers), from 1, durable."""
