"""Stories told in every order: the same is stored in the end, and nothing waits for a person."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay
from tests.store.made import CIN, Made, patient, unit
from tests.store.messages import NOW, converted, message, pid, pv1

KINDS = ("Patient", "Encounter", "Account", "Condition", "RelatedPerson")
TESS = {"name": "MARROWBY^TESS", "born": "19551102"}

HOME = {"f11": "2 HARBOR LN^^DAVIS^CA^95616", "f13": "^PRN^PH^^1^530^5550102"}


def member(mrn: str, **more: str) -> str:
    """A person with a Medi-Cal number."""
    return pid(f3=f"{mrn}^^^MERCY^MR~90000002B^^^MEDI-CAL^MA", **{**TESS, **more})


def mrg(mrn: str, visit: str = "", kind: str = "^MR") -> str:
    return f"MRG|{mrn}^^^MERCY{kind}" + (f"||||{visit}^^^MERCY^VN" if visit else "")


def told(*order: bytes, roster: Sequence[Made] = ()) -> tuple[int, list[str]]:
    """How many units wait, and who and what is there; merged records apart, ids by who it is."""
    store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
    try:
        for made in (*roster, *converted(*order)):
            store.commit(*made, NOW)
        rows = [_bare(one) for kind in KINDS for one in store.each(kind)]
        names = {f"{row['resourceType']}/{row.pop('id')}": _name(row) for row in rows}
        kept = [row for row in rows if not _lost(row)]
        text = [json.dumps(row, sort_keys=True) for row in kept]
        return len(store.waiting()), sorted(re.sub(_REFERENCE, _led(names), one) for one in text)
    finally:
        store.close()


_REFERENCE = r'"reference": "([^"]+)"'


def _led(names: dict[str, str]) -> Any:
    return lambda found: f"-> {names.get(found[1], _kind(found[1]))}"


def _kind(reference: str) -> str:
    kind = reference.partition("/")[0]
    return "lost" if kind in KINDS else kind


def _lost(row: dict[str, Any]) -> bool:
    return any(link["type"] == "replaced-by" for link in row.get("link", ()))


def _bare(resource: dict[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in resource.items() if name != "meta"}
    row["link"] = [one for one in row.get("link", ()) if one["type"] != "replaces"]
    row["identifier"] = sorted(row.get("identifier", ()), key=json.dumps)
    return row


def _name(row: dict[str, Any]) -> str:
    return "|".join(sorted(one["value"] for one in row["identifier"])) or row["resourceType"]


ONLY_NUMBERS = {
    "a new number, of one who gave a stay away": [
        message("A03", 9, member("M1"), pv1()),
        message("A46", 10, member("N3"), mrg("M1")),
        message("A45", 11, pid("M2", **TESS), mrg("N3", "V1"), pv1()),
    ],
    "a member's number, of one who gave a stay away": [
        message("A08", 9, member("M1"), pv1(visit="V1")),
        message("A45", 10, member("M2"), mrg("M1", "V2"), pv1(visit="V2")),
    ],
    "a new number, of another whom a merge left": [
        message("A34", 9, pid("M1"), mrg("M2")),
        message("A46", 10, pid("N3"), mrg("M1")),
        message("A45", 13, pid("M3", **TESS), mrg("N3", "V1"), pv1()),
    ],
}  # fmt: skip


@pytest.mark.parametrize("story", ONLY_NUMBERS)
def test_of_whom_mrg_tells_a_number_is_who_has_it(story) -> None:
    """HL7 v2.9 chapter 3.4.9: MRG has the prior numbers; who that was other messages tell."""
    _ends_alike(ONLY_NUMBERS[story])


def test_of_whom_mrg_tells_a_number_may_be_a_member() -> None:
    """Whom the roster has is found by likeness, though the number came before."""
    who = {"name": [{"family": "Marrowby", "given": ["Tess"]}], "birthDate": "1955-11-02"}
    who["telecom"] = [{"system": "phone", "value": "5305550102"}]
    who["address"] = [{"line": ["2 Harbor Ln"], "city": "Davis", "postalCode": "95616"}]
    roster = [unit(patient((CIN, "90000002B"), **who))]
    some = [
        message("A45", 10, pid("M2"), mrg("M1", "V2"), pv1(visit="V2")),
        message("A08", 12, pid("M1", **TESS, **HOME), pv1()),
    ]
    rows = _ends_alike(some, roster)
    assert sum('"resourceType": "Patient"' in row for row in rows) == 2


def test_nobody_becomes_another_member_by_a_number_alone() -> None:
    """The number told by MRG has its owner: his other messages find him, and not the other."""
    some = [
        message("A45", 10, pid("M1"), mrg("M2", "V1"), pv1()),
        message("A08", 12, member("M2"), pv1(visit="V2")),
    ]
    waits, rows = told(*some)
    assert waits == 0 and sum('"resourceType": "Patient"' in row for row in rows) == 2


@pytest.mark.parametrize("kind", ["^MR", ""], ids=["typed", "no type"])
@pytest.mark.parametrize("mine", [member, pid], ids=["a member", "no member"])
def test_the_number_that_a_merge_ends_is_an_old_one(kind, mine) -> None:
    """Though MRG-1 gives no type, or the two have been one by the member number from the start."""
    some = [
        message("A08", 7, mine("M1"), pv1()),
        message("A40", 11, mine("M2"), mrg("M1", kind=kind)),
        message("A08", 13, mine("M1"), pv1()),
    ]
    (found,) = (json.loads(row) for row in _ends_alike(some) if "birthDate" in row)
    used = {row["value"]: (row.get("use"), "type" in row) for row in found["identifier"]}
    assert (used["M1"], used["M2"]) == (("old", True), (None, True))


DG1 = "DG1|1||I10^Hypertension^I10|||A"
JUNE, TOBIAS = "NK1|1|HARBORLIGHT^JUNE|PAR", "NK1|1|HARBORLIGHT^TOBIAS|SPO"


@pytest.mark.parametrize(
    ("again", "last"),
    [((), ()), ((DG1,), ()), ((), (message("A08", 16, pid("M1"), pv1(), DG1),))],
    ids=["told once", "told of both", "told again of the first"],
)
def test_what_belongs_to_a_stay_is_of_whom_the_newest_word_tells_it(again, last) -> None:
    """Two records of one person, whose merge nobody has told yet."""
    first = message("A01", 7, pid("M1"), pv1(), DG1)
    rows = _ends_alike([first, message("A03", 14, pid("N2"), pv1(), *again), *last])
    whose = "M1" if last else "N2"
    assert len(rows) == 4 and all("birthDate" in row or f"-> {whose}" in row for row in rows)


def test_visits_that_become_one_share_their_diagnosis() -> None:
    """Told of both it is kept once, and the merged visit (HL7 v2.9 chapter 3.3.42) leads to it."""
    some = [message("A01", n, pid(), pv1(visit=f"V{n}"), DG1) for n in (1, 2)]
    some.append(message("A42", 11, pid(), mrg("M1", "V2"), pv1(visit="V1")))
    for order in itertools.permutations(some):
        waits, rows = told(*order)
        assert waits == 0 and not any("-> lost" in row for row in rows)
        assert sum('"resourceType": "Condition"' in row for row in rows) == 1


def test_a_relative_whom_one_of_two_lists_left_out_is_one_relative() -> None:
    some = [
        message("A01", 6, pid("M1"), JUNE, pv1()),
        message("A08", 8, pid("M1"), TOBIAS, pv1()),
        message("A47", 11, pid("N5"), mrg("M1")),
        message("A31", 12, pid("N5"), JUNE),
    ]
    rows = [row for row in _ends_alike(some) if '"RelatedPerson"' in row]
    found = {("JUNE" in row, '"active": true' in row) for row in rows}
    assert len(rows) == 2 and found == {(True, True), (False, False)}


def both(number: str, **who: str) -> str:
    """A person with a number of an exchange, and the record number that was wrongly given."""
    return pid(f3=f"{number}^^^HIE^PI~M1^^^MERCY^MR", **who)


MOVED = message("A43", 12, both("E1"), "MRG|E2^^^HIE^PI")


def test_a_number_that_moved_was_the_giver_s_before() -> None:
    """HL7 v2.9 chapter 3.3.43: what is told of her as of a time before is late, and no doubt."""
    some = [
        message("A28", 5, pid(f3="E1^^^HIE^PI")),
        message("A01", 6, both("E2", **TESS), pv1(), DG1),
        MOVED,
        message("A08", 14, both("E1"), pv1(visit="V2")),
    ]
    rows = _ends_alike(some)
    people = {json.loads(row)["name"][0]["family"]: row for row in rows if "birthDate" in row}
    assert '"M1"' in people["QUILLFEATHER"] and '"M1"' not in people["MARROWBY"]
    (problem,) = (row for row in rows if '"Condition"' in row)
    assert "-> E2}" in problem


def test_a_number_that_moved_is_no_longer_the_giver_s() -> None:
    late = message("A01", 14, both("E2", **TESS), pv1())
    assert told(message("A28", 5, pid(f3="E1^^^HIE^PI")), MOVED, late)[0] == 1


def _ends_alike(story: list[bytes], roster: Sequence[Made] = ()) -> list[str]:
    found = [told(*order, roster=roster) for order in itertools.permutations(story)]
    assert all(one == (0, found[0][1]) for one in found)
    return found[0][1]
