"""What a care team is told and asked to do: once for each event of a stay, whatever came when."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import store as stores
from adapter.identity.match import resolve
from adapter.mapping import notification
from adapter.pipeline import Pipeline
from adapter.program import notices, rosters, stays
from adapter.program.encounters import replay
from adapter.program.stays import Event, events, rules
from adapter.settings import Recipient
from adapter.store import SqlStore
from adapter.store.protocol import Letter
from tests.judges import assert_valid

Json = dict[str, Any]
NOW = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CIN = "https://ecm-adapter.example/fhir/sid/cin"
BAY = Recipient("bay", "https://bay.example/fhir", plan="sunset")
HARBOR = Recipient("harbor", "https://harbor.example/fhir", plan="sunrise", provider="1234567893")
US = {"name": "Harbor Light Care Collaborative", "npi": "1234567893"}


def coding(code: str) -> Json:
    return {"system": ACT, "code": code}


def stay(status: str = "in-progress", code: str = "IMP", **more: Any) -> Json:
    period = {"start": "2026-07-05T08:15:00-07:00"}
    if status == "finished":
        period["end"] = "2026-07-08T16:05:00-07:00"
    made = {"resourceType": "Encounter", "id": "s1", "status": status, "class": coding(code)}
    return {**made, "subject": {"reference": "Patient/p1"}, "period": period, **more}


def at(place: str, status: str = "active", start: str = "") -> Json:
    period = {"period": {"start": start}} if start else {}
    return {"location": {"reference": f"Location/{place}"}, "status": status, **period}


def was(code: str, start: str, end: str) -> Json:
    return {"class": coding(code), "period": {"start": start, "end": end}}


SITES = {"Location/a1": "Location/A", "Location/a2": "Location/A", "Location/b1": "Location/B"}
T0, T1, T2 = "2026-07-05T08:15:00-07:00", "2026-07-06T09:00:00-07:00", "2026-07-07T09:00:00-07:00"
END = "2026-07-08T16:05:00-07:00"
ADMIT = Event("admit", T0, "inpatient")


@pytest.mark.parametrize(
    ("encounter", "happened"),
    [
        pytest.param(stay(), [ADMIT], id="admitted"),
        pytest.param(
            stay("finished"), [ADMIT, Event("discharge", END, "inpatient")], id="discharged"
        ),
        pytest.param(stay("planned"), [], id="planned"),
        pytest.param(stay("cancelled"), [], id="cancelled"),
        pytest.param(stay("entered-in-error"), [], id="an error"),
        pytest.param(stay("unknown"), [], id="unknown"),
        pytest.param(stay(code="AMB"), [], id="an office visit"),
        pytest.param(stay(code="B"), [ADMIT], id="obstetrics"),
        pytest.param(stay(code="U"), [Event("admit", T0, "unknown")], id="of unknown class"),
        pytest.param(stay(code="UNK"), [Event("admit", T0, "unknown")], id="of no class"),
        pytest.param(stay(code="K"), [Event("admit", T0, "unknown")], id="of a sender's class"),
        pytest.param(stay(code="R"), [], id="recurring"),
        pytest.param(stay("planned", "U"), [], id="planned, of unknown class"),
        pytest.param(
            stay(code="U", classHistory=[was("EMER", T0, T1)]),
            [Event("admit", T0, "emergency")],
            id="emergency, then unknown",
        ),
        pytest.param(stay(code="EMER"), [Event("admit", T0, "emergency")], id="emergency"),
        pytest.param(stay(code="OBSENC"), [Event("admit", T0, "observation")], id="observation"),
        pytest.param(stay(period={}), [Event("admit", "", "inpatient")], id="no time"),
        pytest.param(
            stay(type=[{"coding": [{"system": next(iter(rules().not_stays)), "code": "G9008"}]}]),
            [],
            id="our own contact in a hospital",
        ),
        pytest.param(
            stay(classHistory=[was("EMER", T0, T1)]),
            [Event("admit", T0, "emergency"), Event("transfer", T1, "inpatient", T1)],
            id="from emergency to inpatient",
        ),
        pytest.param(
            stay(classHistory=[was("OBSENC", T1, T2), was("EMER", T0, T1)]),
            [Event("admit", T0, "emergency"), Event("transfer", T2, "inpatient", T2)],
            id="from emergency by observation to inpatient",
        ),
        pytest.param(
            stay(classHistory=[was("EMER", T0, T1), was("IMP", T1, T2), was("OBSENC", T2, END)]),
            [Event("admit", T0, "emergency"), Event("transfer", T1, "inpatient", T1)],
            id="inpatient before and after observation",
        ),
        pytest.param(
            stay(classHistory=[was("OBSENC", T0, T1)]),
            [Event("admit", T0, "observation")],
            id="from observation to inpatient",
        ),
        pytest.param(
            stay(classHistory=[was("EMER", T0, T1), was("IMP", T1, T2)]),
            [Event("admit", T0, "emergency"), Event("transfer", T1, "inpatient", T1)],
            id="the present class stands in the history too",
        ),
        pytest.param(
            stay(classHistory=[was("AMB", T0, T1)]), [ADMIT], id="an office visit became a stay"
        ),
        pytest.param(
            stay(location=[at("a1", "completed", T0), at("a2", "active", T1)]),
            [ADMIT],
            id="a bed move",
        ),
        pytest.param(
            stay(location=[at("a2", "active", T1), at("b1", "completed", T0)]),
            [ADMIT, Event("transfer", T1, "inpatient", T1)],
            id="between sites",
        ),
        pytest.param(
            stay(location=[at("a1"), at("b1", "completed")]),
            [ADMIT, Event("transfer", "", "inpatient", "Location/A")],
            id="between sites, nobody knows when",
        ),
        pytest.param(
            stay(location=[at("a1"), at("b1", "reserved")]), [ADMIT], id="a transfer to come"
        ),
        pytest.param(
            stay(location=[at("a1"), at("somewhere", "completed")]),
            [ADMIT],
            id="a place of no site",
        ),
    ],
)
def test_what_happened(encounter, happened) -> None:
    assert events(encounter, lambda ref: SITES.get(ref, ""), lambda: True, rules()) == happened
    registered = events(encounter, lambda ref: SITES.get(ref, ""), lambda: False, rules())
    assert registered == [one for one in happened if one.kind != "unknown"]


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (date(2026, 7, 8), 30, "2026-08-07T23:59:59-07:00"),
        (date(2026, 10, 20), 30, "2026-11-19T23:59:59-08:00"),  # the clock goes back between
        (date(2026, 2, 20), 30, "2026-03-22T23:59:59-07:00"),
        (date(2026, 12, 31), 1, "2027-01-01T23:59:59-08:00"),
    ],
)
def test_due_is_the_end_of_a_day_of_california(start, days, end) -> None:
    assert stays.due(start, days, rules().zone) == end


def test_every_rule_of_work_names_its_source() -> None:
    assert {work.code for work in rules().work} == {
        "discharge-planning", "follow-up", "medication-reconciliation", "reassessment",
    }  # fmt: skip
    assert next(w for w in rules().work if w.code == "reassessment").days == 30


# --- with a store

numbers = itertools.count(1)


def patient(cin: str = "90000077A", **more: Any) -> Json:
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MA"}]}
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "000-00-0000"}
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"type": kind, "system": CIN, "value": cin}, ssn],
        "name": [{"family": "Quillfeather", "given": ["Odette"]}],
        "gender": "female",
        "birthDate": "1980-05-17",
        **more,
    }


def roster(*cins: str, plan: str = "sunrise", **more: Any) -> Json:
    return {
        "resourceType": "Group",
        "id": f"g-{plan}",
        "identifier": [
            {"system": f"https://ecm-adapter.example/fhir/sid/roster/{plan}", "value": "all"}
        ],
        "active": True,
        "type": "person",
        "actual": True,
        "managingEntity": {"identifier": {"value": "1234567893"}},
        "member": [{"entity": {"identifier": {"system": CIN, "value": cin}}} for cin in cins],
        **more,
    }


@pytest.fixture
def store() -> Iterator[SqlStore]:
    made = stores.open("sqlite://", resolve, replay=replay)
    for one in (patient(), roster("90000077A", "90000078A")):
        made.put(one, stamp())
    yield made
    made.close()


def stamp(now: datetime = NOW) -> str:
    return notices.stamp(now)


DESK = notices.Desk(US, (BAY, HARBOR))


def step(store: SqlStore, encounter: Json | None = None, now: datetime = NOW) -> list[str]:
    """Store a stay and derive; the new messages in short."""
    before = {one.id for one in store.outbox.letters()}
    if encounter is not None:
        store.put(encounter, stamp(now))
    notices.derive(store, now, replace(DESK, lists=rosters.Rosters()))
    return [short(one) for one in store.outbox.letters() if one.id not in before]


def short(letter: Letter) -> str:
    return f"{letter.sense} {letter.event.partition('@')[0].partition(':')[0]}"


def deliver(store: SqlStore) -> list[Letter]:
    taken = []
    while some := store.outbox.claim("2027", "2028", 50):
        for one in some:
            store.outbox.settle(one._replace(state="delivered", told=stamp()))
        taken += some
    return taken


def work(store: SqlStore) -> dict[str, str]:
    return {task["code"]["coding"][0]["code"]: task["status"] for task in store.each("Task")}


AFTER = ("follow-up", "medication-reconciliation", "reassessment")


def test_an_admission_and_a_discharge(store) -> None:
    assert step(store, stay()) == ["new admit"]
    assert work(store) == {"discharge-planning": "requested"}
    assert step(store, stay("finished")) == ["new discharge"]
    assert work(store) == dict.fromkeys(("discharge-planning", *AFTER), "requested")
    due = {t["code"]["coding"][0]["code"]: t["restriction"]["period"] for t in store.each("Task")}
    assert due["reassessment"] == {"start": "2026-07-08", "end": "2026-08-07T23:59:59-07:00"}
    assert due["follow-up"]["end"] == "2026-07-15T23:59:59-07:00"
    letters = store.outbox.letters()
    assert [(one.at, one.recipient, one.state) for one in letters] == [
        (T0, "harbor", "waiting"), (END, "harbor", "waiting")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp"),
        *(
            ("https://www.nubc.org/CodeSystem/PatDischargeStatus", n)
            for n in ["20", "40", "41", "42"]
        ),
    ],
)
def test_a_death_is_told_and_asks_for_nothing(store, system, code) -> None:
    step(store, stay())
    ended = {"dischargeDisposition": {"coding": [{"system": system, "code": code}]}}
    assert step(store, stay("finished", hospitalization=ended)) == ["new discharge"]
    (task,) = store.each("Task")
    assert (task["status"], task["statusReason"]["text"]) == ("cancelled", "the member died")
    assert step(store, stay("finished")) == []  # it was an error
    assert set(work(store).values()) == {"requested"} and len(work(store)) == 4


@pytest.mark.parametrize("death", [{"deceasedDateTime": END}, {"deceasedBoolean": True}])
def test_whose_death_is_known_otherwise_needs_nothing_either(store, death) -> None:
    """PID-29 and PID-30 tell it, not the disposition alone (HL7 v2.9 chapter 3.4.2)."""
    step(store, stay())
    store.put(patient(**death), stamp())
    assert step(store, stay("finished")) == ["new discharge"]
    assert work(store) == {"discharge-planning": "cancelled"}
    store.put(patient(deceasedBoolean=False), stamp())
    assert step(store, stay("finished", length={"value": 3})) == []
    assert set(work(store).values()) == {"requested"} and len(work(store)) == 4


@pytest.mark.parametrize("death", [{"deceasedDateTime": END}, {"deceasedBoolean": True}])
def test_a_death_told_alone_ends_the_work(store, death) -> None:
    """An A31 after the stay: nothing else of the stay changes."""
    step(store, stay())
    step(store, stay("finished"))
    store.put(patient(**death), stamp())
    assert step(store) == []
    assert set(work(store).values()) == {"cancelled"} and len(work(store)) == 4
    store.put(patient(), stamp())
    assert step(store) == [] and set(work(store).values()) == {"requested"}
    assert store.outbox.changed(9) == []


def test_an_emergency_visit_needs_a_follow_up_only(store) -> None:
    assert step(store, stay("finished", "EMER")) == ["new admit", "new discharge"]
    assert work(store) == {"follow-up": "requested"}


def test_nothing_is_told_twice(store) -> None:
    step(store, stay("finished"))
    before = list(store.each("Task"))
    assert step(store) == []
    assert step(store, stay("finished", serviceType={"text": "Medicine"})) == []
    assert step(store, stay("finished") | {"priority": {"text": "Urgent"}}) == []
    deliver(store)
    assert step(store, stay("finished", length={"value": 3, "unit": "d"})) == []
    assert list(store.each("Task")) == before


def test_a_cancelled_admission_nobody_was_told_of(store) -> None:
    step(store, stay())
    assert step(store, stay("cancelled")) == []
    assert [one.state for one in store.outbox.letters()] == ["withdrawn"]
    assert work(store) == {"discharge-planning": "cancelled"}
    assert deliver(store) == []
    assert step(store, stay("cancelled", length={"value": 1})) == []


def test_a_cancelled_admission_that_was_told(store) -> None:
    step(store, stay())
    deliver(store)
    assert step(store, stay("cancelled")) == ["withdrawal admit"]
    (message,) = deliver(store)
    header, encounter = (row["resource"] for row in json.loads(message.body)["entry"][:2])
    assert header["eventCoding"]["code"] == "notification-admit"
    assert header["reason"]["coding"][0]["code"] == "edit"
    assert encounter["status"] == "cancelled"
    assert work(store) == {"discharge-planning": "cancelled"}
    assert step(store, stay("cancelled", length={"value": 1})) == []
    assert step(store, stay()) == ["new admit"]  # the cancellation was a mistake
    assert work(store) == {"discharge-planning": "requested"}
    assert {one.revision for one in store.outbox.letters()} == {0, 1, 2}


def test_a_discharge_that_was_cancelled_and_came_again(store) -> None:
    step(store, stay("finished"))
    deliver(store)
    assert step(store, stay()) == ["withdrawal discharge"]
    assert {work(store)[code] for code in AFTER} == {"cancelled"}
    assert step(store, stay("finished")) == ["new discharge"]
    assert {work(store)[code] for code in AFTER} == {"requested"}
    assert "statusReason" not in next(store.each("Task", [("code", "reassessment")]))


def test_what_might_have_gone_out_counts_as_told(store) -> None:
    step(store, stay())
    store.outbox.claim(stamp(), stamp(NOW + timedelta(minutes=2)), 5)
    assert step(store, stay("cancelled")) == ["withdrawal admit"]


BRUNO = {"id": "p2", "name": [{"family": "Placeholder", "given": ["Bruno"]}]}
OTHER = patient("90000078A", **BRUNO, identifier=[{"system": CIN, "value": "90000078A"}])


def whose(letter: Letter) -> list[str]:
    """Who is named in a message."""
    found = (row["resource"] for row in json.loads(letter.body)["entry"])
    return [one["name"][0]["family"] for one in found if one["resourceType"] == "Patient"]


def asked(store: SqlStore) -> list[tuple[str, str, str]]:
    tasks = store.each("Task")
    return sorted(
        (one["for"]["reference"], one["code"]["coding"][0]["code"], one["status"]) for one in tasks
    )


def test_a_stay_that_was_another_person_s(store) -> None:
    store.put(OTHER, stamp())
    store.put(roster("90000077A"), stamp())
    condition = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p2"}}
    store.put(condition | {"encounter": {"reference": "Encounter/s1"}}, stamp())
    step(store, stay())
    deliver(store)
    moved = stay(subject={"reference": "Patient/p2"}, serviceType={"text": "his alone"})
    assert step(store, moved) == ["withdrawal admit"]
    (message,) = deliver(store)
    assert whose(message) == ["Quillfeather"] and "his alone" not in message.body
    kinds = [row["resource"]["resourceType"] for row in json.loads(message.body)["entry"]]
    assert kinds == ["MessageHeader", "Encounter", "Patient", "Organization"]
    encounter = json.loads(message.body)["entry"][1]["resource"]
    assert encounter["status"] == "entered-in-error" and "subject" in encounter
    assert asked(store) == [("Patient/p1", "discharge-planning", "cancelled")]
    assert step(store, moved | {"length": {"value": 1}}) == []


def test_a_stay_that_becomes_another_member_s(store) -> None:
    store.put(OTHER, stamp())
    store.put(roster("90000077A"), stamp())
    store.put(roster("90000078A", plan="sunset"), stamp())
    step(store, stay("finished"))
    deliver(store)
    moved = stay("finished", subject={"reference": "Patient/p2"})
    assert step(store, moved) == [
        "withdrawal admit", "withdrawal discharge", "new admit", "new discharge"
    ]  # fmt: skip
    told = deliver(store)
    assert sorted((one.recipient, *whose(one)) for one in told) == [
        ("bay", "Placeholder"), ("bay", "Placeholder"),
        ("harbor", "Quillfeather"), ("harbor", "Quillfeather"),
    ]  # fmt: skip
    everything = sorted(("discharge-planning", *AFTER))
    assert asked(store) == [
        *(("Patient/p1", code, "cancelled") for code in everything),
        *(("Patient/p2", code, "requested") for code in everything),
    ]
    assert step(store, stay("finished")) == [
        "withdrawal admit", "withdrawal discharge", "new admit", "new discharge"
    ]  # fmt: skip
    assert asked(store) == [
        *(("Patient/p1", code, "requested") for code in everything),
        *(("Patient/p2", code, "cancelled") for code in everything),
    ]


def test_a_stay_that_moves_before_anybody_was_told(store) -> None:
    store.put(OTHER, stamp())
    step(store, stay())
    assert step(store, stay(subject={"reference": "Patient/p2"})) == ["new admit"]
    assert [one.state for one in store.outbox.letters()] == ["withdrawn", "waiting"]
    (message,) = deliver(store)
    assert whose(message) == ["Placeholder"]


def test_a_person_who_becomes_one_with_another_is_the_same(store) -> None:
    step(store, stay())
    deliver(store)
    gone = patient() | {"active": False, "identifier": []}
    link = [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]
    store.put(gone | {"link": link}, stamp())
    store.put(patient(id="p2"), stamp())
    assert step(store, stay(subject={"reference": "Patient/p2"})) == []
    store.delete("Patient", "p1", stamp())
    assert step(store, stay("finished", subject={"reference": "Patient/p2"})) == ["new discharge"]
    assert [one.partition(" ")[2] for one in map(short, store.outbox.letters())] == [
        "admit", "discharge"
    ]  # fmt: skip


def settle(store: SqlStore, state: str, attempts: int = 1) -> None:
    for one in store.outbox.claim("2027", "2028", 50):
        store.outbox.settle(one._replace(state=state, attempts=attempts))


def test_what_stopped_and_is_cancelled_does_not_go_again(store) -> None:
    step(store, stay())
    settle(store, "stopped", attempts=0)
    assert step(store, stay("cancelled")) == []
    assert store.outbox.retry(stamp()) == 0 and deliver(store) == []


def test_what_failed_does_not_go_again_after_its_correction(store) -> None:
    step(store, stay("finished"))
    settle(store, "failed")
    settle(store, "failed")
    later = {"start": T0, "end": "2026-07-09T01:00:00-07:00"}
    assert step(store, stay("finished", period=later)) == ["update discharge"]
    withdrawn = ["withdrawal admit", "withdrawal discharge"]
    assert step(store, stay("cancelled")) == withdrawn
    assert list(map(short, deliver(store))) == withdrawn
    assert store.outbox.retry(stamp()) == 0 and deliver(store) == []


def test_a_withdrawal_that_failed_does_not_go_again_after_the_news(store) -> None:
    step(store, stay())
    deliver(store)
    step(store, stay("cancelled"))
    settle(store, "failed")
    assert step(store, stay()) == ["new admit"]
    assert [one.sense for one in store.outbox.letters("withdrawn")] == ["withdrawal"]
    assert store.outbox.retry(stamp()) == 0
    assert list(map(short, deliver(store))) == ["new admit"]


def test_a_deleted_stay_is_withdrawn(store) -> None:
    step(store, stay())
    deliver(store)
    store.delete("Encounter", "s1", stamp())
    assert step(store) == ["withdrawal admit"]
    (message,) = deliver(store)
    assert json.loads(message.body)["entry"][1]["resource"]["status"] == "entered-in-error"


def test_another_day_is_told_minutes_are_not(store) -> None:
    step(store, stay("finished"))
    deliver(store)
    later = {"start": T0, "end": "2026-07-08T18:00:00-07:00"}
    assert step(store, stay("finished", period=later)) == []
    later = {"start": T0, "end": "2026-07-09T01:00:00-07:00"}
    assert step(store, stay("finished", period=later)) == ["update discharge"]
    (task,) = store.each("Task", [("code", "reassessment")])
    assert task["restriction"]["period"]["end"] == "2026-08-08T23:59:59-07:00"
    assert step(store, stay("finished", period={"start": T0})) == []  # no time corrects nothing


def test_a_correction_of_what_nobody_has_seen_is_the_first_word(store) -> None:
    step(store, stay())
    assert step(store, stay(period={"start": "2026-07-04T08:00:00-07:00"})) == ["new admit"]
    assert [one.state for one in store.outbox.letters()] == ["withdrawn", "waiting"]
    assert len(deliver(store)) == 1


def test_work_that_is_done_stays_done(store) -> None:
    step(store, stay("finished"))
    (task,) = store.each("Task", [("code", "reassessment")])
    store.put(task | {"status": "completed"}, stamp())
    step(store, stay())
    assert work(store)["reassessment"] == "completed" and work(store)["follow-up"] == "cancelled"
    step(store, stay("finished"))
    assert work(store)["reassessment"] == "completed" and work(store)["follow-up"] == "requested"


def test_what_was_done_before_the_discharge_is_asked_for_again(store) -> None:
    """A discharge was cancelled; the reassessment is due after the real one (001 4.8.5)."""
    early = {"start": T0, "end": T1}
    step(store, stay("finished", period=early))
    (task,) = store.each("Task", [("code", "reassessment")])
    store.put(task | {"status": "completed"}, stamp(NOW - timedelta(days=2)))
    step(store, stay())
    for _ in range(2):
        step(store, stay("finished", length={"value": 3}))
        step(store, stay("finished"))
        found = {one["status"]: one for one in store.each("Task", [("code", "reassessment")])}
        assert found["completed"]["id"] == task["id"] and len(found) == 2
        period = {"start": "2026-07-08", "end": "2026-08-07T23:59:59-07:00"}
        assert found["requested"]["restriction"] == {"period": period}
    step(store, stay())
    states = {one["status"] for one in store.each("Task", [("code", "reassessment")])}
    assert states == {"completed", "cancelled"}
    store.put(found["requested"] | {"status": "completed"}, stamp())
    step(store, stay("finished"))
    assert work(store)["reassessment"] == "completed"
    assert len(list(store.each("Task", [("code", "reassessment")]))) == 2


@pytest.mark.parametrize(
    ("age", "told"), [(29, ["new admit"]), (30, ["new admit"]), (31, []), (400, [])]
)
def test_old_news_is_no_news(store, age, told) -> None:
    start = (NOW - timedelta(days=age)).isoformat()
    assert step(store, stay(period={"start": start})) == told
    assert len(work(store)) == len(told)


def test_an_old_admission_still_ends(store) -> None:
    assert step(store, stay("finished", period={"start": "2026-01-01", "end": END})) == [
        "new discharge"
    ]


def test_strangers_are_not_told_of(store) -> None:
    store.put(patient("90000079A"), stamp())
    assert step(store, stay("finished")) == []
    assert work(store) == {} and store.outbox.changed(1) == []
    store.put(roster("90000079A"), stamp())  # from now on he is ours
    assert step(store) == ["new admit", "new discharge"]
    assert step(store, stay("finished", length={"value": 1})) == []


@pytest.mark.parametrize(
    ("status", "told"),
    [("active", 1), ("onhold", 1), ("finished", 0), ("cancelled", 0), ("planned", 0)],
)
def test_an_open_episode_makes_a_member(store, status, told) -> None:
    store.put(roster(), stamp())
    organization = {"resourceType": "Organization", "id": "o1", "name": "Harbor", "active": True}
    store.put(organization, stamp())
    episode = {"resourceType": "EpisodeOfCare", "id": "x", "status": status}
    manager = {"managingOrganization": {"reference": "Organization/o1"}}
    lead = {"careManager": {"reference": "Practitioner/lead"}}
    store.put(episode | {"patient": {"reference": "Patient/p1"}} | manager | lead, stamp())
    assert len(step(store, stay())) == told
    tasks = list(store.each("Task"))
    assert [task["owner"]["reference"] for task in tasks] == ["Practitioner/lead"] * told
    assert {one.state for one in store.outbox.letters()} <= {"unaddressed"}  # no plan is known


def test_parts_of_an_older_list_do_not_count(store) -> None:
    """A long list is several Groups; a shorter one that follows has fewer."""
    url, system = "https://ecm-adapter.example/fhir/StructureDefinition/as-of", "sid/roster/sunrise"
    name = {"system": f"https://ecm-adapter.example/fhir/{system}", "value": "all/2"}

    def dated(text: str) -> Json:
        return {"extension": [{"url": url, "valueDateTime": text}]}

    second = roster("90000077A", identifier=[name]) | {"id": "g2"} | dated("2026-06-01T07:00:00Z")
    store.put(second, stamp())
    store.put(roster("90000078A") | dated("2026-06-01T00:00:00-07:00"), stamp())
    assert step(store, stay()) == ["new admit"]
    store.put(roster("90000078A") | dated("2026-07-01"), stamp())
    assert step(store, stay("finished")) == []


def test_who_left_the_list_still_hears_the_end_of_what_was_told(store) -> None:
    step(store, stay())
    deliver(store)
    store.put(roster(), stamp())
    assert step(store, stay("finished")) == []
    assert step(store, stay("cancelled")) == ["withdrawal admit"]


@pytest.mark.parametrize("plan", ["sunset", "moonrise", "sunrise"])
def test_who_is_another_team_s_by_now_is_none_of_the_first_one_s_business(store, plan) -> None:
    """A correction would tell the first team all that is known of him by now."""
    step(store, stay())
    deliver(store)
    store.put(roster("90000078A"), stamp())
    store.put(roster("90000077A", plan=plan) | {"id": "g-other"}, stamp())
    earlier = stay(period={"start": "2026-07-04T08:00:00-07:00"})
    assert step(store, earlier) == ["update admit"] * (plan == "sunrise")
    assert step(store, earlier | {"status": "cancelled"}) == ["withdrawal admit"]


@pytest.mark.parametrize("event", ["A08", "A31"])
def test_who_turns_out_to_be_a_member_is_told_of(store, event) -> None:
    """The hospital learns the CIN after the admission; nothing else of the stay changes."""
    house, number = Pipeline(store, lambda: NOW), b"90000078A^^^MEDI-CAL^MA"
    admitted, later = (
        untimed(one, f"2026070{day}083000-0700").replace(b"ODETTE||1980", b"HARRIET||1961")
        for one, day in (("A01", 5), (event, 6))
    )
    unnumbered = admitted.replace(b"90000077A^^^MEDI-CAL^MA", b"R000009^^^MERCYTEST^MR")
    list(house.adt(unnumbered, "default", "m"))
    assert step(store) == []
    both = later.replace(b"90000077A^^^MEDI-CAL^MA", b"R000009^^^MERCYTEST^MR~" + number)
    (result,) = house.adt(both, "default", "m")
    assert result.status == "stored" and step(store) == ["new admit"]
    assert work(store) == {"discharge-planning": "requested"}
    assert step(store) == [] and store.outbox.changed(9) == []


def test_who_comes_onto_a_list_is_told_of(store) -> None:
    """In the hospital already; each list says whole who is on it."""
    odd = r"9000,0$8|0\A"  # what search has to be told of
    whose = {"subject": {"reference": "Patient/p2"}}
    other = patient(odd, id="p2", birthDate="1961-09-09")
    store.put(other | {"identifier": other["identifier"][:1]}, stamp())
    store.put(stay(id="s2", period={}, **whose), stamp())
    old = {"start": "2026-01-01", "end": "2026-01-02"}
    store.put(stay("finished", id="s3", period=old, **whose), stamp())
    assert step(store, stay()) == ["new admit"]
    store.put(roster(), stamp())
    assert step(store) == []
    for members in ([odd], ["90000077A", odd], ["90000077A"]):
        store.put(roster("90000079A", *members), stamp())
    assert step(store) == []
    store.put(roster("90000077A", odd), stamp())
    now = [short(one) for one in store.outbox.letters()]
    assert step(store) == ["new admit"] and now == ["new admit"]
    assert {one.encounter for one in store.outbox.letters()} == {"s1", "s2"}
    assert step(store) == [] and store.outbox.changed(9) == []


def test_a_merged_person_is_still_ours(store) -> None:
    old = patient("90000001A") | {"id": "p0", "active": False}
    old["identifier"] = old["identifier"][:1]
    link = [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]
    store.put(old | {"link": link}, stamp())
    assert step(store, stay(subject={"reference": "Patient/p0"})) == ["new admit"]
    (task,) = store.each("Task")
    assert task["for"] == {"reference": "Patient/p1"}


def test_who_is_said_to_replace_himself_is_still_ours(store) -> None:
    link = [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]
    store.put(patient(link=link), stamp())
    assert step(store, stay()) == ["new admit"]


def test_nobody_to_tell_is_visible(store) -> None:
    store.put(roster("90000077A", plan="sunset"), stamp())
    store.put(roster(), stamp())
    step(store, stay())
    assert [one.recipient for one in store.outbox.letters()] == ["bay"]
    store.put(roster("90000077A", plan="moonrise"), stamp())
    store.put(roster(plan="sunset"), stamp())
    step(store, stay() | {"id": "s2"})
    assert [one.state for one in store.outbox.letters()] == ["waiting", "unaddressed"]


def test_a_stay_that_cannot_be_read_keeps_nobody_waiting(store) -> None:
    assert step(store, stay(location=["no place at all"])) == ["new unreadable"]
    assert step(store, stay(id="s2")) == ["new admit"]
    (broken,) = store.outbox.letters("failed")
    assert (broken.encounter, broken.fault) == ("s1", "AttributeError")
    assert store.outbox.retry(stamp()) == 0
    assert step(store, stay()) == ["new admit"]  # mended


# --- the message


PLACES: list[Json] = [
    {"resourceType": "Location", "id": "A", "name": "Hospital", "status": "active",
     "physicalType": {"coding": [{"code": "si"}]}},
    {"resourceType": "Location", "id": "a1", "name": "Bed", "status": "active",
     "partOf": {"reference": "Location/A"}},
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Fernfield"}]},
    {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
     "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I20.9"}]},
     "clinicalStatus": {"coding": [
         {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
     "encounter": {"reference": "Encounter/s1"}},
]  # fmt: skip


def whole_message(store: SqlStore) -> Json:
    for one in PLACES:
        store.put(one, stamp())
    doctor = {"individual": {"reference": "Practitioner/d1"}}
    unknown = {"individual": {"reference": "Practitioner/nobody"}}
    nameless = {"individual": {"identifier": {"value": "7"}}}
    more = {"participant": [doctor, unknown, nameless], "location": [at("a1")]}
    links = {"episodeOfCare": [{"reference": "EpisodeOfCare/x"}]}
    step(store, stay(**more, **links))
    (message,) = deliver(store)
    found: Json = json.loads(message.body)
    assert found["id"] == message.id
    return found


def test_the_message_is_whole_and_valid(store) -> None:
    message = whole_message(store)
    resources = [row["resource"] for row in message["entry"]]
    assert [one["resourceType"] for one in resources] == [
        "MessageHeader", "Encounter", "Patient", "Condition", "Location", "Practitioner",
        "Location", "Organization",
    ]  # fmt: skip
    urls = {row["fullUrl"] for row in message["entry"]}
    assert len(urls) == len(resources)
    assert set(every_reference(message)) <= urls
    header, encounter, person, condition = resources[:4]
    assert header["focus"] == [{"reference": message["entry"][1]["fullUrl"]}]
    assert header["destination"] == [{"name": "harbor", "endpoint": HARBOR.url}]
    event = {"code": "notification-admit", "display": "Admit Notification"}  # as of release 1.0.0
    assert header["eventCoding"] == {"system": rules().message["events"], **event}
    assert condition["encounter"]["reference"] == message["entry"][1]["fullUrl"]
    assert len(encounter["participant"]) == 1 and "episodeOfCare" not in encounter
    assert [row["system"] for row in person["identifier"]] == [CIN]
    step(store, stay("finished"))
    assert_valid([message, *resources, *store.each("Task")])


def every_reference(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from every_reference(item)
    elif isinstance(node, dict):
        yield from [node["reference"]] if isinstance(node.get("reference"), str) else []
        for value in node.values():
            yield from every_reference(value)


def test_what_a_stay_contains_goes_along(store) -> None:
    """Another house's alert may tell of a place so."""
    place = {"resourceType": "Location", "id": "l1", "name": "Ward", "status": "active"}
    step(store, stay(contained=[place], location=[{"location": {"reference": "#l1"}}]))
    (message,) = deliver(store)
    encounter = json.loads(message.body)["entry"][1]["resource"]
    assert encounter["location"] == [{"location": {"reference": "#l1"}}]
    assert_valid([encounter])


