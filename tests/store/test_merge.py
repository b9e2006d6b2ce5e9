"""Merges, moves and changes of numbers as real messages tell them: who goes on, and with what."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from adapter import store as stores
from adapter.identity.match import may_merge, resolve
from adapter.program.encounters import replay
from adapter.store import schema
from tests.store.made import row
from tests.store.messages import NOW, contents, converted, message, pid, pv1, the

NK1 = "NK1|1|QUILLFEATHER^TOBIAS|SPO"
IN1 = "IN1|1|MCAL|SUN|SUNRISE HEALTH||||||||||||||||||||||||||||||||SHP1"


def mrg(mrn: str, **more: str) -> str:
    fields = {1: f"{mrn}^^^MERCY^MR"} | {int(key[1:]): text for key, text in more.items()}
    return "|".join(["MRG", *(fields.get(place, "") for place in range(1, max(fields) + 1))])


def admitted(mrn: str, hour: int = 8, visit: str = "V1", born: str = "19800517") -> bytes:
    return message("A01", hour, pid(mrn, born=born), NK1, pv1(visit=visit, here="W1"), IN1)


def merged(on: str, off: str, hour: int = 12, event: str = "A40") -> bytes:
    return message(event, hour, pid(on), mrg(off))


def load(store: Any, *messages: bytes) -> list[str]:
    return [store.commit(*made, NOW).status for made in converted(*messages)]


def person(store: Any, mrn: str) -> dict[str, Any]:
    """The patient whose own number this is, not one that has it as an old one."""
    return next(
        one
        for one in store.each("Patient")
        if any(i["value"] == mrn and i.get("use") != "old" for i in one["identifier"])
    )


def the_two(store: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Survivor and loser."""
    rows = list(store.each("Patient"))
    (loser,) = (one for one in rows if one.get("active") is False)
    (survivor,) = (one for one in rows if one.get("active") is not False)
    return survivor, loser


