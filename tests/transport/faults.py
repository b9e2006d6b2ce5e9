"""Faults on loopback: a server that is killed at any moment, and senders that go on.

`python -m tests.transport.faults [KILLS]` kills it that often (default 50) and prints what it saw.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from adapter import convert, settings
from adapter import store as stores
from adapter.feeds.answers import take
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.transport.framing import frame
from adapter.transport.mllp import Address, serve
from tests.transport.client import LOOPBACK, connect, msa, tell
from tests.transport.conftest import message

ROOT = Path(__file__).resolve().parents[2]
SENDERS, TIMEOUT = 4, 5.0


# --- the process that is killed


def nursery(url: str) -> None:
    """Fork a server whenever a line comes in; its process id and port go out.

    Forked, since to start Python and read all mappings would take longer than the server lives.
    """
    logging.disable(logging.CRITICAL)
    list(convert.adt(message(1)))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            limit = int(line)
            if limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            asyncio.run(_child(url))
            os._exit(0)


async def _child(url: str) -> None:
    store = stores.open(url, resolve, timeout=TIMEOUT)
    house = Pipeline(store, settings.now, frozenset("P"))
    server = await serve(partial(take, house), [Address(LOOPBACK, 0)])
    print(os.getpid(), server.ports[0], flush=True)
    await asyncio.Event().wait()


class Nursery:
    """Starts servers on one database, as often as they are killed."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.transport.faults", "nursery", url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.pid = self.port = 0

    def start(self, limit: int = 0) -> None:
        """A server; `limit` is the size that none of its files may pass, 0 for none."""
        self._process.stdin.write(f"{limit}\n")
        self._process.stdin.flush()
        self.pid, self.port = map(int, self._process.stdout.readline().split())

    def kill(self) -> None:
        """End the server at once (SIGKILL), and wait until it is gone."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
                while True:
                    os.kill(self.pid, 0)
                    time.sleep(0.001)
        self.pid = 0

    def close(self) -> None:
        self.kill()
        self._process.kill()
        self._process.communicate()


@contextmanager
def nursery_on(url: str) -> Iterator[Nursery]:
    made = Nursery(url)
    try:
        yield made
    finally:
        made.close()


# --- the senders, as hospitals' engines are: each message again until it is answered


@dataclass
class Sender:
    """One hospital: what it has to send, and what was accepted; number and codes of answers."""

    name: int
    accepted: list[int] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    @property
    def number(self) -> int:
        """The number of the message that is to be sent now."""
        return self.name * 100_000 + len(self.accepted)

    async def talk(self, port: int, most: int) -> None:
        """Send until `most` are accepted or the server is gone; now and then break off."""
        chance = random.Random(self.name * 1000 + self.sent)
        while len(self.accepted) < most:
            sender = await connect(port)
            with suppress(OSError):
                while len(self.accepted) < most:
                    await self._send(sender, chance)

    async def _send(self, sender, chance: random.Random) -> None:
        raw = frame(message(self.number))
        self.sent += 1
        if chance.random() < 0.05:  # broken mid-frame: it was never sent
            await sender.raw(raw[: chance.randrange(len(raw))])
            sender.writer.transport.abort()
            raise ConnectionResetError
        await sender.raw(raw)
        if chance.random() < 0.05:  # broken before the answer: it may be stored
            sender.writer.transport.abort()
            raise ConnectionResetError
        answer = await sender.answer()
        if answer is None:
            raise ConnectionResetError
        code, control = msa(answer)
        self.codes[code] += 1
        assert control == f"M{self.number:06d}", "an answer to another message"
        if code == "AA":
            self.accepted.append(self.number)


async def _until_killed(nursery: Nursery, senders: list[Sender], after: float) -> None:
    talks = [asyncio.create_task(one.talk(nursery.port, 1 << 30)) for one in senders]
    await asyncio.sleep(after)
    await asyncio.to_thread(nursery.kill)
    for found in await asyncio.gather(*talks, return_exceptions=True):
        if not isinstance(found, OSError):
            raise found


# --- what must hold


def check(url: str, senders: list[Sender]) -> int:
    """Nothing accepted is missing, nothing was applied twice; the number of messages stored."""
    store = stores.open(url, resolve)
    try:
        lines = [line for line in store.ledger() if line.status == "stored"]
        raws = [store.raw(line.unit) or b"" for line in lines]
        stored = [int(found[1]) for raw in raws if (found := re.search(rb"\|M(\d{6})\|", raw))]
        assert len(stored) == len(lines)
        assert len(set(stored)) == len(stored), "a message stands twice in the ledger"
        for sender in senders:
            mine = [number for number in stored if number // 100_000 == sender.name]
            assert mine == sorted(mine), "the order of a sender is lost"
            assert set(sender.accepted) <= set(mine), "an accepted message is lost"
            assert len(mine) <= len(sender.accepted) + 1, "more is stored than was sent"
        versions = Counter(e["meta"]["versionId"] for e in store.each("Encounter"))
        assert set(versions) <= {"1"}, "a message was applied twice"
        assert sum(versions.values()) == len(stored), "a message was applied in part"
        assert store.search("Patient", [], 0).total == len(stored)
        return len(stored)
    finally:
        store.close()


def kills(url: str, number: int, seed: int = 1) -> tuple[int, Counter[str]]:
    """Kill a server at random moments under load; messages stored, and codes of answers."""
    chance = random.Random(seed)
    senders = [Sender(name) for name in range(1, SENDERS + 1)]
    with nursery_on(url) as nursery:
        for _ in range(number):
            nursery.start()
            tell(_until_killed(nursery, senders, chance.uniform(0.02, 0.4)))
            check(url, senders)
        nursery.start()
        most = max(len(one.accepted) for one in senders) + 5

        async def rest() -> None:
            await asyncio.gather(*(one.talk(nursery.port, most) for one in senders))

        tell(rest())
    codes = sum((one.codes for one in senders), Counter[str]())
    assert check(url, senders) == sum(len(one.accepted) for one in senders) == SENDERS * most
    return SENDERS * most, codes


def main(number: int) -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        stored, codes = kills(f"sqlite:///{folder}/faults.sqlite", number, seed=int(started))
        print(f"{number} kills: {stored} messages stored once each, answers {dict(codes)},")
        print(f"none lost, none twice, in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["nursery"]:
        nursery(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
