"""The ledger as a feed sees it: keys used once, and what each source sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapter.issues import Issue
from adapter.store import SqlStore
from tests.store.made import CIN, FEED, PLAN, Made, patient, unit
from tests.store.messages import converted, stay

EARLY, LATE = "2026-03-02T08:00:00+00:00", "2026-03-03T08:00:00+00:00"


def once(number: int, family: str = "Quillfeather", key: str = "LAB|MERCY|1", **more: Any) -> Made:
    """A unit of a sender that never gives a key twice."""
    person = patient((CIN, f"9{number:07d}A"), family=family)
    outcome, raw = unit(person, source=more.pop("source", FEED), key=key, raw=family.encode())
    outcome.unit = replace(outcome.unit, once=True)
    return outcome, raw


def status(store: SqlStore, *units: Made) -> list[str]:
    return [one.status for one in store.commit_all(list(units), EARLY)]


@pytest.mark.parametrize("together", [True, False])
def test_other_content_under_a_key_waits_for_a_person(store: SqlStore, together: bool) -> None:
    units = [once(1, "Quillfeather"), once(1, "Penhallow"), once(1, "Penhallow")]
    found = (
        status(store, *units)
        if together
        else [one for made in units for one in status(store, made)]
    )
    assert found == ["stored", "review", "review"]
    (person,) = store.each("Patient")
    assert person["name"][0]["family"] == "Quillfeather"
    assert [line.status for line in store.ledger()] == ["stored", "review"]
    assert store.ledger("review")[0].issues[-1]["details"]["coding"][0]["code"] == "key-reused"
    assert status(store, units[0], units[1]) == ["duplicate", "review"]
    assert store.raw(2) == b"Penhallow"


def test_a_key_belongs_to_its_sender(store: SqlStore) -> None:
    other = once(2, "Penhallow", source="feed:sutter")
    assert status(store, once(1), other, once(3, "Fernsby", "LAB|MERCY|2")) == ["stored"] * 3


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("unique", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("key", ["LAB|MERCY|1", "LAB|MERCY|"])
def test_a_message_is_the_same_whichever_feed_reads_it(
    store: SqlStore, unique: tuple[bool, bool], together: bool, key: str
) -> None:
    """A profile given to its sender, renamed or taken away does not make it another one."""
    units = [once(1, key=key, source=f"feed:{name}") for name in ("default", "mercy")]
    for (outcome, _), told in zip(units, unique, strict=True):
        outcome.unit = replace(outcome.unit, once=told)
    if together:
        assert status(store, *units, units[0]) == ["stored", "duplicate", "duplicate"]
    for made in [] if together else units:
        assert status(store, made) == (["stored"] if made is units[0] else ["duplicate"])
    assert [line.source for line in store.ledger()] == ["feed:default"]
    (person,) = store.each("Patient")
    assert person["meta"]["versionId"] == "1"


@pytest.mark.parametrize("name", ["feed:aaa", "feed:zed"])
def test_a_refused_message_keeps_its_line_under_another_feed(store: SqlStore, name: str) -> None:
    wrong, right = once(1), once(1, source=name)
    wrong[0].issues.append(Issue("error", "required", "absent"))
    assert status(store, wrong) == ["refused"]
    assert status(store, right, wrong) == ["stored", "duplicate"]
    assert [(line.unit, line.status) for line in store.ledger()] == [(1, "stored")]


@pytest.mark.parametrize("name", ["feed:aaa", "feed:zed"])
def test_a_message_that_waits_is_one_under_another_feed(store: SqlStore, name: str) -> None:
    """A person decides on it once, and what was refused stays out."""
    again = [once(1, "Penhallow", source=source) for source in (FEED, name, name)]
    assert status(store, once(1), again[0]) == ["stored", "review"]
    status(store, again[1])
    assert [line.unit for line in store.ledger()] == [1, 2]
    store.decide(2, "refuse", "a person", LATE)
    assert status(store, again[2]) == ["duplicate"]


@pytest.mark.parametrize("name", [FEED, "feed:aaa"])
def test_a_store_that_knows_a_message_twice(store: SqlStore, name: str) -> None:
    """As stores do that took a replay under another profile: what was stored holds."""
    again = once(1, "Penhallow", source=name)
    assert status(store, once(1), once(1, "Penhallow")) == ["stored", "review"]
    with store._engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO unit SELECT 3, hash, 'feed:zed', key, kind, file, line, as_of, received,"
            " 'stored', issues FROM unit WHERE id = 2"
        )
    assert status(store, again) == ["duplicate"]


def test_rows_of_two_plans_are_two_units(store: SqlStore) -> None:
    units = [
        unit(patient((CIN, "90000001A")), source=source, key="1", raw=b"row")
        for source in ("plan:sunrise", "plan:kaiser")
    ]
    assert status(store, *units) == ["stored", "stored"]


def test_a_key_of_a_refused_unit_is_free(store: SqlStore) -> None:
    outcome, raw = once(1, "Penhallow")
    outcome.issues.append(Issue("error", "required", "absent"))
    assert status(store, (outcome, raw), once(1)) == ["refused", "stored"]


def test_a_key_that_may_come_again(store: SqlStore) -> None:
    units = [unit(patient((CIN, "90000001A")), key="1", raw=raw) for raw in (b"a", b"b")]
    assert status(store, *units) == ["stored", "stored"]


def test_lines_are_numbered_in_order_of_arrival(store: SqlStore) -> None:
    """Also where some are refused, and some came before."""
    outcome, raw = once(1, "Penhallow")
    outcome.issues.append(Issue("error", "required", "absent"))
    again = once(2, "Fernsby", "LAB|MERCY|2")
    units = [again, (outcome, raw), again, once(3, "Quill", "LAB|MERCY|3")]
    receipts = store.commit_all(units, EARLY)
    assert [one.unit for one in receipts] == [1, 2, 1, 3]
    assert [store.raw(number) for number in (1, 2, 3)] == [b"Fernsby", b"Penhallow", b"Quill"]


def test_the_provenance_of_a_message_is_named_by_its_line(store: SqlStore) -> None:
    """Unless somebody has taken that name: then by its content."""
    taken = {"resourceType": "Provenance", "id": "000000000002", "recorded": EARLY}
    store.put(taken, EARLY)
    messages = converted(*(stay(event, hour) for hour, event in enumerate(("A01", "A08", "A03"))))
    names = [
        ref.partition("/")[2]
        for one in store.commit_all(messages, EARLY)
        for ref in one.ids.values()
        if ref.startswith("Provenance/")
    ]
    assert names[0::2] == ["000000000001", "000000000003"]
    assert names[1] == messages[1][0].entries[-1].urn.removeprefix("urn:uuid:")
    stored = store.read("Provenance", taken["id"])
    assert stored is not None
    assert (stored.version, stored.resource["recorded"]) == (1, EARLY)


def test_what_each_source_sent(store: SqlStore) -> None:
    assert store.activity(EARLY) == []
    status(store, once(1), once(1, "Penhallow"))
    store.commit(*unit(patient((CIN, "90000009A")), source=PLAN), LATE)
    found = store.activity(EARLY)
    assert [tuple(one) for one in found] == [
        (FEED, EARLY, {"stored": 1, "review": 1}),
        (PLAN, LATE, {"stored": 1}),
    ]
    assert [one.units for one in store.activity(LATE)] == [{}, {"stored": 1}]
