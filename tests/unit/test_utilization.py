"""Who reaches the thresholds of population of focus 2, at every edge of window, day and age."""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import store as stores
from adapter.cli import main
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.program import frequent, utilization
from adapter.program.encounters import replay
from adapter.program.utilization import Usage, months_before, rules, stays, usage
from tests.judges import assert_valid
from tests.unit.test_notices import NOW, patient, roster, stamp, untimed

ON = date(2026, 7, 10)
ADULT, CHILD = date(1985, 3, 14), date(2015, 3, 14)
NUBC = "https://www.nubc.org/CodeSystem/PriorityTypeOfAdmitOrVisit"
POS = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
Json = dict[str, Any]
numbers = itertools.count(1)


def stay(start: str, code: str = "EMER", end: str = "", **more: Any) -> Json:
    """An Encounter of a class from a FHIR dateTime on; its id is new unless given."""
    period = {"start": start} | ({"end": end} if end else {})
    made = {"resourceType": "Encounter", "id": f"e{next(numbers)}", "status": "finished"}
    return {**made, "class": {"code": code}, "period": period, **more}


def of_type(system: str, code: str) -> list[Json]:
    return [{"coding": [{"system": system, "code": code}]}]


def visits(*days: str) -> list[Json]:
    return [stay(f"{day}T12:00:00-07:00") for day in days]


def admissions(*days: str) -> list[Json]:
    return [stay(f"{day}T12:00:00-07:00", "IMP") for day in days]


def counts(found: Usage) -> tuple[int, int]:
    return len(found.emergency), len(found.stays)


SPRING = ["2026-03-01", "2026-03-10", "2026-04-01", "2026-05-01", "2026-06-01"]
YEAR = ["2025-08-01", "2025-12-01", "2026-04-01"]


@pytest.mark.parametrize(
    ("birth", "encounters", "reached"),
    [
        pytest.param(ADULT, visits(*SPRING), ("emergency",), id="adult, five visits"),
        pytest.param(ADULT, visits(*SPRING[:4]), (), id="adult, four visits"),
        pytest.param(ADULT, admissions(*SPRING[:3]), ("stays",), id="adult, three stays"),
        pytest.param(ADULT, admissions(*SPRING[:2]), (), id="adult, two stays"),
        pytest.param(ADULT, admissions(*YEAR), (), id="adult, three stays in a year"),
        pytest.param(CHILD, visits(*YEAR), ("emergency",), id="child, three visits in a year"),
        pytest.param(CHILD, visits(*YEAR[:2]), (), id="child, two visits"),
        pytest.param(CHILD, admissions(*YEAR[:2]), ("stays",), id="child, two stays in a year"),
        pytest.param(CHILD, admissions(*YEAR[:1]), (), id="child, one stay"),
        pytest.param(None, visits(*YEAR), (), id="unknown age, enough for a child only"),
        pytest.param(None, visits(*SPRING), ("emergency",), id="unknown age, enough for all"),
        pytest.param(ADULT, [], (), id="nothing"),
        pytest.param(
            ADULT,
            [*visits(*SPRING), *admissions("2026-01-20", "2026-02-10", "2026-02-20")],
            ("emergency", "stays"),
            id="both",
        ),
    ],
)
def test_who_reaches_a_threshold(birth, encounters, reached) -> None:
    found = usage(encounters, birth, ON)
    assert found.reached == reached
    assert len(found.evidence) == sum(counts(found))
    assert set(found.evidence) <= {f"Encounter/{one['id']}" for one in encounters}


@pytest.mark.parametrize(
    ("birth", "on", "group"),
    [
        (date(2005, 7, 10), ON, "adult"),  # 21 today
        (date(2005, 7, 11), ON, "child"),  # 21 tomorrow
        (date(2004, 2, 29), date(2025, 2, 28), "child"),
        (date(2004, 2, 29), date(2025, 3, 1), "adult"),
        (None, ON, "adult"),
    ],
)
def test_the_age_is_that_of_the_day(birth, on, group) -> None:
    assert usage([], birth, on).threshold.group == group


