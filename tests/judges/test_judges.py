"""The good resources pass every judge, and every mutant of them is caught by our check."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter.validation import check, profiles
from tests.judges import assert_valid, complaints, node
from tests.judges.mutants import CHANGES, Mutant, mutants

GOOD = sorted((Path(__file__).parent / "good").glob("*.json"))
NODE_MUTANTS = 200  # of some 5000; each costs node 10 ms and more


def load(file: Path) -> Any:
    return orjson.loads(file.read_bytes())


@cache
def wrong() -> list[Mutant]:
    return [mutant for file in GOOD for mutant in mutants(load(file))]


@pytest.mark.parametrize("file", GOOD, ids=[file.stem for file in GOOD])
def test_no_judge_in_python_complains(file: Path) -> None:
    assert complaints(load(file)) == []


@pytest.mark.judge
def test_every_judge_accepts_the_good_ones() -> None:
    if reason := node.missing():
        pytest.skip(reason)
    assert_valid(load(file) for file in GOOD)


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_every_mutant_is_caught(change: str) -> None:
    some = [mutant.resource for mutant in wrong() if mutant.change == change]
    assert some
    assert [each for each in some if not any(issue.failed for issue in check(each))] == []


@pytest.mark.judge
def test_what_node_catches_we_catch() -> None:
    if reason := node.missing():
        pytest.skip(reason)
    some = wrong()[:: len(wrong()) // NODE_MUTANTS]
    theirs = node.errors([node.with_us_core(mutant.resource) for mutant in some], "6.1.0")
    caught = [mutant for mutant, errors in zip(some, theirs, strict=True) if errors]
    assert len(caught) > len(some) * 0.9
    assert kinds([mutant for mutant in caught if not check(mutant.resource)]) == {}


def kinds(some: list[Mutant]) -> dict[str, int]:
    return dict(Counter(mutant.change for mutant in some))


def promises(resource: dict[str, Any]) -> bool:
    """Whether a resource states one of our profiles."""
    stated = resource.get("meta", {}).get("profile", ())
    return any(url.startswith(profiles.BASE) for url in stated)


PROMISED = [file for file in GOOD if promises(load(file))]


@pytest.mark.judge
def test_what_us_core_misses_our_profiles_miss() -> None:
    """Every element taken away: where US Core complains, our profile does."""
    if reason := node.missing():
        pytest.skip(reason)
    some = [less for file in PROMISED for less in without_one(load(file))]
    for version in node.VERSIONS:
        theirs = node.errors([node.with_us_core(less) for less in some], version)
        pairs = zip(some, theirs, strict=True)
        assert [errors for less, errors in pairs if errors and not check(less)] == []


def without_one(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The resource without one element, of the first two levels."""
    names = [key for key in resource if key not in ("resourceType", "meta")]
    found = [{k: v for k, v in resource.items() if k != name} for name in names]
    for name in names:
        first = resource[name][0] if isinstance(resource[name], list) else resource[name]
        if isinstance(first, dict):
            for key in first:
                less = {k: v for k, v in first.items() if k != key}
                value = [less, *resource[name][1:]] if isinstance(resource[name], list) else less
                found.append({**resource, name: value})
    return found
