"""Who owns an element, in tables; that order and repetition do not matter, with hypothesis."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.record import Origin, Resource
from adapter.store.fold import (
    API,
    alone,
    fold,
    merge,
    outdate,
    overwrite,
    precedence,
    recorded,
    slots,
    winners,
)
from adapter.store.packing import pack, unpack
from adapter.store.registers import WEAK, Contributions, Register, Stamp

ORDER = precedence()
SYSTEM = "https://ecm-adapter.example/fhir/sid/cin"

Unit = tuple[str, str, str, dict[str, Any], tuple[str, ...], tuple[str, ...]]


def say(
    contributions: Contributions,
    source: str,
    as_of: str,
    resource: Resource,
    *,
    tie: str = "",
    weak: tuple[str, ...] = (),
    cleared: tuple[str, ...] = (),
) -> bool:
    stamp = Stamp(as_of, tie)
    said = {name: Register(stamp, None) for name in cleared}
    for name, value in slots(resource).items():
        said[name + WEAK if name in weak else name] = Register(stamp, value)
    return merge(contributions, source, said)


def folded(*units: tuple[str, str, Resource], kind: str = "Patient") -> Resource:
    contributions: Contributions = {}
    for source, as_of, resource in units:
        say(contributions, source, as_of, resource)
    return fold(kind, contributions, ORDER)


PHONE = {"system": "phone", "value": "9165550101"}
NUMBER = {"system": SYSTEM, "value": "90000001A"}
RACE = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"}

CASES: list[tuple[str, str, list[tuple[str, str, Resource]], Resource]] = [
    ("one source, the newer", "Patient",
     [("feed:a", "2", {"gender": "male"}), ("feed:a", "1", {"gender": "female"})],
     {"gender": "male"}),
    ("absent changes nothing", "Patient",
     [("feed:a", "1", {"gender": "male"}), ("feed:a", "2", {"birthDate": "1980"})],
     {"birthDate": "1980", "gender": "male"}),
    ("a feed never replaces a plan", "Patient",
     [("plan:x", "1", {"gender": "male"}), ("feed:a", "9", {"gender": "female"})],
     {"gender": "male"}),
    ("of one rank the newer", "Patient",
     [("plan:x", "1", {"gender": "male"}), ("plan:y", "2", {"gender": "female"})],
     {"gender": "female"}),
    ("a stay's newest word wins", "Encounter",
     [("plan:x", "1", {"status": "planned"}), ("feed:a", "2", {"status": "finished"})],
     {"status": "finished"}),
    ("lists are united, the rank first", "Patient",
     [("feed:a", "9", {"name": [{"family": "B"}]}), ("plan:x", "1", {"name": [{"family": "A"}]})],
     {"name": [{"family": "A"}, {"family": "B"}]}),
    ("one source's list is replaced", "Patient",
     [("feed:a", "1", {"name": [{"family": "A"}]}), ("feed:a", "2", {"name": [{"family": "B"}]})],
     {"name": [{"family": "B"}]}),
    ("identifiers by value, the richer kept", "Patient",
     [("plan:x", "1", {"identifier": [NUMBER]}),
      ("feed:a", "1", {"identifier": [NUMBER | {"use": "official"}]})],
     {"identifier": [NUMBER | {"use": "official"}]}),
    ("telecom equal but for use", "Patient",
     [("plan:x", "1", {"telecom": [PHONE]}),
      ("feed:a", "1", {"telecom": [PHONE | {"use": "home"}]})],
     {"telecom": [PHONE | {"use": "home"}]}),
    ("extensions by url from one source", "Patient",
     [("plan:x", "1", {"extension": [RACE | {"valueString": "a"}]}),
      ("feed:a", "9", {"extension": [RACE | {"valueString": "b"}, {"url": "u"}]})],
     {"extension": [RACE | {"valueString": "a"}, {"url": "u"}]}),
    ("a choice has one type", "Patient",
     [("plan:x", "1", {"deceasedBoolean": True}),
      ("feed:a", "2", {"deceasedDateTime": "2026-01-01"})],
     {"deceasedBoolean": True}),
    ("a primitive's extension goes with it", "Patient",
     [("plan:x", "1", {"birthDate": "1980"}),
      ("feed:a", "2", {"birthDate": "1981", "_birthDate": {"id": "b"}})],
     {"birthDate": "1980"}),
    ("some lists are one value", "Encounter",
     [("feed:a", "1", {"location": [{"status": "active"}]}),
      ("feed:b", "2", {"location": [{"status": "completed"}]})],
     {"location": [{"status": "completed"}]}),
    ("profiles are united", "Patient",
     [("plan:x", "1", {"meta": {"profile": ["a"]}}), ("feed:a", "2", {"meta": {"profile": ["b"]}})],
     {"meta": {"profile": ["a", "b"]}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "units", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_who_owns_an_element(kind, units, expected) -> None:
    assert folded(*units, kind=kind) == expected
    assert folded(*reversed(units), kind=kind) == expected


def test_weak_fills_a_gap_and_never_replaces() -> None:
    said: Contributions = {}
    say(said, "feed:a", "9", {"status": "unknown"}, weak=("status",))
    assert fold("Encounter", said, ORDER) == {"status": "unknown"}
    say(said, "feed:a", "1", {"status": "finished"})
    assert fold("Encounter", said, ORDER) == {"status": "finished"}
    say(said, "feed:b", "9", {"status": "unknown"}, weak=("status",))
    assert fold("Encounter", said, ORDER) == {"status": "finished"}


def test_clearing_removes_only_the_own_value() -> None:
    said: Contributions = {}
    say(said, "feed:a", "1", {"telecom": [PHONE], "gender": "male"})
    say(said, "plan:x", "1", {"telecom": [{"system": "email", "value": "o@example.org"}]})
    say(said, "feed:a", "2", {}, cleared=("telecom", "gender"))
    assert fold("Patient", said, ORDER) == {
        "telecom": [{"system": "email", "value": "o@example.org"}]
    }
    say(said, "feed:a", "1", {"gender": "male"}, tie="older")
    assert "gender" not in fold("Patient", said, ORDER)


def test_what_the_api_takes_away_comes_back_only_newer() -> None:
    said: Contributions = {}
    say(said, "feed:a", "1", {"telecom": [PHONE], "gender": "male"})
    overwrite("Patient", said, {"gender": "female"}, Stamp("5", ""), ORDER)
    say(said, "feed:a", "4", {"telecom": [PHONE]})
    assert fold("Patient", said, ORDER) == {"gender": "female"}
    say(said, "feed:a", "6", {"telecom": [PHONE]})
    assert fold("Patient", said, ORDER) == {"gender": "female", "telecom": [PHONE]}


def test_what_the_api_left_alone_stays_with_its_source() -> None:
    said: Contributions = {}
    say(said, "feed:a", "1", {"telecom": [PHONE], "gender": "male"})
    overwrite("Patient", said, {"telecom": [PHONE], "gender": "other"}, Stamp("5", ""), ORDER)
    assert said[API].keys() == {"gender"}
    say(said, "feed:a", "6", {"telecom": []}, cleared=("telecom",))
    assert fold("Patient", said, ORDER)["gender"] == "other"


def test_winners_name_who_made_the_value() -> None:
    said: Contributions = {}
    say(said, "feed:a", "9", {"gender": "male", "name": [{"family": "B"}]})
    say(said, "plan:x", "1", {"gender": "female", "name": [{"family": "A"}]})
    assert [(name, source) for name, source, _ in winners("Patient", said, ORDER)] == [
        ("gender", "plan:x"), ("name", "plan:x"), ("name", "feed:a"),
    ]  # fmt: skip


def some_of(*items: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(items), min_size=1, max_size=3, unique_by=str)


VALUES = {
    "gender": st.sampled_from(["male", "female", "other"]),
    "birthDate": st.sampled_from(["1980", "1981-02", "1982-03-04"]),
    "deceasedBoolean": st.booleans(),
    "deceasedDateTime": st.sampled_from(["2025", "2026-01-01"]),
    "name": some_of({"family": "A"}, {"family": "B"}, {"family": "B", "use": "usual"}),
    "identifier": some_of(NUMBER, NUMBER | {"use": "old"}, {"system": "s", "value": "2"}),
    "telecom": some_of(PHONE, PHONE | {"use": "home"}, {"system": "url", "value": "x"}),
    "extension": some_of(RACE, RACE | {"valueString": "a"}, {"url": "u"}),
    "meta": st.fixed_dictionaries({"profile": some_of("p", "q")}),
}
NAMES = ("gender", "birthDate", "name", "telecom", "identifier")


@st.composite
def units(draw: st.DrawFn) -> list[Unit]:
    """Units of some sources; one source never sends two units of one instant and hash."""
    found = []
    for number in range(draw(st.integers(1, 7))):
        source = draw(st.sampled_from(["plan:x", "plan:y", "feed:a", "feed:b", "form:f", "log:l"]))
        resource = {
            name: draw(VALUES[name])
            for name in draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
        }
        weak = tuple(draw(st.sets(st.sampled_from(NAMES), max_size=2)))
        cleared = tuple(draw(st.sets(st.sampled_from(NAMES), max_size=2)) - resource.keys())
        as_of = str(draw(st.integers(1, 4)))
        found.append((source, as_of, f"{number:04d}", resource, weak, cleared))
    return found


def take(contributions: Contributions, unit: Unit) -> bool:
    source, as_of, tie, resource, weak, cleared = unit
    return say(contributions, source, as_of, resource, tie=tie, weak=weak, cleared=cleared)


def all_taken(some: list[Unit]) -> Contributions:
    contributions: Contributions = {}
    for unit in some:
        take(contributions, unit)
    return contributions


@given(units(), st.data(), st.sampled_from(["Patient", "Encounter"]))
def test_any_order_and_repetition_end_the_same(some, drawn, kind) -> None:
    expected = all_taken(some)
    again = drawn.draw(st.lists(st.sampled_from(some), max_size=5))
    found = all_taken(drawn.draw(st.permutations(some + again)))
    assert found == expected
    assert fold(kind, found, ORDER) == fold(kind, expected, ORDER)
    assert list(fold(kind, found, ORDER)) == list(fold(kind, expected, ORDER))
    assert list(winners(kind, found, ORDER)) == list(winners(kind, expected, ORDER))


@given(units())
def test_the_same_unit_again_changes_nothing(some) -> None:
    contributions = all_taken(some)
    before = copy.deepcopy(contributions)
    assert [take(contributions, unit) for unit in some] == [False] * len(some)
    assert contributions == before


@given(units(), st.sampled_from(["plan:x", "feed:a"]))
def test_older_never_overwrites_newer(some, source) -> None:
    contributions = all_taken(some)
    before = copy.deepcopy(contributions.get(source, {}))
    say(contributions, source, "0", {"gender": "unknown", "birthDate": "1900"})
    assert {name: contributions[source][name] for name in before} == before


@given(
    units(), st.fixed_dictionaries({}, optional={n: v for n, v in VALUES.items() if n != "meta"})
)
def test_an_api_write_is_what_is_read(some, wanted) -> None:
    if "deceasedBoolean" in wanted:
        wanted.pop("deceasedDateTime", None)
    contributions = all_taken(some)
    overwrite("Patient", contributions, wanted, Stamp("2", "put"), ORDER)
    found = fold("Patient", contributions, ORDER)
    found.pop("meta", None)
    assert found == wanted


@given(units(), units())
def test_a_deletion_outdates_all_before_it(some, later) -> None:
    contributions = all_taken(some)
    outdate(contributions, Stamp("4", ""))
    for unit in later:
        take(contributions, unit)
    assert fold("Patient", contributions, ORDER) == {}
    say(contributions, "feed:a", "5", {"gender": "male"})
    assert fold("Patient", contributions, ORDER) == {"gender": "male"}


@given(units())
def test_packing_keeps_everything(some) -> None:
    for said in all_taken(some).values():
        told = {
            name: register._replace(origins=(Origin(name, 3, "PID-5"),))
            for name, register in said.items()
        }
        assert unpack(pack(told).decode(), {}.__getitem__) == told


def test_a_record_is_what_its_fold_would_be() -> None:
    """What is stored as it is, and what is weighed, are one."""
    resource = {
        "resourceType": "Provenance",
        "id": "p",
        "recorded": "2026-07-01T08:00:00Z",
        "_recorded": {"id": "x"},
        "agent": [{"who": {"reference": "Organization/o"}}],
        "occurredDateTime": "2026-07-01",
        "meta": {"versionId": "4", "tag": [{"code": "a"}], "profile": ["http://p.example"]},
    }
    said = recorded(resource, Stamp("2026-07-01T08:00:00.000000", "ab"))
    folded = fold("Provenance", {"feed:a": said}, ORDER)
    assert list(alone(resource).items()) == list(folded.items())
    assert list(folded) == ["meta", "_recorded", "agent", "occurredDateTime", "recorded"]
