"""One writing transaction: what it has looked up, what it will write, written in bulk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from adapter import data
from adapter.record import Resource
from adapter.store import alike, bulk, schema
from adapter.store.fold import Contributions, Precedence, Stamp, fold
from adapter.store.instants import moment
from adapter.store.memory import Memory
from adapter.store.merged import Merged
from adapter.store.packing import pack, pack_alone, squeezed, unpack
from adapter.store.protocol import Status, Stored
from adapter.store.said import Saying
from adapter.store.terms import clip, difference

Name = tuple[str, str]  # kind, id
Identity = tuple[str, str, str]  # value, system, kind: the primary key of `identifier`
Mark = tuple[str, str, str]  # hash, source, key: what makes two units the same
Key = tuple[str, str]  # source, key: a sender and its own number for a unit


_RESOURCE, _SAID, _UNIT = schema.resource, schema.contribution, schema.unit
_STATES = (
    select(_RESOURCE.c.kind, _RESOURCE.c.id, _RESOURCE.c.rid, _RESOURCE.c.version)
    .add_columns(_RESOURCE.c.deleted, _SAID.c.source, _SAID.c.json)
    .select_from(_RESOURCE.outerjoin(_SAID, _SAID.c.rid == _RESOURCE.c.rid))
    .where(_RESOURCE.c.kind.in_(bindparam("kinds", expanding=True)))
    .where(_RESOURCE.c.id.in_(bindparam("ids", expanding=True)))
)
_OWNERS = select(schema.identifier).where(
    schema.identifier.c.value.in_(bindparam("values", expanding=True))
)
_LEDGER = select(
    _UNIT.c.hash, _UNIT.c.source, _UNIT.c.key, _UNIT.c.id, _UNIT.c.status, _UNIT.c.issues
).where(_UNIT.c.hash.in_(bindparam("hashes", expanding=True)))
_KEYS = (
    select(_UNIT.c.source, _UNIT.c.key, _UNIT.c.hash, _UNIT.c.id, _UNIT.c.status)
    .where(_UNIT.c.key.in_(bindparam("keys", expanding=True)))
    .where(_UNIT.c.source.in_(bindparam("sources", expanding=True)))
)  # a test of the status would let SQLite walk through its index, which is the whole ledger


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

    @property
    def contributions(self) -> Contributions:
        """What each source says of it; whoever asks may change it."""
        for source, (saying, stamp) in self._alone.items():
            self._said[source] = saying.at(stamp)
        self._alone.clear()
        return self._said

    def says_only(self, source: str, saying: Saying, stamp: Stamp) -> None:
        """Remember that a source says this and nothing else, as of one time."""
        self._alone[source] = saying, stamp

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

    def packed(self, source: str, dialect: str) -> str | bytes:
        """What a source says, as the database keeps it: what is written often is not squeezed."""
        alone = self._alone.get(source)
        return pack_alone(*alone) if alone else squeezed(pack(self._said.get(source, {})), dialect)

    @property
    def ref(self) -> str:
        """`Patient/abc`."""
        return f"{self.kind}/{self.id}"

    @property
    def resource(self) -> Resource:
        """With type and id, without version."""
        return {"resourceType": self.kind, "id": self.id, **self.content}


class Entered(NamedTuple):
    """A line of the ledger: its number, and what became of the unit."""

    unit: int
    status: Status
    issues: str


@dataclass(slots=True)
class _Net:
    """Rows to add and to remove, so that the last word on a row counts."""

    new: set[bulk.Row] = field(default_factory=set)
    gone: set[bulk.Row] = field(default_factory=set)

    def change(self, removed: set[bulk.Row], added: set[bulk.Row]) -> None:
        """What is added after it was removed, or removed after it was added, is no change."""
        unborn, back = removed & self.new, added & self.gone
        self.new -= unborn
        self.gone -= back
        self.gone |= removed - unborn
        self.new |= added - back


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
        self._memory = memory or Memory[Name, State](0)
        self.wrote = False
        self.broken = False
        self.merged = Merged(connection)
        self.alike = alike.Alike(connection)
        self._states: dict[Name, State | None] = {}
        self._owners: dict[Identity, str | None] = {}
        self._ledger: dict[Mark, Entered] = {}
        self._hashes: dict[str, bool] = {}  # hash -> its bytes are kept
        self._taken: dict[Key, dict[str, int]] = {}  # what is not refused: hash -> unit
        self._asked: set[Key] = set()
        self._next: dict[str, int] = {}
        self.news: list[str] = []  # fields in which the unit at hand says something else
        self._resources: dict[int, bulk.Row] = {}
        self._versions: list[bulk.Row] = []
        self._contributions: dict[tuple[int, str], State] = {}
        self._terms = _Net()
        self._named: dict[Identity, str] = {}
        self._unnamed: set[Identity] = set()
        self._units: dict[int, bulk.Row] = {}
        self._raw: list[bulk.Row] = []
        self._held: dict[int, bulk.Row] = {}

    # -- what is stored ---------------------------------------------------------------------

    def know_states(self, names: Iterable[Name]) -> None:
        """Load what is stored of these resources, in a few statements."""
        wanted = {name for name in names if name not in self._states}
        if not wanted:
            return
        known = self._memory.known(self.connection)
        remembered = {name: known[name] for name in wanted & known.keys()}
        self._states.update(remembered)
        wanted -= remembered.keys()
        found: dict[Name, State] = {}
        kinds = list({kind for kind, _ in wanted})
        for ids in bulk.chunks({uid for _, uid in wanted}):
            rows = self.connection.execute(_STATES, {"kinds": kinds, "ids": ids})
            for kind, uid, rid, version, deleted, source, packed in rows:
                state = found.setdefault((kind, uid), State(kind, uid, rid, version, bool(deleted)))
                if source is not None:
                    state.contributions[source] = unpack(packed)
        for name in wanted:
            state_of = found.get(name)
            if state_of is not None:
                state_of.content = fold(name[0], state_of.contributions, self.order)
            self._states[name] = state_of

    def state(self, kind: str, uid: str) -> State | None:
        """A stored resource, or None."""
        if (kind, uid) not in self._states:
            self.know_states([(kind, uid)])
        return self._states[kind, uid]

    def state_or_new(self, kind: str, uid: str) -> State:
        """A stored resource, or one to be stored by `save`."""
        state = self.state(kind, uid)
        if state is None:
            state = State(kind, uid, self._number(schema.resource.c.rid))
            self._states[kind, uid] = state
        return state

    def seen(self) -> list[tuple[Name, State]]:
        """Every stored resource that this transaction knows, as it leaves it."""
        states = self._states.items()
        return [(name, state) for name, state in states if state is not None and state.version]

    def know_owners(self, identities: Iterable[Identity]) -> None:
        """Look up whom these identifiers name, in a few statements."""
        wanted = {identity for identity in identities if identity not in self._owners}
        self._owners.update(dict.fromkeys(wanted))
        for values in bulk.chunks({value for value, _, _ in wanted}):
            rows = self.connection.execute(_OWNERS, {"values": values})
            for value, system, kind, uid in rows:
                if (value, system, kind) in wanted:
                    self._owners[value, system, kind] = uid

    def owner(self, identity: Identity) -> str | None:
        """The id of the resource that an identifier names."""
        if identity not in self._owners:
            self.know_owners([identity])
        return self._owners[identity]

    def know_ledger(self, hashes: Iterable[str]) -> None:
        """Look up which units of these hashes came before, in a few statements."""
        wanted = {digest for digest in hashes if digest not in self._hashes}
        self._hashes.update(dict.fromkeys(wanted, False))
        for some in bulk.chunks(wanted):
            for row in self.connection.execute(_LEDGER, {"hashes": some}):
                self._hashes[row[0]] = True
                self._ledger[row[0], row[1], row[2]] = Entered(*row[3:])

    def entered(self, mark: Mark) -> Entered | None:
        """The ledger's line of a unit."""
        if mark[0] not in self._hashes:
            self.know_ledger([mark[0]])
        return self._ledger.get(mark)

    def know_keys(self, keys: Iterable[Key]) -> None:
        """Look up what was taken under these keys of senders, in a few statements."""
        wanted = {key for key in keys if key not in self._asked}
        self._asked |= wanted
        sources = list({source for source, _ in wanted})
        for some in bulk.chunks({key for _, key in wanted}):
            rows = self.connection.execute(_KEYS, {"keys": some, "sources": sources})
            for source, key, digest, number, status in rows:
                if status != "refused":
                    self._taken.setdefault((source, key), {}).setdefault(digest, number)

    def taken_before(self, mark: Mark) -> bool:
        """Whether other content under the same key of the same sender came before this unit."""
        self.know_keys([mark[1:]])
        taken = self._taken.get(mark[1:], {})
        mine = taken.get(mark[0])
        return any(
            digest != mark[0] and (mine is None or number < mine)
            for digest, number in taken.items()
        )

    # -- what will be written ---------------------------------------------------------------

    def number_of_unit(self) -> int:
        """The next line of the ledger."""
        return self._number(schema.unit.c.id)

    def enter(self, mark: Mark, line: Entered, about: bulk.Row, raw: bytes) -> None:
        """Write a line of the ledger, and keep the bytes; `about`: columns between."""
        self._units[line.unit] = (line.unit, *mark, *about, line.status, line.issues)
        self._ledger[mark] = line
        if line.status != "refused":
            self._taken.setdefault(mark[1:], {})[mark[0]] = line.unit
        if not self._hashes.get(mark[0]):
            self._hashes[mark[0]] = True
            self._raw.append((mark[0], raw))

    def hold(self, unit: int, outcome: str, candidates: str) -> None:
        """Keep a unit for a person to decide on."""
        self._held[unit] = (unit, outcome, candidates, "", "", "")

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

    def save(self, state: State, content: Resource, now: str, deleted: bool = False) -> Stored:
        """Make `content` the next version of a resource."""
        gone, come = difference(state.kind, state.content, content)
        state.version, state.deleted, state.content = state.version + 1, deleted, content
        if state.kind == alike.KIND:
            self.alike.saved(state.id, (value for param, value, _ in come if param == alike.PARAM))
        rid = (state.rid,)
        self._terms.change({term + rid for term in gone}, {term + rid for term in come})
        meta = {"versionId": str(state.version), "lastUpdated": now, **content.get("meta", {})}
        whole = {"resourceType": state.kind, "id": state.id, **content, "meta": meta}
        updated = moment(now)
        flag = int(deleted)
        self._resources[state.rid] = (
            state.rid, state.kind, state.id, state.version, updated, flag,
        )  # fmt: skip
        text = data.dumps(whole).decode()
        kept = squeezed(text, self.connection.dialect.name)
        self._versions.append((state.rid, state.version, updated, flag, kept))
        return Stored(whole, state.version, now, deleted)

    def flush(self) -> None:
        """Send everything to the database; still inside the transaction."""
        run = self.connection
        self.wrote = self.wrote or bool(self._units or self._resources or self._contributions)
        self.broken = True  # until all is sent: half of it must not be committed
        bulk.upsert(run, schema.resource, list(self._resources.values()))
        bulk.insert(run, schema.version, self._versions)
        changed = [(r[0], r[3]) for r in self._resources.values() if r[1] in schema.WATCHED]
        bulk.upsert(run, schema.change, changed)
        bulk.upsert(run, schema.contribution, self._packed())
        bulk.delete(run, schema.term, sorted(self._terms.gone))
        bulk.insert(run, schema.term, sorted(self._terms.new))
        bulk.delete(run, schema.identifier, sorted(self._unnamed))
        named = [(*identity, uid) for identity, uid in self._named.items()]
        bulk.insert(run, schema.identifier, named)
        self.merged.flush()
        bulk.upsert(run, schema.unit, list(self._units.values()))
        bulk.insert(run, schema.raw, self._raw)
        bulk.upsert(run, schema.review, list(self._held.values()))
        for sent in (self._resources, self._contributions, self._named, self._unnamed,
                     self._units, self._versions, self._raw, self._held):  # fmt: skip
            sent.clear()
        self._terms, self.broken = _Net(), False

    def _packed(self) -> list[bulk.Row]:
        dialect = self.connection.dialect.name
        return [
            (rid, source, state.packed(source, dialect))
            for (rid, source), state in self._contributions.items()
        ]

    def _number(self, column: Any) -> int:
        """The next number of a table; nobody else draws one before this transaction ends."""
        name = str(column)
        if name not in self._next:
            self._next[name] = (self.connection.execute(select(func.max(column))).scalar() or 0) + 1
        self._next[name] += 1
        return self._next[name] - 1


def identity_of(kind: str, system: str, value: str) -> Identity:
    """An identifier as the database keeps it."""
    return clip(value), clip(system), kind
