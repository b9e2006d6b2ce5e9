"""Files beside the list that was known, refused rows mended, counts, and panels for exchanges."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter import cli, data, reject_file, store
from adapter.errors import DataFileError
from adapter.identity.match import resolve
from adapter.issues import Issue
from adapter.mapping import roster
from adapter.pipeline import Pipeline, Tally
from adapter.program import snapshots
from adapter.reports import exchange, panel

NOW = datetime(2026, 7, 2, 15, tzinfo=UTC)
HEAD = ("Member ID", "CIN", "Last Name", "First Name", "DOB", "Sex", "Zip", "Phone", "PCP NPI",
        "Enrolled", "MIF Record Type")  # fmt: skip


def member(number: int, **cells: str) -> dict[str, str]:
    good = {
        "Member ID": f"M{number}", "CIN": f"900000{number:02d}A", "Last Name": "Otter",
        "First Name": f"Olive{'abcdefghijklmnopqrstuvwxyz'[number]}", "DOB": "03/14/1985",
        "Sex": "F", "Zip": "95814", "Phone": "9165550101", "Enrolled": "Y",
    }  # fmt: skip
    return {**good, **cells}


def file(*rows: dict[str, str]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HEAD)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def house() -> Pipeline:
    return Pipeline(store.open("sqlite://", resolve), lambda: NOW)


def load(
    place: Pipeline, content: bytes | Path, name: str, plan: str = "sunrise"
) -> tuple[Tally, dict[int, list[Issue]]]:
    """Load a file; the counts, and the issues of refused rows by line."""
    tally, refused = Tally(), dict[int, list[Issue]]()
    for result in place.mif(content, plan, name):
        tally.add(result)
        if result.status in ("refused", "review") and result.rows:
            refused.setdefault(result.line, []).extend(result.issues)
    return tally, refused


def note(place: Pipeline, plan: str = "sunrise") -> str:
    return str(place.changes(plan)[-1]["note"][0]["text"])


def told(place: Pipeline) -> set[tuple[str, str, str]]:
    return set(snapshots.told(place.changes("sunrise")[-1]))


def listed(place: Pipeline) -> set[str]:
    groups = place.store.each("Group")
    return {m["entity"]["identifier"]["value"] for g in groups for m in g.get("member", ())}


# -- snapshots


def test_added_changed_unchanged_missing() -> None:
    place = house()
    load(place, file(*[member(n) for n in range(4)]), "SUNRISE_MIF_20260701.csv")
    assert note(place) == "4 added, 0 changed, 0 unchanged, 0 missing"
    assert told(place) == set()  # a first list has nothing to be compared with
    second = file(member(1), member(2, Phone="9165550999", Zip=""), member(3), member(5))
    load(place, second, "SUNRISE_MIF_20260801.csv")
    assert note(place) == "1 added, 1 changed, 2 unchanged, 1 missing"
    assert told(place) == {
        ("missing", "90000000A", ""),
        ("changed", "90000002A", "Phone"),
        ("added", "90000005A", ""),
    }
    assert listed(place) == {"90000001A", "90000002A", "90000003A", "90000005A"}
    statuses = Counter(e["status"] for e in place.store.each("EpisodeOfCare"))
    assert statuses == {"active": 5}  # missing is no disenrollment


def test_an_older_file_makes_nobody_missing_and_changes_no_list() -> None:
    place = house()
    load(place, file(member(1), member(2)), "SUNRISE_MIF_20260701.csv")
    load(place, file(member(1), member(3)), "SUNRISE_MIF_20260601.csv")
    older = place.changes("sunrise")[0]  # by date
    assert older["note"][0]["text"] == "1 added, 0 changed, 1 unchanged, 0 missing"
    assert listed(place) == {"90000001A", "90000002A"}


def test_a_member_who_gets_a_cin_is_neither_new_nor_missing() -> None:
    place = house()
    load(place, file(member(1, CIN="")), "SUNRISE_MIF_20260701.csv")
    load(place, file(member(1)), "SUNRISE_MIF_20260801.csv")
    assert note(place).startswith("0 added, 0 changed")
    assert note(place).endswith("0 missing")
    assert len(list(place.store.each("Patient"))) == 1


def test_a_member_whose_row_is_refused_is_not_missing() -> None:
    place = house()
    load(place, file(member(1), member(2)), "SUNRISE_MIF_20260701.csv")
    load(place, file(member(1), member(2, **{"Last Name": ""})), "SUNRISE_MIF_20260801.csv")
    assert note(place) == "0 added, 0 changed, 1 unchanged, 0 missing"


def test_a_member_whom_the_plan_takes_off_is_marked() -> None:
    place = house()
    load(place, file(member(1), member(2, **{"MIF Record Type": "removed"})), "f.csv")
    (group,) = place.store.each("Group")
    marks = {m["entity"]["identifier"]["value"]: m.get("inactive") for m in group["member"]}
    assert marks == {"90000001A": None, "90000002A": True}


def test_long_lists_are_kept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "CHUNK", 3)
    place = house()
    load(place, file(*[member(n) for n in range(8)]), "SUNRISE_MIF_20260701.csv")
    sizes = sorted(len(g["member"]) for g in place.store.each("Group"))
    assert (sizes, len(listed(place))) == ([2, 3, 3], 8)
    load(place, file(*[member(n) for n in range(2)]), "SUNRISE_MIF_20260801.csv")
    assert note(place) == "0 added, 0 changed, 2 unchanged, 6 missing"
    assert listed(place) == {"90000000A", "90000001A"}
    assert {g["active"] for g in place.store.each("Group")} == {True, False}


# -- refused rows


CASES = [
    (folder.name, data.toml(folder / "case.toml")["plan"])
    for folder in sorted(data.path("fixtures", "mif").iterdir())
]


@pytest.mark.parametrize(("case", "plan"), CASES)
def test_counts_make_up_the_rows_and_refused_rows_load_again(case: str, plan: str) -> None:
    (source,) = data.path("fixtures", "mif", case).glob("input.*")
    place = house()
    tally, refused = load(place, source, source.name, plan)
    statuses = ("stored", "duplicate", "refused", "review")
    assert tally.rows.total() == sum(tally.rows[status] for status in statuses)
    assert tally.rows["refused"] + tally.rows["review"] == len(refused)
    stream = io.StringIO()
    rejected = reject_file.Rejected(source, source.name, plan, NOW.isoformat(), refused)
    assert reject_file.write(stream, rejected) == len(refused)
    rows = list(csv.reader(io.StringIO(stream.getvalue())))
    assert [row[2] for row in rows[1:]] == [str(line) for line in sorted(refused)]
    if refused:
        again, _ = load(place, stream.getvalue().encode(), "rejects.csv", plan)
        assert "column-missing" not in again.issues
        assert "delimiter" not in again.issues
        assert again.rows.total() == len(refused)


def test_no_refused_cell_is_a_formula_and_mended_ones_are_as_they_came() -> None:
    place = house()
    cells = {
        "Last Name": "",
        "First Name": '=HYPERLINK("http://x.example")',
        "Phone": "+19165550101",
    }
    bad = file(member(1), member(2, **cells)).replace(b"PCP NPI", b"=1+1")
    _, refused = load(place, bad, "=cmd_20260701.csv")
    assert set(refused) == {3}
    stream = io.StringIO()
    name = "=cmd_20260701.csv"
    reject_file.write(stream, reject_file.Rejected(bad, name, "sunrise", NOW.isoformat(), refused))
    shown = [cell for row in csv.reader(io.StringIO(stream.getvalue())) for cell in row]
    assert not [cell for cell in shown if cell and cell[0] in "=+-@"]
    mended = stream.getvalue().replace("90000002A,,", "90000002A,Otter,")
    tally, _ = load(place, mended.encode(), "mended.csv")
    assert tally.rows == {"stored": 1}
    (patient,) = place.store.each("Patient", [("identifier", "M2")])
    assert patient["name"][0]["given"] == [cells["First Name"]]
    assert patient["telecom"][0]["value"] == "(916) 555-0101"


def test_a_mended_row_does_not_stand_before_what_was_told_since() -> None:
    place = house()
    bad = file(member(1), member(2, **{"Last Name": ""}, Phone="9165550111"))
    _, refused = load(place, bad, "SUNRISE_MIF_20260701.csv")
    load(place, file(member(1), member(2)), "SUNRISE_MIF_20260801.csv")
    stream = io.StringIO()
    name = "SUNRISE_MIF_20260701.csv"
    reject_file.write(stream, reject_file.Rejected(bad, name, "sunrise", NOW.isoformat(), refused))
    mended = stream.getvalue().replace("90000002A,,", "90000002A,Otter,")
    tally, _ = load(place, mended.encode(), "mended.csv")
    assert tally.rows == {"stored": 1}
    (patient,) = place.store.each("Patient", [("identifier", "M2")])
    assert patient["telecom"][0]["value"] == "(916) 555-0101"
    assert note(place).endswith("0 missing")
    assert listed(place) == {"90000001A", "90000002A"}


def test_rows_of_a_file_without_header_are_mended_under_one() -> None:
    row = "1|07-01-2026 08:00:00|0|K1|90000011A|02-29-1980|F|{}|Olive" + "|" * 14 + "\n"
    place, content = house(), (row.format("Otter") + row.format("").replace("K1", "K2")).encode()
    tally, refused = load(place, content, "f.txt", "kern-demographic")
    assert tally.rows == {"stored": 1, "refused": 1}
    stream = io.StringIO()
    rejected = reject_file.Rejected(content, "f.txt", "kern-demographic", NOW.isoformat(), refused)
    reject_file.write(stream, rejected)
    mended = (
        stream.getvalue().replace(",F,,Olive", ",F,Beaver,Olive").replace("90000011A", "90000012B")
    )
    tally, _ = load(place, mended.encode(), "mended.csv", "kern-demographic")
    assert tally.rows == {"stored": 1}
    assert {p["name"][0]["family"] for p in place.store.each("Patient")} == {"Otter", "Beaver"}


# -- panels


def written(place: Pipeline, name: str, folder: Path, day: int = 2) -> list[dict[str, str]]:
    """A panel as an independent reader finds it."""
    definition = exchange.load(name)
    now = NOW.replace(day=day)
    made = panel.write(place.store, definition, folder, now)
    with made.file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=definition.delimiter))
    assert len(rows) == made.rows
    return rows


def stocked() -> Pipeline:
    place = house()
    load(place, file(member(1, **{"PCP NPI": "1000000012"}), member(2, Sex="M", Enrolled="N"),
                     member(3, Zip="")), "SUNRISE_MIF_20260701.csv")  # fmt: skip
    return place


def test_health_gorilla_variant_a(tmp_path: Path) -> None:
    rows = written(stocked(), "health-gorilla-a", tmp_path)
    assert rows == [
        {"First_name": "Oliveb", "Last_name": "Otter", "Date_of_birth": "03/14/1985",
         "Gender": "F", "Zip_code": "95814", "Subscriber_ID": "M1"},
        {"First_name": "Olivec", "Last_name": "Otter", "Date_of_birth": "03/14/1985",
         "Gender": "M", "Zip_code": "95814", "Subscriber_ID": "M2"},
    ]  # fmt: skip


def test_who_lacks_what_an_exchange_requires_is_told(tmp_path: Path) -> None:
    made = panel.write(stocked().store, exchange.load("health-gorilla-a"), tmp_path, NOW)
    assert [(i.detail, i.at.field) for i in made.issues if i.at] == [("cell-empty", "Zip_code")]


def test_health_gorilla_variant_b_names_our_patients(tmp_path: Path) -> None:
    place = stocked()
    rows = written(place, "health-gorilla-b", tmp_path)
    ids = {p["id"] for p in place.store.each("Patient")}
    assert {row["ID"] for row in rows} == ids
    assert {row["SubscriberID"]: row["PCP_NPI"] for row in rows}["M1"] == "1000000012"


def test_a_delta_tells_what_changed_since_the_last(tmp_path: Path) -> None:
    place = stocked()
    first = written(place, "delta-example", tmp_path, 2)
    assert [(r["ACTION"], r["NAME_FIRST"], r["SEX"], r["DOB"]) for r in first] == [
        ("ADD", "Oliveb", "2", "19850314"), ("ADD", "Olived", "2", "19850314"),
    ]  # fmt: skip
    assert written(place, "delta-example", tmp_path, 3) == []
    load(place, file(member(1, Phone="9165550777"), member(2, Sex="M", Enrolled="Y"),
                     member(3, **{"MIF Record Type": "removed"})),
         "SUNRISE_MIF_20260801.csv")  # fmt: skip
    rows = written(place, "delta-example", tmp_path, 4)
    assert {(row["ACTION"], row["NAME_FIRST"]) for row in rows} == {
        ("CHG", "Oliveb"), ("ADD", "Olivec"), ("DEL", "Olived"),
    }  # fmt: skip
    assert {row["PHONE"] for row in rows if row["ACTION"] == "CHG"} == {"9165550777"}


def test_nicknames_stay_out_of_a_panel(tmp_path: Path) -> None:
    place = house()
    load(place, file(member(1, **{"First Name": 'Olivia "Ollie" (Liv)'})), "f.csv")
    (row,) = written(place, "generic", tmp_path)
    assert (row["first_name"], row["action"]) == ("Olivia", "ADD")


@pytest.mark.parametrize(
    ("told", "actions"),
    [
        ({"deceasedBoolean": False}, ["ADD"]),  # PID-30 N: alive
        ({"deceasedBoolean": True}, []),
        ({"deceasedDateTime": "2026-07-02"}, []),
    ],
)
def test_who_died_is_on_no_panel(told: dict[str, Any], actions: list[str], tmp_path: Path) -> None:
    place = house()
    load(place, file(member(1)), "f.csv")
    (person,) = place.store.each("Patient")
    place.store.put({**person, **told}, NOW.isoformat())
    assert [row["action"] for row in written(place, "generic", tmp_path)] == actions


@pytest.mark.parametrize("name", exchange.names())
def test_every_exchange_writes_every_column(name: str, tmp_path: Path) -> None:
    rows = written(stocked(), name, tmp_path)
    assert rows
    assert list(rows[0]) == [column.header for column in exchange.load(name).columns]
    raw: dict[str, Any] = data.toml(data.path("mappings", "outbound", "exchanges", f"{name}.toml"))
    assert raw["source"]
    assert raw["confidence"] in ("confirmed", "reconstructed", "unverified")


@pytest.mark.parametrize("name", ["nowhere", "../provider", ""])
def test_an_unknown_exchange_is_our_fault(name: str) -> None:
    with pytest.raises(DataFileError):
        exchange.load(name)


# -- the command line


def test_load_diff_and_panel_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = ["--database", f"sqlite:///{tmp_path}/x.sqlite"]
    first, second = tmp_path / "SUNRISE_MIF_20260701.csv", tmp_path / "SUNRISE_MIF_20260801.csv"
    first.write_bytes(file(member(1), member(2)))
    second.write_bytes(file(member(1, Phone="9165550222"), member(3, **{"First Name": ""})))
    rejects = tmp_path / "rejects.csv"
    load_it = [*database, "load", "mif", "--plan", "sunrise"]
    assert cli.main([*load_it, str(first), "--mend", str(rejects)]) in (0, 1)
    assert cli.main([*load_it, str(second), "--mend", str(rejects)]) == 1
    said = capsys.readouterr().out
    assert "2 rows: 2 stored" in said
    assert "2 rows: 1 stored, 1 refused" in said
    assert "0 added, 1 changed, 0 unchanged, 1 missing" in said
    assert len(list(csv.reader(rejects.read_text().splitlines()))) == 2
    out = tmp_path / "diff.csv"
    assert cli.main([*database, "roster", "diff", "--plan", "sunrise", "--out", str(out)]) == 0
    assert list(csv.reader(out.read_text().splitlines()))[1:] == [
        ["2026-08-01", "missing", "90000002A", ""],
        ["2026-08-01", "changed", "90000001A", "Phone"],
    ]
    folder = tmp_path / "panels"
    panel_it = [*database, "roster", "panel", "--exchange", "health-gorilla-a"]
    assert cli.main([*panel_it, "--out", str(folder)]) == 0
    assert len(list(folder.iterdir())) == 1
    assert cli.main(["layout", "suggest", str(first), "--out", str(tmp_path / "new.toml")]) == 0
    assert "Otter" not in (tmp_path / "new.toml").read_text()
