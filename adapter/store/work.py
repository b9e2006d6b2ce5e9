"""One writing transaction: what it has looked up, what it will write, written in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from adapter import data
from adapter.record import Resource, died
from adapter.store import alike, bulk, schema
from adapter.store.bundles import Bundles, source_of
from adapter.store.fold import Precedence, alone, fold, recorded
from adapter.store.instants import moment
from adapter.store.ledger import Ledger
from adapter.store.memory import Memory
from adapter.store.merged import Merged
from adapter.store.packing import pack, pack_alone, pack_record, spread, squeezed, unpack
from adapter.store.protocol import Stored
from adapter.store.registers import Contribution, Contributions, Stamp
from adapter.store.said import RECORD, Saying
from adapter.store.terms import Term, by_number, clip, difference, reference_keys

T = TypeVar("T")
Name = tuple[str, str]  # kind, id
Identity = tuple[str, str, str]  # value, system, kind: the primary key of `identifier`


_STATES = (
    "SELECT r.id, r.rid, r.version, r.deleted, c.source, c.json"
    " FROM resource AS r LEFT JOIN contribution AS c ON c.rid = r.rid"
    " WHERE r.kind = ? AND r.id IN ()"
)
_VERSION = "SELECT json FROM version WHERE rid = ? AND version IN ()"
_OWNERS = "SELECT value, system, kind, id FROM identifier WHERE value IN ()"
_LAST = "SELECT max(rid) FROM resource"


@dataclass(slots=True)
class State:
    """A resource as this transaction sees it; `version` 0 is not stored yet."""

    kind: str
    id: str
    rid: int
    version: int = 0
    deleted: bool = False
    content: Resource = field(default_factory=dict)
    _said: Contributions = field(default_factory=dict)
    _alone: dict[str, tuple[Saying, Stamp]] = field(default_factory=dict)
    _record: tuple[str, Stamp] | None = None
    _bundles: Bundles = field(default_factory=Bundles)

    @property
    def contributions(self) -> Contributions:
        """What each source says of it; whoever asks may change it."""
        if self._record is not None:
            source, stamp = self._record
            self._said[source], self._record = recorded(self.content, stamp), None
        for source, (saying, stamp) in self._alone.items():
            self._said[source] = saying.at(stamp)
        self._alone.clear()
        return self._said

    def says_only(self, source: str, saying: Saying, stamp: Stamp) -> None:
        """Remember that a source says this and nothing else, as of one time."""
        self._alone[source] = saying, stamp

    def recorded(self, source: str, stamp: Stamp) -> None:
        """Remember that what it is now is what a source says of it, and nothing else."""
        self._record = source, stamp

    def says_again(self, source: str, saying: Saying | None, stamp: Stamp) -> bool | None:
        """Whether it is news that the source says once more all that it said, and nothing else.

        None when it said something else, or others say something too.
        """
        last = self._alone.get(source)
        if saying is None or last is None or last[0] is not saying or len(self._said) > 1:
            return None
        if stamp.order <= last[1].order:
            return False
        self._alone[source] = saying, stamp
        return True

    def read(self, row: str, said: Contribution) -> None:
        """Take in what a stored row holds (bundles.py)."""
        self._bundles.read(row, said)
        self._said.setdefault(source_of(row), {}).update(said)

    def packed(self, source: str, dialect: str) -> dict[str, str | bytes]:
        """The rows that change of what a source says, as the database keeps them, by their names.

        What is written often is not squeezed.
        """
        alone = self._alone.get(source)
        if alone:
            return {source: pack_alone(*alone)}
        if self._record is not None:
            return {source: pack_record(self._record[1])}
        rows = self._bundles.rows(source, self._said.get(source, {}))
        return {row: squeezed(pack(said), dialect) for row, said in rows.items()}

    @property
    def ref(self) -> str:
        """`Patient/abc`."""
        return f"{self.kind}/{self.id}"

    @property
    def resource(self) -> Resource:
        """With type and id, without version."""
        return {"resourceType": self.kind, "id": self.id, **self.content}


@dataclass(slots=True)
class _Net:
    """Rows to remove, and then to add, so that the last word on a row counts."""

    new: set[bulk.Row] = field(default_factory=set)
    gone: set[bulk.Row] = field(default_factory=set)

    def change(self, removed: set[bulk.Row], added: set[bulk.Row]) -> None:
        """What is removed after it was added is no change."""
        unborn = removed & self.new
        self.new -= unborn
        self.gone |= removed - unborn
        self.new |= added


class Learned(NamedTuple):
    """What may settle that other units wait.

    `people`  references of whom more is known to be one, or two
    `linked`  two people are linked: what takes that back may have come before
    """

    people: frozenset[str]
    linked: bool

    def more(self, people: Iterable[str], linked: bool) -> Learned:
        """This and more."""
        return Learned(self.people | frozenset(people), self.linked or linked)


NOTHING = Learned(frozenset(), False)


class Work:
    """Reads are remembered: with one writer at a time they stay true until the end."""

    def __init__(
        self,
        connection: Connection,
        order: Precedence,
        memory: Memory[Name, State] | None = None,
    ) -> None:
        """`memory`: resources as transactions before this one left them, None to read all anew."""
        self.connection, self.order = connection, order
        self.memory = memory or Memory[Name, State](0)
        self.wrote = False
        self.broken = False
        self.merged = Merged(connection)
        self.alike = alike.Alike(connection)
        self.ledger = Ledger(connection, self.memory)
        self._states: dict[Name, State | None] = {}
        self._owners: dict[Identity, str | None] = {}
        self.news: list[str] = []  # fields in which the unit at hand says something else
        self._learned = NOTHING
        self._resources: dict[int, bulk.Row] = {}
        self._people: set[int] = set()  # row numbers of those whose stays may be news by now
        self._versions: list[bulk.Row] = []
        self._contributions: dict[tuple[int, str], State] = {}
        self._terms = _Net()
        self._named: dict[Identity, str] = {}
        self._unnamed: set[Identity] = set()

    def learn(self, people: Iterable[str], linked: bool = False) -> None:
        """Remember that more is known of people (references), or that two are linked."""
        self._learned = self._learned.more(people, linked)

    def learned(self) -> Learned:
        """What is known since this was last asked."""
        found, self._learned = self._learned, NOTHING
        return found

    # -- what is stored ---------------------------------------------------------------------

    def know_states(self, names: Iterable[Name]) -> None:
        """Load what is stored of these resources, in a few statements."""
        wanted = {name for name in names if name not in self._states}
        if not wanted:
            return
        known = self.memory.known(self.connection)
        remembered = {name: known[name] for name in wanted & known.keys()}
        self._states.update(remembered)
        wanted -= remembered.keys()
        found: dict[Name, State] = {}
        for kind, ids in bulk.by_first(wanted).items():
            for uid, rid, version, deleted, source, packed in bulk.ask(
                self.connection, _STATES, ids, kind
            ):
                state = found.setdefault((kind, uid), State(kind, uid, rid, version, bool(deleted)))
                if source is not None:
                    state.read(source, unpack(packed, partial(self._version, rid)))
        for name in wanted:
            state_of = found.get(name)
            if state_of is not None:
                state_of.content = fold(name[0], state_of.contributions, self.order)
            self._states[name] = state_of

    def _version(self, rid: int, version: int) -> Resource:
        """The content of a version."""
        (row,) = bulk.ask(self.connection, _VERSION, [version], rid)
        found: Resource = data.loads(spread(row[0]))
        return found

    def state(self, kind: str, uid: str) -> State | None:
        """A stored resource, or None."""
        if (kind, uid) not in self._states:
            self.know_states([(kind, uid)])
        return self._states[kind, uid]

    def state_or_new(self, kind: str, uid: str) -> State:
        """A stored resource, or one to be stored by `save`."""
        state = self.state(kind, uid)
        if state is None:
            state = State(kind, uid, self.memory.draw(self.connection, _LAST))
            self._states[kind, uid] = state
        return state

    def seen(self) -> list[tuple[Name, State]]:
        """Every stored resource that this transaction knows, as it leaves it.

        But for those of one unit only, which nobody asks for again.
        """
        return [
            (name, state)
            for name, state in self._states.items()
            if state is not None and state.version and name[0] != RECORD
        ]

    def know_owners(self, identities: Iterable[Identity]) -> None:
        """Look up whom these identifiers name, in a few statements."""
        wanted = {identity for identity in identities if identity not in self._owners}
        self._owners.update(dict.fromkeys(wanted))
        values = {value for value, _, _ in wanted}
        for value, system, kind, uid in bulk.ask(self.connection, _OWNERS, values):
            if (value, system, kind) in wanted:
                self._owners[value, system, kind] = uid

    def owner(self, identity: Identity) -> str | None:
        """The id of the resource that an identifier names."""
        if identity not in self._owners:
            self.know_owners([identity])
        return self._owners[identity]

    # -- what will be written ---------------------------------------------------------------

    def register(self, identity: Identity, uid: str) -> None:
        """Let an identifier name a resource."""
        self._owners[identity] = uid
        self._named[identity] = uid

    def unregister(self, identity: Identity) -> None:
        """Let an identifier name nothing."""
        self._owners[identity] = None
        self._named.pop(identity, None)
        self._unnamed.add(identity)

    def contributed(self, state: State, *sources: str) -> None:
        """What these sources say of a resource has changed."""
        for source in sources:
            self._contributions[state.rid, source] = state

    def record(self, state: State, said: Resource, by: tuple[str, Stamp], now: str) -> None:
        """Store a resource that is new; `by`: the source that says all of it, and as of when."""
        self.save(state, alone(said), now)
        state.recorded(*by)
        self.contributed(state, by[0])

    def save(self, state: State, content: Resource, now: str, deleted: bool = False) -> Stored:
        """Make `content` the next version of a resource."""
        gone, come = difference(state.kind, state.content, content)
        before = _told_of(state.content)
        state.version, state.deleted, state.content = state.version + 1, deleted, content
        if state.kind == alike.KIND:
            self.alike.saved(state.id, (value for param, value, _ in come if param == alike.PARAM))
            if state.version > 1 and before != _told_of(content):
                self._people.add(state.rid)
        self._terms.change(
            {(*term, state.rid) for term in self._either_way(state.kind, gone)},
            {(*term, state.rid) for term in self._numbered(state.kind, come)},
        )
        meta = {"versionId": str(state.version), "lastUpdated": now, **content.get("meta", {})}
        whole = {"resourceType": state.kind, "id": state.id, **content, "meta": meta}
        updated = moment(now)
        flag = int(deleted)
        self._resources[state.rid] = (
            state.rid, state.kind, state.id, state.version, updated, flag,
        )  # fmt: skip
        kept = squeezed(data.dumps(whole), self.connection.dialect.name)
        self._versions.append((state.rid, state.version, updated, flag, kept))
        return Stored(whole, state.version, now, deleted)

    def _numbered(self, kind: str, found: set[Term]) -> set[Term]:
        """Index rows with references by the row numbers of what they lead to, where it is known.

        Those of one stay are neighbours in the index then, however many stays there are.
        """
        named = reference_keys(kind)
        return {
            (term[0], self._by_number(term[1]), term[2]) if term[0] in named else term
            for term in found
        }

    def _by_number(self, reference: str) -> str:
        kind, _, uid = reference.partition("/")
        state = self._states.get((kind, uid))
        return by_number(state.rid) if state is not None and state.version else reference

    def _either_way(self, kind: str, found: set[Term]) -> set[Term]:
        """Index rows, those of references as they are written before and after the target is."""
        named = reference_keys(kind)
        targets = (term[1].partition("/") for term in found if term[0] in named)
        self.know_states((of, uid) for of, _, uid in targets)
        return found | self._numbered(kind, found)

    def flush(self) -> None:
        """Send everything to the database; still inside the transaction."""
        run = self.connection
        self.wrote = self.wrote or bool(
            self.ledger.changed or self._resources or self._contributions
        )
        self.broken = True  # until all is sent: half of it must not be committed
        bulk.upsert(run, schema.resource, list(self._resources.values()))
        bulk.insert(run, schema.version, self._versions)
        rows = self._resources.values()
        changed = [(r[0], r[3]) for r in rows if r[1] in schema.WATCHED or r[0] in self._people]
        bulk.upsert(run, schema.change, changed)
        bulk.upsert(run, schema.contribution, self._packed())
        bulk.delete(run, schema.term, sorted(self._terms.gone))
        bulk.insert(run, schema.term, sorted(self._terms.new))
        bulk.delete(run, schema.identifier, sorted(self._unnamed))
        named = [(*identity, uid) for identity, uid in self._named.items()]
        bulk.insert(run, schema.identifier, named)
        self.merged.flush()
        self.ledger.flush()
        for sent in (self._resources, self._contributions, self._named, self._unnamed,
                     self._versions, self._people):  # fmt: skip
            sent.clear()
        self._terms, self.broken = _Net(), False

    def _packed(self) -> list[bulk.Row]:
        dialect = self.connection.dialect.name
        return [
            (rid, row, packed)
            for (rid, source), state in self._contributions.items()
            for row, packed in state.packed(source, dialect).items()
        ]


def _told_of(person: Resource) -> tuple[bool, object]:
    """What of a Patient decides whether his stays are told of, and whether work follows.

    That he died (HL7 v2 PID-29, PID-30), and his numbers: by them he is on a plan's list.
    """
    return died(person), person.get("identifier")


def identity_of(kind: str, system: str, value: str) -> Identity:
    """An identifier as the database keeps it."""
    return clip(value), clip(system), kind


class Write(Protocol):
    """Runs a write in a transaction of its own, or in the batch of this thread."""

    def __call__(self, write: Callable[[Work], T], /) -> T:
        """What the write returns."""
