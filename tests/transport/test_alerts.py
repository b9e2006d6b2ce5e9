"""Alerts arrive once: taken, refused, interrupted, killed; and nothing of a member is logged."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter import settings
from adapter import store as stores
from adapter.cli import main
from adapter.errors import SettingError, StoreError
from adapter.identity.match import resolve
from adapter.program import notices
from adapter.settings import Recipient
from adapter.store import SqlStore
from adapter.store.protocol import Letter
from adapter.transport import alerts
from tests.transport.certificates import Authority
from tests.transport.conftest import message
from tests.transport.receiver import Receiver, dripping, receiving
from tests.transport.sender import STAYS
from tests.unit.test_notices import CIN, patient, roster, stay

ROOT = Path(__file__).resolve().parents[2]
T0 = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)
NOW = T0.isoformat()
KILLS = 5


class Clock:
    """An instant that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def store() -> Iterator[SqlStore]:
    made = stores.open("sqlite://", resolve)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def post(store: SqlStore, number: int, recipient: str = "harbor", stay: str = "") -> None:
    assert store.outbox.post(letter(number, recipient, stay))


def letter(number: int, recipient: str = "harbor", stay: str = "") -> Letter:
    now = notices.stamp(T0)
    header = '{"resource":{"resourceType":"MessageHeader"}}'
    body = f'{{"resourceType":"Bundle","id":"m{number}","entry":[{header}]}}'
    return Letter(f"m{number}", stay or f"s{number}", "admit", now, number, "new", recipient,
                  "waiting", due=now, made=now, body=body)  # fmt: skip


def states(store: SqlStore) -> list[str]:
    return [one.state for one in store.outbox.letters()]


def test_a_message_is_posted_to_process_message(store, receiver, clock, monkeypatch) -> None:
    monkeypatch.setenv("ECM_ALERTS_TOKEN_HARBOR", "invented-token-of-a-test")
    harbor = Recipient("harbor", receiver.url, token="ECM_ALERTS_TOKEN_HARBOR")
    post(store, 1)
    assert alerts.send(store.outbox, [harbor], clock) == 1
    (request,) = receiver.got
    assert request.path == "/fhir/$process-message"
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert request.headers["Authorization"] == "Bearer invented-token-of-a-test"
    assert request.id == "m1"
    (letter,) = store.outbox.letters()
    assert (letter.state, letter.told, letter.attempts) == ("delivered", notices.stamp(T0), 1)
    clock.now += timedelta(days=9)
    assert alerts.send(store.outbox, [harbor], clock) == 0 and len(receiver.got) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "delivered"), (202, "delivered"), (204, "delivered"),
        (201, "waiting"), (408, "waiting"), (429, "waiting"), (500, "waiting"), (503, "waiting"),
        (301, "stopped"), (401, "stopped"), (403, "stopped"), (404, "stopped"),
        (400, "failed"), (409, "failed"), (413, "failed"), (422, "failed"),
    ],
)  # fmt: skip
def test_what_an_answer_means(store, receiver, clock, status, state) -> None:
    receiver.statuses = [status]
    receiver.extra = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 301 else {}
    post(store, 1)
    alerts.send(store.outbox, [Recipient("harbor", receiver.url)], clock)
    assert states(store) == [state] and len(receiver.got) == 1
    (letter,) = store.outbox.letters()
    assert letter.fault == ("" if state == "delivered" else str(status))


def told(code: str, *issues: tuple[str, str]) -> bytes:
    """A message that answers one, with issues of these severities and codes."""
    header = {"resourceType": "MessageHeader", "response": {"identifier": "m1", "code": code}}
    found = [{"severity": severity, "code": kind} for severity, kind in issues]
    outcome = {"resourceType": "OperationOutcome", "issue": found}
    entry = [{"resource": header}, *([{"resource": outcome}] if issues else [])]
    return json.dumps({"resourceType": "Bundle", "type": "message", "entry": entry}).encode()


def outcome(*issues: tuple[str, str]) -> bytes:
    return json.dumps(json.loads(told("", *issues))["entry"][1]["resource"]).encode()


