"""A pending discharge (A16) plans an end and a destination; A25 takes both back, and only them."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

PLANNED = "plannedEndDate"


def message(event: str, hour: int, goes: str = "", pv2: str = "") -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^{event}|N{event}{hour}|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    pv1 = f"PV1|1|I|W1{'|' * 16}V1^^^MERCY^VN{'|' * 18}{goes}"
    return "\r".join([head, f"EVN|{event}|{at}", pid, pv1, *([pv2] if pv2 else []), ""]).encode()


def stay(*messages: bytes) -> dict[str, Any]:
    """The Encounter after the messages."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                store.commit(one, raw, "2026-07-20T08:00:00Z")
        (found,) = store.each("Encounter")
        return dict(found)
    finally:
        store.close()


def urls(found: dict[str, Any]) -> set[str]:
    return {one["url"].rpartition(".")[2].rpartition("/")[2] for one in found.get("extension", ())}


ADMIT = message("A01", 8, pv2="PV2" + "|" * 38 + "A")
PENDING = message("A16", 9, "SNF", "PV2|||||||||20260712")
CANCEL = message("A25", 10, "SNF", "PV2|||||||||20260712")


def test_planned() -> None:
    found = stay(ADMIT, PENDING)
    assert urls(found) == {PLANNED, "encounter-modeOfArrival"}
    assert "destination" in found["hospitalization"]


@pytest.mark.parametrize("order", list(itertools.permutations((ADMIT, PENDING, CANCEL))))
def test_taken_back_in_any_order(order: tuple[bytes, ...]) -> None:
    found = stay(*order)
    assert urls(found) == {"encounter-modeOfArrival"}
    assert "hospitalization" not in found and found["status"] == "in-progress"


def test_planned_again() -> None:
    again = message("A16", 11, "HOME", "PV2|||||||||20260713")
    found = stay(ADMIT, PENDING, CANCEL, again)
    (planned,) = (one for one in found["extension"] if one["url"].endswith(PLANNED))
    assert planned["valueDateTime"] == "2026-07-13"


def test_what_stood_before_comes_back_in_any_order() -> None:
    first = message("A01", 8, "HOME", "PV2|||||||||20260711||3")
    other = message("A16", 9, "SNF", "PV2|||||||||20260715||5")
    stays = [stay(*order) for order in itertools.permutations((first, other, CANCEL))]
    for found in stays:
        (planned,) = found["extension"]
        assert planned["valueDateTime"] == "2026-07-11" and found["length"]["value"] == 3
        assert found["hospitalization"] == stay(first)["hospitalization"]


NULL = '""'
FIRST = message("A01", 8, "HOME", "PV2|||||||||20260711||3")
OTHER = message("A16", 9, "SNF", "PV2|||||||||20260715||5")


@pytest.mark.parametrize(
    ("goes", "pv2", "left"),
    [
        ("", f"PV2|||||||||{NULL}", {"length", "destination"}),
        (NULL, "PV2|||||||||20260715", {"length", PLANNED}),
        ("SNF", f"PV2|||||||||20260715||{NULL}", {"destination", PLANNED}),
        (NULL, f"PV2|||||||||{NULL}||{NULL}", set()),
    ],
)
def test_a_null_deletes_what_would_come_back(goes: str, pv2: str, left: set[str]) -> None:
    cancel = message("A25", 10, goes, pv2)
    for told, kept in (
        ((FIRST, OTHER, cancel), left),
        ((FIRST, cancel), left & {"length"}),  # nothing comes back: the event takes the rest
        ((OTHER, cancel), set()),
    ):
        for order in itertools.permutations(told):
            found = stay(*order)
            has = {*found.get("hospitalization", ()), *urls(found), *({"length"} & found.keys())}
            assert has == kept