@pytest.mark.parametrize(
    ("on", "start", "inside"),
    [
        (ON, "2026-01-10T23:59:00-08:00", False),  # six months ago to the day
        (ON, "2026-01-11T00:00:00-08:00", True),
        (ON, "2026-01-11T07:59:00Z", False),  # the evening before, in California
        (ON, "2026-01-11T08:00:00Z", True),
        (ON, "2026-01-11", True),
        (ON, "2026-01-10", False),
        (ON, "2026-07-10T23:59:59-07:00", True),
        (ON, "2026-07-11T06:59:00Z", True),  # still the tenth in California
        (ON, "2026-07-11T00:00:00-07:00", False),  # tomorrow
        (date(2026, 8, 31), "2026-02-28T12:00:00-08:00", False),  # no 31 February
        (date(2026, 8, 31), "2026-03-01T00:00:00-08:00", True),
        (date(2024, 8, 31), "2024-02-29T12:00:00-08:00", False),
        (date(2026, 9, 8), "2026-03-08T23:30:00-07:00", False),  # the day that lost an hour
        (date(2026, 9, 7), "2026-03-08T01:30:00-08:00", True),
        (date(2026, 11, 1), "2026-11-01T01:30:00-07:00", True),  # the hour that comes twice
        (date(2026, 11, 1), "2026-11-01T01:30:00-08:00", True),
        (date(2026, 10, 31), "2026-11-01T00:30:00-07:00", False),
    ],
)
def test_a_window_is_of_whole_days_of_california(on, start, inside) -> None:
    assert counts(usage([stay(start)], ADULT, on)) == (int(inside), 0)


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2024, 8, 30), 6, date(2024, 2, 29)),
        (date(2026, 1, 1), 12, date(2025, 1, 1)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
    ],
)
def test_months_before(day, months, before) -> None:
    assert months_before(day, months) == before


ED = stay("2026-06-01T10:00:00-07:00", "EMER", "2026-06-01T15:00:00-07:00", id="ed")
EARLY = stay("2026-06-01T01:00:00-07:00", "EMER", "2026-06-01T03:00:00-07:00", id="early")


WAS_ED = [{"class": {"code": "EMER"}, "period": {"start": "2026-06-01"}}]


def past(*statuses: str) -> list[Json]:
    """What a stay was on the days from 30 May on, the newest first."""
    days = ("2026-05-30", "2026-05-31", "2026-06-01")
    rows = [
        {"status": one, "period": {"start": start, "end": end}}
        for one, (start, end) in zip(statuses, pairwise(days), strict=False)
    ]
    return rows[::-1]


def untold(code: str, *statuses: str) -> Json:
    """A stay of which no message told the times."""
    made = stay("", code, statusHistory=past(*statuses))
    return made | {"period": {}}


@pytest.mark.parametrize(
    ("statuses", "days"),
    [
        (("in-progress",), ("05-30", "06-01")),
        (("in-progress", "onleave"), ("05-30", "06-02")),
        (("in-progress", "planned"), ("05-30", "06-01")),
        (("planned", "in-progress"), ("05-31", "06-02")),
        (("planned",), ("05-31", None)),
    ],
)
def test_when_it_was_if_no_message_told_its_times(statuses, days) -> None:
    """A mere day lasts until the next one."""
    (found,) = stays([untold("EMER", *statuses)], date(2026, 7, 9), rules())
    zone = rules().zone
    told = [one and f"{one.astimezone(zone):%m-%d}" for one in (found.start, found.end)]
    assert tuple(told) == days


