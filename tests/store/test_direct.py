"""Writes by id: versions, conflicts, uniqueness, deletion; cells and sequences."""

from __future__ import annotations

import pytest

from adapter.errors import NotUnique, StoreError, VersionConflict
from adapter.store.protocol import Cell
from tests.store.made import CIN, FEED, MRN, NOW, identifier, patient, unit

T2, T3 = "2026-03-03T08:00:00Z", "2026-03-04T08:00:00Z"


def person(uid="p1", *names, **more):
    found = {"identifier": [identifier(*name) for name in names]} if names else {}
    return {"resourceType": "Patient", "id": uid, **found, **more}


def test_put_creates_then_replaces(store) -> None:
    stored, created = store.put(person(gender="male", active=True), NOW)
    assert (stored.version, created) == (1, True)
    stored, created = store.put(person(gender="female"), T2)
    assert (stored.version, created) == (2, False)
    assert store.read("Patient", "p1") == stored
    assert stored.resource == {
        "resourceType": "Patient", "id": "p1", "gender": "female",
        "meta": {"versionId": "2", "lastUpdated": T2},
    }  # fmt: skip


def test_put_of_the_same_makes_no_version(store) -> None:
    first, _ = store.put(person(gender="male"), NOW)
    assert store.put(person(gender="male"), T2) == (first, False)


@pytest.mark.parametrize("expected", [0, 2, 7])
def test_put_with_another_version_expected(store, expected) -> None:
    store.put(person(gender="male"), NOW)
    with pytest.raises(VersionConflict):
        store.put(person(gender="female"), T2, expected)
    assert store.put(person(gender="female"), T2, 1)[0].version == 2


def test_put_expecting_a_version_of_nothing(store) -> None:
    with pytest.raises(VersionConflict):
        store.put(person(), NOW, 1)


@pytest.mark.parametrize("resource", [{}, {"resourceType": "Patient"}, {"id": "x"}])
def test_put_needs_type_and_id(store, resource) -> None:
    with pytest.raises(StoreError, match="resourceType and id"):
        store.put(resource, NOW)


def test_an_identifier_names_one_person(store) -> None:
    store.put(person("p1", (CIN, "90000001A")), NOW)
    with pytest.raises(NotUnique) as caught:
        store.put(person("p2", (CIN, "90000001A")), NOW)
    assert "90000001A" not in str(caught.value)
    assert store.read("Patient", "p2") is None
    store.put(person("p1", (CIN, "90000002A")), T2)
    assert store.put(person("p2", (CIN, "90000001A")), T3)[1]


def test_a_number_that_may_be_shared_names_nobody(store) -> None:
    for uid in ("p1", "p2"):
        resource = person(uid)
        resource["identifier"] = [identifier("http://hl7.org/fhir/sid/us-ssn", "000000000", "SS")]
        assert store.put(resource, NOW)[1]


def test_an_identifier_moved_within_one_batch(store) -> None:
    store.put(person("p1", (CIN, "90000001A")), NOW)
    with store.batch():
        store.put(person("p1", gender="male"), T2)
        store.put(person("p2", (CIN, "90000001A")), T2)
    receipt = store.commit(*unit(patient((CIN, "90000001A"))), T3)
    assert list(receipt.ids.values()) == ["Patient/p2"]


def test_units_find_what_the_api_created_and_apply_on_top(store) -> None:
    store.put(person("p1", (CIN, "90000001A"), gender="male"), NOW)
    late = unit(patient((CIN, "90000001A"), active=True), source=FEED, as_of=T2)
    receipt = store.commit(*late, T2)
    assert list(receipt.ids.values()) == ["Patient/p1"]
    found = store.read("Patient", "p1").resource
    assert (found["gender"], found["active"], found["birthDate"]) == ("male", True, "1980-05-17")


