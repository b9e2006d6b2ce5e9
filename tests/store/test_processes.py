"""Several processes on one database: killed, racing, and waiting for each other."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from adapter import store as stores
from adapter.errors import SettingError, StoreError
from adapter.identity.match import resolve
from adapter.store import SqlStore, bulk, schema
from adapter.store.work import Work
from tests.store.loader import ROWS
from tests.store.made import CIN, NOW, row

ROOT = Path(__file__).resolve().parents[2]
WRITERS, KILLS = 4, 10


@contextmanager
def process(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A loader of its own; killed if it still runs at the end."""
    command = [sys.executable, "-m", "tests.store.loader", *args]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as running:
        try:
            yield running
        finally:
            running.kill()


def killed_load(url: str, after: float) -> tuple[int, bool]:
    """What a load had reported when it was killed, some time after its first batch; if it ended."""
    with process("load", url) as running:
        lines = [running.stdout.readline()]
        timer = threading.Timer(after, running.kill)
        timer.start()
        lines += running.stdout.readlines()
        timer.cancel()
    reported = [int(line) for line in lines if line.strip()]
    return (reported[-1] if reported else 0), running.returncode == 0


def test_a_killed_load_loses_nothing_that_was_reported(url) -> None:
    chance, most, kills = random.Random(1), 0, 0
    for _ in range(KILLS if url.startswith("sqlite") else KILLS // 3):
        reported, ended = killed_load(url, chance.uniform(0.0, 0.4))
        most, kills = max(most, reported), kills + (not ended)
        store = stores.open(url, resolve)
        ledger = store.ledger()
        assert len(ledger) >= most and all(line.status == "stored" for line in ledger)
        for kind in ("Patient", "Coverage", "EpisodeOfCare", "ClaimResponse"):
            assert store.search(kind, [], 0).total == len(ledger)
        store.close()
    assert kills > 0
    with process("load", url) as running:
        assert running.stdout.readlines()[-1].strip() == str(ROWS)
    store = stores.open(url, resolve)
    before = [resource for kind in ("Patient", "Coverage") for resource in store.each(kind)]
    assert len(before) == 2 * ROWS
    assert {one.status for one in store.commit_all([row(n) for n in range(ROWS)], NOW)} == {
        "duplicate"
    }
    after = [resource for kind in ("Patient", "Coverage") for resource in store.each(kind)]
    assert after == before and len(store.ledger()) == ROWS
    assert {resource["meta"]["versionId"] for resource in after} == {"1"}
    store.close()


def test_parallel_writers_make_one_patient(url) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(process("race", url, str(n))) for n in range(WRITERS)]
        assert [one.stdout.readline() for one in writers] == ["ready\n"] * WRITERS
        for one in writers:
            one.stdin.write("go\n")
            one.stdin.flush()
        told = [one.stdout.read().splitlines() for one in writers]
        assert [one.wait(60) for one in writers] == [0] * WRITERS
    people = [[line for line in lines if line.startswith("stored ")] for lines in told]
    assert people[0] == people[1] == people[2] == people[3] and len(people[0]) == 20
    numbers = [int(line.split()[1]) for lines in told for line in lines if "number" in line]
    assert sorted(numbers) == list(range(1, 20 * WRITERS + 1))
    store = stores.open(url, resolve)
    found = list(store.each("Patient"))
    assert len(found) == 20
    assert {len(resource["identifier"]) for resource in found} == {1 + WRITERS}
    assert {resource["meta"]["versionId"] for resource in found} == {str(WRITERS)}
    store.close()


def test_the_database_itself_keeps_identifiers_unique(url, store) -> None:
    store.commit(*row(1), NOW)
    again = schema.identifier.insert().values(
        value="90000001A", system=CIN, kind="Patient", id="another"
    )
    with store._engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(again)


@pytest.mark.parametrize(("clashes", "ends"), [(0, 1), (1, 2), (2, 3), (3, None)])
def test_a_write_that_clashes_is_tried_again(store, clashes, ends) -> None:
    """A writer outside the lock may take a row between look-up and write; who loses looks again."""
    store.commit(*row(1), NOW)
    tries: list[Work] = []

    def write(work: Work) -> int:
        tries.append(work)
        if len(tries) <= clashes:
            bulk.insert(work.connection, schema.identifier, [("90000001A", CIN, "Patient", "x")])
        return len(tries)

    if ends:
        assert store._write(write) == ends
    else:
        with pytest.raises(StoreError, match="the database refused"):
            store._write(write)
    assert len(tries) == (ends or 3)
    assert store.commit(*row(2), NOW).status == "stored"