@pytest.mark.parametrize(
    ("body", "state", "fault"),
    [
        (told("ok"), "delivered", ""),
        (told("ok", ("error", "invalid")), "delivered", ""),
        (told("fatal-error"), "failed", "200 fatal-error"),
        (told("transient-error", ("fatal", "invalid")), "waiting", "200 transient-error"),
        (told("", ("error", "invalid")), "failed", "200 fatal-error"),
        (outcome(("fatal", "processing")), "failed", "200 fatal-error"),
        (outcome(("warning", "invalid"), ("information", "invalid")), "delivered", ""),
        (outcome(("error", "timeout"), ("error", "throttled")), "waiting", "200 transient-error"),
        (outcome(("error", "timeout"), ("error", "invalid")), "failed", "200 fatal-error"),
        (b"", "delivered", ""),
        (b"<html>OK</html>", "delivered", ""),
        (b"[1, null]", "delivered", ""),
        (b'{"resourceType": "Bundle", "entry": [3, {"resource": []}, {}]}', "delivered", ""),
        (b'{"resourceType": "MessageHeader", "response": 7}', "delivered", ""),
        (outcome(*[("error", "invalid")] * 5000), "delivered", ""),  # too long to be an answer
    ],
)
def test_what_a_body_says_against_its_status(store, receiver, clock, body, state, fault) -> None:
    receiver.body = body
    post(store, 1)
    alerts.send(store.outbox, [Recipient("harbor", receiver.url)], clock)
    (letter,) = store.outbox.letters()
    assert (letter.state, letter.fault) == (state, fault)


def test_it_is_tried_again_later_each_time(store, receiver, clock) -> None:
    receiver.statuses = [503] * 4
    post(store, 1)
    tried = []
    for second in range(120):
        clock.now = T0 + timedelta(seconds=second)
        before = len(receiver.got)
        alerts.send(store.outbox, [Recipient("harbor", receiver.url)], clock)
        tried += [second] * (len(receiver.got) - before)
    assert tried == [0, 5, 15, 35, 75]
    assert states(store) == ["delivered"]
    assert len({request.body for request in receiver.got}) == 1


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("90", 90), ("Thu, 09 Jul 2026 12:30:00 GMT", 1800), ("Thu, 09 Jul 2026 12:30:00", 1800),
        ("Thu, 09 Jul 2026 11:30:00 GMT", 5), ("99999999", 3600), ("-5", 5), ("soon", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("\u00b2", 5),
    ],
)  # fmt: skip
def test_a_recipient_may_ask_for_more_time(store, receiver, clock, asked, seconds) -> None:
    receiver.statuses, receiver.extra = [429], {"Retry-After": asked}
    post(store, 1)
    alerts.send(store.outbox, [Recipient("harbor", receiver.url)], clock)
    (letter,) = store.outbox.letters()
    assert letter.due == notices.stamp(T0 + timedelta(seconds=seconds))


def test_it_is_given_up_and_can_be_asked_for_again(store, receiver, clock) -> None:
    receiver.statuses = [500, 500]
    post(store, 1)
    harbor = Recipient("harbor", receiver.url)
    alerts.send(store.outbox, [harbor], clock)
    clock.now += timedelta(days=3, seconds=1)
    alerts.send(store.outbox, [harbor], clock)
    assert states(store) == ["failed"]
    assert store.outbox.retry(notices.stamp(clock.now)) == 1
    assert alerts.send(store.outbox, [harbor], clock) == 1


def test_a_stopped_endpoint_is_left_alone_until_it_is_mended(store, receiver, clock) -> None:
    receiver.statuses = [401]
    for number in (1, 2, 3):
        post(store, number)
    harbor = Recipient("harbor", receiver.url)
    alerts.send(store.outbox, [harbor], clock)
    assert states(store) == ["stopped", "waiting", "waiting"] and len(receiver.got) == 1
    assert [one.attempts for one in store.outbox.letters()] == [1, 0, 0]
    clock.now += timedelta(days=1)
    assert alerts.send(store.outbox, [harbor], clock) == 0 and len(receiver.got) == 1
    store.outbox.retry(notices.stamp(clock.now))
    assert alerts.send(store.outbox, [harbor], clock) == 3
    assert [request.id for request in receiver.got] == ["m1", "m2", "m3", "m1"]


