"""What is handed out works elsewhere: locks that name no host, a wheel that carries its data."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA_FOLDERS = ("fixtures", "mappings", "profiles", "terminology")
LOCKS = ("requirements.txt", "requirements-dev.txt")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^ ;\\]+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(lock: str) -> dict[str, str]:
    """Name -> version of every pin of a lock file."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for match in map(PIN.match, lines) if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pins_and_hashes_and_nothing_else(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []
    after_pins = [lines[i + 1] for i, line in enumerate(lines) if PIN.match(line)]
    assert after_pins
    assert [line for line in after_pins if not HASH.match(line)] == []


def test_the_locks_agree_and_cover_what_is_declared() -> None:
    run, dev = (pins(lock) for lock in LOCKS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert run.items() <= dev.items()
    assert names(project["dependencies"] + extras["build"]) <= run.keys()
    assert names(extras["test"]) <= dev.keys()
    assert "pytest" not in run


def names(requirements: list[str]) -> set[str]:
    bare = (re.split(r"[\[<>=; ]", line, maxsplit=1)[0] for line in requirements)
    return {re.sub(r"[._]", "-", name.lower()) for name in bare}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel in it; the dependencies are those of this run."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def pip(*args: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *args],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def run(installed: Path, cwd: Path, code: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run code that sees the installed wheel before the checkout, from another folder."""
    start = f"import sys; sys.path.insert(0, {str(installed)!r}); "
    return subprocess.run(
        [sys.executable, "-P", "-c", start + code, *args], cwd=cwd, capture_output=True, text=True
    )


def test_the_wheel_carries_the_data(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        f"adapter/shipped/{file.relative_to(ROOT).as_posix()}"
        for folder in DATA_FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    }
    assert shipped
    assert shipped - inside == set()
    assert [name for name in inside if name.startswith("tests/")] == []


def test_the_wheel_finds_its_data_from_any_folder(installed: Path, tmp_path: Path) -> None:
    code = "from adapter import data; print(data.path('mappings'))"
    done = run(installed, tmp_path, code)
    assert done.stderr == ""
    assert Path(done.stdout.strip()) == installed / "adapter" / "shipped" / "mappings"
    assert Path(done.stdout.strip()).is_dir()


def test_the_wheel_converts_a_message(installed: Path, tmp_path: Path) -> None:
    message = ROOT / "fixtures" / "hl7v2" / "a01-inpatient" / "input.hl7"
    code = "from adapter.cli import main; sys.exit(main())"
    done = run(installed, tmp_path, code, "convert", "adt", str(message))
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith('{"resourceType":"Bundle"')
