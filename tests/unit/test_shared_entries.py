"""What units have in common stays as it is, whatever becomes of it in one of them."""

from __future__ import annotations

import pytest

from adapter import convert
from adapter.checked import checked
from adapter.constant import fixed
from adapter.mapping import lasting
from adapter.mapping.events import events
from adapter.outcome import Outcome, Unit
from adapter.record import Entry, Location

WARD = {"resourceType": "Location", "name": "4 West", "status": "never heard of"}


def unit(entry: Entry) -> Outcome:
    return Outcome(Unit(Location("feed", 1), "adt", "feed:mercy"), [entry])


def test_what_is_left_out_of_one_unit_is_in_the_next() -> None:
    ward = Entry(fixed(WARD), "urn:uuid:1", told=((4, "", "PV1-3"),))
    for _ in range(2):
        outcome = checked(unit(ward))
        assert [(i.severity, i.path, i.at) for i in outcome.issues] == [
            ("warning", "Location.status", Location("feed", 4, "PV1-3"))
        ]
        assert outcome.entries[0].resource == {"resourceType": "Location", "name": "4 West"}
    assert ward.resource == WARD


def message(sender: str, at: str, number: str) -> bytes:
    head = f"MSH|^~\\&|ADT|{sender}|HUB|HARBOR|{at}||ADT^A08|{number}|P|2.5.1"
    return f"{head}\rPID|||M1^^^{sender}^MR||QUILLFEATHER^ODETTE||19800517|F\rPV1|1|I|W1\r".encode()


@pytest.mark.parametrize(
    ("sender", "at", "number"),
    [
        ("MERCY", "20260710090000-0700", "N2"),  # later
        ("GRACE", "20260710080000-0700", "N1"),  # of another sender
        ("", "20260710080000-0700", "N1"),  # of nobody
    ],
)
def test_the_head_of_one_message_is_not_that_of_another(sender: str, at: str, number: str) -> None:
    def told(raw: bytes) -> list[object]:
        (outcome,) = convert.adt(raw)
        return [outcome.bundle, outcome.issues]

    first, other = message("MERCY", "20260710080000-0700", "N1"), message(sender, at, number)
    alone = told(other)
    assert told(first) != alone
    assert told(other) == alone
    assert told(first) == told(first)


@pytest.mark.parametrize(("length", "kept"), [(10, True), (5_000, False)])
def test_long_texts_are_not_remembered(length: int, kept: bool) -> None:
    sender = f"A{length}" + "X" * length
    for number in ("N1", "N2"):
        list(
            convert.adt(
                message("MERCY", "20260710080000-0700", number).replace(
                    b"|ADT|", f"|{sender}|".encode()
                )
            )
        )
    held = [place for place in events()["A08"].segments["MSH"]._known if sender in place]
    assert bool(held) is kept
    assert (
        all(
            sender not in str(place)
            for texts in lasting._fields
            for one in texts.values()
            for place in one
        )
        or kept
    )


def test_nothing_of_a_members_own_is_remembered() -> None:
    own = ("20260711093113-0700", "20260709070707-0700", "TESTWELLER", "R0907", "19850315")
    left, came, family, number, birth = own
    rows = [
        f"MSH|^~\\&|REGISTRATION|MERCY|||{left}||ADT^A03|N3|P|2.5.1",
        f"EVN|A03|{left}",
        f"PID|1||{number}^^^MERCY^MR||{family}^AVA||{birth}|F",
        f"PV1|1|I|4WEST^1^A|||||||||||||||||||||||||||||||||01||||||||{came}|{left}",
    ]
    assert all(one.ok for one in convert.adt("\r".join(rows).encode()))
    places = [place for texts in lasting._fields for one in texts.values() for place in one]
    assert "01" in places
    assert not [text for text in own if any(text in str(one) for one in (*places, *lasting._known))]
