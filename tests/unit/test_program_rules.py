"""Which dated rule holds for a plan and county on a day; wrong rules are refused."""

from __future__ import annotations

from datetime import date

import pytest

from adapter import data
from adapter.errors import DataFileError
from adapter.program import rules
from adapter.program.rules import Scope, find

CALLED = ("plan", "county", "day", "name")


@pytest.mark.parametrize(
    CALLED,
    [
        ("health-net", "", "2023-11-30", "dhcs"),
        ("health-net", "", "2023-12-01", "health-net"),
        ("Health-Net", "Fresno", "2026-07-13", "health-net"),
        ("health-net", "Sacramento", "2026-07-13", "sacramento"),  # plan and county: more precise
        ("health-net", "SACRAMENTO", "2022-03-13", "dhcs"),
        ("molina", "Sacramento", "2026-07-13", "sacramento"),
        ("molina", "Los Angeles", "2026-07-13", "dhcs"),
        (
            "kaiser",
            "Sacramento",
            "2026-07-13",
            "dhcs",
        ),  # the county does not serve Kaiser's members
        ("Molina-Healthcare", "Sacramento", "2026-07-13", "sacramento"),
        ("healthnet", "", "2026-07-13", "health-net"),
        ("sacramento", "", "2026-07-13", "sacramento-list"),
        ("partnership", "Solano", "2022-01-01", "partnership"),
        ("nobody", "", "2026-07-13", "dhcs"),
    ],
)
def test_the_most_precise_rule_of_a_day(plan: str, county: str, day: str, name: str) -> None:
    found = find("outreach", Scope(plan, county), date.fromisoformat(day))
    assert found is not None
    assert found.name == name


def test_no_rule_before_the_first() -> None:
    assert find("outreach", Scope("health-net"), date(2021, 12, 31)) is None


MOSTLY_EXCLUDED = "excluded, but for communicable disease and home visiting"


@pytest.mark.parametrize(
    ("name", "plan", "day", "value"),
    [
        ("county-tcm", "x", "2024-06-30", "both"),
        ("county-tcm", "x", "2024-07-01", MOSTLY_EXCLUDED),
        ("county-tcm", "x", "2025-06-30", MOSTLY_EXCLUDED),
        ("county-tcm", "x", "2025-07-01", "excluded"),
        ("county-tcm", "partnership", "2023-01-01", "excluded"),
        ("county-tcm", "sacramento", "2024-07-01", MOSTLY_EXCLUDED),
        ("smh-sud-pregnancy-clause", "x", "2025-12-31", True),
        ("smh-sud-pregnancy-clause", "x", "2026-01-01", False),
        ("share-of-cost", "health-net", "2026-01-01", "eligible"),
        ("continuity-look-back", "partnership", "2026-01-01", 6),
        ("continuity-look-back", "x", "2026-01-01", 90),
        ("modifier-gy", "sacramento", "2026-01-01", True),
    ],
)
def test_settings_where_documents_differ(name: str, plan: str, day: str, value: object) -> None:
    found = find("setting", Scope(plan), date.fromisoformat(day), name)
    assert found is not None
    assert found.values["value"] == value


@pytest.mark.parametrize("topic", sorted(rules.VALUES))
def test_every_rule_says_where_from_and_how_sure(topic: str) -> None:
    found = rules.rules(topic)
    assert found
    assert [rule.name for rule in found if not rule.source or rule.start > rule.end] == []
    assert {rule.confidence for rule in found} <= set(rules.CONFIDENCES)
    if topic != "setting":
        assert sum(not rule.plans and not rule.counties for rule in found) == 1


GOOD = 'name = "a"\nfrom = 2024-01-01\nsource = "s"\nconfidence = "confirmed"\n'
OTHER = GOOD.replace('"a"', '"b"')


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"[[caseload]]\n{GOOD}ratio = 50\n", "caseload.a"),
        ('[[caseload]]\nname = "a"\nfrom = 2024-01-01\nconfidence = "confirmed"\n', "caseload.a"),
        (f"[[caseload]]\n{GOOD.replace('confirmed', 'sure')}", "caseload.a"),
        (f'[[caseload]]\n{GOOD}like = "b"\n', "caseload.a"),
        (f"[[caseload]]\n{GOOD}[[caseload]]\n{OTHER}", "caseload.a"),
    ],
)
def test_a_wrong_rule_is_refused(tmp_path, monkeypatch, text: str, key: str) -> None:
    folder = tmp_path / "mappings" / "program"
    folder.mkdir(parents=True)
    for file in rules.FILES:
        (folder / f"{file}.toml").write_text(text if file == "care" else "", encoding="utf-8")
    monkeypatch.setattr(data, "path", lambda *parts: tmp_path.joinpath(*parts))
    for cached in (rules.rules, rules._file, rules._read):
        cached.cache_clear()
    try:
        with pytest.raises(DataFileError) as caught:
            rules.rules("caseload")
    finally:
        for cached in (rules.rules, rules._file, rules._read):
            cached.cache_clear()
    assert (caught.value.file, caught.value.key) == ("mappings/program/care.toml", key)