def test_the_same_stay_makes_the_same_message(store) -> None:
    first = whole_message(store)
    again = stores.open("sqlite://", resolve, replay=replay)
    for one in (patient(), roster("90000077A")):
        again.put(one, stamp())
    assert whole_message(again) == first
    again.close()


# --- through the pipeline, and in any order


def message(event: str, minute: int, pv1: str = "I", end: str = "", bed: str = "401") -> bytes:
    when, visit = f"2026070508{minute:02d}00-0700", "V90001^^^MERCYTEST^VN"
    fields = [""] * 46
    fields[1], fields[2], fields[3] = "1", pv1, f"4WEST^{bed}^B^MERCYTEST"
    fields[19], fields[44], fields[45] = visit, "20260705081500-0700", end
    return "\r".join(
        [
            f"MSH|^~\\&|REG|MERCYTEST|ECMHUB|HARBOR|{when}||ADT^{event}|M{next(numbers)}|P|2.5.1",
            f"EVN|{event}|{when}",
            "PID|1||90000077A^^^MEDI-CAL^MA||QUILLFEATHER^ODETTE||19800517|F",
            "PV1|" + "|".join(fields[1:]),
        ]
    ).encode()


STORY = [
    message("A04", 15, "E"),
    message("A01", 20),
    message("A08", 25),
    message("A08", 30, bed="402"),
    message("A03", 50, end="20260708160500-0700"),
]


