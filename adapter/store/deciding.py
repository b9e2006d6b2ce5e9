"""What a person decides of a unit that waits, how it is judged again, and who may be meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from adapter import data
from adapter.issues import Doubt
from adapter.outcome import Outcome
from adapter.record import Entry, Resource
from adapter.store import alike, held, linking, merging, schema, units
from adapter.store.arrivals import arrival
from adapter.store.doubts import Find, Judges, Unresolved
from adapter.store.ledger import Entered
from adapter.store.protocol import NEW, REFUSE, Receipt, Stored
from adapter.store.reads import referred
from adapter.store.work import Work, identity_of

_MOST = 50


class Decision(NamedTuple):
    """Of which unit, what (`Patient/abc`, `new`, `refuse`), by whom and when."""

    unit: int
    what: str
    who: str
    now: str


def decide(work: Work, by: Decision, namespace: UUID, judges: Judges) -> Receipt | None:
    """Take a waiting unit as a person decided, or out; None when it does not wait.

    A decision answers the doubt that the unit waits for; it waits again if there is another.
    A unit that must not be stored whatever a person says (a reference to nothing) is told as such.
    """
    work.flush()
    found = held.kept(work.connection, by.unit)
    if found is None:
        return None
    if by.what == REFUSE or (by.what == NEW and _of_two(found.about)):
        receipt = _refused(work, by, found.outcome, found.raw)
    else:
        one = arrival(found.outcome, found.raw, by.now)
        answers = {**found.answers, found.about: by.what}
        receipt = units.commit(work, one, namespace, judges, answers)
    table = schema.review
    work.flush()
    if receipt.status == "stored":
        likes = (f"{alike.KIND}/{uid}" for uid in found.candidates)
        work.learn((*likes, *receipt.ids.values()))
    row = {"decision": by.what, "who": by.who, "decided": by.now}
    work.connection.execute(table.update().where(table.c.unit == by.unit).values(**row))
    return receipt


def again(work: Work, unit: int, now: str, namespace: UUID, judges: Judges) -> Receipt | None:
    """Judge a unit that waits as if it came again; None when it waits on, or does not wait.

    But nobody is taken for somebody new whom a person has not called so, and a unit that waits for
    another doubt waits on.
    """
    found = held.kept(work.connection, unit)
    if found is None or not found.about:  # a number used again is no doubt that goes by itself
        return None
    one, doubted = arrival(found.outcome, found.raw, now), found.about

    def known(entry: Entry, people: Sequence[Resource], find: Find, heard: bool) -> str | Doubt:
        same = judges.same_person(entry, people, find, heard)
        if same == "" and entry.urn == doubted:
            raise _Nobody
        return same

    try:
        units.judged(work, one, namespace, judges._replace(same_person=known), found.answers)
    except (Unresolved, _Nobody):  # nothing was written: it waits as it is
        return None
    return units.commit(work, one, namespace, judges, found.answers)


class _Nobody(Exception):
    """Whom a unit means is somebody new, but a person has not said so."""


def _of_two(about: str) -> bool:
    """Whether a doubt is if two are one, or were: when they are not, nothing is left to be told."""
    return about.startswith(merging.MERGE) or about == linking.OWNED


def _refused(work: Work, by: Decision, outcome: Outcome, raw: bytes) -> Receipt:
    mark = arrival(outcome, raw, by.now).mark
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
