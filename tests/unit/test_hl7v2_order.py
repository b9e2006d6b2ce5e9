"""When a message happened: which of its times counts, how exactly, and what a stay makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.mapping.order import place
from adapter.pipeline import Pipeline
from adapter.program.encounters import replay
from adapter.record import Message

ZONE = "America/Los_Angeles"
DAY = "20260704"
NIGHT = "20260704233000"  # PV1-44 or PV1-45


def message(event: str, recorded: str, occurred: str, sent: str, visit: str = "") -> Message:
    segments = (f"EVN||{recorded}||||{occurred}", "PV1|1|I" + "|" * 42 + f"{visit}|{visit}")
    return Message("f", 1, segments, event, "ADT", "MERCY", "1", sent)


@pytest.mark.parametrize(
    ("event", "recorded", "occurred", "sent", "visit", "instant", "told"),
    [
        ("A08", "20260704080000", "", "20260704090000", "", "04T15:00:00.000", "04T08:00:00-07:00"),
        ("A08", "20260704080000.1234-0500", "", "", "",
         "04T13:00:00.123400", "04T08:00:00.1234-05:00"),
        ("A08", DAY, "", "20260704090000", "", "04T16:00:00.000", "04T09:00:00-07:00"),
        ("A08", DAY, "", "20260705090000", "", "05T06:59:59.999", "04"),
        ("A08", DAY, "", "", "", "04T07:00:00.000", "04"),
        ("A08", DAY, "", "202607", "", "04T07:00:00.000", "04"),
        ("A08", "", "", "20260704090000", "", "04T16:00:00.000", "04T09:00:00-07:00"),
        ("A08", "", "", DAY, "", "04T07:00:00.000", "04"),
        ("A02", "20260704080000", DAY, "", "", "04T15:00:00.000", "04T08:00:00-07:00"),
        ("A02", "20260705001000", DAY, "", "", "05T06:59:59.999", "04"),
        ("A02", "20260705001000", DAY, "", NIGHT, "05T06:59:59.999", "04"),
        ("A02", "20260703230000", DAY, "", "", "04T07:00:00.000", "04"),  # told ahead of time
        ("A03", "20260705001000", DAY, "", NIGHT, "05T06:30:00.000", "04T23:30:00-07:00"),
        ("A03", "20260705001000", DAY, "", "20260703233000", "05T06:59:59.999", "04"),
        ("A03", "20260705001000", DAY, "", "2026070499", "05T06:59:59.999", "04"),
        ("A01", "20260705001000", DAY, "", NIGHT, "05T06:30:00.000", "04T23:30:00-07:00"),
        ("A11", "20260705001000", DAY, "", "", "05T07:10:00.000", "05T00:10:00-07:00"),
        ("A11", DAY, "", "20260704090000", "", "04T16:00:00.000", "04T09:00:00-07:00"),
        ("A08", "never", "", "20260704090000", "", "04T16:00:00.000", "04T09:00:00-07:00"),
    ],
)  # fmt: skip
def test_when(event, recorded, occurred, sent, visit, instant, told) -> None:
    order, at = place(message(event, recorded, occurred, sent, visit), ZONE)
    assert (order.partition(" ")[0], at) == (f"2026-07-{instant}+00:00", f"2026-07-{told}")


def test_no_time() -> None:
    assert place(message("A08", "", "", ""), ZONE) == ("", "")


def test_less_than_a_millisecond_counts() -> None:
    texts = [f"20260704080000{part}" for part in ("", ".0001", ".0002", ".001", ".0011", ".01")]
    found = [place(message("A08", text, "", ""), ZONE)[0] for text in texts]
    assert found == sorted(set(found))


# --- what a stay makes of it


def text(event: str, evn: str, pv1: str, sent: str) -> str:
    head = f"MSH|^~\\&|ADT|MERCYTEST|||{sent}||ADT^{event}|{event}-{sent}|P|2.5.1"
    person = "PID|1||M-1^^^MERCYTEST^MR||TESTWELL^AURORA||19800517|F"
    return "\r".join((head, f"EVN||{evn}", person, f"PV1|1|I|4WEST^7^B^MERCYTEST{pv1}"))


def pv1(start: str = "", end: str = "") -> str:
    return "|" * 16 + "V-1^^^MERCYTEST^VN" + "|" * 25 + f"{start}|{end}"


def stay(*messages: str) -> dict[str, Any]:
    """The stay after the messages, the same in every order of arrival."""
    found = [_stay(order) for order in permutations(messages)]
    assert all(one == found[0] for one in found)
    return found[0]


def _stay(messages: tuple[str, ...]) -> dict[str, Any]:
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                store.commit(one, one.unit.raw, "2026-07-20T08:00:00Z")
        (resource,) = store.each("Encounter")
        return resource
    finally:
        store.close()


ADMIT = text("A01", "20260704080000", pv1("20260704080000"), "20260704080000")


def test_a_discharge_of_a_day_before_its_recording() -> None:
    found = stay(ADMIT, text("A03", f"20260705001000||||{DAY}", pv1(end=NIGHT), "20260705001000"))
    assert (found["status"], found["period"]["end"]) == ("finished", "2026-07-04T23:30:00-07:00")
    assert [one["status"] for one in found["location"]] == ["completed"]


@pytest.mark.parametrize(
    ("event", "status", "code"), [("A11", "cancelled", "IMP"), ("A07", "in-progress", "AMB")]
)
def test_a_day_of_recording_gives_way_to_when_it_was_sent(event, status, code) -> None:
    found = stay(ADMIT, text(event, DAY, pv1(), "20260704090000"))
    assert (found["status"], found["class"]["code"]) == (status, code)


def test_history_keeps_precision_and_offset() -> None:
    first = text("A01", "20260704200000.1234-0500", pv1(), "20260704200000-0500")
    last = text("A03", "20260706", pv1(end="20260706"), "20260707080000-0500")
    found = stay(first, last)
    period = {"start": "2026-07-04T20:00:00.1234-05:00", "end": "2026-07-06"}
    assert found["statusHistory"] == [{"status": "in-progress", "period": period}]
    assert found["location"][0]["period"] == period


# --- a clock that is years ahead

CAME = datetime(2026, 7, 4, 20, tzinfo=UTC)  # 13 o'clock there


@pytest.mark.parametrize(
    ("evn", "sent", "instant", "fields"),
    [
        ("20260705120000", "20260705120000", "2026-07-05T19:00:00.000+00:00", []),
        ("20360704080000", "20260704090000", "2026-07-04T16:00:00.000+00:00", ["EVN-2"]),
        ("20360704080000", "20360704080001", "2026-07-04T20:00:00.000+00:00", ["EVN-2", "MSH-7"]),
        ("20260704080000||||20360704080000", "20260704090000", "2026-07-04T15:00:00.000+00:00",
         ["EVN-6"]),
        ("", "20360704080000", "2026-07-04T20:00:00.000+00:00", ["MSH-7"]),
        ("20260704080000", "20360704080000", "2026-07-04T15:00:00.000+00:00", []),
    ],
    ids=["of tomorrow", "recorded", "recorded and sent", "occurred", "sent", "sent, a tie only"],
)  # fmt: skip
def test_a_time_far_ahead_of_the_arrival_counts_for_no_order(evn, sent, instant, fields) -> None:
    (told,) = convert.adt(text("A08", evn, pv1(), sent), "feed.hl7")
    before = list(told.issues)
    convert.timely([told], CAME)
    assert told.unit.as_of.split(" ")[0] == instant
    new = [one for one in told.issues if one not in before]
    assert all((one.severity, one.detail) == ("warning", "time-ahead") for one in new)
    assert [str(one.at) for one in new] == [
        f"feed.hl7:{1 if field[:3] == 'MSH' else 2} {field}" for field in fields
    ]


def test_a_clock_that_is_years_ahead_makes_nothing_late() -> None:
    """What comes after it is newer, though it says otherwise; and it is told."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    wrong = text("A08", "20360704090000", pv1(), "20360704090000").replace("TESTWELL", "TESTWEL")
    end = text("A03", "20260704140000", pv1(end="20260704140000"), "20260704140000")
    found = []
    for hour, raw in ((15, ADMIT), (20, wrong), (22, end)):
        house = Pipeline(store, lambda hour=hour: datetime(2026, 7, 4, hour, tzinfo=UTC))
        found += house.adt(raw.encode(), "default", "feed.hl7")
    assert [one.status for one in found] == ["stored"] * 3
    told = [[i.detail for i in one.issues if i.detail == "time-ahead"] for one in found]
    assert told == [[], ["time-ahead"], []]
    assert next(store.each("Encounter"))["status"] == "finished"
    assert next(store.each("Patient"))["name"][0]["family"] == "TESTWELL"
    store.close()
