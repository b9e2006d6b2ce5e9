"""Converters of OBX and NTE: what was observed, by whom, with what, on what."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.datatypes import V2, components, concept, ei, repetitions
from adapter.mapping.identifier_types import identifier_type
from adapter.mapping.named import organization, practitioner
from adapter.mapping.observation_types import DOCUMENTS, attachment, measured, unit, value
from adapter.mapping.parts import HL7, added, also, first, gather, of, own, part, reach
from adapter.mapping.people import xad
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import BadValue, Run, Side, restored
from adapter.mapping.times import dtm

Json = dict[str, Any]
_SPECIMEN = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.specimen"


@builder("observation_id")
def observation_id(run: Run, texts: list[str]) -> Json | None:
    """OBX-4: what tells observations of one code apart (observation-v2-subid, OG)."""
    parts = components(run, texts[0])
    groups = parts[0].split(run.sub)
    if len(groups) == 1:
        groups = parts
    run.sub = "&"
    names = ("original-sub-identifier", "group", "sequence", "identifier")
    inner = [
        {"url": name, "valueString": restored(text.strip())}
        for name, text in zip(names, groups, strict=False)
        if text.strip()
    ]
    return {"url": HL7 + "observation-v2-subid", "extension": inner} if inner else None


@builder("same_code")
def same_code(run: Run, texts: list[str]) -> Json | None:
    """OBX-3 met before in the message and without OBX-4: its set id (OBX-1) tells them apart."""
    fact = f"{run.unit.at.line}:{texts[0]}"
    seen = ("OBX-3", fact) in run.once
    run.once.add(("OBX-3", fact))
    if not seen or own(run, 4):
        return None
    return observation_id(run, [own(run, 1) or str(run.line)])


@builder("observed")
def observed(run: Run, texts: list[str]) -> None:
    """OBX-5 by OBX-2 and OBX-6: a value, or a component for each of several (OBX[Observation])."""
    draft, kind = run.drafts.get("Observation"), own(run, 2).strip().upper()
    if draft is None:
        run.issue("information", "unmapped", "a value of no observation")
        return
    units = first(also(run, 6, unit)) or {}
    if kind == "NA" and len(texts) > 1:
        texts = ["^".join(texts)]
    found = list(_values(run, kind, texts, units))
    draft.origins += [(run.line, key, run.label) for one in found for key in one]
    if units and found and not all(measured(one, units) for one in found):
        run.label = "OBX-6"
        run.issue("information", "unmapped", "a value of this type has no unit")
    if len(found) > 1:
        code = draft.resource.get("code")
        draft.resource["component"] = [{"code": code, **one} for one in found if code]
    elif found:
        extension = found[0].pop("extension", [])
        draft.resource.update(found[0])
        gather(draft.resource, "extension", extension)


def _values(run: Run, kind: str, texts: list[str], units: Json) -> list[Json]:
    found = []
    for parts in repetitions(run, texts):
        try:
            one = value(run, kind, parts, units)
            if kind in DOCUMENTS:
                _document(run, attachment(parts, kind))
        except BadValue as bad:
            run.issue("warning", bad.detail, bad.text, bad.part)
            continue
        if one:
            found.append(one)
    return found


def _document(run: Run, item: Json) -> None:
    """An attached document as DocumentReference, from which the observation is derived."""
    draft, patient = run.drafts.get("Observation"), run.drafts.get("Patient")
    resource = {"status": "current", "content": [{"attachment": item}]}
    unit = run.unit
    reference = added(
        run, "DocumentReference", resource, run.feed.source, unit.key, str(run.line), str(run.rep)
    )
    if draft is not None:
        gather(draft.resource, "derivedFrom", [reference])
    if patient is not None:
        run.side[reference["reference"]].link("subject", _put_subject, patient)


def _put_subject(side: Side, reference: Json, rep: int) -> None:
    side.resource["subject"] = reference


@builder("reference_range")
def reference_range(run: Run, texts: list[str]) -> list[Json]:
    """OBX-7: of the value, or of each component (OBX[Observation-Component])."""
    draft = run.drafts.get("Observation")
    parts = draft.resource.get("component", ()) if draft is not None else ()
    text = next(repetitions(run, texts), [""])[0].strip()
    for one in parts:
        one["referenceRange"] = [{"text": text}]
    return [{"text": text}] if text and not parts else []


@converter("not_asked")
def not_asked(run: Run, text: str) -> Json | None:
    """OBX-11 N: why there is no value (v2-to-FHIR OBX-11)."""
    if text.strip().upper() != "N" or own(run, 5):
        return None
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return {"coding": [{"system": system, "code": "not-asked"}]}


@converter("kept_status")
def kept_status(run: Run, text: str) -> Json | None:
    """OBX-11 as it came, beside the status that FHIR has for it (v2-to-FHIR OBX-11)."""
    target = terms.table("observation-status").get(text.strip())
    if target is None:
        return None
    concept = {"coding": [{"system": V2 + "0085", "code": text.strip()}]}
    url = HL7 + "alternate-codes"
    return {"extension": [{"url": url, "valueCodeableConcept": concept}]}


# --- who observed


def _role(run: Run, system: str, code: str, **parts: Any) -> Json:
    """A reference to a PractitionerRole with this code."""
    resource = {**parts, "code": [{"coding": [{"system": system, "code": code}]}]}
    keys = [str(one.get("reference", "")) for one in parts.values()]
    return added(run, "PractitionerRole", resource, code, *keys)


@datatype("observer", 21, but=(8, 14, 15, 16))
def observer(run: Run, parts: list[str]) -> Json | None:
    """OBX-16: the responsible observer in that role (v2-to-FHIR OBX-16)."""
    person = practitioner(run, parts)
    system = "http://terminology.hl7.org/CodeSystem/practitioner-role"
    return _role(run, system, "responsibleObserver", practitioner=person) if person else None


@datatype("producer", 9, but=(4, 5, 6, 7, 8))
def producer(run: Run, parts: list[str]) -> Json | None:
    """OBX-15: the producer as an Organization; with OBX-25 its director's role has it."""
    if own(run, 25):
        return None
    return _produced_by(run, parts)


