"""What a person decides answers one doubt of a unit, and no other; a stay stays whose it is."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from adapter.store import schema
from tests.store.made import CIN, patient, unit
from tests.store.messages import NOW, contents, converted, message, pid, pv1

WHO = "K. Reviewer"
ODETTE = {"name": "QUILLFEATHER^ODETTE", "born": "19800517"}
TESS = {"name": "MARROWBY^TESS", "born": "19551102"}


def member(store, cin: str, family: str, given: str, born: str) -> str:
    """A member of the plan, in the store."""
    who = patient((CIN, cin), name=[{"family": family, "given": [given]}], birthDate=born)
    (ref,) = store.commit(*unit(who), NOW).ids.values()
    return ref


def odette(store) -> str:
    return member(store, "90000001A", "Quillfeather", "Odette", "1980-05-17")


def tess(store) -> str:
    return member(store, "90000002B", "Marrowby", "Tess", "1955-11-02")


def load(store, *messages: bytes):
    return [store.commit(*made, NOW) for made in converted(*messages)]


def whose(store) -> dict[str, str]:
    """Whose each stay is, by its number and the family name."""
    known = contents(store, "Patient", "Encounter")
    names = {f"Patient/{one['id']}": one["name"][0]["family"] for one in known["Patient"]}
    return {
        f"{one['identifier'][0]['value']}.{number}": names[one["subject"]["reference"]]
        for number, one in enumerate(known["Encounter"])
    }


def links(store) -> list[str]:
    return [link["type"] for one in store.each("Patient") for link in one.get("link", ())]


# --- one answer, one doubt

TWO = {
    "A17": (pid("M1", **ODETTE), pv1(), pid("M2", **TESS), pv1(visit="V2")),
    "A24": (pid("M1", **ODETTE), pid("M2", **TESS)),
    "A40": (
        pid("M1", **ODETTE), "MRG|M8^^^MERCY^MR", pid("M2", **TESS), "MRG|M9^^^MERCY^MR",
    ),
}  # fmt: skip


@pytest.mark.parametrize("event", TWO)
def test_each_person_of_a_message_is_decided_for_himself(store, event) -> None:
    known = [odette(store), tess(store)]
    (receipt,) = load(store, message(event, 9, *TWO[event]))
    for who in known:
        (held,) = store.waiting()
        assert [f"Patient/{one.id}" for one in held.candidates] == [who]
        before = contents(store, "Patient", "Encounter")
        assert receipt.status == "review" and not before["Encounter"]
        receipt = store.decide(held.unit, who, WHO, NOW)
    assert receipt.status == "stored" and store.waiting() == []
    assert set(known) <= set(receipt.ids.values())
    assert store.search("Patient").total == (4 if event == "A40" else 2)  # M8 and M9 were merged


def test_an_answer_about_a_person_is_none_about_a_merge(store) -> None:
    known = odette(store)
    load(store, message("A28", 7, pid("M2", f3="M2^^^MERCY^MR~90000002B^^^MEDI-CAL^MA", **TESS)))
    (receipt,) = load(store, message("A40", 9, pid("M1", **ODETTE), "MRG|M2^^^MERCY^MR"))
    receipt = store.decide(receipt.unit, known, WHO, NOW)
    assert (receipt.status, receipt.issues[-1].detail) == ("review", "identity-conflict")
    assert links(store) == []
    receipt = store.decide(receipt.unit, known, WHO, NOW)
    assert receipt.status == "stored" and sorted(links(store)) == ["replaced-by", "replaces"]


def test_a_merge_that_is_none_is_refused(store) -> None:
    for mrn, cin, who in (("M1", "90000001A", ODETTE), ("M2", "90000002B", TESS)):
        both = f"{mrn}^^^MERCY^MR~{cin}^^^MEDI-CAL^MA"
        load(store, message("A28", 7, pid(f3=both, **who)))
    (receipt,) = load(store, message("A40", 9, pid("M1", **ODETTE), "MRG|M2^^^MERCY^MR"))
    before = contents(store, "Patient")
    assert store.decide(receipt.unit, "new", WHO, NOW).status == "refused"
    assert contents(store, "Patient") == before and links(store) == []


def test_a_number_used_again_says_nothing_of_who_it_is(store) -> None:
    known = odette(store)
    load(store, message("A28", 7, pid("M9", **TESS), control="C1"))
    (receipt,) = load(store, message("A01", 9, pid("M1", **ODETTE), pv1(), control="C1"))
    assert receipt.issues[-1].detail == "key-reused"
    receipt = store.decide(receipt.unit, "new", WHO, NOW)
    assert (receipt.status, receipt.issues[-1].detail) == ("review", "identity-unsure")
    assert store.decide(receipt.unit, known, WHO, NOW).status == "stored"
    assert store.search("Patient").total == 2


def test_who_was_merged_meanwhile_is_the_survivor(store) -> None:
    ids = "X2^^^SUTTER^MR"
    load(store, message("A28", 6, pid(f3=ids, **ODETTE)))
    (receipt,) = load(store, message("A01", 9, pid("M1", **ODETTE), pv1()))
    (like,) = store.waiting()[0].candidates
    load(store, message("A40", 10, pid(f3="X1^^^SUTTER^MR", **ODETTE), f"MRG|{ids}"))
    receipt = store.decide(receipt.unit, f"Patient/{like.id}", WHO, NOW)
    (survivor,) = (one["id"] for one in store.each("Patient") if one.get("active") is not False)
    assert survivor != like.id and f"Patient/{survivor}" in receipt.ids.values()
    (stay,) = store.each("Encounter")
    assert stay["subject"]["reference"] == f"Patient/{survivor}"


def test_a_number_in_dispute_stays_whose_it_is(store) -> None:
    here, there = odette(store), tess(store)
    load(store, message("A28", 6, pid(f3="M1^^^MERCY^MR~90000001A^^^MEDI-CAL^MA", **ODETTE)))
    both = "M1^^^MERCY^MR~90000002B^^^MEDI-CAL^MA"
    (receipt,) = load(store, message("A08", 9, pid(f3=both, **ODETTE), pv1()))
    assert receipt.issues[-1].detail == "identity-conflict"
    assert store.decide(receipt.unit, here, WHO, NOW).status == "stored"
    found = [f"Patient/{one['id']}" for one in store.each("Patient", [("identifier", "90000002B")])]
    assert found == [there]


def test_what_was_refused_stays_refused(store) -> None:
    odette(store)
    raw = message("A01", 9, pid("M1", **ODETTE), pv1())
    (receipt,) = load(store, raw)
    assert store.decide(receipt.unit, "refuse", WHO, NOW).status == "refused"
    (again,) = load(store, raw)
    assert (again.status, again.unit) == ("duplicate", receipt.unit)
    assert store.waiting() == [] and store.search("Encounter").total == 0


# --- what a decision or a merge settles besides


def waits(store) -> list[int]:
    return [held.unit for held in store.waiting()]


def test_who_is_known_by_now_waits_no_longer(store) -> None:
    known = odette(store)
    stay = [message("A01", 7, pid("M1", **ODETTE), pv1())]
    stay.append(message("A03", 9, pid("M1", **ODETTE), pv1(end=9)))
    other = message("A01", 8, pid("M2", **ODETTE), pv1(visit="V2"))
    first, *_ = load(store, *stay, other)
    assert store.decide(first.unit, known, WHO, NOW).status == "stored"
    (held,) = store.waiting()  # another number: nobody has said whose it is
    assert held.unit == waits(store)[0] == first.unit + 2
    assert [one["status"] for one in store.each("Encounter")] == ["finished"]


def test_somebody_new_is_known_by_now_too(store) -> None:
    odette(store)
    stay = [
        message(event, hour, pid("M1", **ODETTE), pv1()) for event, hour in (("A01", 7), ("A08", 9))
    ]
    first, _ = load(store, *stay)
    assert store.decide(first.unit, "new", WHO, NOW).status == "stored"
    assert waits(store) == [] and store.search("Patient").total == 2


def test_what_is_refused_settles_nothing(store) -> None:
    odette(store)
    first, second = load(store, *(message("A01", h, pid("M1", **ODETTE), pv1()) for h in (7, 8)))
    store.decide(first.unit, "refuse", WHO, NOW)
    assert waits(store) == [second.unit]


@pytest.mark.parametrize("together", [False, True])
def test_a_merge_settles_what_waits_for_both(store, together) -> None:
    for mrn in ("X1", "X2"):
        load(store, message("A28", 6, pid(f3=f"{mrn}^^^MERCY^MR", **ODETTE)))
    both = pid(f3="X1^^^MERCY^MR~X2^^^MERCY^MR", **ODETTE)
    merge = message("A40", 8, pid("X1", **ODETTE), "MRG|X2^^^MERCY^MR")
    sent = converted(message("A01", 9, both, pv1()), merge)
    found = store.commit_all(sent, NOW) if together else [store.commit(*one, NOW) for one in sent]
    assert [one.status for one in found] == ["review", "stored"]
    assert waits(store) == []
    (stay,) = store.each("Encounter")
    (survivor,) = (one["id"] for one in store.each("Patient") if one.get("active") is not False)
    assert stay["subject"]["reference"] == f"Patient/{survivor}"


def test_a_merge_of_people_settles_that_of_their_visits(store) -> None:
    """HL7 v2.9 chapter 3.3.42: an A42 is of one person's visits, as those are after the A40."""
    load(store, *(message("A01", 6, pid(f"M{n}"), pv1(visit=f"V{n}")) for n in (1, 2)))
    visits = message("A42", 10, pid("M1"), "MRG|M1^^^MERCY^MR||||V2^^^MERCY^VN", pv1(visit="V1"))
    assert [one.status for one in load(store, visits)] == ["review"]
    load(store, message("A40", 9, pid("M1"), "MRG|M2^^^MERCY^MR"))
    assert waits(store) == []
    assert [one["status"] for one in store.each("Encounter") if "partOf" in one] == [
        "entered-in-error"
    ]


