"""A diagnosis taken back (DG1-21 D) leaves the stay, and comes back when it is told again."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from adapter import convert
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay


def message(hour: int, *diagnoses: str) -> bytes:
    """`J18`, or with an action code `J18 D`."""
    at = f"20260710{hour:02d}0000-0700"
    rows = [one.partition(" ") for one in diagnoses]
    dg1 = [
        f"DG1|{number}||{code}^^I10|||A{'|' * 15}{action}"
        for number, (code, _, action) in enumerate(rows, 1)
    ]
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A08|N{hour}|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    pv1 = f"PV1|1|I|W1{'|' * 16}V1^^^MERCY^VN"
    return "\r".join([head, f"EVN|A08|{at}", pid, pv1, *dg1, ""]).encode()


def known(*messages: bytes) -> tuple[list[str], list[str]]:
    """The codes that the stay lists, and those that were an error."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        rows = {f"Condition/{row['id']}": row for row in store.each("Condition")}
        codes = {ref: row["code"]["coding"][0]["code"] for ref, row in rows.items()}
        (stay,) = store.each("Encounter")
        wrong = [codes[ref] for ref, row in rows.items() if "verificationStatus" in row]
        assert all(("clinicalStatus" in r) != ("verificationStatus" in r) for r in rows.values())
        listed = [codes[item["condition"]["reference"]] for item in stay.get("diagnosis", ())]
        return sorted(listed), sorted(wrong)
    finally:
        store.close()


FIRST = message(1, "J18", "E11")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([FIRST, message(2, "J18 D")], (["E11"], ["J18"])),
        ([FIRST, message(2, "J18 D", "E11")], (["E11"], ["J18"])),
        ([FIRST, message(2, "J18 D"), message(3, "E11")], (["E11"], ["J18"])),
        ([FIRST, message(2, "J18 D"), message(3, "J18")], (["J18"], [])),
        ([FIRST, message(2, "J18 D"), message(3, "J18 A")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 D", "J18 A")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 A", "J18 D")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 D", "J18 D")], (["E11"], ["J18"])),
        ([FIRST, message(2, "I10 A", "J18 D")], (["E11", "I10"], ["J18"])),
        ([FIRST, message(2, "I10 A"), message(3, "I10 D")], (["E11", "J18"], ["I10"])),
    ],
)
def test_in_any_order(told: list[bytes], expected: tuple[list[str], list[str]]) -> None:
    for order in itertools.permutations(told):
        assert known(*order) == expected


def test_taken_back_without_a_code_is_reported() -> None:
    (outcome,) = convert.adt(message(2, "X D").replace(b"X^^I10", b""))
    assert ("required", "DG1-21") in [(i.detail, i.at.field) for i in outcome.issues if i.at]


def of_a_person(*messages: bytes) -> tuple[list[str], list[str]]:
    """The problems of a person without a visit: those that stand, and those that were an error."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for raw in messages:
            raw = raw.replace(b"A08", b"A31").replace(b"PV1|1|I", b"PV1|1|N")
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        rows = list(store.each("Condition"))
        assert all(("clinicalStatus" in r) != ("verificationStatus" in r) for r in rows)
        found: tuple[list[str], list[str]] = ([], [])
        for row in rows:
            found["verificationStatus" in row].append(row["code"]["coding"][0]["code"])
        return sorted(found[0]), sorted(found[1])
    finally:
        store.close()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([FIRST, message(2, "J18 D")], (["E11"], ["J18"])),
        ([FIRST, message(2, "J18 D"), message(3, "J18")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 D"), message(3, "J18 A")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 D", "J18 A")], (["E11", "J18"], [])),
        ([FIRST, message(2, "J18 A", "J18 D")], (["E11", "J18"], [])),
        ([FIRST, message(2, "I10 A"), message(3, "I10 D")], (["E11", "J18"], ["I10"])),
    ],
)
def test_without_a_visit_in_any_order(
    told: list[bytes], expected: tuple[list[str], list[str]]
) -> None:
    for order in itertools.permutations(told):
        assert of_a_person(*order) == expected


CHEST = "R07.9^Chest pain^I10"


def listed(*told: str) -> list[tuple[str, str, bool]]:
    """Of each DG1 after `DG1|1` a message: codes, uses in the stay, and whether it was an error."""
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for hour, rows in enumerate(told, 1):
            raw = message(hour).rstrip(b"\r") + b"\r" + rows.encode() + b"\r"
            for one in convert.adt(raw):
                assert store.commit(one, raw, "2026-07-20T08:00:00Z").status == "stored"
        (stay,) = store.each("Encounter")
        uses: dict[str, list[str]] = {}
        for row in stay.get("diagnosis", ()):
            code = row.get("use", {}).get("coding", [{}])[0].get("code", "")
            uses.setdefault(row["condition"]["reference"], []).append(code)
        return sorted(
            (
                row["code"]
                .get("coding", [row["code"]])[0]
                .get("code", row["code"].get("text", "")),
                " ".join(uses.get(f"Condition/{row['id']}", ())),
                "verificationStatus" in row,
            )
            for row in store.each("Condition")
        )
    finally:
        store.close()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # of one code two types: a row of the stay for each
        ([f"DG1|1||{CHEST}|||A\rDG1|2||{CHEST}|||F"], [("R07.9", "AD F", False)]),
        # the code names it, whatever the words beside it
        (
            [f"DG1|1||{CHEST}|CHEST PAIN||A", f"DG1|1||{CHEST}|||A|||||||||||||||D"],
            [("R07.9", "", True)],
        ),
        # DG1-20 names it, with another code or with none
        (
            [f"DG1|1||{CHEST}|||A||||||||||||||D1|A", "DG1|1|||||A||||||||||||||D1|D"],
            [("R07.9", "", True)],
        ),
        (
            [f"DG1|1||{CHEST}|||A||||||||||||||D1|A", "DG1|1||I20.9^^I10|||A||||||||||||||D1|U"],
            [("I20.9", "AD", False)],
        ),
        # words alone
        (["DG1|1|||CHEST PAIN||W"], [("CHEST PAIN", "W", False)]),
        (
            ["DG1|1|||CHEST PAIN||W", "DG1|1|||CHEST PAIN||W|||||||||||||||D"],
            [("CHEST PAIN", "", True)],
        ),
    ],
)
def test_what_names_a_diagnosis(told: list[str], expected: list[tuple[str, str, bool]]) -> None:
    assert listed(*told) == expected
