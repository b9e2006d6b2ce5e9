"""A visit is protected (PV2-22 Y) until the sender says that it is not: N, or a null."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay


def message(hour: int, protected: str) -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A08|N{hour}|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    pv1 = f"PV1|1|I|W1{'|' * 16}V1^^^MERCY^VN"
    return "\r".join([head, f"EVN|A08|{at}", pid, pv1, f"PV2{'|' * 22}{protected}", ""]).encode()


def labels(*messages: bytes) -> list[str]:
    """The security labels of the stay."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        (stay,) = store.each("Encounter")
        return [label["code"] for label in stay.get("meta", {}).get("security", ())]
    finally:
        store.close()


@pytest.mark.parametrize(
    ("told", "expected"),
    [(["Y"], ["R"]), (["Y", "N"], []), (["Y", '""'], []), (["N", "Y"], ["R"]), (["Y", ""], ["R"])],
)
def test_in_any_order(told: list[str], expected: list[str]) -> None:
    messages = [message(hour, text) for hour, text in enumerate(told, 1)]
    for order in itertools.permutations(messages):
        assert labels(*order) == expected


def test_what_is_deleted_is_named() -> None:
    (outcome,) = convert.adt(message(1, '""'))
    (found,) = (one.text for one in outcome.issues if one.detail == "cleared")
    assert found == "Encounter.meta.security is to be deleted"


def test_what_is_deleted_of_a_list_is_named() -> None:
    """A null in PID-14 leaves the telephones of PID-13, one in PID-9 the names of PID-5."""
    (outcome,) = convert.adt(message(1, "").replace(b"|19800517|F", b'|19800517|F|""'))
    (found,) = (one.text for one in outcome.issues if one.detail == "cleared")
    assert found == "what it told of Patient.name is to be deleted"


def test_what_is_neither_is_reported() -> None:
    (outcome,) = convert.adt(message(1, "MAYBE"))
    assert ("flag-format", "PV2-22") in [(i.detail, i.at.field) for i in outcome.issues if i.at]
