"""The MLLP server on loopback: framing errors, order, limits, TLS, a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adapter.errors import SettingError
from adapter.feeds.answers import Frame, take
from adapter.pipeline import Pipeline
from adapter.transport.background import Background
from adapter.transport.framing import frame
from adapter.transport.mllp import Address, Limits, Tls, serve
from tests.transport.certificates import HOUR, Authority
from tests.transport.client import LOOPBACK, Sender, connect, msa, run, running, tell
from tests.transport.conftest import message


def echo(frames: Sequence[Frame]) -> list[list[bytes]]:
    """A store that takes everything at once."""
    return [[b"MSH|\rMSA|AA|" + one.raw + b"\r"] for one in frames]


def slow(frames: Sequence[Frame]) -> list[list[bytes]]:
    time.sleep(0.2)
    return echo(frames)


def test_messages_are_stored_and_answered(house: Pipeline) -> None:
    async def story(port: int) -> None:
        one, two = await connect(port), await connect(port)
        assert await one.send(message(1)) == ["AA", "M000001"]
        assert await two.send(message(2)) == ["AA", "M000002"]
        assert await two.send(message(3, "A77")) == ["AR", "M000003"]
        await one.close()
        await two.close()

    run(house, story)
    assert [line.status for line in house.store.ledger()] == ["stored", "stored", "refused"]


def test_answers_come_in_order_and_match(house: Pipeline) -> None:
    async def story(port: int) -> None:
        senders = [await connect(port) for _ in range(4)]
        for n, sender in enumerate(senders):
            numbers = range(100 * n, 100 * n + 25)
            await sender.raw(b"".join(frame(message(number, person=n)) for number in numbers))
        for n, sender in enumerate(senders):
            got = [msa(await sender.answer() or b"") for _ in range(25)]
            assert got == [["AA", f"M{100 * n + k:06d}"] for k in range(25)]
            await sender.close()

    run(house, story)
    lines = [line.status for line in house.store.ledger()]
    assert lines == ["stored"] * 100


@pytest.mark.parametrize(
    ("stream", "answers"),
    [
        ([frame(b"1")[:2], frame(b"1")[2:]], ["1"]),
        ([bytes([byte]) for byte in frame(b"1")], ["1"]),
        ([frame(b"1") + frame(b"2")], ["1", "2"]),
        ([b"GET / HTTP/1.1\r\n\r\n" + frame(b"1")], ["1"]),
        ([b"\x0b1" + frame(b"2")], ["2"]),
        ([b"\x0b1\x1c"], ["1"]),
        ([b"\x0b1\x1c\n" + frame(b"2")], ["1", "2"]),
        ([frame(b"x" * 5000) + frame(b"2")], ["x" * 4096, "2"]),
    ],
)
def test_framing_errors_are_survived(stream: list[bytes], answers: list[str]) -> None:
    async def story() -> None:
        async with running(echo, Limits(frame=4500, grace=0.05)) as server:
            sender = await connect(server.ports[0])
            for data in stream:
                await sender.raw(data)
                await asyncio.sleep(0.002)
            for wanted in answers:
                assert msa(await sender.answer() or b"") == ["AA", wanted]
            assert await sender.send(b"after") == ["AA", "after"]
            await sender.close()

    tell(story())


def test_a_stream_of_nothing_but_beginnings_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each would hold up every other sender, for minutes at a few megabytes."""

    async def story() -> None:
        async with running(echo) as server:
            sender = await connect(server.ports[0])
            await sender.raw(b"\x0b" * 200_000 + frame(b"1"))
            assert msa(await sender.answer() or b"") == ["AA", "1"]
            await sender.close()

    tell(story())
    told = {row.getMessage() for row in caplog.records}
    assert told == {"MLLP: no-end in the stream of a sender"}
    assert len(caplog.records) < 100


@pytest.mark.parametrize(
    ("data", "limits", "seconds"),
    [
        (b"", Limits(idle=0.1), 2.0),
        (b"\x0bMSH|half", Limits(stall=0.1), 2.0),
    ],
)
def test_a_silent_connection_is_closed(data: bytes, limits: Limits, seconds: float) -> None:
    async def story() -> None:
        async with running(echo, limits) as server:
            sender = await connect(server.ports[0])
            await sender.raw(data)
            assert await sender.answer(seconds) is None
            assert await (await connect(server.ports[0])).send(b"1") == ["AA", "1"]

    tell(story())


