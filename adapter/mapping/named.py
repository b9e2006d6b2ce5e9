"""HL7 v2 values that name a resource of their own: practitioner, organization, location."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.authorities import authority
from adapter.mapping.cells import is_npi
from adapter.mapping.datatypes import V2, components, concept, cx, ei
from adapter.mapping.finish import identity
from adapter.mapping.lasting import lasting
from adapter.mapping.parts import NULL, own
from adapter.mapping.people import xcn_name
from adapter.mapping.registry import converter, datatype, joined
from adapter.mapping.run import BadValue, Run, restored

Json = dict[str, Any]
_PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"


def _reference(run: Run, kind: str, resource: Json, *key: str) -> Json:
    return {"reference": run.add(kind, {"resourceType": kind, **resource}, *key)}


@datatype("practitioner", 21, but=(8, 14, 15, 16))
@lasting
def practitioner(run: Run, parts: list[str]) -> Json | None:
    """XCN to a reference to a Practitioner of the unit (v2-to-FHIR XCN[Practitioner]).

    One identifier names one person; without any, the name as written does, for this sender only.
    """
    resource = _person(run, parts)
    return _reference(run, "Practitioner", resource, *_key(run, resource)) if resource else None


def _person(run: Run, parts: list[str]) -> Json:
    """What an XCN says of a person; nothing without number and name."""
    count = len(parts)
    resource: Json = {}
    number = parts[0].strip()
    if number:
        kind = parts[12] if count > 12 else ""
        check = parts[10] if count > 10 else ""
        hd = parts[8] if count > 8 else ""
        item = cx(run, [number, check, "", hd, kind or _npi(number, hd)])
        if item is not None:
            _npi_system(run, item, 1)
            resource["identifier"] = [item]
    name = xcn_name(run, parts)
    if name:
        resource["name"] = [name]
    degree = parts[6].strip() if count > 6 else ""
    if degree and resource:
        resource["qualification"] = [{"code": _degree(run, degree)}]
    return resource


def _key(run: Run, person: Json) -> tuple[str, str]:
    if "identifier" in person:
        item = person["identifier"][0]
        return item["system"], item["value"]
    return run.feed.source, str(person["name"][0])


@joined("practitioner")
def same_person(run: Run, texts: list[str]) -> list[str]:
    """Further numbers of one person: of the same name, and each of another authority or type.

    PV1-7 repeats for names and identifiers of one physician (HL7 v2.9 chapter 3.4.3.7). Two
    numbers of one authority are two people of one name. The surest of his stands, others beside it.
    """
    persons: dict[str, dict[tuple[str, str], tuple[int, Json]]] = {}
    left = list(texts)
    for rep, text in enumerate(texts):
        if text in ("", NULL):
            continue
        run.rep = rep
        person = restored(_person(run, components(run, text)))
        run.sub = "&"
        if called := _called(person):
            known = persons.setdefault(called, {})
            if known.setdefault(_key(run, person), (rep, person))[0] != rep:
                left[rep] = ""  # told twice
    run.rep = 0
    for same in persons.values():
        if len(same) > 1:
            _join(run, left, same)
    return left


def _called(person: Json) -> str:
    """Family, given names and suffix; `""` of one without a number, or called by an initial."""
    name, *_ = person.get("name", [{}])
    known = "identifier" in person and "family" in name and "given" in name
    if not known or len(name["given"][0].strip(".")) < len("Jo"):
        return ""
    return "|".join((name["family"], *name["given"], *name.get("suffix", ()))).casefold()


def _join(run: Run, left: list[str], same: dict[tuple[str, str], tuple[int, Json]]) -> None:
    items = [person["identifier"][0] for _, person in same.values()]
    if len({(item["system"], str(item.get("type"))) for item in items}) < len(items):
        return
    every = identity({"resourceType": "Practitioner", "identifier": items})
    first = every[0] if every else next(iter(same))
    for key, (rep, person) in same.items():
        if key == first:
            own = person["identifier"]
            more = {"identifier": [*own, *(item for item in items if item not in own)]}
            run.add("Practitioner", {"resourceType": "Practitioner", **person}, *key, more=more)
        else:
            left[rep] = ""


def _degree(run: Run, code: str) -> Json:
    target = terms.table("degree").get(code)
    if target is None:
        run.issue("warning", "code-unknown", "kept as text: not in table degree", 7)
    if target is None or not target.code:
        return {"text": code}
    return {"coding": [{"system": target.system, "code": target.code, "display": target.display}]}


def _npi(number: str, hd: str) -> str:
    return "NPI" if "NPI" in hd.upper() or "2.16.840.1.113883.4.6" in hd else ""


def _npi_system(run: Run, item: Json, part: int) -> None:
    """One system for every NPI; what has not its shape is a number of the sender's own."""
    codes = [coding["code"] for coding in item.get("type", {}).get("coding", ())]
    if "NPI" not in codes and item["system"] != terms.system("npi"):
        return
    if is_npi(item["value"]):
        item["system"] = terms.system("npi")
    else:
        item["system"] = authority(run, "")
        run.issue("warning", "identifier-format", "not the shape of an NPI", part)


