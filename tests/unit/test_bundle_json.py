"""The Bundle as it is written is the Bundle of the Outcome, what units share included."""

from __future__ import annotations

import json
from pathlib import Path

from adapter import convert

FILES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "hl7v2").rglob("*.hl7"))


def test_what_is_written_is_the_bundle() -> None:
    """The second time wards, doctors and payers are copied."""
    outcomes = [one for file in FILES * 2 for one in convert.adt(file.read_bytes())]
    written = [convert.bundle_json(one) for one in outcomes]
    assert len(written) > 200
    assert [json.loads(text or b"null") for text in written] == [one.bundle for one in outcomes]
    assert not any(b"\n" in text for text in written)
