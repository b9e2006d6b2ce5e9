"""A FHIR message about a stay (Da Vinci Alerts) to entries: who is meant, and references led on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from adapter import data, terms
from adapter.issues import Issue
from adapter.mapping.finish import identity
from adapter.mapping.run import urn
from adapter.outcome import FEED, Outcome, Unit
from adapter.record import Entry, Location, Resource

KINDS = frozenset({
    "AllergyIntolerance", "CareTeam", "Condition", "Coverage", "Encounter", "Location",
    "Observation", "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure",
    "RelatedPerson",
})  # fmt: skip
_SHARED = frozenset({"Location", "Organization", "Practitioner", "PractitionerRole"})
_ABOUT = ("subject", "patient", "beneficiary")  # elements that say whose a resource is
_STAY = ("Encounter", "subject")  # which must be said (Da Vinci Alerts)
_META = ("profile", "security", "tag")
_UNSENT = re.compile(r"[^a-z0-9.-]+")
_NEVER_WAS = ("cancelled", "entered-in-error")
_COURSE = ("status", "class", "period", "location")  # of an Encounter
_VISIT = {"coding": [{"code": "VN"}]}  # HL7 table 0203
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def convert(bundle: Resource, received: str) -> Outcome:
    """What a valid message Bundle says, as one unit of its sender; refused whole with issues.

    One message is about one person and leads to one Encounter (fhir-and-exchange.md 5.3). The unit
    is named by the message's own number, so that the same message again changes nothing.
    """
    rows = [row for row in bundle.get("entry", ()) if "resource" in row]
    header = rows[0]["resource"] if rows else {}
    unit = _unit(bundle, header, received)
    issues = list(_faults(header, rows, unit))
    outcome = Outcome(unit, issues=issues)
    if outcome.ok:
        late = header["eventCoding"]["code"] != "notification-discharge"
        outcome.entries = _entries(rows[1:], late, unit, issues)
    if outcome.ok:
        outcome.entries.append(_provenance(outcome))
    return outcome


def number(bundle: Resource) -> str:
    """The message's own number: the Bundle's identifier, else an id of header or Bundle."""
    named = bundle.get("identifier", {}).get("value")
    return str(named or header(bundle).get("id") or bundle.get("id") or "")


def header(bundle: Resource) -> Resource:
    """The resource of the first entry, the message's header if it is valid; else `{}`."""
    rows = bundle.get("entry")
    first = rows[0] if isinstance(rows, list) and rows else None
    found = first.get("resource") if isinstance(first, dict) else None
    return found if isinstance(found, dict) else {}


def _unit(bundle: Resource, header: Resource, received: str) -> Unit:
    raw = data.dumps(bundle)  # written anew: spaces and format make no other message
    as_of = _utc(bundle.get("timestamp", "")) or received
    at = Location("message", 1)
    key = number(bundle)
    return Unit(at, "message", sender(header), key, as_of, raw, received, once=True)


def sender(header: Resource) -> str:
    """Who owns what a message says, `feed:host/name` of MessageHeader.source; `""` if unnamed."""
    source = header.get("source")
    said = source if isinstance(source, dict) else {}
    try:
        host = urlsplit(str(said.get("endpoint", ""))).hostname or ""
    except ValueError:
        host = ""
    names = (host, str(said.get("name", "")))
    parts = (_UNSENT.sub("-", text.lower()).strip("-") for text in names)
    found = "/".join(part for part in parts if part)
    return f"{FEED}{found}" if found else ""


def _faults(header: Resource, rows: list[Any], unit: Unit) -> Iterator[Issue]:
    if header.get("resourceType") != "MessageHeader":
        yield _error(unit, "resource-type", "the first entry must be a MessageHeader", 0)
        return
    rules, event = _rules(), header.get("eventCoding", {})
    if event.get("system") != rules["events"] or event.get("code") not in rules["taken"]:
        text = "only notifications of Da Vinci Alerts are taken"
        yield _error(unit, "not-supported", text, 0, ".eventCoding")
    if not unit.source:
        yield _error(unit, "required", "MessageHeader.source must name the sender", 0)
    if not unit.key:
        yield _error(unit, "required", "the message needs an identifier or an id", 0)
    kinds = [row["resource"]["resourceType"] for row in rows]
    for kind in ("Patient", "Encounter"):
        if kinds.count(kind) != 1:
            yield _error(unit, "cardinality", f"a message is about one {kind}", 0)
    yield from _strangers(rows, unit)
    focus = {row.get("reference") for row in header.get("focus", ())}
    stays = {name for row in rows for name in _names(row) if _kind(row) == "Encounter"}
    if not focus & stays:
        yield _error(unit, "reference", "MessageHeader.focus must lead to the Encounter", 0)


@cache
def _rules() -> Mapping[str, Any]:
    """The table `message` of mappings/program/notices.toml."""
    rules: Mapping[str, Any] = data.toml(data.path("mappings", "program", "notices.toml"))[
        "message"
    ]
    return rules


def _strangers(rows: list[Any], unit: Unit) -> Iterator[Issue]:
    """What is said of somebody who is not the Patient of the message, or of nobody."""
    person = {name for row in rows for name in _names(row) if _kind(row) == "Patient"}
    for place, row in enumerate(rows):
        kind = _kind(row)
        for name in _ABOUT if kind in KINDS else ():
            value = row["resource"].get(name, {} if (kind, name) == _STAY else None)
            if value is not None and value.get("reference") not in person:
                text = f"{kind}.{name} must lead to the Patient of the message"
                yield _error(unit, "reference", text, place, f".{name}")