def told(messages: list[bytes], each: bool) -> tuple[list[str], dict[str, str]]:
    """What is told in the end of all, deriving after each message or once."""
    made = stores.open("sqlite://", resolve, replay=replay)
    made.put(patient(), stamp())
    made.put(roster("90000077A"), stamp())
    house = Pipeline(made, lambda: NOW)
    for one in messages:
        assert [found.status for found in house.adt(one, "default", "m")] != ["refused"]
        if each:
            step(made)
            deliver(made)
    step(made)
    kept = (one for one in made.outbox.letters() if one.state != "withdrawn")
    live = {one.event: one for one in kept}
    found = sorted(short(one) for one in live.values() if one.sense != "withdrawal"), work(made)
    made.close()
    return found


@cache
def once() -> tuple[list[str], dict[str, str]]:
    return told(STORY, False)


@settings(max_examples=25)
@given(st.permutations(STORY), st.booleans(), st.integers(0, 4))
def test_any_order_and_repeats_end_in_the_same(order, each, repeated) -> None:
    letters, tasks = told([*order, order[repeated]], each)
    expected, asked = once()
    assert [one.partition(" ")[2] for one in letters] == [one.partition(" ")[2] for one in expected]
    assert {code for code, state in tasks.items() if state == "requested"} == asked.keys()


