"""What names an allergy (AL1, IAM): its number (IAM-7), else its code, else its words."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

PENICILLIN = "70618^Penicillin^RXNORM"


def message(hour: int, *segments: str) -> bytes:
    at = f"20260710{hour:02d}0000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A60|N{hour}|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    return "\r".join([head, f"EVN|A60|{at}", pid, *segments, ""]).encode()


def iam(code: str, action: str, number: str = "") -> str:
    return f"IAM|1|DA|{code}|SV||{action}|{number}"


def known(*messages: bytes) -> list[tuple[str, str]]:
    """Of each allergy its code or words, and whether it is active or was an error."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        return sorted(map(_state, store.each("AllergyIntolerance")))
    finally:
        store.close()


def _state(row: dict) -> tuple[str, str]:
    what = row["code"].get("coding", [{}])[0]
    name = what.get("display" if what.get("code") == "OTHER" else "code") or row["code"]["text"]
    (state,) = (row[key] for key in ("clinicalStatus", "verificationStatus") if key in row)
    return name, state["coding"][0]["code"]


AL1 = f"AL1|1|DA|{PENICILLIN}|SV"
ERROR = message(2, iam(PENICILLIN, "D"))
ACTIVE, WRONG = [("70618", "active")], [("70618", "entered-in-error")]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([message(1, AL1), ERROR], WRONG),
        ([message(1, iam("70618^PENICILLIN V^RXNORM", "A")), ERROR], WRONG),
        ([message(1, iam(PENICILLIN, "A", "7^MERCY")), message(2, iam("", "D", "7^MERCY"))], WRONG),
        (
            [
                message(1, iam(PENICILLIN, "A", "7^MERCY")),
                message(2, iam("723^Amoxicillin^RXNORM", "U", "7^MERCY")),
            ],
            [("723", "active")],
        ),
        # told again after it was an error
        ([message(1, AL1), ERROR, message(3, AL1)], ACTIVE),
        ([message(1, iam(PENICILLIN, "D")), message(2, iam(PENICILLIN, "A"))], ACTIVE),
        # replaced in one message
        ([message(1, AL1), message(2, iam(PENICILLIN, "D"), iam(PENICILLIN, "A"))], ACTIVE),
        # told by both segments in one message, with and without a number
        ([message(1, AL1, iam(PENICILLIN, "A", "7^MERCY"))], ACTIVE),
        ([message(1, iam(PENICILLIN, "A", "7^MERCY"), AL1)], ACTIVE),
        (  # the list of AL1 names the one with a number in place of the one without
            [message(1, AL1), message(2, AL1, iam(PENICILLIN, "A", "7^MERCY"))],
            [*ACTIVE, ("70618", "inactive")],
        ),
        (
            [message(1, AL1, iam("723^Amoxicillin^RXNORM", "A", "7^MERCY"))],
            [("70618", "active"), ("723", "active")],
        ),
        (
            [message(1, AL1, iam(PENICILLIN, "A", "7^MERCY"), iam(PENICILLIN, "A", "8^MERCY"))],
            [*ACTIVE, *ACTIVE, *ACTIVE],  # which of the two AL1 means nobody says
        ),
        # a sender's own code may stand for many
        (
            [
                message(1, "AL1|1|DA|OTHER^Cats^L", "AL1|2|DA|OTHER^Dogs^L"),
                message(2, iam("OTHER^CATS^L", "D")),
            ],
            [("CATS", "entered-in-error"), ("Dogs", "active")],
        ),
        (
            [message(1, "AL1|1|DA|^Cats"), message(2, iam("^Cats", "D"))],
            [("Cats", "entered-in-error")],
        ),
    ],
)
def test_in_any_order(told: list[bytes], expected: list[tuple[str, str]]) -> None:
    for order in itertools.permutations(told):
        assert known(*order) == expected


def test_what_both_segments_say_of_an_allergy_is_kept() -> None:
    one = f"IAM|1|DA|{PENICILLIN}^7980^PENICILLIN G^RXNORM|MO|RASH|A|7^MERCY|||||||20260101"
    raw = message(1, f"AL1|1|DA|{PENICILLIN}|SV|HIVES|20200101", one)
    (outcome,) = convert.adt(raw)
    (found,) = [
        entry.resource
        for entry in outcome.entries
        if entry.resource["resourceType"] == "AllergyIntolerance"
    ]
    assert [one["code"] for one in found["code"]["coding"]] == ["70618", "7980"]
    assert [one["manifestation"][0]["text"] for one in found["reaction"]] == ["RASH", "HIVES"]
    assert (found["onsetDateTime"], found["identifier"][0]["value"]) == ("2020-01-01", "7")
    said = [str(issue.at).partition(" ")[2] for issue in outcome.issues if "IAM" in issue.text]
    assert said == ["AL1"]  # how severe: IAM-4 says otherwise


NONE, NO_DRUG = ("716186003", "No known allergy"), ("409137002", "No known drug allergy")
NO_FOOD = ("429625007", "No known food allergy")
NO_PLACE = ("428607008", "No known environmental allergy")


@pytest.mark.parametrize(
    ("text", "before", "coded"),
    [
        ("NKDA", ["NKDA"], NO_DRUG),
        ("nka^No Known Allergies", ["nka"], NONE),
        ("NKA^^MERCYALG", ["NKA"], NONE),
        ("1^NO KNOWN ALLERGIES^99MERCY", ["1"], NONE),
        ("^No Known Allergy", [], NONE),
        ("^^^^^^^^No Known Drug Allergies", [], NO_DRUG),
        ("^No known medication allergies", [], NO_DRUG),
        ("NKFA^No Known Food Allergies^L", ["NKFA"], NO_FOOD),
        ("^No Known Environmental Allergies", [], NO_PLACE),
        ("716186003^No known allergy^SCT", ["716186003"], None),
        ("NKA^None^L^716186003^No known allergy^SCT", ["NKA", "716186003"], None),
        ("^No known allergies but penicillin", [], None),
        ("OTHER^Cats^L", ["OTHER"], None),
    ],
)
@pytest.mark.parametrize("segment", ["AL1|1|DA|", "IAM|1|DA|"])
def test_that_none_is_known(
    segment: str, text: str, before: list[str], coded: tuple[str, str] | None
) -> None:
    """A code of SNOMED CT stands behind what the sender wrote, which stays as it came."""
    (outcome,) = convert.adt(message(1, segment + text))
    (found,) = [
        entry.resource["code"]
        for entry in outcome.entries
        if entry.resource["resourceType"] == "AllergyIntolerance"
    ]
    expected = [("http://snomed.info/sct", *coded)] if coded else []
    codings = found.get("coding", [])
    assert [one["code"] for one in codings[: len(before)]] == before
    more = [(one["system"], one["code"], one["display"]) for one in codings[len(before) :]]
    assert more == expected
    assert ("text" in found) == (not before)


def test_that_none_is_known_is_said_once() -> None:
    none = "NKDA^No Known Drug Allergies"
    raw = message(1, f"AL1|1|DA|{none}", f"IAM|1|DA|{none}||||7^MERCY")
    assert known(raw) == [("NKDA", "active")]
    assert known(message(1, "AL1|1|DA|NKDA"), message(2, "IAM|1|DA|NKDA|||D")) == [
        ("NKDA", "entered-in-error")
    ]
