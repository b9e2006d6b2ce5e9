"""A process that loads, to be run beside others or killed: `python -m tests.store.loader`."""

from __future__ import annotations

import sys

from adapter import store as stores
from adapter.identity.match import resolve
from tests.store.made import CIN, NOW, patient, row, unit

ROWS, BATCH = 400, 7


def load(url: str) -> None:
    """Load the same rows in batches, and print after each how many are stored."""
    store = stores.open(url, resolve)
    for start in range(0, ROWS, BATCH):
        with store.batch():
            for number in range(start, min(start + BATCH, ROWS)):
                store.commit(*row(number), NOW)
        print(min(start + BATCH, ROWS), flush=True)


def race(url: str, me: int) -> None:
    """Commit people whom other processes commit at the same time, under one identifier."""
    store = stores.open(url, resolve)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        person = patient((CIN, f"9{number:07d}A"), (f"urn:writer:{me}", str(number)))
        made = unit(person, source=f"feed:f{me}")
        receipt = store.commit(*made, NOW)
        print(receipt.status, *receipt.ids.values(), flush=True)
    for _ in range(20):
        print("number", store.sequence("isa"), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "load":
        load(sys.argv[2])
    else:
        race(sys.argv[2], int(sys.argv[3]))
