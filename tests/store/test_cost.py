"""The cost of a unit does not grow with the store: every look-up of a commit uses an index."""

from __future__ import annotations

from sqlalchemy import event

from tests.store.made import NOW, row


def test_no_statement_of_a_commit_walks_through_a_table(tmp_path) -> None:
    from adapter import store as stores

    store = stores.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    store.commit_all([row(number) for number in range(50)], NOW)
    seen: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, many) -> None:
        seen.append((statement, parameters[0] if many else parameters))

    event.listen(store._engine, "before_cursor_execute", note)
    store.commit(*row(7, "2 Lantern Row", "2026-05-01T00:00:00Z"), NOW)
    store.commit(*row(99), NOW)
    event.remove(store._engine, "before_cursor_execute", note)
    plans = []
    with store._engine.connect() as connection:
        for statement, parameters in seen:
            if statement.startswith(("SELECT", "DELETE", "UPDATE")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [(line[3], statement) for line in plan]
    store.close()
    assert len(plans) >= 6
    assert [one for one in plans if "SCAN" in one[0]] == []
