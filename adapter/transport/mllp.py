"""The MLLP server: connections in, frames to the group, acknowledgements back in order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter.errors import SettingError
from adapter.feeds.answers import Frame
from adapter.transport import collector
from adapter.transport.framing import Deframer, Fault, frame
from adapter.transport.group import Answers, Group, Take

log = logging.getLogger("adapter.transport")

_CHUNK = 65536

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sender may ask of the server.

    `frame`        bytes of a message; more is answered AR and thrown away
    `connections`  at once; one more is closed
    `ahead`        messages of one connection that may wait for their answer
    `batch`        messages in one durable batch
    `waiting`      bytes that may wait in all
    `stall`, `idle`  seconds of silence inside and between frames; then the connection is closed
    `grace`        seconds to wait for the last CR of a frame
    `handshake`    seconds for the TLS handshake
    `stop`         seconds to store and answer what is there when the server is stopped
    """

    frame: int = 8 * 1024 * 1024
    connections: int = 100
    ahead: int = 32
    batch: int = 100
    waiting: int = 64 * 1024 * 1024
    stall: float = 30.0
    idle: float = 3600.0
    grace: float = 0.5
    handshake: float = 15.0
    stop: float = 20.0


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate chain and key of the server in PEM; senders need one of `clients` if given."""

    certificate: Path
    key: Path
    clients: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises SettingError when a file cannot be used."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        with _usable("ECM_MLLP_CERT, ECM_MLLP_KEY"):
            made.load_cert_chain(self.certificate, self.key, str)  # no phrase: never ask for one
        if self.clients is not None:
            with _usable("ECM_MLLP_CLIENTS"):
                made.load_verify_locations(self.clients)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@contextlib.contextmanager
def _usable(names: str) -> Iterator[None]:
    """Name the setting whose file is wrong, and why, so far as the library says."""
    try:
        yield
    except ssl.SSLError as error:
        reason = str(error.reason or "").replace("_", " ").lower()
        raise SettingError(f"MLLP: {names}: {reason or 'no PEM, or with a pass phrase'}") from None
    except OSError as error:
        raise SettingError(f"MLLP: {names}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and which networks may connect (none: any)."""

    host: str
    port: int
    allow: tuple[Network, ...] = ()

    def admits(self, peer: str) -> bool:
        """Whether an address may connect."""
        if not self.allow:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.allow)


class Server:
    """A running MLLP server: made by `serve`, ended by `stop`; `ports` are where it listens."""

    def __init__(self, take: Take, limits: Limits) -> None:
        self.limits, self.ports = limits, list[int]()
        self._group = Group(take, limits.batch, limits.waiting)
        self._running = asyncio.create_task(self._group.run())
        self._listening: list[asyncio.Server] = []
        self._open: dict[asyncio.Task[None], asyncio.Event] = {}

    async def listen(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Listen on one more address. Raises SettingError when it is taken."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connected(address, reader, writer)

        try:
            made = await asyncio.start_server(
                connected,
                address.host,
                address.port,
                ssl=context,
                ssl_handshake_timeout=self.limits.handshake if context else None,
                limit=_CHUNK,
            )
        except OSError as error:
            text = f"MLLP: cannot listen on {address.host}:{address.port}: {error.strerror}"
            raise SettingError(text) from None
        self._listening.append(made)
        self.ports.append(int(made.sockets[0].getsockname()[1]))

    async def stop(self) -> None:
        """No new frames; what came in whole is stored and answered, then connections close."""
        for one in self._listening:
            one.close()
        for stopped in self._open.values():
            stopped.set()
        if self._open:
            await asyncio.wait(self._open, timeout=self.limits.stop)
        for task in self._open:
            task.cancel()
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def _connected(
        self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = str((writer.get_extra_info("peername") or [""])[0])
        task, stopped = asyncio.current_task(), asyncio.Event()
        full = len(self._open) >= self.limits.connections
        if task is None or full or not address.admits(peer):
            why = f"{len(self._open)} are open" if full else "its network is not allowed"
            log.warning("MLLP: a connection of %s was not admitted: %s", peer, why)
            writer.close()
            return
        self._open[task] = stopped
        port = int(writer.get_extra_info("sockname")[1])
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            await Connection(self._group, self.limits, port, writer).serve(reader, stopped)
        except OSError as error:  # TimeoutError and ssl.SSLError are of them
            log.warning("MLLP: a connection of %s broke: %s", peer, type(error).__name__)
        finally:
            del self._open[task]
            writer.close()
            if writer.transport.get_write_buffer_size():  # of one who never reads what is left
                task.get_loop().call_later(self.limits.stall, writer.transport.abort)


class Connection:
    """One sender: its frames go to the group in order, its answers come back in order."""

    def __init__(
        self, group: Group, limits: Limits, port: int, writer: asyncio.StreamWriter
    ) -> None:
        self._group, self._limits, self._port, self._writer = group, limits, port, writer
        self._deframer = Deframer(limits.frame)
        self._answers: asyncio.Queue[Answers | None] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(limits.ahead)

    async def serve(self, reader: asyncio.StreamReader, stopped: asyncio.Event) -> None:
        """Until the sender is done, silent for too long, or the server is stopped."""
        answering = asyncio.create_task(self._answer())
        reading = asyncio.create_task(self._read(reader))
        stopping = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait({reading, answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            await asyncio.wait({reading})
            self._answers.put_nowait(None)
            await answering
            if not reading.cancelled():
                reading.result()
        finally:
            tasks = (answering, reading, stopping)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    data = await reader.read(_CHUNK)
            except TimeoutError:
                if not self._deframer.pending:
                    log.warning("MLLP: a silent connection was closed")
                    return
                data = b"\r"  # the sender leaves it out
            found = self._deframer.feed(data) if data else self._deframer.end()
            for wrong in {one.wrong: 1 for one in found if isinstance(one, Fault)}:
                log.warning("MLLP: %s in the stream of a sender", wrong)  # once, however often
                await asyncio.sleep(0)  # others come first
            for one in found:
                await self._took(one)
            if not data:
                return

    def _patience(self) -> float:
        if self._deframer.pending:
            return self._limits.grace
        return self._limits.stall if self._deframer.inside else self._limits.idle

    async def _took(self, one: bytes | Fault) -> None:
        """A whole frame goes on; one over the limit is answered; the rest is left out."""
        head = one.head if isinstance(one, Fault) else one
        if head or not isinstance(one, Fault):
            await self._ahead.acquire()
            frame_ = Frame(head, self._port, cut=isinstance(one, Fault))
            self._answers.put_nowait(await self._group.put(frame_))

    async def _answer(self) -> None:
        """Write the answers; a batch that could not even be answered ends the connection."""
        while (waiting := await self._answers.get()) is not None:
            await asyncio.wait({waiting})
            if waiting.cancelled():
                raise ConnectionAbortedError
            for message in waiting.result():
                self._writer.write(frame(message))
            async with asyncio.timeout(self._limits.stall):
                await self._writer.drain()
            self._ahead.release()


async def serve(
    take: Take,
    addresses: Sequence[Address],
    tls: Tls | None = None,
    limits: Limits | None = None,
) -> Server:
    """Listen on the addresses. Raises SettingError when that cannot be done."""
    context = tls.context() if tls else None
    server = Server(take, limits or Limits())
    try:
        for address in addresses:
            await server.listen(address, context)
    except SettingError:
        await server.stop()
        raise
    collector.seldom()
    return server
