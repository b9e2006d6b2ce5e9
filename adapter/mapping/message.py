"""HL7 v2 messages through the engine: the event chooses segments, fields drive rules."""

from __future__ import annotations

from functools import cache

from adapter.issues import Issue, Severity
from adapter.mapping import groups, merges, order, whole_lists
from adapter.mapping.events import Event, events
from adapter.mapping.feeds import facility, prepared
from adapter.mapping.fields import WIDEST
from adapter.mapping.finish import finish
from adapter.mapping.lasting import sender
from adapter.mapping.run import Feed, Groups, Run
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Message

# What MSH, SFT and EVN make: the sender, its program, its clerk, and that it said so.
_SENDERS = frozenset(("Device", "Organization", "Practitioner", "Provenance"))


def convert(message: Message, feed: Feed, unit: Unit) -> Outcome:
    """One message as an Outcome; a message of an event without a file is refused, never guessed."""
    event = events().get(message.event)
    if event is None or event.refuse:
        text = event.refuse if event else "no mapping for this trigger event"
        at = Location(unit.at.source, unit.at.line, "MSH-9")
        return Outcome(unit, issues=[Issue("error", "not-supported", text, at)])
    run = Run(unit, feed)
    run.groups = spans = Groups(mark=-1)
    lists: whole_lists.Lists = {}
    run.facts["facility"] = own = facility(message)
    run.sender = sender(feed, own)
    _check_segments(run, event, message)
    unit.as_of, happened = order.place(message, feed.zone)
    for line, text in enumerate(prepared(message.segments, feed), unit.at.line):
        if text:
            run.line = line
            _begin(run, event, spans, text, lists)
            _segment(run, event, text, lists)
    groups.close(run, event, spans)
    merges.alone(run, event.means, spans)
    outcome = finish(run)
    outcome.event, outcome.at = event.code, happened
    _check_told(outcome, event, message)
    whole_lists.tell(lists, outcome)
    outcome.issues = _once(outcome.issues)
    if (spans.pairs or spans.moves) and outcome.ok:
        merges.told(outcome, spans)
    return outcome


def _once(issues: list[Issue]) -> list[Issue]:
    """Each finding once: two maps may read one field."""
    fields = {issue[3][2] for issue in issues if issue[3] is not None}
    return issues if len(fields) == len(issues) else list(dict.fromkeys(issues))


def _begin(run: Run, event: Event, spans: Groups, text: str, lists: whole_lists.Lists) -> None:
    """Begin a group with its first segment; a second MRG is another prior one of the same person.

    HL7 v2.9 chapter 3.3.40 has one MRG for each PID; some senders name all prior records at once.
    """
    name = text[:3]
    if name == event.group:
        groups.begin(run, event, spans)
        spans.head, spans.prior = (run.line, text), False
    elif name == "MRG" and spans.prior and spans.head[1]:
        line = run.line
        groups.begin(run, event, spans)
        run.line, person = spans.head
        _segment(run, event, person, lists)
        run.line = line
    elif name == "MRG":
        spans.prior = True


def _segment(run: Run, event: Event, text: str, lists: whole_lists.Lists) -> None:
    name = text[:3]
    compiled = event.segments.get(name)
    if compiled is None:
        _unread(run, event, name, text)
        return
    listed = name in whole_lists.NAMES
    if listed and whole_lists.empty(text):
        whole_lists.none(lists, run, name)
        return
    fields = text.split("|")
    if name == "MSH":
        fields.insert(1, "|")
    fields[0] = ""
    run.fields = fields
    compiled.apply(run, fields, _labels(name))
    if listed:
        whole_lists.note(lists, run, name)


def _unread(run: Run, event: Event, name: str, text: str) -> None:
    """Report a segment that is not read; a PV1 of class N fills a place and says nothing."""
    run.label = name
    if name not in event.ignored:
        run.issue("information", "unmapped", "no map for this segment")
    elif name != "PV1" or text.split("|", 3)[2:3] not in (["N"], [""], []):
        run.issue("information", "unmapped", "this event does not concern the visit")


def _check_segments(run: Run, event: Event, message: Message) -> None:
    names = [text[:3] for text in message.segments]
    run.line = run.unit.at.line
    missing = event.wanted.difference(names)
    checks: tuple[tuple[Severity, tuple[str, ...]], ...]
    checks = (("error", event.needs), ("warning", event.wants)) if missing else ()
    for severity, wanted in checks:
        for name in wanted:
            if name in missing and name not in run.feed.never:
                run.label = name
                run.issue(severity, "segment-missing", f"{event.code} without {name}")
    for name in event.single:
        if names.count(name) > 1:  # two persons or two stays are never read as one
            run.label = name
            run.issue("error", "message-structure", f"{event.code} with more than one {name}")


def _check_told(outcome: Outcome, event: Event, message: Message) -> None:
    """Refuse a message that has what it needs in name only: it would be stored as nothing."""
    if any(entry.resource["resourceType"] not in _SENDERS for entry in outcome.entries):
        return
    if not outcome.ok:
        return
    at = outcome.unit.at
    for name in event.needs[:1]:
        line = next(n for n, text in enumerate(message.segments, at.line) if text[:3] == name)
        text = f"{name} tells nothing, and nothing else in the message does"
        outcome.issues.append(Issue("error", "required", text, Location(at.source, line, name)))
        outcome.entries = []


@cache
def _labels(segment: str) -> tuple[str, ...]:
    return tuple(f"{segment}-{place}" for place in range(WIDEST))
