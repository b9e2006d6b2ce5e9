"""When a member's list reached us, by what the plan's files changed: backlogs are loaded late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from adapter.program.days import day_of
from adapter.program.snapshots import MOST, history
from adapter.record import Resource
from adapter.store.protocol import Store

_MIDNIGHT = "T00:00:00+00:00"  # of a date in a file's name, which is no instant


@dataclass(frozen=True, slots=True)
class Receipts:
    """The day of the file that put a member on the list, by `system|value`.

    `first`  that of the first file, which names nobody: all who are on no later one came with it
    """

    added: Mapping[str, date] = field(default_factory=dict)
    first: date | None = None

    def of(self, patient: Resource) -> date | None:
        """The day when the file came that named the member; None when no file tells."""
        names = (f"{i.get('system', '')}|{i.get('value', '')}" for i in patient["identifier"])
        days = [self.added[name] for name in names if name in self.added]
        return max(days) if days else self.first


def receipts(store: Store, plan: str) -> Receipts:
    """What the Lists of changes of a plan tell: one pass, whatever the number of members."""
    lists = history(store, plan)
    added: dict[str, date] = {}
    for one in lists:
        day = _day(str(one.get("date", "")))
        if day is not None:
            added |= dict.fromkeys(_added(one), day)
    whole = all(len(one.get("entry", ())) < MOST for one in lists)
    first = min(lists, key=_loaded) if lists and whole else None
    return Receipts(added, _day(str(first.get("date", ""))) if first else None)


def _loaded(changes: Resource) -> str:
    return str(changes.get("meta", {}).get("lastUpdated", ""))


def _added(changes: Resource) -> Iterator[str]:
    for entry in changes.get("entry", ()):
        if entry["flag"]["coding"][0]["code"] == "added":
            who = entry["item"]["identifier"]
            yield f"{who.get('system', '')}|{who['value']}"


def _day(text: str) -> date | None:
    if text.endswith(_MIDNIGHT):
        return date.fromisoformat(text[:10])
    return day_of(text)
