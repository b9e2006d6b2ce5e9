"""Of a list in which something is wrong no more is left out than that: the others stay."""

from __future__ import annotations

from typing import Any

import pytest

from adapter import convert

HEAD = "MSH|^~\\&|ADT|MERCY|||20260710080000||ADT^A01|N1|P|2.5.1\rEVN||20260710080000"
WRONG = "^20300101^20200101"  # a period that ends before it begins
PERSON = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
STAY = "PV1||I|||||||||||||||||V1^^^MERCY^VN"


def told(*rows: str) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """The first resource of each type, and the warnings with their fields."""
    (outcome,) = convert.adt("\r".join((HEAD, *rows)))
    assert outcome.ok
    found: dict[str, dict[str, Any]] = {}
    for entry in outcome.entries:
        found.setdefault(entry.resource["resourceType"], entry.resource)
    issues = [one for one in outcome.issues if one.severity == "warning" and one.at]
    return found, [(one.detail, one.at.field) for one in issues if one.at]


@pytest.mark.parametrize(
    ("field", "text", "element", "key", "values"),
    [
        (3, f"M1^^^MERCY^MR^{WRONG}~M2^^^OTHER^MR", "identifier", "value", ["M1", "M2"]),
        (5, f"OAK^ODA^^^^^L^^^^{WRONG}~BUD^ODA^^^^^M", "name", "family", ["OAK", "BUD"]),
        (11, f"1 A ST^^LODI^^^^H^^^^^{WRONG}~2 B ST^^GALT", "address", "city", ["LODI", "GALT"]),
        (13, f"5550101^^PH^^^^^^^^^{WRONG}~5550102", "telecom", "value", ["5550101", "5550102"]),
    ],
)
def test_a_wrong_period(field: int, text: str, element: str, key: str, values: list[str]) -> None:
    fields = PERSON.split("|") + [""] * 10
    fields[field] = text
    found, issues = told("|".join(fields), STAY)
    assert issues == [("invariant", f"PID-{field}")]
    assert [one[key] for one in found["Patient"][element]] == values
    assert all("period" not in one for one in found["Patient"][element])
    assert "meta" in found["Patient"]  # it conforms to its profile


def test_the_others_of_a_care_team_stay() -> None:
    team = ("ROL|1|AD|CP|77^CARE^CORA|20260720|20260101", "ROL|2|AD|CP|78^CARE^CARL|20260101")
    found, issues = told(PERSON, *team, STAY)
    assert issues == [("invariant", "ROL-3")]
    first, second = found["CareTeam"]["participant"]
    assert first["member"] != second["member"]
    assert ("period" in first, "period" in second) == (False, True)


def test_a_coverage_that_ends_before_it_begins() -> None:
    found, issues = told(
        PERSON, STAY, "IN1|1|X|Y|SUNRISE||||||||20261231|20260101|||||||||||" + "|" * 12 + "Z1"
    )
    assert ("invariant", "IN1-12") in issues
    assert "period" not in found["Coverage"]
    assert found["Coverage"]["status"] == "active"
