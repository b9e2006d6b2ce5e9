"""Builds the Da Vinci Alerts message Bundle about one event of a stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter import data, terms
from adapter.program.stays import What
from adapter.record import Resource

BASE = "https://ecm-adapter.example/fhir"
_REASONS = "http://terminology.hl7.org/CodeSystem/message-reasons-encounter"
_REASON: Mapping[str, str] = {"admit": "admit", "discharge": "discharge", "transfer": "moved"}
_NOT_SENT: Mapping[str, tuple[str, ...]] = {
    "Patient": ("contact", "link", "photo", "text"),
    "Encounter": ("account", "appointment", "basedOn", "episodeOfCare", "text"),
}
# What an alert must not name by identifier alone (Da Vinci Alerts: reference is 1..1 there)
_BY_REFERENCE = {"participant": "individual", "location": "location"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the message says of itself: its id, event and sense, and between whom it goes.

    `sender`    `name` and `npi` of the provider that we are
    `receiver`  `name` and `url` of the recipient, empty when none is known
    `from_whom` reference of the organization that told us, `""` if unknown
    `rules`     the table `message` of mappings/program/notices.toml
    """

    uid: str
    what: What
    sense: str
    made: str
    sender: Mapping[str, str]
    receiver: Mapping[str, str]
    from_whom: str
    rules: Mapping[str, Any]


def bundle(envelope: Envelope, about: Sequence[Resource]) -> Resource:
    """The message: header first, then the stay and all that it refers to, the stay leading.

    Every reference leads to an entry; what leads elsewhere is left out. The same input makes the
    same Bundle, byte by byte.
    """
    us = _organization(envelope.sender)
    urns = {_ref(one): urn(_ref(one)) for one in (us, *about)}
    sent = [_sent(one, urns, envelope.rules) for one in (*about, us)]
    header = _header(envelope, urns[_ref(about[0])], urns[_ref(us)], urns.get(envelope.from_whom))
    return {
        "resourceType": "Bundle",
        "id": envelope.uid,
        "meta": {"profile": [f"{envelope.rules['profile']}notifications-bundle"]},
        "identifier": {"system": terms.system("message"), "value": envelope.uid},
        "type": "message",
        "timestamp": envelope.made,
        "entry": [
            {"fullUrl": f"urn:uuid:{envelope.uid}", "resource": header},
            *({"fullUrl": urns[_ref(one)], "resource": one} for one in sent),
        ],
    }


def addressed(body: str, name: str, url: str) -> str:
    """The same message for another recipient, or for one that moved."""
    message = data.loads(body)
    message["entry"][0]["resource"]["destination"] = [{"name": name, "endpoint": url}]
    return data.dumps(message).decode()


def urn(ref: str) -> str:
    """The fullUrl of a resource by its reference, the same in every message."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{BASE}/{ref}')}"


def references(node: Any) -> Iterator[str]:
    """Every relative reference in a resource, in order."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str) and ":" not in value:
                yield value
            else:
                yield from references(value)


def _header(envelope: Envelope, focus: str, sender: str, told_by: str | None) -> Resource:
    code, rules = f"notification-{envelope.what}", envelope.rules
    reason = _REASON[envelope.what] if envelope.sense == "new" else "edit"
    header: Resource = {
        "resourceType": "MessageHeader",
        "id": envelope.uid,
        "meta": {
            "profile": [
                f"{rules['profile']}notifications-messageheader",
                f"{rules['profile']}{envelope.what}-notification-messageheader",
            ]
        },
        "eventCoding": {
            "system": rules["events"],
            "code": code,
            "display": f"{envelope.what.capitalize()} Notification",
        },
    }
    if envelope.receiver.get("url"):
        to = {"name": envelope.receiver["name"], "endpoint": envelope.receiver["url"]}
        header["destination"] = [to]
    header["sender"] = {"reference": sender}
    name = envelope.sender.get("name", "ecm-adapter")
    header["source"] = {"name": name, "software": "ecm-adapter", "endpoint": BASE}
    if told_by:
        header["responsible"] = {"reference": told_by}
    header["reason"] = {"coding": [{"system": _REASONS, "code": reason}]}
    header["focus"] = [{"reference": focus}]
    return header


def _organization(sender: Mapping[str, str]) -> Resource:
    number = {
        "type": {"coding": [{"system": f"{_V2}-0203", "code": "NPI"}]},
        "system": terms.system("npi"),
        "value": sender["npi"],
    }
    made: Resource = {"resourceType": "Organization", "id": "sender", "active": True}
    return {**made, "identifier": [number], "name": sender["name"]}


_V2 = "http://terminology.hl7.org/CodeSystem/v2"


def _sent(resource: Resource, urns: Mapping[str, str], rules: Mapping[str, Any]) -> Resource:
    """A resource as it leaves: without our versions, what is nobody's business, and loose ends."""
    kind = resource["resourceType"]
    left_out = ("id", "meta", *_NOT_SENT.get(kind, ()))
    kept = {name: value for name, value in resource.items() if name not in left_out}
    if "identifier" in kept and isinstance(kept["identifier"], list):
        kept["identifier"] = _identifiers(kept["identifier"], rules)
    for name, part in _BY_REFERENCE.items() if kind == "Encounter" else ():
        rows = kept.get(name, ())
        kept[name] = [row for row in rows if row.get(part, {}).get("reference")]
    linked = _linked(kept, urns, top=True)
    meta = {name: value for name, value in resource.get("meta", {}).items() if name in _META}
    whole = {"resourceType": kind, "id": resource["id"], **({"meta": meta} if meta else {})}
    return {**whole, **{k: v for k, v in linked.items() if v not in ([], {}) and k not in whole}}


_META = ("profile", "security", "tag")


def _identifiers(rows: Sequence[Any], rules: Mapping[str, Any]) -> list[Any]:
    return [row for row in rows if row.get("system") not in rules["not_sent"]]


def _linked(node: Any, urns: Mapping[str, str], top: bool = False) -> Any:
    """References led to entries; a part whose reference leads nowhere is left out whole."""
    if isinstance(node, list):
        items = [_linked(item, urns) for item in node]
        return [item for item in items if item is not None]
    if not isinstance(node, dict):
        return node
    reference = node.get("reference")
    if isinstance(reference, str):
        if ":" in reference or reference.startswith("#"):
            return node
        return {**node, "reference": urns[reference]} if reference in urns else None
    done = {name: _linked(value, urns) for name, value in node.items()}
    if not top and any(value is None for value in done.values()):
        return None
    return {name: value for name, value in done.items() if value is not None}


def _ref(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
