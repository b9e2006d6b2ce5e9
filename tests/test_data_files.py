"""Every shipped data file loads, says where it comes from and how sure it is, and has a fixture."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter import data, terms
from adapter.claims import plan as claims_plan
from adapter.mapping import model, tabular
from adapter.mapping.routes import ROUTES
from adapter.sources import form_layout, layout

ROOT = Path(__file__).resolve().parent.parent
CONFIDENCES = {"confirmed", "reconstructed", "unverified"}
PURPOSE = re.compile(r"Confidence: (confirmed|reconstructed|unverified)\. Source: \S")
OURS = "https://ecm-adapter.example/fhir/"


def files(pattern: str) -> list[str]:
    """Files under the root by a pattern, as texts, so that a test is named by its file."""
    found = [file.relative_to(ROOT).as_posix() for file in ROOT.glob(pattern)]
    assert found, f"no file is {pattern}"
    return sorted(found)


def stems(pattern: str) -> set[str]:
    return {Path(name).stem for name in files(pattern)}


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def cases(kind: str) -> list[dict[str, Any]]:
    return [toml(name) for name in files(f"fixtures/{kind}/**/case.toml")]


MAPPINGS = files("mappings/**/*.toml")
TABLES = files("terminology/**/*.csv")
PROFILES = files("profiles/*.json")
RULE_FILES = [name for name in MAPPINGS if "map" in toml(name)]


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_mapping_names_its_source(name: str) -> None:
    found = toml(name)
    if "like" in found:  # what it takes over brings its source along
        found = toml((Path(name).parent / f"{found['like']}.toml").as_posix()) | found
    assert found.get("source"), "no source"
    assert found.get("confidence") in CONFIDENCES


@pytest.mark.parametrize("name", RULE_FILES)
def test_a_mapping_s_rules_load(name: str) -> None:
    found = model.load(ROOT / name)
    assert found.maps
    assert [item.name for item in found.maps if not item.rules] == []


@pytest.mark.parametrize("name", [n for n in RULE_FILES if not n.startswith("mappings/hl7v2/")])
def test_the_rules_of_a_table_compile(name: str) -> None:
    parts = Path(name).with_suffix("").parts[1:]
    mapping = tabular.load(*parts)
    names = sorted(mapping.fields)
    mapping.bind(names, names)
    assert mapping.required <= mapping.fields


@pytest.mark.parametrize("name", files("mappings/mif/layouts/*.toml"))
def test_a_layout_loads_and_has_a_fixture(name: str) -> None:
    plan = Path(name).stem
    assert layout.load(plan).columns or layout.load(plan).positions
    walked = {case["plan"] for case in cases("mif")}
    heirs = {
        name for name in walked if toml(f"mappings/mif/layouts/{name}.toml").get("like") == plan
    }
    assert plan in walked or heirs


@pytest.mark.parametrize("name", files("mappings/forms/layouts/*.toml"))
def test_a_form_loads_and_has_a_fixture(name: str) -> None:
    form = Path(name).stem
    assert form_layout.load(form).fields
    assert form in {case["form"] for case in cases("referral")}


@pytest.mark.parametrize("name", files("mappings/services/layouts/*.toml"))
def test_a_service_log_has_a_fixture(name: str) -> None:
    assert Path(name).stem in {case.get("log", "canonical") for case in cases("services")}


@pytest.mark.parametrize("name", files("mappings/hl7v2/events/*.toml"))
def test_a_trigger_event_has_a_fixture(name: str) -> None:
    event = Path(name).stem.removeprefix("adt_").upper()
    messages = [(ROOT / file).read_bytes() for file in files("fixtures/hl7v2/**/input.hl7")]
    assert any(re.search(rb"^MSH.*\|ADT\^" + event.encode(), text, re.M) for text in messages)


def test_every_segment_mapping_is_built_by_an_event() -> None:
    events = "\n".join(
        (ROOT / name).read_text("utf-8") for name in files("mappings/hl7v2/events/*")
    )
    built = set(re.findall(r"\w+", events.lower()))
    forms = {form.lower() for name, one in ROUTES.items() if name.lower() in built
             for form in one.forms}  # fmt: skip
    assert stems("mappings/hl7v2/segments/*.toml") - built - forms == set()


@pytest.mark.parametrize("name", files("mappings/claims/*.toml"))
def test_a_plan_s_claim_rules_load(name: str) -> None:
    if "plan" in toml(name):  # rules.toml holds what several plans name
        found = claims_plan.load(Path(name).stem)
        assert found.name == Path(name).stem
    else:
        assert all("source" in rule for part in sub_tables(toml(name)) for rule in part)


def sub_tables(raw: dict[str, Any]) -> list[list[dict[str, Any]]]:
    parts = [part for part in raw.values() if isinstance(part, dict)]
    return [[rule for rule in part.values() if isinstance(rule, dict)] for part in parts]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_its_source(name: str) -> None:
    head, rows = data.table(ROOT / name)
    assert head.get("title")
    assert head.get("source")
    assert head.get("confidence") in CONFIDENCES
    assert date.fromisoformat(head["date"])
    assert rows
    assert len({tuple(row.values()) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", sorted(stems("terminology/tables/*.csv")))
def test_a_table_of_codes_loads(name: str) -> None:
    assert terms.table(name).codes()


def test_every_value_set_loads_by_its_url() -> None:
    names = terms.value_set_names()
    assert set(names.values()) == stems("terminology/valuesets/*.csv")
    assert [url for url in names if not terms.value_set(url)] == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_its_source(name: str) -> None:
    found = orjson.loads((ROOT / name).read_bytes())
    kind = found.get("resourceType")
    if kind is None:  # tables of ours in JSON
        assert found["source"]
        assert found["confidence"] in CONFIDENCES
        return
    assert Path(name).stem == f"{kind}-{found['id']}"
    assert found["url"] == f"{OURS}{kind}/{found['id']}"
    assert found["description"]
    assert found["status"] in {"draft", "active"}
    if kind == "StructureDefinition":
        assert found["fhirVersion"] == "4.0.1"
        assert found["derivation"] == "constraint"
        assert PURPOSE.match(found["purpose"])
    elif kind == "Questionnaire":
        assert found["description"].startswith("Made from mappings/forms/layouts/")


def test_every_profile_a_mapping_claims_is_shipped() -> None:
    shipped = {
        orjson.loads((ROOT / name).read_bytes()).get("url")
        for name in files("profiles/StructureDefinition-*.json")
    }
    claimed = {item.profile for name in RULE_FILES for item in model.load(ROOT / name).maps}
    assert {url for url in claimed if url.startswith(OURS)} - shipped == set()


@pytest.mark.parametrize("kind", ["mif", "hl7v2", "referral", "services", "returns"])
def test_every_input_is_a_case(kind: str) -> None:
    folders = {(ROOT / name).parent for name in files(f"fixtures/{kind}/**/input.*")}
    assert sorted(f.relative_to(ROOT).as_posix() for f in folders if lacks(f)) == []


def lacks(folder: Path) -> bool:
    return not (folder / "case.toml").is_file()


def test_no_data_file_is_yaml() -> None:
    folders = ("fixtures", "mappings", "profiles", "terminology")
    found = [file.name for folder in folders for file in (ROOT / folder).rglob("*.y*ml")]
    assert found == []  # YAML reads 00501 as a number and NO as false