@pytest.mark.parametrize(
    ("encounters", "counted"),
    [
        pytest.param([ED], (1, 0), id="a visit"),
        pytest.param([ED, stay("2026-06-01T14:00:00-07:00", "IMP")], (0, 1), id="overlapping"),
        pytest.param([ED, stay("2026-06-02T15:00:00-07:00", "IMP")], (0, 1), id="24 hours later"),
        pytest.param([ED, stay("2026-06-02T15:01:00-07:00", "IMP")], (1, 1), id="a minute more"),
        pytest.param([ED, stay("2026-06-01T08:59:00-07:00", "IMP")], (1, 1), id="before the visit"),
        pytest.param([ED, stay("2026-06-01T09:55:00-07:00", "IMP")], (0, 1), id="written back"),
        pytest.param([ED, stay("2026-06-01", "IMP")], (0, 1), id="admitted some time that day"),
        pytest.param(
            [ED, stay("2026-06-01", "IMP", "2026-06-01T08:00:00-07:00")],
            (1, 1),
            id="a stay of that day that was over before",
        ),
        pytest.param([EARLY, ED, stay("2026-06-01T03:30:00-07:00", "IMP")], (1, 1), id="after one"),
        pytest.param([ED, stay("2026-05-31", "IMP")], (1, 1), id="admitted the day before"),
        pytest.param(
            [ED, stay("2026-06-20", "IMP", id="x", partOf={"reference": "Encounter/ed"})],
            (0, 1),
            id="linked, much later",
        ),
        pytest.param(
            [ED | {"partOf": {"reference": "Encounter/x"}}, stay("2026-06-20", "IMP", id="x")],
            (0, 1),
            id="linked the other way",
        ),
        pytest.param(
            [EARLY, ED, stay("2026-06-01T16:00:00-07:00", "IMP")],
            (1, 1),
            id="only the last visit before the admission",
        ),
        pytest.param(
            [stay("2026-06-01", "IMP", classHistory=[{"class": {"code": "EMER"}}])],
            (0, 1),
            id="one encounter that became inpatient",
        ),
        pytest.param(
            [ED, stay("2026-06-01T14:00:00-07:00", "IMP", type=of_type(NUBC, "3"))],
            (1, 0),
            id="elective",
        ),
        pytest.param(
            [stay("2026-06-01", "IMP", type=of_type(NUBC, "1"))], (0, 1), id="emergency type"
        ),
        pytest.param([stay("2026-06-01", "IMP", status="cancelled")], (0, 0), id="cancelled"),
        pytest.param([stay("2026-06-01", "IMP", status="planned")], (0, 0), id="planned"),
        pytest.param([stay("2026-06-01", "IMP", status="entered-in-error")], (0, 0), id="an error"),
        pytest.param([stay("2026-06-01", "IMP", status="in-progress")], (0, 1), id="still there"),
        pytest.param([stay("2026-06-01", "AMB")], (0, 0), id="an office visit"),
        pytest.param([stay("2026-06-01", "B")], (0, 1), id="obstetrics"),
        *(
            pytest.param([stay("2026-06-01", code, classHistory=WAS_ED)], (1, 0), id=f"ED, {code}")
            for code in ("OBSENC", "AMB", "EMER")
        ),
        pytest.param(
            [
                stay(
                    "2026-06-01T08:00:00-07:00",
                    "OBSENC",
                    "2026-06-02T08:00:00-07:00",
                    classHistory=WAS_ED,
                ),
                stay("2026-06-02T09:00:00-07:00", "IMP"),
            ],
            (0, 1),
            id="observed, then admitted",
        ),
        pytest.param([untold("EMER", "in-progress")], (1, 0), id="a visit at message times"),
        pytest.param([untold("IMP", "planned", "in-progress")], (0, 0), id="planned first"),
        pytest.param([untold("IMP", "planned", "cancelled")], (0, 1), id="called off, and came"),
        pytest.param([untold("IMP")], (0, 0), id="when is not known"),
        pytest.param(
            [stay("2026-06-01", "IMP", statusHistory=past("planned", "cancelled"))],
            (0, 1),
            id="the plan was given up",
        ),
        pytest.param(
            [stay("2026-06-01", "IMP", statusHistory=past("planned"), type=of_type(NUBC, "1"))],
            (0, 1),
            id="planned first, an emergency then",
        ),
        pytest.param(
            [stay("2026-06-01", "IMP", statusHistory=past("planned"), type=of_type(NUBC, "9"))],
            (0, 0),
            id="planned first, urgency not known",
        ),
        pytest.param(
            [ED, stay("2026-06-01T16:00:00-07:00", "IMP", statusHistory=past("planned"))],
            (0, 1),
            id="a bed asked for from the emergency room",
        ),
        pytest.param(
            [stay("2026-06-01", "IMP", statusHistory=past("planned"), classHistory=WAS_ED)],
            (0, 1),
            id="planned in the emergency room",
        ),
        pytest.param([stay("2026-06-01", "OBSENC")], (0, 0), id="observation"),
        pytest.param(
            [stay("2026-02-01", "IMP", "2026-04-01", type=of_type(POS, "31"))],
            (0, 1),
            id="short nursing facility stay",
        ),
        pytest.param(
            [stay("2026-02-01", "IMP", "2026-06-01", type=of_type(POS, "31"))],
            (0, 0),
            id="long nursing facility stay",
        ),
        pytest.param([stay("2026-02-01", "IMP", "2026-06-01")], (0, 1), id="long hospital stay"),
        *(
            pytest.param(
                [stay(start, "IMP", end, status=status, type=of_type(POS, "31"))],
                (0, number),
                id=f"a nursing facility from {start} to {end or 'now'}",
            )
            for start, end, status, number in (
                ("2026-02-01", "", "in-progress", 0),
                ("2026-04-05", "", "in-progress", 1),
                ("2026-02-01", "9999-12-31", "finished", 0),
            )
        ),
        pytest.param([ED | {"period": {"start": "9999-12-31T23:59:00Z"}}], (0, 0), id="never"),
        pytest.param([stay("")], (0, 0), id="no time"),
        pytest.param([stay("2026-06")], (0, 0), id="a month only"),
        pytest.param([ED, ED], (1, 0), id="the same twice"),
        pytest.param([ED, ED | {"id": "other-feed"}], (1, 0), id="told by two feeds"),
        pytest.param(
            [ED, ED | {"id": "z", "period": {"start": "2026-06-01T17:00:40Z"}}],
            (1, 0),
            id="told in another zone, with seconds",
        ),
    ],
)
def test_what_counts_as_what(encounters, counted) -> None:
    assert counts(usage(encounters, ADULT, ON)) == counted


