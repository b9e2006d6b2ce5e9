"""A decimal keeps the places it was written with: from a message to the store, to JSON and XML."""

from __future__ import annotations

import copy
import json
import pickle
from uuid import UUID

import orjson
import pytest

from adapter import convert, data
from adapter import store as stores
from adapter.api import formats
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay

HEAD = "MSH|^~\\&|ADT|MERCY|||20260710||ADT^A01|N1|P|2.5.1\rEVN||20260710\r"
PERSON = (
    "PID|||M1^^^MERCY^MR||QUILLFEATHER^ODETTE||19800517|F\rPV1||I|||||||||||||||||V1^^^MERCY^VN\r"
)


@pytest.mark.parametrize(
    ("observed", "written"),
    [
        ("NM|2744-1^pH^LN||7.40", "7.40"),
        ("NM|2744-1^pH^LN||7.4", "7.4"),
        ("NM|2744-1^pH^LN||0.10", "0.10"),
        ("NM|2744-1^pH^LN||+7.40", "7.40"),
        ("NM|2744-1^pH^LN||-0.50", "-0.50"),
        ("NM|2744-1^pH^LN||007.40", "7.40"),
        ("NM|2744-1^pH^LN||.50", "0.50"),
        ("NM|2744-1^pH^LN||1.0", "1.0"),
        ("NM|2744-1^pH^LN||100", "100"),
        ("NM|2744-1^pH^LN||123456789012345678.123456789", "123456789012345678.123456789"),
        ("SN|2160-0^Creatinine^LN||<^1.20", "1.20"),
    ],
)
def test_from_a_message_to_json_and_xml(observed: str, written: str) -> None:
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        (outcome,) = convert.adt(f"{HEAD}{PERSON}OBX|1|{observed}|1^^UCUM|||||F")
        assert written in _values(convert.bundle_json(outcome))
        assert written in _values(data.dumps(outcome.bundle))
        store.commit(outcome, outcome.unit.raw, "2026-07-20T08:00:00Z")
        (found,) = store.each("Observation")
        assert written in _values(formats.write(found, formats.JSON))
        assert f'value="{written}"' in formats.write(found, formats.XML).decode()
    finally:
        store.close()


def _values(text: bytes | None) -> list[str]:
    """The decimals and integers of a JSON text as a reader finds them that keeps their digits."""
    found: list[str] = []
    json.loads(text or b"", parse_float=found.append, parse_int=found.append)
    return found


@pytest.mark.parametrize(
    "digits",
    ["7.40", "1.5", "1e5", "1.20E-3", "0.0", "0.12345678901234567890", "7" * 20, "-" + "7" * 30],
)
def test_what_others_write_is_kept(digits: str) -> None:
    body = f'{{"resourceType":"Basic","a":[{digits}, 1.5],"text":"1.0, \\t 2.0"}}'.encode()
    for read in (data.foreign, lambda text: formats.read(text, formats.JSON)):
        found = read(body)
        assert _values(data.dumps(found)) == [digits, "1.5"]
        assert _values(data.dumps(data.loads(data.dumps(found)))) == [digits, "1.5"]
        assert [float(one) for one in found["a"]] == orjson.loads(body)["a"]


def test_copies_are_as_exact() -> None:
    exact = data.decimal("7.40")
    for one in (copy.copy(exact), copy.deepcopy(exact), pickle.loads(pickle.dumps(exact))):  # noqa: S301
        assert data.dumps([one]) == b"[\t7.40]"
    assert json.dumps([exact]) == "[7.4]"  # who knows nothing of it has the number
    assert data.dumps({"a": data.written([exact])}) == b'{"a":[\t7.40]}'
    assert exact == data.decimal("7.40")
    assert exact != 7.4
    assert 7.4 not in [exact]
    assert len({exact, data.decimal("7.40"), 7.4}) == len(("7.40", "7.4"))


def test_only_json_is_written() -> None:
    with pytest.raises(TypeError):
        data.dumps({"a": {1, 2}})
    with pytest.raises(ValueError, match="unexpected"):
        data.foreign(b'{"a": 1.0 2.0}')


def test_deep_texts_of_others() -> None:
    for depth in (900, 1000):
        assert isinstance(data.foreign(b"[" * depth + b"1.0" + b"]" * depth), list)


def test_a_number_beyond_64_bits_beside_an_exact_one_is_written_again() -> None:
    text = b'{"a":1.50,"b":' + b"7" * 30 + b"}"
    assert data.dumps(data.foreign(text)).replace(b"\t", b"") == text