def test_a_put_holds_against_units_older_and_dated_ahead(store) -> None:
    early = unit(patient((CIN, "90000001A"), gender="male"), as_of="2030-01-01T00:00:00Z")
    (ref,) = store.commit(*early, NOW).ids.values()
    wanted = {**store.read(*ref.split("/")).resource, "gender": "female"}
    del wanted["birthDate"]
    found = store.put(wanted, T2)[0].resource
    assert found["gender"] == "female" and "birthDate" not in found
    old = unit(patient((CIN, "90000001A"), gender="other"), source=FEED, as_of=NOW)
    assert store.commit(*old, T3).changed == ()


def test_delete_is_a_version_and_older_units_do_not_undo_it(store) -> None:
    (ref,) = store.commit(*unit(patient((CIN, "90000001A"), (MRN, "5"))), NOW).ids.values()
    kind, uid = ref.split("/")
    gone = store.delete(kind, uid, T2)
    assert (gone.version, gone.deleted) == (2, True)
    assert store.read(kind, uid) == gone and store.delete(kind, uid, T3) == gone
    assert store.search("Patient").total == 0 and list(store.each("Patient")) == []
    assert [one.deleted for one in store.history(kind, uid)] == [True, False]
    old = unit(patient((CIN, "90000001A"), gender="male"), source=FEED)
    assert store.commit(*old, T3).changed == ()
    assert store.read(kind, uid).deleted
    new = unit(patient((CIN, "90000001A"), family="Quillpen"), as_of=T3)
    assert store.commit(*new, T3).changed == (ref,)
    back = store.read(kind, uid)
    assert (back.version, back.deleted) == (3, False)
    assert [name["family"] for name in back.resource["name"]] == ["Quillpen"]


def test_put_after_delete_creates_again(store) -> None:
    store.put(person(gender="male"), NOW)
    store.delete("Patient", "p1", T2)
    with pytest.raises(VersionConflict):
        store.put(person(gender="male"), T3, 1)
    stored, created = store.put(person(gender="male"), T3)
    assert (stored.version, created, stored.deleted) == (3, True, False)


def test_what_was_deleted_gives_its_identifier_up(store) -> None:
    store.put(person("p1", (CIN, "90000001A")), NOW)
    store.delete("Patient", "p1", T2)
    assert store.put(person("p2", (CIN, "90000001A")), T3)[1]
    receipt = store.commit(*unit(patient((CIN, "90000001A")), as_of=T3), T3)
    assert list(receipt.ids.values()) == ["Patient/p2"]


def test_delete_of_nothing(store) -> None:
    assert store.delete("Patient", "nobody", NOW) is None
    assert store.read("Patient", "nobody") is None and store.history("Patient", "nobody") == []


def test_the_trace_of_an_api_write_says_so(store) -> None:
    store.put(person(gender="male"), NOW)
    (row,) = store.trace("Patient", "p1")
    assert (row.element, row.source, row.file, row.as_of) == ("gender", "api", "api", NOW)


def test_profiles_and_labels_are_never_taken_away(store) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    store.put(person(gender="male", meta={"security": [label], "profile": ["a"]}), NOW)
    meta = store.put(person(gender="female", meta={"profile": ["b"]}), T2)[0].resource["meta"]
    assert meta["security"] == [label]
    assert store.search("Patient", [("_security", "R")]).total == 1


def test_cells_are_remembered_per_file(store) -> None:
    cells = [Cell(2, "CIN", ("Patient/p1#identifier",)), Cell(2, "DOB", ("Patient/p1#birthDate",))]
    store.write_cells("rtf.csv", cells, NOW)
    assert store.cell("rtf.csv", 2, "CIN") == cells[0]
    assert store.cell("rtf.csv", 3, "CIN") is None and store.cell("otf.csv", 2, "CIN") is None
    store.write_cells("rtf.csv", cells[1:], T2)
    assert store.cell("rtf.csv", 2, "CIN") is None and store.cell("rtf.csv", 2, "DOB") == cells[1]


def test_sequences_count_without_gaps(store, opened) -> None:
    assert [store.sequence("isa"), opened().sequence("isa"), store.sequence("gs")] == [1, 2, 1]
    with pytest.raises(RuntimeError), store.batch():
        assert store.sequence("isa") == 3
        raise RuntimeError
    assert store.sequence("isa") == 3
