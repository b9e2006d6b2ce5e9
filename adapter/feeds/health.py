"""How each feed is: its last message, its rate, its share of errors, and whether it fell silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.mapping import feeds as profiles
from adapter.outcome import FEED
from adapter.store.protocol import Activity, Store

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Health:
    """One feed over the last day.

    `last`     when its last message came in, None if never
    `units`    messages of the last day by status: stored, review, refused
    `silent`   True when it has been quiet for longer than its profile allows
    """

    name: str
    last: datetime | None
    units: dict[str, int]
    silence: timedelta
    silent: bool

    @property
    def messages(self) -> int:
        """Messages of the last day."""
        return sum(self.units.values())

    @property
    def rate(self) -> float:
        """Messages an hour, over the last day."""
        return self.messages / 24

    @property
    def errors(self) -> float:
        """The share of messages of the last day that were refused, 0 to 1."""
        return self.units.get("refused", 0) / self.messages if self.messages else 0.0


def feeds(store: Store, now: datetime) -> list[Health]:
    """Every feed that ever sent, and every one whose profile says how long it may be silent."""
    found = {
        one.source.removeprefix(FEED): one
        for one in store.activity((now - DAY).isoformat())
        if one.source.startswith(FEED)
    }
    known = {name for name in profiles.names() if profiles.feed(name).silence}
    return [_health(name, found.get(name), now) for name in sorted(known | found.keys())]


def _health(name: str, activity: Activity | None, now: datetime) -> Health:
    allowed = profiles.feed(name).silence if name in profiles.names() else 0
    last = datetime.fromisoformat(activity.last) if activity else None
    silence = timedelta(seconds=allowed)
    silent = bool(allowed) and (last is None or now - last > silence)
    return Health(name, last, activity.units if activity else {}, silence, silent)
