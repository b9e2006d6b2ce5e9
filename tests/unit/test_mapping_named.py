"""HL7 v2 values that become resources of their own: people, organizations, places."""

import pytest

from adapter import terms
from adapter.mapping.run import Draft
from tests.unit.engine import SID, build, convert, found, fresh, made

NPI = terms.system("npi")
FACILITY = f"{SID}/facility/MERCYTEST"


def one(name, text, **fields):
    """The resource that a value makes, and what is said of it."""
    run = fresh()
    value, issues = convert(name, text, run)
    return (made(run, value) if value else None), issues


def codes(resource):
    (item,) = resource["identifier"]
    return [coding["code"] for coding in item.get("type", {}).get("coding", ())]


@pytest.mark.parametrize(
    ("text", "system", "kinds", "issues"),
    [
        ("1999999992^HERON^HANA^^^DR^MD^^NPI", NPI, ["NPI"], []),
        ("1999999992^HERON^^^^^^^&2.16.840.1.113883.4.6&ISO", NPI, ["NPI"], []),
        ("1999999992^HERON" + "^" * 11 + "NPI", NPI, ["NPI"], []),
        ("9999999998^HERON" + "^" * 11 + "NPI", FACILITY, ["NPI"],
         [("identifier-format", "PID-3.1")]),
        ("1^HERON^^^^^^^NPI", FACILITY, ["NPI"], [("identifier-format", "PID-3.1")]),
        ("D7^HERON", FACILITY, [], []),
        ("D7^HERON^^^^^^^STAFF&1.2.3&ISO", "urn:oid:1.2.3", [], []),
        ("D7^HERON" + "^" * 11 + "EI", FACILITY, ["EI"], []),
        ("D7^HERON" + "^" * 11 + "??", FACILITY, ["??"], [("code-unknown", "PID-3.5")]),
    ],
)  # fmt: skip
def test_xcn_identifier(text, system, kinds, issues):
    resource, said = one("practitioner", text)
    assert (resource["identifier"][0]["system"], codes(resource)) == (system, kinds)
    assert said == issues


@pytest.mark.parametrize(
    ("text", "name", "qualification", "issues"),
    [
        ("D7^HERON^HANA^Q^JR^DR^MD^^^L", {"family": "HERON", "given": ["HANA", "Q"],
         "suffix": ["JR"], "prefix": ["DR"], "use": "official"}, "MD", []),
        ("^HERON^HANA", {"family": "HERON", "given": ["HANA"]}, None, []),
        ("^HERON&VAN", {"family": "HERON", "_family": {"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/humanname-own-prefix",
            "valueString": "VAN"}]}}, None, []),
        ("D7^HERON^^^^^WIZARD", {"family": "HERON"}, "WIZARD", [("code-unknown", "PID-3.7")]),
        ("D7^HERON" + "^" * 15 + "2020&bad", {"family": "HERON", "period": {"start": "2020"}},
         None, [("date-format", "PID-3.17")]),
        ("D7^HERON" + "^" * 17 + "2020^2021^PhD",
         {"family": "HERON", "suffix": ["PhD"], "period": {"start": "2020", "end": "2021"}},
         None, []),
    ],
)  # fmt: skip
def test_xcn_name(text, name, qualification, issues):
    resource, said = one("practitioner", text)
    (degree,) = resource.get("qualification", [{"code": {"text": None}}])
    assert resource["name"] == [name]
    coding = degree["code"].get("coding", [{}])[0]
    assert (coding.get("code") or degree["code"].get("text"), said) == (qualification, issues)


@pytest.mark.parametrize("name", ["practitioner", "organization", "organization_hd", "location"])
@pytest.mark.parametrize("text", ["", "^", '""', '""^""'])
def test_nothing_names_nobody(name, text):
    assert one(name, text) == (None, [])


def test_one_number_is_one_person_in_a_unit():
    run = fresh()
    first, _ = convert("practitioner", "D7^HERON^HANA", run)
    again, _ = convert("practitioner", "D7^HERON^H", run)
    other, _ = convert("practitioner", "D8^HERON^HANA", run)
    assert first == again != other
    assert len(run.side) == 2


def test_a_decoded_ampersand_in_a_resource_is_text():
    assert one("practitioner", r"D\T\7^HERON")[0]["identifier"][0]["value"] == "D&7"
    assert one("organization", r"SOL \T\ LUNA^^7")[0]["name"] == "SOL & LUNA"


