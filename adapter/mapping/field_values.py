"""Converters that one HL7 v2 field needs and no datatype gives."""

from __future__ import annotations

from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from adapter import terms
from adapter.mapping.authorities import authority
from adapter.mapping.datatypes import concept, positive, repetitions
from adapter.mapping.keys import called
from adapter.mapping.parts import oneself
from adapter.mapping.people import xpn
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import BadValue, Draft, Link, Run, Side

Json = dict[str, Any]
_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_TRIBE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-tribal-affiliation"


@datatype("first_part", 1)
def first_part(run: Run, parts: list[str]) -> str | None:
    """The first component as text: XON.1, CX.1, CWE.1."""
    return parts[0].strip() or None


@datatype("family_name", 3)
def family_name(run: Run, parts: list[str]) -> str | None:
    """PID-6: the name as one string (v2-to-FHIR XPN[String])."""
    words = [part.strip() for part in (*parts[1:3], parts[0].split(run.sub)[0])]
    return " ".join(word for word in words if word) or None


@converter("narrative")
def narrative(run: Run, text: str) -> Json:
    """PV2-12: a description as Narrative (v2-to-FHIR PV2-12)."""
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(text.strip())}</div>'
    return {"status": "additional", "div": div}


def _complex(name: str, parts: dict[str, Json]) -> Json:
    inner = [{"url": url, "valueCodeableConcept": value} for url, value in parts.items()]
    return {"url": _HL7 + name, "extension": inner}


@builder("citizenship")
def citizenship(run: Run, texts: list[str]) -> list[Json]:
    """PID-26: one patient-citizenship extension a repetition."""
    found = [concept(run, parts, "") for parts in repetitions(run, texts)]
    return [_complex("patient-citizenship", {"code": item}) for item in found if item]


@builder("tribal_affiliation")
def tribal_affiliation(run: Run, texts: list[str]) -> list[Json]:
    """PID-39: one US Core tribal affiliation a repetition (US Core 6.1.0).

    The guide has patient-citizenship for it as for PID-26, and asks there for something of its own.
    """
    found = [concept(run, parts, "") for parts in repetitions(run, texts)]
    return [
        {"url": _TRIBE, "extension": [{"url": "tribalAffiliation", "valueCodeableConcept": item}]}
        for item in found
        if item
    ]


@builder("nationality")
def nationality(run: Run, texts: list[str]) -> list[Json]:
    """PID-28: one patient-nationality extension a repetition."""
    found = [concept(run, parts, "") for parts in repetitions(run, texts)]
    return [_complex("patient-nationality", {"code": item}) for item in found if item]


@builder("species")
def species(run: Run, texts: list[str]) -> list[Json]:
    """PID-35: the patient-animal extension, of one species."""
    found = [concept(run, parts, "") for parts in repetitions(run, texts)]
    return [_complex("patient-animal", {"species": item}) for item in found if item][:1]


# --- DG1


@converter("deleted_diagnosis")
def deleted_diagnosis(run: Run, text: str) -> Json | None:
    """DG1-21: D takes the diagnosis back (v2-to-FHIR DG1-21; table 0206)."""
    if terms.table("action-code").get(text) is None:
        raise BadValue("code-unknown", "not in table action-code")
    if text != "D":
        return None
    if not any(run.fields[n].strip('" ') for n in (3, 4, 20) if n < len(run.fields)):
        run.issue("warning", "required", "no code says which diagnosis is taken back")
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {"coding": [{"system": system, "code": "entered-in-error"}]}


@builder("encounter_diagnosis")
def encounter_diagnosis(run: Run, texts: list[str]) -> None:
    """DG1-3, -6, -15: the stay's link to the Condition, with use and rank (DG1[Encounter])."""
    stay, condition = run.drafts.get("Encounter"), run.drafts.get("Condition")
    if stay is None or condition is None or linked(stay, condition):
        return
    item = _use_and_rank(run, *(run.fields[n] if len(run.fields) > n else "" for n in (6, 15)))

    def put(draft: Draft, reference: Json, rep: int) -> None:
        rows, row = draft.resource.setdefault("diagnosis", []), {"condition": reference, **item}
        if row not in rows:
            rows.append(row)

    stay.links.append(Link("diagnosis", put, condition))
    told_diagnosis(run, texts)
    if _action(run) in ("A", "D", "U"):
        stay.parts["diagnosis"] = []  # DG1-21: each by itself, not the whole list


def linked(draft: Draft, to: Draft) -> bool:
    """Whether a draft has a link to another one: of the fields that may name it the first did."""
    return any(link.to is to for link in draft.links)


@builder("told_diagnosis")
def told_diagnosis(run: Run, texts: list[str]) -> None:
    """DG1-3, -4 or -20 with DG1-21: what is told is no error any more, whatever was told before."""
    _told(run, run.drafts.get("Condition"), _action(run))


def _told(run: Run, draft: Draft | None, action: str) -> None:
    """Take back that a diagnosis or an allergy was an error, unless the segment says so.

    Both told and taken back in one message it is replaced: what is taken back is not this one.
    """
    if draft is None or "verificationStatus" in draft.cleared:
        return
    if action != "D":
        draft.cleared.append("verificationStatus")
    elif run.groups is not None:
        run.groups.later.append(partial(_replaced, draft))


def _action(run: Run) -> str:
    return run.fields[21].strip() if len(run.fields) > 21 else ""


