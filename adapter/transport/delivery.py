"""Delivers files to a plan and fetches what it left: each whole and once, with a receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from adapter import staging
from adapter.errors import OutputError
from adapter.transport import sftp
from adapter.transport.places import Broken, Folder, Place, Refused, Seen, Server
from adapter.transport.receipts import Receipt, Receipts

__all__ = ["Patience", "Receipts", "collect", "place", "send"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a broken way is tried, and how long to wait: `first` seconds, then twice that.

    `settle`  seconds between two looks; what changed in between is still being written
    """

    tries: int = 5
    first: float = 1.0
    longest: float = 60.0
    settle: float = 1.0
    wait: Callable[[float], None] = time.sleep

    def times(self, work: Callable[[], T]) -> tuple[T, int]:
        """What `work` gives, and at which try. Raises Refused at once, Broken after the last."""
        for number in range(1, max(self.tries, 1)):
            try:
                return work(), number
            except Broken:
                self.wait(min(self.first * 2 ** (number - 1), self.longest))
        return work(), max(self.tries, 1)


def place(text: str, known_hosts: Path | None, key: Path | None) -> Place:
    """A folder, or for `sftp://USER@HOST[:PORT]/PATH` a server. Raises SettingError."""
    if text.startswith("sftp://"):
        return Server(sftp.partner(text, known_hosts, key))
    return Folder(Path(text))


def send(
    files: Sequence[Path], to: Place, log: Receipts, how: Patience | None = None
) -> list[Receipt]:
    """Bring files to a place, in order; a file of the same bytes that went before is left out.

    Each gets a receipt; one that fails does not keep the others.
    """
    return [_send(file, to, log, how or Patience()) for file in files]


def collect(
    place: Place, folder: Path, log: Receipts, how: Patience | None = None
) -> list[Receipt]:
    """Fetch every file that was not fetched before, and is whole; the place stays as it is.

    A file sent again under its name (other size or time) comes again, beside the first.
    """
    patience = how or Patience()
    try:
        first, _ = patience.times(place.seen)
        patience.wait(patience.settle)
        again, _ = patience.times(place.seen)
    except (Broken, Refused) as error:
        return [log.add(Receipt("fetched", place.name, "", "", "failed", why=str(error)))]
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: seen for name, seen in again.items() if first.get(name) == seen}
    fresh = {n: s for n, s in whole.items() if not log.has("fetched", place.name, n, s.mark)}
    return [_fetch(name, fresh[name], place, folder, (log, patience)) for name in sorted(fresh)]


def _send(file: Path, to: Place, log: Receipts, how: Patience) -> Receipt:
    try:
        bytes_ = staging.settled(file)
    except OSError as error:
        return log.add(Receipt("sent", to.name, file.name, "", "failed", why=type(error).__name__))
    mark = bytes_.digest
    if log.has("sent", to.name, file.name, mark):
        return Receipt("sent", to.name, file.name, mark, "already", mark, bytes_.size)
    try:
        _, tries = how.times(lambda: to.put(file, mark))
    except (Broken, Refused) as error:
        why = str(error)
        return log.add(
            Receipt("sent", to.name, file.name, mark, "failed", mark, bytes_.size, why=why)
        )
    return log.add(Receipt("sent", to.name, file.name, mark, "done", mark, bytes_.size, tries))


def _fetch(
    name: str, seen: Seen, place: Place, folder: Path, by: tuple[Receipts, Patience]
) -> Receipt:
    log, how = by
    part = folder / f".{name}.part"
    try:
        after, tries = how.times(lambda: place.get(name, part))
        if after != seen or part.stat().st_size != seen.size:
            raise Broken("it changed while it was fetched")
        bytes_ = staging.settled(part)
        _stand(part, folder / name, bytes_.digest)
    except (Broken, Refused) as error:
        part.unlink(missing_ok=True)
        return log.add(
            Receipt(
                "fetched", place.name, name, seen.mark, "failed", size=seen.size, why=str(error)
            )
        )
    except OSError as error:
        raise OutputError(f"a fetched file cannot be written: {error.strerror}") from None
    return log.add(
        Receipt("fetched", place.name, name, seen.mark, "done", bytes_.digest, seen.size, tries)
    )


def _stand(part: Path, file: Path, digest: str) -> None:
    """Put a fetched file in its place, beside others of its name unless it is one of them."""
    number = 0
    target = file
    while target.exists():
        if staging.settled(target).digest == digest:
            break
        number += 1
        target = file.with_name(f"{file.name}.{number}")
    part.replace(target)
