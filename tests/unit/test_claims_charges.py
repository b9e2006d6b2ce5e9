"""Charges: the eight combinations, unit rules of three plans, modifiers, rates, and refusals."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from adapter import data
from adapter.claims import plan
from adapter.claims.charges import charges, combinations, modifiers, price, units
from adapter.claims.contacts import Address, Authorization, Contact, Member, Rendering, Span
from adapter.claims.drafts import drafts
from adapter.errors import DataFileError

PLAN = plan.load("sunrise")
RULES = PLAN.rules[-1]
NOWHERE = Address("1 Test Way", "", "Sacramento", "CA", "95814")
HELPER = Rendering("Fernfield", "Ottoline", "1888880014", "Practitioner/lpha")
MEMBER = Member(
    ref="Patient/alder",
    coverage="Coverage/alder",
    cin="90000011A",
    family="Tumbleweed",
    given="Ansel",
    middle="",
    birth="1971-11-05",
    sex="M",
    address=NOWHERE,
    enrolled=(Span("2026-01-12", ""),),
    authorizations=(Authorization("AUTH1", Span("2026-01-01", "2026-06"), "ClaimResponse/a"),),
)
VISIT = Contact(
    ref="Encounter/1",
    on=date(2026, 1, 20),
    phase="service",
    staff="clinical",
    modality="in_person",
    minutes=30,
    place="11",
    diagnoses=("Z5900",),
    rendering=HELPER,
)
BEFORE = date(2026, 1, 5)


def shared() -> dict:
    return data.toml(data.path("mappings", "claims", "rules.toml"))


def unit_rule(name: str) -> plan.UnitRule:
    row = shared()["units"][name]
    return plan.UnitRule(
        row["minutes_per_unit"], row["first_unit_min"], row["rounding"], row["outreach_units"]
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("health_net", {0: 0, 1: 1, 59: 1, 60: 1, 61: 2, 120: 2, 121: 3}),
        ("caloptima", {0: 0, 7: 0, 8: 1, 15: 1, 22: 1, 23: 2, 37: 2, 38: 3, 120: 8}),
        ("iehp", {0: 1, 14: 1, 15: 1, 29: 1, 30: 2, 44: 2, 45: 3, 60: 4}),
    ],
)
def test_units_of_a_service_by_plan(name: str, table: dict[int, int]) -> None:
    rule = unit_rule(name)
    assert {minutes: units(minutes, "service", rule) for minutes in table} == table


@pytest.mark.parametrize("name", ["health_net", "caloptima", "iehp"])
def test_an_outreach_attempt_is_one_unit_however_long(name: str) -> None:
    assert [units(m, "outreach", unit_rule(name)) for m in (None, 0, 5, 300)] == [1, 1, 1, 1]


def test_a_service_of_unknown_length_has_no_units() -> None:
    assert units(None, "service", unit_rule("iehp")) == 0


def test_the_eight_combinations_of_the_guidance() -> None:
    assert combinations() == {
        ("service", "clinical", "in_person"): ("G9008", ("U1",)),
        ("service", "clinical", "telehealth"): ("G9008", ("U1", "GQ")),
        ("service", "non_clinical", "in_person"): ("G9012", ("U2",)),
        ("service", "non_clinical", "telehealth"): ("G9012", ("U2", "GQ")),
        ("outreach", "clinical", "in_person"): ("G9008", ("U8",)),
        ("outreach", "clinical", "telehealth"): ("G9008", ("U8", "GQ")),
        ("outreach", "non_clinical", "in_person"): ("G9012", ("U8",)),
        ("outreach", "non_clinical", "telehealth"): ("G9012", ("U8", "GQ")),
    }


@pytest.mark.parametrize(
    ("county", "phase", "guidance", "expected"),
    [
        ("none", "service", ("U1", "GQ"), ("U1", "GQ")),
        ("sacramento", "service", ("U1",), ("U1", "GY")),
        ("sacramento", "service", ("U2", "GQ"), ("U2", "GY", "GQ")),
        ("sacramento", "outreach", ("U8", "GQ"), ("U8", "GQ")),
    ],
)
def test_local_modifiers_stand_after_the_first(county, phase, guidance, expected) -> None:
    local = {
        k: tuple(v)
        for k, v in shared()["local_modifiers"][county].items()
        if k in ("service", "outreach")
    }
    assert modifiers(phase, guidance, replace(RULES, local_modifiers=local)) == expected


@pytest.mark.parametrize(
    ("code", "mods", "expected"),
    [
        ("G9008", ("U1", "GQ"), "48.00"),
        ("G9008", ("U8", "GQ"), "31.00"),
        ("G9012", ("U2",), "35.75"),
        ("T1016", ("U8",), None),
    ],
)
def test_the_longest_rate_key_counts(code, mods, expected) -> None:
    assert price(code, mods, RULES) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"staff": ""}, "staff kind"),
        ({"on": BEFORE}, "before enrollment"),
        ({"phase": "outreach"}, "after enrollment"),
        ({"rendering": None}, "no NPI"),
        ({"rendering": replace(HELPER, npi="")}, "no NPI"),
        ({"place": ""}, "no place of service"),
        ({"diagnoses": ()}, "no ICD-10-CM"),
        ({"minutes": None}, "length"),
        ({"on": date(2026, 7, 1)}, "no authorization"),
        ({"modality": "smoke signals"}, "no HCPCS combination"),
        ({"on": date(2020, 1, 1)}, "no rule for this date"),
    ],
)
def test_what_may_not_be_billed_says_why(change: dict, reason: str) -> None:
    made, issues = charges([replace(VISIT, **change)], MEMBER, PLAN)
    assert not made
    assert [issue.detail for issue in issues] == ["not-billable"]
    assert reason in issues[0].text
    assert issues[0].at is not None and issues[0].at.source == VISIT.ref


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cin": ""}, "Client Index Number"),
        ({"given": ""}, "full name"),
        ({"birth": "1971"}, "birth date"),
        ({"authorizations": ()}, "no authorization"),
        ({"enrolled": ()}, "before enrollment"),
    ],
)
def test_a_member_who_cannot_be_billed(change: dict, reason: str) -> None:
    made, issues = charges([VISIT], replace(MEMBER, **change), PLAN)
    assert not made
    assert reason in issues[0].text


def test_outreach_before_enrollment_needs_no_authorization() -> None:
    attempt = replace(VISIT, phase="outreach", on=BEFORE, minutes=None)
    made, issues = charges([attempt], replace(MEMBER, authorizations=()), PLAN)
    assert (made[0].code, made[0].modifiers, made[0].units) == ("G9008", ("U8",), 1)
    assert made[0].authorization is None
    assert issues == []


def test_contacts_of_a_day_are_one_line_and_their_minutes_add_up() -> None:
    day = [replace(VISIT, ref=f"Encounter/{n}", minutes=14) for n in range(3)]
    made, _ = charges(day, MEMBER, PLAN)
    assert [(row.units, row.amount, len(row.contacts)) for row in made] == [
        (2, Decimal("96.00"), 3)
    ]


def test_outreach_attempts_of_a_day_stay_apart() -> None:
    day = [replace(VISIT, ref=f"Encounter/{n}", phase="outreach", on=BEFORE) for n in range(3)]
    made, _ = charges(day, MEMBER, PLAN)
    assert [row.units for row in made] == [1, 1, 1]


def test_the_order_of_contacts_does_not_matter() -> None:
    rows = [
        replace(VISIT, ref=f"Encounter/{n}", on=date(2026, 1, 12 + n % 5), minutes=10 + n)
        for n in range(20)
    ]
    expected = charges(rows, MEMBER, PLAN)
    random.Random(7).shuffle(rows)
    assert charges(rows, MEMBER, PLAN) == expected


def test_51_lines_are_two_claims_and_nothing_is_lost() -> None:
    rows = [
        replace(
            VISIT, ref=f"Encounter/{n:02}", on=date(2026, 1, 12 + n % 17), place=f"{11 + n // 17}"
        )
        for n in range(51)
    ]
    made, _ = charges(rows, MEMBER, PLAN)
    found = drafts(made)
    assert [len(draft.charges) for draft in found] == [50, 1]
    assert sum(draft.total for draft in found) == sum(row.amount for row in made)


def test_more_than_twelve_diagnoses_start_another_claim() -> None:
    rows = [
        replace(VISIT, ref=f"Encounter/{n:02}", on=date(2026, 1, 13 + n), diagnoses=(f"Z59{n:02}",))
        for n in range(13)
    ]
    made, _ = charges(rows, MEMBER, PLAN)
    assert [len(draft.diagnoses) for draft in drafts(made)] == [12, 1]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('usage = "T"', 'usage = "X"', "value"),
        ('zone = "America/Los_Angeles"', 'zone = "Nowhere/At_All"', "value"),
        ('units = "iehp"', 'units = "nobody"', "nobody"),
        ('claim_prefix = "ECM"', "", "claim_prefix"),
        ('"G9008" = "45.00"', '"G9008" = "a lot"', "value"),
    ],
)
def test_a_wrong_plan_file_is_named(tmp_path, old: str, new: str, key: str) -> None:
    text = data.path("mappings", "claims", "sunrise.toml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "wrong.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    folder = data.path("mappings")
    with pytest.raises(DataFileError) as found:
        plan.read(file, folder / "claims" / "rules.toml", folder / "outbound" / "provider.toml")
    assert (found.value.file, found.value.key) == ("wrong.toml", key)


def test_rules_are_dated() -> None:
    starts = [plan_rules.start for plan_rules in PLAN.rules]
    assert PLAN.rules_on(date(2025, 12, 31)) is PLAN.rules[0]
    assert PLAN.rules_on(date(2026, 1, 1)) is PLAN.rules[1]
    assert PLAN.rules_on(date(2023, 12, 31)) is None
    assert starts == sorted(starts)