def _entries(rows: list[Any], late: bool, unit: Unit, issues: list[Issue]) -> list[Entry]:
    """The entries; `late`: news of an admission or transfer, which may be told after the end.

    Such news ends no stay and begins none anew: of its course it tells what nobody told better.
    That a stay never was ends it too, until an admission is told after that.
    """
    urns: dict[str, str] = {}
    found: list[tuple[int, Entry]] = []
    whose = _person(next(row for row in rows if _kind(row) == "Patient"), unit)
    for place, row in enumerate(rows, 1):
        if _kind(row) not in KINDS:
            text = f"a {_kind(row)} of a message is not stored"
            issues.append(Issue("warning", "unmapped", text, unit.at, _path(place)))
            continue
        entry = _entry(row, unit, whose, place)
        if _kind(row) == "Encounter":
            _weaken(entry, late)
        if any(one.urn == entry.urn and _other(one, entry) for _, one in found):
            issues.append(_error(unit, "cardinality", "two entries have this id", place, ".id"))
        found.append((place, entry))
        urns |= dict.fromkeys(_names(row), entry.urn)
    for place, entry in found:
        entry.resource, lost = _linked(entry.resource, urns)
        if lost:
            issues.append(_error(unit, "reference", "a reference leads to no entry", place))
    return [entry for _, entry in found]


def _weaken(entry: Entry, late: bool) -> None:
    """Let what is told of the course of a stay be as strong as the news that it is in."""
    status = entry.resource.get("status")
    if status in _NEVER_WAS:
        entry.weak = entry.cleared = _COURSE
    elif late and status != "finished":
        entry.weak = _COURSE


def _person(row: Mapping[str, Any], unit: Unit) -> str:
    """The urn of the Patient. Without identifiers he is nobody known: his local id names nobody."""
    named = identity(row["resource"])
    return urn("Patient", *(named[0] if named else (hashlib.sha256(unit.raw).hexdigest(),)))


def _other(one: Entry, entry: Entry) -> bool:
    """Whether two entries of one local id differ; by identifiers they may tell of one thing."""
    return bool(entry.key) and one.resource != entry.resource


def _entry(row: Mapping[str, Any], unit: Unit, whose: str, place: int) -> Entry:
    """An entry by its identifiers, else by its sender and local id, which hold for this person."""
    resource, kind = row["resource"], _kind(row)
    kept = {name: value for name, value in resource.items() if name not in ("id", "meta", "text")}
    meta = {name: value for name, value in resource.get("meta", {}).items() if name in _META}
    said, named = {**kept, **({"meta": meta} if meta else {})}, _named(resource)
    if kind == "Patient":
        return Entry(said, whose, named)
    uid = resource.get("id") or row.get("fullUrl") or f"{unit.key}/{place}"
    own = (unit.source, str(uid))
    key = own if kind in _SHARED else (whose, *own)
    return Entry(said, urn(kind, *(named[0] if named else key)), named, () if named else key)


def _named(resource: Resource) -> tuple[tuple[str, str], ...]:
    """The identifiers that name a resource; a stay's number need not say that it is one.

    The examples of Da Vinci Alerts give no Encounter.identifier.type.
    """
    if resource["resourceType"] != "Encounter":
        return identity(resource)
    rows = [{"type": _VISIT, **row} for row in resource.get("identifier", ())]
    return identity({**resource, "identifier": rows})


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    """What other entries may call this one: its fullUrl, and type and id."""
    url, resource = row.get("fullUrl", ""), row["resource"]
    if url:
        yield url
    if resource.get("id"):
        yield f"{resource['resourceType']}/{resource['id']}"


def _linked(node: Any, urns: Mapping[str, str]) -> tuple[Any, bool]:
    """References led to entries, and whether one led nowhere; absolute ones stay as they are."""
    if isinstance(node, list):
        done = [_linked(item, urns) for item in node]
        return [item for item, _ in done], any(lost for _, lost in done)
    if not isinstance(node, dict):
        return node, False
    reference, lost, made = node.get("reference"), False, {}
    for name, value in node.items():
        made[name], gone = _linked(value, urns)
        lost = lost or gone
    if isinstance(reference, str) and not reference.startswith("#"):
        made["reference"] = urns.get(reference, reference)
        outside = reference.startswith(("http://", "https://"))
        lost = lost or (reference not in urns and not outside)
    return made, lost


def _provenance(outcome: Outcome) -> Entry:
    """Who said all this, and in which message."""
    unit = outcome.unit
    who = {"identifier": {"system": terms.system("source"), "value": unit.source}}
    what = {"identifier": {"system": terms.system("message"), "value": unit.key}}
    resource: Resource = {
        "resourceType": "Provenance",
        "target": [{"reference": entry.urn} for entry in outcome.entries],
        "recorded": unit.as_of,
        "agent": [{"who": who}],
        "entity": [{"role": "source", "what": what}],
    }
    return Entry(resource, urn("Provenance", unit.source, unit.key))


def _utc(text: Any) -> str:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).isoformat() if text else ""
    except (ValueError, OverflowError):
        return ""


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["resource"]["resourceType"])


def _path(place: int) -> str:
    return f"Bundle.entry[{place}].resource"


def _error(unit: Unit, detail: str, text: str, place: int, element: str = "") -> Issue:
    return Issue("error", detail, text, unit.at, _path(place) + element)
