"""SFTP pull from a real server on loopback: host key, whole files, each once."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import asyncssh
import pytest

from adapter.errors import SettingError
from adapter.transport import places, sftp
from adapter.transport.sftp import Partner, PullError, partner, pull

Fetching = Callable[[Partner, Path, float], object]
Reading = Callable[[], Awaitable[None]]


class Shore:
    """A partner's server: its folder, its host key, and who may come in."""

    def __init__(self, folder: Path) -> None:
        self.root, self.keys = folder / "root", folder / "keys"
        self.out = self.root / "out"
        self.out.mkdir(parents=True)
        self.keys.mkdir()
        host, ours = (asyncssh.generate_private_key("ssh-ed25519") for _ in "ab")
        self.key = self.keys / "id"
        ours.write_private_key(str(self.key))
        self.allowed = self.keys / "allowed"
        ours.write_public_key(str(self.allowed))
        self._host = host
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait(10)
        self.known = self._known(host, "known")

    def _known(self, key: asyncssh.SSHKey, name: str) -> Path:
        file = self.keys / name
        public = key.export_public_key().decode()
        file.write_text(f"[127.0.0.1]:{self.port} {public}")
        return file

    def partner(self, **more: object) -> Partner:
        given = {"user": "ecm", "host": "127.0.0.1", "port": self.port, "path": "/out"}
        return Partner(**{**given, "known_hosts": self.known, "key": self.key, **more})

    def stranger(self) -> Path:
        """A file of known hosts with the key of somebody else."""
        return self._known(asyncssh.generate_private_key("ssh-ed25519"), "stranger")

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._host],
            authorized_client_keys=str(self.allowed),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self.root)),
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        await server.wait_closed()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(scope="module")
def shore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shore]:
    made = Shore(tmp_path_factory.mktemp("shore"))
    yield made
    made.close()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_file())


def by_place(partner: Partner, folder: Path, _: float) -> None:
    server, part = places.Server(partner), folder / "part"
    if server.get("h.hl7", part).size != part.stat().st_size:
        part.unlink()
    else:
        part.rename(folder / "h.hl7")


def test_files_come_once(shore: Shore, tmp_path: Path) -> None:
    for name in ("a.hl7", "b.hl7"):
        (shore.out / name).write_bytes(name.encode() * 1000)
    (shore.out / ".hidden").write_text("x")
    (shore.out / "folder").mkdir(exist_ok=True)
    (shore.out / "link.hl7").symlink_to(shore.out / "a.hl7")
    found = pull(shore.partner(), tmp_path, 0.0)
    assert [one.name for one in found] == ["a.hl7", "b.hl7"]
    assert (tmp_path / "a.hl7").read_bytes() == b"a.hl7" * 1000
    assert names(shore.out / "done") == ["a.hl7", "b.hl7"]
    assert pull(shore.partner(), tmp_path, 0.0) == []
    (shore.out / "link.hl7").unlink()


def test_what_is_still_sent_is_left(shore: Shore, tmp_path: Path) -> None:
    part = shore.out / "u.hl7.FilePart"
    part.write_bytes(b"half")
    growing = shore.out / "g.hl7"
    growing.write_bytes(b"half")
    more = threading.Timer(0.5, growing.write_bytes, [b"whole"])
    more.start()
    assert pull(shore.partner(), tmp_path, 1.5) == []
    more.join()
    part.rename(shore.out / "u.hl7")
    assert [one.name for one in pull(shore.partner(), tmp_path, 0.0)] == ["g.hl7", "u.hl7"]


