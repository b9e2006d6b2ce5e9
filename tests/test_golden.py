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
from adapter import convert, data, returned
from adapter.outcome import Outcome

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"


def _adt(file: Path, feed: str = "default") -> Iterable[Outcome]:
    return convert.adt(file.read_bytes(), file.name, feed)


def _referral(file: Path, form: str) -> Iterable[Outcome]:
    return [convert.referral(file.read_bytes(), form, file.name)]


def _mif(file: Path, plan: str, as_of: str = "") -> Iterable[Outcome]:
    return convert.rows(file, convert.member_table(plan), received=as_of)


def _services(file: Path, log: str = "canonical", as_of: str = "") -> Iterable[Outcome]:
    return convert.rows(file, convert.service_table(log), received=as_of)


def _returns(file: Path, plan: str, file_kind: str) -> Iterable[Outcome]:
    return returned.outcomes(returned.Source(file, file.name), plan, file_kind)


# The other kinds (claims, reports) start from a store: their own tests walk them.
CONVERT: dict[str, Callable[..., Iterable[Outcome]]] = {
    "mif": _mif,
    "hl7v2": _adt,
    "referral": _referral,
    "services": _services,
    "returns": _returns,
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
    assert [data.dumps(outcome.bundle) for outcome in first] == [
        data.dumps(outcome.bundle) for outcome in second
    ]


def test_the_public_functions_convert_the_same() -> None:
    member, form = FIXTURES / "mif" / "sunrise-csv", FIXTURES / "referral" / "adult"
    (table,), (answers,) = member.glob("input.*"), form.glob("input.*")
    message = next((FIXTURES / "hl7v2").rglob("input.hl7")).read_bytes()
    assert all(outcome.ok for outcome in adapter.convert_mif(table, "sunrise"))
    assert adapter.convert_adt(message).bundle == next(iter(convert.adt(message))).bundle
    by_path = adapter.convert_referral(answers, "sacramento")
    assert by_path.bundle == next(iter(_referral(answers, "sacramento"))).bundle
    by_dict = adapter.convert_referral(orjson.loads(answers.read_bytes()), "sacramento")
    assert by_dict.ok


def _convert(folder: Path, kind: str) -> list[Outcome]:
    """case.toml holds `kind` and what its function above takes besides the file."""
    options = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    assert options.pop("kind") == kind
    (source,) = folder.glob("input.*")
    return list(CONVERT[kind](source, **options))


def _row(issue: Any) -> dict[str, Any]:
    return {
        "severity": issue.severity,
        "detail": issue.detail,
        "line": issue.at.line if issue.at else None,
        "field": issue.at.field if issue.at else None,
    }


def _text(value: Any) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, lambda one: orjson.Fragment(str(one)), options).decode()
