"""The compiled modules are the same program: what the suite asks of messages holds of them too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
HEADER = Path(sysconfig.get_paths()["include"], "Python.h")
ASKED = (
    "store", "test_golden.py", "test_samples.py", "test_bad_input.py", "transport/test_answers.py",
    "unit/test_shared_entries.py",
)  # fmt: skip
ROOMS = ("encounters", "hl7v2", "mapping", "validation")
# Judges ask again what stands in the golden files; databases are asked on one of them; and a test
# cannot replace what one compiled module calls in another.
NOT_ASKED = (
    "not judges and not postgres and not processes and not shipped_parameters and not 200_mb"
)


def run(*args: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.skipif(
    not shutil.which(COMPILER) or not HEADER.exists(),
    reason="needs a C compiler and Python's header; the project does not",
)
def test_the_compiled_modules_pass_the_same_tests(tmp_path: Path) -> None:
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps")
    place = ("--no-build-isolation", "--target", str(tmp_path), str(ROOT))
    # what mypyc makes of the source is what is asked here; optimizing it takes twice as long
    run(*pip, *place, HATCH_BUILD_HOOK_ENABLE_CUSTOM="true", NATIVE_LEVEL="0")
    path = {"PYTHONSAFEPATH": "1", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    path |= {"HYPOTHESIS_PROFILE": "few"}  # the same properties hold of the source with all of them

    modules = [file.stem for file in (tmp_path / "adapter").glob("*/*.so")]
    assert len(modules) > 50
    told = run("-c", "import adapter.mapping.fields as one; print(one.__file__)", **path)
    assert told.strip().endswith(".so")

    units = [file for room in ROOMS for file in (ROOT / "tests/unit").glob(f"test_{room}*.py")]
    files = [*(str(ROOT / "tests" / name) for name in ASKED), *map(str, units)]
    alone = ("-p", "no:cacheprovider", "-p", "no:xdist", "-o", "pythonpath=")
    told = run("-m", "pytest", "-q", *alone, "-k", NOT_ASKED, *files, **path)
    assert " passed" in told.splitlines()[-1]
