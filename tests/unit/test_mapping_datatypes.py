"""HL7 v2 identifiers, codes and who assigns them, against the v2-to-FHIR guide's datatype maps."""

import pytest

from adapter import terms
from tests.unit.engine import SID, build, convert, fresh

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
FACILITY = f"{SID}/facility/MERCYTEST"
OWN = f"{SID}/authority/MERCYTEST"  # of names that hold within the facility
CIN = terms.system("cin")
CHECK_DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
UNKNOWN_4 = [("authority-unknown", "PID-3")]


def kind(code):
    display = terms.table("identifier-type").display(code)
    coding = {"system": V2 + "0203", "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("D1", {"system": FACILITY, "value": "D1"}, []),
        (" D1 ", {"system": FACILITY, "value": "D1"}, []),
        ("007", {"system": FACILITY, "value": "007"}, []),
        ("", None, []),
        ('""', None, []),
        ("^^^MERCY&1.2.3&ISO^MR", None, []),
        ("D1^^^&1.2.3&ISO^MR",
         {"type": kind("MR"), "system": "urn:oid:1.2.3", "value": "D1"}, []),
        ("D1^^^HOSP&1.2.3&ISO^MR",
         {"type": kind("MR"), "system": "urn:oid:1.2.3", "value": "D1"}, []),
        ("D1^^^HOSP^mr",
         {"type": kind("MR"), "system": f"{OWN}/HOSP", "value": "D1"}, UNKNOWN_4),
        ("D1^^^NOT A HOSPITAL",
         {"system": f"{OWN}/NOT%20A%20HOSPITAL", "value": "D1"}, UNKNOWN_4),
        # words that feeds write for a type
        ("D1^^^&1.2.3&ISO^MRN",
         {"type": kind("MR") | {"text": "MRN"}, "system": "urn:oid:1.2.3", "value": "D1"}, []),
        ("D1^^^&1.2.3&ISO^Medical Record Number",
         {"type": kind("MR") | {"text": "MEDICAL RECORD NUMBER"}, "system": "urn:oid:1.2.3",
          "value": "D1"}, []),
        # a social security number, however it is called
        ("000-00-0000^^^^SSN", None, [("unmapped", "PID-3")]),
        ("123-45-6789^^^USSSA^SSN", None, [("unmapped", "PID-3")]),
        ("123-45-6789^^^SSN^Social Security Number", None, [("unmapped", "PID-3")]),
        ("123-45-6789^^^SSA", None, [("unmapped", "PID-3")]),
        ("123456789^^^&2.16.840.1.113883.4.1&ISO^PN", None, [("unmapped", "PID-3")]),
        ("D1^7", {"system": FACILITY, "value": "D1",
                  "extension": [{"url": CHECK_DIGIT, "valueString": "7"}]}, []),
        ("D1^7^M11", {"system": FACILITY, "value": "D1",
                      "extension": [{"url": CHECK_DIGIT, "valueString": "7"}]}, []),
        ("D1^^^^^Annex", {"system": FACILITY, "value": "D1",
                          "assigner": {"display": "Annex"}}, []),
        ("D1^ ^ ^ ^ ^ ^ ^ ^ ^ ", {"system": FACILITY, "value": "D1"}, []),  # blank is absent
        (" ^7^^HOSP", None, []),
        ("D1^^^^^ &1.2&ISO", {"system": FACILITY, "value": "D1",
                              "assigner": {"display": "1.2"}}, []),
        ("D1^^^^^^^^US&", {"system": FACILITY, "value": "D1", "assigner": {"display": "US"}}, []),
        ("D1^^^^^Annex&1.2&ISO", {"system": FACILITY, "value": "D1",
                                  "assigner": {"display": "Annex"}}, []),
        ("D1^^^^^^20250101^20251231",
         {"system": FACILITY, "value": "D1",
          "period": {"start": "2025-01-01", "end": "2025-12-31"}}, []),
        ("D1^^^^^^never^20251231",  # a bad date does not cost the number
         {"system": FACILITY, "value": "D1", "period": {"end": "2025-12-31"}},
         [("date-format", "PID-3.7")]),
        ("D1^^^^^Annex^^^US&California^Board",
         {"system": FACILITY, "value": "D1", "assigner": {"display": "Annex"}},
         [("unmapped", "PID-3.9"), ("unmapped", "PID-3.10")]),
        ("D1^^^^^^^^US&California",
         {"system": FACILITY, "value": "D1", "assigner": {"display": "California"}}, []),
        ("D1^^^^ZZTOP", {"type": kind("ZZTOP"), "system": FACILITY, "value": "D1"},
         [("code-unknown", "PID-3.5")]),
        ("91234567A^^^MEDI-CAL^MA",
         {"type": kind("MA"), "system": CIN, "value": "91234567A"}, []),
        ("91234567A^^^^MC",
         {"type": {"coding": [*kind("MA")["coding"], *kind("MC")["coding"]]},
          "system": CIN, "value": "91234567A"}, []),
        ("91234567a^^^DHCS^MA", {"type": kind("MA"), "system": CIN, "value": "91234567A"}, []),
        ("91234567A9^^^DHCS",  # with the check digit of the card
         {"type": kind("MA"), "system": CIN, "value": "91234567A"}, []),
        ("91234567A96001^^^HOSP^MA",  # and its day of issue
         {"type": kind("MA"), "system": CIN, "value": "91234567A"}, []),
        ("91234567A9600^^^DHCS^MA",  # no card has thirteen characters
         {"type": kind("MA"), "system": f"{OWN}/DHCS", "value": "91234567A9600"},
         [("identifier-format", "PID-3.1")]),
        ("123^^^MEDI-CAL^XX",
         {"type": kind("XX"), "system": f"{OWN}/MEDI-CAL", "value": "123"},
         [("identifier-format", "PID-3.1")]),
        ("1EG4-TE5-MK73^^^^MC",  # a Medicare number under the same type is no CIN
         {"type": kind("MC"), "system": FACILITY, "value": "1EG4-TE5-MK73"}, []),
        (r"D\T\1^^^&1.2.3&ISO",
         {"system": "urn:oid:1.2.3", "value": "D&1"}, []),  # authority still apart
    ],
)  # fmt: skip
def test_cx(text, value, issues):
    assert convert("cx", text) == (value, issues)


