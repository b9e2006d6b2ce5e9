"""A folder that is watched: each whole file is loaded, then moved to done or failed."""

from __future__ import annotations

import csv
import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapter import spreadsheet
from adapter.errors import AdapterError, SettingError, StoreError
from adapter.pipeline import Tally, UnitResult
from adapter.record import shown

log = logging.getLogger("adapter.transport")

# Names under which others still write; a file is renamed when it is whole.
PARTS = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")

_REJECTS = ".rejects.csv"  # behind the name of a file of which not all was taken

Load = Callable[[Path], Iterable[UnitResult]]


class Look(NamedTuple):
    """A file as it was at one look: when something of it changes, it is still being written."""

    size: int
    changed: int
    inode: int


class Loaded(NamedTuple):
    """A file that was loaded, what became of its units, and where it is now."""

    name: str
    tally: Tally
    place: str


class Folder:
    """A folder and its subfolders `done` and `failed`, on one file system: moves are atomic."""

    def __init__(self, path: Path, settle: float) -> None:
        """Raises SettingError when the folder cannot be used."""
        self.faults = 0  # files and pulls that had to wait, by no fault of theirs
        self.path, self.done, self.failed = path, path / "done", path / "failed"
        self._settle = settle
        self._seen: dict[str, tuple[Look, float]] = {}
        try:
            for one in (self.done, self.failed):
                one.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(f"the folder cannot be used: {error.strerror}") from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from watching it. Raises SettingError when someone does."""
        with (self.path / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SettingError("another process watches this folder") from None
            yield

    def whole(self, now: float) -> list[Path]:
        """Files that have not changed for the settling time, by name; `now` in monotonic seconds.

        Hidden files, parts, links and folders are left alone.
        """
        looks = {file.name: look for file in self._files() if (look := _look(file)) is not None}
        seen = {
            name: self._seen[name]
            if name in self._seen and self._seen[name][0] == look
            else (look, now)
            for name, look in looks.items()
        }
        self._seen = seen
        ready = (name for name, (_, since) in seen.items() if now - since >= self._settle)
        return [self.path / name for name in sorted(ready)]

    def _files(self) -> Iterator[Path]:
        try:
            with os.scandir(self.path) as found:
                names = [one.name for one in found if one.is_file(follow_symlinks=False)]
        except OSError as error:
            raise SettingError(f"the folder cannot be read: {error.strerror}") from None
        for name in names:
            if not name.startswith(".") and not name.lower().endswith(PARTS):
                yield self.path / name

    def take(self, file: Path, load: Load) -> Loaded | None:
        """Load a file, then move it: to `failed` when a unit was refused, with a reject file.

        A file that changed since the look, or is gone, waits for the next one (None); one that
        changed while it was loaded is read again: the store knows each unit, as it does when a
        process dies in between. Raises StoreError, and leaves the file where it is, when the
        database is out of reach; OSError when it cannot be moved.
        """
        look, seen = _look(file), self._seen.pop(file.name, None)
        if look is None or seen is None or seen[0] != look:
            return None
        tally, rows = Tally(), list[list[object]]()
        for result in load(file):
            tally.add(result)
            if result.status in ("refused", "review"):
                rows += spreadsheet.found_rows(result.issues)
        to = self.done if not tally.units["refused"] else self.failed
        to.mkdir(exist_ok=True)  # somebody may have tidied it away
        target = _free(to, file.name)
        beside = _with(target, _REJECTS)
        if rows:  # before the file goes: when they cannot be written, it stays
            _write(beside, rows)
        if why := _moved(file, target, look):
            beside.unlink(missing_ok=True)
            return Loaded(shown(file), tally, why)
        return Loaded(shown(file), tally, to.name)


def watch(
    folder: Folder,
    load: Load,
    tell: Callable[[Loaded], None],
    every: float,
    fetch: Callable[[], object] = lambda: None,
) -> None:
    """Load what comes in, until interrupted; a database out of reach is tried again.

    `fetch` brings files into the folder before each look.
    """
    with folder.held():
        while True:
            fetch()
            for _ in round_(folder, load, tell):
                pass
            time.sleep(every)


def attempt(folder: Folder, fetch: Callable[[], object]) -> None:
    """Fetch; a partner out of reach is told, and asked again at the next look."""
    try:
        fetch()
    except AdapterError as error:
        log.error("not all was fetched: %s", error)
        folder.faults += 1


def round_(folder: Folder, load: Load, tell: Callable[[Loaded], None]) -> Iterator[Loaded]:
    """One look at a folder: loads what is whole; stops at a database that is out of reach.

    What is not loaded by our own fault stays, and is tried again at the next look.
    """
    for file in folder.whole(time.monotonic()):
        try:
            loaded = folder.take(file, load)
        except StoreError as error:
            log.error("a file waits for the database: %s", error)
            folder.faults += 1
            return
        except OSError as error:
            log.error("a file was loaded, and cannot be moved: %s", error.strerror)
            folder.faults += 1
            continue
        except Exception as error:  # the boundary: one file must not keep the others from loading
            log.error("a file was not loaded, by our fault: %s", type(error).__name__)
            folder.faults += 1
            continue
        if loaded is not None:
            tell(loaded)
            yield loaded


def _look(file: Path) -> Look | None:
    try:
        found = file.lstat()
    except OSError:
        return None  # it went away meanwhile
    return Look(found.st_size, found.st_mtime_ns, found.st_ino) if _plain(found) else None


def _plain(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode)


def _free(folder: Path, name: str) -> Path:
    """A place for a file where none is yet: `a.hl7`, then `a.hl7.1`, `a.hl7.2`."""
    target, number = folder / name, 0
    while target.exists():
        number += 1
        target = _with(folder / name, f".{number}")
    return target


def _with(file: Path, ending: str) -> Path:
    """The name of a file and an ending, no longer than file systems take (255 bytes)."""
    return file.with_name(os.fsdecode(os.fsencode(file.name)[: 255 - len(ending)]) + ending)


def _moved(file: Path, target: Path, look: Look) -> str:
    """Move a file; why it was not, `""` if it was."""
    try:
        file.rename(target)
    except FileNotFoundError:
        return "gone: it was taken away meanwhile"
    if _look(target) == look:
        return ""
    target.rename(_free(file.parent, file.name))
    return "left: it changed meanwhile"


def _write(file: Path, rows: list[list[object]]) -> None:
    part = file.with_name(".rejects.part")
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(spreadsheet.FOUND)
        writer.writerows(rows)
    part.replace(file)
