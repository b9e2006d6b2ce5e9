"""Race and ethnicity (PID-10, PID-22): by code where it is the list's, else by its name."""

from __future__ import annotations

import pytest

from adapter import convert


@pytest.mark.parametrize(
    ("field", "text", "categories", "words"),
    [
        (10, "2106-3^White^CDCREC", ["2106-3"], "White"),
        (10, "2106-3^White^L", ["2106-3"], "White"),
        (10, "W", ["2106-3"], "White"),
        (10, "W^White^HL70005", ["2106-3"], "White"),
        (10, "U", ["UNK"], "Unknown"),
        (10, "UNK^Unknown^NULLFL", ["UNK"], "Unknown"),
        (10, "ASKU", ["ASKU"], "asked but unknown"),
        (10, "U^Hawaiian^CADOJ", ["2076-8"], "Native Hawaiian"),  # not unknown
        (10, "V^Vietnamese^CADOJ", ["2028-9"], "Vietnamese"),
        (10, "312^White^L", ["2106-3"], "White"),
        (10, "White or Caucasian^WHITE^CA", ["2106-3"], "White"),
        (10, "^White", ["2106-3"], "White"),
        (10, "312^Purple^L", [], "Purple"),
        (10, "B^Bluish^L", [], "Bluish"),
        (10, "^Purple", [], "Purple"),
        (22, "N^Not Hispanic^L", ["2186-5"], "Not Hispanic or Latino"),
        (22, "N^Nicaraguan^L", [], "Nicaraguan"),
        (22, "1^Hispanic or Latino^L", ["2135-2"], "Hispanic or Latino"),
        (22, "N^Not Hispanic or Latino^HL70189", ["2186-5"], "Not Hispanic or Latino"),
        (22, "UNK", ["UNK"], "Unknown"),
    ],
)
def test_category(field: int, text: str, categories: list[str], words: str) -> None:
    at = "20260710080000-0700"
    told = {3: "M1^^^MERCY^MR", 5: "QUILLFEATHER^ODETTE", 7: "19800517", 8: "F", field: text}
    pid = "|".join(["PID", *(told.get(place, "") for place in range(1, max(told) + 1))])
    head = f"MSH|^~\\&|ADT|MERCY|HUB|HARBOR|{at}||ADT^A28|N1|P|2.5.1"
    (outcome,) = convert.adt("\r".join([head, f"EVN|A28|{at}", pid, ""]).encode())
    (found,) = (e.resource for e in outcome.entries if e.resource["resourceType"] == "Patient")
    parts = found["extension"][0]["extension"]
    known = [one["valueCoding"]["code"] for one in parts if one["url"] == "ombCategory"]
    assert (known, parts[-1]["valueString"]) == (categories, words)
    unknown = [issue.detail for issue in outcome.issues if issue.detail == "code-unknown"]
    assert unknown == ([] if categories or text.startswith("^") else ["code-unknown"])