def test_a_link_settles_that_it_was_taken_back(store) -> None:
    """HL7 v2.9 chapter 3.3.37, of people whom the A37 was the first to tell of."""
    both = (pid("M1", **ODETTE), pid("M2", **TESS))
    assert [one.status for one in load(store, message("A37", 9, *both))] == ["review"]
    load(store, message("A28", 5, both[0]))
    assert len(waits(store)) == 1 and store.search("Patient").total == 1
    load(store, message("A24", 7, *both))
    assert waits(store) == [] and links(store) == []


@pytest.mark.parametrize("together", [False, True])
def test_a_new_number_settles_what_came_under_it(store, together) -> None:
    was, now = "E1^^^HIE^EPI", pid(f3="E5^^^HIE^EPI", **ODETTE)
    load(store, message("A28", 6, pid(f3=was, **ODETTE)))
    sent = converted(message("A01", 9, now, pv1()), message("A47", 8, now, f"MRG|{was}"))
    found = store.commit_all(sent, NOW) if together else [store.commit(*one, NOW) for one in sent]
    assert [one.status for one in found] == ["review", "stored"]
    assert waits(store) == [] and store.search("Patient").total == 1


def test_a_replay_of_what_waits_changes_nothing(store) -> None:
    """It gets its first answer: not even somebody new is made, which a person has not said."""
    known, other = odette(store), message("A01", 8, pid("M2", **ODETTE), pv1(visit="V2"))
    first, second = load(store, message("A01", 7, pid("M1", **ODETTE), pv1()), other)
    store.decide(first.unit, known, WHO, NOW)
    (again,) = load(store, other)
    assert (again.status, again.unit) == ("review", second.unit)
    assert again.issues[0].detail == second.issues[0].detail
    assert again.issues[0].text == second.issues[0].text and again.issues[0].at is not None
    assert waits(store) == [second.unit] and store.search("Patient").total == 1


