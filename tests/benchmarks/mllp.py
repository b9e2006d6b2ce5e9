"""Acknowledged messages per second over MLLP on SQLite, p99, memory, and cost as the store grows.

`python -m tests.benchmarks.mllp [--messages N] [--connections N] [--stays N]`: a server process
of its own; each connection waits for its answer before it sends on, as interface engines do. The
mix is that of a hospital: registrations, admissions, discharges, and updates most of all.
`--stays N` fills another store with N stays (filling.py) and compares the cost of a message there
with that in the first, empty one, round by round in turn: 200,000 take two minutes and 3 GB. The
figures of one round go out for each 20,000 messages when there are many. Before each round the
floor of adt.py is measured, by which rounds on hosts of different speed compare.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from adapter import settings
from adapter import store as stores
from adapter.feeds.answers import Frame, take
from adapter.identity.match import may_merge, resolve
from adapter.pipeline import Pipeline
from adapter.program.encounters import replay
from adapter.transport.framing import frame
from adapter.transport.mllp import Address, serve
from tests.benchmarks import adt
from tests.benchmarks.filling import multiply
from tests.transport.client import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]
_REAL = 200  # stays that are filled in by messages
_BEGAN = datetime(2026, 7, 1, 8)  # of the first stay; each of the others begins a minute later
# One stay of one person: what a hospital sends of it, updates three times of four.
STORY = ("A04", "A08", "A08", "A01", "A08", "A08", "A08", "A03")


def stay(number: int) -> Iterator[bytes]:
    """The messages of one invented stay, 1.0 KB each on average."""
    begins = _BEGAN + timedelta(minutes=number % 500_000)
    for step, event in enumerate(STORY):
        minute = f"{begins + timedelta(hours=step):%Y%m%d%H%M}00-0700"
        ward = (
            "ED^1^A^MERCYTEST" if step < 3 else f"4WEST^{401 + number % 40}^B^MERCYTEST^^N^TOWER^4"
        )
        visit = f"|V{number:06d}^^^MERCYTEST^VN|MCD{'|' * 16}"
        left = f"01{'|' * 8}{minute}|{minute}" if event == "A03" else f"{'|' * 8}{minute}|"
        attending = "1888880014^FERNFIELD^OTTOLINE^^^DR^MD^^NPI^^^^NPI"
        admitting = "1000000012^FIXTURE^GRETA^^^DR^MD^^NPI"
        rows = [
            f"MSH|^~\\&|REGISTRATION|MERCYTEST|ECMHUB|HARBOR|{minute}||ADT^{event}^ADT_A01"
            f"|B{number:06d}{step}|P|2.5.1",
            f"EVN|{event}|{minute}||01|OP77^CLERKSON^CLEO|{minute}",
            f"PID|1||R{number:06d}^^^MERCYTEST&2.999.1.4711&ISO^MR~9{number % 10**7:07d}A^^^"
            f"MEDI-CAL^MA||TESTWELL{number % 97}^AURORA^JUNE^^MS^^L||19850314|F||2106-3^White^"
            f"CDCREC|{100 + step} SAMPLE WAY^^SACRAMENTO^CA^95814^USA^H||^PRN^PH^^1^916^555"
            f"{number % 10**4:04d}||en^English^ISO639|S||||||2186-5^Not Hispanic or Latino^CDCREC",
            f"PD1|||HARBOR CLINIC^^HC01|{admitting}",
            f"PV1|1|{'E' if step < 3 else 'I'}|{ward}|1|||{attending}|||MED||||7|||{admitting}|IP"
            f"{visit}{left}",
            "PV2|||R07.9^Chest pain, unspecified^I10",
            "DG1|1||R07.9^Chest pain, unspecified^I10|Chest pain|20260705|A|||||||||1",
            "IN1|1|MCAL^Medi-Cal managed care|SUNRISE|SUNRISE HEALTH PLAN|PO BOX 9^^SACRAMENTO^CA"
            f"|||||||20260101|||MCD||SEL|19850314||||||||||||||||||SHP{number:07d}",
        ]
        yield "\r".join([*rows, ""]).encode()


def messages(first: int, connection: int, step: int) -> Iterator[bytes]:
    """An endless feed of one connection: several stays at a time, their messages in turn."""
    number = first + connection
    while True:
        several = [stay(number + step * n) for n in range(8)]
        number += step * 8
        for together in zip(*several, strict=True):
            yield from together


# --- the server, in a process of its own


def opened(url: str) -> stores.SqlStore:
    """The store as `serve` opens it."""
    return stores.open(url, resolve, replay=replay, may_merge=may_merge)


def server(url: str) -> None:
    """Serve until stdin ends; the port goes out, then for each line memory and processor time."""

    async def whole() -> None:
        house = Pipeline(opened(url), settings.now, frozenset("P"))
        made = await serve(partial(take, house), [Address(LOOPBACK, 0)])
        print(made.ports[0], flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            used = resource.getrusage(resource.RUSAGE_SELF)
            print(_resident(), used.ru_utime + used.ru_stime, flush=True)
        await made.stop()

    if os.environ.get("PROFILE"):
        _profiled(whole)
    else:
        asyncio.run(whole())


def _profiled(whole) -> None:
    """With PROFILE=FILE in the environment: what the writer's thread spends its time on."""
    import cProfile

    from adapter.transport import group

    profile, execute = cProfile.Profile(), group.Group._store

    async def watched(self, some):
        take_ = self._take
        self._take = partial(profile.runcall, take_)
        await execute(self, some)
        self._take = take_

    group.Group._store = watched
    asyncio.run(whole())
    profile.dump_stats(os.environ["PROFILE"])


