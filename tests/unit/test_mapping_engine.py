"""What the rules of a mapping mean: each key, each input state, links, names, and what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapter
from adapter import data
from adapter.mapping.registry import BUILDERS
from tests.unit.engine import SID, resource, rows, segments

FACILITY = f"{SID}/facility/MERCYTEST"
SEX = "http://terminology.hl7.org/CodeSystem/v2-0001"
THING = '[[map]]\nresource = "Basic"\nonce = true\nrules = [\n{}\n]\n'  # FHIR asks nothing of it
PATIENT = '[[map]]\nresource = "Patient"\nonce = true\nrules = [\n{}\n]\n'
MRN = '{ to = "identifier[]", from = "PID-3", as = "cx" },\n'


def bare(outcome):
    """The Basic of a unit without its type, None if there is none; and what was said."""
    found = [e.resource for e in outcome.entries if e.resource["resourceType"] == "Basic"]
    thing = {k: v for k, v in found[0].items() if k != "resourceType"} if found else None
    return thing, [(issue.detail, issue.at.field) for issue in outcome.issues], outcome


@pytest.fixture
def pid(tmp_path, monkeypatch):
    """Run a PID segment through the rules given: the Basic, what was said, and the outcome."""

    def run(rules, line, more=""):
        convert = segments(monkeypatch, tmp_path, PID=more + THING.format(rules))
        return bare(convert(line)[0])

    return run


@pytest.fixture
def cells(tmp_path):
    """Run one row of cells through the rules given; the same."""

    def run(rules, columns, *row, **context):
        text = THING.format(rules).replace("once = true\n", "")
        return bare(rows(tmp_path, text, *columns)(*row, **context))

    return run


# --- the three input states


@pytest.mark.parametrize(
    ("field", "patient", "cleared", "issues"),
    [
        ("", None, (), []),
        ('""', {}, ("birthDate",), [("cleared", "PID-7")]),
        ("19800229", {"birthDate": "1980-02-29"}, (), []),
        ("never", None, (), [("date-format", "PID-7")]),
    ],
)
def test_absent_delete_value(pid, field, patient, cleared, issues):
    rule = '{ to = "birthDate", from = "PID-7", as = "date" }'
    found, said, outcome = pid(rule, f"PID|||||||{field}")
    assert (found, said) == (patient, issues)
    assert patient is None or outcome.entries[0].cleared == cleared


@pytest.mark.parametrize(
    ("field", "names", "issues"),
    [
        ('OTTER^""', [{"family": "OTTER"}], []),  # a part of a value that replaces the old one
        ('""^OLIVE', [{"given": ["OLIVE"]}], []),
        ('""~OTTER', [{"family": "OTTER"}], []),  # one of the repetitions
        ('OTTER~""~HERON', [{"family": "OTTER"}, {"family": "HERON"}], []),
        ('""^""', None, []),
        ('OTTER""', [{"family": 'OTTER""'}], []),  # quotes inside a text are a text
    ],
)
def test_delete_inside_a_field(pid, field, names, issues):
    patient, said, _ = pid('{ to = "name[]", from = "PID-5", as = "xpn" }', f"PID|||||{field}")
    assert (patient and patient["name"], said) == (names, issues)


def test_every_element_that_a_field_writes_is_deleted(pid):
    rules = (
        '{ to = "birthDate", from = "PID-7", as = "date" },'
        '{ to = "extension[time].valueDateTime", from = "PID-7", as = "time_of_birth" },'
        '{ to = "extension[time].url", value = "http://x.example" }'
    )
    _, issues, outcome = pid(rules, 'PID|||||||""')
    assert outcome.entries[0].cleared == ("birthDate", "extension/x_example")
    assert issues == [("cleared", "PID-7"), ("cleared", "PID-7")]


# --- from, as, table


def test_repetitions_fill_one_element_each(pid):
    rules = MRN + '{ to = "name[]", from = "PID-5", as = "xpn" }'
    patient, issues, _ = pid(rules, "PID|||A~~B||OTTER~HERON^HANA")
    assert [item["value"] for item in patient["identifier"]] == ["A", "B"]
    assert [name["family"] for name in patient["name"]] == ["OTTER", "HERON"]
    assert issues == []


def test_a_slot_gathers_what_several_rules_say_of_one_repetition(pid):
    rules = (
        '{ to = "identifier[own].value", from = "PID-3.1" },'
        '{ to = "identifier[own].use", from = "PID-3.2" },'
        '{ to = "identifier[own].system", value = "urn:oid:1.2" }'
    )
    patient, _, _ = pid(rules, "PID|||A^old~B~^usual")
    assert patient["identifier"] == [
        {"value": "A", "use": "old", "system": "urn:oid:1.2"},
        {"value": "B", "system": "urn:oid:1.2"},
        {"use": "usual", "system": "urn:oid:1.2"},
    ]


@pytest.mark.parametrize(
    ("code", "patient", "issues"),
    [
        ("F", {"gender": "female"}, []),
        ("F^Female^HL70001", {"gender": "female"}, []),
        ("QQ", {"_gender": SEX}, [("code-unknown", "PID-8")]),
        ("", None, []),
        (" ", None, []),
    ],
)
def test_a_code_without_a_row_is_kept_beside_its_element(pid, code, patient, issues):
    rule = '{ to = "gender", from = "PID-8", table = "administrative-sex" }'
    found, said, _ = pid(rule, f"PID||||||||{code}")
    if found and "_gender" in found:
        (extension,) = found["_gender"]["extension"]
        (coding,) = extension["valueCodeableConcept"]["coding"]
        assert coding["code"] == "QQ"
        found = {"_gender": coding["system"]}
    assert (found, said) == (patient, issues)


@pytest.mark.parametrize(
    ("field", "codes", "issues"),
    [
        ("S", ["S", "S"], []),  # its target, then as it came
        ("QQ^Quite^L", ["QQ"], [("code-unknown", "PID-16")]),
        ("^said so", [], []),
    ],
)
def test_an_unknown_code_keeps_its_coding(pid, field, codes, issues):
    rule = '{ to = "maritalStatus", from = "PID-16", as = "cwe", table = "marital-status" }'
    patient, said, _ = pid(rule, "PID" + "|" * 16 + field)
    found = [coding["code"] for coding in patient["maritalStatus"].get("coding", [])]
    assert (found, said) == (codes, issues)


def test_a_coding_without_a_row_is_of_the_table_s_system(pid):
    rule = '{ to = "class", from = "PID-8", as = "coding", table = "administrative-sex" }'
    patient, issues, _ = pid(rule, "PID||||||||QQ")
    assert (patient["class"], issues) == (
        {"system": SEX, "code": "QQ"},
        [("code-unknown", "PID-8")],
    )


# --- where, unless, need, build


@pytest.mark.parametrize(
    ("field", "values", "issues"),
    [
        ("A^^^^MR", ["A"], []),
        ("A^^^^PI~B^^^^MR~C", ["A", "B"], [("unmapped", "PID-3[3]")]),
        ("C", None, [("unmapped", "PID-3")]),
        ("C^^^^XX", None, [("unmapped", "PID-3")]),
    ],
)
def test_where_chooses_repetitions(pid, field, values, issues):
    rule = '{ to = "identifier[]", from = "PID-3", as = "cx", where = "5=MR|PI" }'
    patient, said, _ = pid(rule, f"PID|||{field}")
    assert (patient and [item["value"] for item in patient["identifier"]], said) == (values, issues)


def test_where_empty_and_where_another_share_a_field(pid):
    rules = (
        '{ to = "identifier[]", from = "PID-3", as = "cx", where = "5=" },'
        '{ to = "language", from = "PID-3.1", where = "5=XX" }'
    )
    patient, issues, _ = pid(rules, "PID|||A~B^^^^XX")
    assert ([i["value"] for i in patient["identifier"]], issues) == (
        ["A"],
        [("unmapped", "PID-3[2]")],
    )


@pytest.mark.parametrize(
    ("date", "flag", "patient"),
    [
        ("", "Y", {"deceasedBoolean": True}),
        ("20260101", "Y", {"deceasedDateTime": "2026-01-01"}),
        ("20260101", "", {"deceasedDateTime": "2026-01-01"}),
        ('""', "N", {"deceasedBoolean": False}),  # deleted is empty
        ("00000000", "Y", {"deceasedBoolean": True}),  # no date says nothing
        (" ", "Y", {"deceasedBoolean": True}),
    ],
)
def test_unless(pid, date, flag, patient):
    rules = (
        '{ to = "deceasedDateTime", from = "PID-1", as = "dtm" },'
        '{ to = "deceasedBoolean", from = "PID-2", as = "yes_no", unless = "PID-1" }'
    )
    assert pid(rules, f"PID|{date}|{flag}")[0] == patient


@pytest.mark.parametrize(
    ("field", "issues"),
    [("", [("required", "PID-7")]), ("never", [("date-format", "PID-7")]), ("19800229", [])],
)
def test_need_refuses_the_unit(pid, field, issues):
    rules = MRN + '{ to = "birthDate", from = "PID-7", as = "date", need = true }'
    patient, said, outcome = pid(rules, f"PID|||A||||{field}")
    assert (patient is None, outcome.ok, said) == (bool(issues), not issues, issues)
    assert issues == [] or outcome.bundle is None


def test_build_reads_all_repetitions_at_once(pid, monkeypatch):
    monkeypatch.setitem(BUILDERS, "count", lambda run, texts: [f"{len(texts)} {t}" for t in texts])
    patient, issues, _ = pid('{ to = "name[]", from = "PID-5", build = "count" }', "PID|||||A~B~C")
    assert (patient["name"], issues) == (["3 A", "3 B", "3 C"], [])


@pytest.mark.parametrize("nothing", [None, []])
def test_a_builder_may_find_nothing(pid, monkeypatch, nothing):
    monkeypatch.setitem(BUILDERS, "count", lambda run, texts: nothing)
    assert pid('{ to = "name[]", from = "PID-5", build = "count" }', "PID|||||A")[0] is None


# --- constants


@pytest.mark.parametrize(
    ("field", "patient"),
    [
        ("", None),  # a constant alone makes no resource
        ("A", {"extension": [{"valueString": "A", "url": "http://x.example"}], "active": True}),
        ("never", None),
    ],
)
def test_a_constant_stands_only_beside_a_sourced_value(pid, field, patient):
    convert = "date" if field == "never" else "st"
    rules = (
        f'{{ to = "extension[x].valueString", from = "PID-6", as = "{convert}" }},'
        '{ to = "extension[x].url", value = "http://x.example" },'
        '{ to = "active", value = true }'
    )
    assert pid(rules, f"PID||||||{field}")[0] == patient


def test_a_constant_in_another_slot_is_not_written(pid):
    rules = (
        MRN + '{ to = "extension[x].valueString", from = "PID-6" },'
        '{ to = "extension[x].url", value = "http://x.example" },'
        '{ to = "contact.gender", value = "unknown" }'
    )
    assert pid(rules, "PID|||A")[0].keys() == {"identifier"}


@pytest.mark.parametrize("value", ['"x"', "1", "false", '["a", "b"]', '{ code = "c" }', "1.5"])
def test_a_constant_may_be_any_value(pid, value):
    patient, _, _ = pid(MRN + f'{{ to = "x", value = {value} }}', "PID|||A")
    expected = {"false": False, '["a", "b"]': ["a", "b"], '{ code = "c" }': {"code": "c"}}
    assert patient["x"] == (expected[value] if value in expected else data.loads(value))


# --- unmapped


@pytest.mark.parametrize(
    ("line", "issues"),
    [
        ("PID|||A||OTTER", []),
        ("PID|1||A", []),  # ignored on purpose
        ("PID|||A||OTTER||||X", [("unmapped", "PID-9")]),
        ("PID|||A||OTTER^OLIVE^^^^^^A", [("unmapped", "PID-5.8")]),
        ("PID|||A||OTTER~HERON^^^^^^^A", [("unmapped", "PID-5[2].8")]),
        ("PID|||A^^^^MR^^^^^^X^Y", [("unmapped", "PID-3.11"), ("unmapped", "PID-3.12")]),
        ("PID|||A" + "|" * 130 + "X", [("unmapped", "PID-133")]),
        ("PID|||A||||1980^X", [("unmapped", "PID-7.2")]),
        ("PID|||A|||||F^^^^^X", []),  # PID-8.6 is left out on purpose
    ],
)
def test_what_no_rule_reads_is_said(pid, line, issues):
    rules = (
        MRN + '{ to = "name[]", from = "PID-5", as = "xpn" },'
        '{ to = "birthDate", from = "PID-7", as = "date" },'
        '{ to = "gender", from = "PID-8", table = "administrative-sex" }'
    )
    assert pid(rules, line, more='ignore = ["PID-1", "PID-8.6"]\n')[1] == issues


def test_only_the_first_repetition_can_fill_a_single_element(pid):
    patient, issues, _ = pid('{ to = "language", from = "PID-5" }', "PID|||||en~es")
    assert (patient, issues) == ({"language": "en"}, [("unmapped", "PID-5[2]")])


# --- once, links, keys, names


TWO = (
    PATIENT.format(MRN + '{ to = "active", value = true }'),
    '[[map]]\nresource = "RelatedPerson"\nkey = ["patient", "name.family?"]\nrules = [\n'
    '{ to = "patient", link = "Patient" },\n{ to = "name[]", from = "NK1-2", as = "xpn" }\n]\n'
    '[[map]]\nresource = "Basic"\nkey = ["subject"]\nrules = [\n'
    '{ to = "subject", link = "RelatedPerson" },\n{ to = "author", link = "Nobody" },\n'
    '{ to = "code", from = "NK1-3", as = "cwe" }\n]\n',
)


@pytest.fixture
def family(tmp_path, monkeypatch):
    return segments(monkeypatch, tmp_path, PID=TWO[0], NK1=TWO[1])


def by_kind(outcome, kind):
    return [e for e in outcome.entries if e.resource["resourceType"] == kind]


def test_once_is_shared_and_the_rest_is_one_a_record(family):
    outcome, issues = family("PID|||A", "PID|||B", "NK1|1|OTTER|x", "NK1|2|HERON|y")
    (patient,) = by_kind(outcome, "Patient")
    assert [item["value"] for item in patient.resource["identifier"]] == ["A", "B"]
    relatives = by_kind(outcome, "RelatedPerson")
    assert [one.resource["name"][0]["family"] for one in relatives] == ["OTTER", "HERON"]
    assert {one.resource["patient"]["reference"] for one in relatives} == {patient.urn}
    assert issues == [("unmapped", "NK1-1")] * 2


def test_links_lead_to_the_same_record_and_to_nobody_when_absent(family):
    outcome, _ = family("PID|||A", "NK1||OTTER|x", "NK1||HERON|y")
    relatives, basics = by_kind(outcome, "RelatedPerson"), by_kind(outcome, "Basic")
    assert [one.resource["subject"]["reference"] for one in basics] == [r.urn for r in relatives]
    assert not any("author" in one.resource for one in basics)


def test_a_key_may_hold_a_link_to_a_keyed_resource(family):
    """Basic is named by its RelatedPerson, which is named by its Patient, which has a number."""
    outcome, _ = family("PID|||A", "NK1||OTTER|x")
    (patient,), (relative,), (basic,) = (
        by_kind(outcome, kind) for kind in ("Patient", "RelatedPerson", "Basic")
    )
    assert (patient.key, patient.identity) == ((), ((FACILITY, "A"),))
    assert relative.key == (patient.urn, "OTTER")
    assert basic.key == (relative.urn,)


def test_the_order_of_segments_does_not_change_names(family):
    first, _ = family("PID|||A", "NK1||OTTER|x", "NK1||HERON|y")
    other, _ = family("NK1||HERON|y", "PID|||A", "NK1||OTTER|x")
    kinds = ("Patient", "RelatedPerson", "Basic")
    assert {e.urn for kind in kinds for e in by_kind(first, kind)} == {
        e.urn for kind in kinds for e in by_kind(other, kind)
    }


def test_an_optional_part_of_a_key_may_be_absent(family):
    outcome, _ = family("PID|||A", "NK1||^OLIVE")
    assert by_kind(outcome, "RelatedPerson")[0].key[1:] == ("",)


def test_without_a_part_of_its_key_a_resource_is_named_by_its_place(family):
    outcome, _ = family("NK1||OTTER")
    other, _ = family("NK1||HERON")
    assert by_kind(outcome, "RelatedPerson")[0].key == ()
    assert by_kind(outcome, "RelatedPerson")[0].urn == by_kind(other, "RelatedPerson")[0].urn


def test_one_name_is_one_resource(family):
    outcome, _ = family("PID|||A", "NK1||OTTER^OLIVE", "NK1||OTTER^OLIVE^Q")
    (relative,) = by_kind(outcome, "RelatedPerson")
    assert relative.resource["name"] == [{"family": "OTTER", "given": ["OLIVE"]}]


HEAD = "MSH|^~\\&|REG|MERCYTEST|ECMHUB|HARBOR|20260705082000-0700||ADT^{event}|M1|P|2.5.1\r"
ADMISSION = (
    HEAD.format(event="A01")
    + "EVN|A01|20260705082000-0700\rPID|1||R1^^^MERCYTEST^MR||TESTWELL^AURORA\r"
    + "PV1|1|I|4WEST^7^B^MERCYTEST||||1888880014^FERNFIELD^OTTOLINE|||||||||||V1^^^MERCYTEST^VN"
)
BED = HEAD.format(event="A20") + "EVN|A20|20260705082000-0700\rNPU|4WEST^7^B^MERCYTEST|U"


def test_every_reference_of_a_unit_leads_somewhere(family):
    outcome, _ = family("NK1||OTTER|x", "PID|||A")
    names = {entry.urn for entry in outcome.entries}
    (provenance,) = by_kind(outcome, "Provenance")
    assert {one["reference"] for one in provenance.resource["target"]} == names - {provenance.urn}


def test_a_unit_is_not_about_what_it_names_in_passing():
    outcome = adapter.convert_adt(ADMISSION)
    (provenance,) = by_kind(outcome, "Provenance")
    kinds = {entry.urn: entry.resource["resourceType"] for entry in outcome.entries}
    told = {kinds[one["reference"]] for one in provenance.resource["target"]}
    assert "Location" in kinds.values()
    assert told == {"Patient", "Encounter"}


def test_of_nothing_else_a_unit_is_about_a_place():
    outcome = adapter.convert_adt(BED)
    (provenance,) = by_kind(outcome, "Provenance")
    kinds = {entry.urn: entry.resource["resourceType"] for entry in outcome.entries}
    assert "Location" in {kinds[one["reference"]] for one in provenance.resource["target"]}


def test_origins_say_where_each_element_came_from(family):
    outcome, _ = family("PID|||A", "NK1||OTTER|x")
    assert [tuple(one) for one in by_kind(outcome, "Patient")[0].origins] == [
        ("identifier", 1, "PID-3")
    ]
    assert [tuple(one) for one in by_kind(outcome, "RelatedPerson")[0].origins] == [
        ("name", 2, "NK1-2")
    ]


# --- rows


def test_an_unknown_column_is_said_once_a_file(tmp_path):
    run = rows(tmp_path, PATIENT.format('{ to = "language", from = "lang" }'), "lang", None)
    first, second = run("en", "x"), run("es", "y", line=3)
    assert [(i.detail, i.at.field) for i in first.issues] == [("unmapped", "Extra")]
    assert second.issues == []


@pytest.mark.parametrize(
    ("row", "issues"),
    [(("",), [("required", "lang")]), ((), [("required", "lang")]), (("en",), [])],
)
def test_a_needed_cell(cells, row, issues):
    rule = '{ to = "language", from = "lang", need = true }'
    _, said, outcome = cells(rule, ("lang",), *row)
    assert (said, outcome.ok) == (issues, not issues)


def test_a_needed_field_without_column(cells):
    _, issues, _ = cells('{ to = "language", from = "lang", need = true }', ("other",), "x")
    assert ("required", "lang") in issues


@pytest.mark.parametrize(
    ("cell", "patient", "issues"),
    [
        ("Pending", {"language": "Pending"}, []),
        ("In Review", {"language": "In Review"}, []),
        ("Done", {"active": True}, []),
        ("Other", None, [("unmapped", "state")]),
    ],
)
def test_where_on_a_cell(cells, cell, patient, issues):
    rules = (
        '{ to = "language", from = "state", where = "Pending|In Review" },'
        '{ to = "active", from = "state", table = "member-flag", as = "flag", where = "Y" },'
    )
    if cell == "Done":
        rules = '{ to = "active", from = "state", as = "flag", where = "Y" }'
        cell = "Y"
    assert cells(rules, ("state",), cell)[:2] == (patient, issues)


@pytest.mark.parametrize(
    ("row", "patient"),
    [(("a", "b"), {"language": "a"}), (("", "b"), {"language": "b"}), (("", ""), None)],
)
def test_unless_on_a_cell(cells, row, patient):
    rules = '{ to = "language", from = "a" }, { to = "language", from = "b", unless = "a" }'
    assert cells(rules, ("a", "b"), *row)[0] == patient


def test_a_code_of_a_cell_without_a_row(cells):
    rule = '{ to = "gender", from = "sex", as = "code", table = "administrative-sex" }'
    assert cells(rule, ("sex",), "QQ")[:2] == (None, [("code-unknown", "sex")])
    assert cells(rule, ("sex",), " f ")[:2] == ({"gender": "female"}, [])


def test_context_fills_fields_without_a_column(cells):
    rules = '{ to = "language", from = "lang" }, { to = "active", from = "on", as = "flag" }'
    assert cells(rules, ("on",), "Y", lang="en")[0] == {"active": True, "language": "en"}
    assert cells(rules, ("lang",), "es", lang="en")[0] == {"language": "es"}  # a column wins


# --- the same input, the same bytes


def bytes_of(outcome):
    return data.dumps([(entry.urn, entry.resource, entry.key) for entry in outcome.entries])


@given(
    st.lists(
        st.sampled_from(
            ["PID|||A", "PID|||B", "NK1||OTTER|x", "NK1||HERON|y", "NK1||^OLIVE", "NK1|||z"]
        ),
        max_size=8,
    )
)
def test_the_same_segments_give_the_same_bytes(tmp_path_factory, lines):
    with pytest.MonkeyPatch.context() as patch:
        run = segments(patch, tmp_path_factory.mktemp("m"), PID=TWO[0], NK1=TWO[1])
    first, second = run(*lines), run(*lines)
    assert (bytes_of(first[0]), first[1]) == (bytes_of(second[0]), second[1])
    urns = [entry.urn for entry in first[0].entries]
    assert len(urns) == len(set(urns))


def test_a_message_without_values_makes_nothing(pid):
    _, issues, outcome = pid(MRN, "PID|||")
    assert (outcome.entries, issues, outcome.bundle) == ([], [], None)


def test_the_only_resource_is_found(cells):
    _, _, outcome = cells('{ to = "language", from = "lang" }', ("lang",), "en")
    assert resource(outcome, "Basic")["language"] == "en"
