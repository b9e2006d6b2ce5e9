"""The command line about feeds: folders, reports, health, the judge, and serving MLLP."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from adapter import cli, logs, settings
from adapter import store as stores
from adapter.console import landing
from adapter.errors import SettingError, StoreError
from adapter.feeds.health import DAY, Health
from adapter.transport import settings as mllp_settings
from adapter.transport.mllp import Address
from tests.transport.client import connect, tell
from tests.transport.conftest import NOW, message

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'cli.sqlite'}"
    monkeypatch.setenv("ECM_DATABASE", url)
    return url


def ledger(url: str) -> list[str]:
    store = stores.open(url)
    try:
        return [line.status for line in store.ledger()]
    finally:
        store.close()


def test_a_folder_is_loaded(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "b.hl7").write_bytes(message(2))
    (folder / "a.hl7").write_bytes(message(1) + message(3, msh="T|2.5.1"))
    (folder / ".part").write_bytes(message(4))
    assert cli.main(["load", "adt", str(folder)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in told] == [
        "a.hl7: 1 stored, 1 refused", "b.hl7: 1 stored",
    ]  # fmt: skip
    assert ledger(database) == ["stored", "refused", "stored"]


@pytest.mark.parametrize("command", ["convert", "load", "watch"])
def test_a_name_that_is_no_utf_8(
    tmp_path: Path, database: str, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = folder / os.fsdecode(b"pe\xf1a.hl7")
    file.write_bytes(message(1) + message(2, "A77"))
    where = [str(file)] if command == "convert" else [str(folder)]
    where += ["--once"] if command == "watch" else []
    assert cli.main([command, "adt", *where]) == 1
    assert "pe\ufffda.hl7:" in "".join(capfd.readouterr())
    if command != "watch":
        assert cli.main(["feed", "report", str(folder)]) == 1
    else:
        assert "pe\ufffda.hl7" in next((folder / "failed").glob("*.csv")).read_text("utf-8")


@pytest.mark.parametrize(
    ("more", "word"),
    [(["--feed", "typo"], "--feed"), (["--every", "-1"], "--every"),
     (["--settle", "nan"], "--settle"),
     (["--every", "inf"], "--every")],
)  # fmt: skip
def test_a_watch_that_cannot_begin(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str], more: list[str], word: str
) -> None:
    assert cli.main(["watch", "adt", str(tmp_path / "in"), *more]) == 2
    assert word in capsys.readouterr().err


def test_a_port_that_is_none(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--port", "99999"]) == 2
    assert "--port" in capsys.readouterr().err


def test_a_port_or_host_where_it_cannot_listen(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and the address, before anything is said to be served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["serve", "--port", port]) == 2
    monkeypatch.setenv("ECM_TOKEN", "a" * 20)
    assert cli.main(["serve", "--host", "nowhere.invalid", "--port", "0"]) == 2
    told = capsys.readouterr()
    assert f"127.0.0.1:{port}" in told.err and "nowhere.invalid:0" in told.err
    assert "Serving" not in told.out


@pytest.mark.parametrize("kind", ["warning", "info"])
def test_log_lines_have_a_time(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    log = logging.getLogger("adapter.api")
    with logs.shown():
        getattr(log, kind)("something of %s", "note")
    log.info("not shown any more")
    line = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ {kind.upper()} something of note\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_a_type_that_is_none(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECM_VERSIONED", "Task, Tusk")
    assert cli.main(["serve", "--port", "0"]) == 2
    assert "ECM_VERSIONED" in capsys.readouterr().err


def test_what_an_installation_takes(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.hl7").write_bytes(message(1, msh="T|2.5.1"))
    assert cli.main(["load", "adt", str(tmp_path / "t.hl7")]) == 1
    monkeypatch.setenv("ECM_PROCESSING", "P, t")
    assert cli.main(["load", "adt", str(tmp_path / "t.hl7")]) == 0
    assert ledger(database) == ["stored"]
    for none in ("X", ","):
        monkeypatch.setenv("ECM_PROCESSING", none)
        assert cli.main(["load", "adt", str(tmp_path / "t.hl7")]) == 2


def test_a_folder_is_watched_once(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.hl7").write_bytes(message(1))
    (folder / "b.hl7").write_bytes(message(2, "A77"))
    assert cli.main(["watch", "adt", str(folder), "--once"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.hl7: 1 stored -> done", "b.hl7: 1 refused -> failed",
    ]  # fmt: skip
    assert cli.main(["watch", "adt", str(folder), "--once"]) == 0
    assert ledger(database) == ["stored", "refused"]


def test_a_watch_that_could_not_load_says_so(tmp_path: Path, database: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.hl7").write_bytes(message(1))
    stores.open(database).close()
    with sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None) as other:
        other.execute("ALTER TABLE unit RENAME TO gone")
        assert cli.main(["watch", "adt", str(folder), "--once"]) == 2
        other.execute("ALTER TABLE gone RENAME TO unit")
    assert cli.main(["watch", "adt", str(folder), "--once"]) == 0


def test_a_pull_that_failed_says_so(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(*_: object) -> None:
        raise StoreError("out of reach")

    monkeypatch.setattr("adapter.transport.sftp.partner", lambda *_: None)
    monkeypatch.setattr("adapter.transport.sftp.pull", pull)
    where = ["--sftp", "ecm@sftp.example/out"]
    assert cli.main(["watch", "adt", str(tmp_path), "--once", *where]) == 2


def test_a_pull_needs_keys(tmp_path: Path, database: str) -> None:
    where = ["--sftp", "ecm@sftp.example/out"]
    assert cli.main(["watch", "adt", str(tmp_path), "--once", *where]) == 2


def test_a_report_on_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.hl7").write_bytes(message(1))
    assert cli.main(["feed", "report", str(tmp_path), "--conformance"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("1 messages by profile `by sender`, 0 refused\nevents: A04 1\n")
    row = r"^PID-3 +Patient Identifier List +1/1 +100% mapped$"
    assert re.search(row, text, re.MULTILINE)
    assert re.search(r"^\d+ fields are carried: \d+ are mapped, ", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 100
    assert "segments read, and not in the sample: " in text
    assert cli.main(["feed", "report", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 1
    assert cli.main(["feed", "report", str(tmp_path / "absent")]) == 2


def test_health(tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hl7").write_bytes(message(1) + message(2, "A77"))
    cli.main(["load", "adt", str(tmp_path / "a.hl7")])
    capsys.readouterr()
    assert cli.main(["feed", "health"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "default"
    assert cli.main(["feed", "health", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["feed"], told["messages"], told["errorShare"]) == ("default", 2, 0.5)


def test_conformance_beside_the_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hl7").write_bytes(message(1).replace(b"EVN|", b"ZVN|"))
    assert cli.main(["convert", "adt", str(tmp_path / "a.hl7"), "--conformance"]) == 1
    told = capsys.readouterr()
    assert "warning: a.hl7:1 EVN: segment-missing: required by the standard" in told.err
    assert json.loads(told.out)["resourceType"] == "Bundle"


def test_the_landing_page_shows_feeds() -> None:
    class Empty:
        def search(self, *_: object, **__: object):
            from adapter.store.protocol import Page

            return Page([])

    rows = [
        Health("mercy", NOW, {"stored": 9, "refused": 1}, DAY, False),
        Health("sutter", None, {}, DAY, True),
    ]
    page = landing.page(Empty(), feeds=lambda: rows)
    assert '<h2 id="feeds">Feeds</h2>' in page
    assert "2026-07-13 15:00 UTC" in page and "10.0%" in page
    assert '<strong class="silent">silent</strong>' in page and "never" in page
    assert "Feeds" not in landing.page(Empty())


@pytest.mark.parametrize(
    ("text", "given", "found"),
    [
        ("127.0.0.1:2575", {}, ("127.0.0.1", 2575)),
        ("[::1]:2575", {}, ("::1", 2575)),
        ("localhost:0", {}, ("localhost", 0)),
        ("10.9.9.9:2575", {"mllp_allow": "10.1.0.0/16, 10.2.0.0/16"}, ("10.9.9.9", 2575)),
        ("10.9.9.9:2575", {"mllp_clients": "ca.pem"}, ("10.9.9.9", 2575)),
        ("0.0.0.0:2575", {}, None),
        ("hl7.example:2575", {}, None),
        ("0.0.0.0:2575", {"mllp_allow": "everyone"}, None),
        ("2575", {}, None),
        (":2575", {}, None),
        ("127.0.0.1:x", {}, None),
        ("127.0.0.1:99999", {}, None),
    ],
)
def test_where_to_listen(text: str, given: dict[str, str], found: tuple[str, int] | None) -> None:
    setting = settings.Settings(**given)
    if found is None:
        with pytest.raises(SettingError):
            mllp_settings.addresses([text], setting)
    else:
        (made,) = mllp_settings.addresses([text], setting)
        assert isinstance(made, Address) and (made.host, made.port) == found


@pytest.mark.parametrize(
    ("given", "complete"),
    [({}, None), ({"mllp_cert": "a"}, False), ({"mllp_clients": "c"}, False),
     ({"mllp_cert": "a", "mllp_key": "b", "mllp_clients": "c"}, True)],
)  # fmt: skip
def test_certificates_belong_together(given: dict[str, str], complete: bool | None) -> None:
    setting = settings.Settings(**given)
    if complete is False:
        with pytest.raises(SettingError):
            mllp_settings.tls(setting)
    else:
        assert (mllp_settings.tls(setting) is not None) == bool(complete)


def test_serve_receives_until_it_is_told_to_stop(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'served.sqlite'}"
    where = ["serve", "--port", "0", "--mllp", "127.0.0.1:0"]
    command = [sys.executable, "-m", "adapter", "--database", url, *where]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().removeprefix("MLLP on port "))
        assert re.match("Serving on http://127.0.0.1:[1-9]", server.stdout.readline())

        async def story() -> None:
            sender = await connect(port)
            assert await sender.send(message(1)) == ["AA", "M000001"]
            os.kill(server.pid, signal.SIGTERM)
            assert await sender.answer(30) is None

        tell(story())
        assert server.wait(30) == 0
    assert ledger(url) == ["stored"]
