"""The Bundle as it is written is the Bundle of the Outcome, what units share included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter import convert
from adapter.outcome import bundle_entry
from adapter.record import Entry

FILES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "hl7v2").rglob("*.hl7"))


def test_what_is_written_is_the_bundle() -> None:
    """The second time wards, doctors and payers are copied."""
    outcomes = [one for file in FILES * 2 for one in convert.adt(file.read_bytes())]
    written = [convert.bundle_json(one) for one in outcomes]
    assert len(written) > 200
    assert [json.loads(text or b"null") for text in written] == [one.bundle for one in outcomes]
    assert not any(b"\n" in text for text in written)


@pytest.mark.parametrize(
    ("system", "value", "asked"),
    [
        ("https://a.example/sid", "M1", "https://a.example/sid|M1"),
        ("https://a.example/sid", "a-b_c.d~e", "https://a.example/sid|a-b_c.d~e"),
        ("https://a.example/A%20B", "12 34", "https://a.example/A%2520B|12%2034"),
        ("urn:oid:1.2", "A,B|C$D\\", "urn:oid:1.2|A%5C%2CB%5C%7CC%5C%24D%5C%5C"),
        ("urn:oid:1.2", "A&B=C#D?%41+\u00e9", "urn:oid:1.2|A%26B%3DC%23D%3F%2541%2B%C3%A9"),
    ],
)
def test_an_identifier_in_a_query_is_the_identifier(system: str, value: str, asked: str) -> None:
    found = bundle_entry(Entry({"resourceType": "Patient"}, "urn:uuid:1", ((system, value),)))
    assert found["request"]["url"] == f"Patient?identifier={asked}"