@pytest.mark.parametrize("name", ["cx", "visit_number", "prior_id", "dln"])
@pytest.mark.parametrize(
    "text",
    ["UNKNOWN", "unk", "None^^^MERCY^MR", "N/A", "0", "0000000", "999-999-9999", "XXXXX",
     "99999999A^^^DHCS^MA", " TBD ^7^^MERCY"],
)  # fmt: skip
def test_a_text_that_fills_the_place_of_a_number_is_none(name, text):
    assert convert(name, text) == (None, [("filler", "PID-3")])


@pytest.mark.parametrize("text", ["1111", "UNKNOWN7", "00000001", "A", "NONESUCH"])
def test_a_number_that_is_like_a_filler_is_one(text):
    assert convert("cx", text) == ({"system": FACILITY, "value": text}, [])


@pytest.mark.parametrize(
    ("hd", "system", "known"),
    [
        ("", FACILITY, True),
        ("&&ISO", FACILITY, True),
        ("HOSP", f"{OWN}/HOSP", False),
        ("HOSP&1.2.840&ISO", "urn:oid:1.2.840", True),
        ("&urn:oid:2.16.840.1.113883.4.6&ISO", terms.system("npi"), True),
        ("&2.16.840.1.113883.4.6&ISO", "http://hl7.org/fhir/sid/us-npi", True),
        ("NPI", "http://hl7.org/fhir/sid/us-npi", True),
        ("&1.2.840", "urn:oid:1.2.840", True),
        ("&1.02.840&ISO", f"{OWN}/1.02.840", False),  # no OID: a leading zero
        ("&12&ISO", f"{OWN}/12", False),
        ("&A1B2C3D4-0000-4000-8000-00000000ABCD&UUID",
         "urn:uuid:a1b2c3d4-0000-4000-8000-00000000abcd", True),
        ("HOSP&not a uuid&UUID", f"{OWN}/HOSP", False),
        ("&hospital.example&DNS", "https://hospital.example", True),
        ("&https://hospital.example/id&URI", "https://hospital.example/id", True),
        ("&two words&DNS", f"{OWN}/two%20words", False),
        ("&L1&L", f"{OWN}/L1", False),
    ],
)  # fmt: skip
def test_hd_as_system(hd, system, known):
    value, issues = convert("cx", f"D1^^^{hd}")
    assert (value["system"], issues) == (system, [] if known else UNKNOWN_4)


