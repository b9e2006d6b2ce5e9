"""Stays without a visit number (PV1-19): one a person, sender and time of admission."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

MINUTE, DAY = "202607100815-0700", "20260710"
TAKEN = ("stored", "duplicate")


def message(event: str, hour: int, kind: str = "I", start: str = "", **more: str) -> bytes:
    """`end`: PV1-45; `occurred`: EVN-6; `at`: the facility."""
    at, place = f"20260710{hour:02d}0000-0700", more.get("at", "MERCY")
    head = f"MSH|^~\\&|ADT|{place}|HUB|HARBOR|{at}||ADT^{event}|N{event}{hour}|P|2.5.1"
    evn = f"EVN|{event}|{at}||||{more.get('occurred', '')}"
    pid = "PID|||90000011A^^^MEDI-CAL^MA||QUILLFEATHER^ODETTE||19800517|F"
    pv1 = f"PV1|1|{kind}|W1{'|' * 41}{start}|{more.get('end', '')}"
    return "\r".join([head, evn, pid, pv1, ""]).encode()


def stays(*messages: bytes) -> list[tuple[str, str]]:
    """Status and class of every Encounter after the messages."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status in TAKEN
        return sorted((row["status"], row["class"]["code"]) for row in store.each("Encounter"))
    finally:
        store.close()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # the time of admission names the stay, whatever its class is by then
        ([message("A04", 8, "E", MINUTE), message("A06", 12, "I", MINUTE),
          message("A03", 20, "I", MINUTE, end="202607101900-0700")], [("finished", "IMP")]),
        # a mere day does so with the class only
        ([message("A04", 8, "E", DAY), message("A03", 10, "E", DAY), message("A04", 12, "O", DAY)],
         [("finished", "EMER"), ("in-progress", "AMB")]),
        # two hospitals on one day are two stays
        ([message("A01", 8, "I", DAY), message("A03", 12, "I", DAY),
          message("A01", 14, "I", DAY, at="GRACE")], [("finished", "IMP"), ("in-progress", "IMP")]),
        # one minute, however its offset is written
        ([message("A01", 8, start=MINUTE), message("A03", 20, start="202607101515+0000")],
         [("finished", "IMP")]),
        # when it occurred is when it began
        ([message("A01", 8, occurred=MINUTE), message("A03", 20, start=MINUTE)],
         [("finished", "IMP")]),
        # named by nothing a stay does not go on for ever, but an admission is told of
        ([message("A01", 8), message("A08", 9), message("A03", 20)],
         [("finished", "IMP"), ("in-progress", "IMP"), ("unknown", "IMP")]),
        ([message("A05", 8, "P"), message("A11", 9)], [("cancelled", "IMP"), ("unknown", "PRENC")]),
    ],
)  # fmt: skip
def test_in_any_order(told: list[bytes], expected: list[tuple[str, str]]) -> None:
    for order in itertools.permutations(told):
        assert stays(*order, *order) == expected


@pytest.mark.parametrize("start", ["", DAY, MINUTE])
def test_the_receiver_is_warned(start: str) -> None:
    (outcome,) = convert.adt(message("A01", 8, start=start))
    found = [(i.detail, i.at.field) for i in outcome.issues if i.severity == "warning" and i.at]
    assert ("required", "PV1-19") in found


def test_a_visit_number_needs_no_warning() -> None:
    (outcome,) = convert.adt(
        message("A01", 8).replace(b"|W1" + b"|" * 16, b"|W1" + b"|" * 16 + b"V1")
    )
    assert "required" not in [i.detail for i in outcome.issues]