@datatype("organization", 10, but=(2, 5, 8, 9))
@lasting
def organization(run: Run, parts: list[str]) -> Json | None:
    """XON to a reference to an Organization of the unit (v2-to-FHIR XON[Organization])."""
    texts = [*parts, *[""] * (10 - len(parts))]
    name, number = texts[0].strip(), texts[9].strip() or texts[2].strip()
    if not name and not number:
        return None
    resource: Json = {}
    key: tuple[str, ...] = (run.feed.source, "name", name.casefold())
    if number:
        item = cx(run, [number, texts[3], "", texts[5], texts[6]])
        if item is not None:
            _npi_system(run, item, 10 if texts[9].strip() else 3)
            resource["identifier"] = [item]
            key = (item["system"], item["value"])
        elif not name:
            return None
    resource["active"] = True
    if name:
        resource["name"] = name
    return _reference(run, "Organization", resource, *key)


@datatype("organization_hd", 3)
@lasting
def organization_hd(run: Run, parts: list[str]) -> Json | None:
    """HD to a reference to an Organization (v2-to-FHIR HD[Organization])."""
    name = (parts[0] or (parts[1] if len(parts) > 1 else "")).strip()
    if not name:
        return None
    item = {"system": authority(run, run.sub.join(parts)), "value": name}
    resource = {"identifier": [item], "active": True, "name": name}
    return _reference(run, "Organization", resource, item["system"], item["value"])


# A place inside a place, the outermost first: (component, physical type, display).
_LEVELS = (
    (3, "si", "Site"),
    (6, "bu", "Building"),
    (7, "lvl", "Level"),
    (0, "wa", "Ward"),
    (1, "ro", "Room"),
    (2, "bd", "Bed"),
)


@datatype("location", 11, but=(12,))
@lasting
def location(run: Run, parts: list[str]) -> Json | None:
    """PL to a chain of Locations by partOf; the reference is to the innermost.

    v2-to-FHIR PL[Location]: facility, building, floor, point of care, room, bed. A place is named
    by all that lie around it, so that bed 1 of two rooms is two places.
    """
    texts = [part.strip() for part in parts] + [""] * (11 - len(parts))
    sender = run.feed.facility or run.facts.get("facility", "") or run.feed.name
    above = ""
    key: tuple[str, ...] = (run.feed.source, sender)
    levels = [_name(run, texts[place]) for place, _, _ in _LEVELS]
    inner = max((n for n, (text, _) in enumerate(levels) if text), default=0)
    for number, (level, (_, code, display)) in enumerate(zip(levels, _LEVELS, strict=True)):
        text, universal = level
        if not text:
            continue
        key = (*key, code, text)
        path = {"system": authority(run, ""), "value": "/".join(key[3::2])}
        resource: Json = {
            "resourceType": "Location",
            "identifier": [path, *universal],
            "status": "active",
            "name": text,
            "mode": "instance",
            "physicalType": {"coding": [{"system": _PHYSICAL, "code": code, "display": display}]},
        }
        if above:
            resource["partOf"] = {"reference": above}
        more = _location_rest(run, resource, texts) if number == inner else None
        above = run.add("Location", resource, *key, more=more)
    if not above and texts[8]:
        resource = {"resourceType": "Location", "status": "active", "mode": "instance"}
        resource["name"] = texts[8]
        more = _location_rest(run, resource, texts)
        above = run.add("Location", resource, *key, "description", texts[8], more=more)
    return {"reference": above} if above else None


