"""SFTP pull: files of a partner's server come into a folder, each whole and once."""

from __future__ import annotations

import asyncio
import logging
import os
import posixpath
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import asyncssh

from adapter import staging
from adapter.errors import AdapterError, SettingError
from adapter.transport.folder import PARTS

log = logging.getLogger("adapter.transport")

_PLACE = re.compile(r"(?:sftp://)?([^:@/\s]+)@([^:/\s]+)(?::(\d{1,5}))?(/\S*)")
_PORTS = 65535
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TAKEN = ("done", "failed")  # our folder's own
_LEFT = "no plain files, or of no plain names (letters, digits, . _ -)"
_SAME_NAME = 20  # files of one name and time that may lie in the other side's `done`
_BLOCK = 1 << 17
_PATIENCE = 60.0  # seconds for a connection, and for one file to make progress

T = TypeVar("T")
Look = tuple[int, int]  # size and time of a file there
Client = asyncssh.SFTPClient
REGULAR, _FOLDER = asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_DIRECTORY
BROKEN = (OSError, asyncssh.Error, TimeoutError, ValueError)  # a ValueError: of our files of keys
# What a further try does not mend: another key than the known one, ours refused, no permission.
REFUSED = (asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied, asyncssh.SFTPPermissionDenied)
MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class PullError(AdapterError):
    """The other side is out of reach or refused us; the text names the kind of failure."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Where files wait for us, and who both sides are.

    `known_hosts`  file with the server's key, as ssh keeps it; no other key is believed
    `key`          our private key
    """

    user: str
    host: str
    port: int
    path: str
    known_hosts: Path
    key: Path


def partner(place: str, known_hosts: Path | None, key: Path | None) -> Partner:
    """A partner of `USER@HOST[:PORT]/PATH`.

    Raises SettingError when something is missing or cannot be used.
    """
    match = _PLACE.fullmatch(place)
    if match is None or int(match[3] or 22) > _PORTS:
        raise SettingError("SFTP: expected USER@HOST[:PORT]/PATH")
    if known_hosts is None or key is None:
        raise SettingError("SFTP: --known-hosts and --key are needed")
    for file in (known_hosts, key):
        if not file.is_file():
            raise SettingError("SFTP: the file of known hosts or of the key does not exist")
    _readable("known hosts", asyncssh.read_known_hosts, known_hosts)
    _readable("key (it must have no pass phrase)", asyncssh.read_private_key, key)
    return Partner(match[1], match[2], int(match[3] or 22), match[4], known_hosts, key)


def _readable(what: str, read: Callable[[str], object], file: Path) -> None:
    try:
        read(str(file))
    except (OSError, ValueError):  # its errors for keys are ValueErrors
        raise SettingError(f"SFTP: the file of the {what} cannot be read") from None


def pull(
    partner: Partner, folder: Path, settle: float, left: dict[str, Look] | None = None
) -> list[Path]:
    """Fetch what waits, into a folder; a fetched file moves to `done` on the other side.

    Only regular files with plain names, of no part, that stay the same for `settle` seconds. One
    that cannot be fetched does not keep the others. Raises PullError; what was fetched before it
    stays. A file that could be fetched but not moved is told and kept in `left`: it comes again
    when it has changed, or without `left` (the store knows its units).
    """
    try:
        return asyncio.run(_pull(partner, folder, settle, {} if left is None else left))
    except BROKEN as error:
        raise PullError(f"SFTP: {type(error).__name__}") from None


@asynccontextmanager
async def connected(partner: Partner) -> AsyncIterator[asyncssh.SFTPClient]:
    """A session with a partner whose host key is the known one; anything else is refused.

    Raises what asyncssh and the sockets raise (`BROKEN`).
    """
    async with _connection(partner) as connection:
        yield await _session(connection)


@asynccontextmanager
async def _connection(partner: Partner) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """It is ended without a word: a server that hangs never says goodbye."""
    connecting = asyncssh.connect(
        partner.host,
        partner.port,
        username=partner.user,
        client_keys=[str(partner.key)],
        known_hosts=str(partner.known_hosts),
        config=None,
        agent_path=None,
        password=None,
        login_timeout=_PATIENCE,
        connect_timeout=_PATIENCE,
        keepalive_interval=_PATIENCE / 4,
    )
    async with connecting as connection:
        try:
            yield connection
        finally:
            connection.abort()


