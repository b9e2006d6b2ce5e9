"""Our profiles: what each demands, and that who keeps them keeps US Core 6.1.0 and 7.0.0."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter import data
from adapter.errors import DataFileError
from adapter.validation import bindings, check, profile_rules, profiles, r4

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "tests" / "judges" / "good"
VERSIONS = ["6.1.0", "7.0.0"]
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
ALL = sorted(data.path("profiles").glob("StructureDefinition-*.json"))
OURS = {file.stem.removeprefix("StructureDefinition-"): data.json(file) for file in ALL}
PROMISES = {
    name: sd["baseDefinition"].removeprefix(US_CORE)
    for name, sd in OURS.items()
    if sd["baseDefinition"].startswith(US_CORE) and name != "ecm-encounter-diagnosis"
}


def good(name: str) -> Any:
    return orjson.loads((GOOD / f"{name}.json").read_bytes())


# -- as strict as US Core -------------------------------------------------------------------------

PAIRS = [(name, version) for name in PROMISES for version in VERSIONS]


@pytest.mark.parametrize(("name", "version"), PAIRS)
def test_nothing_is_looser_than_us_core(name: str, version: str, shared: Path) -> None:
    folder = shared / "data" / "us-core" / version
    theirs = orjson.loads((folder / f"StructureDefinition-{PROMISES[name]}.json").read_bytes())
    ours = {e["id"]: e for e in OURS[name]["differential"]["element"]}
    wanted = {e["id"]: e for e in theirs["differential"]["element"]}
    loose = [text for id_, e in wanted.items() for text in looser(id_, e, ours)]
    assert loose == []


EXTENSIONS = [(name, version) for name in ("race", "ethnicity", "tribal-affiliation", "birthsex")
              for version in VERSIONS]  # fmt: skip
SLICES = {"tribal-affiliation": "tribalAffiliation"}


@pytest.mark.parametrize(("name", "version"), EXTENSIONS)
def test_no_extension_is_looser_than_us_core(name: str, version: str, shared: Path) -> None:
    folder = shared / "data" / "us-core" / version
    file = folder / f"StructureDefinition-us-core-{name}.json"
    root = f"Patient.extension:{SLICES.get(name, name)}"
    ours = {e["id"]: e for e in OURS["ecm-patient"]["differential"]["element"]}
    loose = []
    for e in orjson.loads(file.read_bytes())["differential"]["element"]:
        id_ = root + e["id"].removeprefix("Extension")
        stated = e["id"] in ("Extension", "Extension.url", "Extension.extension.url")
        if not stated:  # the slice's own url and maximum stand in the Patient profile
            loose += list(looser(id_, e, ours))
    assert loose == []


def looser(id_: str, theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[str]:
    """What an element of US Core demands that ours, or R4 itself, does not."""
    mine, (least, most, value_set) = ours.get(id_, {}), base(id_)
    if theirs.get("min", 0) > max(mine.get("min", 0), least):
        yield f"{id_}: min"
    if number(theirs.get("max", "*")) < min(number(mine.get("max", "*")), number(most)):
        yield f"{id_}: max"
    fixed = [key for key in theirs if key.startswith(("fixed", "pattern"))]
    yield from (f"{id_}: {key}" for key in fixed if mine.get(key) != theirs[key])
    keys = {c["key"] for c in mine.get("constraint", ())}
    wanted = {c["key"] for c in theirs.get("constraint", ()) if c["severity"] == "error"}
    yield from (f"{id_}: {key}" for key in wanted - keys)
    yield from looser_codes(id_, theirs.get("binding", {}), mine.get("binding", {}), value_set)
    yield from looser_targets(id_, theirs, mine)


def looser_codes(id_: str, theirs: Any, mine: Any, value_set: str) -> Iterator[str]:
    if theirs.get("strength") != "required":
        return
    wanted = theirs["valueSet"].partition("|")[0]
    if wanted in OTHER_NAMES:
        wanted = OTHER_NAMES[wanted]
    if wanted not in (mine.get("valueSet"), value_set):
        yield f"{id_}: binding"


OTHER_NAMES = {  # the same codes under the name of 7.0.0
    "http://cts.nlm.nih.gov/fhir/ValueSet/2.16.840.1.113762.1.4.1021.24": (
        "http://hl7.org/fhir/us/core/ValueSet/birthsex"
    ),
}


def looser_targets(id_: str, theirs: dict[str, Any], mine: dict[str, Any]) -> Iterator[str]:
    """Targets that we allow and US Core does not; theirs are profiles, so types are compared."""
    wanted = {kind(url) for t in theirs.get("type", ()) for url in t.get("targetProfile", ())}
    if not wanted:
        return
    allowed = {kind(url) for t in mine.get("type", ()) for url in t.get("targetProfile", ())}
    if not (allowed or targets(id_)) <= wanted:
        yield f"{id_}: targets"


KINDS = {sd["baseDefinition"]: sd["type"] for sd in OURS.values()} | {
    US_CORE + "us-core-practitionerrole": "PractitionerRole",
    US_CORE + "us-core-procedure": "Procedure",
}


def kind(url: str) -> str:
    return KINDS.get(url, url.rpartition("/")[2])


def number(most: str) -> int:
    return 10**9 if most == "*" else int(most)


def rows(id_: str) -> list[Any] | None:
    """The row of R4 for an element id, through datatypes; None for a slice."""
    name, *steps = id_.split(".")
    row: list[Any] = [[name], 0, "*"]
    if ":" in (steps or [""])[-1]:
        return None
    for step in (step.partition(":")[0] for step in steps):
        name = row[0][0]
        row = r4.types()[name][step]
    return row


def base(id_: str) -> tuple[int, str, str]:
    row = rows(id_)
    return (row[1], row[2], row[3] if len(row) > 3 else "") if row else (0, "*", "")


def targets(id_: str) -> set[str]:
    row = rows(id_)
    return set(row[4]) if row and len(row) > 4 else set()


# -- what each says -------------------------------------------------------------------------------

NPI = "http://hl7.org/fhir/sid/us-npi"
CDCREC = "urn:oid:2.16.840.1.113883.6.238"
NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"


def omb(*codes: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"url": "ombCategory", "valueCoding": {"system": system, "code": code}}
        for system, code in codes
    ]


TEXT = {"url": "text", "valueString": "x"}
RACES = [(CDCREC, code) for code in ("1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2131-1")]

# (good resource, path of the change, new value or None to remove, path of the issue)
CASES: list[tuple[str, str, Any, str]] = [
    ("patient", "identifier", None, "Patient.identifier"),
    ("patient", "identifier.1.system", None, "Patient.identifier[1].system"),
    ("patient", "name.0", {"use": "official"}, "Patient.name[0]"),
    ("patient", "gender", None, "Patient.gender"),
    ("patient", "extension.0.extension", omb(RACES[0]), "Patient.extension[0].extension"),
    ("patient", "extension.0.extension", [*omb(*RACES), TEXT], "Patient.extension[0].extension"),
    ("patient", "extension.0.extension", [*omb(RACES[0], (NULL, "UNK")), TEXT],
     "Patient.extension[0]"),
    ("patient", "extension.0.extension", [*omb((CDCREC, "2186-5")), TEXT],
     "Patient.extension[0].extension[0].value"),
    ("patient", "extension.0.extension.0", {"url": "ombCategory", "valueString": "x"},
     "Patient.extension[0].extension[0].value"),
    ("patient", "extension.1.extension", [*omb(RACES[0]), TEXT],
     "Patient.extension[1].extension[0].value"),
    ("patient", "extension.2.valueCode", "X", "Patient.extension[2].value"),
    ("patient", "extension.3", {"url": profiles.BASE + "homeless", "valueString": "yes"},
     "Patient.extension[3].value"),
    ("encounter", "type", None, "Encounter.type"),
    ("encounter", "subject", {"reference": "Group/g"}, "Encounter.subject"),
    ("coverage", "payor", [{"reference": "Organization/a"}, {"reference": "Organization/b"}],
     "Coverage.payor"),
    ("coverage", "identifier.1", {"type": {"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB"}]}},
     "Coverage.identifier"),
    ("care-plan", "category", [{"text": "x"}], "CarePlan.category"),
    ("care-plan", "text.status", "extensions", "CarePlan.text.status"),
    ("care-plan", "activity", [{"detail": {"status": "completed"}}], "CarePlan.activity[0].detail"),
    ("condition", "category", [{"text": "x"}], "Condition.category"),
    ("encounter-diagnosis", "category", [{"text": "x"}], "Condition.category"),
    ("care-team", "participant.0.role", [{"text": "a"}, {"text": "b"}],
     "CareTeam.participant[0].role"),
    ("organization", "identifier.0", {"system": NPI, "value": "1000000005"},
     "Organization.identifier[0]"),
    ("organization", "identifier.0", {"system": NPI, "value": "100000000"},
     "Organization.identifier[0]"),
    ("organization", "identifier.0", {"system": "urn:oid:2.16.840.1.113883.4.7", "value": "1"},
     "Organization.identifier[0]"),
    ("organization", "identifier.0", {"system": "urn:oid:2.16.840.1.113883.6.300", "value": "1"},
     "Organization.identifier[0]"),
    ("organization", "address.0.line", ["1", "2", "3", "4", "5"], "Organization.address[0].line"),
    ("practitioner", "name.0", {"given": ["A"]}, "Practitioner.name[0].family"),
    ("related-person", "active", None, "RelatedPerson.active"),
    ("enrollment", "extension.2.valuePositiveInt", None, "EpisodeOfCare.extension[2]"),
    ("enrollment", "extension.1", {"url": profiles.BASE + "priority", "valuePositiveInt": 1},
     "EpisodeOfCare.extension"),
    ("authorization", "use", "claim", "ClaimResponse.use"),
    ("authorization", "preAuthRef", None, "ClaimResponse.preAuthRef"),
    ("task", "status", "received", "Task"),
    ("task", "output", None, "Task"),
    ("task", "intent", "plan", "Task.intent"),
    ("task", "code", {"text": "x"}, "Task.code"),
    ("task", "focus", {"reference": "Patient/p"}, "Task.focus"),
    ("task", "statusReason", {"coding": [{"code": "x"}]}, "Task.statusReason.text"),
    ("patient", "meta.profile.0", profiles.BASE + "ecm-encounter", "Patient.meta.profile"),
    ("patient", "meta.profile.0", profiles.BASE + "nothing", "Patient.meta.profile"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "value", "path"), CASES)
def test_what_a_profile_demands(name: str, at: str, value: Any, path: str) -> None:
    resource = changed(good(name), at.split("."), value)
    assert path in [issue.path for issue in check(resource) if issue.failed]


def changed(resource: Any, steps: list[str], value: Any) -> Any:
    *way, last = [int(step) if step.isdigit() else step for step in steps]
    node = resource
    for step in way:
        node = node[step]
    if value is None:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return resource


RIGHT: list[tuple[str, str, Any]] = [
    ("patient", "extension.0.extension", [*omb((NULL, "UNK")), TEXT]),
    ("patient", "extension.0.extension", [*omb(*RACES[:5]), TEXT]),
    ("patient", "extension.0.extension", [TEXT]),
    ("patient", "name.0", {"extension": [{"url": profile_rules.ABSENT, "valueCode": "unknown"}]}),
    ("organization", "identifier", [{"system": "urn:oid:2.16.840.1.113883.4.7",
                                     "value": "05D1234567"}]),
    ("organization", "identifier", [{"system": "urn:oid:2.16.840.1.113883.6.300",
                                     "value": "12345"}]),
    ("coverage", "subscriberId", None),
    ("task", "status", "requested"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "value"), RIGHT)
def test_what_a_profile_allows(name: str, at: str, value: Any) -> None:
    assert check(changed(good(name), at.split("."), value)) == []


def test_a_profile_may_be_asked_for() -> None:
    resource = {"resourceType": "Patient", "active": True}
    url = profiles.BASE + "ecm-patient"
    assert check(resource) == []
    assert {i.path for i in check(resource, profile=url)} == {
        "Patient.identifier",
        "Patient.name",
        "Patient.gender",
    }
    group = good("encounter") | {"meta": {"versionId": "1"}, "subject": {"reference": "Group/g"}}
    assert [i.path for i in check(group, profile=profiles.BASE + "ecm-encounter")] == [
        "Encounter.subject"
    ]


# -- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_profile_is_sound_r4_and_has_no_dead_rule(name: str) -> None:
    sd = OURS[name]
    assert check(sd) == []
    for element in sd["differential"]["element"]:
        assert element["path"] == ".".join(s.partition(":")[0] for s in element["id"].split("."))
        assert rows(element["path"])
    kinds = {part.url for part in profiles.load().values()}
    assert sd["url"] in kinds


def test_the_readme_lists_every_profile_and_extension() -> None:
    text = (ROOT / "profiles" / "README.md").read_text(encoding="utf-8")
    assert [name for name in OURS if f"`{name}`" not in text] == []


BAD: list[tuple[str, dict[str, Any]]] = [
    ("no such constraint", {"id": "Patient", "constraint": [{"key": "x-1"}]}),
    ("no such codes", {"id": "Patient.language", "binding": {
        "strength": "required", "valueSet": "http://x.example/none"}}),
    ("another type", {"id": "Encounter.status"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "element"), BAD)
def test_a_wrong_profile_is_refused_at_load(
    case: str, element: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = copy.deepcopy(OURS["ecm-goal"]) | {"type": "Patient"}
    wrong["differential"] = {"element": [element]}
    (tmp_path / "StructureDefinition-wrong.json").write_bytes(orjson.dumps(wrong))
    assert bindings.pairs("http://hl7.org/fhir/ValueSet/goal-status")  # read before it moves
    monkeypatch.setattr(data, "path", lambda *parts: tmp_path)
    profiles.load.cache_clear()
    with pytest.raises(DataFileError):
        profiles.load()
    profiles.load.cache_clear()
