"""The log of what runs long, on stderr: when, how grave, and what; never a value of a message."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
