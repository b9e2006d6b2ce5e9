"""The queue of messages: in order, each thing once, claimed by one, and tied to what is stored."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from adapter.program import notices
from adapter.store import SqlStore
from adapter.store.protocol import Letter
from tests.store.made import NOW
from tests.unit.test_notices import DESK, patient, roster, stay

T0, T1, T2, T9 = (f"2026-03-02T08:00:0{n}Z" for n in (0, 1, 2, 9))
STAY = {"resourceType": "Encounter", "id": "s1", "status": "in-progress", "class": {"code": "IMP"}}


def letter(number: int, **more) -> Letter:
    made = Letter(f"m{number}", "s1", "admit", T0, number, "new", "harbor", "waiting", due=T0)
    return made._replace(**{"body": "{}", **more})


def ids(letters: list[Letter]) -> list[str]:
    return [one.id for one in letters]


def test_a_changed_stay_is_told_until_it_is_seen(store: SqlStore) -> None:
    store.put(STAY, NOW)
    store.put({"resourceType": "Patient", "id": "p1"}, NOW)
    found = store.outbox.changed(10)
    assert [(one.resource["id"], one.version, one.deleted) for one in found] == [("s1", 1, False)]
    assert store.outbox.changed(10) == found
    store.outbox.seen(found)
    assert store.outbox.changed(10) == []
    store.put(STAY, NOW)  # the same again is no change
    assert store.outbox.changed(10) == []
    store.put(STAY | {"status": "finished"}, NOW)
    store.put(STAY | {"status": "onleave"}, NOW)
    assert [one.version for one in store.outbox.changed(10)] == [3]
    store.delete("Encounter", "s1", NOW)
    assert [one.deleted for one in store.outbox.changed(10)] == [True]
    store.outbox.seen([])
    store.outbox.seen(found)  # an older version
    assert len(store.outbox.changed(10)) == 1


def test_what_is_undone_was_never_changed_nor_posted(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError), store.batch():
        store.put(STAY, NOW)
        store.outbox.post(letter(1))
        assert len(store.outbox.changed(10)) == len(store.outbox.letters()) == 1
        raise ZeroDivisionError
    assert store.outbox.changed(10) == [] == store.outbox.letters()


def test_a_message_is_posted_once(store: SqlStore) -> None:
    assert store.outbox.post(letter(1))
    assert not store.outbox.post(letter(1, body="other"))
    assert not store.outbox.post(letter(1, id="other"))  # same stay, event, time and revision
    assert store.outbox.post(letter(1, id="other", at=T1))
    assert ids(store.outbox.of_stay("s1")) == ["m1", "other"]
    assert store.outbox.of_stay("s2") == []
    assert {one.body for one in store.outbox.letters("waiting")} == {""}


def test_messages_of_a_stay_go_out_in_order(store: SqlStore) -> None:
    box = store.outbox
    for one in (letter(1), letter(2), letter(3, encounter="s2"), letter(4, encounter="s3", due=T9)):
        box.post(one)
    assert box.claim("2026-03-02T07:59:59Z", T9, 10) == []
    first = box.claim(T0, T2, 10)
    assert ids(first) == ["m1", "m3"]
    assert {(one.attempts, one.body) for one in first} == {(1, "{}")}
    assert [one.attempts for one in box.of_stay("s1")] == [1, 0]
    assert box.claim(T1, T2, 10) == []  # claimed by somebody until T2
    box.settle(first[0]._replace(state="delivered", told=T1))
    assert ids(box.claim(T1, T9, 10)) == ["m2"]
    assert ids(box.claim(T2, T9, 10)) == ["m3"]  # never settled: whoever had it died
    box.settle(first[0]._replace(state="waiting"))  # delivered stays delivered
    assert ids(box.letters("delivered")) == ["m1"]
    assert ids(box.claim(T9, T9, 1)) == ["m4"]  # the least tried first
    assert ids(box.claim(T9, T9, 1)) == ["m2"]


def test_a_stopped_recipient_gets_nothing_until_it_is_retried(store: SqlStore) -> None:
    box = store.outbox
    for one in (letter(1), letter(2, encounter="s2"), letter(3, encounter="s3", recipient="bay")):
        box.post(one)
    (first, second, third) = box.claim(T0, T1, 10)
    box.settle(first._replace(state="stopped", fault="401"))
    box.settle(second._replace(state="waiting", due=T1, fault="503"))
    box.settle(third._replace(state="failed", fault="422"))
    assert box.counts() == {
        ("harbor", "stopped"): 1, ("harbor", "waiting"): 1, ("bay", "failed"): 1
    }  # fmt: skip
    assert box.claim(T9, T9, 10) == []
    assert box.retry(T2, "harbor") == 1
    assert ids(box.claim(T9, T9, 10)) == ["m1", "m2"]
    assert box.retry(T2) == 1
    assert ids(box.letters("failed")) == []


def test_each_recipient_has_its_own_order(store: SqlStore) -> None:
    box = store.outbox
    for one in (letter(1), letter(2, recipient="bay"), letter(3), letter(4, encounter="s2")):
        box.post(one)
    assert box.due(T0) == ["bay", "harbor"] and box.due("2026") == []
    assert ids(box.claim(T0, T9, 5, "bay")) == ["m2"] and box.due(T0) == ["harbor"]
    assert ids(box.claim(T0, T1, 1, "harbor")) == ["m1"]
    box.postpone("harbor", T2)
    assert box.due(T1) == [] and box.due(T2) == ["harbor"]
    assert {one.due for one in box.letters("waiting")} == {T2, T9}


def test_a_message_without_recipient_waits_for_one(store: SqlStore) -> None:
    box = store.outbox
    box.post(letter(1, recipient="", state="unaddressed"))
    assert box.claim(T9, T9, 10) == [] and box.retry(T2) == 0
    assert box.retry(T2, to="harbor") == 1
    assert [one.recipient for one in box.claim(T9, T9, 10)] == ["harbor"]


def test_another_takes_what_one_did_not_and_what_nobody_had(store: SqlStore) -> None:
    box = store.outbox
    for number, to in enumerate(("bay", "harbor", "")):
        state = "stopped" if to else "unaddressed"
        box.post(letter(number, recipient=to, state=state, encounter=f"s{number}"))
    assert box.retry(T2, "bay", to="quay") == 2
    assert ids(box.claim(T9, T9, 10, "quay")) == ["m0", "m2"]


def test_what_is_given_back_was_never_tried(store: SqlStore) -> None:
    store.put(STAY, NOW)
    store.outbox.seen(store.outbox.changed(10))
    store.outbox.post(letter(1))
    (claimed,) = store.outbox.claim(T0, T1, 1)
    store.outbox.give_back(claimed, "left")
    (found,) = store.outbox.letters("withdrawn")
    assert (found.attempts, found.fault) == (0, "left")
    assert [one.resource["id"] for one in store.outbox.changed(10)] == ["s1"]


def test_what_is_given_back_is_looked_at_again_or_waits(store: SqlStore, monkeypatch) -> None:
    """Both or neither: a message taken back whose stay nobody looks at would be lost."""

    class Broken:
        def __getattr__(self, name: str) -> None:
            raise ZeroDivisionError

    store.put(STAY, NOW)
    store.outbox.seen(store.outbox.changed(10))
    store.outbox.post(letter(1))
    (claimed,) = store.outbox.claim(T1, T2, 1)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("adapter.store.outbox.bulk", Broken())
        store.outbox.give_back(claimed, "gone")
    assert [one.state for one in store.outbox.letters()] == ["waiting"]
    store.outbox.give_back(claimed, "gone")
    assert [one.state for one in store.outbox.letters()] == ["withdrawn"]
    assert len(store.outbox.changed(10)) == 1


def test_a_message_that_goes_again_names_its_recipient(store: SqlStore) -> None:
    box = store.outbox
    box.post(letter(1, recipient="bay", state="stopped"))
    box.post(letter(2, recipient="", state="unaddressed", encounter="s2"))
    box.post(letter(3, encounter="s3"))
    assert box.retry(T2, address=lambda name, body: body + name) == 1
    assert box.retry(T2, to="quay", address=lambda name, body: body + name) == 1
    found = {one.id: one.body for one in box.claim(T9, T9, 10)}
    assert found == {"m1": "{}bay", "m2": "{}quay", "m3": "{}"}


def test_only_what_was_never_tried_is_taken_back(store: SqlStore) -> None:
    box = store.outbox
    box.post(letter(1))
    assert box.recall("m1") and not box.recall("m1") and not box.recall("m9")
    assert box.claim(T9, T9, 10) == []
    box.post(letter(2))
    box.claim(T0, T1, 1)
    assert not box.recall("m2")


def test_what_is_no_longer_true_is_taken_back(store: SqlStore) -> None:
    box = store.outbox
    for number, state in enumerate(("stopped", "failed", "delivered", "waiting")):
        box.post(letter(number, state=state, encounter=f"s{number}"))
        box.post(letter(number + 5, state=state, attempts=2, encounter=f"s{number + 5}"))
    assert [box.recall(f"m{number}") for number in range(4)] == [True, True, False, True]
    assert not any(box.recall(f"m{number}") for number in range(5, 9))  # may have gone out
    assert ids(box.letters("withdrawn")) == ["m0", "m5", "m1", "m6", "m3"]
    assert box.retry(T2) == 0


def test_what_something_was_said_of_since_does_not_go_again(store: SqlStore) -> None:
    box = store.outbox
    box.post(letter(1, state="failed", event="discharge@p1"))
    box.post(letter(2, state="delivered", event="discharge@p1", at=T1))
    box.post(letter(3, state="failed", event="discharge@p2"))
    box.post(letter(4, state="stopped", event="transfer@p1"))
    box.post(letter(5, state="failed", event="transfer@p1", at=T1))
    box.post(letter(6, state="stopped", event="transfer@p1"))
    assert box.retry(T2) == 3
    assert ids(box.letters("withdrawn")) == ["m1", "m4"]
    assert ids(box.letters("waiting")) == ["m3", "m5", "m6"]


def test_two_workers_never_get_the_same_message(opened) -> None:
    stores, got = [opened(), opened()], []
    for number in range(40):
        stores[0].outbox.post(letter(number, encounter=f"s{number}"))

    def work(box) -> None:
        while some := box.claim(T0, T9, 3):
            got.extend(ids(some))

    threads = [threading.Thread(target=work, args=(one.outbox,)) for one in stores]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(got) == sorted(f"m{number}" for number in range(40))


def test_a_database_of_before_gets_the_tables(store: SqlStore, opened) -> None:
    store.put(STAY, NOW)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE outbox")
    again = opened()
    assert again.outbox.post(letter(1)) and again.read("Encounter", "s1") is not None


def test_notices_are_derived_on_each_database(store: SqlStore) -> None:
    now = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)
    for one in (patient(), roster("90000077A"), stay("finished")):
        store.put(one, notices.stamp(now))
    assert notices.derive(store, now, DESK) == 2 and notices.derive(store, now, DESK) == 0
    events = [(one.event, one.recipient) for one in store.outbox.letters("waiting")]
    assert events == [("admit@p1", "harbor"), ("discharge@p1", "harbor")]
    assert store.search("Task", [], 0).total == 4
    first = store.outbox.claim(notices.stamp(now), T9, 9)
    assert [one.event for one in first] == ["admit@p1"]
    store.put(stay("cancelled"), notices.stamp(now))
    assert notices.derive(store, now, DESK) == 1  # the discharge had not gone out
    states = [(one.event, one.sense, one.state) for one in store.outbox.letters()]
    assert states == [
        ("admit@p1", "new", "waiting"), ("discharge@p1", "new", "withdrawn"),
        ("admit@p1", "withdrawal", "waiting"),
    ]  # fmt: skip
