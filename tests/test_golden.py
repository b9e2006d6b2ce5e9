"""What each shipped input becomes: every folder of fixtures/ with a case.toml, compared in full.

`UPDATE_GOLDEN=1` rewrites expected.json and issues.json; the diff is the review.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

import adapter
from adapter.outcome import Outcome

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"


def _adt(file: Path, options: dict[str, Any]) -> Iterable[Outcome]:
    return [adapter.convert_adt(file.read_bytes(), **options)]


def _referral(file: Path, options: dict[str, Any]) -> Iterable[Outcome]:
    return [adapter.convert_referral(file, **options)]


def _mif(file: Path, options: dict[str, Any]) -> Iterable[Outcome]:
    return adapter.convert_mif(file, **options)


def _services(file: Path, options: dict[str, Any]) -> Iterable[Outcome]:
    return adapter.convert_services(file, **options)


# The other kinds (claims, reports) start from a store: their own tests walk them.
CONVERT: dict[str, Callable[[Path, dict[str, Any]], Iterable[Outcome]]] = {
    "mif": _mif,
    "hl7v2": _adt,
    "referral": _referral,
    "services": _services,
}
CASES = sorted(
    file.parent.relative_to(FIXTURES).as_posix()
    for kind in CONVERT
    for file in (FIXTURES / kind).rglob("case.toml")
)


def test_every_kind_has_a_case() -> None:
    assert {case.partition("/")[0] for case in CASES} == CONVERT.keys()


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    folder = FIXTURES / case
    outcomes = _convert(folder, case.partition("/")[0])
    actual = {
        "expected.json": _text([outcome.bundle for outcome in outcomes]),
        "issues.json": _text([_row(issue) for outcome in outcomes for issue in outcome.issues]),
    }
    if os.environ.get("UPDATE_GOLDEN") == "1":
        for name, text in actual.items():
            (folder / name).write_text(text, encoding="utf-8")
    for name, text in actual.items():
        assert text == (folder / name).read_text(encoding="utf-8"), name
        assert str(ROOT) not in text


@pytest.mark.parametrize("case", CASES)
def test_the_same_input_gives_the_same_bytes(case: str) -> None:
    kind = case.partition("/")[0]
    first, second = (_convert(FIXTURES / case, kind) for _ in range(2))
    assert orjson.dumps([outcome.bundle for outcome in first]) == orjson.dumps(
        [outcome.bundle for outcome in second]
    )


def _convert(folder: Path, kind: str) -> list[Outcome]:
    """case.toml holds `kind` and the keyword arguments of the kind's `adapter.convert_*`."""
    options = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    assert options.pop("kind") == kind
    (source,) = folder.glob("input.*")
    return list(CONVERT[kind](source, options))


def _row(issue: Any) -> dict[str, Any]:
    return {
        "severity": issue.severity,
        "detail": issue.detail,
        "line": issue.at.line if issue.at else None,
        "field": issue.at.field if issue.at else None,
    }


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
