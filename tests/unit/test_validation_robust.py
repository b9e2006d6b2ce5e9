"""Whatever JSON is sent, the check answers with issues and never raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.validation import bindings, check, check_unit, judge, r4
from adapter.validation.faults import DEPTH, LIMIT

TEXTS = ["", " ", "#", "#a", "urn:uuid:x", "2024-02-30", "Patient/1", "http://x.example", "\x00"]
KEYS = sorted({key.removesuffix("[x]") for table in r4.types().values() for key in table})
CHOICES = [
    "valueString",
    "valueCoding",
    "_valueString",
    "deceasedBoolean",
    "_given",
    "resourceType",
]

SOUND: dict[str, Any] = {
    "base64Binary": "aGk=",
    "boolean": True,
    "code": "a",
    "date": "2024-02-29",
    "dateTime": "0001-01-01T00:00:00.1+14:00",
    "decimal": 1.5,
    "id": "a",
    "instant": "9999-12-31T23:59:60.123456789-13:59",
    "oid": "urn:oid:1.2",
    "time": "10:00:00",
    "uuid": "urn:uuid:00000000-0000-4000-8000-000000000000",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">a</div>',
    "integer": 1,
    "positiveInt": 1,
    "unsignedInt": 0,
}


@st.composite
def sound(draw: st.DrawFn, kind: str, depth: int = 0) -> Any:
    """A value of a type whose structure is sound, its codes and invariants left to chance."""
    if kind not in r4.types():
        return SOUND.get(kind, "text")
    if kind == "Resource":
        return {"resourceType": "Basic", "code": {"text": "x"}}
    found: dict[str, Any] = {"resourceType": kind} if kind in r4.resources() else {}
    for key, row in r4.types()[kind].items():
        if row[1] or (depth < 3 and draw(st.integers(0, 4)) == 0):
            draw_element(draw, found, (key, row), depth)
    return found or {"id": "a"}


def draw_element(draw: st.DrawFn, found: Any, element: tuple[str, Any], depth: int) -> None:
    key, (kinds, _, most, *rest) = element
    kind = draw(st.sampled_from(kinds))
    name = key.replace("[x]", kind[0].upper() + kind[1:])
    if kind not in r4.types() and draw(st.integers(0, 5)) == 0:
        beside = {"extension": [{"url": "http://x.example", "valueBoolean": True}]}
        found["_" + name] = beside if most == "1" else [beside]
        return
    codes = bindings.pairs(rest[0]) if rest and rest[0] and kind == "code" else None
    value = draw(st.sampled_from(sorted(codes)))[1] if codes else draw(sound(kind, depth + 1))
    found[name] = value if most == "1" else [value]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS + CHOICES) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
PROFILES = ["patient", "organization", "care-plan", "condition", "coverage", "referral", "nothing"]
BASE = "https://ecm-adapter.example/fhir/StructureDefinition/ecm-"


@settings(max_examples=150, deadline=None)
@given(values)
def test_any_json_is_answered(value: Any) -> None:
    assert all(issue.path for issue in check(value))
    assert isinstance(check_unit([("urn:uuid:1", value)]), list)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(r4.resources())),
    st.dictionaries(st.sampled_from(KEYS + CHOICES), values, max_size=6),
    st.sampled_from(PROFILES),
)
def test_any_content_of_a_resource_is_answered(kind: str, content: Any, profile: str) -> None:
    resource = {**content, "resourceType": kind, "meta": {"profile": [BASE + profile]}}
    found = check(resource)
    assert all(issue.path and issue.path.startswith(kind) for issue in found)
    assert len(found) <= LIMIT + 1


UNSOUND = {"element-unknown", "datatype", "cardinality", "required", "resource-structure"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(r4.resources())).flatmap(sound))
def test_sound_structure_has_no_fault_of_structure(resource: Any) -> None:
    found = [issue for issue in check(resource) if issue.detail in UNSOUND]
    assert not found, found[0].path


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["Patient", "Encounter", "Bundle"]), values)
def test_the_judge_answers_any_content(kind: str, value: Any) -> None:
    assert isinstance(judge({"resourceType": kind, "extension": value}), list)


def nested(number: int, key: str) -> dict[str, Any]:
    value: dict[str, Any] = {"url": "http://x.example", "valueBoolean": True}
    for _ in range(number):
        value = {"url": "http://x.example", key: [value]}
    return value


@pytest.mark.parametrize("depth", [DEPTH, 1000, 20_000])
def test_hostile_nesting_is_an_issue(depth: int) -> None:
    found = check({"resourceType": "Patient", "extension": [nested(depth, "extension")]})
    assert "nested deeper" in " ".join(issue.text for issue in found)


def test_nested_bundles_are_bounded() -> None:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    for _ in range(500):
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": bundle}]}
    assert any("nested deeper" in issue.text for issue in check(bundle))


def test_a_flood_of_faults_is_cut_with_a_word() -> None:
    found = check({"resourceType": "Patient", "name": [{"x": 1}] * 5000})
    assert len(found) == LIMIT + 1
    assert found[-1].detail == "too-costly"
