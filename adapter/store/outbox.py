"""The queue of messages to care teams, and which stays have changed since notices were derived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from adapter.store import bulk, reads, schema
from adapter.store.protocol import Address, Letter, LetterState, Stored
from adapter.store.work import Work, Write

_TABLE, _CHANGE, _STAY = schema.outbox, schema.change, schema.resource
_SHOWN = tuple(column for column in _TABLE.c if column.name not in ("number", "body"))
_OPEN = ("waiting", "stopped")  # what must go out before anything later of the same stay


class SqlOutbox:
    """Implements `protocol.Outbox`; made by the store, in whose transactions it writes."""

    def __init__(
        self, write: Write, read: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        self._write, self._read = write, read

    def changed(self, count: int) -> list[Stored]:
        """Stays and Groups that changed since they were last `seen`, as they are now, deleted ones
        flagged; and Patients who died, or did not after all, or have other numbers."""
        query = select(_CHANGE.c.rid).order_by(_CHANGE.c.rid).limit(count)
        with self._read() as connection:
            return reads.current(connection, [row[0] for row in connection.execute(query)])

    def seen(self, changed: Sequence[Stored]) -> None:
        """Forget that these changed; what has another version by now is told again."""
        table = schema.resource
        same = and_(table.c.kind == bindparam("of_kind"), table.c.id == bindparam("of_id"))
        which = select(table.c.rid).where(same).scalar_subquery()
        query = _CHANGE.delete().where(
            _CHANGE.c.rid == which, _CHANGE.c.version == bindparam("seen")
        )
        rows = [
            {"of_kind": row["resourceType"], "of_id": row["id"], "seen": version}
            for row, version, _, _ in changed
        ]
        if rows:
            self._write(lambda work: work.connection.execute(query, rows))

    def versions(self, kind: str) -> dict[str, int]:
        """The version of each resource of a type by id, deleted ones left out."""
        table = schema.resource
        query = select(table.c.id, table.c.version).where(table.c.kind == kind)
        with self._read() as connection:
            rows = connection.execute(query.where(table.c.deleted == 0))
            return {str(row[0]): int(row[1]) for row in rows}

    def of_stay(self, encounter: str) -> list[Letter]:
        """Every message about a stay (id of the Encounter), oldest first, without bodies."""
        return self._letters(_shown().where(_TABLE.c.encounter == encounter))

    def letters(self, *states: LetterState) -> list[Letter]:
        """Messages in these states (all when none is named), oldest first, without bodies."""
        query = _shown()
        return self._letters(query.where(_TABLE.c.state.in_(states)) if states else query)

    def counts(self) -> dict[tuple[str, LetterState], int]:
        """How many messages each recipient has in each state."""
        query = select(_TABLE.c.recipient, _TABLE.c.state, func.count())
        with self._read() as connection:
            rows = connection.execute(query.group_by(_TABLE.c.recipient, _TABLE.c.state))
            return {(recipient, state): number for recipient, state, number in rows}

    def post(self, letter: Letter) -> bool:
        """Put a message in; False when one of its id or (stay, event, time, revision) is there."""

        def write(work: Work) -> bool:
            same = and_(*(_TABLE.c[name] == getattr(letter, name) for name in _UNIQUE))
            known = select(_TABLE.c.id).where(or_(_TABLE.c.id == letter.id, same))
            if work.connection.execute(known).first():
                return False
            number = select(func.coalesce(func.max(_TABLE.c.number), 0) + 1).scalar_subquery()
            work.connection.execute(_TABLE.insert().values(number=number, **letter._asdict()))
            return True

        return self._write(write)

    def recall(self, uid: str) -> bool:
        """Take a message back that is no longer true; False when it may have gone out.

        What waits to be tried again stays: what comes after it makes it right.
        """
        unsent = and_(_TABLE.c.attempts == 0, _TABLE.c.state.in_(("waiting", "unaddressed")))
        given_up = _TABLE.c.state.in_(("stopped", "failed"))

        def write(work: Work) -> bool:
            mine = select(_TABLE.c.attempts).where(_TABLE.c.id == uid, or_(unsent, given_up))
            attempts = work.connection.execute(mine).scalar()
            if attempts is not None:
                taken_back = update(_TABLE).where(_TABLE.c.id == uid).values(state="withdrawn")
                work.connection.execute(taken_back)
            return attempts == 0

        return self._write(write)

    def due(self, now: str) -> list[str]:
        """The recipients for whom something is due."""
        query = select(_TABLE.c.recipient).where(_ready(now)).distinct()
        with self._read() as connection:
            return sorted(row[0] for row in connection.execute(query))

    def claim(self, now: str, until: str, count: int, recipient: str = "") -> list[Letter]:
        """Messages that are due, with bodies; nobody else gets them before `until`.

        Least tried first, so that one that is never taken keeps no other waiting. To a recipient
        the messages of a stay go out in order, and none to one that is stopped.
        """
        found = select(*_SHOWN, _TABLE.c.body).where(_ready(now))
        found = found.where(_TABLE.c.recipient == recipient) if recipient else found
        query = found.order_by(_TABLE.c.attempts, _TABLE.c.number).limit(count)
        with self._read() as connection:  # to look does not keep a writer waiting
            if not connection.execute(query.limit(1)).first():
                return []

        def write(work: Work) -> list[Letter]:
            found = [_letter(row) for row in work.connection.execute(query)]
            ids = [letter.id for letter in found]
            tried = update(_TABLE).where(_TABLE.c.id.in_(ids))
            work.connection.execute(tried.values(due=until, attempts=_TABLE.c.attempts + 1))
            return [letter._replace(due=until, attempts=letter.attempts + 1) for letter in found]

        return self._write(write)

    def give_back(self, letter: Letter, fault: str) -> None:
        """Take a claimed message back before it is sent; its stay counts as changed."""
        taken_back = letter._replace(state="withdrawn", attempts=letter.attempts - 1, fault=fault)
        same = and_(_STAY.c.kind == "Encounter", _STAY.c.id == letter.encounter)
        which = select(_STAY.c.rid, _STAY.c.version).where(same)

        def write(work: Work) -> None:
            work.connection.execute(_settled(taken_back))
            rows = work.connection.execute(which).all()
            bulk.upsert(work.connection, _CHANGE, [(rid, version) for rid, version in rows])

        self._write(write)

    def postpone(self, recipient: str, until: str) -> None:
        """Let what is due for a recipient wait at least until then."""
        sooner = and_(_TABLE.c.state == "waiting", _TABLE.c.due < until)
        later = update(_TABLE).where(_TABLE.c.recipient == recipient, sooner).values(due=until)
        self._write(lambda work: work.connection.execute(later))

    def settle(self, letter: Letter) -> None:
        """Write down what became of a claimed message: state, attempts, due, told and fault."""
        self._write(lambda work: work.connection.execute(_settled(letter)))

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
        states = ["stopped", "failed", *(["unaddressed"] if to else [])]
        query = update(_TABLE).where(_TABLE.c.state.in_(states), _TABLE.c.body != "")
        stale = query.where(_superseded()).values(state="withdrawn")
        if recipient:
            query = query.where(_TABLE.c.recipient.in_((recipient, "") if to else (recipient,)))
        query = query.where(_TABLE.c.id.not_in(without)) if without else query
        values: dict[str, Any] = {"state": "waiting", "due": now, "fault": "", "made": now}
        values |= {"recipient": to} if to else {}

        def write(work: Work) -> int:
            work.connection.execute(stale)
            work.connection.execute(_behind(recipient).values(made=now))
            if address is not None:
                _address(work, query.whereclause, to, address)
            return work.connection.execute(query.values(**values)).rowcount

        return self._write(write)

    def _letters(self, query: Select[Any]) -> list[Letter]:
        with self._read() as connection:
            return [_letter(row) for row in connection.execute(query.order_by(_TABLE.c.number))]


def _settled(letter: Letter) -> Update:
    """What became of a message, unless it arrived."""
    names = ("state", "attempts", "due", "told", "fault")
    undelivered = and_(_TABLE.c.id == letter.id, _TABLE.c.state != "delivered")
    return update(_TABLE).where(undelivered).values({one: getattr(letter, one) for one in names})


_UNIQUE = ("encounter", "event", "at", "revision")


def _address(work: Work, which: Any, to: str, address: Address) -> None:
    """Write to whom these messages go into their bodies."""
    rows = select(_TABLE.c.id, _TABLE.c.recipient, _TABLE.c.body).where(which)
    for uid, recipient, body in work.connection.execute(rows).all():
        fresh = update(_TABLE).where(_TABLE.c.id == uid).values(body=address(to or recipient, body))
        work.connection.execute(fresh)


def _behind(recipient: str) -> Any:
    """What waits behind a message that stopped, of one recipient if named; it has its whole time
    again too."""
    stopped = select(_TABLE.c.recipient).where(_TABLE.c.state == "stopped")
    stopped = stopped.where(_TABLE.c.recipient == recipient) if recipient else stopped
    return update(_TABLE).where(_TABLE.c.state == "waiting", _TABLE.c.recipient.in_(stopped))


def _superseded() -> ColumnElement[bool]:
    """Whether a later message tells of the same event; a stay has transfers of several times."""
    later = _TABLE.alias("later")
    same = or_(later.c.at == _TABLE.c.at, ~_TABLE.c.event.startswith("transfer"))
    return exists().where(
        later.c.encounter == _TABLE.c.encounter,
        later.c.event == _TABLE.c.event,
        later.c.number > _TABLE.c.number,
        same,
    )


def _shown() -> Select[Any]:
    return select(*_SHOWN)


def _ready(now: str) -> ColumnElement[bool]:
    """Whether a message may go out now."""
    earlier, blocked = _TABLE.alias("earlier"), _TABLE.alias("blocked")
    before = exists().where(
        earlier.c.encounter == _TABLE.c.encounter,
        earlier.c.recipient == _TABLE.c.recipient,
        earlier.c.number < _TABLE.c.number,
        earlier.c.state.in_(_OPEN),
    )
    stopped = exists().where(
        blocked.c.state == "stopped", blocked.c.recipient == _TABLE.c.recipient
    )
    return and_(_TABLE.c.state == "waiting", _TABLE.c.due <= now, ~before, ~stopped)


def _letter(row: Any) -> Letter:
    return Letter(**row._mapping)
