"""Units into the store: ledger, identity, references, versions and traces, on both databases."""

from __future__ import annotations

import itertools

import pytest

from adapter.errors import StoreError
from adapter.issues import Issue
from adapter.record import Entry, Location
from tests.store.made import AUTH, BASE, CIN, FEED, MRN, NOW, PLAN, patient, row, unit, urn

LATER = "2026-03-03T08:00:00Z"


def everything(store, kind="Patient"):
    """What is stored, without what depends on arrival."""
    found = [dict(resource) for resource in store.each(kind)]
    for resource in found:
        resource["meta"] = {
            key: value
            for key, value in resource.get("meta", {}).items()
            if key not in ("versionId", "lastUpdated")
        }
    return found


def test_a_unit_is_stored_whole_with_real_references(store) -> None:
    receipt = store.commit(*row(1), NOW)
    assert receipt.status == "stored"
    assert len(receipt.ids) == 4 and sorted(receipt.changed) == sorted(receipt.ids.values())
    person = receipt.ids[row(1)[0].entries[0].urn]
    kind, uid = person.split("/")
    stored = store.read(kind, uid)
    assert (stored.version, stored.updated, stored.deleted) == (1, NOW, False)
    assert stored.resource["meta"] == {"versionId": "1", "lastUpdated": NOW}
    for kind, name in (("Coverage", "beneficiary"), ("EpisodeOfCare", "patient")):
        (found,) = store.each(kind)
        assert found[name] == {"reference": person}


def test_ids_do_not_betray_identifiers(url, store) -> None:
    receipt = store.commit(*row(1), NOW)
    assert not any("0000001" in ref for ref in receipt.ids.values())


def test_the_same_unit_again_writes_nothing(store) -> None:
    first = store.commit(*row(1), NOW)
    again = store.commit(*row(1, as_of=LATER), LATER)
    assert (again.status, again.unit, again.changed) == ("duplicate", first.unit, ())
    assert len(store.ledger()) == 1
    assert store.commit_all([row(1), row(1)], LATER) == [again, again]


def test_the_same_twice_in_one_bulk(store) -> None:
    first, second = store.commit_all([row(1), row(1)], NOW)
    assert (first.status, second.status) == ("stored", "duplicate")
    assert len(list(store.each("Patient"))) == 1


def test_newer_without_change_makes_no_version_and_a_change_makes_one(store) -> None:
    first = store.commit(*row(1), NOW)
    newer, raw = row(1, as_of="2026-04-01T00:00:00Z")
    same = store.commit(newer, raw + b"next file", LATER)
    assert (same.status, same.changed, same.ids) == ("stored", (), first.ids)
    moved = store.commit(*row(1, "2 Lantern Row", "2026-05-01T00:00:00Z"), LATER)
    (ref,) = moved.changed
    kind, uid = ref.split("/")
    assert kind == "Patient"
    assert [(one.version, one.updated) for one in store.history(kind, uid)] == [
        (2, LATER), (1, NOW),
    ]  # fmt: skip
    assert store.vread(kind, uid, 1).resource["address"] == [{"line": ["1 Lantern Row"]}]
    assert store.vread(kind, uid, 3) is None
    assert store.search("Patient", [("address", "1 lantern")]).total == 0
    assert store.search("Patient", [("address", "2 lantern")]).total == 1


def test_an_older_row_changes_nothing(store) -> None:
    store.commit(*row(1, "2 Lantern Row", "2026-05-01T00:00:00Z"), NOW)
    receipt = store.commit(*row(1, "1 Lantern Row", "2026-04-01T00:00:00Z"), LATER)
    assert (receipt.status, receipt.changed) == ("stored", ())
    assert everything(store)[0]["address"] == [{"line": ["2 Lantern Row"]}]


