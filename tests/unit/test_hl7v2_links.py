"""Links between people: A24 makes one, A37 takes that one back and no other."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.outcome import Outcome
from adapter.program.encounters import replay

NOW = "2026-07-20T08:00:00Z"
PEOPLE = {"M1": "QUILLFEATHER^ODETTE||1980", "M2": "MARROWBY^TESS||1955", "M3": "PIKE^NED||1931"}


def message(event: str, hour: int, *segments: str) -> bytes:
    at = f"202607{10 + hour // 24:02d}{hour % 24:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^{event}|N{event}{hour}|P|2.5.1"
    return "\r".join([head, f"EVN|{event}|{at}", *segments, ""]).encode()


def pid(number: str, more: str = "") -> str:
    return f"PID|||{number}^^^MERCY^MR{more}||{PEOPLE[number]}0517|F"


def links(*messages: bytes, last: str = "stored", decision: str = "") -> set[tuple[str, str, str]]:
    """(number, type, number of the other) of all links after the messages, in this order.

    `last`: what becomes of the last one; `decision`: the number of whom a person says it means.
    """
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        receipts = [
            store.commit(_sent(one), raw, NOW) for raw in messages for one in convert.adt(raw)
        ]
        assert [one.status for one in receipts] == ["stored"] * (len(messages) - 1) + [last]
        if decision:
            meant = next(r["id"] for r in store.each("Patient") if _number(r) == decision)
            decided = store.decide(receipts[-1].unit, f"Patient/{meant}", "tester", NOW)
            assert decided is not None and decided.status == "stored"
        people = {f"Patient/{row['id']}": row for row in store.each("Patient")}
        return {
            (_number(row), link["type"], _number(people[link["other"]["reference"]]))
            for row in people.values()
            for link in row.get("link", ())
        }
    finally:
        store.close()


def _sent(outcome: Outcome) -> Outcome:
    """The outcome as one of the feed of its facility."""
    facility = outcome.unit.key.split("|")[1].lower()
    outcome.unit.source = f"feed:{facility}" if facility != "mercy" else outcome.unit.source
    return outcome


def _number(person: dict[str, Any]) -> str:
    return str(person["identifier"][0]["value"])


def both(one: str, other: str) -> set[tuple[str, str, str]]:
    return {(one, "seealso", other), (other, "seealso", one)}


KNOWN = [message("A28", hour, pid(number)) for hour, number in enumerate(PEOPLE)]
FIRST = message("A24", 5, pid("M1"), pid("M2"))
SECOND = message("A24", 6, pid("M3"), pid("M1"))
UNDONE = message("A37", 7, pid("M1"), pid("M2"))


def test_only_the_link_between_the_two_is_taken_back() -> None:
    assert links(*KNOWN, FIRST, SECOND) == both("M1", "M2") | both("M1", "M3")
    assert links(*KNOWN, FIRST, SECOND, UNDONE) == both("M1", "M3")


@pytest.mark.parametrize("order", list(itertools.permutations((FIRST, SECOND, UNDONE))))
def test_in_any_order(order: tuple[bytes, ...]) -> None:
    assert links(*KNOWN, *order) == both("M1", "M3")


def test_in_the_other_order_of_the_two_and_with_more_numbers() -> None:
    undone = message("A37", 7, pid("M2", "~E9^^^REGION&2.999.9&ISO^PI"), pid("M1"))
    assert links(*KNOWN, FIRST, SECOND, undone) == both("M1", "M3")


def test_linked_again() -> None:
    assert links(*KNOWN, FIRST, UNDONE, message("A24", 9, pid("M2"), pid("M1"))) == both("M1", "M2")


def test_a_merge_is_no_link_of_that_kind() -> None:
    merged = message("A40", 6, pid("M1"), "MRG|M4^^^MERCY^MR")
    two = links(*KNOWN, FIRST, merged)
    assert links(*KNOWN, FIRST, merged, UNDONE) == two - both("M1", "M2") != two


def test_nobody_is_linked_to_himself_or_unlinked_from_himself() -> None:
    for event in ("A24", "A37"):
        (outcome,) = convert.adt(message(event, 5, pid("M1"), pid("M1")))
        assert [i.detail for i in outcome.issues if i.failed] == ["contradiction"]


OTHER = "PID|||E1^^^REGION^PI||QUILLFEATHER^ODETTE||19800517|F"
WITH_OTHER = message("A28", 3, pid("M1", "~E1^^^REGION^PI"))


@pytest.mark.parametrize("order", list(itertools.permutations((FIRST, SECOND, UNDONE))))
def test_by_another_number_of_the_same_person(order: tuple[bytes, ...]) -> None:
    undone = message("A37", 7, pid("M2"), OTHER)
    told = [undone if one is UNDONE else one for one in order]
    assert links(*KNOWN, WITH_OTHER, *told) == both("M1", "M3")


def test_after_one_of_the_two_was_merged_into_another() -> None:
    merged = message(
        "A40", 6, "PID|||M4^^^MERCY^MR||MARROWBY^TESS||19550517|F", "MRG|M2^^^MERCY^MR"
    )
    found = links(*KNOWN, FIRST, SECOND, merged, UNDONE)
    assert {row for row in found if row[1] == "seealso"} == both("M1", "M3")


@pytest.mark.parametrize("alike", [pid("M2").replace("M2", "M9"), OTHER.replace("E1", "E9")])
def test_nothing_is_guessed_of_a_person_who_is_not_known(alike: str) -> None:
    undone = message("A37", 7, pid("M1"), alike)
    assert links(*KNOWN, FIRST, SECOND, undone, last="review") == both("M1", "M2") | both(
        "M1", "M3"
    )


def test_a_person_decides_who_is_meant() -> None:
    undone = message("A37", 7, pid("M1"), pid("M2").replace("M2", "M9"))
    found = links(*KNOWN, FIRST, SECOND, undone, last="review", decision="M2")
    assert found == both("M1", "M3")


def test_two_that_are_one_person_here_are_for_a_person_to_look_at() -> None:
    undone = message("A37", 7, pid("M1"), OTHER)
    assert links(*KNOWN, WITH_OTHER, undone, last="review") == set()


@pytest.mark.parametrize("late", [False, True])
def test_a_person_is_not_linked_to_himself_by_a_merge(late: bool) -> None:
    linked = message("A24", 5, pid("M1"), pid("M1").replace("M1", "M9"))
    merged = message("A40", 6, pid("M1"), "MRG|M9^^^MERCY^MR")
    told = (merged, linked) if late else (linked, merged)
    assert links(*KNOWN, *told) == {("M1", "replaces", "M9"), ("M9", "replaced-by", "M1")}


MERGED = message("A40", 8, pid("M2").replace("M2", "M4"), "MRG|M2^^^MERCY^MR")


@pytest.mark.parametrize("order", list(itertools.permutations((FIRST, UNDONE, MERGED))))
def test_late_after_one_of_the_two_was_merged(order: tuple[bytes, ...]) -> None:
    assert {row[1] for row in links(*KNOWN, *order)} == {"replaces", "replaced-by"}


def test_what_else_a_late_link_tells_is_not_lost() -> None:
    told = pid("M2") + "|||||^PRN^PH^^1^916^5550101"
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    for raw in (*KNOWN, UNDONE, MERGED, message("A24", 5, pid("M1"), told)):
        assert [store.commit(one, raw, NOW).status for one in convert.adt(raw)] == ["stored"]
    (row,) = (one for one in store.each("Patient") if "telecom" in one)
    assert [link["type"] for link in row["link"]] == ["replaces"]
    store.close()


ELSEWHERE = UNDONE.replace(b"|ADT|MERCY|", b"|ADT|GRACE|")
ALSO = message("A24", 6, pid("M1"), pid("M2")).replace(b"|ADT|MERCY|", b"|ADT|GRACE|")


def shared(*messages: bytes) -> list[bytes]:
    """The messages with numbers of an authority that means the same to every sender."""
    return [one.replace(b"^^^MERCY^", b"^^^&2.999.5&ISO^") for one in messages]


def test_who_did_not_tell_of_a_link_does_not_take_it_back() -> None:
    known = shared(*KNOWN)
    first, also, undone, elsewhere = shared(FIRST, ALSO, UNDONE, ELSEWHERE)
    assert links(*known, first, elsewhere, last="review") == both("M1", "M2")
    assert links(*known, first, also, undone, last="review") == both("M1", "M2")
    assert links(*known, elsewhere, first) == both("M1", "M2")
    later = also.replace(b"202607100600", b"202607100900")  # told again since
    assert links(*known, first, later, undone) == both("M1", "M2")
    assert links(*known, first, also, elsewhere, last="review", decision="M2") == set()
    assert links(*known, first, elsewhere, last="review", decision="M1") == set()