@pytest.mark.parametrize(
    ("text", "system", "value", "issues"),
    [
        ("HARBOR^^7", FACILITY, "7", []),
        ("HARBOR^^7^^^&1.2.3&ISO", "urn:oid:1.2.3", "7", []),
        ("HARBOR^^7^^^&1.2.3&ISO^^^^H7", "urn:oid:1.2.3", "H7", []),  # XON.10 wins
        ("HARBOR" + "^" * 6 + "NPI^^^1999999992", NPI, "1999999992", []),
        ("HARBOR" + "^" * 6 + "NPI^^^12", FACILITY, "12", [("identifier-format", "PID-3.10")]),
        ("^^7", FACILITY, "7", []),
    ],
)
def test_xon(text, system, value, issues):
    resource, said = one("organization", text)
    item = resource["identifier"][0]
    assert (item["system"], item["value"], said) == (system, value, issues)


def test_a_filler_in_place_of_a_number_names_nobody():
    assert one("organization", "^^UNKNOWN") == (None, [("filler", "PID-3")])
    assert one("practitioner", "0000000000") == (None, [("filler", "PID-3")])
    assert "identifier" not in one("practitioner", "UNKNOWN^HERON^HANA")[0]


def test_an_organization_without_number_is_known_by_its_name():
    run = fresh()
    first, _ = convert("organization", "Harbor House", run)
    again, _ = convert("organization", "HARBOR HOUSE", run)
    assert first == again
    assert made(run, first) == {
        "resourceType": "Organization", "active": True, "name": "Harbor House",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"), [("organization_hd", "Organization"), ("location_hd", "Location")]
)
@pytest.mark.parametrize(
    ("text", "value", "system"),
    [("HARBOR", "HARBOR", f"{SID}/authority/MERCYTEST/HARBOR"),
     ("HARBOR^1.2.3^ISO", "HARBOR", "urn:oid:1.2.3"),
     ("^1.2.3^ISO", "1.2.3", "urn:oid:1.2.3")],
)  # fmt: skip
def test_hd_as_a_resource(name, kind, text, value, system):
    resource, _ = one(name, text)
    assert (resource["resourceType"], resource["name"]) == (kind, value)
    assert resource["identifier"] == [{"system": system, "value": value}]


# --- places


def chain(text):
    """(type, name) of each place from the innermost out, and the innermost itself."""
    run = fresh()
    value, issues = convert("location", text, run)
    place, inner, levels = value, made(run, value), []
    while place:
        resource = made(run, place)
        levels.append((resource["physicalType"]["coding"][0]["code"], resource["name"]))
        place = resource.get("partOf")
    return levels, inner, issues


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("ED", [("wa", "ED")]),
        ("ED^4^B", [("bd", "B"), ("ro", "4"), ("wa", "ED")]),
        ("ED^4^B^MERCY&1.2.3&ISO",
         [("bd", "B"), ("ro", "4"), ("wa", "ED"), ("si", "MERCY")]),
        ("ED^4^B^MERCY^^^EAST^2",
         [("bd", "B"), ("ro", "4"), ("wa", "ED"), ("lvl", "2"), ("bu", "EAST"), ("si", "MERCY")]),
        ("^^^MERCY", [("si", "MERCY")]),
        ("^4", [("ro", "4")]),
    ],
)  # fmt: skip
def test_pl_is_a_place_in_a_place(text, levels):
    assert chain(text)[0] == levels


def test_pl_status_type_description_and_whole_identifier_are_the_innermost_s():
    _, inner, issues = chain("ED^4^B^MERCY^O^N^^^corner bed^E7&&1.2.3&ISO")
    assert inner["operationalStatus"]["code"] == "O"
    assert inner["type"][0]["coding"][0]["code"] == "N"
    assert inner["description"] == "corner bed"
    assert inner["identifier"][1] == {"system": "urn:oid:1.2.3", "value": "E7"}
    assert issues == []


def test_pl_11_assigns_the_whole_identifier():
    _, inner, _ = chain("ED^4^B^^^^^^^E7^HOSP&1.2.9&ISO")
    assert inner["identifier"][1] == {"system": "urn:oid:1.2.9", "value": "E7"}


def test_a_place_that_is_only_described():
    resource, _ = one("location", "^^^^^^^^street corner")
    assert (resource["name"], "description" in resource) == ("street corner", False)


def test_bed_1_of_two_rooms_is_two_places():
    run = fresh()
    first, _ = convert("location", "ED^4^1", run)
    other, _ = convert("location", "ED^5^1", run)
    again, _ = convert("location", "ED^4^1", run)
    assert first == again != other
    assert len(run.side) == 5