def test_a_mended_endpoint_has_its_whole_time_again(store, receiver, clock) -> None:
    """Nor is what waited behind the message that it stopped at given up at the first hitch."""
    to = [Recipient("harbor", receiver.url)]
    post(store, 1)
    post(store, 2)
    receiver.statuses = [401]
    alerts.send(store.outbox, to, clock)
    clock.now += timedelta(days=5)
    assert store.outbox.retry(notices.stamp(clock.now)) == 1
    for _ in range(2):
        receiver.statuses = [503]
        alerts.send(store.outbox, to, clock)
        clock.now += timedelta(seconds=20)
    assert states(store) == ["waiting", "waiting"]
    assert alerts.send(store.outbox, to, clock) == 2


def test_a_mended_endpoint_says_nothing_of_another(store, receiver, clock) -> None:
    for number, name in enumerate(("harbor", "harbor", "bay", "bay")):
        post(store, number, name)
    receiver.statuses = [401, 401]
    alerts.send(store.outbox, [Recipient(name, receiver.url) for name in ("harbor", "bay")], clock)
    before = notices.stamp(clock.now)
    clock.now += timedelta(days=5)
    now = notices.stamp(clock.now)
    assert store.outbox.retry(now, "harbor") == 1
    made = [(one.recipient, one.made) for one in store.outbox.letters()]
    assert made == [("harbor", now)] * 2 + [("bay", before)] * 2


def test_one_recipient_s_silence_is_not_another_s(store, receiver, clock) -> None:
    post(store, 1, "silent")
    post(store, 2, "silent")
    post(store, 3)
    found = [Recipient("silent", "http://127.0.0.1:9"), Recipient("harbor", receiver.url)]
    assert alerts.send(store.outbox, found, clock) == 1
    assert states(store) == ["waiting", "waiting", "delivered"]
    assert [one.fault for one in store.outbox.letters()] == ["ConnectError", "", ""]


def test_one_that_is_never_taken_keeps_no_other_waiting(store, receiver, clock) -> None:
    receiver.refused = {"m0"}
    harbor = Recipient("harbor", receiver.url)
    for number in range(4):
        post(store, number)
    assert alerts.send(store.outbox, [harbor], clock) == 0 and len(receiver.got) == 1
    clock.now += timedelta(seconds=5)
    assert alerts.send(store.outbox, [harbor], clock) == 3
    assert states(store) == ["waiting", *["delivered"] * 3]


def test_an_answer_in_drips_is_none(store, clock, monkeypatch) -> None:
    monkeypatch.setattr(alerts, "ATTEMPT", 0.5)
    post(store, 1)
    post(store, 2)
    with dripping() as url:
        started = time.monotonic()
        assert alerts.send(store.outbox, [Recipient("harbor", url)], clock) == 0
    assert time.monotonic() - started < 3
    found = [(one.state, one.fault, one.attempts) for one in store.outbox.letters()]
    assert found == [("waiting", "TimeoutError", 1), ("waiting", "", 0)]


def test_the_worker_lets_nobody_wait_for_another(store, receiver, clock, monkeypatch) -> None:
    monkeypatch.setattr(alerts, "ATTEMPT", 2.0)
    for number in range(30):
        post(store, number, "drips")
    post(store, 30)
    with dripping() as url:
        found = [Recipient("drips", url), Recipient("harbor", receiver.url)]
        with alerts.sending(store.outbox, found, clock, every=0.01):
            assert soon(lambda: len(receiver.got) == 1)
            post(store, 31)
            assert soon(lambda: len(receiver.got) == 2)
            assert soon(lambda: attempts(store, "drips") == [1, *[0] * 29])


def attempts(store, recipient: str) -> list[int]:
    return [one.attempts for one in store.outbox.letters() if one.recipient == recipient]


def soon(done: Callable[[], bool], seconds: float = 4) -> bool:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return done()


def test_messages_of_a_stay_arrive_in_order(store, receiver, clock) -> None:
    for number in range(5):
        post(store, number, stay="s1")
    receiver.statuses = [200, 503]
    harbor = Recipient("harbor", receiver.url)
    alerts.send(store.outbox, [harbor], clock)
    assert states(store) == ["delivered", "waiting", "waiting", "waiting", "waiting"]
    clock.now += timedelta(minutes=1)
    assert alerts.send(store.outbox, [harbor], clock) == 4
    assert [request.id for request in receiver.got] == ["m0", "m1", "m1", "m2", "m3", "m4"]


