"""Search: every kind of parameter, paging that holds still, includes, and what is refused."""

from __future__ import annotations

import pytest

from adapter.store.protocol import BadSearch
from adapter.store.terms import parameters, shipped
from tests.store.made import CIN, MRN, NOW, identifier

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"

PEOPLE = [
    {"id": "a", "identifier": [identifier(CIN, "90000001A")], "gender": "female",
     "birthDate": "1980-05-17", "active": True,
     "name": [{"family": "Ñandúquill", "given": ["José Luis", "Ada"]}]},
    {"id": "b", "identifier": [identifier(CIN, "90000002A"), identifier(MRN, "7,7", "MR")],
     "gender": "male", "birthDate": "1980-06", "name": [{"family": "Nandoway"}]},
    {"id": "c", "birthDate": "1979", "name": [{"text": "Percy 100%"}],
     "identifier": [{"value": "loose"}]},
]  # fmt: skip

OTHERS = [
    {"resourceType": "Encounter", "id": "e1", "status": "finished",
     "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
     "subject": {"reference": "Patient/a"},
     "period": {"start": "2026-01-05T20:00:00-08:00", "end": "2026-01-09T10:00:00-08:00"}},
    {"resourceType": "Encounter", "id": "e2", "status": "in-progress",
     "subject": {"reference": "Patient/b"}, "period": {"start": "2026-02-01"}},
    {"resourceType": "Observation", "id": "o1", "status": "final",
     "category": [{"coding": [{"system": CATEGORY, "code": "survey"}]}],
     "code": {"coding": [{"system": "http://loinc.org", "code": "71802-3"}]},
     "subject": {"reference": "Patient/a"}, "encounter": {"reference": "Encounter/e1"},
     "effectiveDateTime": "2026-01-06T09:30:00-08:00"},
    {"resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
     "for": {"reference": "Patient/a"}, "owner": {"reference": "Organization/o"},
     "focus": {"reference": "ServiceRequest/s"}, "authoredOn": "2026-01-06"},
    {"resourceType": "QuestionnaireResponse", "id": "q1", "status": "completed",
     "questionnaire": "https://ecm-adapter.example/fhir/Questionnaire/referral"},
    {"resourceType": "Provenance", "id": "v1",
     "target": [{"reference": "Patient/a/_history/1"}, {"reference": "Task/t1"}]},
]  # fmt: skip


@pytest.fixture
def filled(store):
    with store.batch():
        for person in PEOPLE:
            store.put({"resourceType": "Patient", **person}, NOW)
        for resource in OTHERS:
            store.put(resource, NOW)
    return store


CASES = [
    ("Patient", "", "abc"),
    ("Patient", "_id=a,c,x", "ac"),
    ("Patient", f"identifier={CIN}|90000001A", "a"),
    ("Patient", "identifier=90000002A", "b"),
    ("Patient", f"identifier={CIN}|", "ab"),
    ("Patient", "identifier=|loose", "c"),
    ("Patient", "identifier=|90000001A", ""),
    ("Patient", r"identifier=7\,7", "b"),
    ("Patient", "identifier=7,7", ""),
    ("Patient", "name=nand", "ab"),
    ("Patient", "name=NÀNDU", "a"),
    ("Patient", "name=luis", ""),
    ("Patient", "name:contains=luis", "a"),
    ("Patient", "name:contains=0%", "c"),
    ("Patient", "name:contains=_", ""),
    ("Patient", "name=percy  100", "c"),
    ("Patient", "family=nandoway", "b"),
    ("Patient", "family:exact=nandoway", ""),
    ("Patient", "family:exact=Nandoway", "b"),
    ("Patient", "given=ada", "a"),
    ("Patient", "given=jose,percy", "a"),
    ("Patient", "gender=female,male", "ab"),
    ("Patient", "gender:not=female", "bc"),
    ("Patient", "gender:missing=true", "c"),
    ("Patient", "gender:missing=false", "ab"),
    ("Patient", "active=true", "a"),
    ("Patient", "birthdate=1980-05-17", "a"),
    ("Patient", "birthdate=1980", "ab"),
    ("Patient", "birthdate=1980-05", "a"),
    ("Patient", "birthdate=1979", "c"),
    ("Patient", "birthdate=ne1980-05-17", "bc"),
    ("Patient", "birthdate=gt1980-05-17", "b"),
    ("Patient", "birthdate=ge1980-05-17", "ab"),
    ("Patient", "birthdate=lt1980-05-17", "c"),
    ("Patient", "birthdate=le1980-05-17", "ac"),
    ("Patient", "birthdate=ge1980&birthdate=lt1980-06", "a"),
    ("Patient", "birthdate=sa1979", "ab"),
    ("Patient", "birthdate=eb1980", "c"),
    ("Patient", "gender=female&birthdate=1980", "a"),
    ("Patient", "gender=male&birthdate=1979", ""),
    ("Patient", "_lastUpdated=2026-03-02", "abc"),
    ("Patient", "_lastUpdated=ge2026-03-02T08:00:00Z", "abc"),
    ("Patient", "_lastUpdated=gt2026-03-02T08:00:00Z", ""),
    ("Patient", "_lastUpdated=lt2026-03-02T08:00:00Z", ""),
    ("Patient", "_lastUpdated=2025,2026", "abc"),
    ("Encounter", "patient=a", "e1"),
    ("Encounter", "patient=Patient/a,Patient/b", "e1 e2"),
    ("Encounter", "subject:Patient=b", "e2"),
    ("Encounter", "subject=https://else.example/fhir/Patient/a", "e1"),
    ("Encounter", "patient=Group/a", ""),
    ("Encounter", "class=IMP", "e1"),
    ("Encounter", "class:missing=true", "e2"),
    ("Encounter", "date=2026-01-05", ""),
    ("Encounter", "date=2026-01", "e1"),
    ("Encounter", "date=ge2026-01-07", "e1 e2"),
    ("Encounter", "date=lt2026-01-06", "e1"),
    ("Encounter", "date=gt2027", "e2"),
    ("Observation", f"category={CATEGORY}|survey&code=http://loinc.org|71802-3", "o1"),
    ("Observation", "date=2026-01-06", "o1"),
    ("Observation", "date=2026-01-06T17:30:00Z", "o1"),
    ("Observation", "date=ge2026-01-06T09:30:00 08:00", "o1"),
    ("Observation", "encounter=e1", "o1"),
    ("Task", "owner=Organization/o&focus=ServiceRequest/s&status=requested", "t1"),
    ("Task", "authored-on=2026-01-06&patient=a", "t1"),
    ("QuestionnaireResponse",
     "questionnaire=https://ecm-adapter.example/fhir/Questionnaire/referral", "q1"),
    ("Provenance", "target=Patient/a", "v1"),
    ("Provenance", "target=t1", "v1"),
    ("Provenance", "patient=a", "v1"),
    ("Provenance", "patient:missing=false", "v1"),
    ("Basic", "", ""),
]  # fmt: skip