def test_the_story_is_told() -> None:
    letters, tasks = told(STORY, True)
    assert letters[:2] == ["new admit", "new discharge"]
    assert set(AFTER) <= tasks.keys()


def moved(minute: int, facility: str, bed: str) -> bytes:
    """An A02; the bed is in MERCYTEST unless another facility is named."""
    return message("A02", minute, bed=bed).replace(
        f"4WEST^{bed}^B^MERCYTEST".encode(), f"4WEST^{bed}^B^{facility}".encode()
    )


def test_the_sending_institution_is_told(store) -> None:
    """Though no place says which hospital it is in (42 CFR 482.24(d))."""
    house = Pipeline(store, lambda: NOW)
    for one in (STORY[1], STORY[4]):
        list(house.adt(one.replace(b"^B^MERCYTEST", b"^B"), "default", "m"))
    step(store)
    for letter in deliver(store):
        rows = {row["fullUrl"]: row["resource"] for row in json.loads(letter.body)["entry"]}
        header = next(iter(rows.values()))
        assert rows[header["responsible"]["reference"]]["name"] == "MERCYTEST"
        assert rows[header["sender"]["reference"]]["name"] == US["name"]
        assert_valid([json.loads(letter.body), *rows.values()])


def test_a_visit_that_is_moved_to_another_person(store) -> None:
    house = Pipeline(store, lambda: NOW)
    other = message("A45", 40).replace(b"90000077A", b"90000079A")
    other = other.replace(b"QUILLFEATHER^ODETTE", b"PLACEHOLDER^BRUNO").replace(b"1980", b"1972")
    mrg = b"\rMRG|90000077A^^^MEDI-CAL^MA||||V90001^^^MERCYTEST^VN\rPV1|"
    list(house.adt(STORY[1], "default", "m"))
    assert step(store) == ["new admit"]
    deliver(store)
    (result,) = house.adt(other.replace(b"\rPV1|", mrg), "default", "m")
    assert result.status == "stored" and step(store) == ["withdrawal admit"]
    (withdrawal,) = deliver(store)
    assert "PLACEHOLDER" not in withdrawal.body.upper()
    assert asked(store) == [("Patient/p1", "discharge-planning", "cancelled")]