def test_who_decided_before_is_kept(store) -> None:
    """Of a message that waits for another doubt by now, while others are judged again."""
    known = [odette(store), tess(store)]
    load(store, message("A17", 9, *TWO["A17"]), message("A08", 9, pid("M3", **TESS), pv1()))
    first, _ = store.waiting()
    assert store.decide(first.unit, known[0], WHO, NOW).status == "review"
    store.judge_again(NOW)
    load(store, message("A40", 10, pid("M5", **TESS), "MRG|M6^^^MERCY^MR"))
    query = select(schema.review.c.decision, schema.review.c.who)
    with store._reading() as connection:
        rows = connection.execute(query.where(schema.review.c.unit == first.unit)).all()
    assert rows == [(known[0], WHO)]


def test_a_number_used_again_waits_on(store) -> None:
    known = odette(store)
    load(store, message("A28", 7, pid("M9", **TESS), control="C1"))
    again, other = load(
        store,
        message("A01", 9, pid("M1", **ODETTE), pv1(), control="C1"),
        message("A01", 9, pid("M1", **ODETTE), pv1()),
    )
    store.decide(other.unit, known, WHO, NOW)
    assert waits(store) == [again.unit]
    assert store.judge_again(NOW) == [] and waits(store) == [again.unit]


def test_what_is_judged_again_settles_what_came_before_it(store) -> None:
    who = store.read("Patient", odette(store).removeprefix("Patient/")).resource
    two = pid(f3="M1^^^MERCY^MR~M2^^^MERCY^MR", **ODETTE)
    of_second = message("A01", 8, pid("M2", **ODETTE), pv1(visit="V2"))
    early, late = load(store, of_second, message("A28", 7, two))
    ((outcome, _),) = converted(message("A28", 7, pid("M1", **ODETTE)))
    given = outcome.entries[0].resource["identifier"]
    store.put({**who, "identifier": [*who["identifier"], *given]}, NOW)
    assert waits(store) == [early.unit, late.unit]
    found = store.judge_again(NOW)
    assert [(one.status, one.unit) for one in found] == [
        ("stored", late.unit), ("stored", early.unit),
    ]  # fmt: skip
    assert waits(store) == [] and store.search("Patient").total == 1


