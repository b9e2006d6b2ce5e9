"""Builders for HL7 v2 fields that make one value of all their repetitions."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.datatypes import V2, codings, repetitions
from adapter.mapping.lasting import steady
from adapter.mapping.parts import part
from adapter.mapping.registry import builder
from adapter.mapping.run import Run

Json = dict[str, Any]
_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_OWN = (_NULL, f"{V2}0005", f"{V2}0189")


@builder("us_core_race")
@steady()
def us_core_race(run: Run, texts: list[str]) -> Json | None:
    """PID-10 to the US Core race extension (6.1.0: at most 5 categories, text always)."""
    return demographic(run, texts, "race", 5)


@builder("us_core_ethnicity")
@steady()
def us_core_ethnicity(run: Run, texts: list[str]) -> Json | None:
    """PID-22 to the US Core ethnicity extension (at most 1 category, text always)."""
    return demographic(run, texts, "ethnicity", 1)


def demographic(run: Run, texts: list[str], name: str, most: int) -> Json | None:
    """The US Core extension of table `race` or `ethnic-group`: categories, details, text.

    What has no row goes into the text only, a code is reported (us-core-race, us-core-23:
    unknown stands alone).
    """
    table = terms.table("race" if name == "race" else "ethnic-group")
    categories: list[Json] = []
    words: list[str] = []
    for parts in repetitions(run, texts):
        found = codings(run, parts)
        for coding in found or [{"code": "", "display": part(parts, 2)}]:
            target = _meant(table, coding)
            if target is not None and target.code:
                categories.append(_category(target))
                words.append(target.display)
                break
        else:
            words.append(_word(run, parts, found))
    return us_core_extension(name, _distinct(categories), [word for word in words if word], most)


def _meant(table: terms.Table, coding: Json) -> terms.Target | None:
    """What a code means, or what it is called: `U` of another list may be Hawaiian."""
    code, name = coding["code"], coding.get("display", "")
    words = bool(name) and not table.display(code)
    if words and coding.get("system", _NULL) not in _OWN:
        return table.get(name)
    return table.get(code) or table.get(name)


def _category(target: terms.Target) -> Json:
    return {"system": target.system, "code": target.code, "display": target.display}


def _word(run: Run, parts: list[str], found: list[Json]) -> str:
    if found:
        run.issue("warning", "code-unknown", "kept as text: no row in its table")
        return str(found[0].get("display") or found[0]["code"])
    return parts[1] if len(parts) > 1 else ""


def _distinct(items: list[Json]) -> list[Json]:
    return [item for place, item in enumerate(items) if item not in items[:place]]


def us_core_extension(name: str, found: list[Json], words: list[str], most: int) -> Json | None:
    """The complex extension us-core-race or us-core-ethnicity of codings and words."""
    if not words:
        return None
    omb = [c for c in (_omb(name, c) for c in found) if c]
    known = _distinct([c for c in omb if c["system"] != _NULL])
    omb = known[:most] if known else omb[:1]
    parts: list[Json] = [{"url": "ombCategory", "valueCoding": c} for c in omb]
    if known or not omb:
        detailed = [c for c in found if c not in omb and c["system"] != _NULL]
        parts += [{"url": "detailed", "valueCoding": c} for c in detailed]
    parts.append({"url": "text", "valueString": ", ".join(dict.fromkeys(words))})
    return {"url": _CORE + name, "extension": parts}


def _omb(name: str, coding: Json) -> Json | None:
    """The OMB category that a CDCREC code belongs to (its hierarchy); unknown is its own."""
    if coding["system"] == _NULL:
        return coding
    target = terms.table(f"{name}-category").get(coding["code"])
    return _category(target) if target is not None and target.code else None