def _resident() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Served:
    """The server process and what it says of itself."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.mllp", "server", url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.port = int(self._process.stdout.readline())

    def use(self) -> tuple[float, float]:
        """Megabytes resident, seconds of processor time."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        memory, used = self._process.stdout.readline().split()
        return float(memory), float(used)

    def close(self) -> None:
        self._process.communicate()


# --- the senders


class _Sender:
    """One connection, with the frames it will send, each when the one before is answered."""

    def __init__(self, port: int, frames: list[bytes]) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), 60)
        self._frames, self._answer, self._sent = iter(frames), b"", 0.0

    def send(self) -> bool:
        """Send the next frame; False when there is none."""
        raw = next(self._frames, None)
        if raw is not None:
            self._sent = time.perf_counter()
            self.socket.sendall(raw)
        return raw is not None

    def answered(self) -> float | None:
        """The seconds that the answer took, None when there is more of it to come."""
        self._answer += self.socket.recv(65536)
        if not self._answer.endswith(b"\x1c\r"):
            return None
        assert b"\rMSA|AA|" in self._answer, self._answer
        self._answer = b""
        return time.perf_counter() - self._sent


def send(port: int, feeds: list[Iterator[bytes]], number: int) -> tuple[float, list[float]]:
    """Send a number of messages over all connections; seconds, and the time of each answer.

    They are made before the clock starts: it is the server's time that counts.
    """
    each, times = number // len(feeds), list[float]()
    senders = [_Sender(port, [frame(next(feed)) for _ in range(each)]) for feed in feeds]
    with selectors.DefaultSelector() as ready:
        started = time.perf_counter()
        for sender in senders:
            ready.register(sender.socket, selectors.EVENT_READ, sender)
            sender.send()
        while ready.get_map():
            found = ready.select(60)
            assert found, "no answer for a minute"
            for key, _ in found:
                took = key.data.answered()
                if took is not None:
                    times.append(took)
                    if not key.data.send():
                        ready.unregister(key.fileobj)
        seconds = time.perf_counter() - started
    for sender in senders:
        sender.socket.close()
    return seconds, sorted(times)


class Round(NamedTuple):
    """What a round of messages came to: a second, milliseconds each, megabytes; and the floor."""

    rate: float
    p50: float
    p99: float
    used: float
    memory: float
    floor: float


