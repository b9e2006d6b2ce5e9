"""What tests of the transport share: a pipeline on a new store, and invented messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter import store as stores
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline

NOW = datetime(2026, 7, 13, 15, 0, tzinfo=UTC)


def message(
    number: int,
    event: str = "A04",
    *,
    person: int | None = None,
    application: str = "REGISTRATION",
    family: str = "QUILLFEATHER",
    msh: str = "P|2.5.1",
) -> bytes:
    """An invented message: its control id, and a person and a stay of that number."""
    who = number if person is None else person
    rows = [
        f"MSH|^~\\&|{application}|MERCYTEST|ECMHUB|HARBOR|20260705083000-0700||ADT^{event}^ADT_A01"
        f"|M{number:06d}|{msh}",
        f"EVN|{event}|20260705083000-0700",
        f"PID|1||R{who:06d}^^^MERCYTEST^MR~9{who:07d}A^^^MEDI-CAL^MA||{family}^ODETTE||19800517|F"
        "|||1 LANTERN ROW^^SACRAMENTO^CA^95814",
        f"PV1|1|E|ED^1^A^MERCYTEST||||||||||||||||V{number:06d}^^^MERCYTEST^VN",
    ]
    return "\r".join([*rows, ""]).encode()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline on an empty SQLite file; the clock stands still."""
    store = stores.open(f"sqlite:///{tmp_path / 'feed.sqlite'}", resolve, timeout=1.0)
    yield Pipeline(store, lambda: NOW, frozenset("P"))
    store.close()


def fields(answer: bytes) -> dict[str, list[str]]:
    """The last segment of each name of an answer, split: `["MSA"][1]` is MSA-1."""
    rows = [row.split("|") for row in answer.decode("latin-1").split("\r") if row]
    return {row[0]: row for row in rows}


Ids = Callable[[str], set[str]]
