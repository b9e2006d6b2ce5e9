"""A role that is taken back (ROL-2, PRT-2 DE): nobody has it, unless the message tells who."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

GRETA = "1000000012^FIXTURE^GRETA^^^^^^NPI^^^^NPI"
OTTO = "1000000020^FERNFIELD^OTTO^^^^^^NPI^^^^NPI"


def message(hour: int, *segments: str) -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A08|N{hour}|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    pv1 = f"PV1|1|I|W1{'|' * 16}V1^^^MERCY^VN"
    before = [one for one in segments if "|PP|" in one]
    after = [one for one in segments if "|PP|" not in one]
    return "\r".join([head, f"EVN|A08|{at}", pid, *before, pv1, *after, ""]).encode()


def known(*messages: bytes) -> tuple[int, list[str]]:
    """How many family doctors the person has, and the roles in the stay."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        (person,), (stay,) = store.each("Patient"), store.each("Encounter")
        roles = [one["type"][0]["coding"][0]["code"] for one in stay.get("participant", ())]
        return len(person.get("generalPractitioner", ())), sorted(roles)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["PRT|R1|AD||PP|" + GRETA, "PRT|R1|DE||PP|" + GRETA], (0, [])),
        (["PRT|R1|AD||PP|GP|" + GRETA, "PRT|R1|DE||PP|" + GRETA], (0, [])),
        (["ROL|R1|AD|PP|" + GRETA, "ROL|R1|DE|PP|" + GRETA], (0, [])),
        (["ROL|R1|AD|PP|" + GRETA, f"ROL|R1|DE|PP|{GRETA}\rROL|R2|AD|PP|{OTTO}"], (1, [])),
        (["ROL|R1|AD|CP|" + GRETA, "ROL|R1|DE|CP|" + GRETA], (0, [])),
        (["ROL|R1|AD|CP|" + GRETA, "ROL|R2|DE|AT|" + OTTO], (0, ["CON"])),
    ],
)
def test_in_any_order(told: list[str], expected: tuple[int, list[str]]) -> None:
    messages = [message(hour, rows) for hour, rows in enumerate(told, 1)]
    for order in itertools.permutations(messages):
        assert known(*order) == expected