def test_a_feed_says_what_its_authorities_mean():
    value, issues = convert("cx", "D1^^^HOSP", authorities={"HOSP": "urn:oid:1.9"})
    assert (value["system"], issues) == ("urn:oid:1.9", [])


@pytest.mark.parametrize(
    ("hd", "facility", "feed", "system"),
    [
        ("MRN", "SOUTH", {}, "authority/SOUTH/MRN"),
        ("SOUTH", "SOUTH", {}, "authority/SOUTH"),  # its own name
        ("SOUTH", "NORTH", {}, "authority/NORTH/SOUTH"),
        ("A/B", "C D", {}, "authority/C%20D/A%2FB"),
        ("MRN", "SOUTH", {"facility": "EAST"}, "authority/EAST/MRN"),
        ("MRN", "", {}, "authority/test/MRN"),
        ("MRN", "SOUTH", {"shared": True}, "authority/test/MRN"),
        ("", "SOUTH", {"shared": True}, "facility/SOUTH"),
    ],
)
def test_the_name_of_an_authority_holds_within_the_facility(hd, facility, feed, system):
    run = fresh(**{"facility": "", **feed})
    run.facts["facility"] = facility
    assert convert("cx", f"D1^^^{hd}", run)[0]["system"] == f"{SID}/{system}"


def test_without_a_feed_s_facility_the_message_s_stands_for_no_authority():
    run = fresh(facility="")
    run.facts["facility"] = "SOUTH"
    assert convert("cx", "D1", run)[0]["system"] == f"{SID}/facility/SOUTH"
    assert convert("cx", "D1", facility="")[0]["system"] == f"{SID}/facility/test"


@pytest.mark.parametrize("text", ["91234567A^^^DHCS", "91234567a^^^^MC", "91234567A96001^^^CIN^AN"])
def test_a_cin_in_place_of_an_account_number_is_the_persons(text):
    assert convert("account_cin", text)[0]["value"] == "91234567A"
    assert convert("account_number", text) == (None, [])
    assert convert("visit_number", text)[0]["system"] != CIN


@pytest.mark.parametrize("text", ["91234567A", "91234567A^^^HOSP", "A7^^^DHCS"])
def test_an_account_number_is_no_cin(text):
    assert convert("account_cin", text)[0] is None
    assert convert("account_number", text)[0]["system"] != CIN


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("V1", ["VN"]),
        ("V1^^^&1.2.3&ISO", ["VN"]),
        ("V1^^^^VN", ["VN"]),
        ("V1^^^^AN", ["VN", "AN"]),
        ("V1^^^^an", ["VN", "AN"]),
    ],
)
def test_a_visit_number_is_one_whatever_it_is_called(text, types):
    value, _ = convert("visit_number", text)
    assert [coding["code"] for coding in value["type"]["coding"]] == types
    assert (value["value"], "extension" in value) == ("V1", False)


@pytest.mark.parametrize(
    ("text", "system"),
    [("E1", FACILITY), ("E1^HOSP", f"{OWN}/HOSP"), ("E1^^1.2.3^ISO", "urn:oid:1.2.3"),
     ("E1^HOSP^1.2.3^ISO", "urn:oid:1.2.3"), ("^HOSP", None)],
)  # fmt: skip
def test_ei(text, system):
    value, _ = convert("ei", text)
    assert value == ({"system": system, "value": "E1"} if system else None)