def test_a_row_that_returns_to_what_it_was_counts(store) -> None:
    for number, street in enumerate(("1 Lantern Row", "2 Lantern Row", "1 Lantern Row"), 1):
        made, _ = row(1, street, f"2026-0{number}-01T00:00:00Z")
        made.unit.key = f"file {number}:2"
        store.commit(made, street.encode(), NOW)
    assert everything(store)[0]["address"] == [{"line": ["1 Lantern Row"]}]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_ends_the_same(opened, order) -> None:
    made = [
        unit(patient((CIN, "90000001A"), telecom=[{"value": "1"}]), as_of="2026-01-01T00:00:00Z"),
        unit(patient((CIN, "90000001A"), gender="female"), as_of="2026-02-01T00:00:00Z"),
        unit(
            patient((CIN, "90000001A"), (MRN, "778"), gender="male", telecom=[{"value": "2"}]),
            source=FEED,
            as_of="2026-03-01T00:00:00Z",
        ),
        unit(patient((CIN, "90000001A"), family="Quillpen"), source=FEED, as_of="2026-01-15"),
    ]
    store = opened()
    for index in order:
        assert store.commit(*made[index], NOW).status == "stored"
    (found,) = everything(store)
    assert found["gender"] == "female"
    assert [name["family"] for name in found["name"]] == ["Quillfeather"]
    assert [one["value"] for one in found["telecom"]] == ["1", "2"]
    assert [one["value"] for one in found["identifier"]] == ["90000001A", "778"]


def test_any_identifier_of_an_entry_finds_it(store) -> None:
    first = store.commit(*unit(patient((CIN, "90000001A"), (MRN, "778"))), NOW)
    second = store.commit(*unit(patient((MRN, "778"), gender="male"), source=FEED), NOW)
    assert list(second.ids.values()) == list(first.ids.values())


def test_identifiers_of_two_people_go_to_review(store) -> None:
    store.commit(*unit(patient((CIN, "90000001A"))), NOW)
    other = patient((MRN, "778"), family="Marrowby")
    assert store.commit(*unit(other, source=FEED), NOW).status == "stored"
    both, raw = unit(patient((CIN, "90000001A"), (MRN, "778"), gender="male"), source=FEED)
    receipt = store.commit(both, raw, NOW)
    assert (receipt.status, receipt.ids, receipt.changed) == ("review", {}, ())
    assert [(one.detail, one.at) for one in receipt.issues] == [
        ("identity-conflict", Location("members.csv", 2))
    ]
    assert store.raw(receipt.unit) == raw
    assert [line.unit for line in store.ledger("review")] == [receipt.unit]
    assert not any("gender" in resource for resource in store.each("Patient"))
    assert store.commit(both, raw, LATER) == receipt


def test_another_person_under_the_same_number_goes_to_review(store) -> None:
    store.commit(*unit(patient((CIN, "90000001A"))), NOW)
    other = patient((CIN, "90000001A"), family="Marrowby", birthDate="1955-11-02")
    receipt = store.commit(*unit(other), LATER)
    assert [issue.detail for issue in receipt.issues] == ["identity-unsure"]
    married = patient((CIN, "90000001A"), family="Marrowby")
    assert store.commit(*unit(married), LATER).status == "stored"


def test_a_refused_unit_is_in_the_ledger_and_can_be_mended(store) -> None:
    bad = Issue("error", "required", "no birth date", Location("members.csv", 2, "DOB"))
    outcome, raw = unit(patient((CIN, "90000001A")), issues=(bad,))
    receipt = store.commit(outcome, raw, NOW)
    assert (receipt.status, list(store.each("Patient"))) == ("refused", [])
    assert store.raw(receipt.unit) == raw
    (line,) = store.ledger("refused")
    assert line.issues[0]["details"]["coding"] == [{"code": "required"}]
    assert store.commit(outcome, raw, NOW).unit == receipt.unit
    mended, _ = unit(patient((CIN, "90000001A")))
    again = store.commit(mended, raw, LATER)
    assert (again.status, again.unit) == ("stored", receipt.unit)
    assert [one.status for one in store.ledger()] == ["stored"]