def query(text: str) -> list[tuple[str, str]]:
    return [tuple(pair.split("=", 1)) for pair in text.split("&") if pair]


def test_what_is_found(filled) -> None:
    wrong = []
    for kind, text, expected in CASES:
        page = filled.search(kind, query(text))
        ids = [one.resource["id"] for one in page.matches]
        wanted = expected.split() if kind != "Patient" else list(expected)
        if ids != wanted or page.total != len(wanted):
            wrong.append((kind, text, ids))
        assert [one["id"] for one in filled.each(kind, query(text))] == ids
    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "params", "named"),
    [
        ("Patient", [("shoe-size", "9")], "shoe-size"),
        ("Patient", [("Odette Quillfeather", "9")], "(malformed)"),
        ("Patient", [("birthdate", "someday")], "birthdate"),
        ("Patient", [("birthdate", "1980-13")], "birthdate"),
        ("Patient", [("birthdate", "ap1980")], "birthdate"),
        ("Patient", [("birthdate", "")], "birthdate"),
        ("Patient", [("identifier", "a|b|c")], "identifier"),
        ("Patient", [("identifier", "|")], "identifier"),
        ("Patient", [("name:sounds", "x")], "name"),
        ("Patient", [("_id:not", "x")], "_id"),
        ("Patient", [("gender:missing", "maybe")], "gender"),
        ("Patient", [("_include", "Encounter:patient")], "_include"),
        ("Patient", [("_include", "Patient:name")], "_include"),
        ("Patient", [("_count", "many")], "_count"),
        ("Patient", [("_lastUpdated", "x")], "_lastUpdated"),
        ("Patient", [("_lastUpdated:not", "2026")], "_lastUpdated"),
        ("Encounter", [("subject:Patient", "Group/a")], "subject"),
        ("Encounter", [("subject:Patient.birthdate", "1980-05-17")], "subject"),
        ("Encounter", [("subject:identifier", "urn:x|a")], "subject"),
        ("Patient", [("name", "\0")], "name"),
        ("Patient", [("name:contains", "\u0301")], "name"),
    ],
)
def test_what_is_refused_names_only_the_parameter(store, kind, params, named) -> None:
    with pytest.raises(BadSearch) as caught:
        store.search(kind, params)
    assert caught.value.parameter == named
    assert params[0][1] not in str(caught.value) or not params[0][1].strip("|")
    with pytest.raises(BadSearch):
        store.each(kind, params)


def test_pages_hold_still_while_others_write(store) -> None:
    for number in range(10):
        store.put({"resourceType": "Patient", "id": f"p{number}", "gender": "male"}, NOW)
    seen, cursor = [], None
    while True:
        page = store.search("Patient", [("gender", "male")], 3, cursor)
        seen += [one.resource["id"] for one in page.matches]
        if page.cursor is None:
            break
        assert page.total in (10, 11)
        cursor = page.cursor
        store.delete("Patient", "p0", NOW)
        store.put({"resourceType": "Patient", "id": "p1", "gender": "male", "active": True}, NOW)
        store.put({"resourceType": "Patient", "id": "p55", "gender": "male"}, NOW)
    assert seen == sorted([f"p{number}" for number in range(10)] + ["p55"])