def untimed(event: str, when: str, pv1: str = "I", service: str = "") -> bytes:
    """A message that tells neither admission nor discharge time (legal: 8.1)."""
    return "\r".join(
        [
            f"MSH|^~\\&|REG|MERCYTEST|ECMHUB|HARBOR|{when}||ADT^{event}|M{next(numbers)}|P|2.5.1",
            f"EVN|{event}|{when}",
            "PID|1||90000077A^^^MEDI-CAL^MA||QUILLFEATHER^ODETTE||19800517|F",
            f"PV1||{pv1}|4WEST^401^B^MERCYTEST|||||||{service}|||||||||V90001^^^MERCYTEST^VN",
        ]
    ).encode()


def ends(store: SqlStore) -> dict[str, str]:
    return {
        task["code"]["coding"][0]["code"]: task["restriction"]["period"]["end"][:10]
        for task in store.each("Task")
    }


def test_a_discharge_without_a_time_is_due_from_its_message(store) -> None:
    house = Pipeline(store, lambda: NOW)
    list(house.adt(untimed("A01", "20260705083000-0700"), "default", "m"))
    list(house.adt(untimed("A03", "20260708083000-0700"), "default", "m"))
    assert step(store) == ["new admit", "new discharge"]
    found = {"discharge-planning": "2026-07-07", "follow-up": "2026-07-15"}
    found |= {"medication-reconciliation": "2026-08-07", "reassessment": "2026-08-07"}
    assert ends(store) == found
    for days in (4, 8, 12):
        later = NOW + timedelta(days=days)
        more = untimed("A08", f"{later:%Y%m%d}083000-0700", service=f"S{days}")
        list(house.adt(more, "default", "m"))
        assert step(store, now=later) == [] and ends(store) == found


