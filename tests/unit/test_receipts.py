"""The day a file came starts the clocks of its members, also when it is loaded later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapter import cli
from adapter import store as stores
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.program.gather import cases
from adapter.store.protocol import Store

NOW = datetime(2026, 8, 3, 16, 0, tzinfo=UTC)
TODAY = date(2026, 8, 3)
HEAD = "CAN #,CIN,Member Last Name,Member First Name,Record Status\n"
ROWS = {
    "Olive": "M1,90000011A,Otter,Olive,New\n",
    "Pepe": "M2,90000012B,Placeholder,Pepe,New\n",
    "Quin": "M3,90000013C,Sampleton,Quin,New\n",
}


@pytest.fixture
def store() -> Iterator[Store]:
    made = stores.open("sqlite://", same_person=resolve)
    yield made
    made.close()


def file(*names: str) -> bytes:
    return (HEAD + "".join(ROWS[name] for name in names)).encode()


def load(store: Store, content: bytes, name: str, received: str = "", now: datetime = NOW) -> None:
    results = list(Pipeline(store, lambda: now).mif(content, "sunrise", name, received))
    assert {one.status for one in results} <= {"stored", "duplicate"}


def received(store: Store) -> dict[str, date | None]:
    found = cases(store, "sunrise", TODAY)
    return {one.person.name.partition(" ")[0]: one.received for one in found}


@pytest.mark.parametrize(
    ("name", "said", "day"),
    [
        ("members.csv", "", TODAY),
        ("SUNRISE_MIF_20260601.csv", "", date(2026, 6, 1)),
        ("members.csv", "2026-05-04", date(2026, 5, 4)),
        ("SUNRISE_MIF_20260601.csv", "2026-06-05", date(2026, 6, 5)),
        ("SUNRISE_MIF_20260901.csv", "", TODAY),  # a file of next month is here already
    ],
)
def test_the_day_of_receipt(store: Store, name: str, said: str, day: date) -> None:
    load(store, file("Olive"), name, said)
    assert received(store) == {"Olive": day}


@pytest.mark.parametrize(
    ("name", "cell", "day"),
    [
        ("members.csv", "06/15/2026", date(2026, 6, 15)),
        ("SUNRISE_MIF_20260601.csv", "06/15/2026", date(2026, 6, 1)),
        ("members.csv", "", TODAY),
        ("members.csv", "soon", TODAY),
    ],
)
def test_the_day_in_a_column(store: Store, name: str, cell: str, day: date) -> None:
    lines = file("Olive").decode().splitlines()
    content = f"{lines[0]},File Timestamp\n{lines[1]},{cell}\n".encode()
    load(store, content, name)
    assert received(store) == {"Olive": day}


def test_the_day_in_the_rows_of_a_file_without_header(store: Store) -> None:
    row = "0001|06-15-2026 08:00:00|0|M1|90000011A|02-29-1980|F|Otter|Olive" + "|" * 14
    results = list(Pipeline(store, lambda: NOW).mif(row.encode(), "kern-demographic", "who.txt"))
    assert {one.status for one in results} == {"stored"}
    assert [one.received for one in cases(store, "kern", TODAY)] == [date(2026, 6, 15)]


def test_a_backlog_loaded_in_one_go_keeps_each_member_s_day(store: Store) -> None:
    load(store, file("Olive"), "SUNRISE_MIF_20260501.csv")
    load(store, file("Olive", "Pepe"), "SUNRISE_MIF_20260601.csv")
    load(store, file("Olive", "Pepe", "Quin"), "members.csv")
    assert received(store) == {
        "Olive": date(2026, 5, 1),
        "Pepe": date(2026, 6, 1),
        "Quin": TODAY,
    }


def test_an_older_file_that_comes_later_moves_nobody_who_is_not_in_it(store: Store) -> None:
    load(store, file("Olive"), "SUNRISE_MIF_20260701.csv")
    later = NOW.replace(hour=17)
    load(store, file("Pepe"), "SUNRISE_MIF_20260501.csv", now=later)
    assert received(store) == {"Olive": date(2026, 7, 1), "Pepe": date(2026, 5, 1)}


def test_the_same_file_again_moves_nothing(store: Store) -> None:
    load(store, file("Olive"), "members.csv", "2026-05-04")
    load(store, file("Olive"), "members.csv")
    assert received(store) == {"Olive": date(2026, 5, 4)}


def test_the_command_takes_the_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, source = f"sqlite:///{tmp_path / 'house.sqlite'}", tmp_path / "members.csv"
    source.write_bytes(file("Olive"))
    words = ["--database", url, "load", "mif", str(source), "--plan", "sunrise"]
    cli.main([*words, "--received", "2026-05-04"])
    made = stores.open(url, same_person=resolve)
    assert received(made) == {"Olive": date(2026, 5, 4)}
    made.close()
    with pytest.raises(SystemExit):
        cli.main([*words, "--received", "May 4"])
    assert "invalid day value" in capsys.readouterr().err