def test_bed_status_belongs_to_the_assigned_place():
    run = fresh()
    place, _ = convert("location", "ED^4^B", run)
    run.fields = ["", "1", "I", "ED^4^B"]
    stay = Draft("Encounter", "Encounter", (), 1, {"location": [{"location": place}]})
    run.drafts["Encounter"] = stay
    assert convert("bed_status", "O", run) == (None, [])
    assert made(run, place)["operationalStatus"]["code"] == "O"
    assert convert("bed_status", "??", run) == (None, [("code-unknown", "PID-3")])


def test_bed_status_without_a_place_is_said():
    assert convert("bed_status", "O") == (None, [("unmapped", "PID-3")])


# --- fields that need a resource of their own


def test_a_payor_has_its_addresses():
    run = fresh()
    run.label, run.fields = (
        "IN1-4",
        ["", "", "", "", "SUNRISE^^7", r"1 A \T\ B ST^^ELK GROVE~2 C ST"],
    )
    value, _ = convert("payor", "SUNRISE^^7", run)
    assert [one["line"] for one in made(run, value)["address"]] == [["1 A & B ST"], ["2 C ST"]]


@pytest.mark.parametrize("written", ["", '""', "^^"])
def test_a_payor_without_address(written):
    run = fresh()
    run.fields = ["", "", "", "", "SUNRISE^^7", written]
    assert "address" not in made(run, convert("payor", "SUNRISE^^7", run)[0])


def test_a_payor_known_by_its_number_alone():
    resource, _ = one("payor_id", "7^^^&1.2.3&ISO")
    assert resource["identifier"][0] == {"system": "urn:oid:1.2.3", "value": "7"}


@pytest.mark.parametrize(
    ("name", "text", "item"),
    [
        ("plan_identifier", "P7", {"system": FACILITY, "value": "P7"}),
        ("plan_identifier", "^Gold", None),
        ("member_number", "M7", {"system": FACILITY, "value": "M7"}),
        ("member_number", "M7^^^&1.2.3&ISO^XX", {"system": "urn:oid:1.2.3", "value": "M7"}),
    ],
)
def test_numbers_of_a_coverage(name, text, item):
    value, _ = convert(name, text)
    kind = value.pop("type", None) if value else None
    assert value == item
    assert name != "member_number" or kind["coding"][0]["code"] == "MB"


def diagnosis(kind="", rank="", code="A01^X^I10"):
    run = fresh()
    run.label, run.fields = "DG1-3", ["", "1", "", code, "", "", kind] + [""] * 8 + [rank]
    stay = run.drafts["Encounter"] = Draft("Encounter", "Encounter", (), 1, {})
    run.drafts["Condition"] = Draft("Condition", "Condition", (), 1, {})
    _, _ = build("encounter_diagnosis", code, run=run)
    (link,) = stay.links
    link.put(stay, {"reference": "urn:uuid:x"}, 0)
    link.put(stay, {"reference": "urn:uuid:x"}, 0)  # a second time is the same
    (row,) = stay.resource["diagnosis"]
    return row, found(run)


@pytest.mark.parametrize(
    ("kind", "rank", "use", "number", "issues"),
    [
        ("", "", None, None, []),
        ("A", "1", "AD", 1, []),
        ("F^Final", "2", None, 2, []),
        ("", "0", None, None, []),
        ('""', '""', None, None, []),
        ("??", "", "??", None, [("code-unknown", "DG1-6")]),
        ("", "first", None, None, [("number-format", "DG1-15")]),
        ("", "\u00b2", None, None, [("number-format", "DG1-15")]),
        ("", "9" * 5000, None, None, [("number-format", "DG1-15")]),
    ],
)
def test_a_stay_s_diagnosis_with_use_and_rank(kind, rank, use, number, issues):
    row, said = diagnosis(kind, rank)
    coded = row.get("use", {}).get("coding", [{}])[0].get("code")
    assert (row["condition"], row.get("rank"), said) == (
        {"reference": "urn:uuid:x"},
        number,
        issues,
    )
    assert use is None or coded == use


@pytest.mark.parametrize(
    ("text", "value"),
    [("hives", {"manifestation": [{"text": "hives"}]}),
     ("247472004^hives", {"manifestation": [{"text": "247472004 hives"}]}), ("^", None),
     ("H^hives^L", {"manifestation": [{"coding": [
         {"system": f"{SID[:-4]}/CodeSystem/local/L", "code": "H", "display": "hives"}]}]})],
)  # fmt: skip
def test_allergy_reaction(text, value):
    assert convert("allergy_reaction", text) == (value, [])


def test_narrative_is_escaped():
    value, _ = convert("narrative", "fever < 39 & cough")
    assert value["div"].endswith(">fever &lt; 39 &amp; cough</div>")
