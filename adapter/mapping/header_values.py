"""Converters of what MSH says of a message's way: endpoints, devices, labels."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.authorities import authority
from adapter.mapping.datatypes import V2, codings, repetitions
from adapter.mapping.parts import added, gather, of, part
from adapter.mapping.registry import builder, datatype
from adapter.mapping.run import Run

Json = dict[str, Any]


@datatype("endpoint", 3)
def endpoint(run: Run, parts: list[str]) -> str | None:
    """HD as the address of an application: its universal id, else a URI of its name."""
    hd = run.sub.join(parts[:3])
    return authority(run, hd) if hd.strip(run.sub) else None


@datatype("device_hd", 3)
def device_hd(run: Run, parts: list[str]) -> Json | None:
    """HD to a Device: an application by its names (v2-to-FHIR HD[Device])."""
    name = part(parts, 1) or part(parts, 2)
    if not name:
        return None
    item = {"system": authority(run, run.sub.join(parts[:3])), "value": name}
    return added(run, "Device", {"identifier": [item]}, item["system"], item["value"])


@datatype("security_words", 1)
def security_words(run: Run, parts: list[str]) -> Json | None:
    """MSH-8: a label in words; the standard says nothing of its content."""
    return {"display": part(parts, 1)} if part(parts, 1) else None


@datatype("security_label", 20, but=(15, 16, 18, 19))
def security_label(run: Run, parts: list[str]) -> Json | None:
    """MSH-26, MSH-27: a label of the message (v2-to-FHIR CWE[Coding])."""
    found = codings(run, parts, "http://terminology.hl7.org/CodeSystem/v3-Confidentiality")
    return found[0] if found else None


@datatype("message_event", 3)
def message_event(run: Run, parts: list[str]) -> Json:
    """MSH-9: the event, and the whole type as display (v2-to-FHIR MSG[Coding])."""
    display = "^".join(text for text in parts if text)
    return {"system": V2 + "0003", "code": part(parts, 2), "display": display}


@datatype("message_language", 3, but=(2,))
def message_language(run: Run, parts: list[str]) -> str | None:
    """MSH-19: the language as a BCP 47 tag."""
    target = terms.table("language").get(part(parts, 1))
    return target.code if target is not None and target.code else None


@builder("processing")
def processing(run: Run, texts: list[str]) -> list[Json]:
    """MSH-11: processing id and mode as tags (v2-to-FHIR PT[Meta])."""
    parts = texts[0].split("^")
    tables = ("0103", "0207")
    return [
        {"system": V2 + table, "code": text.strip()}
        for table, text in zip(tables, parts, strict=False)
        if text.strip()
    ]


@builder("sender_country")
def sender_country(run: Run, texts: list[str]) -> None:
    """MSH-17: the country of the sender (table 0399, v2-to-FHIR MSH-17)."""
    draft = run.drafts.get("MessageHeader")
    sender = draft.resource.get("sender") if draft is not None else None
    for parts in repetitions(run, texts):
        gather(of(run, sender), "address", [{"country": part(parts, 1)}])
