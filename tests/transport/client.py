"""A sender for tests: MLLP over a socket, one message at a time or several ahead."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from adapter.feeds.answers import take
from adapter.pipeline import Pipeline
from adapter.transport.framing import Deframer, frame
from adapter.transport.mllp import Address, Limits, Server, Tls, serve

LOOPBACK = "127.0.0.1"


class Sender:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._deframer = Deframer(1 << 20)
        self._waiting: list[bytes] = []

    async def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, patience: float = 10.0) -> bytes | None:
        """The next answer; None when the other side has closed."""
        while not self._waiting:
            async with asyncio.timeout(patience):
                data = await self.reader.read(65536)
            if not data:
                return None
            self._waiting += [one for one in self._deframer.feed(data) if isinstance(one, bytes)]
        return self._waiting.pop(0)

    async def send(self, message: bytes) -> list[str]:
        """Send a message; code and control id of its answer."""
        await self.raw(frame(message))
        found = await self.answer()
        return msa(found) if found is not None else []

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            return


def msa(answer: bytes) -> list[str]:
    """MSA-1 and MSA-2."""
    row = next(row for row in answer.decode("latin-1").split("\r") if row.startswith("MSA"))
    return [*row.split("|"), "", ""][1:3]


_OPEN: list[Sender] = []


async def connect(port: int, context: ssl.SSLContext | None = None) -> Sender:
    """A connection to a port of this machine; `tell` closes it at the end."""
    name = "localhost" if context else None
    found = await asyncio.open_connection(LOOPBACK, port, ssl=context, server_hostname=name)
    _OPEN.append(Sender(*found))
    return _OPEN[-1]


def tell(story: Coroutine[Any, Any, None]) -> None:
    """Run a story, and close what it left open."""

    async def whole() -> None:
        try:
            await story
        finally:
            while _OPEN:
                await _OPEN.pop().close()

    asyncio.run(whole())


@asynccontextmanager
async def running(
    take_: Callable[[Sequence[Any]], Any], limits: Limits | None = None, tls: Tls | None = None
) -> AsyncIterator[Server]:
    """A server on a port of this machine, stopped at the end."""
    server = await serve(take_, [Address(LOOPBACK, 0)], tls, limits)
    try:
        yield server
    finally:
        await server.stop()


def run(
    house: Pipeline,
    story: Callable[[int], Awaitable[None]],
    limits: Limits | None = None,
) -> None:
    """Run a story against a server over a pipeline; it is given the port."""

    async def whole() -> None:
        async with running(partial(take, house), limits) as server:
            await story(server.ports[0])

    tell(whole())
