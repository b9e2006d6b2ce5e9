"""A message whose PID names nobody by number: who is like a stored person is not made anew."""

from __future__ import annotations

from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

WHO = "QUILLFEATHER^ODETTE||19800517|F"
WHOLE = f"{WHO}|||12 OAK ST^^FRESNO^CA^93701||5595550100"


def message(hour: int, number: str, who: str) -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A31|N{hour}|P|2.5.1"
    return "\r".join([head, f"EVN|A31|{at}", f"PID|||{number}||{who}", ""]).encode()


@pytest.mark.parametrize(
    ("number", "who", "status", "people"),
    [
        ("", WHOLE, "stored", 1),
        ('""', WHOLE, "stored", 1),
        ("", WHO, "review", 1),
        ("", "PIKE^NED||19310517|M", "stored", 2),
    ],
)
def test_nobody_is_made_twice(number: str, who: str, status: str, people: int) -> None:
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        told = (message(1, "M1^^^MERCY^MR", WHOLE), message(2, number, who))
        for raw in told:
            (outcome,) = convert.adt(raw)
            receipt = store.commit(outcome, raw, "2026-07-20T08:00:00Z")
        assert receipt.status == status
        assert len(list(store.each("Patient"))) == people
    finally:
        store.close()


def test_a_filler_joins_neither_people_nor_stays() -> None:
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    stay = "PV1||I" + "|" * 17 + "UNKNOWN^^^MERCY^VN" + "|" * 25 + "20260710"
    try:
        for hour, who in ((1, WHO), (2, "PIKE^NED||19310517|M")):
            raw = message(hour, "UNKNOWN^^^MERCY^MR~NONE^^^DHCS^MA", who).replace(b"A31", b"A01")
            raw += stay.encode() + b"\r"
            (outcome,) = convert.adt(raw)
            assert store.commit(outcome, raw, "2026-07-20T08:00:00Z").status == "stored"
        assert len(list(store.each("Patient"))) == len(list(store.each("Encounter"))) == 2
    finally:
        store.close()


@pytest.mark.parametrize(
    ("number", "one", "other"),
    [
        ("12345^^^MRN^MR", b"|ADT|MERCY|", b"|ADT|SUTTER|"),
        ("12345^^^DHCS^MA", b"|ADT|MERCY|", b"|ADT|SUTTER|"),
        ("12345", b"|EPIC||", b"|CERNER||"),
    ],
)
def test_the_numbers_of_two_senders_are_two(number: str, one: bytes, other: bytes) -> None:
    told = [message(1, number, WHO).replace(b"|ADT|MERCY|", sender) for sender in (one, other)]
    first, second = [
        entry.identity
        for raw in told
        for entry in next(iter(convert.adt(raw))).entries
        if entry.resource["resourceType"] == "Patient"
    ]
    assert first and second and first != second
