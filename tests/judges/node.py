"""The judge ../shared/tools/validate_fhir.mjs: structure, all invariants by FHIRPath, US Core.

Its packages are installed once into .cache/ of the project. Our profile is replaced by the US Core
profile that it promises to keep, so that the promise itself is judged, for 6.1.0 and for 7.0.0.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from adapter import data

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
TOOL = SHARED / "tools" / "validate_fhir.mjs"
CACHE = ROOT / ".cache" / "fhir-validator"
VERSIONS = ("6.1.0", "7.0.0")
US_CORE = "http://hl7.org/fhir/us/core/"

Json = dict[str, Any]


@cache
def missing() -> str | None:
    """Why this judge cannot be asked here; None when it can."""
    if not TOOL.is_file():
        return "needs ../shared/tools, which is not part of the project"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "needs node and npm"
    return None if installed() else "npm could not install the validator's packages (offline?)"


def installed() -> bool:
    """Install into a folder of its own and move it in place, so that workers do not collide."""
    if (CACHE / "node_modules").is_dir():
        return True
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    (CACHE.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    fresh = Path(tempfile.mkdtemp(dir=CACHE.parent))
    shutil.copy(TOOL.with_name("validate_fhir.package.json"), fresh / "package.json")
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=fresh, capture_output=True, timeout=300, check=False)
    if done.returncode == 0 and not CACHE.exists():
        fresh.replace(CACHE)
    shutil.rmtree(fresh, ignore_errors=True)
    return (CACHE / "node_modules").is_dir()


def complaints(resources: Sequence[Json]) -> list[tuple[str, str]]:
    """(resource type, text) of every error, under both versions of US Core."""
    promised = [with_us_core(resource) for resource in resources]
    return [
        (promised[number]["resourceType"], f"node, US Core {version}: {text}")
        for version in VERSIONS
        for number, texts in enumerate(errors(promised, version))
        for text in texts
    ]


def errors(resources: Sequence[Json], version: str) -> list[list[str]]:
    """The errors of each resource under one version of US Core."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "resources.ndjson"
        lines = [json.dumps(resource) for resource in [*resources, BLANK]]
        file.write_text("\n".join(lines), encoding="utf-8")
        answer = json.loads(run(file, version))
    found = [answer[f"{file}:{number}"]["issues"] for number in range(1, len(resources) + 1)]
    return [[text(i) for i in issues if i["severity"] == "error"] for issues in found]


# one more line: the tool names lines only when a file has several
BLANK = {"resourceType": "Basic", "code": {"text": "end"}}


def run(file: Path, version: str) -> str:
    packages = SHARED / "data" / "us-core" / version
    command = ["node", TOOL, "--modules", CACHE, "--ig", packages, "--json", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False).stdout


def text(issue: Json) -> str:
    return f"{issue['path']}: {issue['message']}"


def with_us_core(value: Any) -> Any:
    """The resource with the US Core profile in place of ours, also inside a Bundle."""
    if isinstance(value, list):
        return [with_us_core(each) for each in value]
    if not isinstance(value, dict):
        return value
    same = {key: with_us_core(each) for key, each in value.items()}
    meta = same.get("meta")
    if isinstance(meta, dict) and isinstance(meta.get("profile"), list):
        urls = [bases().get(url, url) for url in meta["profile"] if isinstance(url, str)]
        same["meta"] = {**meta, "profile": urls}
    return same


@cache
def bases() -> dict[str, str]:
    """Our profiles and the US Core profiles they promise to keep."""
    files = data.path("profiles").glob("StructureDefinition-ecm-*.json")
    found = (data.json(file) for file in files)
    return {
        sd["url"]: sd["baseDefinition"] for sd in found if sd["baseDefinition"].startswith(US_CORE)
    }
