"""Changes of numbers (A47, A50) in any order: one person, one stay, whatever came first."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

KINDS = ("Patient", "Encounter", "Account", "Condition", "AllergyIntolerance", "Coverage")
ALL = (*KINDS, "Provenance", "Location", "Practitioner", "Organization", "Observation")


def message(event: str, hour: int, *segments: str) -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^{event}|N{event}{hour}|P|2.5.1"
    return "\r".join([head, f"EVN|{event}|{at}", *segments, ""]).encode()


def pid(number: str = "M1", born: str = "19800517", name: str = "QUILLFEATHER") -> str:
    return f"PID|||{number}^^^MERCY^MR||{name}^ODETTE||{born}|F"


def pv1(number: str, ward: str = "W1", disposition: str = "") -> str:
    return f"PV1|1|I|{ward}{'|' * 16}{number}^^^MERCY^VN{'|' * 17}{disposition}"


def stored(*messages: bytes) -> tuple[list[str], dict[str, list[dict[str, Any]]]]:
    """What became of the messages, and what is stored, ids replaced by who or what it is."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        became = [
            store.commit(one, raw, "2026-07-20T08:00:00Z").status
            for raw in messages
            for one in convert.adt(raw)
        ]
        rows = {kind: [dict(one) for one in store.each(kind)] for kind in ALL}
    finally:
        store.close()
    known = {f"{kind}/{row['id']}" for kind in ALL for row in rows[kind]}
    said = json.dumps(rows)
    led = set(re.findall(r'"reference": "(\w+/[^"]+)"', said))
    assert {ref for ref in led if ref.partition("/")[0] in ALL} <= known, "leads nowhere"
    return became, {kind: sorted(map(_bare, rows[kind]), key=json.dumps) for kind in KINDS}


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({k: v for k, v in row.items() if k not in ("id", "meta")}, sort_keys=True)
    found: dict[str, Any] = json.loads(re.sub(r'("reference": "\w+)/[^"]+"', r'\1"', text))
    for name in ("identifier", "extension"):
        if name in found:
            found[name] = sorted(found[name], key=json.dumps)
    return found


DG1 = "DG1|1||J18^Pneumonia^I10|||A"
AL1 = "AL1|1|DA|PCN^Penicillin^L|SV"
NUMBERS = [
    message("A01", 1, pid(), pv1("V1"), AL1, DG1),
    message("A50", 3, pid(), "MRG|||||V1^^^MERCY^VN", pv1("V2", "W2")),
    message("A08", 4, pid(), pv1("V2", "W2"), AL1, DG1),
    message("A03", 5, pid(), pv1("V2", "W3", "01")),
]
PEOPLE = [
    message("A28", 1, pid("M1"), AL1),
    message("A47", 3, pid("M2"), "MRG|M1^^^MERCY^MR"),
    message("A47", 5, pid("M3"), "MRG|M2^^^MERCY^MR"),
    message("A01", 6, pid("M3"), pv1("V1"), DG1),
    message("A31", 7, pid("M3"), AL1),
]


@pytest.mark.parametrize("told", [NUMBERS, PEOPLE, NUMBERS[:3], PEOPLE[:4]])
def test_in_any_order(told: list[bytes]) -> None:
    _, expected = stored(*told)
    assert [len(expected[kind]) for kind in ("Patient", "AllergyIntolerance")] == [1, 1]
    for order in itertools.permutations(told):
        became, found = stored(*order)
        assert set(became) == {"stored"}
        assert found == expected


def test_what_comes_later_finds_the_one() -> None:
    late = message("A08", 6, pid(), pv1("V1"))
    merged = message("A40", 8, pid("M9"), "MRG|M3^^^MERCY^MR")
    _, found = stored(*NUMBERS[::-1], late)
    assert len(found["Encounter"]) == 1 and found["Encounter"][0]["status"] == "finished"
    became, found = stored(*PEOPLE[::-1], merged)
    assert became[-1] == "stored"
    assert found == stored(*PEOPLE, merged)[1]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        # the new number was in use before the change: another stay, another person
        ([message("A01", 1, pid(), pv1("V1")), message("A01", 2, pid(), pv1("V2"))], NUMBERS[1]),
        ([PEOPLE[0], message("A28", 2, pid("M2"))], PEOPLE[1]),
        # of two people
        ([message("A01", 1, pid(), pv1("V1")), message("A08", 4, pid("M7", "19550301", "MARROWBY"),
          pv1("V2"))], NUMBERS[1]),
        # nothing but the sender's word says that they are one
        ([PEOPLE[0], message("A31", 6, pid("M2", "19800518"))], PEOPLE[1]),
        ([PEOPLE[0], message("A31", 6, pid("M2", ""))], PEOPLE[1]),
    ],
)  # fmt: skip
def test_a_person_looks_at_what_is_not_sure(before: list[bytes], change: bytes) -> None:
    _, expected = stored(*before)
    for order in itertools.permutations(before):
        became, found = stored(*order, change)
        assert became == ["stored", "stored", "review"] and found == expected


def test_a_stay_keeps_its_diagnosis() -> None:
    """Told under both numbers it was stored twice; `stored` looks for what leads nowhere."""
    ill = "DG1|1||F20.9^x^I10|||A"
    became, found = stored(
        message("A03", 9, pid("M5"), pv1("V1"), ill),
        message("A01", 1, pid("M1"), pv1("V1"), ill),
        message("A47", 5, pid("M5"), "MRG|M1^^^MERCY^MR"),
    )
    assert set(became) == {"stored"} and len(found["Condition"]) == 1
    assert len(found["Encounter"][0]["diagnosis"]) == 1
