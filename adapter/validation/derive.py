"""Makes profiles/r4.json, r4-codes.json and r4-extensions.json from the R4 definitions.

Run `python -m adapter.validation.derive FOLDER [US_CORE_FOLDER]`. FOLDER holds the FHIR R4 4.0.1
bundles `profiles-types.json`, `profiles-resources.json`, `extension-definitions.json`,
`valuesets.json`, `v3-codesystems.json`, `v2-tables.json`; US_CORE_FOLDER the US Core package, for
the value sets its profiles bind as required. profiles/README.md says where they come from. Nothing
here runs in normal use.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from adapter import data

Json = dict[str, Any]
Codes = dict[str, set[str]]

HL7 = "http://hl7.org/fhir/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/ValueSet/"
CDCREC = "urn:oid:2.16.840.1.113883.6.238"
V3 = "http://terminology.hl7.org/CodeSystem/v3-"
# kept out: their codes have no list here (ISO 4217, BCP 13, UCUM, IANA); bindings.py knows shapes
OPEN = {
    "http://hl7.org/fhir/ValueSet/timezones",
    "http://hl7.org/fhir/ValueSet/currencies",
    "http://hl7.org/fhir/ValueSet/mimetypes",
    "http://hl7.org/fhir/ValueSet/ucum-units",
}
BUNDLES = (
    "profiles-types",
    "profiles-resources",
    "extension-definitions",
    "valuesets",
    "v3-codesystems",
    "v2-tables",
)
NOT_R4 = {"SubscriptionStatus"}  # R5 types that the source adds
BASES = ("DomainResource", "Resource", "BackboneElement", "Element")
NOT_4_0_1 = {"Binary.url"}  # elements that the source adds
US_CORE_SETS = (
    "us-core-servicerequest-category",
    "us-core-problem-or-health-concern",
    "us-core-screening-assessment-condition-category",
    "us-core-narrative-status",
)
# US Core points to VSAC for these; the codes are CDCREC's, which HL7's v3 tables repeat
OMB_RACE = ("1002-5", "2028-9", "2054-5", "2076-8", "2106-3")
OMB_ETHNICITY = ("2135-2", "2186-5")


class Tables(NamedTuple):
    """What is derived: types with elements, extensions by url, codes of value sets."""

    types: Json
    extensions: Json
    codes: Json


def main(arguments: list[str]) -> int:
    """Write the three files; the exit code."""
    found = tables(*(Path(argument) for argument in arguments[:2]))
    _write("r4.json", "types", found.types)
    _write("r4-extensions.json", "extensions", found.extensions)
    _write("r4-codes.json", "value_sets", found.codes)
    return 0


def tables(definitions: Path, us_core: Path | None = None) -> Tables:
    """Read the definitions; value sets are those that something binds as required."""
    resources = list(_resources(definitions, BUNDLES))
    files = sorted(us_core.glob("*.json")) if us_core else ()
    resources += [json.loads(file.read_bytes()) for file in files]
    structures = [resource for resource in resources if _is_r4_type(resource)]
    full = {key: value for found in structures for key, value in _types(found)}
    types = {key: _own(key, table, full) for key, table in full.items()}
    extensions = dict(sorted(_extensions(resources)))
    rows = [row for table in types.values() for key, row in table.items() if key != "@"]
    wanted = {row[3] for row in rows if len(row) > 3}
    wanted |= {value_set for _, value_set in extensions.values()}
    return Tables(types, extensions, _required_codes(wanted - OPEN - {""}, resources))


def _extensions(resources: list[Json]) -> Iterator[tuple[str, list[Any]]]:
    """`url: [types of its value, required value set]` of HL7's own extensions with a value."""
    for resource in resources:
        if resource.get("type") != "Extension" or not resource["url"].startswith(HL7):
            continue
        elements = {element["id"]: element for element in resource["snapshot"]["element"]}
        value = elements.get("Extension.value[x]", {"max": "0"})
        if resource["url"] != HL7 + "Extension" and value["max"] != "0":
            yield resource["url"], [_element_types(value), _value_set(value)]


def _resources(folder: Path, names: Iterable[str]) -> Iterator[Json]:
    for name in names:
        bundle = json.loads((folder / f"{name}.json").read_bytes())
        yield from (entry["resource"] for entry in bundle["entry"])


def _is_r4_type(resource: Json) -> bool:
    return (
        resource["resourceType"] == "StructureDefinition"
        and resource["kind"] in ("resource", "complex-type")
        and resource["url"] == HL7 + resource["type"]
        and resource["type"] not in NOT_R4
    )


def _types(structure: Json) -> Iterator[tuple[str, Json]]:
    """The type itself and its backbone elements, each `name -> {element: row}`."""
    tables: dict[str, Json] = {structure["type"]: {}}
    for element in structure["snapshot"]["element"]:
        path = element["path"]
        if ":" in element["id"] or "." not in path or element["max"] == "0" or path in NOT_4_0_1:
            continue
        parent, name = path.rsplit(".", 1)
        tables.setdefault(parent, {})[name] = _row(element)
    yield from sorted(tables.items())


