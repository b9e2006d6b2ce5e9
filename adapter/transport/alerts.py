"""Delivers the outbox to care teams' systems by HTTPS, tried again until it is taken."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from adapter import data
from adapter.errors import AdapterError, SettingError
from adapter.settings import Recipient
from adapter.store.protocol import Letter, Outbox
from adapter.transport.refusals import Refusal, refusal

TAKEN = frozenset({200, 202, 204})  # Da Vinci Alerts: success is one of these
PASSING = frozenset({408, 425, 429})  # besides 5xx: the same may be taken later
LEASE = timedelta(minutes=2)  # how long a claimed message is nobody else's
ATTEMPT = 15.0  # seconds for a message and its whole answer, however slowly it comes
TIMEOUT = httpx.Timeout(5.0, connect=3.0)  # for each part of it
MOST = 65536  # bytes of an answer that are read
log = logging.getLogger("adapter.transport")

Clock = Callable[[], datetime]
Still = Callable[[Letter], bool]  # whether a message is still for whom it was written


def _always(_letter: Letter) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is tried again (mappings/program/notices.toml, table `delivery`)."""

    first: float
    factor: float
    longest: float
    give_up: timedelta

    @property
    def most(self) -> timedelta:
        """No wait is longer."""
        return timedelta(seconds=self.longest)

    def wait(self, attempts: int) -> timedelta:
        """How long to wait after so many attempts."""
        steps = min(attempts - 1, 30)
        return timedelta(seconds=min(self.first * self.factor**steps, self.longest))


def patience() -> Patience:
    """The shipped table. Raises DataFileError when the file is wrong."""
    row: dict[str, Any] = data.toml(data.path("mappings", "program", "notices.toml"))["delivery"]
    give_up = timedelta(days=row["give_up_days"])
    return Patience(row["first_seconds"], row["factor"], row["longest_seconds"], give_up)


class Answer(NamedTuple):
    """What came of an attempt.

    `error`   why there was no answer, else `""`; `status`: that of HTTP
    `asked`   how long to wait (Retry-After: seconds or a date), as it stands there
    `said`    what the body says against the status
    """

    error: str = ""
    status: int = 0
    asked: str = ""
    said: Refusal = ""


@dataclass(frozen=True, slots=True)
class Post:
    """An open connection to one recipient."""

    recipient: Recipient
    client: httpx.AsyncClient
    loop: asyncio.Runner

    def send(self, letter: Letter) -> Answer:
        """POST a message. Neither URL nor log holds anything of it."""
        try:
            return self.loop.run(self._send(letter))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Answer(type(error).__name__)

    def close(self) -> None:
        """Hang up."""
        self.loop.run(self.client.aclose())
        self.loop.close()

    async def _send(self, letter: Letter) -> Answer:
        url = f"{self.recipient.url}/$process-message"
        request = self.client.stream("POST", url, content=letter.body.encode())
        async with asyncio.timeout(ATTEMPT), request as answer:
            asked = answer.headers.get("retry-after", "")
            return Answer("", answer.status_code, asked, refusal(await _body(answer)))


async def _body(answer: httpx.Response) -> bytes:
    """What was answered; nothing of what is too long to be an answer."""
    found = b""
    raw: Any = answer.aiter_raw()  # a generator, though httpx does not say so
    async with aclosing(raw) as chunks:
        async for chunk in chunks:
            found += chunk
            if len(found) > MOST:
                return b""
    return found