def _replaced(wrong: Draft, run: Run) -> None:
    """Forget that something is taken back when the same message tells it too."""
    mark, name = run.groups.mark if run.groups else 0, called(wrong)
    others = (draft for draft in run.made[max(mark, 0) :] if draft.kind == wrong.kind)
    told = [called(one) for one in others if "verificationStatus" in one.cleared]
    if name not in told or wrong not in run.made:
        return
    run.made.remove(wrong)
    stay = run.drafts.get("Encounter")
    if stay is not None:
        stay.links = [link for link in stay.links if link.to is not wrong]


def _use_and_rank(run: Run, kind: str, rank: str) -> Json:
    """DG1-6 and DG1-15 as the use and rank of a diagnosis; what they cannot be is reported."""
    item: Json = {}
    table, own = terms.table("diagnosis-type"), run.label
    for parts in repetitions(run, [kind]):
        run.label = "DG1-6"
        target = table.get(parts[0].strip())
        if target is None:
            run.issue("warning", "code-unknown", "kept as it came: not in table diagnosis-type")
        if target is not None and target.code:
            item["use"] = {"coding": [{"system": target.system, "code": target.code}]}
        elif use := concept(run, parts, table.system):
            item["use"] = use
    run.label = "DG1-15"
    try:
        item.update({"rank": positive(run, rank)} if rank.strip('"0') else {})  # 0: no rank given
    except BadValue as bad:
        run.issue("warning", bad.detail, bad.text)
    run.label = own
    return item


# --- AL1


@builder("told_allergy")
def told_allergy(run: Run, texts: list[str]) -> None:
    """AL1-3, IAM-3 or -7 with IAM-6: an allergy that is told is no error any more (table 0323)."""
    action = run.fields[6] if run.label.startswith("IAM") and len(run.fields) > 6 else ""
    _told(run, run.drafts.get("AllergyIntolerance"), action.partition("^")[0].strip().upper())


@datatype("allergy_category", 1)
def allergy_category(run: Run, parts: list[str]) -> str | None:
    """AL1-2 to category (table 0127); an unlisted type is left to `type`'s finding."""
    target = terms.table("allergen-type").get(parts[0].strip())
    return target.code or None if target else None


@datatype("allergy_reaction", 20, but=(15, 16, 18, 19))
def allergy_reaction(run: Run, parts: list[str]) -> Json | None:
    """AL1-5, IAM-5: one reaction a repetition, as it is written (v2-to-FHIR AL1-5).

    The field is text; what names a coding system is coded all the same.
    """
    if len(parts) > 2 and parts[2].strip() and (coded := concept(run, parts, "")):
        return {"manifestation": [coded]}
    text = " ".join(part.strip() for part in parts[:2] if part.strip())
    return {"manifestation": [{"text": text}]} if text else None


# --- IN1


@datatype("plan_identifier", 3, but=(2,))
def plan_identifier(run: Run, parts: list[str]) -> Json | None:
    """IN1-2 CWE: the plan's own number (v2-to-FHIR CWE[Identifier])."""
    value = parts[0].strip()
    if not value:
        return None
    return {"system": authority(run, parts[2] if len(parts) > 2 else ""), "value": value}


@datatype("subscriber", 14, but=(8, 9, 11))
def subscriber(run: Run, parts: list[str]) -> Json | None:
    """IN1-16 with IN1-17: the patient, or a RelatedPerson by name (v2-to-FHIR IN1-16)."""
    patient = run.drafts.get("Patient")
    relation = (run.fields[17] if len(run.fields) > 17 else "").split("^")[0].upper()
    coverage = run.drafts.get("Coverage")
    name = xpn(run, parts)
    same = not relation and patient is not None and _same_name(name, patient)
    if same or oneself(relation):
        if coverage is not None and patient is not None:
            coverage.links.append(Link("subscriber", _put_subscriber, patient))
        return None
    if name is None:
        return None
    resource: Json = {"resourceType": "RelatedPerson", "active": True, "name": [name]}
    label = str(sorted(name.items()))
    mrn = _patient_label(patient)
    urn = run.add("RelatedPerson", resource, run.feed.source, mrn, label)
    if patient is not None:
        run.side[urn].link("patient", _put_patient, patient)
    return {"reference": urn}


def _same_name(name: Json | None, patient: Draft) -> bool:
    """Whether the insured, of no stated relation, has the patient's family and first given name."""

    def words(item: Json) -> tuple[str, str]:
        given = [*item.get("given", ()), ""][0]
        return str(item.get("family", "")).casefold(), str(given).casefold()

    known = patient.resource.get("name", ())
    return name is not None and any(words(item) == words(name) for item in known)


def _patient_label(patient: Draft | None) -> str:
    items = patient.resource.get("identifier", ()) if patient else ()
    return next((f"{item.get('system')}|{item.get('value')}" for item in items), "")


def _put_subscriber(draft: Draft, reference: Json, rep: int) -> None:
    draft.resource["subscriber"] = reference


def _put_patient(side: Side, reference: Json, rep: int) -> None:
    side.resource["patient"] = reference


# --- EVN


@datatype("location_hd", 3)
def location_hd(run: Run, parts: list[str]) -> Json | None:
    """EVN-7 HD: the facility where it happened, as a Location (v2-to-FHIR HD[Location])."""
    name = (parts[0] or (parts[1] if len(parts) > 1 else "")).strip()
    if not name:
        return None
    item = {"system": authority(run, run.sub.join(parts)), "value": name}
    resource = {"resourceType": "Location", "identifier": [item], "status": "active", "name": name}
    return {"reference": run.add("Location", resource, item["system"], item["value"])}
