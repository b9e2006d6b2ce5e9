"""No sequence of files loses a fact, or ends an enrollment that nobody ended (real store)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import convert, store
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline

PLAN, DELTA = "canonical", "canonical-delta"
CELLS = {
    "Member Phone Number": ("", "9165550101", "9165550102"),
    "Email": ("", "a@example.com", "b@example.com"),
    "Race": ("", "White", "Asian"),
    "Member Middle Name": ("", "May", "June"),
    "Mailing Address": ("", "PO Box 1", "PO Box 2"),
    "Homeless": ("", "Y", "N"),
    "Enrolled": ("", "Y", "N"),
    "Guardian Name": ("", "Otter, Anna", "Otter, Ben"),
    "POF CCS": ("", "1", "0"),
    "Authorization Number": ("", "A1", "A2"),
    "Coverage End Date": ("", "12/31/2026", "12/31/2078"),
}
AUTHORIZATION = list(CELLS).index("Authorization Number")  # a plan gives each number once
ALWAYS = ("Member ID", "CIN", "Last Name", "First Name", "Coverage Start Date")

Row = dict[str, str]


@dataclass(frozen=True)
class File:
    """A member file: the month of its date, whether it is a delta, cells by member."""

    month: int
    delta: bool
    members: tuple[tuple[int, tuple[str, ...]], ...]

    def rows(self) -> list[Row]:
        return [
            {
                "Member ID": f"M{number}",
                "CIN": f"9000001{number}A",
                "Last Name": "Otter",
                "First Name": "Olive",
                "Coverage Start Date": "01/01/2026",
                **dict(zip(CELLS, cells, strict=True)),
                "Authorization Number": cells[AUTHORIZATION] and f"{cells[AUTHORIZATION]}-{number}",
            }
            for number, cells in self.members
        ]

    @property
    def name(self) -> str:
        return f"MIF_2026{self.month:02d}01.csv"

    def text(self) -> bytes:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, [*ALWAYS, *CELLS])
        writer.writeheader()
        writer.writerows(self.rows())
        return stream.getvalue().encode()


ROWS = st.tuples(*[st.sampled_from(texts) for texts in CELLS.values()])
MEMBERS = st.dictionaries(st.integers(1, 3), ROWS, min_size=1, max_size=3)


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[File], list[File]]:
    """Files of different months, and the order in which they are loaded, some more than once."""
    months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
    files = [
        File(month, draw(st.booleans()), tuple(sorted(draw(MEMBERS).items()))) for month in months
    ]
    again = draw(st.lists(st.sampled_from(files), max_size=2))
    return files, draw(st.permutations([*files, *again]))


@contextmanager
def with_deltas() -> Iterator[None]:
    """Know a layout that is the canonical one, but of files that hold changes only."""
    known = convert.member_table(PLAN)
    delta = replace(known, layout=replace(known.layout, snapshot="delta"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "member_table", {PLAN: known, DELTA: delta}.__getitem__)
        yield


def load(files: list[File]) -> Pipeline:
    """A new store with the files loaded in this order."""
    opened = store.open("sqlite://", resolve, namespace=UUID(int=4))
    house = Pipeline(opened, lambda: datetime(2027, 1, 1, tzinfo=UTC))
    for file in files:
        layout = DELTA if file.delta else PLAN
        results = [r for r in house.mif(file.text(), layout, file.name) if r.rows]
        assert len(results) == len(file.members)
        assert {r.status for r in results} <= {"stored", "duplicate"}
    return house


def newest(files: list[File], number: int) -> tuple[Row, set[str]]:
    """What the files say of a member: of each cell the newest that is not empty; authorizations."""
    said: Row = {}
    authorizations = set()
    for file in sorted(files, key=lambda one: one.month):
        for row in file.rows():
            if row["Member ID"] == f"M{number}":
                said |= {name: text for name, text in row.items() if text}
                authorizations.add(row["Authorization Number"])
    return said, authorizations - {""}


def told(patient: dict[str, Any], house: Pipeline) -> tuple[Row, set[str]]:
    """What the store says of a member, as cells."""
    ref = f"Patient/{patient['id']}"
    (cover,) = house.store.each("Coverage", [("patient", ref)])
    (episode,) = house.store.each("EpisodeOfCare", [("patient", ref)])
    extensions = {e["url"].rpartition("/")[2]: e for e in patient.get("extension", ())}
    points = {t["system"]: t["value"] for t in patient.get("telecom", ())}
    given = patient["name"][0]["given"]
    mail = [a["line"][0] for a in patient.get("address", ()) if a.get("type") == "postal"]
    race = extensions.get("us-core-race", {}).get("extension", [{}])[-1].get("valueString", "")
    guardian = [c["name"]["text"] for c in patient.get("contact", ())]
    ccs = [e for e in episode.get("extension", ()) if e["url"].endswith("population-of-focus")]
    said = {
        "Member Phone Number": points.get("phone", ""),
        "Email": points.get("email", ""),
        "Race": race,
        "Member Middle Name": given[1] if len(given) > 1 else "",
        "Mailing Address": mail[0] if mail else "",
        "Homeless": str(extensions.get("homeless", {}).get("valueBoolean", "")),
        "Enrolled": episode["status"],
        "Guardian Name": guardian[0] if guardian else "",
        "POF CCS": str(len(ccs)),
        "Coverage End Date": cover["period"].get("end", ""),
    }
    return said, {a["preAuthRef"] for a in house.store.each("ClaimResponse", [("patient", ref)])}


def expected(said: Row) -> Row:
    """Cells as they come out of FHIR again."""
    phone = said.get("Member Phone Number", "")
    return {
        "Member Phone Number": f"({phone[:3]}) {phone[3:6]}-{phone[6:]}" if phone else "",
        "Email": said.get("Email", ""),
        "Race": said.get("Race", ""),
        "Member Middle Name": said.get("Member Middle Name", ""),
        "Mailing Address": said.get("Mailing Address", ""),
        "Homeless": {"Y": "True", "N": "False", "": ""}[said.get("Homeless", "")],
        "Enrolled": "active" if said.get("Enrolled") == "Y" else "planned",
        "Guardian Name": said.get("Guardian Name", ""),
        "POF CCS": said.get("POF CCS", "") or "0",
        "Coverage End Date": "2026-12-31" if said.get("Coverage End Date") == "12/31/2026" else "",
    }


def listed(house: Pipeline) -> set[str]:
    """The members on the plan's list."""
    groups = house.store.each("Group")
    return {m["entity"]["identifier"]["value"] for g in groups for m in g.get("member", ())}


