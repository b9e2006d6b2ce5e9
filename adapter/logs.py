"""The log of what runs long, on stderr: when, how grave, and what; never a value of a message."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from adapter.errors import AdapterError

_LINE = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
_LINE.converter = time.gmtime


@contextmanager
def shown() -> Iterator[None]:
    """Show our own log lines, requests too, while a command runs; those of packages stay theirs."""
    ours, screen = logging.getLogger("adapter"), logging.StreamHandler()
    before = ours.level
    screen.setFormatter(_LINE)
    ours.addHandler(screen)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(screen)
        ours.setLevel(before)


def fault(log: logging.Logger, what: str, error: Exception) -> None:
    """Write into a log what failed and where, never the text of a foreign exception."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name]
    ours = [frame for frame in frames if "adapter" in frame.filename] or frames
    where = f"{ours[-1].name}:{ours[-1].lineno}" if ours else ""
    text = str(error) if isinstance(error, AdapterError) else type(error).__name__
    log.error("%s: %s at %s", what, text, where)
