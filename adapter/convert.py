"""Messages, member files, service logs and forms to FHIR, without a store; one Outcome a unit."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapter import data, terms
from adapter.checked import checked
from adapter.constant import Constant
from adapter.issues import Issue
from adapter.mapping import feeds, order, tabular
from adapter.mapping import message as messages
from adapter.mapping import notification as notifications
from adapter.mapping.roster import Named, Roster, named
from adapter.mapping.run import Feed
from adapter.mapping.service_log import BoundLog, LogMapping
from adapter.outcome import BUNDLE, FEED, Outcome, Unit, bundle_entry
from adapter.record import Entry, Location, Message, Record, Resource
from adapter.sources import form_layout, forms, hl7v2, hl7v2_ack, hl7v2_pieces, layout
from adapter.sources import tabular as tables
from adapter.sources.cells import iso_date
from adapter.sources.header import Header, mended
from adapter.sources.hl7v2_ack import Head
from adapter.sources.rows import AGAIN, Seen
from adapter.sources.spans import Spans

Form = Mapping[str, Any]
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Door:
    """Where messages come in: the port of a feed's own, and which MSH-11 values may.

    `takes` None takes all: nothing is stored, so a test message does no harm.
    """

    port: int = 0
    takes: frozenset[str] | None = None


OPEN = Door()


def adt(
    raw: bytes | str, source: str = "message", feed: str = "default", door: Door = OPEN
) -> Iterator[Outcome]:
    """Every message of a file, frame or batch as an Outcome, in order; none is left out.

    `feed` names a profile of mappings/hl7v2/feeds; `""` chooses it by each message's sender.
    Raises DataFileError when there is none.
    """
    given = feeds.feed(feed) if feed else None
    heads: list[Head] = []
    codec = ""
    waiting: list[Issue] = []
    for found in hl7v2.read(raw, source):
        if isinstance(found, Message):
            profile = given or feeds.of_sender(found.application, found.facility, door.port)
            outcome = _message(found, profile, door)
            outcome.issues[:0] = waiting
            waiting = []
            yield outcome
        elif found.failed:
            if not heads:
                text, codec, _ = hl7v2_pieces.opened(raw)
                heads = list(hl7v2_ack.heads(text))
            outcome = _no_message(found, heads, codec, given, door.port)
            outcome.issues[:0] = waiting
            waiting = []
            yield outcome
        else:
            waiting.append(found)


def timely(outcomes: Iterable[Outcome], now: datetime) -> None:
    """Let no message be of a time that is still far ahead (`ahead` of its feed)."""
    here = _instant(now)
    for outcome in outcomes:
        if outcome.event and outcome.unit.as_of > here:
            span = feeds.feed(outcome.unit.source.removeprefix(FEED)).ahead
            latest = _instant(now + timedelta(seconds=span))
            if outcome.unit.as_of > latest:
                order.believe(outcome, latest, here)


def _instant(moment: datetime) -> str:
    """As messages' places in time are written."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _no_message(
    found: Issue, heads: Sequence[Head], codec: str, given: Feed | None, port: int
) -> Outcome:
    """A message that could not be read: of its sender, so far as MSH tells, with its bytes."""
    line = found.at.line if found.at else 1
    head = heads[max(bisect_right(heads, line, key=_line) - 1, 0)]
    application, facility = (head.field(n).split(head.delimiters[1])[0] for n in (3, 4))
    profile = given or feeds.of_sender(application, facility, port)
    outcome = refused(found, "adt", profile.source)
    if head.lines[0].startswith("MSH"):
        outcome.unit.key = f"{application}|{facility}|{head.field(10)}"
        outcome.unit.raw = "\r".join(head.lines).encode(codec)
    return outcome


def _line(head: Head) -> int:
    return head.line


def _message(message: Message, profile: Feed, door: Door) -> Outcome:
    key = f"{message.application}|{message.facility}|{message.control}"
    at = Location(message.source, message.line)
    once = profile.unique and bool(message.control)
    unit = Unit(at, "adt", profile.source, key, raw=message.raw, once=once)
    takes = door.takes and (profile.processing or door.takes)
    if takes and (message.processing.partition("^")[0].strip().upper() or "P") not in takes:
        text = "MSH-11 says what kind of message it is (P, T or D), and here it is not taken"
        at = Location(message.source, message.line, "MSH-11")
        return Outcome(unit, issues=[Issue("error", "not-supported", text, at)])
    return checked(messages.convert(message, profile, unit))


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of table: who owns what it says, its layout, and its mapping file."""

    kind: str
    owner: str
    layout: layout.Layout
    mapping: tabular.TableMapping | LogMapping
    context: Mapping[str, str]


def member_table(plan: str) -> Table:
    """A plan's member file, by the name of its layout. Raises DataFileError for an unknown one."""
    found = layout.load(plan)
    context = {**_us(), **{name: text for name, text in found.context.items() if text}}
    mapping = tabular.load("mif", found.mapping)
    return Table("mif", f"plan:{found.plan}", found, mapping, context)