def connect(recipient: Recipient, environment: Mapping[str, str] | None = None) -> Post:
    """A connection that checks certificates and follows no redirect.

    Raises SettingError when the token's variable holds none or the authority cannot be read.
    """
    given = os.environ if environment is None else environment
    token = given.get(recipient.token, "") if recipient.token else ""
    if recipient.token and not (token.isascii() and token.isprintable() and token):
        raise SettingError(f"{recipient.token}: holds no token, alerts to {recipient.name} need it")
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    headers |= {"Accept-Encoding": "identity"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    client = httpx.AsyncClient(
        headers=headers, timeout=TIMEOUT, verify=_trust(recipient), follow_redirects=False
    )
    return Post(recipient, client, asyncio.Runner())


def send(
    outbox: Outbox, recipients: Sequence[Recipient], clock: Clock, still: Still = _always
) -> int:
    """Try every message that is due and `still` for its recipient; how many were delivered.

    Each recipient has a thread of its own: the silence of one keeps no other's messages waiting.
    """
    named = {one.name: one for one in recipients}
    names, going = outbox.due(_stamp(clock())), threading.Event()
    if not names:
        return 0
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        jobs = [
            pool.submit(_send_all, Round(outbox, name, named.get(name), clock, going, still))
            for name in names
        ]
        return sum(job.result() for job in jobs)


@contextmanager
def sending(
    outbox: Outbox,
    recipients: Sequence[Recipient],
    clock: Clock,
    every: float = 1.0,
    still: Still = _always,
) -> Iterator[None]:
    """Do as `send` again and again until the block ends, each recipient by itself."""
    named = {one.name: one for one in recipients}
    busy: dict[str, threading.Thread] = {}
    stop = threading.Event()

    def begin(one: Round) -> None:
        if one.name not in busy or not busy[one.name].is_alive():
            job = threading.Thread(target=_guarded, args=(lambda: _send_all(one),), daemon=True)
            busy[one.name] = job
            job.start()

    def look() -> None:
        for name in outbox.due(_stamp(clock())):
            begin(Round(outbox, name, named.get(name), clock, stop, still))

    try:
        with running(look, every):
            yield
    finally:
        stop.set()
        for job in busy.values():
            job.join(ATTEMPT)


class Round(NamedTuple):
    """What is due for one recipient, and when to leave off."""

    outbox: Outbox
    name: str
    recipient: Recipient | None
    clock: Clock
    stop: threading.Event
    still: Still

    def claim(self) -> Letter | None:
        """The next message, one at a time: none waits for another with its lease running out.

        What is for somebody else by now is taken back, and its stay looked at again.
        """
        while not self.stop.is_set():
            now = self.clock()
            found = self.outbox.claim(_stamp(now), _stamp(now + LEASE), 1, self.name)
            if not found or self.still(found[0]):
                return found[0] if found else None
            self.outbox.give_back(found[0], "no member of theirs any more")
        return None


def _send_all(one: Round) -> int:
    try:
        post = connect(one.recipient) if one.recipient else None
    except SettingError as error:
        log.error("%s", error)
        post = None
    if post is not None:
        with closing(post):
            return sum(_in_turn(one, post))
    letter = one.claim()
    if letter is not None:  # and with it all others to this recipient
        fault, tried = "no such recipient, or no token", letter.attempts - 1
        one.outbox.settle(letter._replace(state="stopped", fault=fault, attempts=tried))
    return 0


def _in_turn(one: Round, post: Post) -> Iterator[bool]:
    """Each message after the other; once one is not taken for now, the rest wait like it."""
    while (letter := one.claim()) is not None:
        after = settled(letter, post.send(letter), one.clock())
        one.outbox.settle(after)
        log.info("alert to %s: %s %s", one.name, after.state, after.fault)
        yield after.state == "delivered"
        if after.state == "waiting":
            one.outbox.postpone(one.name, after.due)
        if after.state in ("waiting", "stopped"):
            return


def settled(letter: Letter, answer: Answer, now: datetime) -> Letter:
    """What becomes of a message after an answer (status), or none (the error's name).

    Taken: 200, 202, 204, unless the body says no (FHIR R4 messaging, response.code). 401, 403, 404
    and redirects: somebody must mend the endpoint. Other 4xx, and fatal-error: this message is
    refused for good. All else is tried again, later each time, then given up.
    """
    status = answer.status
    fault = answer.error or f"{status} {answer.said}".rstrip()
    if status in TAKEN and not answer.said:
        return letter._replace(state="delivered", told=_stamp(now), fault="")
    if status in TAKEN and answer.said == "fatal-error":
        return letter._replace(state="failed", fault=fault)
    if status in (401, 403, 404, 405) or 300 <= status < 400:
        return letter._replace(state="stopped", fault=fault)
    if 400 <= status < 500 and status not in PASSING:
        return letter._replace(state="failed", fault=fault)
    how = patience()
    if now - datetime.fromisoformat(letter.made) > how.give_up:
        return letter._replace(state="failed", fault=fault)
    wait = max(how.wait(letter.attempts), min(_asked(answer.asked, now), how.most))
    return letter._replace(state="waiting", due=_stamp(now + wait), fault=fault)


def _asked(text: str, now: datetime) -> timedelta:
    """How long a recipient asks to be left alone: seconds, or until a date (RFC 9110 10.2.3)."""
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=int(text[:6]))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta()
    return (until if until.tzinfo else until.replace(tzinfo=UTC)) - now


@contextmanager
def running(work: Callable[[], object], every: float = 1.0) -> Iterator[None]:
    """Do some work again and again in a thread of its own, until the block ends.

    A failure of ours (the database is locked, a setting is missing) is logged and tried again.
    """
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(every):
            _guarded(work)

    thread = threading.Thread(target=loop, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT.read or 0)


def _guarded(work: Callable[[], object]) -> None:
    try:
        work()
    except AdapterError as error:
        log.error("alerts: %s", error)
    except Exception as error:  # boundary of the thread: it must outlive any one stay
        log.error("alerts: %s", type(error).__name__)


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