@pytest.mark.parametrize(
    ("story", "planning", "follow_up"),
    [
        (["A01 05", "A03 07", "A13 08 A03 09"], "07", "16"),
        (["A03 07", "A01 05"], "07", "14"),
        (["A08 07", "A01 05"], "07", ""),
        (["A13 08", "A03 09", "A01 05", "A03 06"], "07", "16"),
    ],
)
def test_a_due_date_follows_the_stay_though_no_time_is_told(
    store, story, planning, follow_up
) -> None:
    """In whatever order its messages come, and however often it is looked at."""
    house = Pipeline(store, lambda: NOW)
    for told in story:
        words = told.split()
        for event, day in zip(words[::2], words[1::2], strict=True):
            list(house.adt(untimed(event, f"202607{day}083000-0700"), "default", "m"))
        step(store)
    found = ends(store)
    assert found["discharge-planning"] == f"2026-07-{planning}"
    assert found.get("follow-up", "") == (follow_up and f"2026-07-{follow_up}")


@pytest.mark.parametrize("story", [["A01"], ["A03"], ["A01", "A03"], ["A05", "A01", "A11", "A01"]])
def test_old_news_without_a_time_is_no_news(store, story) -> None:
    house = Pipeline(store, lambda: NOW)
    for number, event in enumerate(story):
        list(house.adt(untimed(event, f"2026040{number + 1}083000-0700"), "default", "m"))
    assert step(store) == [] and work(store) == {}


