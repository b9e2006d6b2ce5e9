"""The MLLP server: connections in, frames to the group, acknowledgements back in order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    `peer`         of them of one address, so that nobody holds them all
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
    peer: int = 50
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


@dataclass(slots=True)
class Open:
    """A connection that was admitted: whose it is, and how it learns that it is to end."""

    peer: str
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    secured: bool = False


class Server:
    """A running MLLP server: made by `serve`, ended by `stop`; `ports` are where it listens."""

    def __init__(self, take: Take, limits: Limits) -> None:
        self.limits, self.ports = limits, list[int]()
        self._group = Group(take, limits.batch, limits.waiting)
        self._running = [asyncio.create_task(self._group.run())]
        self._open: dict[asyncio.Task[None], Open] = {}

    async def listen(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Listen on one more address. Raises SettingError when it is taken."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            with contextlib.ExitStack() as made:
                sockets = [
                    made.enter_context(socket.create_server(place, family=family, backlog=100))
                    for family, place in dict.fromkeys((one[0], one[4]) for one in found)
                ]
                made.pop_all()
        except OSError as error:
            text = f"MLLP: cannot listen on {address.host}:{address.port}: {error.strerror}"
            raise SettingError(text) from None
        self.ports.append(int(sockets[0].getsockname()[1]))
        for one in sockets:
            one.setblocking(False)
            self._running.append(asyncio.create_task(self._accept(one, address, context)))

    async def stop(self) -> None:
        """No new frames; what came in whole is stored and answered, then connections close."""
        group, *accepting = self._running
        await _ended(*accepting)
        for task, one in self._open.items():
            if one.secured:
                one.stopped.set()
            else:
                task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=self.limits.stop)
        await _ended(*self._open, group)

    async def _accept(
        self, listening: socket.socket, address: Address, context: ssl.SSLContext | None
    ) -> None:
        """Admit connections before they say anything, so before the TLS handshake."""
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    made, place = await loop.sock_accept(listening)
                except OSError as error:  # it is gone again, or no more files may be open
                    log.warning("MLLP: a connection cannot be taken: %s", error.strerror)
                    await asyncio.sleep(1.0)
                    continue
                peer = str(place[0]) if place else ""
                if why := self._against(address, peer):
                    log.warning("MLLP: a connection of %s was not admitted: %s", peer, why)
                    made.close()
                    continue
                one = Open(peer)
                task = asyncio.create_task(self._connected(made, context, one))
                self._open[task] = one
                task.add_done_callback(self._open.pop)

    def _against(self, address: Address, peer: str) -> str:
        """Why a connection is not admitted, `""` if it is."""
        if not address.admits(peer):
            return "its network is not allowed"
        if len(self._open) >= self.limits.connections:
            return f"{len(self._open)} are open"
        own = sum(one.peer == peer for one in self._open.values())
        return f"{own} of its own are open" if own >= self.limits.peer else ""

    async def _connected(
        self, made: socket.socket, context: ssl.SSLContext | None, one: Open
    ) -> None:
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            reader, writer = await self._streams(made, context)
            one.secured = True
            try:
                await Connection(self._group, self.limits, writer).serve(reader, one.stopped)
            finally:
                if writer.transport.get_write_buffer_size():  # of one who never reads what is left
                    loop = asyncio.get_running_loop()
                    loop.call_later(self.limits.stall, writer.transport.abort)
                writer.close()
        except OSError as error:  # TimeoutError and ssl.SSLError are of them
            if one.secured or not isinstance(error, ConnectionResetError):  # a probe says no word
                log.warning("MLLP: a connection of %s broke: %s", one.peer, _reason(error))

    async def _streams(
        self, made: socket.socket, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """After the TLS handshake, if there is one."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_CHUNK)
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            made,
            ssl=context,
            ssl_handshake_timeout=self.limits.handshake if context else None,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _reason(error: OSError) -> str:
    """Why a connection broke: as the TLS library says it, or the kind of error."""
    told = getattr(error, "verify_message", "") or getattr(error, "reason", "")
    return str(told).replace("_", " ").lower() or type(error).__name__


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Connection:
    """One sender: its frames go to the group in order, its answers come back in order."""

    def __init__(self, group: Group, limits: Limits, writer: asyncio.StreamWriter) -> None:
        self._group, self._limits, self._writer = group, limits, writer
        self._port = int(writer.get_extra_info("sockname")[1])
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
            await _ended(answering, reading, stopping)

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