@pytest.mark.parametrize("token", ["", "ECM_NO", "ECM_ODD"])
def test_no_recipient_or_no_token_stops(store, clock, token, monkeypatch) -> None:
    monkeypatch.setenv("ECM_ODD", "t\u00f6ken\n")
    known = [Recipient("harbor", "http://127.0.0.1:9", token=token)] if token else []
    post(store, 1)
    alerts.send(store.outbox, known, clock)
    (letter,) = store.outbox.letters("stopped")
    assert letter.attempts == 0 and "token" in letter.fault


def test_certificates_are_checked(store, clock, tmp_path) -> None:
    wrong = Recipient("harbor", "https://127.0.0.1:9", authority=str(tmp_path / "none.pem"))
    with pytest.raises(SettingError, match="authority"):
        alerts.connect(wrong)
    post_to = alerts.connect(Recipient("harbor", "https://127.0.0.1:9"))
    context = post_to.client._transport._pool._ssl_context
    assert context.check_hostname and context.verify_mode.name == "CERT_REQUIRED"
    assert post_to.client.follow_redirects is False
    post_to.close()


def test_by_https_only_to_whom_we_trust(store, clock, tmp_path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    with receiving(ours.issue("localhost")) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        post(store, 1)
        for wrong in ("", str(others.certificate)):
            alerts.send(store.outbox, [Recipient("harbor", url, authority=wrong)], clock)
            assert (states(store), server.got) == (["waiting"], [])
            clock.now += timedelta(hours=1)
        other_name = url.replace("localhost", "127.0.0.1")
        trusted = Recipient("harbor", other_name, authority=str(ours.certificate))
        alerts.send(store.outbox, [trusted], clock)
        assert states(store) == ["waiting"]
        clock.now += timedelta(hours=1)
        trusted = trusted._replace(url=url)
        assert alerts.send(store.outbox, [trusted], clock) == 1 and len(server.got) == 1


# --- the command


def test_the_command_lists_sends_and_retries(receiver, tmp_path, monkeypatch, capsys) -> None:
    file, database = tmp_path / "alerts.toml", f"sqlite:///{tmp_path / 'store.sqlite'}"
    file.write_text(f'[[recipient]]\nname = "harbor"\nurl = "{receiver.url}"\n')
    monkeypatch.setenv("ECM_ALERTS", str(file))
    store = stores.open(database, resolve)
    post(store, 1)
    post(store, 2)

    def alerts_(*options: str) -> tuple[int, str]:
        code = main(["--database", database, "alerts", *options])
        return code, capsys.readouterr().out

    code, text = alerts_()
    assert (code, text.splitlines()[0]) == (0, "harbor: 2 waiting")
    receiver.statuses = [404]
    code, text = alerts_("send")
    assert code == 1 and "0 made, 0 delivered" in text
    assert "harbor: 1 stopped" in text and "tried 1 times, 404" in text and "Encounter/s1" in text
    assert alerts_("retry", "--recipient", "bay") == (0, "0 to go again\n")
    assert alerts_("retry", "--to", "nobody")[0] == 2
    assert alerts_("retry") == (0, "1 to go again\n")
    assert alerts_("send") == (0, "0 made, 2 delivered\nharbor: 2 delivered\n")
    store.close()


def test_a_message_that_goes_to_another_says_so(receiver, tmp_path, monkeypatch) -> None:
    file, database = tmp_path / "alerts.toml", f"sqlite:///{tmp_path / 'store.sqlite'}"
    file.write_text(f'[[recipient]]\nname = "bay"\nurl = "{receiver.url}"\n')
    monkeypatch.setenv("ECM_ALERTS", str(file))
    store = stores.open(database, resolve)
    header = {"resourceType": "MessageHeader", "destination": [{"name": "harbor"}]}
    body = json.dumps({"resourceType": "Bundle", "id": "m1", "entry": [{"resource": header}]})
    store.outbox.post(letter(1)._replace(state="stopped", body=body))
    store.close()
    assert main(["--database", database, "alerts", "retry", "--to", "bay"]) == 0
    assert main(["--database", database, "alerts", "send"]) == 0
    (request,) = receiver.got
    (entry,) = json.loads(request.body)["entry"]
    assert entry["resource"]["destination"] == [{"name": "bay", "endpoint": receiver.url}]


def test_what_had_no_recipient_goes_to_none_of_another_plan(
    receiver, tmp_path, monkeypatch, capsys
) -> None:
    file, database = tmp_path / "alerts.toml", f"sqlite:///{tmp_path / 'store.sqlite'}"
    file.write_text(f'[[recipient]]\nname = "bay"\nurl = "{receiver.url}"\nplan = "sunset"\n')
    monkeypatch.setenv("ECM_ALERTS", str(file))
    store = stores.open(database, resolve)
    for number, plan in enumerate(("sunset", "sunrise")):
        cin = f"9000007{number}A"
        store.put(patient(cin, id=f"p{number}", identifier=[{"system": CIN, "value": cin}]), NOW)
        store.put(roster(cin, plan=plan), NOW)
        one = letter(number, recipient="")._replace(event=f"admit@p{number}", state="unaddressed")
        store.outbox.post(one)
    store.close()
    assert main(["--database", database, "alerts", "retry", "--to", "bay"]) == 0
    assert capsys.readouterr().out == "1 to go again\n1 left: not of the plan and provider of bay\n"
    assert main(["--database", database, "alerts", "send"]) == 1
    assert [json.loads(one.body)["id"] for one in receiver.got] == ["m0"]


def test_nothing_of_a_member_is_logged(store, receiver, clock, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    secret = '{"resourceType":"Bundle","id":"m1","name":"Quillfeather"}'
    now = notices.stamp(T0)
    store.outbox.post(
        Letter("m1", "stay-of-a-member", "admit", now, 0, "new", "harbor", "waiting", due=now,
               made=now, body=secret)
    )  # fmt: skip
    receiver.statuses = [500]
    alerts.send(store.outbox, [Recipient("harbor", receiver.url)], clock)
    assert "alert to harbor: waiting 500" in caplog.text
    assert "Quillfeather" not in caplog.text and "stay-of-a-member" not in caplog.text
    assert all(request.path == "/fhir/$process-message" for request in receiver.got)


# --- where to


@pytest.mark.parametrize(
    ("row", "about"),
    [
        ('name = "a"', "recipient 1"),
        ('name = "a"\nurl = "http://care.example"', "https"),
        ('name = "a"\nurl = "ftp://care.example"', "https"),
        ('name = "a"\nurl = "https://u:p@care.example"', "base"),
        ('name = "a"\nurl = "https://care.example?x=1"', "base"),
        ('name = "a"\nurl = "https://care.example"\nnpi = "1"', "expected"),
        ('name = "a"\nurl = 7', "expected"),
        ('name = "a"\nurl = "https://x.example"\n[[recipient]]\nname = "a"\nurl = "https://x.example"',
         "one name"),
    ],
)  # fmt: skip
def test_a_recipient_that_is_not_understood(tmp_path, row, about) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(f"[[recipient]]\n{row}\n")
    with pytest.raises(SettingError, match=about):
        settings.recipients(str(file))


def test_recipients_are_read(tmp_path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(
        '[[recipient]]\nname = "a"\nurl = "https://care.example/fhir/"\nplan = "sunrise"\n'
    )
    assert settings.recipients(str(file)) == (
        Recipient("a", "https://care.example/fhir", plan="sunrise"),
    )
    assert settings.recipients() == ()


# --- the worker


def test_the_worker_outlives_failures(caplog) -> None:
    done = []

    def work() -> None:
        done.append(1)
        if len(done) == 1:
            raise StoreError("the database is locked")
        if len(done) == 2:
            raise KeyError("a value of a member")

    with alerts.running(work, every=0.01):
        deadline = time.monotonic() + 10
        while len(done) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(done) >= 4
    assert "database is locked" in caplog.text and "KeyError" in caplog.text
    assert "a value of a member" not in caplog.text


def test_a_notice_is_there_within_seconds(store, receiver, tmp_path, monkeypatch) -> None:
    from adapter import alert_commands
    from adapter.pipeline import Pipeline

    file = tmp_path / "alerts.toml"
    file.write_text(f'[[recipient]]\nname = "harbor"\nurl = "{receiver.url}"\n')
    house = Pipeline(store, lambda: T0)
    for one in (patient(), roster("90000077A")):
        store.put(one, notices.stamp(T0))
    with alert_commands.working(house, settings.Settings(alerts=str(file))):
        store.put(stay(), notices.stamp(T0))
        started = time.monotonic()
        while not receiver.got and time.monotonic() - started < 10:
            time.sleep(0.02)
        spent = time.monotonic() - started
    assert len(receiver.got) == 1 and spent < 5


@pytest.mark.parametrize("plan", ["sunset", "moonrise", ""])
def test_what_waited_is_not_told_to_a_former_team(
    store, receiver, clock, tmp_path, monkeypatch, plan
) -> None:
    """The first team cannot be reached; meanwhile the member is another's, or nobody's."""
    from adapter import alert_commands
    from adapter.pipeline import Pipeline

    file = tmp_path / "alerts.toml"
    rows = (f'[[recipient]]\nname = "{one}"\nurl = "{receiver.url}"\nplan = "{one}"\n'
            for one in ("sunrise", "sunset"))  # fmt: skip
    file.write_text("\n".join(rows))
    monkeypatch.setenv("ECM_ALERTS", str(file))
    house = Pipeline(store, clock)

    def send() -> None:
        alert_commands.alerts(house, Namespace(action="send"), lambda text: None)

    for one in (patient(), roster("90000077A"), stay()):
        store.put(one, NOW)
    receiver.statuses = [503]
    send()
    assert [(one.state, one.attempts) for one in store.outbox.letters()] == [("waiting", 1)]
    store.put(roster(), NOW)
    if plan:
        store.put(roster("90000077A", plan=plan), NOW)
    clock.now += timedelta(hours=1)
    for _ in range(3):
        send()
    last = {"sunset": [("sunset", "delivered")], "moonrise": [("", "unaddressed")], "": []}[plan]
    found = [(one.recipient, one.state) for one in store.outbox.letters()]
    assert found == [("sunrise", "withdrawn"), *last]
    assert len(receiver.got) == 1 + (plan == "sunset")


def test_a_watched_folder_tells_too(receiver, tmp_path, monkeypatch) -> None:
    database, folder = f"sqlite:///{tmp_path / 'store.sqlite'}", tmp_path / "in"
    (tmp_path / "alerts.toml").write_text(f'[[recipient]]\nname = "h"\nurl = "{receiver.url}"\n')
    monkeypatch.setenv("ECM_ALERTS", str(tmp_path / "alerts.toml"))
    store = stores.open(database, resolve)
    for one in (patient("90000077A"), roster("90000077A")):
        store.put(one, NOW)
    store.close()
    folder.mkdir()
    admitted = datetime.now(UTC).strftime("%Y%m%d%H%M%S").encode() + b"+0000"
    (folder / "a.hl7").write_bytes(message(77).replace(b"20260705083000-0700", admitted))
    command = [sys.executable, "-m", "adapter", "--database", database, "watch", "adt", str(folder)]
    done = subprocess.Popen([*command, "--every", "0.1", "--settle", "0"], cwd=ROOT)
    try:
        assert soon(lambda: bool(receiver.got), 60)
    finally:
        done.terminate()
        done.wait()


# --- killed


def run(url: str, receiver: Receiver) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.transport.sender", url, receiver.url]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_killed_at_any_time_it_loses_and_doubles_nothing(receiver, tmp_path, monkeypatch) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    chance, killed = random.Random(3), 0
    for _ in range(KILLS):
        with run(url, receiver) as process:
            try:
                process.wait(0.8 + chance.uniform(0.0, 0.9))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
    assert killed > 0
    store = stores.open(url, resolve)
    later = datetime.now(UTC) + timedelta(minutes=5)  # when the leases of the killed have ended
    with run(url, receiver) as process:
        assert process.stdout.read() == "done\n"
    alerts.send(store.outbox, [Recipient("harbor", receiver.url)], lambda: later)
    letters = store.outbox.letters()
    assert len({one.encounter for one in letters}) == len(letters) == STAYS
    assert {one.state for one in letters} == {"delivered"}
    assert store.search("Task", [], 0).total == STAYS
    arrived = Counter((request.id, request.body) for request in receiver.got)
    assert {uid for uid, _ in arrived} == {one.id for one in letters}
    assert len(arrived) == STAYS  # what came twice came as the same bytes under the same id
    assert sum(arrived.values()) - STAYS <= killed  # the one under way when it was killed
    store.close()
