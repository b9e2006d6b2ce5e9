"""One stay that is looked at: whose it is, when, and what was told of it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapter.program import rosters
from adapter.program.rosters import Member, Rosters
from adapter.program.stays import Event
from adapter.record import Resource
from adapter.settings import Recipient
from adapter.store.protocol import Letter, Store, Trace

Key = tuple[str, str, str]  # what tells events apart: whose, what, and a transfer's time


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom to tell and who we are (`name`, `npi`); remembers the plans' lists it has read."""

    sender: Mapping[str, str]
    recipients: Sequence[Recipient] = ()
    lists: Rosters = field(default_factory=Rosters)


@dataclass(frozen=True, slots=True)
class Case:
    """A stay as it is now; `told`: the messages about each event of it, of whoever had it."""

    store: Store
    now: datetime
    desk: Desk
    encounter: Resource
    told: dict[Key, list[Letter]] = field(default_factory=dict)
    members: dict[str, Member | None] = field(default_factory=dict)  # looked up once
    people: dict[str, str] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)

    @property
    def stamp(self) -> str:
        """Now, as the outbox keeps it."""
        return stamp(self.now)

    @property
    def uid(self) -> str:
        """The id of the stay."""
        return str(self.encounter["id"])

    @property
    def subject(self) -> str:
        """The reference to whom the stay is of, `""` for nobody."""
        return str(self.encounter.get("subject", {}).get("reference", ""))

    @property
    def person(self) -> str:
        """The id of whom the stay is of."""
        return self.who(self.subject)

    def who(self, reference: str) -> str:
        """The id of the Patient of a reference, or of who replaced him in a merge."""
        if reference not in self.people:
            found = rosters.person(self.store, reference)
            self.people[reference] = str(found["id"]) if found else reference.partition("/")[2]
        return self.people[reference]

    def member(self) -> Member | None:
        """Whom the stay is of, if in our care."""
        if self.subject not in self.members:
            found = rosters.member(self.store, self.desk.lists, self.subject)
            self.members[self.subject] = found
        return self.members[self.subject]

    def status(self) -> list[Trace]:
        """Which fields of which message made the status what it is."""
        if not self.traces:
            self.traces.extend(self.store.trace("Encounter", self.uid))
        return [row for row in self.traces if row.element == "status"]

    def key(self, event: Event) -> Key:
        """The key of an event of this stay as it is."""
        return key(self.person, short(event), event.at)

    def key_of(self, letter: Letter) -> Key:
        """The key of what a message told; who is not stored any more became whom it is of now."""
        name, _, uid = letter.event.partition("@")
        known = rosters.person(self.store, f"Patient/{uid}") if uid else None
        return key(str(known["id"]) if known else self.person, name, letter.at)

    def name(self, event: Event) -> str:
        """An event as the outbox keeps it: what happened, to whom (`admit@<id of the Patient>`)."""
        return f"{short(event)}@{self.person}"


def key(person: str, name: str, at: str) -> Key:
    """A stay has one admission and one discharge, whenever they were; transfers by their time."""
    return person, name, at if name == "transfer" else ""


def short(event: Event) -> str:
    """What happened; a transfer at an unknown time is told by where it led."""
    return f"transfer:{event.slot}" if event.what == "transfer" and not event.at else event.what


def stamp(moment: datetime) -> str:
    """An instant as the outbox keeps it: UTC with milliseconds, of one width."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