def _own(name: str, table: Json, full: dict[str, Json]) -> Json:
    """The elements that the type adds to its base, which `@` names."""
    base = next((b for b in BASES if b != name and full[b].keys() <= table.keys()), "")
    own = {key: row for key, row in table.items() if not base or key not in full[base]}
    return {"@": base, **own} if base else own


def _row(element: Json) -> list[Any]:
    """`[types, min, max, value set, targets]`, empty tail left out."""
    row: list[Any] = [
        _element_types(element),
        element["min"],
        element["max"],
        _value_set(element),
        _targets(element),
    ]
    while not row[-1]:
        row.pop()
    return row


def _element_types(element: Json) -> list[str]:
    if reference := element.get("contentReference"):
        return [reference.rpartition("#")[2]]
    path = element["path"]
    if path.endswith(".id"):
        return ["id" if element["base"]["path"] == "Resource.id" else "string"]
    found = [
        kind["code"].rpartition(".")[2].replace("String", "string") for kind in element["type"]
    ]
    if path == "Extension.url":
        return ["uri"]
    return [path] if found[0] in ("BackboneElement", "Element") else found


def _value_set(element: Json) -> str:
    binding = element.get("binding", {})
    if binding.get("strength") != "required":
        return ""
    return str(binding.get("valueSet", "")).partition("|")[0]


def _targets(element: Json) -> list[str]:
    urls = (
        url
        for kind in element.get("type", ())
        if kind["code"] == "Reference"
        for url in kind.get("targetProfile", ())
    )
    names = sorted({url.removeprefix(HL7) for url in urls})
    return [] if "Resource" in names else names


def _required_codes(wanted: set[str], resources: list[Json]) -> dict[str, Json]:
    wanted = wanted | {US_CORE + name for name in US_CORE_SETS}
    known = {r["url"]: r for r in resources if r["resourceType"] in ("ValueSet", "CodeSystem")}
    sets = {url: _expand(url, known) for url in sorted(wanted) if url in known}
    sets |= _race_and_ethnicity(known)
    return {
        url: {system: sorted(codes) for system, codes in sorted(found.items())}
        for url, found in sorted(sets.items())
    }


def _expand(url: str, known: dict[str, Json]) -> Codes:
    """The codes of a value set by system; every include is a list, a whole system or a set."""
    result: Codes = {}
    for include in known[url.partition("|")[0]]["compose"]["include"]:
        for part in _included(include, known):
            for system, codes in part.items():
                result.setdefault(system, set()).update(codes)
    return result


def _included(include: Json, known: dict[str, Json]) -> Iterator[Codes]:
    if "filter" in include:
        raise ValueError("a filtered value set cannot be listed")
    for value_set in include.get("valueSet", ()):
        yield _expand(value_set, known)
    if "system" in include:
        concepts = include.get("concept") or known[include["system"]]["concept"]
        yield {include["system"]: set(_flat(concepts))}


def _flat(concepts: list[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _flat(concept.get("concept", []))


def _race_and_ethnicity(known: dict[str, Json]) -> dict[str, Codes]:
    null, race, ethnicity = V3 + "NullFlavor", V3 + "Race", V3 + "Ethnicity"
    if race not in known:
        return {}
    races, ethnicities = (set(_flat(known[url]["concept"])) for url in (race, ethnicity))
    return {
        US_CORE + "omb-race-category": {CDCREC: {*OMB_RACE, "2131-1"}, null: {"ASKU", "UNK"}},
        US_CORE + "omb-ethnicity-category": {CDCREC: {*OMB_ETHNICITY}, null: {"ASKU", "UNK"}},
        US_CORE + "detailed-race": {CDCREC: races - {*OMB_RACE}},
        US_CORE + "detailed-ethnicity": {CDCREC: ethnicities - {*OMB_ETHNICITY}},
        US_CORE + "birthsex": {
            V3 + "AdministrativeGender": {"F", "M"},
            null: {"ASKU", "OTH", "UNK"},
        },
    }


def _write(name: str, key: str, rows: dict[str, Json]) -> None:
    """One line per row, so that a change shows in a diff; keys in their order."""
    head = {
        "source": "HL7 FHIR R4 4.0.1 definitions (CC0), US Core 6.1.0 value sets (CC0)",
        "confidence": "confirmed",
        "made_by": "python -m adapter.validation.derive",
    }
    lines = [f'"{k}": {data.dumps(v).decode()}' for k, v in head.items()]
    body = ",\n".join(f"{data.dumps(k).decode()}:{data.dumps(v).decode()}" for k, v in rows.items())
    text = "{\n" + ",\n".join(lines) + f',\n"{key}": {{\n{body}\n}}}}\n'
    data.path("profiles", name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
