"""What a store remembers between transactions never outlives what others write."""

from __future__ import annotations

import pytest

from adapter.errors import StoreError
from adapter.store import SqlStore
from adapter.store.memory import Memory
from tests.store.made import CIN, NOW, Made, patient, row, unit


def told(family: str, day: int) -> Made:
    person = patient((CIN, "90000001A"), family=family)
    return unit(person, as_of=f"2026-03-{day:02d}T00:00:00Z")


def family(store: SqlStore) -> str:
    (person,) = store.each("Patient")
    return str(person["name"][0]["family"])


def test_two_stores_see_what_the_other_wrote(opened) -> None:
    stores = [opened(), opened()]
    for day in range(1, 13):
        store = stores[day % 2]
        assert store.commit(*told(f"Quill{day}", day), NOW).status == "stored"
        assert {family(one) for one in stores} == {f"Quill{day}"}
        (person,) = store.each("Patient")
        assert person["meta"]["versionId"] == str(day)


def test_an_older_word_of_the_other_does_not_win(opened) -> None:
    one, two = opened(), opened()
    one.commit(*told("Quill", 5), NOW)
    two.commit(*told("Penhallow", 3), NOW)
    one.commit(*told("Fernsby", 4), NOW)
    assert family(one) == family(two) == "Quill"


def test_what_was_undone_is_forgotten(store: SqlStore) -> None:
    store.commit(*told("Quill", 1), NOW)
    with pytest.raises(ZeroDivisionError), store.batch():
        store.commit(*told("Penhallow", 2), NOW)
        raise ZeroDivisionError
    assert family(store) == "Quill"
    store.commit(*told("Fernsby", 3), NOW)
    (person,) = store.each("Patient")
    assert (family(store), person["meta"]["versionId"]) == ("Fernsby", "2")


def test_writes_by_id_and_units_share_what_is_remembered(store: SqlStore) -> None:
    store.commit(*told("Quill", 1), NOW)
    (person,) = store.each("Patient")
    store.put({**person, "active": True}, NOW)
    store.commit(*told("Penhallow", 2), NOW)
    (person,) = store.each("Patient")
    assert (person["active"], family(store)) == (True, "Penhallow")
    assert store.delete("Patient", person["id"], NOW) is not None
    assert store.search("Patient", [], 0).total == 0
    with pytest.raises(StoreError):
        store.put({"resourceType": "Patient"}, NOW)
    again = store.read("Patient", person["id"])
    assert again is not None and again.deleted


def test_it_does_not_grow(store: SqlStore) -> None:
    store._memory = Memory(10)
    for number in range(20):
        store.commit(*row(number), NOW)
    assert len(store._memory._known) == 10
    assert store.search("Patient", [], 0).total == 20
