"""What files told is remembered in slices, by period, on both databases."""

from __future__ import annotations

import tracemalloc

from adapter.store.protocol import Cell, SentRow
from tests.store.made import NOW

SERIES = "sunrise/rtf"


def told(store, period: str, **texts: str) -> None:
    rows = (SentRow(f"Patient/{who}", {"City": text}) for who, text in texts.items())
    store.write_sent(SERIES, period, rows, NOW)


def test_the_last_file_before_a_period(store) -> None:
    told(store, "2025-11", a="Elk Grove", b="Galt")
    told(store, "2025-12", a="Sacramento")
    told(store, "2026-01", a="Lodi")
    assert store.last_sent(SERIES, "Patient/a", "2026-01") == {"City": "Sacramento"}
    assert store.last_sent(SERIES, "Patient/b", "2026-01") == {"City": "Galt"}
    assert store.last_sent(SERIES, "Patient/a", "2025-11") is None
    assert store.last_sent("other/rtf", "Patient/a", "2026-01") is None
    assert store.sent_periods(SERIES) == ["2025-11", "2025-12", "2026-01"]


def test_a_period_written_again_is_replaced(store) -> None:
    told(store, "2025-12", a="Sacramento", b="Galt")
    told(store, "2025-12", a="Lodi")
    assert list(store.sent_rows(SERIES, "2025-12")) == [SentRow("Patient/a", {"City": "Lodi"})]


def test_rows_come_by_subject_whatever_their_number(store) -> None:
    names = [f"Patient/{number:05d}" for number in range(2500)]
    store.write_sent(SERIES, "2026-01", (SentRow(one, {}) for one in reversed(names)), NOW)
    assert [row.subject for row in store.sent_rows(SERIES, "2026-01")] == names


def test_cells_are_taken_as_a_stream(store) -> None:
    count = 20_000
    cells = (Cell(line, "Name", (f"Patient/{line}#name",)) for line in range(count))
    tracemalloc.start()
    store.write_cells("big.csv", cells, NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000  # a list of them all is over 10
    assert store.cell("big.csv", count - 1, "Name").refs == (f"Patient/{count - 1}#name",)
    store.write_cells("big.csv", [], NOW)
    assert store.cell("big.csv", 1, "Name") is None


def test_in_a_batch_all_or_nothing(store) -> None:
    told(store, "2025-12", a="Sacramento")
    try:
        with store.batch():
            told(store, "2026-01", a="Lodi")
            assert store.sent_periods(SERIES) == ["2025-12", "2026-01"]
            raise KeyError
    except KeyError:
        assert store.sent_periods(SERIES) == ["2025-12"]
