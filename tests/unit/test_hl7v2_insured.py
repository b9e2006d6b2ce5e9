"""Who is insured and who pays: the patient only where the sender says so (IN1-17, GT1-11)."""

from __future__ import annotations

import pytest

from adapter import convert

CIN = "90000022L"


@pytest.mark.parametrize(
    ("relation", "own"),
    [
        ("SEL", True),
        ("SEL^Self^HL70063", True),
        ("Self", True),
        ("SLF", True),
        ("18^Self", True),
        ("S", False),  # self or spouse
        ("SPO", False),
        ("CHD", False),
    ],
)
def test_a_number_is_the_patients_own(relation: str, own: bool) -> None:
    at = "20260710080000-0700"
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A04|N1|P|2.5.1"
    pid = "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F||||||||||AC1"
    gt1 = f"GT1|1||QUILLFEATHER^OTIS||||||||{relation}"
    in1 = f"IN1|1|MCAL||MEDI-CAL||||||||||||QUILLFEATHER^OTIS|{relation}" + "|" * 19 + CIN
    text = "\r".join([head, f"EVN|A04|{at}", pid, "PV1||O", gt1, in1, ""])
    (outcome,) = convert.adt(text.encode())
    made = [entry.resource for entry in outcome.entries]
    (patient,) = (one for one in made if one["resourceType"] == "Patient")
    (account,) = (one for one in made if one["resourceType"] == "Account")
    (coverage,) = (one for one in made if one["resourceType"] == "Coverage")
    relatives = [one for one in made if one["resourceType"] == "RelatedPerson"]
    assert any(item["value"] == CIN for item in patient["identifier"]) == own
    assert (coverage["subscriber"] == account["guarantor"][0]["party"]) == own
    assert len(relatives) == (0 if own else 2)