def on_list(files: list[File]) -> set[str]:
    """The members of the newest full list, and of the deltas since."""
    found: set[str] = set()
    for file in sorted(files, key=lambda one: one.month):
        names = {row["CIN"] for row in file.rows()}
        found = found | names if file.delta else names
    return found


@given(sequences())
@settings(max_examples=25)
def test_no_sequence_of_files_loses_a_fact_or_invents_an_end(
    given_files: tuple[list[File], list[File]],
) -> None:
    files, order = given_files
    with with_deltas():
        house = load(order)
    numbers = {number for file in files for number, _ in file.members}
    patients = {p["identifier"][0]["value"]: p for p in house.store.each("Patient")}
    assert set(patients) == {f"9000001{number}A" for number in numbers}
    for number in numbers:
        said, authorizations = newest(files, number)
        assert told(patients[f"9000001{number}A"], house) == (expected(said), authorizations)
    assert listed(house) == on_list(files)


@given(sequences())
@settings(max_examples=8)
def test_any_order_of_files_ends_in_the_same_store(
    given_files: tuple[list[File], list[File]],
) -> None:
    files, order = given_files
    with with_deltas():
        one, other = load(order), load(sorted(files, key=lambda file: file.month))
    for kind in ("Patient", "Coverage", "EpisodeOfCare", "ClaimResponse", "Group"):
        first, second = ([bare(r) for r in house.store.each(kind)] for house in (one, other))
        assert first == second


def bare(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without when it was written."""
    return {name: value for name, value in resource.items() if name != "meta"}


@given(sequences())
@settings(max_examples=5)
def test_files_loaded_again_write_nothing(given_files: tuple[list[File], list[File]]) -> None:
    _, order = given_files
    with with_deltas():
        house = load(order)
        before = versions(house)
        results = [
            result
            for file in order
            for result in house.mif(
                file.text(), DELTA if file.delta else PLAN, "again " + file.name
            )
        ]
    assert {result.status for result in results} == {"duplicate"}
    assert versions(house) == before


def versions(house: Pipeline) -> dict[str, str]:
    kinds = ("Patient", "Coverage", "EpisodeOfCare", "ClaimResponse", "Group", "List", "Provenance")
    return {r["id"]: r["meta"]["versionId"] for kind in kinds for r in house.store.each(kind)}
