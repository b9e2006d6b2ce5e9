"""Converters of what MSH, EVN, PV1 and PV2 say of a stay and of the message itself."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.authorities import authority
from adapter.mapping.datatypes import V2, components, concept, cx, yes_no
from adapter.mapping.finish import BASE
from adapter.mapping.lasting import steady
from adapter.mapping.named import location
from adapter.mapping.parts import HL7, added, also, first, own, part
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import Run, restored
from adapter.mapping.times import dtm

Json = dict[str, Any]
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_TEMPORARY = {"system": f"{BASE}/CodeSystem/ecm", "code": "temporary", "display": "Temporary"}


# --- MSH, EVN, SFT


@builder("sending_device")
@steady(24)
def sending_device(run: Run, texts: list[str]) -> list[Json]:
    """MSH-3 beside MSH-24: the sending application as a source (v2-to-FHIR MSH-3)."""
    name = part(texts[0].split("^"), 1) or part(texts[0].split("^"), 2)
    if not own(run, 24) or not name:
        return []
    system = authority(run, texts[0].replace("^", run.sub))
    item = {"system": system, "value": name}
    device = {"identifier": [item], "deviceName": [{"name": name, "type": "user-friendly-name"}]}
    return [{"role": "source", "what": added(run, "Device", device, system, name)}]


@datatype("organization_words", 10, but=(2, 4, 5, 6, 7, 8, 9))
@steady()
def organization_words(run: Run, parts: list[str]) -> str | None:
    """SFT-1 XON[string]: the vendor's name, or its number."""
    return part(parts, 1) or part(parts, 10) or part(parts, 3) or None


@converter("install_date")
def install_date(run: Run, text: str) -> Json:
    """SFT-6: when the version was installed, in the element of R5 (v2-to-FHIR SFT-6)."""
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Device.version.installDate"
    return {"url": url, "valueDateTime": dtm(run, text)}


@builder("unknown_reason")
def unknown_reason(run: Run, texts: list[str]) -> None:
    """EVN-4 U: the reason is unknown, and its element says so (v2-to-FHIR EVN-4)."""
    draft = run.drafts.get("Provenance")
    if draft is None or texts[0].split("^")[0].strip() != "U":
        return
    absent = {"url": HL7 + "data-absent-reason", "valueCode": "unknown"}
    *others, last = draft.resource["reason"]
    draft.resource["reason"] = [*others, {**last, "extension": [absent]}]


@converter("occurred")
def occurred(run: Run, text: str) -> str:
    """EVN-6: when it happened; the event may give this time to what its message leaves open."""
    run.facts["occurred"] = value = dtm(run, text)
    return value


# --- PV1, PV2


@datatype("assigned_location", 11, but=(12,))
@steady(2)
def assigned_location(run: Run, parts: list[str]) -> Json | None:
    """PV1-3: where the patient is, or will be when PV1-2 is P (v2-to-FHIR PV1-3)."""
    place = location(run, parts)
    kind = terms.table("patient-class").get(own(run, 2).partition("^")[0].strip())
    planned = kind is not None and kind.code == "PRENC"
    return {"location": place, "status": "planned" if planned else "active"} if place else None


@datatype("temporary_location", 11, but=(12,))
@steady()
def temporary_location(run: Run, parts: list[str]) -> Json | None:
    """PV1-11: a place for the time being (v2-to-FHIR PV1-11, subject-locationClassification)."""
    place = location(run, parts)
    if place is None:
        return None
    kind = {
        "url": HL7 + "subject-locationClassification",
        "valueCodeableConcept": {"coding": [dict(_TEMPORARY)]},
    }
    return {"extension": [kind], "location": place, "status": "active"}


@datatype("prior_temporary", 11, but=(12,))
@steady()
def prior_temporary(run: Run, parts: list[str]) -> Json | None:
    """PV1-43: where the patient was for a time; R4 has no EncounterHistory, a Basic holds it."""
    place = location(run, parts)
    if place is None:
        return None
    base = "http://hl7.org/fhir/5.0/StructureDefinition/extension-EncounterHistory.location"
    kind = {"coding": [dict(_TEMPORARY)]}
    inner: list[Json] = [
        {"url": f"{base}.location", "valueReference": place},
        {"url": f"{base}.location.status", "valueCode": "completed"},
        {"url": HL7 + "subject-locationClassification", "valueCodeableConcept": kind},
    ]
    return {"url": base, "extension": inner}