def numbers(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((row["value"], row.get("use", "")) for row in resource["identifier"])


def subjects(store: Any) -> set[str]:
    """Whom everything is about."""
    names = {
        "Encounter": "subject", "Coverage": "beneficiary", "RelatedPerson": "patient",
    }  # fmt: skip
    return {one[name]["reference"] for kind, name in names.items() for one in store.each(kind)}


def test_a_merge_leaves_one_person_with_everything(store) -> None:
    assert load(store, admitted("M1", 6, "V0"), admitted("M2", 8), merged("M1", "M2")) == [
        "stored", "stored", "stored",
    ]  # fmt: skip
    survivor, loser = the_two(store)
    assert loser["link"] == [
        {"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}
    ]
    assert survivor["link"] == [
        {"other": {"reference": f"Patient/{loser['id']}"}, "type": "replaces"}
    ]
    assert numbers(survivor) == [("M1", ""), ("M2", "old")]
    assert numbers(loser) == [("M2", "old")]
    assert subjects(store) == {f"Patient/{survivor['id']}"}
    assert store.search("Encounter", [("patient", survivor["id"])]).total == 2
    assert store.read("Patient", loser["id"]).resource["name"] == loser["name"]


def test_the_loser_shows_what_it_was(store) -> None:
    load(store, admitted("M1", 6, "V0"), admitted("M2", 8))
    before = person(store, "M2")
    load(store, merged("M1", "M2"))
    _, loser = the_two(store)
    for name in ("name", "gender", "birthDate"):
        assert loser[name] == before[name]


def test_the_loser_s_number_is_old_though_it_is_told_since(store) -> None:
    load(store, admitted("M1", 6), admitted("M2", 8, "V2"), admitted("M2", 14, "V2"))
    load(store, merged("M1", "M2"))
    _, loser = the_two(store)
    assert numbers(loser) == [("M2", "old")]


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40"])
def test_every_merge_of_people(store, event) -> None:
    account = {"f3": "ACC2^^^MERCY^AN"} if event == "A36" else {}
    told = message(event, 12, pid("M1", f18="ACC1^^^MERCY^AN"), mrg("M2", **account))
    assert load(store, admitted("M2"), told) == ["stored", "stored"]
    survivor, _ = the_two(store)
    assert subjects(store) == {f"Patient/{survivor['id']}"}


def test_later_messages_with_the_old_number_are_the_survivor_s(store) -> None:
    load(store, admitted("M1"), merged("M1", "M2"), admitted("M2", 14, "V2"))
    survivor, loser = the_two(store)
    assert subjects(store) == {f"Patient/{survivor['id']}"}
    assert len(contents(store, "Coverage", "RelatedPerson")["Coverage"]) == 1
    assert numbers(survivor)[0][0] == "M1"
    assert loser["active"] is False


def without_ids(store: Any) -> Any:
    """The survivor and what is theirs, without ids, which depend on who came first."""
    survivor, _ = the_two(store)
    keep = {name: survivor[name] for name in ("name", "birthDate", "telecom", "gender")}
    things = {
        kind: sorted(
            repr({k: v for k, v in one.items() if k in ("status", "class", "name", "period")})
            for one in store.each(kind)
        )
        for kind in ("Encounter", "RelatedPerson", "Coverage")
    }
    return keep, numbers(survivor), things, len(subjects(store))


def test_any_order_of_admissions_and_merge_ends_the_same() -> None:
    some = [
        message("A01", 6, pid("M1", f13="^PRN^PH^^1^916^5550101"), pv1(visit="V0")),
        message("A01", 8, pid("M2", f14="^WPN^PH^^1^916^5550102"), pv1(visit="V1")),
        message("A03", 10, pid("M2"), pv1(visit="V1", end=10)),
        merged("M1", "M2"),
        message("A08", 14, pid("M2", name="QUILLFEATHER^ODETTE^JUNE"), pv1(visit="V1")),
    ]
    found = []
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert set(load(store, *order)) == {"stored"}
        found.append(without_ids(store))
        store.close()
    assert all(one == found[0] for one in found)
    assert found[0][3] == 1


AL1 = "AL1|1|DA|70618^Penicillin^RXNORM"
TESS = "NK1|1|MARROWBY^TESS|PAR"


@pytest.mark.parametrize(
    ("mine", "theirs", "newer", "expected"),
    [
        ((NK1, IN1, AL1), (NK1, IN1, AL1), "theirs",
         [("AllergyIntolerance", "active"), ("Coverage", "active"), ("RelatedPerson", "True")]),
        ((NK1,), (TESS,), "theirs", [("RelatedPerson", "False"), ("RelatedPerson", "True")]),
        ((NK1,), (TESS,), "mine", [("RelatedPerson", "False"), ("RelatedPerson", "True")]),
        ((NK1, TESS), (NK1,), "theirs", [("RelatedPerson", "False"), ("RelatedPerson", "True")]),
        ((NK1, TESS), (NK1,), "mine", [("RelatedPerson", "True"), ("RelatedPerson", "True")]),
    ],
    ids=["alike", "another list", "an older list", "a shorter list", "an older, shorter list"],
)  # fmt: skip
def test_two_records_lists_are_one_list_after_their_merge(mine, theirs, newer, expected) -> None:
    """HL7 v2.9 chapter 2.10.4: the newer list takes the place of the other, whoever told it."""

    def told(mrn: str, hour: int, rows: tuple[str, ...]) -> bytes:
        before, after = ([r for r in rows if (r[:3] == "NK1") == first] for first in (True, False))
        return message("A01", hour, pid(mrn), *before, pv1(visit=f"V{hour}"), *after)

    hours = (6, 8) if newer == "theirs" else (8, 6)
    some = [told("M1", hours[0], mine), told("M2", hours[1], theirs), merged("M1", "M2")]
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert set(load(store, *order)) == {"stored"}
        found = [("AllergyIntolerance", a["clinicalStatus"]["coding"][0]["code"])
                 for a in store.each("AllergyIntolerance")]  # fmt: skip
        found += [("Coverage", one["status"]) for one in store.each("Coverage")]
        found += [("RelatedPerson", str(one["active"])) for one in store.each("RelatedPerson")]
        assert sorted(found) == expected
        store.close()


def test_the_same_merge_again_changes_nothing(store) -> None:
    load(store, admitted("M1", 6, "V0"), admitted("M2"), merged("M1", "M2"))
    before = [(one["id"], one["meta"]["versionId"]) for one in store.each("Patient")]
    assert load(store, merged("M1", "M2"), merged("M1", "M2", 13)) == ["duplicate", "stored"]
    assert [(one["id"], one["meta"]["versionId"]) for one in store.each("Patient")] == before


def test_a_merge_of_nobody_known(store) -> None:
    assert load(store, merged("M1", "M2")) == ["stored"]
    survivor, loser = the_two(store)
    assert loser["link"][0]["other"]["reference"] == f"Patient/{survivor['id']}"


def test_a_survivor_without_a_number_of_his_own(store) -> None:
    """A driver's licence names nobody; who goes on is for a person to say, and then is so."""
    load(store, admitted("M2"))
    (unit,) = converted(message("A40", 12, pid(f3="A1234567^^^CA^DL"), mrg("M2")))
    receipt = store.commit(*unit, NOW)
    assert (receipt.status, receipt.issues[-1].detail) == ("review", "identity-unsure")
    assert store.decide(receipt.unit, "new", "K. Reviewer", NOW).status == "stored"
    survivor, loser = the_two(store)
    assert subjects(store) == {f"Patient/{survivor['id']}"} and numbers(loser) == [("M2", "old")]


def test_a_chain_is_followed(store) -> None:
    load(store, admitted("M3", 5, "V3"), admitted("M2", 6, "V2"), admitted("M1", 7))
    load(store, merged("M2", "M3", 12), merged("M1", "M2", 13), admitted("M3", 15, "V4"))
    last = person(store, "M1")
    assert subjects(store) == {f"Patient/{last['id']}"}
    assert store.search("Encounter", [("patient", last["id"])]).total == 4
    assert sorted(value for value, _ in numbers(last)) == ["M1", "M2", "M3"]


def test_a_chain_told_from_its_end(store) -> None:
    load(store, admitted("M3", 5, "V3"), merged("M1", "M2", 13), merged("M2", "M3", 12))
    assert subjects(store) == {f"Patient/{person(store, 'M1')['id']}"}


def test_every_former_number_of_a_chain_is_an_old_one() -> None:
    """However late what was told by it comes."""
    some = [
        message("A01", 6, pid("M3"), pv1(visit="V3")), merged("M2", "M3", 12),
        merged("M1", "M2", 13), message("A01", 5, pid("M1"), pv1(visit="V1")),
    ]  # fmt: skip
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert set(load(store, *order)) == {"stored"}
        assert numbers(person(store, "M1")) == [("M1", ""), ("M2", "old"), ("M3", "old")]
        assert subjects(store) == {f"Patient/{person(store, 'M1')['id']}"}
        store.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [(("M1", "M2"), ("M2", "M1")), (("M1", "M2"), ("M3", "M2"))],
    ids=["reversed", "into another"],
)
def test_a_merge_against_an_earlier_one_is_for_a_person(store, first, second) -> None:
    load(store, admitted("M1", 5, "V1"), admitted("M2", 6, "V2"), admitted("M3", 7, "V3"))
    before = load(store, merged(*first))
    kept = contents(store, "Patient", "Encounter")
    assert before == ["stored"] and load(store, merged(*second, 14)) == ["review"]
    (line,) = store.ledger("review")
    assert line.issues[-1]["details"]["coding"] == [{"code": "identity-conflict"}]
    assert contents(store, "Patient", "Encounter") == kept


def whose(store) -> set[str]:
    """The people whom the one unit that waits is of."""
    (held,) = store.waiting()
    return {one.id for one in held.candidates}


def test_who_was_merged_into_somebody_else_is_for_a_person(store) -> None:
    """Both are named: into whom he is to go, and into whom he went."""
    load(store, admitted("M1", 5, "V1"), admitted("M3", 6, "V3"), merged("M3", "M2", 12))
    assert load(store, merged("M1", "M2", 14)) == ["review"]
    assert whose(store) == {person(store, number)["id"] for number in ("M1", "M3")}


def test_a_visit_that_was_merged_into_another_names_whose_it_is(store) -> None:
    load(store, *(admitted("M1", 5, visit) for visit in ("V1", "V2", "V3")))
    told = [
        message("A42", hour, pid("M1"), mrg("M1", f5="V1^^^MERCY^VN"), pv1(visit=visit))
        for visit, hour in (("V2", 12), ("V3", 13))
    ]
    assert load(store, *told) == ["stored", "review"]
    assert whose(store) == {person(store, "M1")["id"]}


def test_a_circle_of_three_is_for_a_person(store) -> None:
    load(store, admitted("M1", 5, "V1"), merged("M2", "M1", 12), merged("M3", "M2", 13))
    assert load(store, merged("M1", "M3", 14)) == ["review"]
    assert sum(one.get("active") is False for one in store.each("Patient")) == 2
    assert whose(store) == {person(store, "M3")["id"]}


@pytest.mark.parametrize("known", [("M1", "M3"), ("M3", "M1")])
def test_a_circle_within_one_message_is_for_a_person(store, known) -> None:
    """M1 and M3 are numbers of one: two groups of a message make each the other's survivor."""
    both = f"{known[0]}^^^MERCY^MR~{known[1]}^^^MERCY^MR"
    circle = message("A40", 12, pid("M1"), mrg("M2"), pid("M2"), mrg("M3"))
    told = load(store, message("A31", 8, pid("", f3=both)), merged("M1", "M4", 9), circle)
    assert told == ["stored", "stored", "review"]
    assert whose(store) == {one["id"] for one in store.each("Patient") if one.get("active", True)}
    assert load(store, merged("M4", "M5", 13)) == ["stored"]


def test_a_chain_within_one_message_leads_to_its_end(store) -> None:
    """M3 is a loser already when the second group names him as survivor."""
    chain = message("A40", 12, pid("M1"), mrg("M3"), pid("M3"), mrg("M2"))
    assert load(store, admitted("M2", 8), chain) == ["stored", "stored"]
    on = person(store, "M1")
    assert subjects(store) == {f"Patient/{on['id']}"}
    assert numbers(on) == [("M1", ""), ("M2", "old"), ("M3", "old")]
    assert [one["type"] for one in on["link"]] == ["replaces", "replaces"]


def test_a_further_prior_number_of_one_person_names_him(store) -> None:
    """M1 and M3 are one from the start: M2, which MRG-1 names beside M1, is theirs too."""
    merge = message("A40", 9, pid("M3"), mrg("M2^^^MERCY^MR~M1"))
    assert load(store, message("A28", 8, pid("M1^^^MERCY^MR~M3")), merge) == ["stored"] * 2
    assert load(store, message("A28", 11, pid("M2", "", ""))) == ["stored"]
    assert numbers(the(store, "Patient")) == [("M1", "old"), ("M2", "old"), ("M3", "")]


@pytest.mark.parametrize("known", ["M1", ""], ids=["known by number", "new"])
def test_a_survivor_told_with_another_member_number_is_for_a_person(store, known) -> None:
    """Whether the message or the store says that they are two members: so it would be later."""
    one, other = (
        f"{n}^^^MERCY^MR~{cin}^^^MEDI-CAL^MA"
        for n, cin in (("M1", "90000001A"), ("M2", "90000002B"))
    )
    before = [message("A28", 8, pid(f3=other))] + [message("A28", 9, pid(known))] * bool(known)
    told = load(store, *before, message("A40", 12, pid(f3=one), mrg("M2")))
    assert told == ["stored"] * len(before) + ["review"]


def test_a_merge_told_again_after_another_adds_no_survivor(store) -> None:
    load(store, merged("M3", "M4", 9), merged("M1", "M3", 10), merged("M3", "M4", 11))
    for number in ("M3", "M4"):
        (loser,) = (one for one in store.each("Patient") if one["identifier"][0]["value"] == number)
        assert [one["type"] for one in loser["link"]].count("replaced-by") == 1


def test_a_link_told_of_one_person_is_heard_again_of_two(store) -> None:
    """What was left out of a message, since both were one, is not left out of the next."""
    bare = [pid(number, "", "") for number in ("M1", "M2")]
    load(store, message("A28", 8, pid("M1^^^MERCY^MR~M2")), message("A24", 9, *bare))
    assert "link" not in the(store, "Patient")
    load(store, message("A43", 10, pid("A1^^^MERCY^MR~M1", "MARROWBY^TESS", "19551102"), mrg("M2")))
    load(store, message("A24", 11, *bare))
    assert [[one["type"] for one in p["link"]] for p in store.each("Patient")] == [["seealso"]] * 2


def test_what_a_merge_told_again_tells_of_the_loser_is_the_survivor_s(store) -> None:
    """The account of PID-18 is of M2, who has been M1 since the first telling."""
    again = message("A40", 12, pid("M1"), mrg("M2"), pid("M2", f18="A1^^^MERCY^AN"), mrg("M3"))
    load(store, merged("M1", "M2", 9), again)
    (whose,) = the(store, "Account")["subject"]
    assert whose == {"reference": f"Patient/{person(store, 'M1')['id']}"}


def test_who_was_merged_the_other_way_is_not_joined_too(store) -> None:
    """Of two who are one already neither goes on in the other once more: that would be a circle."""
    cin = [f"9000000{n}^^^MEDI-CAL^MA" for n in ("1A", "2B")]
    other = "X1^^^SUTTER^MR"
    moved = [pid("", f3=f"M1^^^MERCY^MR~{cin[0]}"), mrg("M3"), pv1(visit="V1")]
    moved += [mrg("M2"), pv1(visit="V2")]
    numbers = [pid("", f3=f"{other}~{cin[1]}"), mrg("M3")]
    numbers += [pid("", f3=other), f"MRG|M2^^^MERCY^MR~{cin[0]}"]
    given = [pid("M1"), f"MRG|{other}", pid("", f3=f"{other}~{cin[1]}"), mrg("M2")]
    load(store, merged("M2", "M1", 7, "A39"))
    load(store, message("A45", 9, *moved), message("A48", 14, *numbers), message("A43", 15, *given))
    with store._reading() as connection:
        rows = connection.execute(select(schema.merged.c.loser, schema.merged.c.survivor)).all()
    into = {row.loser: row.survivor for row in rows}
    assert not [one for one in into if into.get(into[one]) == one]


def test_two_groups_of_one_message_stay_apart(store) -> None:
    both = message(
        "A40", 12, pid("M1"), mrg("M2"), pid("M3", "MARROWBY^TESS", "19551102"), mrg("M4")
    )
    load(store, admitted("M2", 6, "V2"))
    load(store, message("A01", 7, pid("M4", "MARROWBY^TESS", "19551102"), pv1(visit="V4")), both)
    one, other = person(store, "M1"), person(store, "M3")
    assert [store.search("Encounter", [("patient", p["id"])]).total for p in (one, other)] == [1, 1]
    assert {len(p["link"]) for p in store.each("Patient")} == {1}


@pytest.mark.parametrize("turned", [False, True])
def test_a_number_that_another_group_ends_is_the_other_s(store, turned) -> None:
    """PID-3 of the one group repeats what MRG-1 of the other says."""
    groups = [(pid(f3="M1^^^MERCY^MR~M2^^^MERCY^MR"), mrg("M5")), (pid("M1"), mrg("M2"))]
    told = [segment for group in (groups[::-1] if turned else groups) for segment in group]
    load(store, admitted("M1", 6, "V1"), admitted("M2", 7, "V2"))
    assert load(store, message("A40", 12, *told)) == ["stored"]
    assert numbers(person(store, "M1")) == [("M1", ""), ("M2", "old"), ("M5", "old")]
    assert subjects(store) == {f"Patient/{person(store, 'M1')['id']}"}


def test_two_members_are_not_merged_without_a_person(store) -> None:
    """Different Medi-Cal numbers: they are two people for the plan."""
    for hour, mrn, cin in ((6, "M1", "90000001A"), (7, "M2", "90000002B")):
        both = f"{mrn}^^^MERCY^MR~{cin}^^^MEDI-CAL^MA"
        load(store, message("A01", hour, pid(f3=both), pv1(visit=f"V{hour}")))
    assert load(store, merged("M1", "M2")) == ["review"]
    assert all(one.get("active") is not False for one in store.each("Patient"))
    (held,) = store.waiting()
    assert [one.id for one in held.candidates] == [person(store, "M2")["id"]]
    choice = f"Patient/{person(store, 'M1')['id']}"
    assert store.decide(held.unit, choice, "K. Reviewer", NOW).status == "stored"
    survivor, _ = the_two(store)
    assert ("M1", "") in numbers(survivor) and ("M2", "old") in numbers(survivor)


def test_what_a_plan_said_of_the_loser_is_the_survivor_s(store, opened) -> None:
    store.commit(*row(1), NOW)
    (member,) = store.each("Patient")
    load(store, message("A01", 6, pid("M2", f3="M2^^^MERCY^MR~90000001A^^^MEDI-CAL^MA"), pv1()))
    assert load(store, merged("M1", "M2")) == ["stored"]
    survivor, loser = the_two(store)
    assert loser["id"] == member["id"]
    assert ("90000001A", "") in numbers(survivor)
    assert survivor["address"] == [{"line": ["1 Lantern Row"]}]
    episode = the(store, "EpisodeOfCare")
    assert episode["patient"]["reference"] == f"Patient/{survivor['id']}"
    again = store.commit(*row(1, "2 Lantern Row", "2026-08-01T00:00:00Z"), NOW)
    assert f"Patient/{survivor['id']}" in again.changed
    assert [one["patient"] for one in store.each("EpisodeOfCare")] == [episode["patient"]]
    more = "M2^^^MERCY^MR~E2^^^HIE^EPI"
    assert load(opened(), message("A40", 13, pid("M1"), f"MRG|{more}")) == ["stored"]
    assert numbers(the_two(store)[1]) == [("E2", "old"), ("M2", "old")]


def test_what_a_person_wrote_of_the_loser_fills_what_the_survivor_lacks(store) -> None:
    load(store, admitted("M1", 6, "V0"), message("A28", 8, pid("M2")))
    contact = [{"name": {"family": "FERNFIELD"}}]  # of the survivor a message has told another
    more = {"maritalStatus": {"text": "married"}, "gender": "male", "contact": contact}
    store.put({**person(store, "M2"), **more}, "2026-07-05T16:00:00Z")
    load(store, merged("M1", "M2"))
    survivor, loser = the_two(store)
    assert survivor["maritalStatus"] == {"text": "married"} and survivor["gender"] == "female"
    assert [row["name"]["family"] for row in survivor["contact"]] == ["QUILLFEATHER"]
    assert {name: loser[name] for name in more} == more


def test_the_deletion_of_a_record_that_is_left_over_is_not_the_survivor_s() -> None:
    """A29 and A23 by the old number; of whom the number is still, they are."""
    gone = {
        "person": [admitted("M1", 6, "V0"), admitted("M2", 8), merged("M1", "M2"),
                   message("A29", 14, pid("M2"))],
        "visit": [admitted("M1", 6, "V1"), message("A02", 8, pid("M1"), pv1(visit="V2")),
                  message("A42", 12, pid("M1"), mrg("M1", f5="V2^^^MERCY^VN"), pv1(visit="V1")),
                  message("A23", 14, pid("M1"), pv1(visit="V2"))],
    }  # fmt: skip
    for some in gone.values():
        for order in itertools.permutations(some):
            store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
            assert set(load(store, *order)) == {"stored"}
            assert person(store, "M1").get("active") is not False
            states = sorted(one["status"] for one in store.each("Encounter"))
            assert states in (["in-progress"] * 2, ["entered-in-error", "in-progress"])
            load(store, message("A23", 20, pid("M1"), pv1(visit="V1")))
            assert "entered-in-error" in {one["status"] for one in store.each("Encounter")}
            load(store, message("A29", 21, pid("M1")))
            assert {one.get("active") for one in store.each("Patient")} == {False}
            store.close()


def test_visits_are_merged(store) -> None:
    load(store, admitted("M1", 6, "V1"), message("A02", 8, pid("M1"), pv1(visit="V2", here="W2")))
    told = message("A42", 12, pid("M1"), mrg("M1", f5="V2^^^MERCY^VN"), pv1(visit="V1"))
    assert load(store, told) == ["stored"]
    rows = {one["status"]: one for one in store.each("Encounter")}
    assert set(rows) == {"entered-in-error", "in-progress"}
    on = rows["in-progress"]
    assert rows["entered-in-error"]["partOf"]["reference"] == f"Encounter/{on['id']}"
    assert [row["status"] for row in on["location"]] == ["completed", "active"]
    load(store, message("A03", 20, pid("M1"), pv1(visit="V2", end=20)))
    assert store.read("Encounter", on["id"]).resource["status"] == "finished"


def test_an_account_is_over_whenever_its_merge_comes() -> None:
    """HL7 v2.9 chapter 3.3.35: it is the other one's from then on, though it is told of later."""
    one, other = ({"f18": f"ACC{n}^^^MERCY^AN"} for n in (1, 2))
    some = [
        message("A01", 6, pid("M1", **other), pv1(visit="V1")),
        message("A35", 12, pid("M1", **one), mrg("M1", f3=other["f18"])),
        message("A08", 14, pid("M1", **other), pv1(visit="V1")),
    ]
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert set(load(store, *order)) == {"stored"}
        rows = {account["status"]: numbers(account) for account in store.each("Account")}
        assert rows == {
            "inactive": [("ACC2", "old")],
            "active": [("ACC1", ""), ("ACC2", "old")],
        }
        store.close()


def test_a_visit_of_somebody_else_is_not_merged(store) -> None:
    other = message("A01", 7, pid("M2", "MARROWBY^TESS", "19551102"), pv1(visit="V2"))
    load(store, admitted("M1", 6, "V1"), other)
    told = message("A42", 12, pid("M1"), mrg("M1", f5="V2^^^MERCY^VN"), pv1(visit="V1"))
    assert load(store, told) == ["review"]


def test_a_visit_moves_with_what_belongs_to_it(store) -> None:
    problem = "DG1|1||R07.9^Chest pain^I10|||A"
    wrong = message("A01", 6, pid("M2", "MARROWBY^TESS", "19551102"), pv1(), problem)
    load(store, admitted("M1", 5, "V0"), wrong)
    told = message("A45", 12, pid("M1"), mrg("M2", f5="V1^^^MERCY^VN"), pv1())
    assert load(store, told) == ["stored"]
    right = f"Patient/{person(store, 'M1')['id']}"
    assert {one["subject"]["reference"] for one in store.each("Encounter")} == {right}
    assert the(store, "Condition")["subject"]["reference"] == right
    assert all(one.get("active") is not False for one in store.each("Patient"))


def test_what_comes_late_of_a_stay_that_moved_goes_on_with_it() -> None:
    """It was the other one's then: no doubt, and the state is that of the other order."""
    problem, other = "DG1|1||R07.9^Chest pain^I10|||A", pid("M2", "MARROWBY^TESS", "19551102")
    some = [
        message("A28", 4, pid("M1")),
        message("A01", 6, other, pv1(here="W1"), problem),
        message("A02", 8, other, pv1(here="W2"), "DG1|1||I10^Hypertension^I10|||A"),
        message("A45", 12, pid("M1"), mrg("M2", f5="V1^^^MERCY^VN"), pv1()),
    ]
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert load(store, *order, message("A08", 14, pid("M1"), pv1(), problem)) == ["stored"] * 5
        right = f"Patient/{person(store, 'M1')['id']}"
        stay, rows = the(store, "Encounter"), list(store.each("Condition"))
        assert {one["subject"]["reference"] for one in (stay, *rows)} == {right}
        assert sorted(one["code"]["coding"][0]["code"] for one in rows) == ["I10", "R07.9"]
        assert [row["status"] for row in stay["location"]] == ["completed", "active"]
        assert person(store, "M2")["birthDate"] == "1955-11-02"
        store.close()


def test_a_stay_that_moved_is_no_other_s_afterwards() -> None:
    """Only what was true before is late; and of a third person it is a doubt as ever."""
    other, third = pid("M2", "MARROWBY^TESS", "19551102"), pid("M3", "FERNFIELD^IDA", "19620303")
    moved = message("A45", 12, pid("M1"), mrg("M2", f5="V1^^^MERCY^VN"), pv1())
    for late in (message("A08", 14, other, pv1()), message("A01", 6, third, pv1())):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert load(store, message("A28", 4, pid("M1")), moved, late)[1:] == ["stored", "review"]
        store.close()


def test_a_number_changes_and_the_old_one_still_leads_here(store) -> None:
    load(store, admitted("M1", 6), message("A47", 12, pid("M5"), mrg("M1")))
    found = the(store, "Patient")
    assert numbers(found) == [("M1", "old"), ("M5", "")]
    load(store, admitted("M1", 14, "V2"))
    assert len(list(store.each("Patient"))) == 1


def test_a_number_moves_to_another_person(store) -> None:
    first = message("A28", 5, pid(f3="E1^^^HIE^PI", mrn=""))
    second = message("A28", 6, pid(f3="E2^^^HIE^PI~M1^^^MERCY^MR", name="MARROWBY^TESS",
                                   born="19551102", mrn=""))  # fmt: skip
    load(store, first, second)
    told = message("A43", 12, pid(f3="E1^^^HIE^PI~M1^^^MERCY^MR", mrn=""),
                   "MRG|E2^^^HIE^PI")  # fmt: skip
    assert load(store, told) == ["stored"]
    rows = {tuple(value for value, _ in numbers(one)) for one in store.each("Patient")}
    assert rows == {("E1", "M1"), ("E2",)}
    load(store, admitted("M1", 14))
    (stay,) = store.each("Encounter")
    assert stay["subject"]["reference"] == f"Patient/{person(store, 'E1')['id']}"


def test_people_are_linked_and_unlinked(store) -> None:
    load(store, admitted("M1", 5, "V1"), message("A28", 6, pid("M2", "MARROWBY^TESS", "19551102")))
    both = (pid("M1"), pid("M2", "MARROWBY^TESS", "19551102"))
    load(store, message("A24", 12, *both))
    links = {one["link"][0]["type"] for one in store.each("Patient")}
    assert links == {"seealso"}
    load(store, message("A37", 13, *both))
    assert not any("link" in one for one in store.each("Patient"))
    load(store, message("A08", 14, pid("M1"), pv1()))
    assert len(list(store.each("Patient"))) == 2


MEMBER = "~90000001A^^^MEDI-CAL^MA"


@pytest.mark.parametrize(
    ("pid3", "mrg1"),
    [("M1^^^MERCY^MR" + MEMBER, "M2^^^MERCY^MR"),
     ("M1^^^MERCY^MR", "M2^^^MERCY^MR" + MEMBER),
     ("M1^^^MERCY^MR" + MEMBER, "M2^^^MERCY^MR" + MEMBER)],
    ids=["in PID-3", "in MRG-1", "in both"],
)  # fmt: skip
def test_a_plan_s_number_that_is_told_of_both_ends_with_the_survivor(pid3, mrg1) -> None:
    """Whoever had it before, and whenever the merge comes."""
    some = [
        message("A01", 6, pid("M1"), pv1(visit="V1")),
        message("A01", 7, pid(f3="M2^^^MERCY^MR" + MEMBER), pv1(visit="V2")),
        message("A40", 9, pid(f3=pid3), f"MRG|{mrg1}"),
    ]
    for order in itertools.permutations(some):
        store = stores.open("sqlite://", resolve, uuid.UUID(int=3), 5, replay, may_merge)
        assert set(load(store, *order)) == {"stored"}
        (last,) = (one for one in store.each("Patient") if one.get("active") is not False)
        assert sorted(value for value, _ in numbers(last)) == ["90000001A", "M1", "M2"]
        assert subjects(store) == {f"Patient/{last['id']}"}
        store.close()


def test_who_is_one_person_here_already_does_not_replace_himself(store) -> None:
    for number, visit in (("M1", "V1"), ("M2", "V2")):
        both = f"{number}^^^MERCY^MR{MEMBER}"
        load(store, message("A01", 6, pid(f3=both), pv1(visit=visit)))
    assert load(store, merged("M1", "M2")) == ["stored"]
    (only,) = store.each("Patient")
    assert "link" not in only and only.get("active") is not False
