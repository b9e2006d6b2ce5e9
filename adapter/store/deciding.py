"""What a person decides of a unit that waits, and who may be meant in the first place."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from adapter import data
from adapter.outcome import Outcome
from adapter.record import Resource
from adapter.store import alike, held, schema, units
from adapter.store.ledger import Entered
from adapter.store.protocol import Receipt, Stored
from adapter.store.reads import referred
from adapter.store.resolve import NEW, Judges
from adapter.store.work import Work, identity_of

REFUSE = "refuse"
_MOST = 50


class Decision(NamedTuple):
    """Of which unit, what (`Patient/abc`, `new`, `refuse`), by whom and when."""

    unit: int
    what: str
    who: str
    now: str


def decide(work: Work, by: Decision, namespace: UUID, judges: Judges) -> Receipt | None:
    """Take a waiting unit as a person decided, or out; None when it does not wait.

    A unit that must not be stored whatever a person says (a reference to nothing) is told as such.
    """
    work.flush()
    found = held.kept(work.connection, by.unit)
    if found is None:
        return None
    outcome, raw = found
    if by.what == REFUSE:
        receipt = _refused(work, by, outcome, raw)
    else:
        one = units.arrival(outcome, raw, by.now)
        receipt = units.commit(work, one, namespace, judges, by.what)
    table = schema.review
    work.flush()
    row = {"decision": by.what, "who": by.who, "decided": by.now}
    work.connection.execute(table.update().where(table.c.unit == by.unit).values(**row))
    return receipt


def _refused(work: Work, by: Decision, outcome: Outcome, raw: bytes) -> Receipt:
    mark = units.arrival(outcome, raw, by.now).mark
    before = work.ledger.entered(mark)
    issues = before.issues if before is not None else data.dumps([]).decode()
    unit = outcome.unit
    about = (unit.kind, unit.at.source, unit.at.line, unit.as_of, by.now)
    work.ledger.enter(mark, Entered(by.unit, "refused", issues), about, raw)
    return Receipt("refused", by.unit)


def similar(work: Work, person: Resource) -> list[Stored]:
    """Patients that share an identifier or a key with one, each once, by id."""
    rows = person.get("identifier", ())
    names = [
        identity_of(alike.KIND, str(row["system"]), str(row["value"]))
        for row in rows
        if row.get("system") and row.get("value")
    ]
    work.know_owners(names)
    owners = {owner for name in names if (owner := work.owner(name))}
    uids = {*owners, *work.alike.ids(alike.keys({**person, "resourceType": alike.KIND}))}
    survivors = sorted({work.merged.survivor(alike.KIND, uid) for uid in uids})[:_MOST]
    return referred(work.connection, [f"{alike.KIND}/{uid}" for uid in survivors])


__all__ = ["NEW", "REFUSE", "Decision", "decide", "similar"]