def service_table(log: str, kind: str = "services") -> Table:
    """A log of our own ECM contacts. Raises DataFileError for an unknown layout.

    Of kind `outreach`, rows that do not say their phase are outreach attempts. Who gave the
    service is mappings/outbound/provider.toml.
    """
    found = layout.load(log, "services")
    context = {"zone": found.zone, **_us()}
    if kind == "outreach":
        context["phase"] = "outreach"
    return Table(kind, f"log:{log}", found, LogMapping(), context)


def _us() -> dict[str, str]:
    """Who we are, for what a file does not say of the provider that it was sent to."""
    us = data.toml(data.path("mappings", "outbound", "provider.toml"))["provider"]
    return {f"provider_{name}": text for name, text in us.items()}


def rows(
    file: Path | bytes, table: Table, source: str = "", received: str = ""
) -> Iterator[Outcome]:
    """Every row of a table as an Outcome, then one that only has what is wrong with the file.

    What it says is true from the date in its name, else from the instant it is `received`. Of a
    member file, the list of its members comes in units of its own, behind the rows it names.
    """
    name = source or (file.name if isinstance(file, Path) else "input")
    return file_rows(file_of(file, table, name, received), table)


@dataclass(slots=True)
class File:
    """One table file: its content, what names it, and when what it says was true.

    `digest`  names it by its content, and by the date in its name if there is one: the same list
              of another day is said anew, the same of the same day under another name is not
    `as_of`   instant of the date in its name or date column, "" without one; `received`: when it
              came, if known
    `delta`   it does not say who is not in it: by its layout, or since it holds mended rows
    `spared`  collects the identifiers (`system|value`) of members whose rows are refused
    """

    content: Path | bytes
    name: str = ""
    digest: str = ""
    as_of: str = ""
    received: str = ""
    delta: bool = False
    spared: set[str] = field(default_factory=set)


def file_of(content: Path | bytes, table: Table, name: str, received: str = "") -> File:
    """A file with its digest and date."""
    delta = table.layout.snapshot == "delta"
    as_of = _file_date(table, name) or _told_date(table, content, name)
    digest = _digest(content) + (f"@{as_of[:10]}" if as_of else "")
    return File(content, name, digest, as_of, received, delta)


def file_rows(file: File, table: Table) -> Iterator[Outcome]:
    """The units of a file, as `rows` gives them."""
    sheet, name = _Sheet(table, file), file.name
    for found in tables.read(file.content, table.layout, name):
        if isinstance(found, Header):
            sheet.start(found)
        elif isinstance(found, Record):
            yield sheet.row(found)
            yield from sheet.listed(Location(name, 1))
        elif found.failed:
            yield refused(found, table.kind, table.owner)
        elif found.detail == AGAIN:
            yield sheet.again(found)
        else:
            sheet.waiting.append(found)
    yield from sheet.end(Location(name, 1))


def _told_date(table: Table, content: Path | bytes, name: str) -> str:
    """The day in the layout's date column, of the first row: the file's where its name has none."""
    field, place = table.layout.date_column, -1
    for found in tables.read(content, table.layout, name) if field else ():
        if isinstance(found, Header):
            place = found.columns.index(field) if field in found.columns else -1
        if isinstance(found, Record):
            cell = found.fields[place] if place >= 0 else ""
            day = iso_date(cell, table.layout.dates_as) if cell else None
            return f"{day}T00:00:00+00:00" if day else ""
    return ""


def _digest(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return hashlib.sha256(file).hexdigest()[:32]
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:32]
    except OSError:
        return ""  # the reader says why it cannot be opened


def _file_date(table: Table, name: str) -> str:
    day = table.layout.date_of(name)
    return f"{day}T00:00:00+00:00" if day else ""


