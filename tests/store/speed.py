"""How many units a second the store takes: `python -m tests.store.speed [URL] [UNITS]`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adapter import store as stores
from adapter.identity.match import resolve
from tests.store.made import NOW, Made, row

BATCH = 200


def measure(url: str, units: int) -> None:
    """Print units/s of new, repeated, unchanged and changed units of four entries each."""
    store = stores.open(url, resolve)

    def one_by_one(some: list[Made]) -> None:
        with store.batch():
            for made in some:
                store.commit(*made, NOW)

    def bulk(some: list[Made]) -> None:
        store.commit_all(some, NOW)

    def run(label: str, make: Callable[[int], Made], commit: Callable[[list[Made]], None]) -> None:
        wall = cpu = 0.0
        for start in range(0, units, BATCH):
            some = [make(number) for number in range(start, min(start + BATCH, units))]
            began, used = time.perf_counter(), time.process_time()
            commit(some)
            wall += time.perf_counter() - began
            cpu += time.process_time() - used
        print(f"{label:40} {units / wall:8.0f} units/s   {units / cpu:8.0f} per CPU second")

    def unchanged(number: int) -> Made:
        outcome, raw = row(number, as_of="2026-04-01T00:00:00Z")
        return outcome, raw + b" next file"

    run("new", row, bulk)
    run("the same again", row, bulk)
    run("newer, nothing changed", unchanged, bulk)
    run("newer, address changed", lambda n: row(n, "2 Row", "2026-05-01T00:00:00Z"), bulk)
    run("new, one by one in a batch", lambda n: row(n + units), one_by_one)
    run("the same again, one by one in a batch", row, one_by_one)
    store.close()


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    if len(sys.argv) > 1:
        measure(sys.argv[1], count)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{Path(folder) / 'speed.sqlite'}", count)
