"""How texts are kept: squeezed in SQLite, as they are in PostgreSQL, and read either way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier

import pytest

from adapter import data
from adapter.record import Origin
from adapter.store import schema
from adapter.store.fold import slots
from adapter.store.packing import (
    TRAINED,
    Tools,
    pack,
    pack_alone,
    pack_record,
    spread,
    squeezed,
    tools,
    unpack,
)
from adapter.store.registers import Register, Stamp
from adapter.store.said import Saying

never = {}.__getitem__  # what is a version of its resource is asked for it, and nothing else
STAMP = Stamp("2026-07-01T08:00:00.000000", "0123456789ab", 7)
SAID = {
    "name": Register(
        STAMP, {"name": [{"family": "Ñandú \U0001f985"}]}, (Origin("name", 3, "PID-5"),)
    ),
    "gender": Register(STAMP, None),
}


@pytest.mark.parametrize("text", ["", "{}", "é" * 3, "x" * 100_000, pack(SAID).decode()])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_kept_text_is_read_as_it_was(text: str, dialect: str) -> None:
    found = spread(squeezed(text.encode(), dialect))
    assert (found if isinstance(found, str) else found.decode()) == text


def test_what_was_kept_before_is_still_read() -> None:
    assert (
        unpack(pack(SAID).decode(), never) == unpack(squeezed(pack(SAID), "sqlite"), never) == SAID
    )


def test_a_record_is_not_kept_twice() -> None:
    content = {
        "meta": {"tag": [{"code": "a"}]},
        "_recorded": {"id": "x"},
        "reason": [{"text": "y"}],
    }
    said = {name: Register(STAMP, value) for name, value in slots(content).items()}
    versions = {1: {"resourceType": "Provenance", "id": "p", **content}}
    kept = pack_record(STAMP)
    assert "reason" not in kept and unpack(kept, versions.__getitem__) == said


def test_a_saying_is_packed_as_its_registers_are_at_any_time() -> None:
    later = STAMP._replace(as_of="2026-07-02T08:00:00.000000", unit=8)
    saying = Saying(SAID)
    for stamp in (STAMP, later):
        assert data.loads(pack_alone(saying, stamp)) == data.loads(pack(saying.at(stamp)))


def test_another_dictionary_is_another_schema() -> None:
    """Kept texts can be read with the dictionary only that they were squeezed with."""
    digest = sha256(TRAINED.read_bytes()).hexdigest()
    assert (schema.VERSION, digest) == (
        "6",
        "0c009b4dc229a5e6b39ea320bc64fd17f17840dadf0c35d1af5558698bab33e3",
    )


def test_each_thread_squeezes_with_tools_of_its_own() -> None:
    """Also compiled: two threads at one compressor spoil each other's texts."""
    own = tools()
    texts = [data.dumps({"text": f"{number} " * 20_000}) for number in range(8)]

    def there_and_back(text: bytes) -> Tools:
        assert all(spread(squeezed(text, "sqlite")) == text for _ in range(50))
        return tools()

    with ThreadPoolExecutor(8, initializer=Barrier(8).wait) as pool:
        used = list(pool.map(there_and_back, texts))
    assert len(used) == 8
    assert not any(one.squeezer is own.squeezer or one.spreader is own.spreader for one in used)
    assert tools() is own


def test_a_resource_takes_little_room() -> None:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
    text = data.dumps({"resourceType": "Patient", "identifier": [{"type": {"coding": [coding]}}]})
    assert len(squeezed(text, "sqlite")) < len(text) / 2
