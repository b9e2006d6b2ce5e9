"""What a feed's messages come to in the store, in any order: stays, lists, absent and null."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import store as stores
from adapter import validation
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay
from adapter.store import SqlStore
from tests.store.messages import NOW, contents, converted, message, pid, pv1, stay, the

NAMESPACE = uuid.UUID(int=4)
KINDS = ("Patient", "Encounter", "Condition", "RelatedPerson", "AllergyIntolerance", "Coverage")


def fresh() -> SqlStore:
    return stores.open("sqlite://", resolve, NAMESPACE, 5, replay, may_merge)


def load(store: Any, *messages: bytes) -> None:
    for made in converted(*messages):
        assert store.commit(*made, NOW).status in ("stored", "duplicate")


def loaded(*messages: bytes) -> dict[str, list[dict[str, Any]]]:
    store = fresh()
    load(store, *messages)
    found = contents(store, *KINDS)
    store.close()
    return found


def one(found: dict[str, list[dict[str, Any]]], kind: str) -> dict[str, Any]:
    (resource,) = found[kind]
    return resource


# --- stays

ADMIT = stay("A01", 8, occurred=8, here="W1^101^A", start=8, source="7")
MOVE = stay("A02", 10, occurred=10, here="W2^201^B", came="W1^101^A")
LEAVE = stay("A03", 20, occurred=20, here="W2^201^B", left="01", end=20)
STORY = [
    stay("A05", 2, cls="P", here="W1^101^A"), ADMIT, MOVE, stay("A08", 12, here="W2^201^B"), LEAVE,
    stay("A13", 22, occurred=20, here="W2^201^B"), stay("A08", 23, here="W2^201^B"),
    stay("A03", 40, occurred=39, here="W2^201^B", left="06", end=39),
]  # fmt: skip


def test_a_stay_is_told_on_both_databases(store) -> None:
    load(store, *reversed(STORY))
    found = the(store, "Encounter")
    assert found["status"] == "finished"
    assert [row["status"] for row in found["statusHistory"]] == [
        "planned", "in-progress", "finished", "in-progress",
    ]  # fmt: skip
    assert [row["class"]["code"] for row in found["classHistory"]] == ["PRENC"]
    assert [row["status"] for row in found["location"]] == ["completed", "completed"]
    disposition = found["hospitalization"]["dischargeDisposition"]["coding"]
    assert {row["code"] for row in disposition} >= {"06"}
    assert "admitSource" in found["hospitalization"]
    assert found["period"] == {
        "start": "2026-07-05T08:00:00-07:00", "end": "2026-07-06T15:00:00-07:00",
    }  # fmt: skip
    assert [issue for issue in validation.check(found) if issue.failed] == []
    fields = {row.element: row.field for row in store.trace("Encounter", found["id"])}
    assert (fields["location"], fields["period"]) == ("PV1-3", "PV1-45")


EVENTS = ["A01", "A02", "A03", "A04", "A06", "A07", "A08", "A11", "A12", "A13", "A21", "A22", "A28"]


@st.composite
def stories(draw: st.DrawFn) -> list[bytes]:
    """Up to six real messages of a stay, with relatives and diagnoses."""
    hours = draw(st.lists(st.integers(0, 30), min_size=2, max_size=6, unique=True))
    found = []
    for hour in hours:
        event = draw(st.sampled_from(EVENTS))
        more = draw(
            st.lists(
                st.sampled_from([
                    "NK1|1|QUILLFEATHER^TOBIAS|SPO", "NK1|2|MARROWBY^TESS|PAR",
                    "DG1|1||R07.9^Chest pain^I10|||A", "DG1|2||I10^Hypertension^I10|||A",
                    "AL1|1|DA|70618^Penicillin^RXNORM", 'NK1|1|""',
                ]), max_size=3, unique=True,
            )
        )  # fmt: skip
        says = draw(
            st.fixed_dictionaries(
                {"cls": st.sampled_from("IEO"), "here": st.sampled_from(["W1", "W2"])},
                optional={"end": st.just(hour), "left": st.sampled_from(["01", '""'])},
            )
        )
        person = pid(f13=draw(st.sampled_from(["", '""', "^PRN^PH^^1^916^5550101"])))
        segments = sorted(more, key=lambda text: "NK1 PV1 AL1 DG1".index(text[:3]))
        before = [text for text in segments if text[:3] == "NK1"]
        after = [text for text in segments if text[:3] != "NK1"]
        visit = [] if event == "A28" else [pv1(**says)]
        found.append(message(event, hour, person, *before, *visit, *after))
    return found


@settings(deadline=None, max_examples=40)
@given(stories(), st.data())
def test_any_order_and_repetition_of_messages_ends_the_same(story, drawn) -> None:
    expected = loaded(*story)
    again = drawn.draw(st.lists(st.sampled_from(story), max_size=2))
    assert loaded(*drawn.draw(st.permutations(story + again))) == expected
    for rows in expected.values():
        for resource in rows:
            assert [issue for issue in validation.check(resource) if issue.failed] == []


def test_lost_updates_lose_no_state() -> None:
    whole = one(loaded(*STORY), "Encounter")
    kept = one(loaded(*(text for text in STORY if b"ADT^A08" not in text)), "Encounter")
    assert whole == kept


def test_what_a_person_wrote_stands_until_something_newer_is_told() -> None:
    store = fresh()
    load(store, ADMIT)
    written = {**the(store, "Encounter"), "status": "cancelled"}
    store.put(written, "2026-07-05T16:00:00Z")  # 9 o'clock there
    load(store, stay("A08", 10, here="W1^101^A"))
    assert the(store, "Encounter")["status"] == "cancelled"
    load(store, LEAVE)
    assert the(store, "Encounter")["status"] == "finished"


def test_a_deletion_outdates_what_was_told_before() -> None:
    store = fresh()
    load(store, ADMIT)
    found = the(store, "Encounter")
    store.delete("Encounter", found["id"], "2026-07-05T20:00:00Z")  # 13 o'clock there
    load(store, MOVE)
    assert store.read("Encounter", found["id"]).resource.get("status") is None
    load(store, LEAVE)
    again = the(store, "Encounter")
    assert again["status"] == "finished" and "statusHistory" not in again


@pytest.mark.parametrize("event", ["A28", "A31"])
def test_person_events_touch_the_person_only(event) -> None:
    before = loaded(ADMIT)
    after = loaded(ADMIT, message(event, 12, pid(f8="M"), pv1(cls="N")))
    assert after["Encounter"] == before["Encounter"]
    assert after["Patient"][0]["gender"] == "male"


# --- absent and null

HOME, WORK = "^PRN^PH^^1^916^5550101", "^WPN^PH^^1^916^5550102"


def phones(person: dict[str, Any]) -> list[str]:
    return sorted(row["use"] for row in person.get("telecom", ()))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["home", "work"]),
        ({"f13": HOME}, ["home", "work"]),
        ({"f13": '""'}, ["work"]),
        ({"f14": '""'}, ["home"]),
        ({"f13": '""', "f14": '""'}, []),
    ],
)
def test_absent_telephones_stay_and_null_ones_go(fields, expected) -> None:
    first = message("A28", 5, pid(f13=HOME, f14=WORK))
    later = message("A31", 6, pid(**fields))
    assert phones(one(loaded(first, later), "Patient")) == expected
    assert phones(one(loaded(later, first), "Patient")) == expected


def urls(person: dict[str, Any]) -> set[str]:
    return {row["url"].rpartition("/")[2] for row in person.get("extension", ())}


@pytest.mark.parametrize(
    ("fields", "gone"),
    [({}, ""), ({"f17": '""'}, "patient-religion"), ({"f10": '""'}, "us-core-race")],
)
def test_each_extension_by_itself(fields, gone) -> None:
    first = message("A28", 5, pid(f10="2106-3^White^CDCREC", f17="BUD"))
    found = urls(one(loaded(first, message("A31", 6, pid(**fields))), "Patient"))
    assert found == {"us-core-race", "patient-religion"} - {gone}


def test_what_a_discharge_leaves_out_of_the_stay_stays() -> None:
    """A doctor, the source of the admission and an end told by different messages."""
    first = stay("A01", 8, start=8, source="7", doctor="D1^FERNFIELD^OTTOLINE")
    second = message("A03", 20, pid(), "|".join(["PV1", "1", "I", *[""] * 5, "D2^MOSSBANK^IVO",
                     *[""] * 10, "V1^^^MERCY^VN", *[""] * 16, "01"]))  # fmt: skip
    found = one(loaded(second, first), "Encounter")
    kinds = [row["type"][0]["coding"][0]["code"] for row in found["participant"]]
    assert sorted(kinds) == ["ATND", "REF"]
    assert set(found["hospitalization"]) == {"admitSource", "dischargeDisposition"}


def test_a_null_in_a_stay_takes_its_own_part_only() -> None:
    null = stay("A08", 21, left='""')
    found = one(loaded(ADMIT, LEAVE, null), "Encounter")
    assert set(found["hospitalization"]) == {"admitSource"}
    assert found["status"] == "finished" and "end" in found["period"]


def test_identifiers_are_kept_whoever_leaves_them_out() -> None:
    first = message("A28", 5, pid(f3="M1^^^MERCY^MR~90000001A^^^MEDI-CAL^MA"))
    found = one(loaded(first, message("A31", 6, pid("M1"))), "Patient")
    assert [row["value"] for row in found["identifier"]] == ["90000001A", "M1"]


# --- lists

TOBIAS, TESS = "NK1|1|QUILLFEATHER^TOBIAS|SPO", "NK1|2|MARROWBY^TESS|PAR"


def relatives(found: dict[str, list[dict[str, Any]]]) -> dict[str, bool]:
    return {row["name"][0]["given"][0]: row["active"] for row in found["RelatedPerson"]}


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([[TOBIAS, TESS], [TESS]], {"TOBIAS": False, "TESS": True}),
        ([[TOBIAS], []], {"TOBIAS": True}),
        ([[TOBIAS], ['NK1|1|""']], {"TOBIAS": False}),
        ([[TOBIAS], [TESS], [TOBIAS]], {"TOBIAS": True, "TESS": False}),
        ([[TOBIAS], [TESS], []], {"TOBIAS": False, "TESS": True}),
    ],
)
def test_a_list_takes_the_place_of_the_one_before(lists, expected) -> None:
    told = [message("A31", 5 + n, pid(), *segments) for n, segments in enumerate(lists)]
    for order in itertools.permutations(told):
        assert relatives(loaded(*order)) == expected


def test_allergies_and_insurances_are_withdrawn_too() -> None:
    allergy = "AL1|{}|DA|{}^RXNORM"
    cover = "IN1|1|MCAL|{}|{}|" + "|" * 30 + "SHP1"
    first = message("A31", 5, pid(), allergy.format(1, "70618^Penicillin"),
                    cover.format("SUN", "SUNRISE"))  # fmt: skip
    second = message("A31", 6, pid(), allergy.format(1, "1191^Aspirin"),
                     cover.format("KERN", "KERN HEALTH"))  # fmt: skip
    for order in ((first, second), (second, first)):
        found = loaded(*order)
        states = {
            row["code"]["coding"][0]["display"]: row["clinicalStatus"]["coding"][0]["code"]
            for row in found["AllergyIntolerance"]
        }
        assert states == {"Penicillin": "inactive", "Aspirin": "active"}
        assert sorted(row["status"] for row in found["Coverage"]) == ["active", "cancelled"]


def test_one_plan_that_two_hospitals_name_is_one_valid_coverage(store) -> None:
    """Each has its own name for the number; a coverage has one (US Core, slice memberid)."""
    insured = f"IN1|1|MCAL|X|SUNRISE HEALTH{'|' * 32}SHP123"
    for number, house in enumerate(("MERCY", "SUTTER")):
        who = pid(f3=f"M{number}^^^MERCY^MR~90000001A^^^MEDI-CAL^MA")
        raw = message("A01", 7 + number, who, pv1(visit=f"V{number}"), insured)
        (made,) = converted(raw.replace(b"MERCY", house.encode()))
        assert store.commit(*made, NOW).status == "stored"
    (coverage,) = store.each("Coverage")
    assert validation.check(coverage) == [] and coverage["subscriberId"] == "SHP123"
    assert [one["value"] for one in coverage["identifier"]] == ["MCAL", "MCAL", "SHP123"]


def test_what_another_sender_says_is_not_withdrawn() -> None:
    store = fresh()
    load(store, message("A31", 5, pid(), "AL1|1|DA|70618^Penicillin^RXNORM"))
    (other,) = converted(message("A31", 6, pid(), "AL1|1|DA|70618^Penicillin^RXNORM"))
    other[0].unit.source = "feed:other"
    store.commit(*other, NOW)
    load(store, message("A31", 7, pid(), "AL1|1|DA|1191^Aspirin^RXNORM"))
    states = {
        row["code"]["coding"][0]["display"]: row["clinicalStatus"]["coding"][0]["code"]
        for row in store.each("AllergyIntolerance")
    }
    assert states == {"Penicillin": "active", "Aspirin": "active"}


PAIN, PRESSURE = "DG1|1||R07.9^Chest pain^I10|||A", "DG1|2||I10^Hypertension^I10|||A"


def coded(row: str, action: str) -> str:
    fields = row.split("|")
    return "|".join([*fields, *[""] * (21 - len(fields)), action])


def diagnoses(found: dict[str, list[dict[str, Any]]]) -> set[str]:
    names = {f"Condition/{row['id']}": row["code"]["coding"][0]["code"]
             for row in found["Condition"]}  # fmt: skip
    rows = one(found, "Encounter").get("diagnosis", ())
    return {names[row["condition"]["reference"]] for row in rows}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([PAIN, PRESSURE], [PAIN], {"R07.9"}),
        ([PAIN, PRESSURE], [], {"R07.9", "I10"}),
        ([PAIN], [coded(PRESSURE, "A")], {"R07.9", "I10"}),
        ([PAIN, PRESSURE], [coded(PAIN, "D")], {"I10"}),
        ([PAIN], [coded(PAIN, "D")], set()),
        ([PAIN], [coded(PAIN, "U")], {"R07.9"}),
    ],
    ids=["whole list", "no list", "added", "taken back", "the only one", "changed"],
)
def test_diagnoses_of_a_stay(first, second, expected) -> None:
    told = [message("A08", 8 + n, pid(), pv1(), *rows) for n, rows in enumerate((first, second))]
    for order in (told, told[::-1]):
        found = loaded(*order)
        assert diagnoses(found) == expected
        assert {row["code"]["coding"][0]["code"] for row in found["Condition"]} >= expected
