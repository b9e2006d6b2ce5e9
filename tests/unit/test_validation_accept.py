"""The quick yes of the check agrees with the rules that know what is wrong."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.validation import accept, r4, structure
from adapter.validation.faults import Walk

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "fixtures" / "hl7v2").rglob("expected*.json"))[::9]
TEXTS = ("", " ", "\t\n", "a\x0bb", "a\nb", "no such code", "0000-01-01", "2026-02-30")
TIMES = ("2026-02-28", "2026-04-31T08:00:00Z", "2026-04-01T08:00:00", "2026-04-01T08:00:00-07:00")
WRONG: tuple[Any, ...] = (None, [], {}, [None], [{}], 1, True, {"x": 1}, *TEXTS, *TIMES)


def resources(file: Path) -> Iterator[dict[str, Any]]:
    """The resources of an expected Bundle, or of a list of them."""
    text = json.loads(file.read_text())
    for bundle in text if isinstance(text, list) else [text]:
        for entry in (bundle or {}).get("entry", ()):
            yield entry["resource"]


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (object or list, key) inside a resource."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(pairs):
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


def both(node: dict[str, Any]) -> tuple[bool, bool]:
    """What the quick yes says, and what the rules say."""
    structure.inspect({"resourceType": node["resourceType"]})  # its type is compiled
    return accept.accepts(node, Walk()), structure._contained(node, Walk()) is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_what_is_emitted_is_accepted_and_no_mutant_is_unless_it_is_sound(file: Path) -> None:
    dice = random.Random(file.parent.name)
    for resource in resources(file):
        assert both(resource) == (True, True)
        for _ in range(30):
            mutant = copy.deepcopy(resource)
            box, key = dice.choice([p for p in places(mutant) if p[1] != "resourceType"])
            box[key] = copy.deepcopy(dice.choice(WRONG))
            quick, sound = both(mutant)
            assert quick == sound


def test_there_are_such_files() -> None:
    assert len(FILES) > 10


def test_what_is_remembered_of_hostile_sets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "_MOST", 5)
    texts = {"active": True, "gender": "female", "birthDate": "1980-01-01", "language": "en"}
    assert both({"resourceType": "Patient"}) == (True, True)
    structure._types["Patient"].asked.clear()
    for size in range(len(texts) + 1):
        for some in itertools.combinations(texts, size):
            patient = {"resourceType": "Patient", **{name: texts[name] for name in some}}
            assert both(patient) == (True, True)
            assert len(structure._types["Patient"].asked) <= 5


def test_each_element_of_a_type_has_a_bit_of_its_own() -> None:
    for name in r4.resources():
        structure.inspect({"resourceType": name})
    for of in structure._types.values():
        bits = [element.bit for element in of.elements.values()]
        assert len(set(bits)) == len(bits)
        assert all(bit.bit_count() == 1 for bit in bits)
