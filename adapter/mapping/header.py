"""A converted message as a FHIR message: Bundle, MessageHeader first (MSH[Bundle]).

What is stored is a transaction, and its Provenance says where it came from; this form is for those
who take FHIR messages. It is made on demand, of the message as it came.
"""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.feeds import facility
from adapter.mapping.fields import WIDEST, segment
from adapter.mapping.finish import finish
from adapter.mapping.lasting import sender
from adapter.mapping.run import BadValue, Feed, Groups, Run
from adapter.mapping.times import date_time
from adapter.outcome import Outcome, Unit
from adapter.record import Entry, Location, Message

Json = dict[str, Any]
_ABSENT = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
_FOCUS = ("Patient", "Encounter", "Account")


def message_bundle(outcome: Outcome, message: Message, feed: Feed) -> Json | None:
    """The Bundle of type `message` of a message that was converted; None of one refused."""
    if not outcome.ok or not outcome.entries:
        return None
    head = _fields(message.segments[0])
    entries = [*_header(outcome, message, feed), *outcome.entries]
    unique = {entry.urn: entry for entry in reversed(entries)}
    ordered = [unique[urn] for urn in dict.fromkeys(entry.urn for entry in entries)]
    ordered.sort(key=lambda entry: entry.resource["resourceType"] != "MessageHeader")
    ordered[0].resource["focus"] = [
        {"reference": entry.urn}
        for entry in outcome.entries
        if entry.resource["resourceType"] in _FOCUS
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "message"}
    if head[10]:
        bundle["identifier"] = {"system": terms.system("message", feed.name), "value": head[10]}
    if stamp := _instant(head[7], feed.zone):
        bundle["timestamp"] = stamp
    bundle["entry"] = [{"fullUrl": entry.urn, "resource": entry.resource} for entry in ordered]
    return bundle


def _fields(text: str) -> list[str]:
    """MSH by field number, and room behind."""
    fields = text.split("|")
    fields.insert(1, "|")
    return [*fields, *[""] * (30 - len(fields))]


def _instant(text: str, zone: str) -> str:
    try:
        value = date_time(text, zone)[0]
    except BadValue:  # reported when the message was converted
        return ""
    return value if len(value) > 10 else ""


def _header(outcome: Outcome, message: Message, feed: Feed) -> list[Entry]:
    """The MessageHeader and what it refers to."""
    run = Run(_unit(outcome.unit), feed, groups=Groups())
    run.facts["facility"] = own = facility(message)
    run.sender = sender(feed, own)
    for line, text in enumerate(message.segments, outcome.unit.at.line):
        if text[:3] in ("MSH", "SFT"):
            run.line = line
            run.fields = _fields(text) if text[:3] == "MSH" else text.split("|")
            run.fields[0] = ""
            labels = [f"{text[:3]}-{place}" for place in range(WIDEST)]
            segment(text[:3], "header").apply(run, run.fields, labels)
    _complete(run)
    return [e for e in finish(run).entries if e.resource["resourceType"] != "Provenance"]


def _unit(unit: Unit) -> Unit:
    return Unit(Location(*unit.at), unit.kind, unit.source, unit.key, unit.as_of)


def _complete(run: Run) -> None:
    """A MessageHeader must name endpoints; one that nobody told says so."""
    draft = run.drafts.get("MessageHeader")
    if draft is None:
        return
    source = draft.resource.setdefault("source", {})
    for place in (source, *draft.resource.get("destination", ())):
        if "endpoint" not in place:
            place["_endpoint"] = _ABSENT
