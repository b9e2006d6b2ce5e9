"""How seldom Python looks for cycles of objects while messages stream in."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Of one message some ten thousand objects are made and none forms a cycle: with the usual
# thresholds (700, 10, 10) a fifth of the processor goes into looking, and every look at all
# objects stops the answers for a sixth of a second.
_THRESHOLDS = (50_000, 20, 100)


@cache
def seldom() -> None:
    """Leave what a server loaded at its start out of every look, and look seldom at the rest."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextmanager
def seldom_while() -> Iterator[None]:
    """Look seldom while a file streams through a command; as before when it is done."""
    before = gc.get_threshold()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
