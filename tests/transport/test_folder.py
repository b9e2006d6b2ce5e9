"""A watched folder: whole files only, each once, moved when it is done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapter.errors import SettingError, StoreError
from adapter.pipeline import Pipeline, UnitResult
from adapter.transport.folder import Folder, Loaded, attempt, round_
from tests.transport.conftest import message


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_file() and one.name[0] != ".")


def look(folder: Folder, house: Pipeline) -> list[Loaded]:
    """One look; what it loaded."""

    def load(file: Path) -> Iterator[UnitResult]:
        return house.adt(file.read_bytes(), "", file.name)

    return list(round_(folder, load, lambda _: None))


def test_files_are_loaded_and_moved(tmp_path: Path, house: Pipeline) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    (inbox / "a.hl7").write_bytes(message(1) + message(2))
    (inbox / "b.hl7").write_bytes(message(3) + message(4, "A77"))
    found = look(folder, house)
    assert [dict(one.tally.units) for one in found] == [
        {"stored": 2},
        {"stored": 1, "refused": 1},
    ]
    assert names(inbox) == []
    assert names(inbox / "done") == ["a.hl7"]
    assert names(inbox / "failed") == ["b.hl7", "b.hl7.rejects.csv"]
    rows = (inbox / "failed" / "b.hl7.rejects.csv").read_text().splitlines()
    assert rows[0] == "file,line,field,severity,issue,text,remedy"
    assert rows[1].startswith("b.hl7,5,MSH-9,error,not-supported,")


def test_only_what_does_not_change_any_more(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 10.0)
    file = tmp_path / "a.hl7"
    file.write_bytes(b"MSH|")
    assert folder.whole(100.0) == []
    assert folder.whole(109.0) == []
    with file.open("ab") as stream:
        stream.write(b"more")
    assert folder.whole(110.5) == []
    assert folder.whole(119.0) == []
    assert folder.whole(120.5) == [file]
    os.utime(file, (1, 1))
    assert folder.whole(121.0) == []
    file.unlink()
    assert folder.whole(200.0) == []
    file.write_bytes(b"MSH|more")
    assert folder.whole(201.0) == []


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.TMP", "a.filepart", "a.crdownload"])
def test_parts_are_left_alone(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path, 0.0)
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / name)
    (tmp_path / "folder").mkdir()
    assert folder.whole(1.0) == []


def test_the_same_file_again_changes_nothing(tmp_path: Path, house: Pipeline) -> None:
    folder = Folder(tmp_path / "inbox", 0.0)
    for _ in range(3):
        (tmp_path / "inbox" / "a.hl7").write_bytes(message(1))
        look(folder, house)
    assert names(folder.done) == ["a.hl7", "a.hl7.1", "a.hl7.2"]
    assert [line.status for line in house.store.ledger()] == ["stored"]


def test_a_file_waits_for_the_database(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0.0)
    for name in ("a.hl7", "b.hl7"):
        (tmp_path / name).write_bytes(message(1))

    def locked(_: Path) -> Iterator[UnitResult]:
        raise StoreError("locked")

    assert list(round_(folder, locked, lambda _: None)) == []
    assert folder.faults == 1
    assert names(tmp_path) == ["a.hl7", "b.hl7"]
    fine = list(round_(folder, lambda _: [UnitResult(1, "stored")], lambda _: None))
    assert [one.name for one in fine] == ["a.hl7", "b.hl7"]


def test_one_file_does_not_keep_the_others_from_loading(
    tmp_path: Path, house: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours leaves the file where it is; what the fault says may hold a value."""
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    for name in ("a.hl7", "b.hl7"):
        (inbox / name).write_bytes(message(1))

    def load(file: Path) -> Iterator[UnitResult]:
        if file.name == "a.hl7":
            raise RuntimeError("QUILLFEATHER")
        return house.adt(file.read_bytes(), "", file.name)

    assert [one.name for one in round_(folder, load, lambda _: None)] == ["b.hl7"]
    assert (names(inbox), folder.faults) == (["a.hl7"], 1)
    assert "RuntimeError" in caplog.text and "QUILL" not in caplog.text


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(message(2))


def replace(file: Path) -> None:
    part = file.with_name("a.part")
    part.write_bytes(message(2))
    part.replace(file)


