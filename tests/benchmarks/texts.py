"""Trains what texts are squeezed by (profiles/texts.zdict) on the fixtures, and says how well.

`python -m tests.benchmarks.texts` compares; `--write` puts the new one in place, only with a new
schema version, since kept texts can be read with the same dictionary only.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from itertools import islice
from pathlib import Path

from zstandard import ZstdCompressionDict, ZstdCompressor, train_dictionary

from adapter import data, demo, settings
from adapter.feeds.answers import Frame, take
from adapter.pipeline import Pipeline
from adapter.store.packing import LEVEL, TRAINED, spread
from tests.benchmarks.mllp import messages, opened

SIZE = 16 * 1024  # bytes: twice as many save a twentieth more, and crowd the processor's cache


def texts(file: Path) -> list[bytes]:
    """Every text that a SQLite store holds squeezed."""
    run = sqlite3.connect(file)
    found: list[bytes] = []
    for table in ("version", "contribution"):
        rows = run.execute(f"SELECT json FROM {table}")  # noqa: S608 - a table of ours
        found += [bytes(spread(kept)) for (kept,) in rows if isinstance(kept, bytes)]
    run.close()
    return found


def stored(file: Path, frames: list[bytes]) -> list[bytes]:
    """The texts of a store that these messages made."""
    store = opened(f"sqlite:///{file}")
    house = Pipeline(store, settings.now, frozenset("PTD"))
    for raw in frames:
        take(house, [Frame(raw)])
    store.close()
    return texts(file)


def main() -> None:
    """Train, and print bytes a text with the dictionary of before and of now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sorted(data.path("fixtures", "hl7v2").rglob("*.hl7"))
        known = stored(folder / "fixtures.sqlite", [file.read_bytes() for file in files])
        demo.run(folder / "demo", lambda *_: None)
        known += texts(folder / "demo" / "demo.sqlite")
        other = stored(folder / "bench.sqlite", list(islice(messages(0, 0, 1), 400)))
    trained = train_dictionary(SIZE, known, dict_id=1)
    for label, dictionary in (("before", TRAINED.read_bytes()), ("now", trained.as_bytes())):
        squeeze = ZstdCompressor(level=LEVEL, dict_data=ZstdCompressionDict(dictionary))
        for of, some in (("the fixtures", known), ("the benchmark", other)):
            each = sum(len(squeeze.compress(text)) for text in some) / len(some)
            whole = sum(map(len, some)) / len(some)
            print(f"{label:<7} {of:<14} {len(some):>5} texts, {whole:.0f} -> {each:.0f} bytes each")
    if sys.argv[1:] == ["--write"]:
        TRAINED.write_bytes(trained.as_bytes())


if __name__ == "__main__":
    main()