# --- whatever stays there are

HOURS = st.integers(0, 24 * 300)


@st.composite
def encounter(draw: st.DrawFn, code: str = "") -> Json:
    begin = datetime(2025, 10, 1, tzinfo=UTC) + timedelta(hours=draw(HOURS))
    end = begin + timedelta(hours=draw(st.integers(0, 60)))
    made = code or draw(st.sampled_from(["EMER", "EMER", "IMP", "ACUTE", "AMB"]))
    start = draw(st.sampled_from([begin.isoformat(), begin.isoformat(), begin.date().isoformat()]))
    period = {"start": start} | draw(st.sampled_from([{}, {"end": end.isoformat()}]))
    status = draw(st.sampled_from(["finished", "in-progress", "cancelled"]))
    uid = f"e{draw(st.integers(0, 10**9))}"
    was = {"status": "planned", "period": {"start": "2025-09-01"}}
    more = draw(st.sampled_from([{}, {}, {"classHistory": WAS_ED}, {"statusHistory": [was]}]))
    return {"id": uid, "status": status, "class": {"code": made}, "period": period, **more}


SOME = st.lists(encounter(), max_size=12, unique_by=lambda one: one["id"])
BIRTH = st.sampled_from([ADULT, CHILD, None])
MORE = {"id": "more"}


