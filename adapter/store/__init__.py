"""The FHIR repository on SQL: versions, search, element ownership, the ledger of units."""

from __future__ import annotations

from uuid import UUID

from adapter.store.doubts import Judges, MayMerge, SamePerson, may_always_merge, no_conflict
from adapter.store.engine import engine, told
from adapter.store.fold import precedence
from adapter.store.movements import Replay, newest
from adapter.store.sql import Rules, SqlStore


def open(
    url: str,
    same_person: SamePerson = no_conflict,
    namespace: UUID | None = None,
    timeout: float = 30.0,
    replay: Replay = newest,
    may_merge: MayMerge = may_always_merge,
) -> SqlStore:
    """The store at a URL: `sqlite:///path`, `sqlite://` (in memory), `postgresql://...`.

    `same_person`  who an entry is, given the stored resources that share an identifier with it
                   and a search for people alike: an id, `""` for a new one, or the Doubt that
                   sends the unit to review
    `may_merge`    what speaks against a merge (survivor, loser) that a sender tells
    `namespace`    from what ids are made; drawn by a new database unless given (tests, moves)
    `timeout`      seconds to wait for another writer, then StoreError
    `replay`       what the messages of a stay come to (adapter.program.encounters)

    Creates the tables. Raises SettingError for another URL, StoreError when out of reach.
    """
    made = engine(url, timeout)
    try:
        with told():
            rules = Rules(Judges(same_person, may_merge), precedence(replay), timeout)
            return SqlStore(made, rules, namespace)
    except BaseException:
        made.dispose()
        raise


__all__ = ["SqlStore", "open"]
