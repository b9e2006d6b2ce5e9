"""The API over each store, a client for it, and an intake that stands in for the pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from adapter.api import ApiSettings, UnitResult, app
from adapter.console import landing
from adapter.issues import Issue
from adapter.record import Location
from adapter.store import open as open_store
from adapter.store.protocol import Store
from tests.api.memory_store import MemoryStore

BASE = "http://127.0.0.1:8000"


class StubIntake:
    """Checks just enough to tell valid from not; loads one unit a line."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def check(self, resource: dict[str, Any]) -> list[Issue]:
        if resource.get("gender") not in (None, "female", "male", "other", "unknown"):
            return [Issue("error", "binding", "not a code of the set", path="Patient.gender")]
        if resource.get("active") is False:
            return [Issue("warning", "profile", "a rule that only warns", path="Patient.active")]
        return []

    def check_change(self, old: dict[str, Any] | None, new: dict[str, Any]) -> list[Issue]:
        if old and (old.get("status"), new.get("status")) == ("requested", "completed"):
            return [Issue("error", "transition", "not an arrow", path="Task.status")]
        return []

    def mif(self, data: bytes, plan: str, name: str) -> Iterator[UnitResult]:
        return self._lines(data, plan, name)

    def adt(self, data: bytes, feed: str, name: str) -> Iterator[UnitResult]:
        return self._lines(data, feed, name)

    def referral(self, data: bytes, form: str, name: str) -> Iterator[UnitResult]:
        return self._lines(data, form, name)

    def _lines(self, data: bytes, scope: str, name: str) -> Iterator[UnitResult]:
        for number, line in enumerate(data.splitlines(), 1):
            at = Location(name, number)
            if line.startswith(b"BAD"):
                yield UnitResult(number, "refused", (), (Issue("error", "required", "none", at),))
            elif line.startswith(b"BOOM"):
                raise RuntimeError("Invented Quillfeather 1990-01-01")
            elif line in self.seen:
                yield UnitResult(number, "duplicate", ("Patient/a",))
            else:
                self.seen.add(line)
                yield UnitResult(number, "stored", ("Patient/a", "Task/b"), key="SECRET-KEY")


def clock() -> Callable[[], datetime]:
    """A clock that moves one second a look, from a noon in a zone that is not UTC."""
    start = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    ticks = itertools.count()
    return lambda: start + timedelta(seconds=next(ticks))


def ids() -> Callable[[], str]:
    """Ids n1, n2, ..."""
    numbers = itertools.count(1)
    return lambda: f"n{next(numbers)}"


def make(store: Store, **settings: Any) -> Any:
    """The application over a store with the stub intake."""
    chosen = ApiSettings(**{"pages": {"/": landing.page}, **settings})
    return app(store, StubIntake(), chosen, clock(), ids())


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    made = open_store(f"sqlite:///{tmp_path / 'api.sqlite'}")
    yield made
    made.close()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(make(store), base_url=BASE) as made:
        yield made


def patient(**more: Any) -> dict[str, Any]:
    """An invented person."""
    name = [{"family": "Quillfeather", "given": ["Testine"]}]
    return {"resourceType": "Patient", "name": name, "birthDate": "1990-02-03", **more}