def test_what_grows_while_it_is_fetched_is_left(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, read = shore.out / "w.hl7", asyncssh.SFTPServer.read
    file.write_bytes(b"half")

    def slow(server: asyncssh.SFTPServer, stream: object, offset: int, size: int) -> object:
        block = read(server, stream, offset, size)
        file.write_bytes(b"whole")
        return block

    with monkeypatch.context() as patch:
        patch.setattr(asyncssh.SFTPServer, "read", slow)
        assert pull(shore.partner(), tmp_path, 0.0) == []
    assert names(tmp_path) == []
    pull(shore.partner(), tmp_path, 0.0)
    assert (tmp_path / "w.hl7").read_bytes() == b"whole"


async def refused(*_: object) -> None:
    raise asyncssh.SFTPPermissionDenied("no")


async def vanished(*_: object) -> None:
    raise asyncssh.SFTPNoSuchFile("gone")


async def hangs(*_: object) -> None:
    await asyncio.sleep(600)


@pytest.mark.parametrize(
    ("becomes", "told"),
    [
        (refused, "not fetched, or not moved: SFTPPermissionDenied 1"),
        (hangs, "not fetched, or not moved: TimeoutError 1"),
        (vanished, ""),
    ],
)
def test_a_file_that_cannot_be_fetched_does_not_keep_the_others(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: Reading, told: str
) -> None:
    for name in ("r1.hl7", "r2.hl7", "r3.hl7"):
        (shore.out / name).write_text(name)
    read = asyncssh.SFTPServer.read

    def one_fails(server: asyncssh.SFTPServer, file: BinaryIO, offset: int, size: int) -> object:
        if not str(file.name).endswith("r2.hl7'"):
            return read(server, file, offset, size)
        file.close()
        return becomes()

    with monkeypatch.context() as patch:
        patch.setattr(asyncssh.SFTPServer, "read", one_fails)
        patch.setattr(sftp, "_PATIENCE", 1.0)
        with pytest.raises(PullError, match=re.escape(told)) if told else nullcontext():
            pull(shore.partner(), tmp_path, 0.0)
    assert names(tmp_path) == ["r1.hl7", "r3.hl7"]
    assert [one.name for one in pull(shore.partner(), tmp_path, 0.0)] == ["r2.hl7"]


async def no_names(*_: object) -> AsyncIterator[asyncssh.SFTPName]:
    await hangs()
    yield asyncssh.SFTPName(b"")


@pytest.mark.parametrize("fetch", [pull, lambda one, *_: places.Server(one).seen()])
def test_a_server_that_hangs_is_left(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetch: Fetching
) -> None:
    """It says nothing of its files, and not goodbye either."""
    monkeypatch.setattr(asyncssh.SFTPServer, "scandir", no_names)
    monkeypatch.setattr(sftp, "_PATIENCE", 0.5)
    monkeypatch.setattr(places, "_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises((PullError, places.Broken), match="TimeoutError"):
        fetch(shore.partner(), tmp_path, 0.0)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("fetch", [pull, by_place])
def test_a_block_that_does_not_come_is_no_hole(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetch: Fetching
) -> None:
    file, read = shore.out / "h.hl7", asyncssh.SFTPServer.read
    file.write_bytes(b"x" * 300_000)

    def short(server: asyncssh.SFTPServer, stream: object, offset: int, size: int) -> object:
        return b"" if 100_000 < offset < 200_000 else read(server, stream, offset, size)

    with monkeypatch.context() as patch:
        patch.setattr(asyncssh.SFTPServer, "read", short)
        fetch(shore.partner(), tmp_path, 0.0)
    assert names(tmp_path) == []
    fetch(shore.partner(), tmp_path, 0.0)
    assert (tmp_path / "h.hl7").read_bytes() == b"x" * 300_000
    (shore.out / "h.hl7").unlink(missing_ok=True)


def test_a_name_again(shore: Shore, tmp_path: Path) -> None:
    (shore.out / "n.hl7").write_text("one")
    assert len(pull(shore.partner(), tmp_path, 0.0)) == 1
    (shore.out / "n.hl7").write_text("two")
    assert pull(shore.partner(), tmp_path, 0.0) == []  # the first is not loaded yet
    (tmp_path / "n.hl7").unlink()
    assert len(pull(shore.partner(), tmp_path, 0.0)) == 1
    assert (tmp_path / "n.hl7").read_text() == "two"
    assert len([name for name in names(shore.out / "done") if name.startswith("n.hl7")]) == 2


def test_the_name_is_on_the_disk_before_the_other_side_lets_go(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, sync, rename = list[str](), os.fsync, asyncssh.SFTPServer.rename

    def synced(number: int) -> None:
        told.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        sync(number)

    def renamed(server: asyncssh.SFTPServer, old: bytes, new: bytes) -> object:
        told.append("moved")
        return rename(server, old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(asyncssh.SFTPServer, "rename", renamed)
    (shore.out / "disk.hl7").write_text("x")
    pull(shore.partner(), tmp_path, 0.0)
    assert told == ["file", "folder", "moved"]


def test_what_may_not_be_moved_comes_once(
    shore: Shore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A folder where we may only read; what is sent anew under the name comes."""
    monkeypatch.setattr(asyncssh.SFTPServer, "rename", refused)
    file, left = shore.out / "only.hl7", dict[str, sftp.Look]()
    for text, found in (("one", ["one"]), ("one", []), ("other", ["other"]), ("other", [])):
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        pulled = pull(shore.partner(), tmp_path, 0.0, left)
        assert [one.read_text() for one in pulled] == found
        (tmp_path / "only.hl7").unlink(missing_ok=True)
    assert caplog.text.count("could not be moved away: SFTPPermissionDenied") == 2
    file.unlink()


def test_a_name_every_day(shore: Shore, tmp_path: Path) -> None:
    for day in range(1, 31):
        (shore.out / "day.hl7").write_text(str(day))
        os.utime(shore.out / "day.hl7", (day * 86400, day * 86400))
        pull(shore.partner(), tmp_path, 0.0)
        assert (tmp_path / "day.hl7").read_text() == str(day)
        (tmp_path / "day.hl7").unlink()
    assert not (shore.out / "day.hl7").exists()


def test_what_is_sent_anew_while_it_is_moved_comes_back(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, rename = shore.out / "anew.hl7", asyncssh.SFTPServer.rename
    file.write_text("first")

    def late(server: asyncssh.SFTPServer, old: bytes, new: bytes) -> object:
        if old.endswith(b"out/anew.hl7"):
            file.write_text("second")
        return rename(server, old, new)

    with monkeypatch.context() as patch:
        patch.setattr(asyncssh.SFTPServer, "rename", late)
        pull(shore.partner(), tmp_path, 0.0)
    assert (tmp_path / "anew.hl7").read_text() == "first"
    (tmp_path / "anew.hl7").unlink()
    pull(shore.partner(), tmp_path, 0.0)
    assert (tmp_path / "anew.hl7").read_text() == "second"


def test_what_is_not_taken_stays_and_is_told(
    shore: Shore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [shore.out / os.fsdecode(b"latin\xf1.hl7"), shore.out / "two words.hl7"]
    odd += [shore.out / "failed", shore.out / "line\n.hl7"]
    for file in (*odd, shore.out / "plain.hl7"):
        file.write_text("x")
    odd.append(shore.out / "link.hl7")
    odd[-1].symlink_to(odd[0])
    (tmp_path / "failed").mkdir()
    found = pull(shore.partner(), tmp_path, 0.0)
    assert [one.name for one in found] == ["plain.hl7"]
    assert [row.getMessage() for row in caplog.records if row.name == "adapter.transport"] == [
        "SFTP: 5 files are left behind: "
        "no plain files, or of no plain names (letters, digits, . _ -)"
    ]
    for file in odd:
        file.unlink()


def test_another_host_key_is_not_believed(shore: Shore, tmp_path: Path) -> None:
    (shore.out / "k.hl7").write_text("one")
    with pytest.raises(PullError, match="HostKeyNotVerifiable"):
        pull(shore.partner(known_hosts=shore.stranger()), tmp_path, 0.0)
    assert names(tmp_path) == []
    (shore.out / "k.hl7").unlink()


def test_another_key_of_ours_is_not_let_in(shore: Shore, tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    with pytest.raises(PullError, match="PermissionDenied"):
        pull(shore.partner(key=tmp_path / "other"), tmp_path, 0.0)


@pytest.mark.parametrize("more", [{"path": "/nowhere"}, {"port": 1}])
def test_out_of_reach(shore: Shore, tmp_path: Path, more: dict[str, object]) -> None:
    changed = {**more}
    if "port" in changed:  # a port nobody listens on, known by the right key
        known = tmp_path / "known"
        known.write_text(shore.known.read_text().replace(str(shore.port), "1"))
        changed["known_hosts"] = known
    with pytest.raises(PullError, match="SFTP: "):
        pull(shore.partner(**changed), tmp_path, 0.0)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("ecm@sftp.example/out", ("ecm", "sftp.example", 22, "/out")),
        ("sftp://ecm@sftp.example:2222/out/adt", ("ecm", "sftp.example", 2222, "/out/adt")),
        ("sftp.example/out", None),
        ("ecm@sftp.example", None),
        ("ecm:secret@sftp.example/out", None),
        ("ecm@sftp.example:99999/out", None),
    ],
)
def test_where(shore: Shore, place: str, found: tuple[object, ...] | None) -> None:
    if found is None:
        with pytest.raises(SettingError, match="expected") as told:
            partner(place, shore.known, shore.key)
        assert "secret" not in str(told.value)
    else:
        made = partner(place, shore.known, shore.key)
        assert (made.user, made.host, made.port, made.path) == found


@pytest.mark.parametrize("text", [b"nothing", b"", b"\x80\xff", None])
def test_a_key_that_cannot_be_used(shore: Shore, tmp_path: Path, text: bytes | None) -> None:
    """Told when the command starts, not as a traceback of the first pull; nor one with a phrase."""
    file = tmp_path / "key"
    if text is None:
        made = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
        made.write_private_key(file, "pkcs8-pem", passphrase="phrase")
    else:
        file.write_bytes(text)
    with pytest.raises(SettingError, match="key"):
        partner("ecm@sftp.example/out", shore.known, file)


@pytest.mark.parametrize("role", ["key", "known_hosts"])
def test_a_key_that_is_spoilt_later(shore: Shore, tmp_path: Path, role: str) -> None:
    file = tmp_path / "spoilt"
    file.write_bytes(b"\x80")
    with pytest.raises(PullError, match="SFTP: "):
        pull(shore.partner(**{role: file}), tmp_path, 0.0)


def test_known_hosts_that_cannot_be_read(shore: Shore, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(b"\x80")
    with pytest.raises(SettingError, match="known hosts"):
        partner("ecm@sftp.example/out", file, shore.key)


def test_keys_are_needed(shore: Shore, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="are needed"):
        partner("ecm@sftp.example/out", None, shore.key)
    with pytest.raises(SettingError, match="does not exist"):
        partner("ecm@sftp.example/out", shore.known, tmp_path / "absent")