def test_a_reference_to_nothing_is_refused(store) -> None:
    lost = Entry({"resourceType": "Task", "for": {"reference": urn("nobody")}}, urn("t"))
    receipt = store.commit(*unit(patient((CIN, "90000001A")), lost), NOW)
    assert (receipt.status, receipt.issues[0].detail) == ("refused", "reference")
    assert list(store.each("Patient")) == []


def test_a_reference_may_name_its_target_by_identifier(store) -> None:
    ids = store.commit(*unit(patient((CIN, "90000001A"))), NOW).ids
    roster = {
        "resourceType": "Group",
        "member": [{"entity": {"reference": f"Patient?identifier={CIN}|90000001A"}}],
    }
    receipt = store.commit(*unit(Entry(roster, urn("roster"), key=("roster", "1"))), NOW)
    assert receipt.status == "stored"
    (group,) = store.each("Group")
    assert group["member"] == [{"entity": {"reference": next(iter(ids.values()))}}]
    unknown = {"resourceType": "Group", "member": [
        {"entity": {"reference": f"Patient?identifier={CIN}|90000009Z"}}]}  # fmt: skip
    refused = store.commit(*unit(Entry(unknown, urn("other"), key=("roster", "2"))), NOW)
    assert refused.status == "refused"
    later = patient((CIN, "90000009Z"))
    both = store.commit(*unit(later, Entry(unknown, urn("both"), key=("roster", "3"))), NOW)
    assert both.status == "stored"
    found = store.read("Group", both.ids[urn("both")].removeprefix("Group/")).resource
    assert found["member"] == [{"entity": {"reference": both.ids[later.urn]}}]


def test_an_entry_without_key_keeps_the_id_of_its_urn(store) -> None:
    name = urn("provenance", 1)
    receipt = store.commit(*unit(Entry({"resourceType": "Provenance"}, name)), NOW)
    assert receipt.ids == {name: f"Provenance/{name.removeprefix('urn:uuid:')}"}


def test_keys_in_a_circle_are_our_fault(store) -> None:
    one, two = urn(1), urn(2)
    first = Entry({"resourceType": "Task"}, one, key=(two,))
    second = Entry({"resourceType": "Task"}, two, key=(one,))
    with pytest.raises(StoreError, match="circle"):
        store.commit(*unit(first, second), NOW)
    assert store.ledger() == []


def test_two_entries_of_one_unit_may_be_the_same_thing(store) -> None:
    clinic = {"resourceType": "Organization", "name": "Invented Clinic"}
    npi = ((f"{BASE}/sid/x", "1"),)
    twice = unit(Entry(clinic, urn("a"), npi), Entry({**clinic, "active": True}, urn("b"), npi))
    ids = store.commit(*twice, NOW).ids
    assert len(set(ids.values())) == 1
    (found,) = store.each("Organization")
    assert (found["name"], found["active"]) == ("Invented Clinic", True)


def test_cleared_elements_go_and_plan_values_stay(store) -> None:
    store.commit(*unit(patient((CIN, "90000001A"), gender="female")), NOW)
    said = patient((CIN, "90000001A"), maritalStatus={"text": "m"}, gender="male")
    store.commit(*unit(said, source=FEED), NOW)
    cleared = patient((CIN, "90000001A"))
    cleared.cleared = ("gender", "maritalStatus")
    store.commit(*unit(cleared, source=FEED, as_of="2026-03-05T00:00:00Z"), NOW)
    (found,) = store.each("Patient")
    assert found["gender"] == "female" and "maritalStatus" not in found


def test_trace_leads_back_to_file_line_and_field(store) -> None:
    receipt = store.commit(*unit(patient((CIN, "90000001A"))), NOW)
    _, uid = receipt.ids[urn("Patient", (CIN, "90000001A"))].split("/")
    rows = store.trace("Patient", uid)
    assert [(row.element, row.source, row.file, row.line, row.field) for row in rows] == [
        ("identifier", PLAN, "members.csv", 2, "Member CIN"),
        ("name[0].family", PLAN, "members.csv", 2, "Last Name"),
    ]
    assert {(row.unit, row.as_of) for row in rows} == {(receipt.unit, "2026-03-01T00:00:00Z")}
    assert store.trace("Patient", "nobody") == []