class _Sheet:
    """A table being converted: its bound rules, and findings that wait for their row."""

    def __init__(self, table: Table, file: File) -> None:
        self._table, self._file = table, file
        self._bound: tabular.BoundTable | BoundLog | None = None
        self._context = {**table.context, "as_of": file.as_of or file.received}
        self._ids: list[tuple[int, str]] = []
        self._roster = Roster(table.context, file.delta)
        self._dated = -1  # the column that says when a mended row was true
        self._listed: Seen | None = None
        if table.kind == "mif" and table.layout.mapping == "member":
            self._listed = Seen()
        self._lists = 0
        self._spans: Spans | None = None
        self.waiting: list[Issue] = []

    def start(self, header: Header) -> None:
        """Bind the rules to the columns of the file."""
        self._bound = self._table.mapping.bind(header.columns, header.labels)
        if mended(header):
            self._file.delta = True
            self._roster = Roster(self._table.context, delta=True)
            if "reject_as_of" in header.columns:
                self._dated = header.columns.index("reject_as_of")
        plan, days = self._table.layout.plan, self._table.layout.join_spans
        self._spans = Spans(header.columns, days) if days else None
        systems = {"cin": terms.system("cin"), "plan_member_id": terms.system("plan-member", plan)}
        self._ids = [(n, systems[f]) for n, f in enumerate(header.columns) if f in systems]

    def row(self, record: Record) -> Outcome:
        """One row converted and checked."""
        at = Location(record.source, record.line)
        part = f"{record.line}{record.name.removeprefix('row')}"
        said = record.fields[self._dated] if self._dated >= 0 else ""
        unit = self._unit(at, part, data.dumps(record.fields), said)
        if self._bound is None:
            raise AssertionError("the reader gives the header before the rows")
        record = self._spans.joined(record) if self._spans else record
        outcome = self._bound.apply(record, unit, self._context)
        outcome.issues[:0] = self.waiting
        self.waiting = []
        found = checked(outcome)
        if self._listed:
            self._note(record, named(found))
        return found

    def _note(self, record: Record, member: Named | None) -> None:
        """Put a member on the list, once; remember who a refused row was about."""
        if member is None:
            fields = record.fields
            self._file.spared.update(f"{s}|{fields[n]}" for n, s in self._ids if fields[n])
        elif self._listed and not self._listed.before("|".join(member[:2])):
            self._roster.add(member)

    def again(self, issue: Issue) -> Outcome:
        """A row that stands in the file before: nothing but its finding."""
        at = issue.at or Location("", 0)
        return Outcome(self._unit(at, str(at.line), b""), issues=[issue])

    def _unit(self, at: Location, part: str, raw: bytes, said: str = "") -> Unit:
        """A unit of the file; of two rows about one member the later one is the newer."""
        table, file = self._table, self._file
        as_of = said if _INSTANT.fullmatch(said) else file.as_of
        if table.kind == "mif" and (as_of or file.received):
            as_of = f"{as_of or file.received} {at.line:09d}"
        key = f"{file.digest}:{part}"
        return Unit(at, table.kind, table.owner, key, as_of, raw, file.received)

    def listed(self, at: Location) -> Iterator[Outcome]:
        """The members since the last list, when there are enough of them for one."""
        if self._roster.full:
            yield self._list(at)

    def _list(self, at: Location) -> Outcome:
        self._lists += 1
        number = "" if self._lists == 1 else str(self._lists)
        return checked(self._roster.outcome(self._unit(at, f"end{number}", b"")))

    def end(self, at: Location) -> Iterator[Outcome]:
        """What is left at the end of a file: its roster, and findings that waited for a row."""
        last = self._list(at) if self._listed else Outcome(self._unit(at, "end", b""))
        last.issues[:0] = self.waiting
        if last.entries or last.issues:
            yield last


def referral(raw: bytes | str | Form, form: str, source: str = "form") -> Outcome:
    """One filled form as an Outcome. Raises DataFileError for an unknown form."""
    definition = form_layout.load(form)
    reading = forms.read(raw, definition, source)
    text = (
        raw if isinstance(raw, bytes) else raw.encode() if isinstance(raw, str) else data.dumps(raw)
    )
    key = reading.key or hashlib.sha256(text).hexdigest()[:32]
    unit = Unit(Location(source, 1), "referral", f"form:{form}", key, reading.as_of, text)
    if reading.record is None:
        return Outcome(unit, issues=list(reading.issues))
    bound = tabular.load("forms", form).bind(definition.columns, reading.record.labels)
    outcome = bound.apply(reading.record, unit, {"form": definition.url})
    outcome.issues[:0] = reading.issues
    return checked(outcome)


def notification(bundle: Resource, found: Sequence[Issue], received: str) -> Outcome:
    """A FHIR message Bundle about a stay; refused with what a check `found` wrong in it."""
    if any(issue.failed for issue in found):
        source = notifications.sender(notifications.header(bundle)) or f"{FEED}message"
        unit = Unit(Location("message", 1), "message", source, raw=data.dumps(bundle))
        return Outcome(unit, issues=list(found))
    return notifications.convert(bundle, received)


def bundle_json(outcome: Outcome) -> bytes:
    """The Bundle of an Outcome as one line of JSON, b"" when it is refused.

    What many units share, wards and doctors and payers, is written once and copied from then on.
    """
    if not outcome.ok or not outcome.entries:
        return b""
    entries = [
        _written(entry, one) if type(one := entry.resource) is Constant else bundle_entry(entry)
        for entry in outcome.entries
    ]
    return data.dumps({**BUNDLE, "entry": entries})


def _written(entry: Entry, resource: Constant) -> object:
    if resource.written[0] != entry.urn:
        resource.written = entry.urn, data.written(bundle_entry(entry))
    return resource.written[1]


def refused(issue: Issue, kind: str, source: str) -> Outcome:
    """A unit that could not even be read, as an Outcome."""
    return Outcome(Unit(issue.at or Location("input", 1), kind, source), issues=[issue])