def held() -> int:
    """How many files and sockets this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_who_never_reads_his_answers_is_let_go() -> None:
    """Also when too little waits for him to be noticed before he falls silent."""

    async def story() -> None:
        async with running(echo, Limits(stall=0.2, idle=0.3)) as server:
            loop, before = asyncio.get_running_loop(), held()
            deaf = [socket.socket() for _ in range(2)]
            for one, times in zip(deaf, (100, 15), strict=True):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                one.connect((LOOPBACK, server.ports[0]))
                one.setblocking(False)
                with contextlib.suppress(OSError):
                    async with asyncio.timeout(0.5):
                        await loop.sock_sendall(one, frame(b"x" * 200_000) * times)
            await asyncio.sleep(1.5)
            assert held() == before + len(deaf)
            for one in deaf:
                one.close()

    tell(story())


@pytest.mark.parametrize("end", [b"", b"\x0bMSH|broken", b"\x0bMSH|cut\x1c"])
def test_a_sender_that_breaks_off_disturbs_nobody(end: bytes) -> None:
    seen: list[bytes] = []

    def noting(frames: Sequence[Frame]) -> list[list[bytes]]:
        seen.extend(one.raw for one in frames)
        return echo(frames)

    async def story() -> None:
        async with running(noting) as server:
            other = await connect(server.ports[0])
            sender = await connect(server.ports[0])
            await sender.raw(frame(b"1") + end)
            sender.writer.transport.abort()
            assert await other.send(b"2") == ["AA", "2"]
            await other.close()

    tell(story())
    assert b"2" in seen
    assert set(seen) <= {b"1", b"2", b"MSH|cut"}  # never the half of a message


def test_one_too_many_is_closed() -> None:
    async def story() -> None:
        async with running(echo, Limits(connections=2)) as server:
            port = server.ports[0]
            senders = [await connect(port) for _ in range(2)]
            assert [await one.send(b"1") for one in senders] == [["AA", "1"]] * 2
            third = await connect(port)
            assert await third.answer(2.0) is None
            await senders[0].close()
            await asyncio.sleep(0.05)
            assert await (await connect(port)).send(b"1") == ["AA", "1"]

    tell(story())


def test_batches_gather_what_waits() -> None:
    sizes: list[int] = []

    def counting(frames: Sequence[Frame]) -> list[list[bytes]]:
        sizes.append(len(frames))
        time.sleep(0.02)
        return echo(frames)

    async def talk(sender: Sender) -> None:
        for number in range(10):
            assert await sender.send(str(number).encode()) == ["AA", str(number)]

    async def story() -> None:
        async with running(counting, Limits(batch=5)) as server:
            senders = [await connect(server.ports[0]) for _ in range(8)]
            await asyncio.gather(*map(talk, senders))
            for sender in senders:
                await sender.close()

    tell(story())
    assert sum(sizes) == 80
    assert max(sizes) == 5
    assert len(sizes) <= 30


def test_who_is_ahead_is_kept_waiting() -> None:
    most: list[int] = []

    async def story() -> None:
        held = threading.Event()

        def holding(frames: Sequence[Frame]) -> list[list[bytes]]:
            held.wait(5)
            return echo(frames)

        async with running(holding, Limits(ahead=4, waiting=50)) as server:
            group = server._group
            senders = [await connect(server.ports[0]) for _ in range(3)]
            for sender in senders:
                await sender.raw(b"".join(frame(b"x" * 10) for _ in range(50)))
            await asyncio.sleep(0.1)
            most.append(group._size)
            held.set()
            for sender in senders:
                for _ in range(50):
                    assert msa(await sender.answer() or b"")[0] == "AA"
                await sender.close()

    tell(story())
    assert most[0] <= 50 + 10  # of 1,500 bytes sent


def test_a_batch_that_cannot_be_answered_ends_the_connection() -> None:
    def broken(frames: Sequence[Frame]) -> list[list[bytes]]:
        if frames[0].raw == b"1":
            raise ZeroDivisionError
        return echo(frames)

    async def story() -> None:
        async with running(broken) as server:
            sender = await connect(server.ports[0])
            assert await sender.send(b"1") == []
            assert await (await connect(server.ports[0])).send(b"2") == ["AA", "2"]

    tell(story())


def test_a_stop_answers_what_is_there() -> None:
    async def story() -> None:
        server = await serve(slow, [Address(LOOPBACK, 0)])
        sender = await connect(server.ports[0])
        await sender.raw(frame(b"1") + frame(b"2") + b"\x0bhalf")
        await asyncio.sleep(0.05)
        await server.stop()
        assert [msa(await sender.answer() or b"") for _ in "12"] == [["AA", "1"], ["AA", "2"]]
        assert await sender.answer() is None
        with pytest.raises(OSError):
            await connect(server.ports[0])

    tell(story())


def test_beside_the_rest_of_the_process(house: Pipeline) -> None:
    server = Background(lambda: serve(partial(take, house), [Address(LOOPBACK, 0)]))
    (port,) = server.ports

    async def story() -> None:
        sender = await connect(port)
        assert await sender.send(message(1)) == ["AA", "M000001"]
        await sender.close()

    tell(story())
    with pytest.raises(SettingError, match="cannot listen"):
        Background(lambda: serve(echo, [Address(LOOPBACK, port)]))
    server.stop()
    assert not server._thread.is_alive()


@pytest.mark.parametrize(
    ("allow", "peer", "admitted"),
    [
        ((), "203.0.113.7", True),
        (("127.0.0.0/8",), "127.0.0.1", True),
        (("10.1.0.0/16", "10.2.0.0/16"), "10.2.3.4", True),
        (("10.1.0.0/16",), "10.2.3.4", False),
        (("10.1.0.0/16",), "::ffff:10.1.3.4", True),
        (("10.1.0.0/16",), "::1", False),
        (("10.1.0.0/16",), "", False),
    ],
)
def test_networks_that_may_connect(allow: tuple[str, ...], peer: str, admitted: bool) -> None:
    import ipaddress

    networks = tuple(map(ipaddress.ip_network, allow))
    assert Address(LOOPBACK, 0, networks).admits(peer) == admitted


def test_a_foreign_network_is_not_answered(tmp_path: Path) -> None:
    import ipaddress

    ours = Authority(tmp_path / "ours")

    async def story(tls: Tls | None) -> None:
        networks = (ipaddress.ip_network("203.0.113.0/24"),)
        server = await serve(echo, [Address(LOOPBACK, 0, networks)], tls)
        sender = await connect(server.ports[0])
        assert await sender.answer(2.0) is None
        await server.stop()

    for tls in (None, Tls(*ours.issue("localhost"))):  # no handshake either
        tell(story(tls))


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    ours, strangers = Authority(tmp_path / "ours"), Authority(tmp_path / "strangers")
    tls = Tls(*ours.issue("localhost"), ours.certificate)

    def context(who: Authority | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=ours.certificate)
        if who is not None:
            made.load_cert_chain(*who.issue("hospital"))
        return made

    async def talks(who: Authority | None) -> bool:
        try:
            sender = await connect(server.ports[0], context(who))
            answer = await sender.send(b"1")
            await sender.close()
        except (OSError, ssl.SSLError):
            return False
        return answer == ["AA", "1"]

    async def story() -> None:
        nonlocal server
        server = await serve(echo, [Address(LOOPBACK, 0)], tls)
        assert [await talks(ours), await talks(strangers), await talks(None)] == [
            True, False, False,
        ]  # fmt: skip
        plain = await connect(server.ports[0])
        await plain.raw(frame(message(1)))
        assert await plain.answer(5.0) is None
        assert await talks(ours)
        await server.stop()

    server = None
    tell(story())


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("stranger", "unable to get local issuer certificate"),
        ("late", "certificate has expired"),
        ("nobody", "peer did not return a certificate"),
        ("plain", "wrong version number"),
        ("silent", "ConnectionAbortedError"),
        ("gone", ""),
    ],
)
def test_why_a_handshake_failed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, who: str, told: str
) -> None:
    ours, strangers = Authority(tmp_path / "ours"), Authority(tmp_path / "strangers")
    context = ssl.create_default_context(cafile=ours.certificate)
    if who in ("stranger", "late"):
        issued = strangers.issue("h") if who == "stranger" else ours.issue("h", 3 * HOUR)
        context.load_cert_chain(*issued)

    async def story() -> None:
        limits = Limits(handshake=0.3)
        async with running(echo, limits, Tls(*ours.issue("localhost"), ours.certificate)) as server:
            with contextlib.suppress(OSError):
                tls = None if who in ("plain", "silent", "gone") else context
                sender = await connect(server.ports[0], tls)
                if who == "gone":
                    await sender.close()
                elif who != "silent":
                    await sender.raw(frame(message(1)))
                assert await sender.answer(2.0) is None
            await asyncio.sleep(0.05)
            assert not server._open

    tell(story())
    found = [row.getMessage() for row in caplog.records]
    assert found == ([f"MLLP: a connection of {LOOPBACK} broke: {told}"] if told else [])


def test_handshakes_under_way_are_counted_and_end_with_the_server(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")
    limits = Limits(connections=2)

    async def story() -> None:
        server = await serve(echo, [Address(LOOPBACK, 0)], Tls(*ours.issue("localhost")), limits)
        waiting = [await connect(server.ports[0]) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert await (await connect(server.ports[0])).answer(2.0) is None
        async with asyncio.timeout(5.0):
            await server.stop()
        assert [await one.answer(2.0) for one in waiting] == [None, None]

    tell(story())


def test_no_more_files_may_be_open_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that cannot be taken at once is taken when there is room again."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        accept, tries = loop.sock_accept, []

        async def full(listening):
            tries.append(listening)
            if len(tries) == 1:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return await accept(listening)

        monkeypatch.setattr(loop, "sock_accept", full)
        async with running(echo) as server:
            sender = await connect(server.ports[0])
            assert await sender.send(b"1") == ["AA", "1"]

    tell(story())
    assert [row.getMessage() for row in caplog.records] == [
        "MLLP: a connection cannot be taken: Too many open files"
    ]


def test_one_address_does_not_hold_every_connection() -> None:
    async def story() -> None:
        async with running(echo, Limits(connections=3, peer=2)) as server:
            port = server.ports[0]
            own = [await connect(port) for _ in range(2)]
            assert [await one.send(b"1") for one in own] == [["AA", "1"]] * 2
            assert await (await connect(port)).answer(2.0) is None
            other = await asyncio.open_connection(LOOPBACK, port, local_addr=("127.0.0.2", 0))
            sender = Sender(*other)
            assert await sender.send(b"2") == ["AA", "2"]
            await sender.close()
            await own[0].close()
            await asyncio.sleep(0.05)
            assert await (await connect(port)).send(b"3") == ["AA", "3"]

    tell(story())


@pytest.mark.parametrize(
    ("certificate", "key", "clients", "told"),
    [
        ("no.pem", "no.pem", None, "CERT.*KEY.*no PEM"),
        ("absent", "absent", None, "CERT.*KEY.*No such file"),
        ("hub.pem", "other.key", None, "CERT.*KEY.*mismatch"),
        ("hub.pem", "locked.key", None, "CERT.*KEY.*pass phrase"),
        ("hub.pem", "hub.key", "no.pem", "CLIENTS.*no certificate"),
        ("hub.pem", "hub.key", "absent", "CLIENTS.*No such file"),
    ],
)
def test_certificates_that_cannot_be_used(
    tmp_path: Path, certificate: str, key: str, clients: str | None, told: str
) -> None:
    """Which of them and why; nobody is asked for a pass phrase."""
    room = tmp_path / "room"
    made = Authority(room)
    made.issue("other")
    plain = serialization.load_pem_private_key(made.issue("hub")[1].read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = plain.private_bytes(*form, serialization.BestAvailableEncryption(b"phrase"))
    (room / "locked.key").write_bytes(locked)
    (room / "no.pem").write_text("nothing")
    with pytest.raises(SettingError, match=told):
        Tls(room / certificate, room / key, room / clients if clients else None).context()
