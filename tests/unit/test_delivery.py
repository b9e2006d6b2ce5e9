"""Delivery against a real SFTP server on the loopback, and to a folder: whole and once."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from adapter import cli
from adapter.errors import OutputError, SettingError
from adapter.transport import delivery
from adapter.transport.places import Broken, Folder, Refused, Seen, Server
from adapter.transport.receipts import Receipts

NOW = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
BODY = b"sequence|cin\n" * 40_000  # half a megabyte


def clock() -> datetime:
    return NOW


@dataclass
class Partner:
    """A server in a thread: its folder, its port, and how often it drops a connection."""

    root: Path
    known_hosts: Path
    key: Path
    port: int = 0
    drops: list[str] = field(default_factory=list)  # what is answered by hanging up, in order
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def url(self, path: str = "/inbox", user: str = "harbor") -> str:
        return f"sftp://{user}@127.0.0.1:{self.port}{path}"

    def place(self, path: str = "/inbox") -> Server:
        return delivery.place(self.url(path), self.known_hosts, self.key)


class Guard(asyncssh.SSHServer):
    """Only `harbor` may come in, by key."""

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True


class Files(asyncssh.SFTPServer):
    """Serves a folder, and hangs up when told to."""

    partner: Partner

    def __init__(self, channel) -> None:
        super().__init__(channel, chroot=str(self.partner.root).encode())
        self._channel = channel

    def _dropped(self, what: str) -> None:
        if self.partner.drops[:1] == [what]:
            self.partner.drops.pop(0)
            self._channel.get_connection().abort()
            raise ConnectionResetError

    def write(self, file, offset: int, content: bytes) -> int:
        self._dropped("write")
        return super().write(file, offset, content)

    def read(self, file, offset: int, size: int) -> bytes:
        self._dropped("read")
        return super().read(file, offset, size)

    def rename(self, old: bytes, new: bytes) -> None:
        self._dropped("before rename")
        super().rename(old, new)
        self._dropped("after rename")

    async def scandir(self, path: bytes):
        self._dropped("list")
        async for one in super().scandir(path):
            yield one


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for name in ("host", "other", "ours", "stranger"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        found[name] = folder / name
        key.write_private_key(str(found[name]))
        key.write_public_key(str(folder / f"{name}.pub"))
    return found


@pytest.fixture
def partner(tmp_path: Path, keys: dict[str, Path]) -> Iterator[Partner]:
    root = tmp_path / "server"
    for name in ("inbox", "outbox"):
        (root / name).mkdir(parents=True)
    made = Partner(root, tmp_path / "known_hosts", keys["ours"])
    with served(made, keys):
        trusted(made, keys["host"])
        yield made


def trusted(partner: Partner, host: Path) -> None:
    key = host.with_suffix(".pub").read_text(encoding="ascii")
    line = f"[127.0.0.1]:{partner.port} {key}"
    partner.known_hosts.write_text(line, encoding="ascii")


@contextmanager
def served(partner: Partner, keys: dict[str, Path]) -> Iterator[None]:
    ready = threading.Event()
    files = type("Served", (Files,), {"partner": partner})

    async def serve() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Guard,
            server_host_keys=[str(keys["host"])],
            authorized_client_keys=str(keys["ours"].with_suffix(".pub")),
            sftp_factory=files,
        )

    def run() -> None:
        asyncio.set_event_loop(partner.loop)
        server = partner.loop.run_until_complete(serve())
        partner.port = server.get_port()
        ready.set()
        partner.loop.run_forever()
        server.close()
        partner.loop.run_until_complete(server.wait_closed())
        partner.loop.run_until_complete(asyncio.sleep(0.05))  # sessions end

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        partner.loop.call_soon_threadsafe(partner.loop.stop)
        thread.join(10)
        partner.loop.close()


@dataclass
class Waits:
    """A clock that only counts."""

    slept: list[float] = field(default_factory=list)

    def patience(self, tries: int = 5) -> delivery.Patience:
        return delivery.Patience(tries=tries, settle=0, wait=self.slept.append)


@pytest.fixture
def log(tmp_path: Path) -> Receipts:
    return Receipts(tmp_path / "log" / "deliveries.ndjson", clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "HLCC_KHS_ECM_OUTREACH_P_20260203203005.txt"
    made.write_bytes(BODY)
    return made


def lines(tmp_path: Path) -> list[dict]:
    text = (tmp_path / "log" / "deliveries.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_arrives_whole_with_a_receipt(partner, log, file, tmp_path) -> None:
    (receipt,) = delivery.send([file], partner.place(), log, Waits().patience())
    assert (receipt.status, receipt.tries) == ("done", 1)
    assert [one.name for one in (partner.root / "inbox").iterdir()] == [file.name]
    assert (partner.root / "inbox" / file.name).read_bytes() == BODY
    (line,) = lines(tmp_path)
    assert line["at"] == NOW.isoformat() and line["size"] == len(BODY)
    assert line["place"] == partner.url() and line["digest"] == receipt.mark
    assert (tmp_path / "log" / "deliveries.ndjson").stat().st_mode & 0o777 == 0o600


def test_what_went_before_does_not_go_again(partner, file, tmp_path) -> None:
    path = tmp_path / "log" / "deliveries.ndjson"
    delivery.send([file], partner.place(), Receipts(path, clock), Waits().patience())
    (partner.root / "inbox" / file.name).unlink()  # the plan has taken it
    (again,) = delivery.send([file], partner.place(), Receipts(path, clock), Waits().patience())
    assert again.status == "already" and len(lines(tmp_path)) == 1
    assert list((partner.root / "inbox").iterdir()) == []


@pytest.mark.parametrize("drops", [["write"], ["write", "before rename"], ["after rename"]])
def test_a_broken_connection_is_tried_again(partner, log, file, drops: list[str]) -> None:
    partner.drops[:] = drops
    waits = Waits()
    (receipt,) = delivery.send([file], partner.place(), log, waits.patience())
    assert (receipt.status, receipt.tries) == ("done", len(drops) + 1)
    assert waits.slept == [1.0, 2.0][: len(drops)]
    assert [one.name for one in (partner.root / "inbox").iterdir()] == [file.name]
    assert (partner.root / "inbox" / file.name).read_bytes() == BODY


def test_after_the_last_try_it_fails_and_the_next_file_goes(partner, log, file, tmp_path) -> None:
    partner.drops[:] = ["write"] * 3
    other = tmp_path / "other.txt"
    other.write_bytes(b"short")
    waits = Waits()
    first, second = delivery.send([file, other], partner.place(), log, waits.patience(3))
    assert (first.status, second.status) == ("failed", "done")
    assert waits.slept == [1.0, 2.0]
    assert "Error" in first.why or "Lost" in first.why
    assert [line["status"] for line in lines(tmp_path)] == ["failed", "done"]


def test_another_host_key_is_refused_and_nothing_is_said(partner, keys, log, file) -> None:
    trusted(partner, keys["other"])
    waits = Waits()
    (receipt,) = delivery.send([file], partner.place(), log, waits.patience())
    assert (receipt.status, receipt.why) == ("failed", "HostKeyNotVerifiable")
    assert waits.slept == []  # trying again would not mend it
    assert list((partner.root / "inbox").iterdir()) == []


def test_an_unknown_host_is_refused(partner, log, file) -> None:
    partner.known_hosts.write_text("", encoding="ascii")
    (receipt,) = delivery.send([file], partner.place(), log, Waits().patience())
    assert receipt.why == "HostKeyNotVerifiable"


def test_a_key_that_the_server_does_not_know(partner, keys, log, file) -> None:
    place = delivery.place(partner.url(), partner.known_hosts, keys["stranger"])
    (receipt,) = delivery.send([file], place, log, Waits().patience())
    assert (receipt.status, receipt.why) == ("failed", "PermissionDenied")


def test_never_over_another_file(partner, log, file) -> None:
    theirs = partner.root / "inbox" / file.name
    theirs.write_bytes(b"something else")
    (receipt,) = delivery.send([file], partner.place(), log, Waits().patience())
    assert (receipt.status, receipt.why) == ("failed", "another file of this name is there")
    assert theirs.read_bytes() == b"something else"


def test_a_folder_that_is_not_there(partner, log, file) -> None:
    waits = Waits()
    (receipt,) = delivery.send([file], partner.place("/nowhere"), log, waits.patience())
    assert receipt.status == "failed" and waits.slept == []


@pytest.mark.parametrize("kind", ["server", "folder"])
def test_what_is_new_is_fetched_once(partner, log, tmp_path, kind: str) -> None:
    place = partner.place("/outbox") if kind == "server" else Folder(partner.root / "outbox")
    (partner.root / "outbox" / "MIF_20260201.csv").write_bytes(BODY)
    (partner.root / "outbox" / ".hidden").write_bytes(b"no")
    (partner.root / "outbox" / "sub").mkdir()
    into = tmp_path / "in"
    (receipt,) = delivery.collect(place, into, log, Waits().patience())
    assert (receipt.status, receipt.file) == ("done", "MIF_20260201.csv")
    assert (into / "MIF_20260201.csv").read_bytes() == BODY
    assert delivery.collect(place, into, log, Waits().patience()) == []
    assert (partner.root / "outbox" / "MIF_20260201.csv").exists()  # it is the partner's


def test_a_file_sent_again_under_its_name_comes_beside_the_first(partner, log, tmp_path) -> None:
    theirs = partner.root / "outbox" / "MIF.csv"
    theirs.write_bytes(b"one")
    into, place = tmp_path / "in", partner.place("/outbox")
    delivery.collect(place, into, log, Waits().patience())
    theirs.write_bytes(b"three")
    delivery.collect(place, into, log, Waits().patience())
    assert sorted((f.name, f.read_bytes()) for f in into.iterdir()) == [
        ("MIF.csv", b"one"),
        ("MIF.csv.1", b"three"),
    ]


@pytest.mark.parametrize("drops", [["list"], ["read"]])
def test_fetching_is_tried_again_too(partner, log, tmp_path, drops: list[str]) -> None:
    (partner.root / "outbox" / "MIF.csv").write_bytes(BODY)
    partner.drops[:] = drops
    waits = Waits()
    (receipt,) = delivery.collect(partner.place("/outbox"), tmp_path / "in", log, waits.patience())
    assert receipt.status == "done" and waits.slept[-1] in (0, 1.0)
    assert (tmp_path / "in" / "MIF.csv").read_bytes() == BODY


def test_a_name_that_is_not_utf_8_keeps_no_other_file(partner, log, tmp_path) -> None:
    for name in (b"liste_ao\xfbt.csv", b"MIF.csv"):
        (partner.root / "outbox" / os.fsdecode(name)).write_bytes(BODY)
    (receipt,) = delivery.collect(
        partner.place("/outbox"), tmp_path / "in", log, Waits().patience()
    )
    assert (receipt.file, receipt.status) == ("MIF.csv", "done")


class Growing(Folder):
    """A folder in which a file grows between two looks."""

    def seen(self) -> dict[str, Seen]:
        found = super().seen()
        with (self._path / "MIF.csv").open("ab") as stream:
            stream.write(b"more")
        return found


def test_a_file_that_still_grows_is_left(tmp_path, log) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "MIF.csv").write_bytes(b"begun")
    into = tmp_path / "in"
    assert delivery.collect(Growing(tmp_path / "box"), into, log, Waits().patience()) == []
    assert list(into.iterdir()) == []


def test_to_a_folder(tmp_path, log, file) -> None:
    box = tmp_path / "box"
    box.mkdir()
    (receipt,) = delivery.send([file], Folder(box), log, Waits().patience())
    assert receipt.status == "done" and [one.name for one in box.iterdir()] == [file.name]
    (tmp_path / "log" / "deliveries.ndjson").unlink()
    fresh = Receipts(tmp_path / "log" / "deliveries.ndjson", clock)
    (again,) = delivery.send([file], Folder(box), fresh, Waits().patience())
    assert again.status == "done"  # the same bytes are there
    file.write_bytes(b"changed")
    (other,) = delivery.send([file], Folder(box), fresh, Waits().patience())
    assert (other.status, other.why) == ("failed", "another file of this name is there")


def test_a_file_or_folder_that_is_not_there(tmp_path, log) -> None:
    waits = Waits()
    (receipt,) = delivery.send([tmp_path / "none.csv"], Folder(tmp_path), log, waits.patience())
    assert (receipt.status, receipt.why) == ("failed", "FileNotFoundError")
    (receipt,) = delivery.collect(Folder(tmp_path / "none"), tmp_path, log, waits.patience(2))
    assert (receipt.status, waits.slept) == ("failed", [1.0])
    with pytest.raises(Broken):
        Folder(tmp_path / "none").get("x", tmp_path / "part")
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(Refused):
        Folder(tmp_path).put(tmp_path / "a", "another digest")


def test_half_a_line_of_the_log_is_no_receipt(tmp_path, log, file) -> None:
    box = tmp_path / "box"
    box.mkdir()
    delivery.send([file], Folder(box), log, Waits().patience())
    path = tmp_path / "log" / "deliveries.ndjson"
    with path.open("ab") as stream:
        stream.write(b'{"way":"sent","pla')
    again = Receipts(path, clock)
    assert delivery.send([file], Folder(box), again, Waits().patience())[0].status == "already"


def test_a_log_that_cannot_be_written_is_our_fault(tmp_path, file) -> None:
    (tmp_path / "taken").write_bytes(b"")
    log = Receipts(tmp_path / "taken" / "log", clock)
    with pytest.raises(OutputError, match="receipt log"):
        delivery.send([file], Folder(tmp_path / "taken2"), log, Waits().patience(1))


@pytest.mark.parametrize("text", ["sftp://host/inbox", "sftp://me@host", "sftp://me@host:x/y"])
def test_a_place_that_cannot_be_read(text: str, tmp_path) -> None:
    with pytest.raises(SettingError):
        delivery.place(text, tmp_path, tmp_path)
    with pytest.raises(SettingError, match="known-hosts"):
        delivery.place("sftp://me@host/inbox", None, None)


def test_the_command_line(partner, file, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    more = ["--known-hosts", str(partner.known_hosts), "--key", str(partner.key)]
    more += ["--out", str(tmp_path / "in")]
    assert cli.main(["deliver", str(file), "--to", partner.url(), *more]) == 0
    assert cli.main(["deliver", str(file), "--to", partner.url(), *more]) == 0
    assert capsys.readouterr().out == f"{file.name}: done\n{file.name}: already\n"
    assert cli.main(["deliver", "--collect", partner.url(), *more]) == 0
    assert (tmp_path / "in" / file.name).read_bytes() == BODY
    assert cli.main(["deliver", str(tmp_path / "none"), "--to", str(tmp_path)]) == 1
