"""What reports read from FHIR JSON: codes, identifiers, extensions, days and current elements."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.record import Resource

OURS = "https://ecm-adapter.example/fhir"
ECM = f"{OURS}/CodeSystem/ecm"


def codes(concepts: Iterable[dict[str, Any]], system: str) -> list[str]:
    """The codes of a system among CodeableConcepts, in order."""
    codings = [coding for concept in concepts for coding in concept.get("coding", ())]
    return [row["code"] for row in codings if row.get("system") == system and "code" in row]


def identifier(resource: Resource, system: str) -> str:
    """The first value of an identifier system that is still in use; `""` if none.

    One that is only kept to be found by (`secondary`) comes after the others.
    """
    rows = [row for row in resource.get("identifier", ()) if row.get("system") == system]
    kept = [row for row in rows if row.get("value") and row.get("use") != "old"]
    kept.sort(key=lambda row: row.get("use") == "secondary")
    return kept[0]["value"] if kept else ""


def extensions(resource: Resource, name: str) -> list[dict[str, Any]]:
    """The extensions of one of our definitions (`acuity`)."""
    url = f"{OURS}/StructureDefinition/{name}"
    return [row for row in resource.get("extension", ()) if row.get("url") == url]


def concept(resource: Resource, name: str) -> dict[str, Any]:
    """The CodeableConcept of one of our extensions; empty if absent."""
    rows = extensions(resource, name)
    found: dict[str, Any] = rows[0].get("valueCodeableConcept", {}) if rows else {}
    return found


def current(rows: Iterable[dict[str, Any]], use: str) -> dict[str, Any]:
    """The element of a use that has not ended, else the first that has not; empty if none."""
    kept = [r for r in rows if r.get("use") != "old" and "end" not in r.get("period", {})]
    return next((row for row in kept if row.get("use") == use), kept[0] if kept else {})


def ref_of(reference: dict[str, Any]) -> str:
    """A literal reference, `""` if it has none."""
    found: str = reference.get("reference", "")
    return found


def day_of(text: str, zone: ZoneInfo) -> date | None:
    """The day of a FHIR date or dateTime in a zone; None when it does not name a day."""
    if len(text) < len("2026-01-01"):
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(zone).date() if moment.tzinfo else moment.date()
