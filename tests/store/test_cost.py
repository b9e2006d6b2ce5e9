"""The cost of a unit does not grow with the store: every look-up of a commit uses an index.

An index of a status is as good as none: nearly all lines of the ledger have the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from adapter.store.packing import spread
from tests.store.made import NOW, row
from tests.store.messages import converted, message, pid, pv1


@contextmanager
def watched(store: Any) -> Iterator[list[str]]:
    """Every statement that the database is sent meanwhile, with its values."""
    seen: list[str] = []
    connections: list[Any] = []

    def note(raw, _record, _proxy) -> None:
        raw.set_trace_callback(seen.append)
        connections.append(raw)

    event.listen(store._engine, "checkout", note)
    yield seen
    event.remove(store._engine, "checkout", note)
    for raw in connections:
        raw.set_trace_callback(None)


def walks(plan: str, statement: str) -> bool:
    """Whether a step of a query plan reads what grows with the store."""
    few = "asked" in plan or "CONSTANT ROW" in plan  # what the statement itself brings
    waiting = "status = 'review'" in statement  # few: people decide on them
    return ("SCAN" in plan and not few) or ("unit_status" in plan and not waiting)


def plans_of(store, seen):
    """How SQLite goes about each statement, and the statement."""
    plans = []
    with store._engine.connect() as connection:
        for statement in seen:
            if statement.startswith(("SELECT", "WITH", "DELETE", "UPDATE")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
                plans += [(line[3], statement) for line in plan]
    return plans


def test_no_statement_of_a_commit_walks_through_a_table(tmp_path) -> None:
    from adapter import store as stores

    store = stores.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    store.commit_all([row(number) for number in range(50)], NOW)
    with watched(store) as seen:
        store.commit(*row(7, "2 Lantern Row", "2026-05-01T00:00:00Z"), NOW)
        store.commit(*row(99), NOW)
    plans = plans_of(store, seen)
    store.close()
    assert len(plans) >= 6
    assert [one for one in plans if walks(*one)] == []


def test_messages_strangers_and_merges_walk_through_no_table(tmp_path) -> None:
    from adapter import store as stores
    from adapter.identity.match import may_merge, resolve
    from adapter.program.encounters import replay

    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = stores.open(url, resolve, None, 5, replay, may_merge)
    store.commit_all([row(number) for number in range(50)], NOW)
    name = "MARROWBY^TESS"
    told = converted(
        message("A01", 8, pid("M1", name, f13="^PRN^PH^^1^916^5550101"), pv1()),
        message("A28", 9, pid("M2", name)),
        message("A08", 10, pid("M1", name), pv1()),
        message("A40", 11, pid("M3", name, "19551102"), "MRG|M1^^^MERCY^MR"),
        message("A03", 12, pid("M1", name), pv1(end=12)),
    )
    people = (pid(f"S{n}", f"BRACKENFOLD{n}^IDA", f"1970010{n}") for n in range(1, 9))
    several = converted(*(message("A28", 20, person) for person in people))
    with watched(store) as seen:
        statuses = [store.commit(*made, NOW).status for made in told]
        statuses += [one.status for one in store.commit_all(several, NOW)]
    assert statuses == ["stored"] * 13
    plans = plans_of(store, seen)
    store.close()
    assert len(plans) >= 6
    assert [one for one in plans if walks(*one)] == []


def steps(run: Any, file: str) -> int:
    """How many lines of a file are run meanwhile."""
    found = 0

    def note(frame: Any, what: str, _told: Any) -> Any:
        nonlocal found
        if not frame.f_code.co_filename.endswith(file):
            return None
        found += what == "line"
        return note

    sys.settrace(note)
    try:
        run()
    finally:
        sys.settrace(None)
    return found


def test_many_merges_of_one_message_are_not_their_square() -> None:
    from adapter import store as stores

    counts = []
    for number in (20, 80):
        segments = [
            text
            for n in range(number)
            for text in (pid(f"A{n}", f"FERN{n:02d}^IDA"), f"MRG|B{n}^^^MERCY^MR")
        ]
        (told,) = converted(message("A40", 8, *segments))
        store = stores.open("sqlite://")
        counts.append(steps(lambda: store.commit(*told, NOW), "resolve.py"))  # noqa: B023
        store.close()
    assert counts[1] <= 5 * counts[0]


def test_the_places_of_many_numbers_are_not_their_square() -> None:
    """Each number of a person tells where it came from, not where all of them did."""
    from adapter import store as stores

    sizes = []
    for number in (100, 400):
        covers = [f"IN1|{n}|MCAL|SUN{n}|{'|' * 32}9{n:07d}A^^^MEDI-CAL^MA" for n in range(number)]
        (told,) = converted(message("A28", 8, pid(), *covers))
        store = stores.open("sqlite://")
        store.commit(*told, NOW)
        with store._engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT json FROM contribution").fetchall()
            sizes.append(sum(len(spread(text)) for (text,) in rows))
        (person,) = store.each("Patient")
        places = store.trace("Patient", person["id"])
        assert len({row for row in places if row.element == "identifier"}) == number + 1
        store.close()
    assert sizes[1] <= 5 * sizes[0]
