"""The 28 points that a parser of ECM member files must tolerate (files.md section 8), with cases.

A case is a small file and what becomes of it: cells of its records, values in FHIR, or findings.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter import convert, reject_file, returned, store
from adapter.identity.match import resolve
from adapter.outcome import Outcome
from adapter.pipeline import Pipeline
from adapter.sources import layout as layouts
from adapter.sources.header import Header
from adapter.sources.tabular import read
from tests.unit.workbooks import book

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
RECEIVED = "2026-07-02T15:00:00+00:00"
PERSON = {"Member ID": "M1", "CIN": "90000011A", "Last Name": "Otter", "First Name": "Olive"}


@dataclass(frozen=True)
class Case:
    """The number of a point, and a function that checks one side of it."""

    point: int
    check: Callable[[], None]


CASES: list[Case] = []


def point(number: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a case of a point of files.md section 8."""

    def register(check: Callable[[], None]) -> Callable[[], None]:
        CASES.append(Case(number, check))
        return check

    return register


# -- how a file is made, and what is asked of it


def table(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    """A CSV of rows by header; what a row leaves out is empty."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return stream.getvalue().encode()


def outcomes(file: bytes, plan: str = "canonical", name: str = "f.csv") -> list[Outcome]:
    """Rows of a file as units, its list left out."""
    found = convert.rows(file, convert.member_table(plan), name, RECEIVED)
    return [one for one in found if not one.entries or kinds(one)[0] != "Group"]


def kinds(outcome: Outcome) -> list[str]:
    return [entry.resource["resourceType"] for entry in outcome.entries]


def one(outcome: Outcome, kind: str) -> dict[str, Any]:
    return next(e.resource for e in outcome.entries if e.resource["resourceType"] == kind)


def patient(**cells: str) -> dict[str, Any]:
    """The Patient of one row."""
    return one(outcomes(table({**PERSON, **cells}))[0], "Patient")


def episode(**cells: str) -> dict[str, Any]:
    return one(outcomes(table({**PERSON, **cells}))[0], "EpisodeOfCare")


def details(found: list[Outcome]) -> list[str]:
    return [issue.detail for outcome in found for issue in outcome.issues]


def header(text: str, plan: str = "canonical") -> Header:
    layout = replace(layouts.load(plan), required=())
    return next(x for x in read(f"{text}\n1,2,3\n".encode(), layout) if isinstance(x, Header))


def fields(text: str, plan: str = "canonical") -> tuple[str | None, ...]:
    return header(text, plan).columns


def cin(found: dict[str, Any]) -> list[str]:
    return [i["value"] for i in found["identifier"] if i["system"].endswith("/sid/cin")]


def populations(found: dict[str, Any]) -> set[str]:
    return {
        e["valueCodeableConcept"]["coding"][0]["code"]
        for e in found.get("extension", ())
        if e["url"].endswith("population-of-focus")
    }


def house() -> Pipeline:
    return Pipeline(store.open("sqlite://", resolve), lambda: datetime(2026, 7, 2, 15, tzinfo=UTC))


# -- headers


@point(1)
def letters_and_digits_only() -> None:
    text = 'MEDI CAL Number,"Emergency/  Alternate\nContact Name",ECM Provider Tax ID Number(TIN)'
    assert fields(text) == ("cin", "guardian_name", "ecm_provider_tin")


@point(2)
def known_misspellings() -> None:
    assert fields(
        "Member Resdidential Zip Code,Authorizatin End Date,"
        "Emergency/Contact Alternate Contact Phone Number,"
        "ECM Lead Care Manager Name Phone Number"
    ) == ("zip", "auth_end", "guardian_phone", "lcm_phone")
    assert fields("Member Resdential Zip Code,Last Name")[0] == "zip"


@point(3)
def names_of_the_cin() -> None:
    names = (
        "Medi-Cal Member Client Index Number (CIN)", "Member Client Index Number", "MCP_CIN",
        "Member Client Index Number (CIN)", "MCP CIN", "MCP CIN Number", "Medi-Cal Number",
        "Medical Number", "Member Medi-Cal Number", "Member CIN", "Medi-Cal CIN", "CIN",
        "CIN Number",
    )  # fmt: skip
    assert {fields(f"{name},Last Name")[0] for name in names} == {"cin"}
    records = ("Medical Record Number", "Medical Record Number (MRN)", "MRN")
    assert {fields(f"{name},Last Name")[0] for name in records} == {"mrn"}


@point(4)
def title_rows() -> None:
    titles = b"Imaginary Plan,,,\nMembers of July,,,\n,,,\n"
    assert cin(one(outcomes(titles + table(PERSON))[0], "Patient")) == ["90000011A"]


@point(5)
def sheets_by_name() -> None:
    rows = [list(PERSON), list(PERSON.values())]
    long = "Member Information File of a very long name"
    file = book(("Cover", [["nothing"]]), ("CSMIF", rows), ("RFT", [["nor here"]]))
    found = outcomes(file, "kaiser")
    assert (kinds(found[0])[0], "unmapped" in details(found)) == ("Patient", True)
    named = replace(layouts.load("canonical"), sheets=(long,), wanted=frozenset())
    cut = book(("Cover", [["nothing"]]), (long[:31], rows))
    assert next(x for x in read(cut, named) if isinstance(x, Header)).source.endswith(long[:31])


@point(6)
def a_header_twice() -> None:
    found = header("Last Name,Phone,Phone_1,Phone")
    assert found.columns == ("last_name", "phone", None, None)
    assert found.twice == (2, 3)


@point(7)
def no_header_at_all() -> None:
    row = "1|07-01-2026 08:00:00|0|M1|90000011A|02-29-1980|F|Otter|Olive" + "|" * 14
    found = one(outcomes(row.encode(), "kern-demographic")[0], "Patient")
    assert (cin(found), found["birthDate"]) == (["90000011A"], "1980-02-29")


@point(8)
def any_order_and_unknown_columns() -> None:
    turned = {"Shoe Size": "44", **dict(reversed(PERSON.items()))}
    found = outcomes(table(turned))
    assert one(found[0], "Patient")["name"] == patient()["name"]
    assert cin(one(found[0], "Patient")) == ["90000011A"]
    assert details(found) == ["unmapped"]
    assert "44" in found[0].unit.raw.decode()  # kept with the row as it came


@point(8)
def unknown_columns_go_round() -> None:
    file = table({"Shoe Size": "44", **PERSON, "Last Name": ""})
    loader = house()
    refused = {r.line: r.issues for r in loader.mif(file, "canonical", "f.csv") if r.rows}
    stream = io.StringIO()
    reject_file.write(stream, reject_file.Rejected(file, "f.csv", "canonical", RECEIVED, refused))
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["Shoe Size"], row["CIN"]) == ("44", "90000011A")


@point(9)
def hyphen_and_dash() -> None:
    flags = "Adult – Birth Equity,Child - Birth Equity,Adult — SMI or SUD"  # noqa: RUF001 - their dash
    assert fields(flags) == ("pof_birth_equity", "pof_birth_equity_child", "pof_smh_sud")


# -- values


@point(10)
def dates_of_every_form() -> None:
    forms = ("02/29/1980", "02-29-1980", "1980-02-29", "19800229", "1980-02-29 00:00:00",
             "2/29/1980 12:00 AM", "29280")  # fmt: skip
    assert {patient(DOB=form)["birthDate"] for form in forms} == {"1980-02-29"}
    rows = [[*PERSON, "DOB"], [*PERSON.values(), date(1980, 2, 29)]]
    assert one(outcomes(book(("MIF", rows)))[0], "Patient")["birthDate"] == "1980-02-29"


@point(11)
def a_far_end_is_open() -> None:
    cells = {"Coverage Start Date": "01/01/2026", "Coverage End Date": "12/31/2078"}
    cover = one(outcomes(table({**PERSON, **cells}))[0], "Coverage")
    assert cover["period"] == {"start": "2026-01-01"}


@point(12)
def identifiers_as_numbers() -> None:
    values = {"123.0": "123", '="00123"': "00123", "00123": "00123"}
    for cell, value in values.items():
        found = patient(MRN=cell)["identifier"]
        assert value in {i["value"] for i in found}
    rows = [[*PERSON, "MRN"], [*PERSON.values(), 6457220001234.0]]
    found = one(outcomes(book(("MIF", rows)))[0], "Patient")
    assert "6457220001234" in {i["value"] for i in found["identifier"]}
    assert details(outcomes(table({**PERSON, "MRN": "6.45722E+12"}))) == ["identifier-format"]


@point(13)
def other_numbers_in_the_column_of_the_cin() -> None:
    for cell in ("1EG4TE5MK73", "123456789", "99999999A"):
        found = outcomes(table({**PERSON, "CIN": cell}))
        assert cin(one(found[0], "Patient")) == []
        assert details(found) == ["identifier-format"]
    assert cin(patient(CIN="90000011a12345")) == ["90000011A"]


@point(14)
def fillers() -> None:
    for text in ("", "0", "N/A", "NA", "MISSING DOB"):
        assert "birthDate" not in patient(DOB=text)
    for text in ("Optional fields", "Entered manually", "Refer to NoteDesc in Report Writer"):
        assert "address" not in patient(Address=text)


@point(15)
def flags_sexes_phones_zips() -> None:
    flags = {"Yes": True, "Y": True, "1": True, "No": False, "N": False, "0": False}
    for cell, value in flags.items():
        (found,) = patient(Homeless=cell)["extension"]
        assert found["valueBoolean"] is value
    sexes = {"F": "female", "Female": "female", "2": "female", "1": "male", "U": "unknown"}
    assert {c: patient(Sex=c)["gender"] for c in sexes} == sexes
    assert len(patient(Phone="(916) 555-0101, 916.555.0102")["telecom"]) == 2
    zips = {"95814": "95814", "95814-1234": "95814-1234", "958141234": "95814-1234",
            "2139": "02139", "95814.0": "95814"}  # fmt: skip
    assert {c: patient(Zip=c)["address"][0]["postalCode"] for c in zips} == zips


@point(16)
def names_with_suffixes_and_tags() -> None:
    assert patient(**{"Last Name": "OTTER JR"})["name"][0] == {
        "family": "OTTER", "suffix": ["JR"], "given": ["Olive"], "use": "official",
    }  # fmt: skip
    assert patient(**{"Last Name": "Otter III, MD"})["name"][0]["suffix"] == ["III", "MD"]
    found = outcomes(table({**PERSON, "Last Name": "Otter ECM"}))
    assert one(found[0], "Patient")["name"][0]["family"] == "Otter"
    assert details(found) == ["filler"]


@point(17)
def columns_that_nobody_fills() -> None:
    empty = {"Acuity Level": "", "MCP Name": "", "POF": ""}
    file = table({**PERSON, **empty})
    found = list(convert.rows(file, convert.member_table("canonical"), "f.csv", RECEIVED))
    assert (kinds(found[0])[0], found[0].ok) == ("Patient", True)
    told = [(i.severity, i.detail, i.at.field) for o in found for i in o.issues if i.at]
    assert told == [("warning", "required", name) for name in empty]


@point(18)
def several_values_in_one_cell() -> None:
    cells = {
        "Authorization Number": "A1; A2",
        "Auth Start Date": "01/01/2026; 07/01/2026",
        "Auth End Date": "06/30/2026; 12/31/2026",
    }
    found = outcomes(table({**PERSON, **cells}))
    refs = [one(outcome, "ClaimResponse")["preAuthRef"] for outcome in found]
    assert refs == ["A1", "A2"]
    assert len({outcome.unit.key for outcome in found}) == 2
    odd = outcomes(table({**PERSON, **cells, "Auth End Date": "06/30/2026"}))
    assert ("ClaimResponse" in kinds(odd[0]), details(odd)) == (False, ["value-format"])


@point(18)
def all_attempts_on_one_row() -> None:
    file = FIXTURES / "returns" / "attempts-in-one-row" / "input.csv"
    found = list(returned.outcomes(returned.Source(file, file.name), "vendor-38", "otf"))
    sent = [(o.unit.at.line, one(o, "Communication")["sent"]) for o in found]
    assert sent == [(2, "2026-01-05"), (2, "2026-01-07"), (2, "2026-01-09"), (3, "2026-01-06"),
                    (3, "2026-01-08"), (4, "2026-01-06")]  # fmt: skip
    assert details(found) == ["value-format", "value-format"]  # counts that differ are told


@point(19)
def populations_as_text_and_as_flags() -> None:
    assert populations(episode(POF="Adult - SMI or SUD; Birth Equity Population of Focus")) == {
        "smh-sud", "birth-equity",
    }  # fmt: skip
    assert populations(episode(**{"Involved in Child Welfare": "1"})) == {"child-welfare"}
    both = {"Adult – Birth Equity": "1", "Child – SMI or SUD": "1", "Child – Child Welfare": "0"}  # noqa: RUF001 - their dash
    assert populations(episode(**both)) == {"birth-equity", "smh-sud"}


@point(20)
def comma_tab_or_xml() -> None:
    row = {"MEMBER_ID": "M1", "CIN": "90000011A", "LAST_NAME": "Otter", "FIRST_NAME": "Olive"}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in row.items())
    files = (
        table(row), table(row, delimiter="\t"), f"<MIF><Member>{inner}</Member></MIF>".encode(),
    )  # fmt: skip
    first, *others = (one(outcomes(file, "esteem")[0], "Patient") for file in files)
    assert others == [first, first]


# -- rows and files


@point(21)
def one_member_in_several_rows() -> None:
    more = {"Phone": "9165550101", "Authorization Number": "A1", "Auth Start Date": "01/01/2026"}
    less = {"Authorization Number": "A2", "Auth Start Date": "07/01/2026"}
    loader = house()
    file = table({**PERSON, **more}, {**PERSON, **less}, {**PERSON, **more})
    statuses = [r.status for r in loader.mif(file, "canonical", "f.csv") if r.rows]
    assert statuses == ["stored", "stored", "duplicate"]
    (found,) = loader.store.each("Patient")
    assert found["telecom"][0]["value"] == "(916) 555-0101"
    assert {a["preAuthRef"] for a in loader.store.each("ClaimResponse")} == {"A1", "A2"}


@point(21)
def zeros_before_a_record_number() -> None:
    named = {**PERSON, "Member ID": "", "CIN": "", "DOB": "02/29/1980"}
    for first, second in (("00123", "123"), ("123", "00123")):
        loader = house()
        for n, number in enumerate((first, second)):
            rows = list(
                loader.mif(table({**named, "MRN": number}), "canonical", f"MIF_2026070{n + 1}.csv")
            )
            assert {r.status for r in rows} == {"stored"}
        (found,) = loader.store.each("Patient")
        values = {i["value"] for i in found["identifier"] if i["system"].endswith("/mrn/canonical")}
        assert {"123", second} <= values  # as it was written last, and as it is found


@point(22)
def a_file_is_a_full_list() -> None:
    loader, other = house(), {**PERSON, "Member ID": "M2", "CIN": "90000012B"}
    list(loader.mif(table(PERSON, other), "canonical", "MIF_20260701.csv"))
    list(loader.mif(table(PERSON), "canonical", "MIF_20260801.csv"))
    assert loader.changes("canonical")[-1]["note"][0]["text"].endswith("1 unchanged, 1 missing")
    assert {e["status"] for e in loader.store.each("EpisodeOfCare")} == {"planned"}


@point(23)
def the_same_file_under_another_name() -> None:
    loader, file = house(), table(PERSON)
    list(loader.mif(file, "canonical", "MIF_20260701.csv"))
    before = [loader.store.read("Patient", p["id"]) for p in loader.store.each("Patient")]
    for name in ("corrected MIF 20260701 (2).csv", "copy.csv"):
        again = list(loader.mif(file, "canonical", name))
        assert {result.status for result in again} == {"duplicate"}
    assert len(loader.changes("canonical")) == 1
    list(loader.mif(file, "canonical", "MIF_20260801.csv"))  # the same list once more, said anew
    after = [loader.store.read("Patient", p["id"]) for p in loader.store.each("Patient")]
    notes = [note["text"] for note in loader.changes("canonical")[-1]["note"]]
    assert before == after
    assert notes == [
        "0 added, 0 changed, 1 unchanged, 0 missing",
        "the same content came as of 2026-07-01",
    ]


@point(24)
def rows_without_cin_or_name() -> None:
    found = outcomes(table({**PERSON, "CIN": ""}, {**PERSON, "First Name": ""}))
    assert [outcome.ok for outcome in found] == [True, False]
    assert details(found)[0] == "required"


@point(25)
def an_end_before_its_start() -> None:
    cells = {"ECM Start Date": "07/01/2026", "ECM End Date": "06/01/2026"}
    found = outcomes(table({**PERSON, **cells}))
    assert details(found) == ["invariant"]
    assert "period" not in one(found[0], "EpisodeOfCare")


@point(25)
def spans_with_a_small_gap_are_one() -> None:
    who = {"CAN #": "M1", "CIN": "90000011A", "Member Last Name": "Otter", "Member First Name": "O"}
    spans = (("01/01/2026", "03/31/2026"), ("04/14/2026", "06/30/2026"), ("07/20/2026", ""))

    def periods(*rows: tuple[str, str]) -> list[dict[str, str]]:
        cells = [{**who, "ECM Start Date": a, "ECM End Date": b} for a, b in rows]
        return [one(o, "EpisodeOfCare")["period"] for o in outcomes(table(*cells), "sunrise")]

    joined = {"start": "2026-01-01", "end": "2026-06-30"}
    assert periods(*spans) == [
        {"start": "2026-01-01", "end": "2026-03-31"}, joined, {"start": "2026-07-20"},
    ]  # fmt: skip
    assert periods(spans[1], spans[0])[1] == joined  # whichever stands first
    inner = periods(("01/01/2026", ""), ("02/01/2026", "02/28/2026"))
    assert inner == [{"start": "2026-01-01"}] * 2  # an open end stays open


@point(26)
def voids_and_a_sequence() -> None:
    row = "{}|07-01-2026 08:00:0{}|{}|M1|90000011A|02-29-1980|F|Otter|Olive" + "|" * 14 + "\n"
    file = (row.format("0001", 1, 0) + row.format("0002", 2, 0) + row.format("0001", 3, 1)).encode()
    found = outcomes(file, "kern-demographic")
    assert [details([outcome]).count("row-duplicate") for outcome in found] == [0, 1, 0]
    assert one(found[2], "EpisodeOfCare")["status"] == "entered-in-error"


@point(27)
def bad_rows_apart() -> None:
    file = table(PERSON, {**PERSON, "Member ID": "M2", "CIN": "90000012B", "Last Name": ""})
    loader = house()
    results = [r for r in loader.mif(file, "canonical", "f.csv") if r.rows]
    assert [r.status for r in results] == ["stored", "refused"]
    refused = {r.line: r.issues for r in results if r.status == "refused"}
    stream = io.StringIO()
    rejected = reject_file.Rejected(file, "f.csv", "canonical", RECEIVED, refused)
    assert reject_file.write(stream, rejected) == 1
    mended = stream.getvalue().replace(",,Olive", ",Beaver,Olive")
    again = [r for r in loader.mif(mended.encode(), "canonical", "mended.csv") if r.rows]
    assert [r.status for r in again] == ["stored"]


@point(28)
def the_instant_of_receipt() -> None:
    loader = house()
    list(loader.mif(table(PERSON), "canonical", "members.csv"))
    (group,) = loader.store.each("Group")
    assert group["extension"][0]["valueDateTime"] == "2026-07-02T15:00:00+00:00"
    recorded = {p["recorded"] for p in loader.store.each("Provenance")}
    assert recorded == {"2026-07-02T15:00:00+00:00"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.point}-{case.check.__name__}")
def test_a_point_is_tolerated(case: Case) -> None:
    case.check()
    assert case.point in range(1, 29)


def test_every_point_has_a_case() -> None:
    assert {case.point for case in CASES} == set(range(1, 29))
