"""Kill, full disk, locked database: no acknowledged message is lost, none is applied twice."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
import time
from pathlib import Path

from adapter import store as stores
from adapter.feeds.answers import Frame, take
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from tests.transport import faults
from tests.transport.client import connect, tell
from tests.transport.conftest import NOW, fields, message

KILLS = 12


def test_killed_at_random_moments(tmp_path: Path) -> None:
    stored, codes = faults.kills(f"sqlite:///{tmp_path / 'killed.sqlite'}", KILLS)
    assert stored > KILLS
    assert set(codes) == {"AA"}


def test_a_full_disk_is_answered_ae_until_there_is_room(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'full.sqlite'}"
    stores.open(url, resolve).close()
    accepted, failed = set[int](), set[int]()

    async def story(port: int, numbers: range) -> list[str]:
        sender = await connect(port)
        return [(await sender.send(message(number)))[0] for number in numbers]

    with faults.nursery_on(url) as nursery:
        nursery.start(limit=600_000)

        async def whole() -> None:
            for number, code in zip(range(60), await story(nursery.port, range(60)), strict=True):
                (accepted if code == "AA" else failed).add(number)
                assert code in ("AA", "AE")
            assert accepted and failed
            free = resource.RLIM_INFINITY
            resource.prlimit(nursery.pid, resource.RLIMIT_FSIZE, (free, free))
            again = await story(nursery.port, range(60))
            assert again == ["AA"] * 60

        tell(whole())
    store = stores.open(url, resolve)
    assert len(store.ledger()) == 60
    assert {e["meta"]["versionId"] for e in store.each("Encounter")} == {"1"}
    store.close()


def test_a_locked_database_is_answered_ae_until_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "locked.sqlite"
    store = stores.open(f"sqlite:///{file}", resolve, timeout=0.2)
    house = Pipeline(store, lambda: NOW)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = take(house, [Frame(message(1)), Frame(message(2))])
    assert [fields(some[0])["MSA"][1] for some in answers] == ["AE", "AE"]
    other.execute("ROLLBACK")
    other.close()
    answers = take(house, [Frame(message(1)), Frame(message(2))])
    assert [fields(some[0])["MSA"][1] for some in answers] == ["AA", "AA"]
    assert len(store.ledger()) == 2
    store.close()


def test_a_lock_that_ends_in_time_is_only_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "locked.sqlite"
    store = stores.open(f"sqlite:///{file}", resolve, timeout=5.0)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    free = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    free.start()
    started = time.monotonic()
    (answers,) = take(Pipeline(store, lambda: NOW), [Frame(message(1))])
    assert fields(answers[0])["MSA"][1] == "AA"
    assert time.monotonic() - started > 0.15
    free.join()
    other.close()
    store.close()


def test_two_senders_with_one_control_id_at_once(tmp_path: Path) -> None:
    store = stores.open(f"sqlite:///{tmp_path / 'two.sqlite'}", resolve)
    house = Pipeline(store, lambda: NOW)
    found: list[str] = []

    def send(application: str, family: str, person: int) -> None:
        for _ in range(5):
            raw = message(1, application=application, family=family, person=person)
            (answers,) = take(house, [Frame(raw)])
            found.append(fields(answers[0])["MSA"][1])

    threads = [
        threading.Thread(target=send, args=("ONE", "QUILLFEATHER", 1)),
        threading.Thread(target=send, args=("TWO", "PENHALLOW", 2)),
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert found == ["AA"] * 10
    assert [line.status for line in store.ledger()] == ["stored", "stored"]
    assert {p["name"][0]["family"] for p in store.each("Patient")} == {"QUILLFEATHER", "PENHALLOW"}
    store.close()


def test_one_message_on_many_connections_is_applied_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'same.sqlite'}"
    with faults.nursery_on(url) as nursery:
        nursery.start()

        async def talk() -> list[list[str]]:
            sender = await connect(nursery.port)
            return [await sender.send(message(number)) for number in range(10)]

        async def whole() -> None:
            for found in await asyncio.gather(*(talk() for _ in range(6))):
                assert found == [["AA", f"M{number:06d}"] for number in range(10)]

        tell(whole())
    store = stores.open(url, resolve)
    assert len(store.ledger()) == 10
    assert {e["meta"]["versionId"] for e in store.each("Encounter")} == {"1"}
    store.close()