def test_an_admission_is_since_the_last_one(store) -> None:
    house = Pipeline(store, lambda: NOW)
    for event, day in (("A05", "0401"), ("A01", "0402"), ("A11", "0403"), ("A01", "0707")):
        list(house.adt(untimed(event, f"2026{day}083000-0700"), "default", "m"))
    assert step(store) == ["new admit"] and ends(store) == {"discharge-planning": "2026-07-09"}


def of_another_house(timestamp: str) -> Json:
    """A FHIR message about a stay of which nobody says when it began."""
    header = {"resourceType": "MessageHeader", "id": "h", "focus": [{"reference": "urn:uuid:e"}]}
    code = {"system": rules().message["events"], "code": "notification-admit"}
    source = {"name": "HIE", "endpoint": "https://hie.example/fhir"}
    who = {key: value for key, value in patient().items() if key != "gender"}
    who["identifier"] = who["identifier"][:1]
    whose = stay(period={}, subject={"reference": "urn:uuid:p"})
    entry = [
        {"fullUrl": "urn:uuid:h", "resource": header | {"eventCoding": code, "source": source}},
        {"fullUrl": "urn:uuid:e", "resource": {k: v for k, v in whose.items() if v}},
        {"fullUrl": "urn:uuid:p", "resource": who},
    ]
    made = {"resourceType": "Bundle", "id": "m", "type": "message", "timestamp": timestamp}
    return {**made, "entry": entry}


