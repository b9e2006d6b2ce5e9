"""What a field, or its null, leaves be of what other fields tell, in any order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from adapter import convert, data
from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.mapping.clearing import cleared
from adapter.mapping.model import Map, Rule, load
from adapter.program.encounters import replay
from adapter.record import PIECEWISE, Origin
from adapter.store.pieces import whole
from adapter.store.registers import Register, Stamp

NOW = "2026-07-20T08:00:00Z"
DOCTOR = "1234567893^FERNFIELD^OTTOLINE^^^^^^NPI^^^^NPI"
CLINIC = "PD1|||SUNRISE CLINIC^^1234567893^^^^NPI|1245319599^MOSSBANK^IVO^^^^^^NPI^^^^NPI"
PERSON = {5: "TESTWELL^AURORA", 7: "19800517", 8: "F"}
RACE = {10: "2106-3^White^CDCREC", 17: "BUD", 22: "2135-2^Hispanic^CDCREC"}


def segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(n, "") for n in range(1, max(fields) + 1))])


def message(
    event: str, hour: int, pid: dict[int, str], *rest: str, pv1: dict[int, str] | None = None
) -> str:
    """PV1, if one is given, stands after PID and PD1."""
    at = f"202607{5 + hour // 24:02}{hour % 24:02}0000-0700"
    visit = {1: "1", 2: "I", 19: "V-1^^^MERCYTEST^VN", **(pv1 or {})}
    return "\r".join(
        (
            f"MSH|^~\\&|ADT|MERCYTEST|||{at}||ADT^{event}|{event}-{hour}|P|2.5.1",
            f"EVN||{at}",
            segment("PID", {3: "M-1^^^MERCYTEST^MR", **PERSON, **pid}),
            *(one for one in rest if one.startswith("PD1")),
            *([segment("PV1", visit)] if pv1 is not None else []),
            *(one for one in rest if not one.startswith("PD1")),
        )
    )


def stored(kind: str, *messages: str) -> dict[str, Any]:
    """The one resource of a type after the messages, the same in every order and told twice."""
    found = [_stored(kind, order) for order in permutations(messages)]
    found.append(_stored(kind, (*messages, *messages)))
    assert all(one == found[0] for one in found)
    return found[0]


def _stored(kind: str, messages: tuple[str, ...]) -> dict[str, Any]:
    store = stores.open("sqlite://", resolve, UUID(int=2), 5, replay, may_merge)
    try:
        for text in messages:
            for one in convert.adt(text):
                store.commit(one, one.unit.raw, NOW)
        (resource,) = store.each(kind)
        return {name: value for name, value in resource.items() if name not in ("id", "meta")}
    finally:
        store.close()


# --- a null deletes what its field writes


@pytest.mark.parametrize(
    ("pid", "pv1", "roles"),
    [
        ({}, {}, []),
        ({33: '""'}, {}, []),
        ({36: '""'}, {}, []),
        ({}, {16: '""'}, []),
        ({}, {20: '""'}, []),
        ({}, {}, [f'ROL|1|UP|CP|{DOCTOR}|""|""']),
    ],
)
@pytest.mark.parametrize("again", [True, False])
def test_a_null_leaves_what_other_fields_tell(pid, pv1, roles, again) -> None:
    """Whether the message that holds it tells the rest once more, or not."""
    first = message("A01", 8, RACE, CLINIC, pv1={7: DOCTOR})
    if again:
        second = message("A08", 9, RACE | pid, CLINIC, *roles, pv1={7: DOCTOR} | pv1)
    else:
        second = message("A08", 9, pid, *roles, pv1=pv1)
    person, stay = (stored(kind, first, second) for kind in ("Patient", "Encounter"))
    assert [one["url"].rpartition("/")[2] for one in person["extension"]] == [
        "patient-religion", "us-core-ethnicity", "us-core-race",
    ]  # fmt: skip
    assert len(person["generalPractitioner"]) == 2
    types = [one["type"][0]["coding"][0]["code"] for one in stay["participant"]]
    assert types == (["ATND", "CON"] if roles else ["ATND"])


def clearing() -> Iterator[tuple[str, Map, Rule]]:
    """Every rule whose field may be a null that deletes an item of a list told piece by piece."""
    for folder in ("segments", "header"):
        for path in sorted(data.path("mappings", "hl7v2", folder).glob("*.toml")):
            for item in load(path).maps:
                for rule in item.rules:
                    listed = rule.source and rule.to.steps[0].slot is not None
                    if listed and rule.to.root in PIECEWISE - {"identifier", "diagnosis"}:
                        yield path.stem, item, rule


def test_every_rule_of_a_list_says_which_item_its_null_deletes() -> None:
    """Else it deletes none; those that may: they write elsewhere, or into an item told again."""
    none = set()
    for file, item, rule in clearing():
        path = cleared(item, rule)
        assert path.startswith(f"{rule.to.root}/") or not path, rule
        if not path:
            way = rule.build or ".".join(step.key for step in rule.to.steps)
            none.add(f"{file} {item.resource} {way}")
    assert none == {
        "in3 CareTeam participant.member",
        "obx Observation same_code",
        "pid Patient breed",
        "pid Patient patient_update",
        "prt CareTeam participant.member",
        "prt CareTeam participant.onBehalfOf",
        "prt CareTeam participant.period.end",
        "prt CareTeam participant.period.start",
        "prt CareTeam participant.role",
        "pv1 Patient financial_class",
        "rol CareTeam member_address",
        "rol CareTeam participant.member",
        "rol CareTeam participant.onBehalfOf",
        "rol CareTeam participant.period.end",
        "rol CareTeam participant.period.start",
        "rol CareTeam participant.role",
        "rol_visit Encounter participant.period.end",
        "rol_visit Encounter participant.period.start",
        "rol_visit Encounter participant.type",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (10, "2106-3^White^CDCREC"), (17, "BUD"), (22, "2135-2^Hispanic^CDCREC"), (6, "OAK"),
        (23, "LODI"), (26, "USA"), (28, "USA"), (35, "L-80700^Canine^L"),
    ],
)  # fmt: skip
def test_a_null_deletes_what_its_field_told(field, value) -> None:
    others = {one: text for one, text in RACE.items() if one != field}
    first = message("A28", 8, others | {field: value})
    alone = message("A28", 8, others)
    gone = message("A31", 9, others | {field: '""'})
    assert stored("Patient", first, gone) == stored("Patient", alone)


# --- two fields of one element

HOME, WORK = "^PRN^PH^^1^916^5550101", "^WPN^PH^^1^916^5550102"
BOTH = "5550103^PRN^PH^b@example.test"
MAIL, STREET = "^NET^Internet^o@example.test", "1 LANTERN ROW^^SACRAMENTO^CA^95814^^H"
ALIAS = "QUILL^ODIE"


@pytest.mark.parametrize(
    ("first", "then", "element", "shown"),
    [
        ({9: ALIAS}, {}, "name", ["TESTWELL", "QUILL"]),
        ({9: ALIAS}, {5: "", 9: '""'}, "name", ["TESTWELL"]),
        ({9: ALIAS}, {5: '""'}, "name", ["QUILL"]),
        ({9: ALIAS}, {9: "OAK^ODA"}, "name", ["TESTWELL", "OAK"]),
        ({}, {5: '""'}, "name", [""]),
        ({11: STREET, 12: "067"}, {12: '""'}, "address", ["95814"]),
        ({11: STREET}, {12: "067"}, "address", ["95814", ""]),
        ({11: STREET, 12: "067"}, {11: '""'}, "address", []),
        ({13: HOME, 40: MAIL}, {13: HOME}, "telecom", ["+1 916 5550101", "o@example.test"]),
        ({13: HOME, 40: MAIL}, {40: '""'}, "telecom", ["+1 916 5550101"]),
        ({13: HOME, 40: MAIL}, {13: '""'}, "telecom", ["o@example.test"]),
        ({13: f"{HOME}~{WORK}"}, {13: HOME}, "telecom", ["+1 916 5550101"]),
        ({13: f"{HOME}~{WORK}"}, {13: '""'}, "telecom", []),
        ({13: HOME, 14: WORK}, {14: '""'}, "telecom", ["+1 916 5550101"]),
        ({13: HOME}, {14: WORK}, "telecom", ["+1 916 5550101", "+1 916 5550102"]),
        ({13: BOTH}, {14: WORK}, "telecom", ["5550103", "b@example.test", "+1 916 5550102"]),
        ({13: BOTH, 14: WORK}, {13: HOME}, "telecom", ["+1 916 5550101", "+1 916 5550102"]),
    ],
)  # fmt: skip
def test_a_field_leaves_what_the_other_told(first, then, element, shown) -> None:
    found = stored("Patient", message("A28", 8, first), message("A31", 9, then)).get(element, [])
    names = ("family", "postalCode", "value")
    assert [next((item[n] for n in names if n in item), "") for item in found] == shown


NATION, TRIBE = {26: "USA^United States^ISO3166"}, {39: "170^Mechoopda Indian Tribe^L"}


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        (NATION, TRIBE, ["USA", "170"]),
        (TRIBE, NATION, ["USA", "170"]),
        (NATION | TRIBE, {39: "171^Wiyot Tribe^L"}, ["USA", "171"]),
        (NATION | TRIBE, {26: '""'}, ["170"]),
        (NATION | TRIBE, {39: '""'}, ["USA"]),
    ],
)
def test_a_nation_and_a_tribe_are_two_things(first, then, shown) -> None:
    found = stored("Patient", message("A28", 8, first), message("A31", 9, then))["extension"]
    names = ("patient-citizenship", "us-core-tribal-affiliation")
    told = {one["url"].rpartition("/")[2]: one["extension"] for one in found}
    codes = [told[name][0]["valueCodeableConcept"]["coding"] for name in names if name in told]
    assert [one["code"] for one, *_ in codes] == shown
    assert [told[name][0]["url"] for name in names if name in told][-1:] == (
        ["code"] if shown == ["USA"] else ["tribalAffiliation"]
    )


DIED, DEAD = {29: "20260704"}, {30: "Y"}
DATE, YES, NO = ("DateTime", "2026-07-04"), ("Boolean", True), ("Boolean", False)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ([DIED | DEAD, DEAD], DATE),
        ([DEAD, DIED], DATE),
        ([DEAD, DIED, DEAD], DATE),
        ([DIED, {29: '""'}], None),
        ([DIED, {29: '""'} | DEAD], YES),
        ([DEAD, DIED, {29: '""'}], YES),
        ([DIED, {30: '""'}], DATE),
        ([DEAD, {30: '""'}], None),
        ([DIED | DEAD, {29: '""', 30: '""'}], None),
        ([DIED | DEAD, {30: "N"}], NO),
        ([DIED, {30: "N"}, DEAD], YES),
        ([{30: "N"}, DIED], DATE),
    ],
)  # fmt: skip
def test_a_date_of_death_and_that_there_was_one(told, shown) -> None:
    found = stored("Patient", *(message("A31", 8 + n, one) for n, one in enumerate(told)))
    died = [(name.removeprefix("deceased"), found[name]) for name in found if "deceased" in name]
    assert died == ([shown] if shown else [])


def test_the_order_of_a_birth_stays_beside_its_being_one_of_several() -> None:
    found = stored("Patient", message("A28", 8, {24: "Y", 25: "2"}), message("A31", 9, {24: "Y"}))
    assert found["multipleBirthInteger"] == 2
    one = stored("Patient", message("A28", 8, {24: "Y", 25: "2"}), message("A31", 9, {24: "N"}))
    assert one["multipleBirthBoolean"] is False and "multipleBirthInteger" not in one


def test_no_relatives_are_no_contacts() -> None:
    first = message("A28", 8, {}, "NK1|1|OAK^ODA|SPO")
    none, other = 'NK1|1|""', "NK1|2|TERN^TESS|FRD"
    assert "contact" not in stored("Patient", first, message("A31", 9, {}, none))
    (left,) = stored("Patient", first, message("A31", 9, {}, none, other))["contact"]
    assert left["name"]["family"] == "TERN"


def test_any_order_of_fields_told_and_deleted_ends_the_same() -> None:
    told = [{9: ALIAS, 13: HOME}, {13: '""', 40: MAIL}, {9: '""', 14: WORK}, {13: f"{WORK}~{HOME}"}]
    found = stored("Patient", *(message("A31", 8 + n, one) for n, one in enumerate(told)))
    assert [one["family"] for one in found["name"]] == ["TESTWELL"]
    assert len(found["telecom"]) == 3  # the one at work by two fields


def test_what_was_kept_by_other_names_gives_way_to_the_fields() -> None:
    rows = [Origin("name", 1, field) for field in ("PID-5", "PID-9")]
    old = {
        "name": Register(Stamp("1", "a"), {"name": ["legal", "alias"]}, tuple(rows)),
        "telecom/home": Register(Stamp("1", "a"), {"": ["home"]}),
        "telecom/work": Register(Stamp("3", "a"), {"": ["work"]}),
    }
    new = {
        "name/PID-9": Register(Stamp("2", "b"), {"": ["other"]}),
        "telecom/PID-13": Register(Stamp("2", "b"), {"": ["new"]}),
    }
    found = whole({"feed": old | new}, lambda _: "")["feed"]
    assert {name: register.value[name] for name, register in found.items()} == {
        "name": ["legal", "other"],
        "telecom": ["new", "work"],
    }