@converter("finished")
def finished(run: Run, text: str) -> str:
    """PV1-45: a stay with an end is finished (v2-to-FHIR PV1-45). Raises BadValue for no time."""
    dtm(run, text)
    return "finished"


@builder("protected")
def protected(run: Run, texts: list[str]) -> list[Json]:
    """PV2-22 Y: a protected visit carries the label restricted (v2-to-FHIR PV2-22); N ends that."""
    if yes_no(run, texts[0].strip().upper()):
        return [{"system": _CONFIDENTIALITY, "code": "R", "display": "restricted"}]
    stay = run.drafts.get("Encounter")
    if stay is not None:
        stay.cleared.append("meta.security")
    return []


@datatype("restriction", 20, but=(15, 16, 18, 19))
@steady()
def restriction(run: Run, parts: list[str]) -> Json | None:
    """ARV-3: a restriction of access as security label, with its own code (HL7 table 0717)."""
    code = part(parts, 1)
    if not code:
        return None
    system = "http://terminology.hl7.org/CodeSystem/v2-0717"
    display = part(parts, 2)
    return {"system": system, "code": code, **({"display": display} if display else {})}


@datatype("episode_number", 10, but=(3,))
def episode_number(run: Run, parts: list[str]) -> Json | None:
    """PV1-54: the hospital's episode of service, where the sender's profile asks for it.

    An EpisodeOfCare is a member's enrollment here, so that one of another kind is not made unasked.
    """
    return cx(run, parts) if _episodes(run) else None


@converter("episode_text")
def episode_text(run: Run, text: str) -> Json | None:
    """PV1-53: what the hospital calls its episode of service (resource-instance-description)."""
    url = HL7 + "resource-instance-description"
    return {"url": url, "valueString": text.strip()} if _episodes(run) else None


def _episodes(run: Run) -> bool:
    if "service-episodes" in run.feed.switches:
        return True
    run.issue_once("unmapped", "service-episodes", "the sender's profile asks for no episodes")
    return False


@builder("important_person")
def important_person(run: Run, texts: list[str]) -> list[Json]:
    """PV1-16 as patient-importance, where a sender means the person and not the visit by it."""
    if "important-persons" not in run.feed.switches:
        return []
    parts = texts[0].split("^")
    system = "http://terminology.hl7.org/CodeSystem/v2-0099"
    concept = {"coding": [{"system": system, "code": part(parts, 1)}]}
    return [{"url": HL7 + "patient-importance", "valueCodeableConcept": concept}]


@builder("financial_class")
def financial_class(run: Run, texts: list[str]) -> None:
    """PV1-20: the type of the coverage that IN1 names, where IN1-15 does not (PV1[Coverage])."""
    groups, line = run.groups, run.line
    if len(texts) > 1:
        run.issue("information", "unmapped", "only the first financial class has an element")
    parts = components(run, texts[0])
    kind = restored(concept(run, parts[0].split(run.sub), V2 + "0064"))
    run.sub = "&"
    if part(parts, 2):
        run.issue("information", "unmapped", "a date of the financial class has no element", 2)
    if not kind or groups is None:
        return

    def put(run: Run) -> None:
        draft = next((d for d in run.made[max(groups.mark, 0) :] if d.name == "Coverage"), None)
        if draft is not None and "type" not in draft.resource:
            draft.resource["type"] = kind
            draft.origins.append((draft.line, "type", "PV1-20"))
            return
        text = "no insurance to say it of" if draft is None else "the insurance tells its own type"
        last, run.line, run.label = run.line, line, "PV1-20"
        run.issue("information", "unmapped", text)
        run.line = last

    groups.later.append(put)


# --- NPU


@builder("bed")
def bed(run: Run, texts: list[str]) -> None:
    """NPU-1 with NPU-2: the state of a bed (table 0116; A20)."""
    reference = first(also(run, 1, location))
    code = own(run, 2).split("^")[0].strip()
    if reference is None or not code:
        return
    target = terms.table("bed-status").get(code)
    if target is None:
        run.issue("warning", "code-unknown", "kept as it came: not in table bed-status")
    status = {"system": target.system, "code": target.code} if target else {}
    run.opened(reference)["operationalStatus"] = status or {
        "system": V2 + "0116",
        "code": code,
    }
