"""Group commit: what waits on all connections is stored in one durable batch, then answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from adapter.feeds.answers import Frame

log = logging.getLogger("adapter.transport")

_GATHER = 0.003  # seconds to wait for as many frames as the last batch had

# Stores frames in one batch and gives the answers of each; called in a thread of its own.
Take = Callable[[Sequence[Frame]], Sequence[Sequence[bytes]]]
Answers = asyncio.Future[Sequence[bytes]]
Waiting = tuple[Frame, Answers]


class Group:
    """One writer for every connection: while it stores a batch, the next one gathers.

    `most`   frames in one batch
    `limit`  bytes that may wait in all; who brings more is kept waiting (one frame always fits)
    """

    def __init__(self, take: Take, most: int, limit: int) -> None:
        self._take, self._most, self._limit = take, most, limit
        self._waiting: deque[Waiting] = deque()
        self._size = 0
        self._last = 1
        self._changed = asyncio.Condition()
        self._writer = ThreadPoolExecutor(1, "mllp-writer")

    async def put(self, frame: Frame) -> Answers:
        """Queue a frame; its answers come when it is durable. Waits while too much waits."""
        answers: Answers = asyncio.get_running_loop().create_future()
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < self._limit)
            self._waiting.append((frame, answers))
            self._size += len(frame.raw)
            self._changed.notify_all()
        return answers

    async def run(self) -> None:
        """Store batch after batch, in order of arrival, until cancelled."""
        try:
            while True:
                some = await self._gathered()
                await self._store(some)
                async with self._changed:
                    self._size -= sum(len(frame.raw) for frame, _ in some)
                    self._changed.notify_all()
        finally:
            self._writer.shutdown(wait=False)

    async def _gathered(self) -> list[Waiting]:
        """The next batch: senders that wait for each answer send the next message all at once."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GATHER):
                    await self._changed.wait_for(lambda: len(self._waiting) >= self._last)
            self._last = min(len(self._waiting), self._most)
            return [self._waiting.popleft() for _ in range(self._last)]

    async def _store(self, some: list[Waiting]) -> None:
        frames = [frame for frame, _ in some]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._writer, self._take, frames)
        except Exception as error:  # the boundary: without an answer the senders send again
            log.error("MLLP: a batch was not answered: %s", type(error).__name__)
            for _, answers in some:
                answers.cancel()
            return
        for (_, answers), messages in zip(some, found, strict=True):
            if not answers.done():  # its connection may be gone
                answers.set_result(messages)