@pytest.mark.parametrize(("ago", "said"), [(0, ["new admit"]), (40, [])])
def test_a_message_of_another_house_without_a_time(store, ago, said) -> None:
    sent = of_another_house((NOW - timedelta(days=ago)).isoformat())
    assert store.commit(notification.convert(sent, stamp()), b"{}", stamp()).status == "stored"
    assert step(store) == said


@pytest.mark.parametrize(
    ("event", "code", "said"),
    [("A06", "I", ["new admit"]), ("A07", "O", ["new discharge"])],
)
def test_a_visit_that_goes_on_under_another_number(store, event, code, said) -> None:
    house = Pipeline(store, lambda: NOW)
    list(house.adt(untimed("A04", "20260705083000-0700", "E"), "default", "m"))
    assert step(store) == ["new admit"]
    after = untimed(event, "20260705103000-0700", code).replace(b"V90001", b"V90002")
    mrg = b"\rMRG|90000077A^^^MEDI-CAL^MA||||V90001^^^MERCYTEST^VN\rPV1|"
    (result,) = house.adt(after.replace(b"\rPV1|", mrg), "default", "m")
    assert result.status == "stored" and step(store) == said


@pytest.mark.parametrize(
    ("story", "said", "asked_for"),
    [
        (["A01B", "A03B"], ["new admit", "new discharge"], 4),
        (["A01U", "A03U"], ["new admit", "new discharge"], 4),
        (["A01", "A08"], ["new admit"], 1),
        (["A01K"], ["new admit"], 1),
        (["A01O"], [], 0),
        (["A04U", "A08U"], [], 0),
        (["A04", "A08"], [], 0),
        (["A04E", "A06B"], ["new admit", "new transfer"], 1),
    ],
)
def test_the_class_of_a_stay(store, story, said, asked_for) -> None:
    house, heard = Pipeline(store, lambda: NOW), []
    for number, one in enumerate(story):
        sent = untimed(one[:3], f"2026070{number + 5}083000-0700", one[3:])
        list(house.adt(sent, "default", "m"))
        heard += step(store)
    assert heard == said and len(work(store)) == asked_for


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        pytest.param([STORY[1], moved(40, "MERCYTEST", "7")], ["new admit"], id="a bed move"),
        pytest.param(
            [STORY[1], moved(40, "VALLEYTEST", "7")],
            ["new admit", "new transfer"],
            id="to another facility",
        ),
        pytest.param(STORY[:2], ["new admit", "new transfer"], id="from emergency to a ward"),
        pytest.param([STORY[1], message("A11", 40)], ["new admit", "withdrawal admit"], id="A11"),
        pytest.param(
            [STORY[1], STORY[4], message("A13", 55)],
            ["new admit", "new discharge", "withdrawal discharge"],
            id="A13",
        ),
        pytest.param([message("A05", 20, "P")], [], id="a planned stay"),
        pytest.param([message("A31", 20)], [], id="the person only"),
    ],
)
def test_what_each_event_tells(store, messages, said) -> None:
    house, heard = Pipeline(store, lambda: NOW), []
    for one in messages:
        (result,) = house.adt(one, "default", "m")
        assert result.status == "stored"
        heard += step(store)
        deliver(store)
    assert heard == said