@pytest.mark.parametrize(
    ("text", "scope", "period", "issues"),
    [
        ("D0000001^CA", terms.system("dl-ca"), None, []),
        ("D0000001^CA^20300131", terms.system("dl-ca"), {"end": "2030-01-31"}, []),
        ("D0000001^NV", f"{SID}/drivers-license/NV", None, []),
        ("D0000001", f"{SID}/drivers-license/unknown", None, []),
        ("D0000001^NV^soon", f"{SID}/drivers-license/NV", None, [("date-format", "PID-3.3")]),
    ],
)
def test_dln(text, scope, period, issues):
    value, found = convert("dln", text)
    assert value.pop("type") == kind("DL")
    assert value.pop("period", None) == period
    assert (value, found) == ({"value": "D0000001", "system": scope}, issues)


def test_dln_without_a_number():
    assert convert("dln", "^CA^20300131") == (None, [])


ICD, SCT = "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("A", {"coding": [{"code": "A"}]}),
        ("^Cough", {"text": "Cough"}),
        ("A^Cough", {"coding": [{"code": "A", "display": "Cough"}]}),
        ("R05.9^Cough^I10", {"coding": [{"system": ICD, "code": "R05.9", "display": "Cough"}]}),
        ("R05.9^Cough^I10^49727002^Coughing^SCT",
         {"coding": [{"system": ICD, "code": "R05.9", "display": "Cough"},
                     {"system": SCT, "code": "49727002", "display": "Coughing"}]}),
        ("^Cough^^49727002^Coughing^SCT",
         {"coding": [{"system": SCT, "code": "49727002", "display": "Coughing"}],
          "text": "Cough"}),
        ("R05.9^Cough^I10^^dry, at night",
         {"coding": [{"system": ICD, "code": "R05.9", "display": "Cough"}],
          "text": "dry, at night"}),
        ("R05.9^Cough^I10^^^^2026^^cough for weeks",
         {"coding": [{"system": ICD, "version": "2026", "code": "R05.9", "display": "Cough"}],
          "text": "cough for weeks"}),
        ("A^^^B^^^1^2^^C^Third^SCT^3",
         {"coding": [{"version": "1", "code": "A"}, {"version": "2", "code": "B"},
                     {"system": SCT, "version": "3", "code": "C", "display": "Third"}]}),
        ("A^^HL70004", {"coding": [{"system": V2 + "0004", "code": "A"}]}),
        ("A^^0004", {"coding": [{"system": V2 + "0004", "code": "A"}]}),
        ("A^^2.16.840.1.113883.6.96", {"coding": [
            {"system": "urn:oid:2.16.840.1.113883.6.96", "code": "A"}]}),
        ("A^^https://codes.example/x", {"coding": [
            {"system": "https://codes.example/x", "code": "A"}]}),
        ("A^^https://codes.example/two words", {"coding": [
            {"system": "https://ecm-adapter.example/fhir/CodeSystem/local/"
                       "https%3A%2F%2Fcodes.example%2Ftwo%20words", "code": "A"}]}),
        ("A^^OUR LIST", {"coding": [
            {"system": "https://ecm-adapter.example/fhir/CodeSystem/local/OUR%20LIST",
             "code": "A"}]}),
        ("A" + "^" * 13 + "1.2.3", {"coding": [{"system": "urn:oid:1.2.3", "code": "A"}]}),
        ('A^""^I10', {"coding": [{"system": ICD, "code": "A"}]}),
        (r"A^Salt \T\ pepper^L", {"coding": [
            {"system": "https://ecm-adapter.example/fhir/CodeSystem/local/L", "code": "A",
             "display": "Salt & pepper"}]}),
        ("A  B", {"coding": [{"code": "A B"}]}),  # FHIR code: single spaces inside
        ("^ ^ ^", None),
        ("A^ ^L^^^^ ^^ as written ", {"coding": [
            {"system": "https://ecm-adapter.example/fhir/CodeSystem/local/L", "code": "A"}],
            "text": "as written"}),
    ],
)  # fmt: skip
def test_cwe(text, value):
    assert convert("cwe", text) == (value, [])


