"""The log of deliveries: what went where and came from where, a line each, never rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from adapter import data
from adapter.errors import OutputError
from adapter.pipeline import Clock

Way = Literal["sent", "fetched"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one file.

    `mark`    what makes it this file and no other: SHA-256 of what was sent; size and time of
              change of what lay at the other side
    `status`  `done`, `already` (an earlier receipt says so), or `failed`; `why` in that case
    """

    way: Way
    place: str
    file: str
    mark: str
    status: Literal["done", "already", "failed"]
    digest: str = ""
    size: int = 0
    tries: int = 0
    why: str = ""


class Receipts:
    """The log in a file that only its owner may read."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file, self._clock = file, clock
        try:
            self._done = {(r["way"], r["place"], r["file"], r["mark"]) for r in self._lines()}
        except OSError as error:
            raise OutputError(f"the receipt log cannot be read: {error.strerror}") from None

    def has(self, way: Way, place: str, name: str, mark: str) -> bool:
        """Whether this very file went there, or came from there, before."""
        return (way, place, name, mark) in self._done

    def add(self, receipt: Receipt) -> Receipt:
        """Write a receipt down, on the disk before this returns. Raises OutputError."""
        at: datetime = self._clock()
        line = data.dumps({"at": at.isoformat(), **asdict(receipt)}) + b"\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(number, "ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"the receipt log cannot be written: {error.strerror}") from None
        if receipt.status == "done":
            self._done.add((receipt.way, receipt.place, receipt.file, receipt.mark))
        return receipt

    def _lines(self) -> Iterator[dict[str, str]]:
        """Receipts of what was done; half a line, of a process that died, is none."""
        if not self._file.is_file():
            return
        for line in self._file.read_bytes().splitlines():
            try:
                row = data.loads(line)
            except ValueError:
                continue
            if row.get("status") == "done":
                yield row
