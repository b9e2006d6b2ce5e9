"""Stays of many messages: each writes few of their movements, and none of them is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import text

from adapter.store import SqlStore
from adapter.store.bundles import SIZE, Bundles, source_of
from adapter.store.movements import MARK
from adapter.store.registers import Contribution, Register, Stamp
from tests.store.messages import NOW, contents, converted, stay, the

KINDS = ("Patient", "Encounter")
# An admission, moves between four wards, updates in between, and the discharge.
WEEKS = [
    stay("A01", 1, here="W0", start=1),
    *(stay("A02" if hour % 5 == 0 else "A08", hour, here=f"W{hour // 5 % 4}")
      for hour in range(2, 3 * SIZE + 9)),
    stay("A03", 3 * SIZE + 9, here="W1", end=3 * SIZE + 9),
]  # fmt: skip


def load(store: SqlStore, *messages: bytes) -> None:
    for one in store.commit_all(converted(*messages), NOW):
        assert one.status == "stored"


def rows(store: SqlStore) -> dict[str, int]:
    """Each row of what is said of the stay, and how long it is."""
    query = text(
        "SELECT c.source, length(c.json) FROM contribution AS c JOIN resource AS r"
        " ON r.rid = c.rid WHERE r.kind = 'Encounter'"
    )
    with store._engine.connect() as connection:
        return {source: size for source, size in connection.execute(query)}  # noqa: C416 - rows


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_and_by_several_processes(
    opened: Callable[[], SqlStore], tmp_path, seed: int
) -> None:
    """Every quarter of the messages is taken by a store that has seen none of the others."""
    from adapter import store as stores
    from adapter.identity.match import may_merge, resolve
    from adapter.program.encounters import replay
    from tests.store.conftest import NAMESPACE

    straight = stores.open("sqlite://", resolve, NAMESPACE, 20, replay, may_merge)
    load(straight, *WEEKS)
    expected = contents(straight, *KINDS)
    straight.close()
    shuffled = random.Random(seed).sample(WEEKS, len(WEEKS))
    for start in range(4):
        store = opened()
        load(store, *shuffled[start::4])
    assert contents(store, *KINDS) == expected
    assert len(expected["Encounter"][0]["location"]) == 13
    assert len(rows(store)) > 2


def test_a_message_writes_as_much_after_many_as_after_few(store: SqlStore) -> None:
    sizes = []
    for start in range(0, 3 * SIZE, SIZE + 1):
        load(store, *WEEKS[start : start + SIZE])  # with the next, what is loose is bundled
        sizes.append(rows(store)["feed:default"])
        load(store, WEEKS[start + SIZE])
    assert len(sizes) == 3 and max(sizes) < 1.1 * min(sizes)


def test_the_cells_of_a_long_stay_are_known(store: SqlStore) -> None:
    load(store, *WEEKS)
    uid = the(store, "Encounter")["id"]
    fields = {trace.field for trace in store.trace("Encounter", uid)}
    assert {"PV1-3", "PV1-19", "PV1-45"} <= fields


def test_a_deleted_stay_does_not_come_back_by_a_late_message(
    opened: Callable[[], SqlStore],
) -> None:
    store = opened()
    load(store, *WEEKS[:-1])
    uid = the(store, "Encounter")["id"]
    store.delete("Encounter", uid, "2026-08-20T08:00:00Z")
    load(opened(), WEEKS[-1])
    assert list(opened().each("Encounter")) == []
    bundled = {row: size for row, size in rows(store).items() if source_of(row) != row}
    assert bundled and max(bundled.values()) < 100  # nothing is left in them


# --- bundles


def said(*numbers: int) -> Contribution:
    """Movements by number, and an element."""
    return {
        "serviceType": Register(Stamp("2026", "a"), {}),
        **{f"{MARK}{number}": Register(Stamp(str(number), "b"), {}) for number in numbers},
    }


def held(rows: dict[str, Contribution]) -> dict[str, int]:
    return {row.replace("\x1f", "/"): len(found) for row, found in rows.items()}


def test_bundles() -> None:
    made = Bundles()
    every = said(*range(SIZE))
    assert held(made.rows("s", every)) == {"s": SIZE + 1}
    every |= said(SIZE)
    assert held(made.rows("s", every)) == {"s": 1, "s/0": SIZE + 1}
    every |= said(SIZE + 1)
    assert held(made.rows("s", every)) == {"s": 2}
    every |= said(*range(SIZE + 2, 2 * SIZE + 2))
    assert held(made.rows("s", every)) == {"s": 1, "s/1": SIZE + 1}
    del every[f"{MARK}{SIZE + 4}"]
    assert held(made.rows("s", every)) == {"s": 1, "s/0": 2 * SIZE + 1, "s/1": 0}
    assert held(made.rows("s", {})) == {"s": 0, "s/0": 0}
    assert held(made.rows("s", said(1))) == {"s": 2}


def test_bundles_that_were_read() -> None:
    made = Bundles()
    every = said(*range(3))
    made.read("s", said(7))
    made.read("s\x1f2", {f"{MARK}2": every[f"{MARK}2"]})
    assert held(made.rows("s", every)) == {"s": 3}
    assert held(made.rows("t", said(1))) == {"t": 2}
    later = Bundles()
    later.read("s\x1f0", said(0))  # another register: it was told anew
    assert held(later.rows("s", every)) == {"s": 4, "s/0": 0}
