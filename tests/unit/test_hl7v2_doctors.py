"""One doctor with several numbers in a repeating field (XCN) is one Practitioner."""

from __future__ import annotations

import pytest

from adapter import convert

NPI = "1234567893^FERNFIELD^OTTOLINE^M^^DR^MD^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI"
OWN = "F123^FERNFIELD^OTTOLINE^M^^^^^MERCY^L^^^PRN"
SHORT = "FERNO^Fernfield^Ottoline^M^^^^^EPIC^L^^^EI"


def told(field: int, text: str, name: str = "PV1") -> list[list[str]]:
    """Of each one in the stay, or each family doctor, the numbers; the one that names him first."""
    fields = {2: "I", 19: "V1^^^MERCY^VN"} | ({field: text} if name == "PV1" else {})
    pv1 = "|".join(["PV1", *(fields.get(n, "") for n in range(1, 60))])
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F"
    rows = ["MSH|^~\\&|ADT|MERCY|||20260710||ADT^A01|N1|P|2.5.1", "EVN||20260710", pid, pv1]
    if name == "PD1":
        rows.insert(3, f"PD1||||{text}")
    for _ in range(2):  # the second time what it tells is remembered
        (outcome,) = convert.adt("\r".join(rows))
    entries = {one.urn: one for one in outcome.entries}
    resources = [one.resource for one in outcome.entries]
    stay, person = (
        next(one for one in resources if one["resourceType"] == kind)
        for kind in ("Encounter", "Patient")
    )
    taking_part = [one["individual"] for one in stay.get("participant", ())]
    doctors = [
        entries[one["reference"]]
        for one in (person.get("generalPractitioner", ()) if name == "PD1" else taking_part)
    ]
    assert len({one.urn for one in doctors}) == len(doctors)
    assert sum(one["resourceType"] == "Practitioner" for one in resources) == len(doctors)
    for one in doctors:
        assert one.identity == (one.key,)
    return [[item["value"] for item in one.resource["identifier"]] for one in doctors]


@pytest.mark.parametrize("field", [7, 8, 9, 17])
@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (f"{NPI}~{OWN}", [["1234567893", "F123"]]),
        (f"{OWN}~{NPI}", [["1234567893", "F123"]]),
        (f"{OWN}~~{SHORT}~{NPI}", [["1234567893", "F123", "FERNO"]]),
        (f"{NPI}~{OWN.replace('OTTOLINE', 'OTTO')}", [["1234567893"], ["F123"]]),
        (f"{NPI}~{OWN.replace('^M^', '^^')}", [["1234567893"], ["F123"]]),
        (f"{NPI}~{OWN.replace('M^^^', 'M^JR^^')}", [["1234567893"], ["F123"]]),
        (f"{OWN}~{OWN.replace('F123', 'F124')}", [["F123"], ["F124"]]),  # two of one name
        (f"{NPI}~{OWN}~{OWN.replace('F123', 'F124')}", [["1234567893"], ["F123"], ["F124"]]),
        ("1^FERNFIELD^O.~2^FERNFIELD^O.^^^^^^EPIC", [["1"], ["2"]]),  # an initial may be another's
        ("1^FERNFIELD~2^FERNFIELD^^^^^^^EPIC", [["1"], ["2"]]),  # too little to know him by
        (NPI, [["1234567893"]]),
        (f"{NPI}~{NPI}", [["1234567893"]]),
        (f"{OWN}~{NPI}~{OWN}", [["1234567893", "F123"]]),
    ],
)
def test_numbers_of_one_doctor(field: int, text: str, numbers: list[list[str]]) -> None:
    assert told(field, text) == numbers


def test_a_family_doctor_too() -> None:
    assert told(4, f"{OWN}~{NPI}", "PD1") == [["1234567893", "F123"]]