def _produced_by(run: Run, parts: list[str]) -> Json | None:
    name = part(parts, 9) or part(parts, 2)
    return organization(run, [name, "", part(parts, 1), "", "", part(parts, 3)])


@datatype("performing_organization", 10, but=(2, 5, 8, 9))
def performing_organization(run: Run, parts: list[str]) -> Json | None:
    """OBX-23 with OBX-24: who made the observation; with OBX-25 the director's role has it."""
    return None if own(run, 25) else _with_address(run, organization(run, parts))


def _with_address(run: Run, reference: Json | None) -> Json | None:
    if reference is not None:
        reach(of(run, reference), "address", also(run, 24, xad))
    return reference


@datatype("director", 21, but=(8, 14, 15, 16))
def director(run: Run, parts: list[str]) -> Json | None:
    """OBX-25: the medical director, of the organization in OBX-23 or OBX-15 (v2-to-FHIR OBX-25)."""
    person = practitioner(run, parts)
    if person is None:
        return None
    place = first(also(run, 23, organization)) or first(also(run, 15, _produced_by))
    found = {"organization": _with_address(run, place)} if place else {}
    return _role(run, V2 + "0912", "MDIR", practitioner=person, **found)


@datatype("device", 4)
def device(run: Run, parts: list[str]) -> Json | None:
    """OBX-18: the instrument by its number (v2-to-FHIR OBX-18)."""
    item = ei(run, parts)
    if item is None:
        return None
    return added(run, "Device", {"identifier": [item]}, item["system"], item["value"])


@datatype("filler_id", 4)
def filler_id(run: Run, parts: list[str]) -> Json | None:
    """OBX-21: the observation's own number, of the filler (v2-to-FHIR OBX-21)."""
    item = ei(run, parts)
    return {"type": identifier_type(run, "FILL", 1), **item} if item else None


@builder("specimens")
def specimens(run: Run, texts: list[str]) -> list[Json]:
    """OBX-33: the specimen; R4 has room for one, others are in the element of R5 (OBX-33)."""
    references = [one for rep, text in enumerate(texts) if (one := _specimen(run, rep, text))]
    run.rep = 0
    draft = run.drafts.get("Observation")
    if len(references) == 1 and draft is not None:
        draft.resource["specimen"] = references[0]
        return []
    return [{"url": _SPECIMEN, "valueReference": reference} for reference in references]


def _specimen(run: Run, rep: int, written: str) -> Json | None:
    """EIP: a Specimen with the numbers of placer and filler."""
    found: list[Json] = []
    run.rep, parts = rep, components(run, written)
    for text, kind in ((part(parts, 1), "PGN"), (part(parts, 2), "FILL")):
        item = ei(run, text.split(run.sub))
        if item is not None:
            found.append({"type": identifier_type(run, kind, 1), **restored(item)})
    run.sub = "&"
    if not found:
        return None
    return added(run, "Specimen", {"identifier": found}, found[0]["system"], found[0]["value"])


# --- PDA


@builder("death_cause")
def death_cause(run: Run, texts: list[str]) -> Json | None:
    """PDA-1: the causes as codings of one concept (HL7 v2.9 chapter 3.4.12.1)."""
    found = [concept(run, parts, "") for parts in repetitions(run, texts)]
    item: Json = {}
    for one in found:
        gather(item, "coding", (one or {}).get("coding", []))
    words = [one["text"] for one in found if one and "text" in one]
    return {**item, **({"text": "; ".join(words)} if words else {})} or None


# --- NTE


@builder("note")
def note(run: Run, texts: list[str]) -> Json | None:
    """NTE-3, -5, -6: a note on the observation before it (v2-to-FHIR NTE[Observation])."""
    text = "\n".join(parts[0] for parts in repetitions(run, texts)).strip()
    if not text:
        return None
    item: Json = {"text": text}
    if author := first(also(run, 5, practitioner)):
        item["authorReference"] = author
    if when := first(also(run, 6, lambda run, parts: dtm(run, part(parts, 1)))):
        item["time"] = when
    return item
