"""Member rows to FHIR: builders one by one, the mapping as a whole, the roster of a file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapter
from adapter import data, validation
from adapter.mapping import cells, tabular
from adapter.mapping.registry import BUILDERS, CONVERTERS
from adapter.mapping.roster import Roster, named
from adapter.mapping.run import Feed, Run
from adapter.outcome import Outcome, Unit
from adapter.record import Entry, Location, Record
from adapter.sources import layout as layouts

MEMBER = tabular.load("mif", "member")
CONTEXT = layouts.load("sunrise").context
DAY = "2026-07-01T00:00:00Z"


def unit(as_of=DAY):
    return Unit(Location("f.csv", 2), "mif", "plan:sunrise", as_of=as_of)


def fresh():
    return Run(unit(), Feed("plan:sunrise", "plan:sunrise", "America/Los_Angeles"), line=2)


def build(name, text):
    """What a builder makes of one cell, and the details of its issues."""
    run = fresh()
    return BUILDERS[name](run, [text]), [issue.detail for issue in run.issues]


def row(as_of=DAY, **fields):
    """One row through the mapping; a good member unless said otherwise. `None` drops a field."""
    full = {"plan_member_id": "M1", "cin": "90000011A", "last_name": "Otter", "first_name": "Olive"}
    full = {name: text for name, text in {**full, **fields}.items() if text is not None}
    bound = MEMBER.bind(list(full), list(full))
    return bound.apply(Record("f.csv", 2, "row", list(full.values())), unit(as_of), CONTEXT)


def one(outcome, kind):
    """The only resource of a type that is neither plan nor provider."""
    found = [e.resource for e in outcome.entries if e.resource["resourceType"] == kind]
    assert len(found) == 1
    return found[0]


def details(outcome):
    return [(issue.severity, issue.detail, issue.at.field) for issue in outcome.issues]


@pytest.mark.parametrize(
    ("text", "family", "suffix"),
    [
        ("Otter", "Otter", None),
        ("OTTER JR", "OTTER", "JR"),
        ("Otter, Sr.", "Otter", "Sr"),
        ("De la Otter III", "De la Otter", "III"),
        ("  Otter   Brown ", "Otter Brown", None),
        ("Iv", "Iv", None),
        ("Jr", "Jr", None),
        ("Civ", "Civ", None),
    ],
)
def test_last_names(text, family, suffix):
    name, _ = build("last_name", text)
    assert (name["family"], name.get("suffix")) == (family, [suffix] if suffix else None)


@pytest.mark.parametrize("order", [("first_name", "middle_name"), ("middle_name", "first_name")])
def test_the_first_name_comes_first_wherever_its_column_stands(order):
    names = {"first_name": "Olive", "middle_name": "May"}
    fields = {"first_name": None, **{name: names[name] for name in order}}
    patient = one(row(**dict(sorted(fields.items(), key=lambda f: order.index(f[0])))), "Patient")
    assert patient["name"][0]["given"] == ["Olive", "May"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Otter, Olive", {"family": "Otter", "given": ["Olive"]}),
        ("Olive May Otter", {"family": "Otter", "given": ["Olive", "May"]}),
        ("Otter, Olive MD", {"family": "Otter", "given": ["Olive"], "suffix": ["MD"]}),
        ("Olive Otter, NP", {"family": "Otter", "given": ["Olive"], "suffix": ["NP"]}),
        ("Otter", {"family": "Otter"}),
        ("Riverbend Imaginary Clinic", {"family": "Riverbend Imaginary Clinic"}),
    ],
)
def test_whole_names(text, name):
    assert build("person_name", text) == ({"text": text, **name}, [])


@pytest.mark.parametrize(
    ("name", "text", "found", "issues"),
    [
        ("phones", "9165550101", [("(916) 555-0101", None)], []),
        ("phones_home", "(916) 555-0101", [("(916) 555-0101", "home")], []),
        ("phones_mobile", "1-916-555-0101", [("(916) 555-0101", "mobile")], []),
        (
            "phones_work",
            "916.555.0101, 916-555-0102 x7",
            [("(916) 555-0101", "work"), ("(916) 555-0102 x7", "work")],
            [],
        ),
        (
            "phones",
            "916-555-0101 or 916-555-0102",
            [("(916) 555-0101", None), ("(916) 555-0102", None)],
            [],
        ),
        ("phones", "12345 / 916-555-0102", [("(916) 555-0102", None)], ["phone-format"]),
        ("phones", "none of your business", [], ["phone-format"]),
    ],
)
def test_phones(name, text, found, issues):
    points, told = build(name, text)
    assert [(point["value"], point.get("use")) for point in points] == found
    assert told == issues


def codes(extensions):
    """Codes of population extensions, or their text where there is no code."""
    found = [item["valueCodeableConcept"] for item in extensions]
    return [what["coding"][0]["code"] if "coding" in what else what["text"] for what in found]


@pytest.mark.parametrize(
    ("text", "found", "issues"),
    [
        ("Involved in Child Welfare", ["child-welfare"], []),
        ("dhcs:1a", ["homelessness-adult"], []),
        ("Birth Equity Population of Focus; Involved in Child Welfare",
         ["birth-equity", "child-welfare"], []),
        ("Involved in Child Welfare, Birth Equity Population of Focus",
         ["child-welfare", "birth-equity"], []),
        ("Involved in Child Welfare|Involved in child welfare", ["child-welfare"], []),
        ("Left-handed people", ["Left-handed people"], ["code-unknown"]),
        ("Left-handed people; Involved in Child Welfare",
         ["Left-handed people", "child-welfare"], ["code-unknown"]),
    ],
)  # fmt: skip
def test_populations_of_focus(text, found, issues):
    extensions, told = build("populations", text)
    assert (codes(extensions), told) == (found, issues)


def test_a_population_named_by_text_and_by_flag_is_there_once():
    outcome = row(
        pof="Involved in Child Welfare", pof_child_welfare="Y", pof_ccs="1", pof_smh_sud="0"
    )
    assert codes(one(outcome, "EpisodeOfCare")["extension"]) == ["child-welfare", "ccs"]


@pytest.mark.parametrize(
    ("name", "text", "omb", "words", "issues"),
    [
        ("member_race", "White", ["2106-3"], "White", []),
        ("member_race", "White; Asian", ["2106-3", "2028-9"], "White, Asian", []),
        ("member_race", "Black/African American", ["2054-5"], "Black/African American", []),
        ("member_race", "Martian", [], "Martian", ["code-unknown"]),
        ("member_ethnicity", "Hispanic or Latino", ["2135-2"], "Hispanic or Latino", []),
        ("member_ethnicity", "N", ["2186-5"], "N", []),
    ],
)
def test_race_and_ethnicity(name, text, omb, words, issues):
    extension, told = build(name, text)
    parts = extension["extension"]
    assert [p["valueCoding"]["code"] for p in parts if p["url"] == "ombCategory"] == omb
    assert (parts[-1], told) == ({"url": "text", "valueString": words}, issues)


def test_languages_spoken_and_written():
    patient = one(row(language_spoken="Spanish", language_written="English"), "Patient")
    spoken, written = patient["communication"]
    assert [spoken["language"]["coding"][0]["code"], spoken["preferred"]] == ["es", True]
    assert written["language"]["coding"][0]["code"] == "en"
    assert written["extension"][0]["extension"][0]["valueCoding"]["code"] == "RWR"


STATUS = [
    ({}, "planned"),
    ({"enrolled": "Y"}, "active"),
    ({"enrolled": "0"}, "planned"),
    ({"enrolled": "maybe"}, "planned"),
    ({"record_status": "new_member"}, "planned"),
    ({"record_status": "continuing"}, "planned"),
    ({"record_status": "removed", "enrolled": "Y"}, "finished"),
    ({"ecm_status": "in outreach"}, "planned"),
    ({"ecm_status": "enrolled", "enrolled": "N"}, "active"),
    ({"ecm_status": "declined"}, "cancelled"),
    ({"ecm_status": "discontinued"}, "finished"),
    ({"ecm_status": "odd", "enrolled": "Y"}, "active"),
    ({"enrolled": "0", "discontinuation_reason": "khs:WM"}, "finished"),
    ({"void": "1", "enrolled": "Y"}, "entered-in-error"),
    ({"void": "0", "enrolled": "Y"}, "active"),
]


@pytest.mark.parametrize(("fields", "status"), STATUS, ids=[str(n) for n in range(len(STATUS))])
def test_status_of_the_episode(fields, status):
    for turned in (fields, dict(reversed(fields.items()))):
        assert one(row(**turned), "EpisodeOfCare")["status"] == status


def test_the_status_knows_the_column_that_decided():
    (entry,) = [
        e
        for e in row(enrolled="Y").entries
        if e.resource["resourceType"] == "EpisodeOfCare"
    ]  # fmt: skip
    assert ("status", 2, "enrolled") in entry.origins


def test_a_plan_code_keeps_the_text_of_its_cell():
    episode = one(row(discontinuation_reason="khs:WM"), "EpisodeOfCare")
    (found,) = [e for e in episode["extension"] if e["url"].endswith("discontinuation-reason")]
    what = found["valueCodeableConcept"]
    assert (what["coding"][0]["code"], what["text"]) == ("goals-met", "WM")


IDS = [
    ({}, ["90000011A", "M1"], []),
    ({"cin": None}, ["M1"], []),
    ({"plan_member_id": None}, ["90000011A"], []),
    ({"plan_member_id": None, "cin": None, "mrn": "007"}, ["007", "7"], []),
    ({"cin": "9000001 1a"}, ["90000011A", "M1"], []),
    ({"cin": "90000011A12345"}, ["90000011A", "M1"], []),
    ({"cin": "2AC3DE4FG56"}, ["M1"], [("warning", "identifier-format", "cin")]),
    ({"cin": "123456789"}, ["M1"], [("warning", "identifier-format", "cin")]),
]


@pytest.mark.parametrize(("fields", "values", "issues"), IDS, ids=[str(n) for n in range(len(IDS))])
def test_identifiers(fields, values, issues):
    outcome = row(**fields)
    (entry,) = [e for e in outcome.entries if e.resource["resourceType"] == "Patient"]
    assert [value for _, value in entry.identity] == values
    assert details(outcome) == issues


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"plan_member_id": None, "cin": None}, "plan_member_id or cin"),
        ({"plan_member_id": "", "cin": ""}, "plan_member_id or cin"),
        ({"plan_member_id": None, "cin": "123456789"}, "plan_member_id or cin"),
        ({"last_name": ""}, "last_name"),
        ({"first_name": ""}, "first_name"),
    ],
)
def test_rows_that_name_nobody_are_refused(fields, field):
    outcome = row(**fields)
    assert (outcome.ok, outcome.bundle, outcome.entries) == (False, None, [])
    assert ("error", "required", field) in details(outcome)


def test_coverage_names_the_member_as_the_plan_does():
    coverage = one(row(coverage_start="01/01/2026"), "Coverage")
    assert (coverage["subscriberId"], coverage["period"]) == ("M1", {"start": "2026-01-01"})
    assert one(row(plan_member_id=None), "Coverage")["subscriberId"] == "90000011A"


AUTHORIZATION = {"auth_start": "07/01/2026", "auth_end": "06/30/2027", "auth_status": "Approved"}


def test_an_authorization():
    found = one(row(auth_id="A 1", **AUTHORIZATION), "ClaimResponse")
    assert found["preAuthRef"] == "A1"
    assert found["preAuthPeriod"] == {"start": "2026-07-01", "end": "2027-06-30"}
    assert [found["use"], found["outcome"], found["disposition"], found["created"]] == [
        "preauthorization", "complete", "Approved", "2026-07-01",
    ]  # fmt: skip


def test_an_authorization_without_decision_is_queued():
    assert one(row(auth_id="A1", auth_status="Pending"), "ClaimResponse")["outcome"] == "queued"


def test_an_authorization_of_unknown_day_says_so():
    found = one(row(as_of="", auth_id="A1"), "ClaimResponse")
    assert (found.get("created"), "_created" in found) == (None, True)


def test_an_authorization_without_number_is_left_out():
    outcome = row(**AUTHORIZATION)
    assert details(outcome) == [("warning", "required", "auth_id")]
    assert all(e.resource["resourceType"] != "ClaimResponse" for e in outcome.entries)


def test_a_contact_of_whom_only_the_relation_is_known_is_left_out():
    outcome = row(guardian_relation="Mother")
    assert "contact" not in one(outcome, "Patient")
    assert details(outcome) == [("warning", "required", "guardian_name")]


def test_the_provider_of_the_row_stands_before_that_of_the_layout():
    names = [
        {i["value"] for i in e.resource["identifier"]}
        for fields in ({}, {"ecm_provider_npi": "1000000012", "ecm_provider_name": "Other"})
        for e in row(**fields).entries
        if e.resource["resourceType"] == "Organization"
        and e.resource["name"] != "Sunrise Health Plan"
    ]
    assert names == [{"1234567893", "990000017"}, {"1000000012"}]


def test_a_row_is_valid_and_the_same_every_time():
    fields = {**AUTHORIZATION, "auth_id": "A1", "pcp_name": "Olive Otter", "homeless": "Y"}
    first, second = row(**fields), row(**fields)
    assert data.dumps(first.bundle) == data.dumps(second.bundle)
    assert validation.check_unit([(e.urn, e.resource) for e in first.entries]) == []
    assert [i for e in first.entries for i in validation.judge(e.resource)] == []


def test_mapping_and_canonical_layout_know_the_same_fields():
    constants = {
        "plan", "line_of_business", "payer_name", "provider_name", "provider_npi", "provider_tin",
    }  # fmt: skip
    others = {"attempted_at", "attempt_result", "attempt_failed", "attempt_succeeded"}
    assert MEMBER.fields - constants == layouts.fields() - others
    assert others | {"program"} <= tabular.load("mif", "attempt").fields
    assert constants <= CONTEXT.keys()
    assert MEMBER.required == {"last_name", "first_name"}


def test_every_name_in_the_mapping_is_registered():
    text = data.path("mappings", "mif", "member.toml").read_text()
    for name in ("member_is_named", "authorization_received", "subscriber_cin", "priority"):
        assert f'"{name}"' in text
        assert name in CONVERTERS


@given(st.dictionaries(st.sampled_from(sorted(layouts.fields())), st.text(max_size=30)))
@settings(max_examples=150, deadline=None)
def test_no_cell_makes_a_row_fail(fields):
    outcome = row(**fields)
    assert outcome.ok or outcome.bundle is None


# Texts that no message of ours holds by chance: examples are drawn from words of our source too.
marked = st.text(max_size=30).map(lambda text: f"\u2603{text.strip()}\u2603")


@given(st.dictionaries(st.sampled_from(sorted(layouts.fields())), marked))
@settings(max_examples=100, deadline=None)
def test_no_issue_holds_the_text_of_a_cell(fields):
    assert "\u2603" not in "".join(issue.text for issue in row(**fields).issues)


def members(*names):
    """Outcomes of rows: each a Patient with this identity; None is a refused row."""
    for name in names:
        entries = (
            [Entry({"resourceType": "Patient"}, f"urn:{name}", (("s", name),))] if name else []
        )
        outcome = Outcome(unit(), entries)
        if name is None:
            outcome.issues = row(last_name="").issues
        yield outcome


def roster(*names, delta=False):
    found = Roster(CONTEXT, delta)
    for outcome in members(*names):
        member = named(outcome)
        if member:
            found.add(member)
    return found.outcome(unit())


def test_the_roster_lists_members_in_the_order_of_the_file():
    outcome = roster("b", "a", None, "c")
    group = one(outcome, "Group")
    assert [m["entity"]["identifier"]["value"] for m in group["member"]] == ["b", "a", "c"]
    assert [group["quantity"], group["type"], group["actual"]] == [3, "person", True]
    assert "characteristic" not in group
    assert validation.check_unit([(e.urn, e.resource) for e in outcome.entries]) == []
    assert [i for e in outcome.entries for i in validation.judge(e.resource)] == []


def test_the_next_file_is_the_next_version_of_the_roster():
    assert roster("a").entries[0].identity == roster("b").entries[0].identity


def test_a_roster_of_nobody_is_nothing():
    assert roster().entries == roster(None).entries == []


@pytest.mark.parametrize("folder", sorted(p.name for p in data.path("fixtures", "mif").iterdir()))
def test_no_issue_of_a_fixture_holds_a_cell_of_it(folder):
    case = data.path("fixtures", "mif", folder)
    (file,) = case.glob("input.*")
    plan = data.toml(case / "case.toml")["plan"]
    outcomes = list(adapter.convert_mif(Path(file), plan))
    words = {
        word
        for outcome in outcomes
        for entry in outcome.entries
        if entry.resource["resourceType"] == "Patient"
        for name in entry.resource["name"]
        for word in (
            name.get("family", ""),
            *[item.get("value", "") for item in entry.resource["identifier"]],
        )
        if len(word) > 4
    }
    texts = [f"{issue.text} {issue.at}" for outcome in outcomes for issue in outcome.issues]
    assert outcomes
    assert not [text for text in texts for word in words if word in text]


def test_the_luhn_digit_of_the_invented_npis():
    assert [cells.luhn("80840" + npi) for npi in ("1234567893", "1000000012")] == [True, True]


SAME = {"pcp_name": "Fixture, Greta MD", "lcm_name": "Fixture, Greta MD"}
TOLD = [
    {**SAME, "pcp_phone": "916-555-0101"},
    {"pcp_name": SAME["pcp_name"], "pcp_phone": "916-555-0101"},
    {**SAME, "pcp_phone": "916-555-0101", "lcm_phone": "916-555-0102"},
    {"lcm_name": SAME["lcm_name"]},
    {**SAME, "pcp_phone": "916-555-0101"},
]


def told_by(bound, names, said):
    full = {"plan_member_id": "M1", "last_name": "Otter", "first_name": "Olive", **said}
    fields = [full.get(name, "") for name in names]
    outcome = bound.apply(Record("f.csv", 2, "row", fields), unit(), CONTEXT)
    return [(e.urn, e.resource, [*e.origins], e.weak) for e in outcome.entries]


def test_one_person_in_two_parts_of_a_row_is_told_as_if_the_row_stood_alone():
    names = ["plan_member_id", "last_name", "first_name", "pcp_name", "pcp_phone"]
    names += ["lcm_name", "lcm_phone"]
    bound = MEMBER.bind(names, names)
    for said in [*TOLD, *TOLD]:
        assert told_by(bound, names, said) == told_by(MEMBER.bind(names, names), names, said)