def test_a_fault_in_judging_what_waits_is_not_that_of_who_settles_it(store, caplog) -> None:
    """The merge is stored and answered so; the unit waits on, and others are judged."""
    for mrn in ("X1", "X2"):
        load(store, message("A28", 6, pid(f3=f"{mrn}^^^MERCY^MR", **ODETTE)))
    both = pid(f3="X1^^^MERCY^MR~X2^^^MERCY^MR", **ODETTE)
    first, second = load(store, *(message("A01", h, both, pv1(visit=f"V{h}")) for h in (8, 9)))
    with store._engine.begin() as connection:
        table, broken = schema.review, {"outcome": "{}"}
        connection.execute(table.update().where(table.c.unit == first.unit).values(**broken))
    (merge,) = load(store, message("A40", 10, pid("X1", **ODETTE), "MRG|X2^^^MERCY^MR"))
    assert (merge.status, first.status, second.status) == ("stored", "review", "review")
    assert waits(store) == [first.unit]
    assert f"unit {first.unit} waits on: KeyError" in caplog.text
    assert ODETTE["name"].partition("^")[0] not in caplog.text


# --- a visit number of another person's stay

NED = {"name": "PIKE^NED", "born": "19310101", "f8": "M"}
FIRST = message("A01", 7, pid("M7", **NED), pv1(visit="1"), "DG1|1||F20.9^x^I10|||A")


@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        ("", {"1.0": "PIKE"}),
        ("refuse", {"1.0": "PIKE"}),
        ("told", {"1.0": "MARROWBY"}),
        ("stored", {"1.0": "PIKE"}),
        ("new", {"1.0": "PIKE", "1.1": "MARROWBY"}),
    ],
)
def test_a_visit_number_of_another_person_waits(store, answer, stays) -> None:
    load(store, FIRST, message("A28", 7, pid("M8", **TESS)))
    known = {one["name"][0]["family"]: f"Patient/{one['id']}" for one in store.each("Patient")}
    (receipt,) = load(store, message("A01", 9, pid("M8", **TESS), pv1(visit="1")))
    assert (receipt.status, receipt.issues[-1].detail) == ("review", "identity-unsure")
    (held,) = store.waiting()
    assert [f"Patient/{one.id}" for one in held.candidates] == [known["PIKE"]]
    if answer:
        what = {"told": known["MARROWBY"], "stored": known["PIKE"]}.get(answer, answer)
        store.decide(receipt.unit, what, WHO, NOW)
        assert store.waiting() == []
    names = sorted(whose(store).values())
    if answer == "stored":  # the message is his: his name is what it says now
        assert len(names) == 1 and store.search("Patient").total == 2
    else:
        assert names == sorted(stays.values())
    hers = [f"Patient/{one['id']}" for one in store.each("Patient", [("identifier", "M8")])]
    assert hers == [known["MARROWBY"]]
    (condition,) = store.each("Condition")
    expected = known["MARROWBY"] if answer == "told" else known["PIKE"]
    assert condition["subject"]["reference"] == expected


def test_another_stay_under_a_number_goes_on(store) -> None:
    load(store, FIRST, message("A28", 7, pid("M8", **TESS)))
    (receipt,) = load(store, message("A01", 9, pid("M8", **TESS), pv1(visit="1")))
    store.decide(receipt.unit, "new", WHO, NOW)
    (later,) = load(store, message("A03", 12, pid("M8", **TESS), pv1(visit="1", end=12)))
    assert later.status == "stored"
    states = {one["subject"]["reference"]: one["status"] for one in store.each("Encounter")}
    assert sorted(states.values()) == ["finished", "in-progress"]
    (his,) = load(store, message("A08", 13, pid("M7", **NED), pv1(visit="1")))
    assert his.status == "stored" and store.waiting() == []


@pytest.mark.parametrize("event", ["A45", "A43"])
def test_a_sender_that_says_so_moves_a_stay(store, event) -> None:
    load(store, FIRST)
    group = (pid("M8", **TESS), "MRG|M7^^^MERCY^MR||||1^^^MERCY^VN", pv1(visit="1"))
    (receipt,) = load(store, message(event, 9, *group))
    assert receipt.status == "stored"


def test_a_duplicate_of_one_person_may_tell_of_the_stay(store) -> None:
    """Its merge may come later: in any order it ends in one person with one stay."""
    load(store, FIRST)
    (receipt,) = load(store, message("A08", 9, pid("M71", **NED), pv1(visit="1")))
    assert receipt.status == "stored"
