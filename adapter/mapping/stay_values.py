"""Converters of the codes that UB-04 and HL7 both have for a stay: admission, source, discharge."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.datatypes import SYSTEMS, concept
from adapter.mapping.lasting import steady
from adapter.mapping.parts import own, part, told
from adapter.mapping.registry import datatype
from adapter.mapping.run import Run

Json = dict[str, Any]
_NUBC = "https://www.nubc.org/CodeSystem/"
_ORIGIN = f"{_NUBC}PointOfOrigin"
_NEWBORN = frozenset(("N", "4"))  # PV1-4: HL7 table 0007, UB-04 FL 14


@datatype("admission_type", 14)
@steady()
def admission_type(run: Run, parts: list[str]) -> Json | None:
    """PV1-4: HL7 table 0007, or NUBC's priority of admission (UB-04 FL 14)."""
    return told(run, _of_nubc(parts, "PriorityTypeOfAdmitOrVisit"), "admission-type")


@datatype("discharge_disposition", 14)
@steady()
def discharge_disposition(run: Run, parts: list[str]) -> Json | None:
    """PV1-36: HL7 table 0112, or NUBC's patient discharge status (UB-04 FL 17)."""
    return told(run, _of_nubc(parts, "PatDischargeStatus"), "discharge-disposition")


@datatype("admit_source", 14)
@steady(4)
def admit_source(run: Run, parts: list[str]) -> Json | None:
    """PV1-14: HL7 table 0023, or NUBC's point of origin (UB-04 FL 15), another one of newborns."""
    kind = part(own(run, 4).split("^"), 1).upper()
    if kind in _NEWBORN:
        parts = _of_nubc(parts, "PointOfOriginNewborn")
        newborn = any(text.endswith("Newborn") for text in parts)
        return concept(run, parts, "") if newborn else told(run, parts, "admit-source")
    parts = _of_nubc(parts, "PointOfOrigin")
    found = concept(run, parts, terms.table("admit-source").system) or {}
    systems = [coding.get("system") for coding in found.get("coding", ())]
    return told(run, parts, "point-of-origin" if _ORIGIN in systems else "admit-source")


def _of_nubc(parts: list[str], system: str) -> list[str]:
    """A CWE in which `NUBC` is one of NUBC's code systems: which one, only the field tells."""
    return [
        f"{_NUBC}{system}" if place in SYSTEMS and text.strip().upper() == "NUBC" else text
        for place, text in enumerate(parts)
    ]
