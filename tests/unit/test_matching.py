"""Who is the same person: weights, what speaks against, and what is left to people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from adapter import cli, validation
from adapter import store as stores
from adapter.api import ApiSettings, app
from adapter.identity.likeness import likeness, weights
from adapter.identity.match import may_merge, resolve
from adapter.issues import Doubt
from adapter.pipeline import Pipeline
from adapter.program.encounters import replay
from adapter.record import Entry
from adapter.store import SqlStore
from tests.store.made import CIN, identifier, patient, unit
from tests.store.messages import NOW, converted, message, pid, pv1

SID = "https://ecm-adapter.example/fhir/sid"
MERCY, SUTTER, PLAN = f"{SID}/mrn-mercy", f"{SID}/mrn-sutter", f"{SID}/plan-member/sunrise"
LICENCE = f"{SID}/dl-ca"


def person(**more: Any) -> dict[str, Any]:
    """An invented person; `more` replaces elements, None takes one away."""
    found = {
        "resourceType": "Patient", "id": "p1", "birthDate": "1980-05-17",
        "name": [{"family": "Quillfeather", "given": ["Odette", "June"]}],
        "telecom": [{"system": "phone", "value": "(916) 555-0101"},
                    {"system": "email", "value": "odette@example.org"}],
        "address": [{"line": ["1 Lantern Row"], "city": "Sacramento", "state": "CA",
                     "postalCode": "95814-1234"}],
        "gender": "female", **more,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def only(*names: str, **more: Any) -> dict[str, Any]:
    """What a feed knows of the same person: some elements."""
    kept = {name: person()[name] for name in names}
    return {"resourceType": "Patient", **kept, **more}


def named(given: str, family: str = "Quillfeather") -> list[dict[str, Any]]:
    return [{"family": family, "given": [given]}]


def phone(text: str) -> list[dict[str, Any]]:
    return [{"system": "phone", "value": text}]


WEIGHED: list[tuple[str, dict[str, Any], dict[str, Any], int, bool]] = [
    ("name and birth", only("name", "birthDate"), person(), 5, False),
    ("and a telephone, however written", only("name", "birthDate", telecom=phone("+1 916 5550101")),
     person(), 9, True),
    ("and e-mail", only("name", "birthDate", telecom=[{"system": "email",
     "value": "ODETTE@example.org"}]), person(), 9, True),
    ("and the street", only("name", "birthDate", "address"), person(), 9, True),
    ("street with city alone", only("name", "birthDate", address=[{"line": ["1 LANTERN ROW."],
     "city": "SACRAMENTO", "state": "CA"}]), person(), 9, True),
    ("all of it", only("name", "birthDate", "address", "telecom"), person(), 10, True),
    ("a zip code alone is nothing", only("name", "birthDate", address=[{"postalCode": "95814"}]),
     person(), 5, False),
    ("an address of many", only("name", "birthDate", address=[{"line": ["General Delivery"],
     "postalCode": "95814"}]), person(address=[{"line": ["GENERAL DELIVERY"],
     "postalCode": "95814"}]), 5, False),
    ("no telephone at all", only("name", "birthDate", telecom=phone("999-999-9999")),
     person(telecom=phone("9999999999")), 5, False),
    ("the household", only("address", "telecom", name=named("Tobias"), birthDate="1978-02-03"),
     person(), 5, False),
    ("a twin", only("birthDate", "address", "telecom", name=named("Ottilie")), person(), 7, False),
    ("a son of the same name", only("name", "address", "telecom", birthDate="2004-01-30"),
     person(), 8, False),
    ("a birth year", only("name", "telecom", birthDate="1980"), person(), 8, False),
    ("accents and marks", only("birthDate", "telecom", name=named("Odétte", "QUILL-FEATHER")),
     person(), 10, True),
    ("a former name", only("name", "birthDate", "address"), person(name=[*named("Odette"),
     *named("Odette", "Marrowby")]), 9, True),
    ("driver's licence and telephone, another name",
     only("telecom", name=named("Tess", "Marrowby"), identifier=[identifier(LICENCE, "D1", "DL")]),
     person(identifier=[identifier(LICENCE, "D1", "DL")]), 10, False),
    ("driver's licence, name and birth",
     only("name", "birthDate", identifier=[identifier(LICENCE, "D1", "DL")]),
     person(identifier=[identifier(LICENCE, "D1", "DL")]), 10, True),
    ("last four of the social security number",
     only("name", "birthDate", identifier=[identifier("s", "***-**-6789", "SS")]),
     person(identifier=[identifier("t", "900-12-6789", "SS")]), 9, True),
    ("a placeholder for one",
     only("name", "birthDate", identifier=[identifier("s", "123-45-6789", "SS")]),
     person(identifier=[identifier("t", "123-45-6789", "SS")]), 5, False),
    ("a telephone of nines", only("name", "birthDate", telecom=phone("(559) 999-9999")),
     person(telecom=phone("5599999999")), 5, False),
    ("an e-mail of nobody", only("name", "birthDate", telecom=[{"system": "email",
     "value": "none@none.example"}]), person(telecom=[{"system": "email",
     "value": "NONE@none.example"}]), 5, False),
    ("a licence of nobody",
     only("name", "birthDate", identifier=[identifier(LICENCE, "N/A", "DL")]),
     person(identifier=[identifier(LICENCE, "N/A", "DL")]), 5, False),
    ("a licence that a whole number's list calls none",
     only("name", "birthDate", identifier=[identifier(LICENCE, "Not on file", "DL")]),
     person(identifier=[identifier(LICENCE, "Not on file", "DL")]), 5, False),
    ("a record number of marks alone",
     only("name", "birthDate", identifier=[identifier(MERCY, "--", "MR")]),
     person(identifier=[identifier(MERCY, "--", "MR")]), 5, False),
    ("a newborn has no name yet", only("birthDate", "address", name=named("BABY GIRL")),
     person(name=named("Baby Girl")), 6, False),
    ("newborn twins", only("address", "telecom", birthDate="2026-07-10", name=named("BABY"),
     multipleBirthInteger=1), person(birthDate="2026-07-10", name=named("BABY"),
     multipleBirthInteger=2), 7, False),
    ("a brother of the same first name", only("name", "birthDate", "address", gender="male"),
     person(), 9, False),
    ("two numbers of a hospital that says no type",
     only("name", "birthDate", "address", identifier=[identifier(MERCY, "1", "")]),
     person(identifier=[identifier(MERCY, "2", "")]), 9, False),
    ("one plan, two numbers",
     only("name", "birthDate", "address", identifier=[identifier(PLAN, "S1", "MB")]),
     person(identifier=[identifier(PLAN, "S2", "MB")]), 9, False),
    ("two hospitals, one number",
     only("name", "birthDate", identifier=[identifier(SUTTER, "77", "MR")]),
     person(identifier=[identifier(MERCY, "77", "MR")]), 5, False),
    ("an e-mail of digits is no telephone besides",
     only("name", "birthDate", telecom=[{"system": "email", "value": "9165550102@mail.example"}]),
     person(telecom=[{"system": "email", "value": "9165550102@mail.example"}]), 9, True),
    ("two numbers of an exchange, one licence",
     only("name", "birthDate", identifier=[identifier("urn:hie", "1", "EPI"),
     identifier(LICENCE, "D1", "DL")]), person(identifier=[identifier("urn:hie", "2", "EPI"),
     identifier(LICENCE, "D1", "DL")]), 10, False),
    ("sex is nothing", only("gender"), person(), 0, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "stored", "score", "certain"), [row[1:] for row in WEIGHED],
    ids=[row[0] for row in WEIGHED],
)  # fmt: skip
def test_weights(said, stored, score, certain) -> None:
    both = likeness(said, stored), likeness(stored, said)
    assert [(found.score, found.certain) for found in both] == [(score, certain)] * 2


def test_the_weights_are_those_of_the_guide() -> None:
    table = weights()
    assert table.certain == 9 and table.shared_most == 5
    assert table.weight == {
        "document": 5, "address": 4, "phone": 4, "email": 4, "identifier": 4, "ssn4": 4,
        "name": 3, "birth": 2,
    }  # fmt: skip


def judged(said: dict[str, Any], *alike: dict[str, Any]) -> str:
    entry = Entry(said, "urn:uuid:1")
    found = resolve(entry, [], lambda _: list(alike))
    return f"{found.issue.detail} {len(found.candidates)}" if isinstance(found, Doubt) else found


@pytest.mark.parametrize(
    ("said", "alike", "expected"),
    [
        (person(), [], ""),
        (person(), [person()], "p1"),
        (only("name", "birthDate"), [person()], "identity-unsure 1"),
        (only("name"), [person()], ""),
        (only("address", "telecom", name=named("Tobias"), birthDate="1978-02-03"), [person()], ""),
        (person(), [person(), person(id="p2")], "identity-unsure 2"),
        (person(), [person(id="p2"), person(telecom=None, address=None)], "p2"),
        (person(identifier=[identifier(CIN, "90000001A")]),
         [person(identifier=[identifier(CIN, "90000002B")])], ""),
    ],
    ids=["nobody", "certain", "short of certain", "too little", "the household", "two of them",
         "one certain, one possible", "another member"],
)  # fmt: skip
def test_who_is_linked_and_who_waits(said, alike, expected) -> None:
    assert judged(said, *alike) == expected


def test_never_below_nine() -> None:
    for name, said, stored, score, _ in WEIGHED:
        if score < weights().certain:
            assert judged(said, stored) != "p1", name


# --- in the store, with messages


@pytest.fixture
def store() -> Iterator[SqlStore]:
    made = stores.open("sqlite://", resolve, None, 5, replay, may_merge)
    yield made
    made.close()


HOME = "^PRN^PH^^1^916^5550101"


def roster(store: SqlStore, **more: Any) -> str:
    """A member of the plan, in the store."""
    known = {"telecom": phone("(916) 555-0101"), "gender": "female", **more}
    (ref,) = store.commit(*unit(patient((CIN, "90000001A"), **known)), NOW).ids.values()
    return ref


def admit(mrn: str, hour: int = 8, sender: str = "MERCY", **fields: str) -> bytes:
    found = message("A01", hour, pid(mrn, **fields), pv1(visit=f"V{mrn}"))
    return found.replace(b"MERCY", sender.encode())


def load(store: SqlStore, *messages: bytes) -> list[Any]:
    return [store.commit(*made, NOW) for made in converted(*messages)]


def people(store: SqlStore) -> int:
    return store.search("Patient").total


def test_a_member_is_found_without_a_common_number(store) -> None:
    member = roster(store)
    (receipt,) = load(store, admit("M1", f13=HOME))
    assert receipt.status == "stored" and member in receipt.ids.values()
    assert people(store) == 1
    (again,) = load(store, admit("M1", 9, name="MARROWBY^ODETTE"))
    assert member in again.ids.values()


@pytest.mark.parametrize(("here", "there"), [("Ñandú", "NANDU"), ("Nandu", "ÑANDÚ")])
def test_a_member_is_found_however_accents_are_written(store, here, there) -> None:
    member = roster(store, name=[{"family": here, "given": ["José"]}])
    (receipt,) = load(store, admit("M1", name=f"{there}^JOSE", f13=HOME))
    assert receipt.status == "stored" and member in receipt.ids.values()


def test_a_member_without_birth_date_and_telephone_waits(store) -> None:
    home = [{"line": ["1 Lantern Row"], "postalCode": "95814-1234"}]
    roster(store, address=home, telecom=None)
    (receipt,) = load(store, admit("M1", born="", f11="1 LANTERN ROW.^^SACRAMENTO^CA^95814"))
    assert receipt.status == "review"


def test_what_is_unsure_waits_with_its_candidates(store) -> None:
    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    assert receipt.status == "review" and people(store) == 1
    assert store.search("Encounter").total == 0
    (held,) = store.waiting()
    assert (held.unit, held.source, held.kind) == (receipt.unit, "feed:default", "adt")
    (like,) = held.candidates
    assert f"Patient/{like.id}" == member
    assert (like.score, like.agrees, like.differs) == (5, ("name", "birth"), ())


@pytest.mark.parametrize("decision", ["accept", "new", "refuse"])
def test_a_person_decides(store, decision) -> None:
    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    what = member if decision == "accept" else decision
    found = store.decide(receipt.unit, what, "K. Reviewer", NOW)
    assert found.status == ("refused" if decision == "refuse" else "stored")
    assert people(store) == {"accept": 1, "new": 2, "refuse": 1}[decision]
    assert store.search("Encounter").total == (decision != "refuse")
    assert store.waiting() == []
    assert store.decide(receipt.unit, "new", "K. Reviewer", NOW) is None
    (later,) = load(store, admit("M1", 9))
    assert later.status == ("review" if decision == "refuse" else "stored")
    (line,) = (one for one in store.ledger() if one.unit == receipt.unit)
    assert line.status == ("refused" if decision == "refuse" else "stored")


def test_who_decided_what_and_when_is_kept(store) -> None:
    from adapter.store import schema

    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    store.decide(receipt.unit, member, "K. Reviewer", NOW)
    with store._engine.connect() as connection:
        (row,) = connection.execute(schema.review.select()).mappings()
    assert (row["unit"], row["decision"], row["who"], row["decided"]) == (
        receipt.unit, member, "K. Reviewer", NOW,
    )  # fmt: skip


def test_a_member_file_s_row_waits_and_is_decided_too(store) -> None:
    load(store, admit("M1"))
    receipt = store.commit(*unit(patient((CIN, "90000001A"))), NOW)
    assert receipt.status == "review"
    (like,) = store.waiting()[0].candidates
    assert store.decide(receipt.unit, f"Patient/{like.id}", "K. R.", NOW).status == "stored"
    (found,) = store.each("Patient")
    assert sorted(one["value"] for one in found["identifier"]) == ["90000001A", "M1"]


def test_numbers_of_two_hospitals_do_not_collide(store) -> None:
    one, other = load(
        store,
        admit("M1"),
        admit("M1", 9, "SUTTER", name="MARROWBY^TESS", born="19551102"),
    )
    assert (one.status, other.status, people(store)) == ("stored", "stored", 2)


def test_the_order_of_identifiers_does_not_matter(store) -> None:
    ids = ["M1^^^MERCY^MR", "E7^^^HIE^PI", "90000001A^^^MEDI-CAL^MA"]
    refs = set()
    for turn in range(3):
        made = message("A31", 8 + turn, pid(f3="~".join(ids[turn:] + ids[:turn])))
        refs |= {ref for ref in load(store, made)[0].ids.values() if ref.startswith("Patient/")}
    assert len(refs) == 1


def test_people_of_one_batch_are_compared(store) -> None:
    made = [unit(patient((CIN, "90000001A"))), *converted(admit("M1"))]
    first, second = store.commit_all(made, NOW)
    assert (first.status, second.status) == ("stored", "review")


def test_a_telephone_of_many_names_nobody(store) -> None:
    for number in range(25):
        who = patient((CIN, f"9{number:07d}A"), family=f"Shelter{number}", birthDate="1970-01-01",
                      telecom=phone("9165550199"))  # fmt: skip
        store.commit(*unit(who), NOW)
    (receipt,) = load(store, admit("M1", born="19700101", f13="^PRN^PH^^1^916^5550199"))
    assert receipt.status == "stored" and people(store) == 26


def test_a_merged_person_is_no_candidate_but_the_survivor_is(store) -> None:
    load(store, admit("M1", f13=HOME), message("A40", 9, pid("M2", f13=HOME), "MRG|M1^^^MERCY^MR"))
    survivor = next(one for one in store.each("Patient") if one.get("active") is not False)
    (receipt,) = load(store, admit("X9", 10, "SUTTER", f13=HOME))
    assert f"Patient/{survivor['id']}" in receipt.ids.values()


# --- $match and the review queue over HTTP, and on the command line


@pytest.fixture
def client(store: SqlStore) -> Iterator[TestClient]:
    def clock() -> datetime:
        return datetime(2026, 7, 20, 8, tzinfo=UTC)

    house = Pipeline(store, clock)
    made = app(store, house, ApiSettings(), clock, lambda: "n1")
    with TestClient(made, base_url="http://127.0.0.1:8000") as found:
        yield found


def asked(resource: Any, **more: Any) -> dict[str, Any]:
    rows = [{"name": "resource", "resource": resource}] if resource else []
    kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    rows += [{"name": name, kinds[type(value)]: value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": rows}


def test_match_answers_with_scores(client, store) -> None:
    member = roster(store)
    answer = client.post("/fhir/Patient/$match", json=asked(only("name", "birthDate", "telecom")))
    bundle = answer.json()
    assert (answer.status_code, bundle["type"], bundle["total"]) == (200, "searchset", 1)
    (entry,) = bundle["entry"]
    assert entry["fullUrl"].endswith(member)
    assert entry["search"] == {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/match-grade",
                       "valueCode": "certain"}],
        "mode": "match", "score": 0.9,
    }  # fmt: skip
    assert [issue for issue in validation.judge(bundle) if issue.failed] == []


@pytest.mark.parametrize(
    ("said", "more", "grades"),
    [
        (only("name", "birthDate"), {}, ["possible"]),
        (only("name", "birthDate"), {"onlyCertainMatches": True}, []),
        (only("name", "birthDate", "telecom"), {"onlyCertainMatches": True}, ["certain"]),
        (only("birthDate", "telecom", name=named("Ottilie")), {}, ["possible"]),
        (only("gender"), {}, []),
        ({"resourceType": "Patient", "identifier": [identifier(CIN, "90000001A")]}, {},
         ["possible"]),
        (only("name", "birthDate", "telecom"), {"count": 1}, ["certain"]),
    ],
)  # fmt: skip
def test_grades(client, store, said, more, grades) -> None:
    roster(store)
    bundle = client.post("/fhir/Patient/$match", json=asked(said, **more)).json()
    rows = bundle.get("entry", [])
    assert [row["search"]["extension"][0]["valueCode"] for row in rows] == grades


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (asked(None), 400),
        (asked({"resourceType": "Group"}), 400),
        ({"resourceType": "Patient"}, 400),
        (asked({"resourceType": "Patient", "birthDate": "never"}), 422),
        (asked({"resourceType": "Patient"}, count=0), 400),
        (asked({"resourceType": "Patient"}, count="many"), 400),
        (asked({"resourceType": "Patient"}, onlyCertainMatches="true"), 400),
        ({"resourceType": "Parameters", "parameter": [7, {"name": 3}]}, 400),
    ],
)
def test_match_refuses_what_it_cannot_read(client, body, status) -> None:
    answer = client.post("/fhir/Patient/$match", json=body)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_match_is_in_the_statement_of_patients_only(client) -> None:
    rest = client.get("/fhir/metadata").json()["rest"][0]
    has = [row["type"] for row in rest["resource"]
           if "match" in [one["name"] for one in row["operation"]]]  # fmt: skip
    assert has == ["Patient"]
    assert [one["name"] for one in rest["operation"]] == ["process-message"]


def test_the_queue_is_read_and_decided_over_http(client, store) -> None:
    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    (row,) = client.get("/review").json()
    assert row["unit"] == receipt.unit
    assert row["candidates"] == [
        {"ref": member, "score": 5, "agrees": ["name", "birth"], "differs": []}
    ]
    assert [one["issue"] for one in row["issues"]] == ["identity-unsure"]
    assert not any(text in json.dumps(row).upper() for text in ("QUILLFEATHER", "1980", "M1^"))
    choice = {"decision": "accept", "ref": member, "by": "K. Reviewer"}
    answer = client.post(f"/review/{receipt.unit}", json=choice)
    assert answer.json() == {
        "unit": receipt.unit, "status": "stored", "people": [member], "issues": [],
    }  # fmt: skip
    assert client.get("/review").json() == []
    assert client.post(f"/review/{receipt.unit}", json=choice).status_code == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"decision":"accept","by":"x"}', b'{"decision":"new"}',
     b'{"decision":"merge","by":"x"}', b'{"decision":"accept","ref":"Patient/none","by":"x"}',
     b'{"decision":"accept","ref":"Group/1","by":"x"}'],
)  # fmt: skip
def test_a_decision_must_say_what_and_by_whom(client, body) -> None:
    headers = {"content-type": "application/json"}
    assert client.post("/review/1", content=body, headers=headers).status_code == 400
    assert client.post("/review/1", content=body).status_code == 415


def test_nobody_who_was_deleted_is_meant(client, store) -> None:
    """What is said of him would not be found again."""
    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    store.delete("Patient", member.partition("/")[2], NOW)
    choice = {"decision": "accept", "ref": member, "by": "K. Reviewer"}
    answer = client.post(f"/review/{receipt.unit}", json=choice)
    assert answer.status_code == 400 and len(client.get("/review").json()) == 1
    choice = {"decision": "new", "by": "K.\0Reviewer"}  # PostgreSQL has no such text
    assert client.post(f"/review/{receipt.unit}", json=choice).status_code == 400


def test_the_queue_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    base = f"sqlite:///{tmp_path / 'queue.sqlite'}"
    store = stores.open(base, resolve, None, 5, replay, may_merge)
    member = roster(store)
    (receipt,) = load(store, admit("M1"))
    store.put({"resourceType": "Patient", "id": "gone"}, NOW)
    store.delete("Patient", "gone", NOW)
    store.close()
    run = ["--database", base, "review"]
    assert cli.main([*run, "again"]) == 1 and capsys.readouterr().out == "1 wait\n"
    assert cli.main([*run, "list"]) == 1
    shown = capsys.readouterr().out
    assert member in shown and "identity-unsure" in shown and "Quillfeather" not in shown
    assert cli.main([*run, "accept", str(receipt.unit), "Patient/none"]) == 2
    assert cli.main([*run, "accept", str(receipt.unit), "Patient/gone"]) == 2
    assert cli.main([*run, "accept", str(receipt.unit), member, "--by", "K. Reviewer"]) == 0
    assert cli.main([*run, "new", str(receipt.unit)]) == 1
    assert cli.main([*run, "list"]) == 0
    assert capsys.readouterr().out.endswith("nothing waits\n")
    assert cli.main([*run, "again"]) == 0 and capsys.readouterr().out == "0 wait\n"