@pytest.mark.parametrize("change", [grow, replace])
def test_what_changes_while_it_is_loaded_is_read_again(
    tmp_path: Path, house: Pipeline, change: Callable[[Path], None]
) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    (inbox / "a.hl7").write_bytes(message(1))

    def load(file: Path) -> Iterator[UnitResult]:
        yield from house.adt(file.read_bytes(), "", file.name)
        change(file)

    (first,) = round_(folder, load, lambda _: None)
    assert (first.place, names(inbox)) == ("left: it changed meanwhile", ["a.hl7"])
    assert [one.place for one in look(folder, house)] == ["done"]
    assert [line.status for line in house.store.ledger()] == ["stored", "stored"]


def test_what_goes_away_does_not_end_the_watch(tmp_path: Path, house: Pipeline) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    for number, name in enumerate("abc", 1):
        (inbox / f"{name}.hl7").write_bytes(message(number))

    def load(file: Path) -> Iterator[UnitResult]:
        yield from house.adt(file.read_bytes(), "", file.name)
        if file.name == "a.hl7":
            file.unlink()
            file.with_name("b.hl7").unlink()

    found = list(round_(folder, load, lambda _: None))
    assert [(one.name, one.place[:4]) for one in found] == [("a.hl7", "gone"), ("c.hl7", "done")]


def test_what_changes_while_it_waits_is_not_whole(tmp_path: Path, house: Pipeline) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    for name in "ab":
        (inbox / f"{name}.hl7").write_bytes(message(1))

    def load(file: Path) -> Iterator[UnitResult]:
        yield from house.adt(file.read_bytes(), "", file.name)
        grow(inbox / "b.hl7")

    assert [one.name for one in round_(folder, load, lambda _: None)] == ["a.hl7"]
    assert [dict(one.tally.units) for one in look(folder, house)] == [{"duplicate": 1, "stored": 1}]


def test_a_file_that_cannot_be_moved_does_not_end_the_watch(
    tmp_path: Path, house: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    (inbox / "a.hl7").write_bytes(message(1))
    folder.done.rmdir()
    folder.done.write_bytes(b"")
    assert [one.name for one in look(folder, house)] == ["done"]  # a file, and no message
    assert "cannot be moved" in caplog.text


def test_a_file_stays_until_what_was_refused_is_written(tmp_path: Path, house: Pipeline) -> None:
    """A disk that is full, a process that dies: the file is not moved away without its findings."""
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    (inbox / "a.hl7").write_bytes(message(1, "A77"))
    (folder.failed / "a.hl7.rejects.csv").mkdir()
    assert look(folder, house) == []
    assert (names(inbox), names(folder.failed), folder.faults) == (["a.hl7"], [], 1)
    (folder.failed / "a.hl7.rejects.csv").rmdir()
    assert [one.place for one in look(folder, house)] == ["failed"]
    assert names(folder.failed) == ["a.hl7", "a.hl7.rejects.csv"]


def test_long_names_have_findings_too(tmp_path: Path, house: Pipeline) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    (inbox / ("n" * 255)).write_bytes(message(1, "A77"))
    assert [one.place for one in look(folder, house)] == ["failed"]
    assert names(folder.failed) == ["n" * 243 + ".rejects.csv", "n" * 255]


def test_folders_that_were_tidied_away(tmp_path: Path, house: Pipeline) -> None:
    inbox = tmp_path / "inbox"
    folder = Folder(inbox, 0.0)
    folder.done.rmdir()
    (inbox / "a.hl7").write_bytes(message(1))
    assert [one.place for one in look(folder, house)] == ["done"]
    assert (names(inbox), names(folder.done)) == ([], ["a.hl7"])


def test_one_watcher_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0.0)
    with folder.held(), pytest.raises(SettingError, match="another process"), folder.held():
        pass
    with folder.held():
        assert folder.whole(0.0) == []


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingError, match="cannot be used"):
        Folder(tmp_path / "file" / "inbox", 0.0)
    folder = Folder(tmp_path / "inbox", 0.0)
    for one in (folder.done, folder.failed, folder.path):
        one.rmdir()
    with pytest.raises(SettingError, match="cannot be read"):
        folder.whole(time.monotonic())


def test_a_partner_out_of_reach_is_told_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable() -> None:
        raise StoreError("SFTP: ConnectionLost")

    folder = Folder(tmp_path, 0.0)
    attempt(folder, unreachable)
    assert folder.faults == 1
    assert "not all was fetched: SFTP: ConnectionLost" in caplog.text