def test_a_batch_is_stored_together_or_not_at_all(store, opened) -> None:
    other = opened()
    with store.batch():
        for number in range(3):
            store.commit(*row(number), NOW)
        assert store.search("Patient").total == 3
        assert other.search("Patient").total == 0
    assert other.search("Patient").total == 3
    with pytest.raises(RuntimeError), store.batch():
        store.commit(*row(7), NOW)
        raise RuntimeError
    assert other.search("Patient").total == 3
    assert store.commit(*row(7), NOW).status == "stored"


def test_a_unit_refused_in_a_batch_leaves_the_others(store) -> None:
    store.commit(*unit(patient((CIN, "90000001A"))), NOW)
    other = patient((CIN, "90000001A"), family="Marrowby", birthDate="1955-11-02")
    with store.batch():
        statuses = [store.commit(*made, NOW).status for made in (row(2), unit(other), row(3))]
    assert statuses == ["stored", "review", "stored"]
    assert store.search("Patient").total == 3


def test_a_batch_with_a_failed_write_is_not_stored(store) -> None:
    odd = unit(patient((CIN, "90000002A"), active={1, 2}))  # no JSON: our own fault
    with pytest.raises(StoreError, match="nothing was stored"), store.batch():
        store.commit(*row(1), NOW)
        with pytest.raises(TypeError):
            store.commit(*odd, NOW)
    assert list(store.each("Patient")) == []
    assert store.ledger() == []


def test_bulk_and_one_by_one_end_the_same(store) -> None:
    made = [row(number % 5, f"{number} Row", f"2026-03-{number:02d}") for number in range(1, 12)]
    bulk = store.commit_all(made, NOW)
    assert {receipt.status for receipt in bulk} == {"stored"}
    assert [r["address"][0]["line"][0] for r in sorted(
        store.each("Patient"), key=lambda one: one["identifier"][0]["value"]
    )] == ["10 Row", "11 Row", "7 Row", "8 Row", "9 Row"]  # fmt: skip
    assert all(receipt.status == "duplicate" for receipt in store.commit_all(made, NOW))


def test_what_one_store_wrote_another_reads(store, opened) -> None:
    store.commit(*row(1), NOW)
    other = opened()
    assert other.commit(*row(1), NOW).status == "duplicate"
    assert other.search("ClaimResponse", [("identifier", f"{AUTH}|AU1")]).total == 1


def test_a_unit_without_time_counts_from_when_it_came(store) -> None:
    store.commit(*unit(patient((CIN, "90000001A"), gender="female"), as_of=""), NOW)
    store.commit(*unit(patient((CIN, "90000001A"), gender="other"), as_of=""), LATER)
    (found,) = store.each("Patient")
    assert found["gender"] == "other"


def test_messages_of_one_instant_are_ordered_by_the_text_after_it(store) -> None:
    instant = "2026-03-01T00:00:00Z"
    for as_of, gender in ((f"{instant} b", "other"), (f"{instant} a", "male"), (instant, "female")):
        person = patient((CIN, "90000001A"), gender=gender)
        assert store.commit(*unit(person, as_of=as_of), NOW).status == "stored"
    (found,) = store.each("Patient")
    assert found["gender"] == "other"
    assert {row.as_of for row in store.trace("Patient", found["id"])} == {instant}


def test_files_that_could_not_be_read_each_have_a_line(store) -> None:
    for name in ("a.csv", "b.csv", "a.csv"):
        issue = Issue("fatal", "file-empty", "nothing in it", Location(name, 1))
        outcome, _ = unit(issues=(issue,))
        outcome.unit.at = Location(name, 1)
        store.commit(outcome, b"", NOW)
    assert [line.file for line in store.ledger("refused")] == ["a.csv", "b.csv"]
