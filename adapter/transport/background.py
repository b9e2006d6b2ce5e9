"""An MLLP server beside the rest of the process: in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from adapter.transport.mllp import Server

log = logging.getLogger("adapter.transport")

Start = Callable[[], Awaitable[Server]]


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What went wrong outside of any connection, such as a TLS handshake: its kind, no more."""
    error = context.get("exception")
    log.warning("MLLP: %s", type(error).__name__ if error else "a fault without an exception")


class Background:
    """A server that runs until it is stopped; `ports` are those it listens on."""

    def __init__(self, start: Start) -> None:
        """Starts it. Raises what starting raises, e.g. SettingError for a port that is taken."""
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, list[int]]] = Future()
        self._thread = threading.Thread(target=self._run, args=(start,), name="mllp", daemon=True)
        self._thread.start()
        try:
            self._loop, self._asked, self.ports = self._ready.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Store and answer what came in whole, then end."""
        self._loop.call_soon_threadsafe(self._asked.set)
        self._thread.join()

    def _run(self, start: Start) -> None:
        asyncio.run(self._serve(start))

    async def _serve(self, start: Start) -> None:
        asked = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(_tell)
        try:
            server = await start()
        except BaseException as error:  # the boundary of the thread: told where it was started
            self._ready.set_exception(error)
            return
        self._ready.set_result((asyncio.get_running_loop(), asked, server.ports))
        await asked.wait()
        await server.stop()
