"""What every test shares: fixed random choices, a zone that is nobody's, and where ../shared is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Neither UTC nor California: a time read or written in the machine's zone shows at once.
os.environ["TZ"] = "Asia/Kolkata"
time.tzset()
os.umask(0o022)  # permissive, so that a test of private files proves the code, not the shell
for _name in [name for name in os.environ if name.startswith("ECM_")]:
    del os.environ[_name]  # settings of the developer's shell

# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones, `few` asks again.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("few", settings.get_profile("fixed"), max_examples=20)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of domain facts and samples beside the project; without it the test skips."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared, which is not part of the project")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run the test from an empty folder that is not the project's root."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