def _name(run: Run, written: str) -> tuple[str, list[Json]]:
    """What a place is called, and its universal id where its HD has one (HD[Identifier])."""
    name, *rest = (text.strip() for text in written.split(run.sub))
    if len(rest) < len(("id", "type")) or not rest[0]:
        return " ".join(filter(None, (name, *rest))), []
    number = _SCHEMES.get(rest[1].upper(), "") + rest[0]
    system = {"system": "urn:ietf:rfc:3986"} if ":" in number else {}
    return name or rest[0], [{**system, "value": number}]


_SCHEMES = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "GUID": "urn:uuid:"}


def _location_rest(run: Run, resource: Json, texts: list[str]) -> Json:
    """Status, type, description and own number belong to the innermost place."""
    more: Json = {}
    if texts[8] and resource["name"] != texts[8]:
        more["description"] = texts[8]
    if texts[5]:
        coding = {"system": V2 + "0305", "code": texts[5]}
        more["type"] = [{"coding": [coding]}]
    if texts[4]:
        more["operationalStatus"] = {"system": V2 + "0306", "code": texts[4]}
    if texts[9]:
        own = _whole_identifier(run, texts[9], texts[10])
        known = resource.get("identifier", [])
        more["identifier"] = known if own is None or own in known else [*known, own]
    return more


def _whole_identifier(run: Run, written: str, assigner: str) -> Json | None:
    """PL.10, the innermost place's comprehensive identifier, by PL.11 if it names no authority."""
    number, *hd = written.split(run.sub)
    return ei(run, [number, *(hd if any(hd) else assigner.split(run.sub))])


@datatype("discharged_to", 1)
@lasting
def discharged_to(run: Run, parts: list[str]) -> Json | None:
    """PV1-37 DLD: where the patient went, a kind of place (v2-to-FHIR DLD[Location-Discharge])."""
    kind = concept(run, parts[0].split(run.sub), V2 + "0113")
    if kind is None:
        return None
    coding = kind.get("coding", [{}])[0]
    name = kind.get("text") or coding.get("display") or coding["code"]
    resource = {"resourceType": "Location", "status": "active", "name": name, "type": [kind]}
    key = (run.feed.source, run.feed.facility or run.facts.get("facility", "") or run.feed.name)
    return _reference(run, "Location", resource, *key, "discharged to", str(kind))


@converter("bed_status")
def bed_status(run: Run, text: str) -> None:
    """PV1-40 to operationalStatus of the assigned location, PV1-3 (v2-to-FHIR PV1-40)."""
    encounter = run.drafts.get("Encounter") if own(run, 3) else None
    for item in encounter.resource.get("location", ()) if encounter else ():
        draft = run.side.get(item.get("location", {}).get("reference", ""))
        if draft is not None:
            target = terms.table("bed-status").get(text)
            if target is None:
                raise BadValue("code-unknown", "not in table bed-status")
            draft.opened()["operationalStatus"] = {"system": target.system, "code": target.code}
            return
    run.issue("information", "unmapped", "no assigned location to say it of")
