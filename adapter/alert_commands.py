"""The commands about care teams' alerts and members' utilization, and the worker that serves."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from typing import IO

from adapter import data, settings
from adapter.errors import SettingError
from adapter.pipeline import Pipeline
from adapter.program import alert, frequent, notices, rosters
from adapter.program.utilization import rules
from adapter.spreadsheet import safe
from adapter.store.protocol import Letter, LetterState, Store
from adapter.transport import alerts as delivery

Say = Callable[..., None]
_SHOWN: tuple[LetterState, ...] = ("waiting", "stopped", "failed", "unaddressed")


def desk(given: settings.Settings) -> notices.Desk:
    """Whom to tell, and who we are. Raises SettingError, DataFileError."""
    us = data.toml(data.path("mappings", "outbound", "provider.toml"))["provider"]
    return notices.Desk(us, settings.recipients(given.alerts))


def working(house: Pipeline, given: settings.Settings) -> AbstractContextManager[None]:
    """Derives and delivers every second while the block lasts. Raises SettingError."""
    return _working(house, desk(given))


@contextmanager
def _working(house: Pipeline, who: notices.Desk) -> Iterator[None]:
    """Whoever is slow to take his messages keeps no Task and no other's message waiting."""
    outbox = house.store.outbox
    with (
        delivery.running(lambda: notices.derive(house.store, house.clock(), who)),
        delivery.sending(outbox, who.recipients, house.clock, still=_cared_for(house.store, who)),
    ):
        yield


def alerts(house: Pipeline, options: Namespace, say: Say) -> int:
    """List what was not delivered, send what is due, or let stopped and failed ones go again.

    1 when anything needs a person: stopped, failed, or without a recipient.
    """
    who = desk(settings.read())
    if options.action == "retry":
        return _retry(house, who, options, say)
    if options.action == "send":
        made = notices.derive(house.store, house.clock(), who)
        still = _cared_for(house.store, who)
        sent = delivery.send(house.store.outbox, who.recipients, house.clock, still)
        say(f"{made} made, {sent} delivered")
    return _listed(house, say)


def _retry(house: Pipeline, who: notices.Desk, options: Namespace, say: Say) -> int:
    """Let stopped and failed messages go again; to another only what is of his members."""
    named = {one.name: one for one in who.recipients}
    if options.to and options.to not in named:
        raise SettingError("alerts: no recipient has the name given by --to")

    def address(name: str, body: str) -> str:
        return alert.addressed(body, name, named[name].url) if name in named else body

    left = _of_others(house.store, who, named[options.to]) if options.to else []
    now = notices.stamp(house.clock())
    count = house.store.outbox.retry(now, options.recipient, options.to, address, left)
    say(f"{count} to go again")
    if left:
        say(f"{len(left)} left: not of the plan and provider of {options.to}")
    return 0


def _of_others(store: Store, who: notices.Desk, to: settings.Recipient) -> list[str]:
    """The messages for somebody else about people whom a recipient is not there for."""
    if not (to.plan or to.provider):
        return []
    letters = store.outbox.letters("stopped", "failed", "unaddressed")
    return [one.id for one in letters if one.recipient != to.name and not _of(store, who, one, to)]


def _of(store: Store, who: notices.Desk, letter: Letter, to: settings.Recipient) -> bool:
    found = rosters.member(store, who.lists, f"Patient/{letter.event.partition('@')[2]}")
    return found is not None and rosters.recipient(found, [to]) is not None


def _cared_for(store: Store, who: notices.Desk) -> delivery.Still:
    """Whether a message is about somebody whom its recipient cares for.

    What takes one back goes to whom it was told, whoever cares for the member by now.
    """
    named = {one.name: one for one in who.recipients}

    def still(letter: Letter) -> bool:
        to = named.get(letter.recipient)
        told_before = letter.sense == "withdrawal" or "@" not in letter.event
        return told_before or to is None or _of(store, who, letter, to)

    return still


def _listed(house: Pipeline, say: Say) -> int:
    """Counts, then each message that is not delivered; nothing of a member but the stay's id."""
    counts = house.store.outbox.counts()
    for (name, state), number in sorted(counts.items()):
        say(f"{name or '(no recipient)'}: {number} {state}")
    for letter in house.store.outbox.letters(*_SHOWN):
        say("  " + _line(letter))
    return int(any(state in _SHOWN[1:] for _, state in counts))


def _line(letter: Letter) -> str:
    tried = f"tried {letter.attempts} times, {letter.fault}" if letter.attempts else "not tried"
    what = letter.event.partition("@")[0].partition(":")[0]
    next_try = f", next {letter.due}" if letter.state == "waiting" else ""
    stay = f"Encounter/{letter.encounter}"
    return f"{letter.state} {letter.sense} {what} {stay}, made {letter.made}: {tried}{next_try}"


def utilization(house: Pipeline, options: Namespace, say: Say) -> int:
    """Write who is at a threshold on a day as CSV, and keep their Flags."""
    on = _day(options.on) or house.clock().astimezone(rules().zone).date()
    found = list(frequent.members(house.store, options.plan, on))
    with ExitStack() as stack:
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            stream = options.out.open("w", newline="", encoding="utf-8")
            _write(stack.enter_context(stream), found, on)
    if options.flags:
        changed = frequent.flag(house.store, found, on, notices.stamp(house.clock()))
        say(f"{changed} flags changed")
    reached = [one for one in found if one.usage.reached]
    for name in ("emergency", "stays"):
        say(f"{sum(name in one.usage.reached for one in reached)} by {name}")
    say(f"{len(reached)} of {len(found)} members with stays are at a threshold on {on}")
    return 0


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingError("--on: a day is written like 2026-01-31") from None


def _write(stream: IO[str], found: list[frequent.Count], on: date) -> None:
    rows = csv.writer(stream)
    rows.writerow(frequent.COLUMNS)
    rows.writerows(map(safe, frequent.row(one, on)) for one in found)