@pytest.mark.parametrize(
    ("name", "text", "value", "issues"),
    [
        ("st", "  two  words ", "two  words", []),
        ("st", "   ", None, []),
        ("positive", "12", 12, []),
        ("positive", "0", None, [("number-format", "PID-3")]),
        ("positive", "-1", None, [("number-format", "PID-3")]),
        ("positive", "1.5", None, [("number-format", "PID-3")]),
        ("positive", "²", None, [("number-format", "PID-3")]),
        ("positive", "2147483648", None, [("number-format", "PID-3")]),
        ("days", "3", {"value": 3}, []),
        ("days", "0.5", {"value": 0.5}, []),
        ("days", "-3", None, [("number-format", "PID-3")]),
        ("days", "٣", None, [("number-format", "PID-3")]),
        ("days", "three", None, [("number-format", "PID-3")]),
        ("yes_no", "Y", True, []),
        ("yes_no", "N", False, []),
        ("yes_no", "U", None, [("unmapped", "PID-3")]),
        ("yes_no", "maybe", None, [("flag-format", "PID-3")]),
        ("ssn", "000-00-0000", "000000000", []),
        ("string_concept", " Chest pain ", {"text": "Chest pain"}, []),
        ("string_concept", "  ", None, []),
        ("first_part", "G1^Group", "G1", []),
    ],
)
def test_primitives(name, text, value, issues):
    result, found = convert(name, text)
    unit = {"unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}
    expected = {**value, **unit} if isinstance(value, dict) and "value" in value else value
    assert (result, found) == (expected, issues)


def test_a_code_of_another_language_does_not_pass_for_digits():
    assert convert("cx", "9\uff11234567A^^^^MA")[0]["system"] == FACILITY


# --- builders over repetitions


def omb(value):
    return [e["valueCoding"]["code"] for e in value["extension"] if e["url"] == "ombCategory"]


def words(value):
    return [e["valueString"] for e in value["extension"] if e["url"] == "text"]


@pytest.mark.parametrize(
    ("texts", "codes", "text", "issues"),
    [
        (["2106-3^White^HL70005"], ["2106-3"], "White", []),
        (["2106-3", "2028-9"], ["2106-3", "2028-9"], "White, Asian", []),
        (["2106-3", "2106-3"], ["2106-3"], "White", []),
        (['""', "2106-3"], ["2106-3"], "White", []),
        (["2106-3", "9999-9^Elf"], ["2106-3"], "White, Elf", [("code-unknown", "PID-3[2]")]),
        (["^Half-elf"], [], "Half-elf", []),
        ([r"X^Salt \T\ pepper^L"], [], "Salt & pepper", [("code-unknown", "PID-3")]),
        ([r"X^A\R\B"], [], "A~B", [("code-unknown", "PID-3")]),
    ],
)
def test_race(texts, codes, text, issues):
    value, found = build("us_core_race", *texts)
    assert (omb(value), words(value), found) == (codes, [text], issues)


@pytest.mark.parametrize("texts", [['""'], [""], ["^^^"]])
def test_no_race(texts):
    assert build("us_core_race", *texts) == (None, [])


def test_ethnicity_is_one():
    value, _ = build("us_core_ethnicity", "2186-5^Not Hispanic^HL70189", "2135-2")
    assert (omb(value), words(value)) == (
        ["2186-5"],
        ["Not Hispanic or Latino, Hispanic or Latino"],
    )


@pytest.mark.parametrize("name", ["citizenship", "nationality"])
def test_extensions_of_concepts(name):
    value, issues = build(name, "US^United States^ISO3166", '""', r"XX^A \T\ B")
    concepts = [one["extension"][0]["valueCodeableConcept"]["coding"][0] for one in value]
    assert [one["display"] for one in concepts] == ["United States", "A & B"]
    assert (issues, value[0]["url"].rpartition("-")[2]) == ([], name)


def test_species():
    value, _ = build("species", "448771007^Dog^SCT")
    assert value[0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "448771007"
    assert build("species", '""') == ([], [])