def _session(connection: asyncssh.SSHClientConnection) -> Awaitable[Client]:
    return within(_PATIENCE, connection.start_sftp_client())


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What comes of work, without waiting for its end when it takes longer.

    What hangs asks the server to close a file when it is cancelled, and hangs again. Raises
    TimeoutError.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda one: one.cancelled() or one.exception())  # nobody may ask later
    await asyncio.wait([task], timeout=seconds)
    if not task.done():
        task.cancel()
        raise TimeoutError
    return task.result()


async def _pull(partner: Partner, folder: Path, settle: float, left: dict[str, Look]) -> list[Path]:
    async with _connection(partner) as connection:
        client = await _session(connection)
        looks, _ = await within(_PATIENCE, _looks(client, partner.path))
        await asyncio.sleep(settle if looks else 0.0)
        again, odd = await within(_PATIENCE, _looks(client, partner.path))
        if odd:
            log.warning("SFTP: %d files are left behind: %s", odd, _LEFT)
        found, failed = list[Path](), Counter[str]()
        for name in sorted(name for name, look in again.items() if looks.get(name) == look):
            if (folder / name).exists() or left.get(name) == again[name]:
                continue  # one of this name is not loaded yet, or it came before
            work = _fetch(client, partner.path, name, folder, again[name], left)
            try:
                found += await within(_PATIENCE + again[name][0] / 100_000, work)
            except MISSING:
                continue  # somebody else took it
            except asyncssh.SFTPError as error:
                failed[type(error).__name__] += 1
            except TimeoutError:
                failed["TimeoutError"] += 1
                client = await _session(connection)  # the other one may hang for ever
        if failed:
            kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(failed.items()))
            raise PullError(f"SFTP: files not fetched, or not moved: {kinds}")
        return found


async def _looks(client: asyncssh.SFTPClient, path: str) -> tuple[dict[str, Look], int]:
    """The regular files with plain names, and how many others there are but folders and parts."""
    found, odd = dict[str, Look](), 0
    for one in await client.readdir(os.fsencode(path)):  # as bytes: names may be of any letters
        name = os.fsdecode(one.filename)
        if one.attrs.type == _FOLDER or name.startswith(".") or name.lower().endswith(PARTS):
            continue
        if one.attrs.type == REGULAR and _NAME.fullmatch(name) and name not in _TAKEN:
            found[name] = _look(one.attrs)
        else:
            odd += 1
    return found, odd


def _look(attrs: asyncssh.SFTPAttrs) -> Look:
    return attrs.size or 0, attrs.mtime or 0


async def _fetch(
    client: Client, path: str, name: str, folder: Path, look: Look, left: dict[str, Look]
) -> list[Path]:
    """One file: into a hidden part, to the disk, under its name; then away on the other side.

    Nothing when it has changed meanwhile.
    """
    part, target, there = folder / f".{name}.part", folder / name, posixpath.join(path, name)
    try:
        await bring(client, there, part)
        if _look(await client.stat(there)) != look or part.stat().st_size != look[0]:
            return []
        part.replace(target)
        staging.sync_folder(folder)  # its name too, before the other side lets go of it
    finally:
        part.unlink(missing_ok=True)
    await _put_away(client, path, name, look, left)
    return [target]


async def bring(client: Client, there: str, part: Path) -> None:
    """Read a file there into one here, to the disk.

    A block after the other: of several at once, one that does not come is taken for a hole.
    """
    with part.open("wb") as stream:
        async with client.open(there, "rb", block_size=0) as file:
            while block := await file.read(_BLOCK):
                stream.write(cast("bytes", block))
        stream.flush()
        os.fsync(stream.fileno())


async def _put_away(
    client: Client, path: str, name: str, look: Look, left: dict[str, Look]
) -> None:
    """Move a file to `done` on the other side, never over another; back when it has changed."""
    done, here = posixpath.join(path, "done"), posixpath.join(path, name)
    with suppress(asyncssh.SFTPError):  # it may be there
        await client.mkdir(done)
    for ending in ("", f".{look[1]}", *(f".{look[1]}.{number}" for number in range(1, _SAME_NAME))):
        there = posixpath.join(done, name + ending)
        try:
            await client.rename(here, there)
        except asyncssh.SFTPConnectionLost:
            raise
        except asyncssh.SFTPError as error:
            reason = type(error).__name__
        else:
            if _look(await client.stat(there)) != look:
                await client.rename(there, here)
            return
    left[name] = look
    log.warning("SFTP: a fetched file could not be moved away: %s", reason)