def test_a_cursor_that_is_none_of_ours(store) -> None:
    with pytest.raises(BadSearch, match="_cursor"):
        store.search("Patient", [], 3, "'; drop table resource")


def test_includes_come_once_and_only_what_is_there(filled) -> None:
    page = filled.search("Observation", [("_include", "Observation:patient"),
                                         ("_include", "Observation:encounter")])  # fmt: skip
    assert [one.resource["id"] for one in page.included] == ["e1", "a"]
    page = filled.search("Task", [("_include", "Task:owner"), ("_include", "Task:patient")])
    assert [one.resource["id"] for one in page.included] == ["a"]
    page = filled.search("Provenance", [("_include", "Provenance:target:Task")])
    assert [one.resource["id"] for one in page.included] == ["t1"]


def test_count_zero_and_count_parameter(filled) -> None:
    page = filled.search("Patient", [("_count", "1")])
    assert (len(page.matches), page.total, page.cursor) == (1, 3, "a")
    page = filled.search("Patient", [("_count", "0")])
    assert (page.matches, page.total) == ([], 3)


def test_long_and_odd_texts_can_be_stored_and_found(store) -> None:
    name = "Q" * 5000
    store.put({"resourceType": "Patient", "id": "x", "name": [{"family": name + "\0"}]}, NOW)
    assert store.search("Patient", [("family", name)]).total == 1
    assert store.search("Patient", [("family:exact", name + "\0")]).total == 1
    assert store.search("Patient", [("_id", "\0,x")]).total == 1


def test_index_rows_follow_the_shipped_parameters(opened, monkeypatch) -> None:
    store = opened()
    store.put({"resourceType": "Patient", "id": "x", "maritalStatus": {"text": "m"}}, NOW)
    rows = [*shipped(), {"kind": "Patient", "name": "marital", "type": "string",
                         "paths": ["maritalStatus.text"]}]  # fmt: skip
    for name in ("adapter.store.terms.shipped", "adapter.store.sql.shipped"):
        monkeypatch.setattr(name, lambda: rows)
    _forget()
    try:
        assert opened().search("Patient", [("marital", "m")]).total == 1
    finally:
        monkeypatch.undo()
        _forget()


def _forget() -> None:
    from adapter.store import terms

    terms.parameters.cache_clear()
    terms._plan.cache_clear()


def test_every_shipped_parameter_is_whole() -> None:
    kinds = {row["kind"] for row in shipped()} - {"*"}
    assert len({(row["kind"], row["name"]) for row in shipped()}) == len(shipped())
    for kind in kinds:
        for parameter in parameters(kind).values():
            assert parameter.type in ("token", "string", "date", "reference", "uri")
            assert parameter.paths and all(parameter.paths)
            assert bool(parameter.targets) == (parameter.type == "reference")


def test_a_reference_is_found_whenever_its_target_was_stored(store) -> None:
    def stay(uid: str, person: str) -> dict:
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
        of = {"subject": {"reference": f"Patient/{person}"}, "class": coding}
        return {"resourceType": "Encounter", "id": uid, "status": "finished", **of}

    def found(person: str) -> list[str]:
        several = [
            store.each("Encounter", [("patient", name)]) for name in (person, f"Patient/{person}")
        ]
        one, other = ([stay["id"] for stay in stays] for stays in several)
        assert one == other
        return one

    store.put(stay("before", "p1"), NOW)
    store.put({"resourceType": "Patient", "id": "p1"}, NOW)
    store.put(stay("after", "p1"), NOW)
    assert found("p1") == ["after", "before"]
    store.put({"resourceType": "Patient", "id": "p2"}, NOW)
    for uid in ("before", "after"):
        store.put(stay(uid, "p2"), NOW)
    assert (found("p1"), found("p2")) == ([], ["after", "before"])
    with store.batch():
        for person in ("p1", "p2", "p1", "p2", "p3"):
            store.put(stay("before", person), NOW)
        store.put({"resourceType": "Patient", "id": "p3"}, NOW)
    assert (found("p1"), found("p2"), found("p3")) == ([], ["after"], ["before"])
    with store.batch():
        for person in ("p1", "p2"):
            store.put(stay("after", person), NOW)
    assert (found("p1"), found("p2")) == ([], ["after"])


def test_a_contained_resource_is_nobody_else(store) -> None:
    """Index rows name what is stored by its row number (`@1`): no text of a reference does."""
    store.put({"resourceType": "Organization", "id": "o"}, NOW)
    for uid, owner in (("out", "Organization/o"), ("in", "#1"), ("forged", "@1")):
        store.put({"resourceType": "Task", "id": uid, "owner": {"reference": owner}}, NOW)
    for owner in ("o", "Organization/o"):
        assert [task["id"] for task in store.each("Task", [("owner", owner)])] == ["out"]