@cache
def _sample() -> list[bytes]:
    """What the floor is measured on: the messages of adt.py, four times."""
    return adt.messages() * 4


def _round(served: Served, feeds: list[Iterator[bytes]], label: str, number: int) -> Round:
    """Send a number of messages, print what came of it."""
    floor = adt.rate(adt.floor, _sample())
    before = served.use()[1]
    seconds, times = send(served.port, feeds, number)
    memory, used = served.use()
    count = len(times)
    p50, p99 = (1000 * times[min(int(count * share), count - 1)] for share in (0.5, 0.99))
    found = Round(count / seconds, p50, p99, 1000 * (used - before) / count, memory, floor)
    print(
        f"{label:<26} {count:>8} {found.rate:>9.0f} {p50:>8.1f} {p99:>8.1f} "
        f"{found.used:>9.2f} {memory:>8.0f} {floor:>9,.0f} {found.rate / floor:>9.1%}",
        flush=True,
    )
    return found


def fill(path: Path, stays: int) -> None:
    """Bring stays into a new store: some by messages, and those again under other names."""
    store = opened(f"sqlite:///{path}")
    house = Pipeline(store, settings.now, frozenset("P"))
    for first in range(5_000_000, 5_000_000 + _REAL, 50):
        take(house, [Frame(next(stay(number))) for number in range(first, first + 50)])
    store.close()
    started = time.perf_counter()
    multiply(str(path), stays // _REAL - 1)
    os.sync()  # the disk is still busy with it otherwise, and every commit waits
    with path.open("rb", buffering=0) as file:  # as if it had been in use all the time
        while file.read(1 << 24):
            pass
    print(f"  {stays} stays in {time.perf_counter() - started:.0f} s", flush=True)


def main(number: int, connections: int, stays: int) -> None:
    """Print the table; rounds on the filled store come in turn with those on the other."""
    with tempfile.TemporaryDirectory() as folder:
        small, filled = (Path(folder) / f"{name}.sqlite" for name in ("mllp", "filled"))
        size = sum(map(len, stay(1))) / len(STORY)
        print(f"{connections} connections, {size:.0f} bytes a message, SQLite, each answer durable")
        if stays:
            fill(filled, stays)
        print(f"{'':<26} {'messages':>8} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8} "
              f"{'CPU ms':>9} {'RSS MB':>8} {'floor/s':>9} {'of it':>9}")  # fmt: skip
        stores = {"": small} | ({f", {stays} stays": filled} if stays else {})
        served = {label: Served(f"sqlite:///{path}") for label, path in stores.items()}
        feeds = {
            label: [messages(0, n, connections) for n in range(connections)] for label in stores
        }
        for label, one in served.items():
            _round(one, feeds[label], f"warm-up{label}", min(800, number))
        size = max(number // 5, 8) if number < 100_000 else 20_000
        rounds = [
            [_round(one, feeds[label], f"round {place}{label}", size)
             for label, one in served.items()]
            for place in range(1, number // size + 1)
        ]  # fmt: skip
        for one in served.values():
            one.close()
        if stays:
            _compare(
                *(
                    Round(*map(median, zip(*some, strict=True)))
                    for some in zip(*rounds, strict=True)
                )
            )
        print(f"{small.stat().st_size / 1e6:.0f} MB in the database")


def _compare(small: Round, filled: Round) -> None:
    """Print what a message costs in the filled store, as a multiple of what it costs in the other.

    Of the medians of their rounds.
    """
    print(f"with the stays: {filled.rate / small.rate:.2f} of the rate, "
          f"{filled.used / small.used:.2f} of the processor time, "
          f"{filled.p99 / small.p99:.2f} of the p99")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        server(sys.argv[2])
    else:
        options = argparse.ArgumentParser()
        options.add_argument("--messages", type=int, default=8_000)
        options.add_argument("--connections", type=int, default=8)
        options.add_argument("--stays", type=int, default=0)
        given = options.parse_args()
        main(given.messages, given.connections, given.stays)
