"""The FHIR repository on SQL: versions, search, element ownership, the ledger of units."""

from __future__ import annotations

from uuid import UUID

from adapter.store.engine import engine, told
from adapter.store.fold import precedence
from adapter.store.resolve import SamePerson, no_conflict
from adapter.store.sql import Rules, SqlStore


def open(
    url: str,
    same_person: SamePerson = no_conflict,
    namespace: UUID | None = None,
    timeout: float = 30.0,
) -> SqlStore:
    """The store at a URL: `sqlite:///path`, `sqlite://` (in memory), `postgresql://...`.

    `same_person`  who an entry is, given the stored resources that share an identifier with it:
                   an id, `""` for a new one, or the Issue that sends the unit to review
    `namespace`    from what ids are made; drawn by a new database unless given (tests, moves)
    `timeout`      seconds to wait for another writer, then StoreError

    Creates the tables. Raises SettingError for another URL, StoreError when out of reach.
    """
    made = engine(url, timeout)
    try:
        with told():
            return SqlStore(made, Rules(same_person, precedence(), timeout), namespace)
    except BaseException:
        made.dispose()
        raise


__all__ = ["SqlStore", "open"]
