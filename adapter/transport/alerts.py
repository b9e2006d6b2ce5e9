"""Delivers the outbox to care teams' systems by HTTPS, tried again until it is taken."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from adapter import data
from adapter.errors import AdapterError, SettingError
from adapter.settings import Recipient
from adapter.store.protocol import Letter, Outbox

TAKEN = frozenset({200, 202, 204})  # Da Vinci Alerts: success is one of these
PASSING = frozenset({408, 425, 429})  # besides 5xx: the same may be taken later
LEASE = timedelta(minutes=2)  # how long a claimed message is nobody else's
SOME = 20  # messages claimed at once: all must be tried before the lease ends
TIMEOUT = httpx.Timeout(5.0, connect=3.0)
log = logging.getLogger("adapter.transport")

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is tried again (mappings/program/notices.toml, table `delivery`)."""

    first: float
    factor: float
    longest: float
    give_up: timedelta

    def wait(self, attempts: int) -> timedelta:
        """How long to wait after so many attempts."""
        steps = min(attempts - 1, 30)
        return timedelta(seconds=min(self.first * self.factor**steps, self.longest))


def patience() -> Patience:
    """The shipped table. Raises DataFileError when the file is wrong."""
    row: dict[str, Any] = data.toml(data.path("mappings", "program", "notices.toml"))["delivery"]
    give_up = timedelta(days=row["give_up_days"])
    return Patience(row["first_seconds"], row["factor"], row["longest_seconds"], give_up)


@dataclass(frozen=True, slots=True)
class Post:
    """An open connection to one recipient."""

    recipient: Recipient
    client: httpx.Client

    def send(self, letter: Letter) -> tuple[str, int, float]:
        """POST a message: ("", status, seconds asked to wait), or why there was no answer.

        Neither URL nor log holds anything of the message.
        """
        url = f"{self.recipient.url}/$process-message"
        try:
            answer = self.client.post(url, content=letter.body.encode())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, 0, 0.0
        asked = answer.headers.get("retry-after", "")
        return "", answer.status_code, float(asked[:6]) if asked.isdecimal() else 0.0


def connect(recipient: Recipient, environment: Mapping[str, str] | None = None) -> Post:
    """A connection that checks certificates and follows no redirect.

    Raises SettingError when the token's variable is empty or the authority cannot be read.
    """
    given = os.environ if environment is None else environment
    token = given.get(recipient.token, "") if recipient.token else ""
    if recipient.token and not token:
        raise SettingError(f"{recipient.token}: is empty, alerts to {recipient.name} need it")
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    client = httpx.Client(
        headers=headers, timeout=TIMEOUT, verify=_trust(recipient), follow_redirects=False
    )
    return Post(recipient, client)


def send(outbox: Outbox, recipients: Sequence[Recipient], clock: Clock) -> int:
    """Try every message that is due; how many were delivered.

    One recipient's silence does not keep another's messages waiting; after a failure the rest of
    that recipient's messages wait with the failed one.
    """
    named = {one.name: one for one in recipients}
    delivered = 0
    while True:
        now = clock()
        claimed = outbox.claim(_stamp(now), _stamp(now + LEASE), SOME)
        if not claimed:
            return delivered
        groups: dict[str, list[Letter]] = {}
        for letter in claimed:
            groups.setdefault(letter.recipient, []).append(letter)
        with ThreadPoolExecutor(max_workers=len(groups)) as pool:
            jobs = [
                pool.submit(_send_all, outbox, (named.get(name), letters), clock)
                for name, letters in groups.items()
            ]
            delivered += sum(job.result() for job in jobs)


def _send_all(outbox: Outbox, job: tuple[Recipient | None, Sequence[Letter]], clock: Clock) -> int:
    recipient, letters = job
    try:
        post = connect(recipient) if recipient else None
    except SettingError as error:
        log.error("%s", error)
        post = None
    if post is None:
        for letter in letters:
            fault, tried = "no such recipient, or no token", letter.attempts - 1
            outbox.settle(letter._replace(state="stopped", fault=fault, attempts=tried))
        return 0
    with post.client:
        return sum(_in_turn(outbox, post, letters, clock))


def _in_turn(outbox: Outbox, post: Post, letters: Sequence[Letter], clock: Clock) -> Iterator[bool]:
    """Each message after the other; once one is not taken for now, the rest wait like it."""
    held: Letter | None = None
    for letter in letters:
        if held is not None:
            due = held.due if held.state == "waiting" else _stamp(clock())
            tried = letter.attempts - 1
            outbox.settle(letter._replace(state="waiting", due=due, attempts=tried))
            continue
        after = settled(letter, post.send(letter), clock())
        outbox.settle(after)
        log.info("alert to %s: %s %s", post.recipient.name, after.state, after.fault)
        held = after if after.state in ("waiting", "stopped") else None
        yield after.state == "delivered"


def settled(letter: Letter, answer: tuple[str, int, float], now: datetime) -> Letter:
    """What becomes of a message after an answer (status), or none (the error's name).

    Taken: 200, 202, 204. 401, 403, 404 and redirects: somebody must mend the endpoint. Other 4xx:
    this message is refused for good. All else is tried again, later each time, then given up.
    """
    error, status, asked = answer
    fault = error or str(status)
    if status in TAKEN:
        return letter._replace(state="delivered", told=_stamp(now), fault="")
    if status in (401, 403, 404, 405) or 300 <= status < 400:
        return letter._replace(state="stopped", fault=fault)
    if 400 <= status < 500 and status not in PASSING:
        return letter._replace(state="failed", fault=fault)
    how = patience()
    if now - datetime.fromisoformat(letter.made) > how.give_up:
        return letter._replace(state="failed", fault=fault)
    wait = max(how.wait(letter.attempts), timedelta(seconds=min(asked, how.longest)))
    return letter._replace(state="waiting", due=_stamp(now + wait), fault=fault)


@contextmanager
def running(work: Callable[[], object], every: float = 1.0) -> Iterator[None]:
    """Do some work again and again in a thread of its own, until the block ends.

    A failure of ours (the database is locked, a setting is missing) is logged and tried again.
    """
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(every):
            try:
                work()
            except AdapterError as error:
                log.error("alerts: %s", error)
            except Exception as error:  # boundary of the thread: it must outlive any one stay
                log.error("alerts: %s", type(error).__name__)

    thread = threading.Thread(target=loop, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT.read or 0)


def _trust(recipient: Recipient) -> ssl.SSLContext:
    """The usual authorities, or the one of the recipient."""
    if not recipient.authority:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=Path(recipient.authority))
    except (OSError, ssl.SSLError):
        raise SettingError(f"alerts: authority of {recipient.name} cannot be read") from None


def _stamp(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
