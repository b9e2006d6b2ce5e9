"""Where files are delivered to and fetched from: a folder, or a partner's SFTP server."""

from __future__ import annotations

import asyncio
import os
import posixpath
import re
import shutil
from collections.abc import Coroutine
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from adapter.errors import AdapterError
from adapter.transport import sftp

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_CHUNK = 1 << 16
_SECONDS = 900.0  # for one file, connection and all

T = TypeVar("T")


class Broken(AdapterError):
    """The way there broke, and may be whole at the next try; the text names the kind."""


class Refused(AdapterError):
    """The other side, or we, will not: another try changes nothing. The text says why."""


class Seen(NamedTuple):
    """A file at the other side: its size in bytes, and when it was changed (seconds)."""

    size: int
    changed: int

    @property
    def mark(self) -> str:
        """As a receipt has it."""
        return f"{self.size}:{self.changed}"


class Place(Protocol):
    """Where files go to and come from; methods raise Broken or Refused."""

    @property
    def name(self) -> str:
        """As receipts name it; no secret is in it."""

    def put(self, file: Path, digest: str) -> None:
        """Bring a file there: whole under its name, or not at all, and never over another."""

    def seen(self) -> dict[str, Seen]:
        """Regular files with plain names, by name."""

    def get(self, name: str, part: Path) -> Seen:
        """Bring a file here; what it was when it had come."""


class Folder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self._path)

    def put(self, file: Path, digest: str) -> None:
        """Copy under a hidden name, to the disk, then link under its own."""
        part, target = self._path / f".{file.name}.part", self._path / file.name
        try:
            if target.exists():
                if _digest(target) != digest:
                    raise Refused("another file of this name is there")
                return
            with file.open("rb") as source, part.open("wb") as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
                stream.flush()
                os.fsync(stream.fileno())
            _named(part, target)
        except FileExistsError:
            raise Refused("another file of this name is there") from None
        except OSError as error:
            raise Broken(type(error).__name__) from None

    def seen(self) -> dict[str, Seen]:
        """Files of the folder."""
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for one in entries:
                    if NAME.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                        found[one.name] = _of(one.stat())
        except OSError as error:
            raise Broken(type(error).__name__) from None
        return found

    def get(self, name: str, part: Path) -> Seen:
        """Copy a file."""
        try:
            with (self._path / name).open("rb") as source, part.open("wb") as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
                stream.flush()
                os.fsync(stream.fileno())
            return _of((self._path / name).stat())
        except OSError as error:
            raise Broken(type(error).__name__) from None


class Server:
    """A partner's SFTP server; each call is a session of its own."""

    def __init__(self, partner: sftp.Partner) -> None:
        self._partner = partner

    @property
    def name(self) -> str:
        """The server's URL."""
        one = self._partner
        return f"sftp://{one.user}@{one.host}:{one.port}{one.path}"

    def put(self, file: Path, digest: str) -> None:
        """Upload under a hidden name, compare the size, then rename."""
        _run(self._put(file, digest))

    def seen(self) -> dict[str, Seen]:
        """Files of the partner's folder."""
        return _run(self._seen())

    def get(self, name: str, part: Path) -> Seen:
        """Download a file."""
        return _run(self._get(name, part))

    async def _put(self, file: Path, digest: str) -> None:
        folder = self._partner.path
        target, part = (
            posixpath.join(folder, file.name),
            posixpath.join(folder, f".{file.name}.part"),
        )
        async with sftp.connected(self._partner) as client:
            there = await _remote_digest(client, target)
            if there == digest:
                return  # it went, and the answer was lost
            if there:
                raise Refused("another file of this name is there")
            await client.put(str(file), part)
            if (await client.stat(part)).size != file.stat().st_size:
                raise Broken("what arrived has another size")
            await client.rename(part, target)

    async def _seen(self) -> dict[str, Seen]:
        found = {}
        async with sftp.connected(self._partner) as client:
            # as bytes: a name that is not UTF-8 is nobody's fault but its own
            for one in await client.readdir(os.fsencode(self._partner.path)):
                name = os.fsdecode(one.filename)
                if one.attrs.type == sftp.REGULAR and NAME.fullmatch(name):
                    found[name] = Seen(one.attrs.size or 0, int(one.attrs.mtime or 0))
        return found

    async def _get(self, name: str, part: Path) -> Seen:
        path = posixpath.join(self._partner.path, name)
        async with sftp.connected(self._partner) as client:
            await sftp.bring(client, path, part)
            found = await client.stat(path)
        return Seen(found.size or 0, int(found.mtime or 0))


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(sftp.within(_SECONDS, work))
    except (*sftp.REFUSED, *sftp.MISSING) as error:
        raise Refused(type(error).__name__) from None
    except sftp.BROKEN as error:
        raise Broken(type(error).__name__) from None


async def _remote_digest(client: sftp.Client, path: str) -> str:
    """SHA-256 of a file there; `""` when there is none."""
    found = sha256()
    with suppress(*sftp.MISSING):
        async with client.open(path, "rb") as stream:
            chunk: Any = await stream.read(_CHUNK)
            while chunk:
                found.update(chunk)
                chunk = await stream.read(_CHUNK)
            return found.hexdigest()
    return ""


def _named(part: Path, target: Path) -> None:
    """Give a part its name by a link: unlike a rename, never over another. Raises OSError."""
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        part.rename(target)
    else:
        part.unlink()


def _digest(file: Path) -> str:
    found = sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _of(found: os.stat_result) -> Seen:
    return Seen(found.st_size, int(found.st_mtime))