@pytest.mark.parametrize("table", ["unit", "identifier", "term"])
def test_what_the_driver_raises_is_told(store, table) -> None:
    """Of questions as of writes: neither statement nor values."""
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match="the database refused") as caught:
        store.commit(*row(1), NOW)
    assert table not in str(caught.value) and "SELECT" not in str(caught.value)


def test_a_locked_database_is_waited_for_then_told(url, store) -> None:
    other = stores.open(url, resolve, timeout=0.3)
    with store.batch():
        store.commit(*row(1), NOW)
        started = time.monotonic()
        with pytest.raises(StoreError, match="the database refused"):
            other.commit(*row(2), NOW)
        assert 0.2 < time.monotonic() - started < 10
        assert other.search("Patient").total == 0
    assert other.commit(*row(2), NOW).status == "stored"
    assert other.search("Patient").total == 2
    other.close()


def test_a_store_opens_while_another_writes(url, store) -> None:
    with store.batch():
        store.commit(*row(1), NOW)
        other = stores.open(url, resolve, timeout=0.3)
        assert other.search("Patient").total == 0
    assert other.search("Patient").total == 1
    other.close()


def test_a_writer_waits_for_another_to_end(url, store) -> None:
    other, statuses = stores.open(url, resolve), []
    with store.batch():
        store.commit(*row(1), NOW)
        thread = threading.Thread(target=lambda: statuses.append(other.commit(*row(1), NOW).status))
        thread.start()
        time.sleep(0.2)
        assert statuses == []
    thread.join(20)
    assert statuses == ["duplicate"]
    other.close()


def test_threads_share_a_store(store: SqlStore) -> None:
    failures: list[BaseException] = []

    def work(me: int) -> None:
        try:
            for number in range(10):
                store.commit(*row(number), NOW)
                store.search("Patient", [("identifier", f"9{number:07d}A")])
                store.put({"resourceType": "Basic", "id": f"b{me}-{number}"}, NOW)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert failures == []
    assert store.search("Patient").total == 10 and store.search("Basic", [], 0).total == 60


def test_a_batch_in_a_batch_is_our_fault(store) -> None:
    with pytest.raises(StoreError, match="batch"), store.batch(), store.batch():
        store.commit(*row(1), NOW)
    assert store.search("Patient").total == 0


def test_in_memory(tmp_path) -> None:
    store = stores.open("sqlite://", resolve)
    assert store.commit(*row(1), NOW).status == "stored"
    assert store.commit(*row(1), NOW).status == "duplicate"
    for resource in store.each("Patient"):
        store.put({**resource, "active": True}, NOW)
    assert store.search("Patient", [("active", "true")]).total == 1
    store.close()


@pytest.mark.parametrize("url_", ["", "no url", "mysql://host/x", "oracle://u:secret@host/x"])
def test_another_kind_of_database_is_refused_without_its_password(url_) -> None:
    with pytest.raises(SettingError) as caught:
        stores.open(url_)
    assert "secret" not in str(caught.value)


def test_a_database_out_of_reach(tmp_path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: No such file or directory"):
        stores.open(f"sqlite:///{tmp_path}/nowhere/x.sqlite")
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="the database refused"):
        stores.open(f"sqlite:///{broken}")


def test_only_the_owner_may_read_the_files(tmp_path) -> None:
    store = stores.open(f"sqlite:///{tmp_path}/x.sqlite")
    store.commit(*row(1), NOW)
    files = list(tmp_path.iterdir())
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}
    store.close()


def test_a_database_of_another_schema_is_refused(url, store) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE setting SET value = '0' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="schema 0"):
        stores.open(url)


def test_database_errors_tell_no_values(url, store) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE contribution")
    with pytest.raises(StoreError) as caught:
        store.commit(*row(1), NOW)
    told = f"{caught.value!r} {caught.value.__cause__!r}"
    assert not any(text in told for text in ("90000001A", "Quillfeather", "INSERT", "SELECT"))
    assert store.search("Patient").total == 0


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite's cannot be ended
def test_a_connection_that_the_database_ends(url, store) -> None:
    """What was under way is not stored, and the next is."""
    with pytest.raises(StoreError, match="the database refused"), store.batch():
        store.commit(*row(1), NOW)
        other = create_engine(url)
        with other.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        other.dispose()
        store.commit(*row(2), NOW)
    assert store.search("Patient").total == 0
    assert store.commit(*row(2), NOW).status == "stored"
