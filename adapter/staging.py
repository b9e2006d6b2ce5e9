"""A file that stands whole or not at all, and only after the store knows what it tells.

The text is written to a hidden part beside its place, the run is committed, and the part takes
its place. A run killed in between leaves a part that `recover` finds at the next run.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1, sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from adapter.errors import OutputError

_CHUNK = 1 << 20


class Settled(NamedTuple):
    """A part on the disk: SHA-256 in hexadecimal, SHA-1 (which FHIR R4 wants), size in bytes."""

    digest: str
    sha1: bytes
    size: int


class Staged:
    """A part being written: `stream` takes its bytes, then `settle`, commit, `stand`."""

    __slots__ = ("_kept", "_part", "file", "stream")

    def __init__(self, file: Path, part: Path, stream: BinaryIO) -> None:
        self.file, self.stream = file, stream
        self._part, self._kept = part, False

    def settle(self) -> Settled:
        """Bring the bytes to the disk, and say what they are. Raises OutputError."""
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            return settled(self._part)
        except OSError as error:
            raise _failed(self.file, error) from None

    def stand(self) -> None:
        """Put the part in its place, after the commit; if that fails it waits for `recover`."""
        self._kept = True
        try:
            self._part.replace(self.file)
            sync_folder(self.file.parent)
        except OSError as error:
            raise _failed(self.file, error) from None

    def close(self) -> None:
        """Remove what was not committed, and let the lock go."""
        if not self._kept:
            self._part.unlink(missing_ok=True)
        self.stream.close()


@contextmanager
def staged(file: Path, room: str) -> Iterator[Staged]:
    """The part of a file to be; only its owner may read it. `room` says who may recover it.

    Raises OutputError when the folder cannot be written, another run writes this file, or the
    system refuses anything inside the block.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        made = _locked(file, _part(file, room))
        try:
            yield made
        finally:
            made.close()
    except OSError as error:
        raise _failed(file, error) from None


def recover(folder: Path, room: str, known: Callable[[str, Path], bool]) -> list[Path]:
    """Put parts of committed runs in their place, and remove those of runs that never were.

    `known` is asked with the file's name and the part. A part that a run still writes is left
    alone. Raises OutputError.
    """
    found = []
    for part in sorted(folder.glob(f".*.{room}.part")):
        file = folder / part.name[1:].removesuffix(f".{room}.part")
        try:
            if _recovered(part, file, known):
                found.append(file)
        except OSError as error:
            raise _failed(file, error) from None
    return found


def settled(file: Path) -> Settled:
    """What a file's bytes are. Raises OSError."""
    long, short, size = sha256(), sha1(usedforsecurity=False), 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            long.update(chunk)
            short.update(chunk)
            size += len(chunk)
    return Settled(long.hexdigest(), short.digest(), size)


def _recovered(part: Path, file: Path, known: Callable[[str, Path], bool]) -> bool:
    """Whether a part nobody writes took its place; otherwise it is gone."""
    with suppress(FileNotFoundError), part.open("r+b") as stream:
        if not _lock(stream.fileno()):
            return False
        if known(file.name, part):
            part.replace(file)
            sync_folder(file.parent)
            return True
        part.unlink()
    return False


def _part(file: Path, room: str) -> Path:
    return file.with_name(f".{file.name}.{room}.part")


def _locked(file: Path, part: Path) -> Staged:
    """The part, opened and locked before a byte of it is touched."""
    for _ in range(2):  # it may take its place between open and lock
        stream = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        if not _lock(stream.fileno()):
            stream.close()
            raise OutputError(f"another run is writing {file.name}")
        if part.exists() and part.stat().st_ino == os.fstat(stream.fileno()).st_ino:
            stream.truncate()
            return Staged(file, part, stream)
        stream.close()
    raise OutputError(f"another run is writing {file.name}")


def _lock(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk. Raises OSError."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _failed(file: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {file.name}: {error.strerror}")
