"""The state machine of a stay, as tables of events; order, repeats and losses with hypothesis."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.program.encounters import replay
from adapter.record import Movement

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CODES = {"E": "EMER", "I": "IMP", "O": "AMB", "P": "PRENC", "V": "OBSENC"}
FIELDS = {"here": "PV1-3", "from": "PV1-6", "temp": "PV1-11", "next": "PV1-42"}
PLANNED_END = "extension/extension-Encounter_plannedEndDate"
STATUSES = {"from": "completed", "next": "reserved"}


def at(hour: int) -> str:
    """An hour of one invented day."""
    return f"2026-07-{5 + hour // 24:02d}T{hour % 24:02d}:00:00-07:00"


def move(event: str, hour: int, **says: Any) -> Movement:
    """A message of an event; `E`, `here`, `end` ... are what its PV1 says."""
    elements: dict[str, Any] = {}
    if "cls" in says:
        elements["class"] = {"system": ACT, "code": CODES[says["cls"]]}
        elements["status"] = "in-progress" if says["cls"] != "P" else "planned"
    if "status" in says:
        elements["status"] = says["status"]
    period = {name: at(says[name]) for name in ("start", "end") if name in says}
    places = [part for part in FIELDS if part in says]
    if period:
        elements["period"] = period
    if places:
        elements["location"] = [
            {
                "location": {"reference": f"Location/{says[part]}"},
                "status": STATUSES.get(part, "active"),
            }
            for part in places
        ]
    stay = {
        name: {"text": says[name]}
        for name in ("dischargeDisposition", "admitSource")
        if name in says
    }
    if stay:
        elements["hospitalization"] = stay
    for name, key in (("plan", PLANNED_END), ("length", "length")):
        if name in says:
            elements[key] = {"value": says[name]}
    weak = ("status",) if event in ("A08", "A09", "A10", "A15", "A16") else ()
    fields = tuple(FIELDS[part] for part in places)
    order = (f"{hour:04d}", event)
    return Movement(order, event, at(hour), elements, weak, says.get("cleared", ()), fields)


def state(*movements: Movement) -> dict[str, Any]:
    return {name: element.value for name, element in replay(movements).items()}


def short(found: dict[str, Any]) -> str:
    """A stay in one line: status, class, past ones, where."""
    hour = {at(h): str(h) for h in range(60)}

    def span(period: dict[str, str]) -> str:
        return "-".join(hour[period[name]] if name in period else "" for name in ("start", "end"))

    past = " ".join(
        f"{row['status']}:{span(row['period'])}" for row in found.get("statusHistory", ())
    )
    classes = " ".join(
        f"{row['class']['code']}:{span(row['period'])}" for row in found.get("classHistory", ())
    )
    where = " ".join(
        f"{row['location']['reference'][9:]}={row['status']}:{span(row.get('period', {}))}"
        for row in found.get("location", ())
    )
    parts = (found["status"], found.get("class", {}).get("code", ""), past, classes, where)
    return " | ".join(parts).rstrip(" |")


ADMIT = move("A01", 8, cls="I", here="w1", start=8)
LEFT = move("A03", 20, cls="I", here="w1", end=20, dischargeDisposition="home")

CASES: list[tuple[str, list[Movement], str]] = [
    ("admitted", [ADMIT], "in-progress | IMP |  |  | w1=active:8-"),
    ("discharged", [ADMIT, LEFT], "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("a discharge alone", [LEFT], "finished | IMP |  |  | w1=completed:20-20"),
    ("an update never reopens", [ADMIT, LEFT, move("A08", 22, cls="I", here="w1")],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("an update never moves who has left", [ADMIT, LEFT, move("A08", 22, here="w9")],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("an update without state suggests", [move("A08", 9, cls="I", here="w1")],
     "in-progress | IMP |  |  | w1=active:9-"),
    ("an update without state, with an end", [move("A08", 9, cls="I", end=7)], "finished | IMP"),
    ("an update sets no status", [move("A05", 2, cls="P"), move("A08", 9, cls="I")],
     "planned | IMP |  | PRENC:2-9"),
    ("admission cancelled", [ADMIT, move("A11", 9, cls="I")],
     "cancelled | IMP | in-progress:8-9"),
    ("admission cancelled, its place told again", [ADMIT, move("A11", 9, cls="I", here="w1")],
     "cancelled | IMP | in-progress:8-9"),
    ("pre-admission cancelled, its place told again",
     [move("A05", 2, cls="P", here="w1"), move("A38", 3, here="w1")],
     "cancelled | PRENC | planned:2-3"),
    ("a cancel alone", [move("A11", 9, cls="I")], "cancelled | IMP"),
    ("admission cancelled, told twice", [ADMIT, move("A01", 9, cls="I"), move("A11", 10)],
     "cancelled | IMP | in-progress:8-10"),
    ("the emergency visit before it goes on",
     [move("A04", 6, cls="E", here="ed"), ADMIT, move("A11", 9, cls="I")],
     "in-progress | EMER |  | EMER:6-8 IMP:8-9 | ed=active:6-"),
    ("the end mended by an update", [ADMIT, LEFT, move("A08", 22, end=18)],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-18"),
    ("the end told after the discharge",
     [ADMIT, move("A03", 20), move("A08", 22, end=18), move("A08", 23, end=19)],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-19"),
    ("the end mended by a discharge, after a transfer",
     [ADMIT, move("A02", 10, here="w2"), move("A03", 20, end=20), move("A03", 22, end=18)],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-10 w2=completed:10-18"),
    ("the end mended to before the place was reached",
     [ADMIT, move("A02", 10, here="w2"), move("A03", 20, end=20), move("A08", 22, end=9)],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-10 w2=completed:10-20"),
    ("admitted again", [ADMIT, move("A11", 9), move("A01", 12, cls="I", here="w2")],
     "in-progress | IMP | in-progress:8-9 cancelled:9-12 |  | w2=active:12-"),
    ("discharge cancelled", [ADMIT, LEFT, move("A13", 21, cls="I", here="w1")],
     "in-progress | IMP | in-progress:8-20 finished:20-21 |  | w1=active:8-"),
    ("discharge told twice, cancelled once",
     [ADMIT, LEFT, move("A03", 20, end=20), move("A13", 21)],
     "in-progress | IMP | in-progress:8-20 finished:20-21 |  | w1=active:8-"),
    ("discharge cancelled, the discharge lost", [ADMIT, move("A13", 21)],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("discharged again", [ADMIT, LEFT, move("A13", 21), move("A03", 30, end=30)],
     "finished | IMP | in-progress:8-20 finished:20-21 in-progress:21-30 |  | w1=completed:8-30"),
    ("transferred", [ADMIT, move("A02", 10, here="w2", **{"from": "w1"})],
     "in-progress | IMP |  |  | w1=completed:8-10 w2=active:10-"),
    ("a transfer alone", [move("A02", 10, cls="I", here="w2", **{"from": "w1"})],
     "in-progress | IMP |  |  | w1=completed:-10 w2=active:10-"),
    ("transfer cancelled", [ADMIT, move("A02", 10, here="w2"), move("A12", 11, here="w1")],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("transfer cancelled, its place told as the one before",
     [ADMIT, move("A02", 10, here="w2"), move("A12", 11, here="w1", **{"from": "w2"})],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("second transfer cancelled",
     [ADMIT, move("A02", 10, here="w2"), move("A02", 11, here="w3"), move("A12", 12)],
     "in-progress | IMP |  |  | w1=completed:8-10 w2=active:10-"),
    ("transfer cancelled, the transfer lost", [ADMIT, move("A12", 11, here="w1")],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("transfer cancelled after the discharge",
     [ADMIT, move("A02", 10, here="w2"), LEFT, move("A12", 21)],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("a transfer after the discharge does not reopen", [ADMIT, LEFT, move("A02", 22, here="w2")],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("a transfer missed", [ADMIT, move("A08", 10, here="w2")],
     "in-progress | IMP |  |  | w1=completed:8-10 w2=active:10-"),
    ("a place between missed", [ADMIT, move("A02", 12, here="w3", **{"from": "w2"})],
     "in-progress | IMP |  |  | w2=completed:- w1=completed:8-12 w3=active:12-"),
    ("outpatient to inpatient",
     [move("A04", 6, cls="E", here="ed"), move("A06", 8, cls="I", here="w1")],
     "in-progress | IMP |  | EMER:6-8 | ed=completed:6-8 w1=active:8-"),
    ("outpatient to inpatient, class not told", [move("A04", 6, cls="O"), move("A06", 8, cls="O")],
     "in-progress | IMP |  | AMB:6-8"),
    ("outpatient to an inpatient stay of its own",
     [move("A04", 6, cls="E", here="ed"), move("A06", 8, status="finished")],
     "finished | EMER | in-progress:6-8 |  | ed=completed:6-8"),
    ("inpatient to outpatient", [ADMIT, move("A07", 10, cls="V")],
     "in-progress | OBSENC |  | IMP:8-10 | w1=active:8-"),
    ("class mended after the end", [ADMIT, LEFT, move("A07", 30, cls="V", end=20)],
     "finished | OBSENC | in-progress:8-20 | IMP:8-30 | w1=completed:8-20"),
    ("planned, then here", [move("A05", 2, cls="P", here="w1"), ADMIT],
     "in-progress | IMP | planned:2-8 | PRENC:2-8 | w1=active:8-"),
    ("planned", [move("A05", 2, cls="P", here="w1")], "planned | PRENC |  |  | w1=planned:-"),
    ("pre-admission told late takes nothing back", [ADMIT, move("A05", 9, cls="P", here="w2")],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pre-admission told late, its place taken away",
     [ADMIT, move("A05", 9, cls="P", cleared=("location[assigned]",))],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pre-admission told after the end", [ADMIT, LEFT, move("A05", 22, cls="P", here="w2")],
     "finished | IMP | in-progress:8-20 |  | w1=completed:8-20"),
    ("pre-admission told again", [move("A05", 2, cls="P", here="w1"), move("A05", 3, here="w2")],
     "planned | PRENC |  |  | w2=planned:-"),
    ("pre-admission cancelled after the admission",
     [move("A05", 2, cls="P", here="w1"), ADMIT, move("A38", 9, cls="P", here="w1")],
     "in-progress | IMP | planned:2-8 | PRENC:2-8 | w1=active:8-"),
    ("the admission of a planned stay cancelled",
     [move("A05", 2, cls="P", here="w1"), ADMIT, move("A11", 9, cls="I", here="w1")],
     "cancelled | PRENC | planned:2-8 in-progress:8-9 | PRENC:2-8 IMP:8-9"),
    ("a planned stay entered in error", [move("A05", 2, cls="P", here="w1"), move("A23", 3)],
     "entered-in-error | PRENC | planned:2-3"),
    ("pre-admission cancelled", [move("A05", 2, cls="P", here="w1"), move("A38", 3)],
     "cancelled | PRENC | planned:2-3"),
    ("pending admission cancelled", [move("A14", 2, cls="P"), move("A27", 3)],
     "cancelled | PRENC | planned:2-3"),
    ("a pending admission is not the one that took place",
     [move("A14", 2), ADMIT, move("A27", 9, cls="P", here="w2")],
     "in-progress | IMP | planned:2-8 |  | w1=active:8-"),
    ("pending transfer", [ADMIT, move("A15", 9, next="w2")],
     "in-progress | IMP |  |  | w1=active:8- w2=reserved:-"),
    ("pending transfer cancelled", [ADMIT, move("A15", 9, next="w2"), move("A26", 10, next="w2")],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pending transfer cancelled, its place taken away",
     [ADMIT, move("A15", 9, next="w2"), move("A26", 10, cleared=("location[pending]",))],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pending transfer told twice, cancelled once",
     [ADMIT, move("A15", 9, next="w2"), move("A15", 10, next="w2"), move("A26", 11)],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pending transfer cancelled, after another transfer",
     [ADMIT, move("A15", 9, next="w2"), move("A02", 10, here="w3"), move("A26", 11)],
     "in-progress | IMP |  |  | w1=completed:8-10 w3=active:10-"),
    ("pending transfer cancelled, which also told of a transfer missed",
     [ADMIT, move("A15", 9, here="w3", next="w2"), move("A26", 11)],
     "in-progress | IMP |  |  | w1=completed:8-9 w3=active:9-"),
    ("pending discharge cancelled, which also told of a transfer missed",
     [ADMIT, move("A16", 9, here="w3"), move("A25", 11)],
     "in-progress | IMP |  |  | w1=completed:8-9 w3=active:9-"),
    ("departure cancelled, after a transfer",
     [ADMIT, move("A09", 9, temp="xr"), move("A02", 10, here="w2"), move("A33", 11)],
     "in-progress | IMP |  |  | w1=completed:8-10 w2=active:10-"),
    ("departure cancelled, which was after a transfer",
     [ADMIT, move("A02", 9, here="w2"), move("A09", 10, temp="xr"), move("A12", 11)],
     "in-progress | IMP |  |  | w1=active:8- xr=active:10-"),
    ("transfer cancelled, after one that was missed",
     [ADMIT, move("A02", 9, here="w2"), move("A08", 10, here="w3"), move("A12", 11)],
     "in-progress | IMP |  |  | w1=completed:8-9 w3=active:10-"),
    ("pending transfer done", [ADMIT, move("A15", 9, next="w2"), move("A02", 10, here="w2")],
     "in-progress | IMP |  |  | w1=completed:8-10 w2=active:10-"),
    ("pending discharge is no end", [ADMIT, move("A16", 9)],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("pending discharge cancelled", [ADMIT, move("A16", 9), move("A25", 10)],
     "in-progress | IMP |  |  | w1=active:8-"),
    ("on leave", [ADMIT, move("A21", 10)], "onleave | IMP | in-progress:8-10 |  | w1=active:8-"),
    ("back", [ADMIT, move("A21", 10), move("A22", 12)],
     "in-progress | IMP | in-progress:8-10 onleave:10-12 |  | w1=active:8-"),
    ("leave cancelled", [ADMIT, move("A21", 10), move("A52", 12)],
     "in-progress | IMP | in-progress:8-10 onleave:10-12 |  | w1=active:8-"),
    ("return cancelled", [ADMIT, move("A21", 10), move("A22", 12), move("A53", 13)],
     "onleave | IMP | in-progress:8-10 onleave:10-12 in-progress:12-13 |  | w1=active:8-"),
    ("under way", [ADMIT, move("A09", 9, temp="xr")],
     "in-progress | IMP |  |  | w1=active:8- xr=active:9-"),
    ("back in bed", [ADMIT, move("A09", 9, temp="xr"), move("A10", 10, here="w1")],
     "in-progress | IMP |  |  | xr=completed:9-10 w1=active:8-"),
    ("arrival cancelled", [ADMIT, move("A09", 9, temp="xr"), move("A10", 10), move("A32", 11)],
     "in-progress | IMP |  |  | w1=active:8- xr=active:9-"),
    ("a visit registered", [move("A04", 6, cls="O")], "in-progress | AMB"),
    ("a visit registered after its end", [move("A04", 6, cls="O", start=3, end=5)],
     "in-progress | AMB"),
    ("a visit that comes again",
     [move("A04", 6, cls="O"), move("A03", 7, end=7), move("A04", 9, cls="O")],
     "in-progress | AMB | in-progress:6-7 finished:7-9"),
    ("entered in error", [ADMIT, move("A23", 9)],
     "entered-in-error | IMP | in-progress:8-9 |  | w1=completed:8-9"),
    ("an event that is not in the table", [ADMIT, move("A54", 9)],
     "in-progress | IMP |  |  | w1=active:8-"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_becomes_of_a_stay(events: list[Movement], expected: str) -> None:
    assert short(state(*events)) == expected
    assert short(state(*reversed(events))) == expected
    assert state(*events, *events) == state(*events)


def test_each_element_names_the_message_that_made_it_so() -> None:
    told = [
        move("A04", 1, cls="E", start=1), move("A06", 2, cls="I", here="W1"),
        move("A08", 3, cls="I"), move("A03", 4, end=4),
    ]  # fmt: skip
    found = {name: (one.by, one.weak) for name, one in replay(told).items()}
    assert found == {
        "status": (3, False), "statusHistory": (3, False), "class": (1, False),
        "classHistory": (1, False), "period": (3, False), "location": (3, False),
    }  # fmt: skip
    gaps = replay([move("A08", 3, here="W1")])
    assert {name: one.weak for name, one in gaps.items()} == {"status": True, "location": False}


def test_a_cancel_leaves_the_class_that_was_told_since() -> None:
    told = [move("A05", 1, cls="P"), move("A01", 2, cls="I"), move("A07", 3, cls="O")]
    assert state(*told, move("A11", 4))["class"]["code"] == "AMB"
    assert state(*told[:2], move("A11", 4))["class"]["code"] == "PRENC"


def test_an_end_that_no_event_told_leaves_every_place() -> None:
    """Only updates came, one with the end of the stay."""
    told = [move("A08", 2, here="W1", temp="T1", start=1), move("A08", 9, here="W2", end=8)]
    found = replay(told)
    assert found["status"].value == "finished"
    places = found["location"].value
    assert [row["status"] for row in places] == ["completed"] * 3


def test_a_cancelled_discharge_takes_its_end_along() -> None:
    found = state(ADMIT, LEFT)
    assert found["period"] == {"start": at(8), "end": at(20)}
    assert found["hospitalization"] == {"dischargeDisposition": {"text": "home"}}
    again = state(ADMIT, LEFT, move("A13", 21))
    assert again["period"] == {"start": at(8)} and "hospitalization" not in again


PLAN = move("A16", 9, plan=15, length=5, end=30, dischargeDisposition="snf")
CALLED_OFF = move("A25", 11, cleared=("hospitalization.destination", PLANNED_END))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([PLAN], (15, 5, "snf", 30)),
        ([PLAN, CALLED_OFF], (12, 3, "home", None)),
        ([PLAN, move("A16", 10, plan=16), CALLED_OFF], (12, 3, "home", None)),
        ([PLAN, move("A08", 10, plan=16, length=6), CALLED_OFF], (12, 3, "home", None)),
        ([PLAN, CALLED_OFF, CALLED_OFF._replace(order=("0012", ""), at=at(12))],
         (12, 3, "home", None)),
        ([PLAN, CALLED_OFF, move("A16", 13, plan=17)], (17, 3, "home", None)),
        ([PLAN, CALLED_OFF, move("A08", 13, plan=17)], (17, 3, "home", None)),
        ([CALLED_OFF], (None, 3, "home", None)),
        ([PLAN, CALLED_OFF, LEFT], (12, 3, "home", 20)),
        ([PLAN, move("A03", 10, end=10, dischargeDisposition="jail"), CALLED_OFF],
         (12, 5, "jail", 10)),
    ],
)  # fmt: skip
def test_a_plan_called_off_leaves_what_stood_before(
    events: list[Movement], expected: tuple[Any, ...]
) -> None:
    first = move("A01", 8, cls="I", start=8, plan=12, length=3, dischargeDisposition="home")
    for told in ([first, *events], [*reversed(events), first], [first, *events, *events]):
        found = state(*told)
        end = found["period"].get("end")
        assert expected == (
            found.get(PLANNED_END, {}).get("value"),
            found["length"]["value"],
            found["hospitalization"]["dischargeDisposition"]["text"],
            next((hour for hour in range(60) if at(hour) == end), None),
        )


def test_absent_keeps_and_cleared_goes() -> None:
    first = move("A01", 8, cls="I", start=8, admitSource="door")
    second = move("A08", 9, dischargeDisposition="home")
    both = {"admitSource": {"text": "door"}, "dischargeDisposition": {"text": "home"}}
    assert state(first, second)["hospitalization"] == both
    gone = move("A08", 10, cleared=("hospitalization.admitSource", "period.start"))
    found = state(first, second, gone)
    assert found["hospitalization"] == {"dischargeDisposition": {"text": "home"}}
    assert "period" not in found


EMERGENCY = move("A04", 6, cls="E", here="ed", start=6)


@pytest.mark.parametrize(
    ("events", "start"),
    [
        ([EMERGENCY, ADMIT, move("A11", 9)], 6),
        ([EMERGENCY, ADMIT, move("A11", 9, start=8)], 6),
        ([EMERGENCY, ADMIT, move("A11", 9, start=5)], 5),
        ([EMERGENCY, ADMIT, ADMIT._replace(order=("0009", "")), move("A11", 10)], 6),
        ([EMERGENCY, ADMIT, move("A08", 9, start=7), move("A11", 10)], 7),
        ([EMERGENCY, ADMIT, move("A12", 9, start=8)], 8),
        ([EMERGENCY, ADMIT, move("A11", 9), move("A01", 11, start=10)], 10),
        ([move("A04", 6, cls="E"), ADMIT, move("A11", 9)], None),
        ([ADMIT, move("A11", 9)], 8),
    ],
)
def test_a_cancelled_admission_takes_its_start_along(events, start) -> None:
    """Where the stay goes on; one that never was keeps when it would have begun."""
    for told in (events, [*reversed(events)], [*events, *events]):
        found = state(*told).get("period", {})
        assert found == ({} if start is None else {"start": at(start)})


SLIP = move("A03", 20, end=2)  # before its start


@pytest.mark.parametrize(
    ("events", "start", "end"),
    [
        ([SLIP], None, 2),
        ([SLIP, move("A08", 21, end=20)], 8, 20),
        ([SLIP, move("A08", 21, start=1)], 1, 2),
        ([SLIP, move("A08", 21, start=9)], 9, None),
        ([SLIP, move("A08", 21, start=9), move("A08", 22, end=20)], 9, 20),
        ([SLIP, move("A08", 21, start=9), move("A13", 22)], 9, None),
        ([SLIP, move("A08", 21, cleared=("period.end",))], 8, None),
        ([SLIP, move("A08", 21, cleared=("period.start",)), move("A08", 22, end=20)], None, 20),
        ([SLIP, move("A13", 21)], 8, None),
        ([SLIP, move("A13", 21), move("A03", 22, end=22)], 8, 22),
        ([move("A16", 9, end=2), move("A25", 10)], 8, None),
        ([move("A08", 9, start=30), move("A08", 10, end=20), move("A08", 11, start=7)], 7, 20),
    ],
)
def test_a_start_and_an_end_that_cannot_both_be_right(events, start, end) -> None:
    """The newer is shown alone; the other comes back when one of them is mended or taken back."""
    hours = {"start": start, "end": end}
    expected = {name: at(hour) for name, hour in hours.items() if hour is not None}
    for told in ([ADMIT, *events], [*reversed(events), ADMIT], [ADMIT, *events, *events]):
        assert state(*told)["period"] == expected


def test_the_movement_that_made_an_element_is_named() -> None:
    found = replay([LEFT, ADMIT, move("A08", 22)])
    by = {name: element.by for name, element in found.items()}
    assert by == {
        "status": 1, "class": 0, "statusHistory": 1, "period": 1, "hospitalization": 1,
        "location": 1,
    }  # fmt: skip


def test_the_same_message_under_another_number_is_the_same() -> None:
    again = move("A02", 10, here="w2")._replace(order=("0010", "other"))
    undo = move("A12", 11)
    twice = undo._replace(order=("0011", "other"))
    events = [ADMIT, move("A02", 9, here="w3"), move("A02", 10, here="w2"), undo]
    assert state(*events, again, twice) == state(*events)


EVENTS = st.sampled_from(
    ["A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A09", "A10", "A11", "A12", "A13",
     "A14", "A15", "A16", "A21", "A22", "A23", "A25", "A26", "A27", "A38", "A52", "A53", "A99"]
)  # fmt: skip


@st.composite
def stays(draw: st.DrawFn) -> list[Movement]:
    """Up to ten messages of one stay, each at an hour of its own."""
    hours = draw(st.lists(st.integers(0, 40), min_size=1, max_size=10, unique=True))
    found = []
    for hour in hours:
        says = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "cls": st.sampled_from(list(CODES)),
                    "here": st.sampled_from(["w1", "w2", "w3"]),
                    "from": st.sampled_from(["w1", "w2"]),
                    "temp": st.just("xr"),
                    "next": st.just("w9"),
                    "start": st.just(min(hours)),
                    "end": st.sampled_from([hour, hour, 0]),
                    "dischargeDisposition": st.just("home"),
                    "plan": st.integers(1, 3),
                    "length": st.integers(1, 3),
                    "cleared": st.just(("period.end",)),
                },
            )
        )
        found.append(move(draw(EVENTS), hour, **says))
    return found


@given(stays(), st.data())
def test_any_order_and_repetition_end_the_same(events: list[Movement], drawn: Any) -> None:
    expected = state(*events)
    again = drawn.draw(st.lists(st.sampled_from(events), max_size=5))
    assert state(*drawn.draw(st.permutations(events + again))) == expected


@given(stays())
def test_updates_lost_or_not_the_status_is_the_same(events: list[Movement]) -> None:
    told = [one for one in events if one.event not in ("A08", "A16", "A54", "A99")]
    ends = any("end" in one.says.get("period", {}) for one in events)
    if told and not ends:
        kept = state(*told)
        found = state(*events)
        if kept["status"] not in ("unknown",):
            assert found["status"] == kept["status"]
            assert found.get("statusHistory") == kept.get("statusHistory")


@given(stays())
def test_an_older_message_never_undoes_an_end(events: list[Movement]) -> None:
    end = move("A03", 50, end=50)
    found = state(*events, end)
    assert found["status"] == "finished" and found["period"]["end"] == at(50)
    assert all(row["status"] == "completed" for row in found.get("location", ()))
    update = move("A08", 51, cls="I", here="w7", start=1)
    assert state(*events, end, update)["status"] == "finished"


@given(stays(), st.sampled_from(["A05", "A14", "A27", "A38"]))
def test_no_plan_changes_a_stay_that_has_begun(events: list[Movement], event: str) -> None:
    begun = [*events, move("A01", 50, cls="I", here="w1")]
    plan = move(event, 51, cls="P", here="w2", cleared=("location[temporary]",))
    assert state(*begun, plan) == state(*begun)


@given(stays())
def test_no_slip_loses_the_start(events: list[Movement]) -> None:
    events = [one for one in events if one.event != "A11"]
    starts = {
        one.says["period"]["start"] for one in events if "start" in one.says.get("period", {})
    }
    period = state(*events, move("A08", 50, end=50))["period"]
    assert {period["start"]} == starts if starts else "start" not in period
    assert period["end"] == at(50)


@given(stays())
def test_the_history_is_a_chain(events: list[Movement]) -> None:
    found = state(*events)
    for name, what in (("statusHistory", "status"), ("classHistory", "class")):
        rows = found.get(name, [])
        starts = [row["period"].get("start", "") for row in rows]
        assert starts == sorted(starts)
        assert all(row["period"].get("start", "") <= row["period"]["end"] for row in rows)
        if rows:
            assert rows[-1][what] != found[what]
        assert all(a[what] != b[what] for a, b in pairwise(rows))
