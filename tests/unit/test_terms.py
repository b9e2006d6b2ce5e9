"""The lookup seam of terms, and the shape that every file of terminology/ has."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import data, terms
from adapter.errors import DataFileError

FOLDER = data.path("terminology")
TABLES = sorted(file.stem for file in FOLDER.glob("tables/*.csv"))
LISTS = sorted(file.stem for file in FOLDER.glob("*.csv"))
VALUE_SETS = sorted(terms.value_set_names())
FILES = sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.csv"))
URI = re.compile(r"(https?://|urn:(oid|ietf|iso):)\S+")
R4 = "http://hl7.org/fhir/ValueSet/"
CDCREC = "urn:oid:2.16.840.1.113883.6.238"

# table, source code, code on our side ("": known, and means nothing; None: no row)
LOOKUPS = [
    ("administrative-sex", "F", "female"),
    ("administrative-sex", "A", "other"),
    ("administrative-sex", "Male", "male"),
    ("administrative-sex", "Q", None),
    ("marital-status", "A", "L"),
    ("marital-status", "U", "UNK"),
    ("patient-class", "I", "IMP"),
    ("patient-class", "E", "EMER"),
    ("patient-class-status", "P", "planned"),
    ("event-status", "A03", "finished"),
    ("event-status", "A11", "cancelled"),
    ("event-status", "A13", "in-progress"),
    ("event-status", "A40", ""),
    ("event-status", "a03", None),
    ("message-structure", "A04", "ADT_A01"),
    ("message-structure", "A40", "ADT_A39"),
    ("message-structure", "A34", "ADT_A30"),
    ("religion", "CAT", "1041"),
    ("admission-type", "3", "3"),
    ("relationship", "MTH", "MTH"),
    ("relationship", "Mother", "MTH"),
    ("coverage-relationship", "SEL", "self"),
    ("coverage-relationship", "18", "self"),
    ("coverage-relationship", "FTH", "child"),
    ("coverage-relationship", "CHD", "parent"),
    ("coverage-relationship", "19", "child"),
    ("diagnosis-type", "A", "AD"),
    ("allergen-type", "DA", "medication"),
    ("allergen-type", "MC", ""),
    ("allergy-severity", "SV", "severe"),
    ("allergy-criticality", "MO", ""),
    ("address-use", "BA", "old"),
    ("address-type", "M", "postal"),
    ("name-type", "L", "official"),
    ("name-type", "NAV", ""),
    ("telecom-use", "PRN", "home"),
    ("telecom-equipment", "CP", "phone"),
    ("telecom-equipment-use", "CP", "mobile"),
    ("identifier-type", "MR", "MR"),
    ("yes-no", "Y", "true"),
    ("discharge-disposition", "03", "snf"),
    ("discharge-disposition", "20", "exp"),
    ("discharge-disposition", "30", ""),
    ("discharge-disposition", "3", None),
    ("admit-source", "7", "emd"),
    ("country", "USA", "USA"),
    ("country", "US", "US"),
    ("race", "2106-3", "2106-3"),
    ("race", "Caucasian", "2106-3"),
    ("race-category", "2036-2", "2028-9"),
    ("ethnic-group", "H", "2135-2"),
    ("ethnic-group", "N", "2186-5"),
    ("ethnic-group", "U", "UNK"),
    ("ethnicity-category", "2149-3", "2135-2"),
    ("member-race", "Black or African-American", "2054-5"),
    ("member-race", "Hispanic", ""),
    ("member-ethnicity", "NON-HISPANIC", "2186-5"),
    ("member-sex", "1", "male"),
    ("member-sex", "2", "female"),
    ("member-flag", "Yes", "true"),
    ("member-flag", "0", "false"),
    ("language", "spa", "es"),
    ("language", "ES", "es"),
    ("language", "fre", "fr"),
    ("language", "fra", "fr"),
    ("language", "Cantonese", "yue"),
    ("language", "Mandarin", "cmn"),
    ("language", "Klingonese", None),
    ("us-state", "Calif.", "CA"),
    ("us-state", "California", "CA"),
    ("place-of-service", "12", "12"),
    ("place-of-service", "Homeless shelter", "04"),
    ("coding-system", "I10", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("coding-system", "ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("coding-system", "HL70005", "http://terminology.hl7.org/CodeSystem/v2-0005"),
    ("population-of-focus", "Adult \u2013 SMI or SUD", "smh-sud"),
    ("population-of-focus", "Adult - SMI or SUD", "smh-sud"),
    ("population-of-focus", "3", None),
    ("population-of-focus", "dhcs:3", "smh-sud"),
    ("population-of-focus", "sacramento-form:3", "incarceration"),
    ("clr-status", "Outreach initiated", "outreach-initiated"),
    ("clr-status-of-task", "rejected", "declined"),
    ("clr-status-of-task", "on-hold", ""),
    ("clr-closure-reasons", "Services Received", "services-received"),
    ("discontinuation-reason", "khs:EXP", "deceased"),
    ("discontinuation-code", "goals-met", "1"),
    ("discontinuation-code", "deceased", ""),
    ("ecm-episode-status", "new_member", "planned"),
    ("outreach-method", "In person", "FACE"),
    ("contact-modality", "Phone call", "telehealth"),
    ("contact-modality", "letter", ""),
    ("staff-kind", "Non-Clinical", "non-clinical"),
    ("staff-kind", "MHA II", "non-clinical"),
    ("sdoh-priority", "Z59.02", "Z59.02"),
]

# Medi-Cal threshold languages, as files write them
THRESHOLD = [
    ("Arabic", "ar"),
    ("Armenian", "hy"),
    ("Cambodian", "km"),
    ("Chinese", "zh"),
    ("English", "en"),
    ("Farsi", "fa"),
    ("Hindi", "hi"),
    ("Hmong", "hmn"),
    ("Japanese", "ja"),
    ("Korean", "ko"),
    ("Laotian", "lo"),
    ("Mien", "ium"),
    ("Punjabi", "pa"),
    ("Russian", "ru"),
    ("Spanish", "es"),
    ("Tagalog", "tl"),
    ("Thai", "th"),
    ("Ukrainian", "uk"),
    ("Vietnamese", "vi"),
]

SYSTEMS = [
    (("cin",), "https://ecm-adapter.example/fhir/sid/cin"),
    (("plan-member", "sunrise"), "https://ecm-adapter.example/fhir/sid/plan-member/sunrise"),
    (("authorization", "sunrise"), "https://ecm-adapter.example/fhir/sid/authorization/sunrise"),
    (("npi",), "http://hl7.org/fhir/sid/us-npi"),
    (("ssn",), "http://hl7.org/fhir/sid/us-ssn"),
    (("tin",), "urn:oid:2.16.840.1.113883.4.4"),
    (("mbi",), "http://hl7.org/fhir/sid/us-mbi"),
]

AUTHORITIES = [
    ("2.16.840.1.113883.4.1", "http://hl7.org/fhir/sid/us-ssn"),
    ("urn:oid:2.16.840.1.113883.4.6", "http://hl7.org/fhir/sid/us-npi"),
    ("USSSA", "http://hl7.org/fhir/sid/us-ssn"),
    ("npi", "http://hl7.org/fhir/sid/us-npi"),
    ("Medi-Cal", "https://ecm-adapter.example/fhir/sid/cin"),
    ("Medical", None),
    ("2.16.840.1.113883.4.1.9", None),
    ("", None),
]

# name, a value of the shape, a value that is not
SHAPES = [
    ("cin", "90000000A", "80000000A"),
    ("npi", "1000000004", "3000000004"),
    ("ssn", "000000000", "000-00-0000"),
    ("mbi", "1A00A00AA00", "0A00A00AA00"),
    ("claim", "C-1", "C 1"),
]

# value set, a code in it, a code that only looks like one
BINDINGS = [
    (R4 + "administrative-gender", (f"{R4[:-9]}administrative-gender", "female"), "F"),
    (R4 + "encounter-status|4.0.1", (f"{R4[:-9]}encounter-status", "finished"), "completed"),
    (R4 + "episode-of-care-status", (f"{R4[:-9]}episode-of-care-status", "waitlist"), "new"),
    (R4 + "fm-status", (f"{R4[:-9]}fm-status", "active"), "final"),
    (R4 + "claim-use", (f"{R4[:-9]}claim-use", "preauthorization"), "authorization"),
    (R4 + "remittance-outcome", (f"{R4[:-9]}remittance-outcome", "partial"), "denied"),
    (R4 + "task-status", (f"{R4[:-9]}task-status", "on-hold"), "onhold"),
    (R4 + "request-intent", (f"{R4[:-9]}request-intent", "order"), "request"),
    (R4 + "identifier-use", (f"{R4[:-9]}identifier-use", "old"), "OLD"),
    (R4 + "name-use", (f"{R4[:-9]}name-use", "usual"), "CURRENT"),
    (R4 + "contact-point-use", (f"{R4[:-9]}contact-point-use", "mobile"), "cell"),
    (R4 + "consent-state-codes", (f"{R4[:-9]}consent-state-codes", "active"), "signed"),
    (
        R4 + "condition-clinical",
        ("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved"),
        "confirmed",
    ),
    (
        R4 + "allergyintolerance-verification",
        ("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"),
        "active",
    ),
    ("omb-race-category", (CDCREC, "2106-3"), "2036-2"),
]


@pytest.mark.parametrize(("name", "code", "expected"), LOOKUPS)
def test_a_table_finds_the_code(name: str, code: str, expected: str | None) -> None:
    found = terms.table(name).get(code)
    assert (None if found is None else found.code) == expected


@pytest.mark.parametrize(("word", "tag"), THRESHOLD)
def test_a_threshold_language_has_a_tag(word: str, tag: str) -> None:
    found = terms.table("language").get(word)
    assert found is not None
    assert found[:2] == (tag, "urn:ietf:bcp:47")


def test_a_table_tells_what_its_standard_calls_a_code() -> None:
    table = terms.table("discharge-disposition")
    assert table.system == "https://www.nubc.org/CodeSystem/PatDischargeStatus"
    assert table.display("20") == "Expired"
    assert table.display("999") == ""


def test_a_word_of_feeds_is_not_a_code_of_the_standard() -> None:
    table = terms.table("administrative-sex")
    assert (table.display("F"), table.display("female")) == ("Female", "")


def test_a_table_is_read_once() -> None:
    assert terms.table("race") is terms.table("race")


@given(st.text())
def test_any_text_may_be_looked_up(text: str) -> None:
    found = terms.table("language").get(text)
    assert found is None or isinstance(found, terms.Target)


@given(st.sampled_from(["Dari", "Hmong", "Tigrinya"]), st.sampled_from([" ", "-", "", ". "]))
def test_case_and_punctuation_of_a_word_do_not_count(word: str, mark: str) -> None:
    table = terms.table("language")
    assert table.get(mark + word.upper() + mark) == table.get(word.lower())


@pytest.mark.parametrize(("arguments", "expected"), SYSTEMS)
def test_an_identifier_system_has_a_uri(arguments: tuple[str, ...], expected: str) -> None:
    assert terms.system(*arguments) == expected


@pytest.mark.parametrize(("namespace", "expected"), AUTHORITIES)
def test_an_authority_stands_for_a_system(namespace: str, expected: str | None) -> None:
    assert terms.authority(namespace) == expected


@pytest.mark.parametrize(("name", "good", "bad"), SHAPES)
def test_an_identifier_has_a_shape(name: str, good: str, bad: str) -> None:
    shape = re.compile(terms.identifier(name).pattern)
    assert shape.match(good)
    assert not shape.match(bad)


@pytest.mark.parametrize(("url", "member", "stranger"), BINDINGS)
def test_a_value_set_holds_its_codes(url: str, member: tuple[str, str], stranger: str) -> None:
    found = terms.value_set(url)
    assert member in found
    assert stranger not in {code for _, code in found}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: terms.table("no-such-table"),
        lambda: terms.rows("no-such-list"),
        lambda: terms.identifier("no-such-system"),
        lambda: terms.value_set(R4 + "no-such-set"),
        lambda: terms.value_set("http://example.org/ValueSet/encounter-status"),
    ],
    ids=["table", "list", "identifier", "value set", "value set of another owner"],
)
def test_a_name_that_is_not_there_is_our_fault(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(DataFileError, match=r"terminology/"):
        ask()


HEAD = {"title": "t", "match": "words"}


def row(code: str) -> dict[str, str]:
    return dict.fromkeys(terms.COLUMNS, "") | {"code": code}


def test_two_rows_for_one_code_are_refused() -> None:
    with pytest.raises(DataFileError, match="stands twice"):
        terms.Table("t", HEAD, [row("New York"), row("NEW-YORK")])


def test_codes_that_are_not_words_keep_their_case() -> None:
    table = terms.Table("t", {}, [row("a"), row("A")])
    assert table.codes() == ("a", "A")


# --- every file


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_where_it_comes_from(name: str) -> None:
    head, rows = data.table(FOLDER / name)
    assert rows
    assert head["title"]
    assert head["source"]
    assert date.fromisoformat(head["date"]) > date(2000, 1, 1)
    assert head["confidence"] in terms.CONFIDENCE


@pytest.mark.parametrize("name", FILES)
def test_a_cell_has_no_stray_space(name: str) -> None:
    _, rows = data.table(FOLDER / name)
    assert [cell for row in rows for cell in row.values() if cell != cell.strip()] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_columns_and_no_code_twice(name: str) -> None:
    head, rows = data.table(FOLDER / "tables" / f"{name}.csv")
    assert tuple(rows[0]) == terms.COLUMNS
    assert len(terms.table(name).codes()) == len(rows)
    assert "" not in {row["code"] for row in rows}
    assert "system" in head
    assert URI.fullmatch(head["system"]) or not head["system"]


@pytest.mark.parametrize("name", TABLES)
def test_a_target_code_has_a_system(name: str) -> None:
    targets = [terms.table(name).get(code) for code in terms.table(name).codes()]
    assert None not in targets
    assert [t for t in targets if t and bool(t.code) != bool(t.system)] == []
    assert [t for t in targets if t and t.system and not URI.fullmatch(t.system)] == []


@pytest.mark.parametrize("url", VALUE_SETS)
def test_a_value_set_has_no_code_twice(url: str) -> None:
    _, rows = data.table(FOLDER / "valuesets" / f"{terms.value_set_names()[url]}.csv")
    assert tuple(rows[0]) == ("system", "code", "display")
    assert len(terms.value_set(url)) == len(rows)
    assert [row for row in rows if not (row["code"] and URI.fullmatch(row["system"]))] == []


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_rows_of_known_confidence(name: str) -> None:
    rows = terms.rows(name)
    assert rows
    assert {row["confidence"] for row in rows} <= set(terms.CONFIDENCE)
    assert [row for row in rows if not row["source"]] == []


def test_every_file_is_read() -> None:
    read = {f"tables/{name}.csv" for name in TABLES} | {f"{name}.csv" for name in LISTS}
    read |= {f"valuesets/{name}.csv" for name in terms.value_set_names().values()}
    assert read == set(FILES)


def test_the_page_names_every_table_and_list() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9-]+)`", page))
    assert sorted({*TABLES, *LISTS} - named) == []


def test_no_identifier_system_stands_twice() -> None:
    rows = terms.rows("identifier-systems")
    assert len({row["name"] for row in rows}) == len(rows)
    assert len({row["system"] for row in rows}) == len(rows)
    assert all(row["pattern"].startswith("^") and row["pattern"].endswith("$") for row in rows)


def test_every_authority_leads_to_a_known_system() -> None:
    systems = {row["system"] for row in terms.rows("identifier-systems")}
    assert [row for row in terms.rows("authorities") if row["system"] not in systems] == []


def test_a_medi_cal_authority_is_marked_as_unverified() -> None:
    rows = [row for row in terms.rows("authorities") if row["system"] == terms.system("cin")]
    assert {row["confidence"] for row in rows} == {"unverified"}


# tables whose targets a required binding of R4 restrains
BOUND = [
    ("administrative-sex", "administrative-gender"),
    ("member-sex", "administrative-gender"),
    ("patient-class-status", "encounter-status"),
    ("event-status", "encounter-status"),
    ("address-use", "address-use"),
    ("address-type", "address-type"),
    ("name-type", "name-use"),
    ("telecom-use", "contact-point-use"),
    ("telecom-equipment", "contact-point-system"),
    ("telecom-equipment-use", "contact-point-use"),
    ("allergen-type", "allergy-intolerance-category"),
    ("allergy-type", "allergy-intolerance-type"),
    ("allergy-severity", "reaction-event-severity"),
    ("allergy-criticality", "allergy-intolerance-criticality"),
    ("action-code", "http-verb"),
    ("ecm-episode-status", "episode-of-care-status"),
    ("request-priority", "request-priority"),
    ("coverage-relationship", "subscriber-relationship"),
    ("admit-source", "encounter-admit-source"),
    ("discharge-disposition", "encounter-discharge-disposition"),
    ("us-state", "us-core-usps-state"),
    ("place-of-service", "place-of-service"),
]


@pytest.mark.parametrize(("name", "value_set"), BOUND)
def test_targets_are_in_the_bound_value_set(name: str, value_set: str) -> None:
    targets = [terms.table(name).get(code) for code in terms.table(name).codes()]
    found = {(t.system, t.code) for t in targets if t and t.code}
    assert found - terms.value_set(value_set) == set()


def test_value_sets_agree_with_those_of_validation() -> None:
    ours = terms.value_set_names()
    theirs = data.json(data.path("profiles", "r4-codes.json"))["value_sets"]
    shared = ours.keys() & theirs.keys()
    flat = {url: {(s, c) for s, codes in theirs[url].items() for c in codes} for url in shared}
    assert len(shared) > 100
    assert [url for url in sorted(shared) if terms.value_set(url) != flat[url]] == []


RACES = {code for system, code in terms.value_set("omb-race-category") if system == CDCREC}


@pytest.mark.parametrize("name", ["race", "member-race"])
def test_every_race_rolls_up_to_an_omb_category(name: str) -> None:
    targets = [terms.table(name).get(code) for code in terms.table(name).codes()]
    codes = {t.code for t in targets if t and t.system == CDCREC}
    up = [terms.table("race-category").get(code) for code in codes]
    assert {t.code if t else "" for t in up} <= RACES


def test_the_eight_ecm_combinations() -> None:
    rows = terms.rows("hcpcs-ecm")
    keys = {(row["phase"], row["staff"], row["modality"]) for row in rows}
    codes = {(row["hcpcs"], row["modifier_1"], row["modifier_2"]) for row in rows}
    assert (len(rows), len(keys), len(codes)) == (8, 8, 8)
    assert {row["hcpcs"] for row in rows if row["staff"] == "clinical"} == {"G9008"}
    assert {row["modifier_1"] for row in rows if row["phase"] == "outreach"} == {"U8"}
    assert {row["modifier_2"] for row in rows if row["modality"] == "telehealth"} == {"GQ"}


def test_community_supports_are_keyed_by_code_and_modifiers_together() -> None:
    keys = [(row["hcpcs"], row["modifier_1"], row["modifier_2"]) for row in terms.rows("hcpcs-cs")]
    assert len(set(keys)) == len(keys)
    assert len({code for code, *_ in keys}) < len(keys)