@given(SOME, BIRTH, st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_count(some, birth, chance) -> None:
    mixed = [*some, *some[:5]]
    chance.shuffle(mixed)
    assert usage(mixed, birth, ON) == usage(some, birth, ON)


@given(SOME, encounter("EMER"), BIRTH)
def test_one_more_visit_never_unflags(some, more, birth) -> None:
    before, after = usage(some, birth, ON), usage([*some, more | MORE], birth, ON)
    assert set(before.reached) <= set(after.reached)


@given(SOME, encounter("IMP"), BIRTH)
def test_one_more_stay_never_takes_a_stay_away(some, more, birth) -> None:
    """It may turn one emergency visit into this stay (ID-2); the sum of both never falls."""
    before, after = usage(some, birth, ON), usage([*some, more | MORE], birth, ON)
    assert len(after.stays) >= len(before.stays)
    assert sum(counts(after)) >= sum(counts(before))
    assert len(after.emergency) >= len(before.emergency) - 1
    assert set(before.reached) - {"emergency"} <= set(after.reached)


def test_the_earliest_day_that_can_count() -> None:
    assert utilization.rules().earliest(ON) == date(2025, 7, 10)


# --- with a store: a plan's members, their Flags, the command

CINS = ["90000071A", "90000072A", "90000073A"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with three members of Sunrise: five visits, four, and one who left the list."""
    made = tmp_path / "store.sqlite"
    store = stores.open(f"sqlite:///{made}", resolve)
    for number, cin in enumerate(CINS):
        person = patient(cin) | {"id": f"p{number}", "birthDate": "1985-03-14"}
        person["identifier"] = person["identifier"][:1]
        store.put(person, stamp())
        for one in visits(*SPRING[: 4 if number == 1 else 5]):
            store.put(one | {"subject": {"reference": f"Patient/p{number}"}}, stamp())
    store.put(roster(*CINS[:2]), stamp())
    store.close()
    return made


def run(file: Path, *options: str) -> int:
    plan = ["utilization", "--plan", "sunrise", *options]
    return main(["--database", f"sqlite:///{file}", *plan])


def test_the_command_writes_who_is_at_a_threshold(file, tmp_path, capsys) -> None:
    out = tmp_path / "new" / "use.csv"
    assert run(file, "--on", "2026-07-10", "--out", str(out), "--flags") == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 flags changed", "1 by emergency", "0 by stays",
        "1 of 2 members with stays are at a threshold on 2026-07-10",
    ]  # fmt: skip
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["patient"] for row in rows] == ["Patient/p0", "Patient/p1"]
    assert rows[0] | {"evidence": ""} == {
        "patient": "Patient/p0", "cin": CINS[0], "on": "2026-07-10", "age_group": "adult",
        "months": "6", "emergency_visits": "5", "stays": "0", "reached": "emergency",
        "evidence": "",
    }  # fmt: skip
    assert len(rows[0]["evidence"].split()) == 5 and rows[1]["reached"] == ""


def test_visits_of_which_only_the_histories_tell(file, tmp_path) -> None:
    """They became outpatient, and their messages told no times."""
    store = stores.open(f"sqlite:///{file}", resolve)
    subject = {"reference": "Patient/p1"}
    store.put(untold("AMB", "in-progress") | {"subject": subject, "classHistory": WAS_ED}, stamp())
    store.put(stay("2026-06-20", "HH", subject=subject), stamp())
    store.close()
    assert run(file, "--on", "2026-07-10", "--out", str(tmp_path / "use.csv")) == 0
    rows = csv.DictReader((tmp_path / "use.csv").read_text(encoding="utf-8").splitlines())
    assert [row["emergency_visits"] for row in rows] == ["5", "5"]


@pytest.mark.parametrize(
    ("story", "counted"),
    [
        pytest.param(["A04E"], (1, 0), id="registered in an emergency room"),
        pytest.param(["A04E", "A08E"], (1, 0), id="and an update"),
        pytest.param(["A04E", "A06I"], (0, 1), id="and admitted"),
        pytest.param(["A04O"], (0, 0), id="registered in an office"),
        pytest.param(["A01I"], (0, 1), id="admitted"),
        pytest.param(["A03I"], (0, 1), id="discharged"),
        pytest.param(["A05I"], (0, 0), id="planned"),
        pytest.param(["A04E", "A11E"], (0, 0), id="registered by mistake"),
    ],
)
@pytest.mark.parametrize(("on", "seen"), [("2026-07-10", 1), ("2026-03-20", 0), ("2027-01-10", 0)])
def test_stays_whose_messages_tell_no_times(story, counted, on, seen) -> None:
    """They began by the message that tells of them, which is dated (EVN-2)."""
    store = stores.open("sqlite://", resolve, replay=replay)
    store.put(roster("90000077A"), stamp())
    house = Pipeline(store, lambda: NOW)
    for day, one in enumerate(story, 1):
        (result,) = house.adt(untimed(one[:3], f"202607{day:02}083000-0700", one[3:]), "", "m")
        assert result.status == "stored"
    found = list(frequent.members(store, "sunrise", date.fromisoformat(on)))
    store.close()
    assert [counts(one.usage) for one in found] == [counted] * (seen and sum(counted))


def flags(file: Path) -> list[Json]:
    store = stores.open(f"sqlite:///{file}", resolve)
    found = list(store.each("Flag"))
    store.close()
    return found


def test_a_flag_has_the_stays_as_evidence_and_ends(file, capsys) -> None:
    assert run(file, "--on", "2026-07-10", "--flags") == 0
    (found,) = flags(file)
    assert (found["status"], found["period"]) == ("active", {"start": "2026-07-10"})
    assert len(found["extension"]) == 5
    assert found["code"]["coding"][0]["code"] == "avoidable-utilization"
    assert_valid([found])
    for day, changed in (("2026-07-10", 0), ("2026-08-20", 0), ("2026-10-05", 1)):
        assert run(file, "--on", day, "--flags") == 0
        assert f"{changed} flags changed" in capsys.readouterr().out
    (ended,) = flags(file)
    assert ended["status"] == "inactive"
    assert ended["period"] == {"start": "2026-07-10", "end": "2026-10-05"}


def test_a_flag_ends_when_all_its_stays_are_long_ago(file, capsys) -> None:
    for day in ("2026-07-10", "2027-07-10", "2027-08-10"):
        assert run(file, "--on", day, "--flags") == 0
    (ended,) = flags(file)
    assert ended["status"] == "inactive"
    assert ended["period"] == {"start": "2026-07-10", "end": "2027-07-10"}
    for day in ("2026-07-10", "2025-07-10"):  # what was is not told anew
        assert run(file, "--on", day, "--flags") == 0
    assert flags(file) == [ended]


def test_who_left_the_list_keeps_a_flag_that_holds(file) -> None:
    store = stores.open(f"sqlite:///{file}", resolve)
    held = {"resourceType": "Flag", "status": "active", "subject": {"reference": "Patient/p2"}}
    code = {"coding": [{"system": "urn:x", "code": "avoidable-utilization"}]}
    store.put({**held, "id": "f2", "code": code, "period": {"start": "2026-07-01"}}, stamp())
    store.put({**held, "id": "f3", "code": {"text": "falls"}}, stamp())
    store.close()
    for day, status in (("2026-07-10", "active"), ("2026-12-15", "inactive")):
        assert run(file, "--on", day, "--flags") == 0
        found = {one["id"]: one["status"] for one in flags(file)}
        assert (found["f2"], found["f3"]) == (status, "active")


def test_one_flag_a_person_after_a_merge(file) -> None:
    assert run(file, "--on", "2026-07-10", "--flags") == 0
    (first,) = flags(file)
    store = stores.open(f"sqlite:///{file}", resolve)
    link = [{"type": "replaced-by", "other": {"reference": "Patient/p0"}}]
    store.put({"resourceType": "Patient", "id": "old", "link": link}, stamp())
    subject = {"reference": "Patient/old"}
    older = {**first, "id": "f1", "subject": subject, "period": {"start": "2026-05-01"}}
    store.put(older, stamp())
    store.close()
    assert run(file, "--on", "2026-07-11", "--flags") == 0
    found = {one["id"]: one for one in flags(file)}
    assert found["f1"]["period"] == {"start": "2026-05-01"}
    assert found["f1"]["subject"] == {"reference": "Patient/p0"}
    assert found[first["id"]]["status"] == "inactive"
    assert found[first["id"]]["period"]["end"] == "2026-07-11"


def test_a_day_that_is_none(file, capsys) -> None:
    assert run(file, "--on", "07/10/2026") == 2
    assert "--on" in capsys.readouterr().err
