"""220 invented members of every status through every plan's own file, into its return file.

The file that comes in is written here from the layout's headers, positions or widths; what goes out
is read by openpyxl and csv, and every cell that the first file decides is compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pytest
import xlsxwriter

from adapter import outputs
from adapter import store as stores
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.sources import layout as layouts
from tests.unit import plans_made
from tests.unit.members_made import NOW, PERIOD, STATUSES, Made, Plan, attempts, cell, many

Cells = dict[str, str]

NOTHING = {"tries": (), "visits": (), "loop": None, "assessed": (), "plan_date": None}
LISTED = {"none": "outreach-pending", "on-hold": "enrolled"}  # who is on a list is assigned
MEMBERS = [
    replace(
        one, **NOTHING, visit_on=None, manager=False, pofs=(), suffix="",
        status=LISTED.get(one.status, one.status),
    )
    for one in many(220)
]  # fmt: skip
WHO = ["cin", "last_name", "first_name"]
WHERE = ["res_address", "res_city", "res_state", "res_zip"]
CARE = ["ecm_status", "acuity", "ecm_start", "ecm_end"]


def told(one: Made, days: str = "%m/%d/%Y") -> Cells:
    """What a plan's file says of a member, by field."""
    said = {
        "plan_member_id": f"P{one.number:06d}",
        "cin": one.cin,
        "last_name": one.last,
        "first_name": one.first,
        "birth_date": one.birth.strftime(days),
        "sex": one.sex[0].upper(),
        "address": one.lines[0],
        "address_2": ", ".join(one.lines[1:]),
        "city": one.city,
        "state": "CA",
        "zip": one.zip,
        "homeless": {True: "Y", False: "N", None: ""}[one.homeless],
        "ecm_status": one.status,
        "acuity": one.acuity or "",
        "priority": "1",
        "plan_name": "Plan sacramento",
    }
    if one.was_enrolled:
        said["ecm_start"] = one.start.strftime(days)
    if one.status == "discontinued":
        said["ecm_end"] = one.end.strftime(days)
    return said


def table(plan: str) -> list[list[str]]:
    """The rows under the layout's own headers, as many of the fields as it has."""
    columns = layouts.load(plan).columns
    fields = [
        field for field in told(MEMBERS[0]) | {"ecm_start": "", "ecm_end": ""} if field in columns
    ]
    rows = [[said.get(field, "") for field in fields] for said in map(told, MEMBERS)]
    return [[columns[field][0] for field in fields], *rows]


def as_csv(plan: str, mark: str = ",") -> bytes:
    stream = io.StringIO()
    csv.writer(stream, delimiter=mark).writerows(table(plan))
    return stream.getvalue().encode()


def as_book(plan: str) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.add_worksheet("Read me").write(0, 0, "Confidential")
        sheet = book.add_worksheet(layouts.load(plan).sheets[0])
        sheet.write(0, 0, "Members")
        for place, row in enumerate(table(plan), 2):
            sheet.write_row(place, 0, row)
    return stream.getvalue()


def as_xml(plan: str) -> bytes:
    head, *rows = table(plan)
    names = [name.replace(" ", "_").upper() for name in head]
    lines = (
        "".join(f"<{n}>{escape(c)}</{n}>" for n, c in zip(names, row, strict=True) if c)
        for row in rows
    )
    return f"<MIF>{''.join(f'<Member>{line}</Member>' for line in lines)}</MIF>".encode()


def placed(said: Cells, layout: layouts.Layout) -> list[str]:
    return [said.get(field, "") for field in layout.positions]


def as_fixed(plan: str) -> bytes:
    layout = layouts.load(plan)
    rows = (placed(told(one, "%Y%m%d"), layout) for one in MEMBERS)
    lines = (
        "".join(c.ljust(w)[:w] for c, w in zip(row, layout.widths, strict=True)) for row in rows
    )
    return "\r\n".join(lines).encode()


def as_pipes(plan: str) -> bytes:
    layout = layouts.load(plan)
    rows = (placed(told(one, "%m-%d-%Y") | kern(one), layout) for one in MEMBERS)
    return "\r\n".join("|".join(c.replace("|", " ") for c in row) for row in rows).encode()


def kern(one: Made) -> Cells:
    ended = {"ecm_end": f"{one.end:%m-%d-%Y}", "discontinuation_reason": "WM"}
    return {
        "void": "0",
        "enrolled": "1" if one.status == "enrolled" else "0",
        "program": "ECM",
        **(ended if one.status == "discontinued" else {}),
    }


FILES: dict[str, list[tuple[str, Callable[[str], bytes]]]] = {
    "canonical": [("canonical", as_csv)],
    "sunrise": [("sunrise", lambda plan: as_csv(plan, "\t"))],
    "health-net": [("health-net", as_book)],
    "kaiser": [("kaiser", as_book)],
    "esteem": [("esteem", as_xml)],
    "community-health-group": [("community-health-group", as_csv)],
    "sacramento": [("sacramento", lambda plan: as_csv(plan, "|"))],
    "meadow": [("meadow", as_fixed)],
    "kern": [("kern-demographic", as_pipes), ("kern-enrollment", as_pipes)],
}


def test_every_layout_is_there() -> None:
    assert {layout for files in FILES.values() for layout, _ in files} | {"kern-outreach"} == {
        *layouts.plans()
    }
    assert {one.status for one in MEMBERS} == set(STATUSES) - LISTED.keys()


def returned(plan: str, folder: Path) -> list[list[list[str]]]:
    """Load the plan's files, write its return file, read that: the tables, headers included."""
    store = stores.open("sqlite://", same_person=resolve)
    house = Pipeline(store, lambda: NOW)
    for layout, make in FILES[plan]:
        found = list(house.mif(make(layout), layout, f"{layout}.in"))
        assert {one.status for one in found} == {"stored"}, layout
        assert sum(one.rows for one in found) == len(MEMBERS)
    run = outputs.return_run(house, plan, "rtf", PERIOD, None, "casey")
    result = outputs.return_files(house, run, folder)
    store.close()
    return [tables(file, plans_made.BOOK_PLANS.get(plan, (None,))[0]) for file in result.files]


def tables(file: Path, plan: Plan | None) -> list[list[str]]:
    if file.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(file)["RTF"]
        days = plan.dates if plan else ""
        return [[shown(c, days) for c in row] for row in sheet.iter_rows(values_only=True)]
    mark = "|" if file.suffix == ".txt" else ","
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter=mark))


def shown(value: object, days: str) -> str:
    if isinstance(value, date):
        return value.strftime(days)
    return "" if value is None else str(value)


def compared(rows: list[list[str]], elements: list[str], plan: Plan, wanted: list[str]) -> int:
    """Compare the wanted cells of each member, found by CIN; how many."""
    at = {element: place for place, element in enumerate(elements) if element in wanted}
    by_cin = {row[at["cin"]]: row for row in rows}
    assert len(by_cin) == len(rows) == len(MEMBERS)
    for one in MEMBERS:
        row = by_cin[one.cin]
        for element, place in at.items():
            expected = cell(element, one, None, plan)
            assert (one.number, element, row[place]) == (one.number, element, expected)
    return len(at) * len(rows)


@pytest.mark.parametrize("plan", sorted(FILES.keys() - {"kern", "kaiser", "meadow"}))
def test_rows_come_back_cell_by_cell(plan: str, tmp_path: Path) -> None:
    how, columns, _ = plans_made.CSV_PLANS[plan]
    (found,) = returned(plan, tmp_path)
    assert found[0] == [header for header, _ in columns]
    wanted = [*WHO, *WHERE, *CARE, "homeless_ind", "prov_npi", "prov_tin"]
    assert compared(found[1:], [e for _, e in columns], how, wanted) >= 200 * 13


def test_rows_come_back_in_the_merged_form(tmp_path: Path) -> None:
    how, sheets = plans_made.BOOK_PLANS["kaiser"]
    (found,) = returned("kaiser", tmp_path)
    wanted = ["cin", *WHERE, "ecm_start", "ecm_end", "ecm_status", "prov_npi"]
    assert compared(found[1:], [e for _, e in sheets["RTF"]], how, wanted) >= 200 * 8


def test_rows_come_back_from_fixed_widths(tmp_path: Path) -> None:
    how, columns, _ = plans_made.CSV_PLANS["meadow"]
    (found,) = returned("meadow", tmp_path)
    wanted = [*WHO, "res_city", "res_state", "homeless_ind", "prov_npi"]
    assert compared(found[1:], [e for _, e in columns], how, wanted) >= 200 * 7


def test_rows_come_back_in_pipes(tmp_path: Path) -> None:
    people, enrolled = returned("kern", tmp_path)
    wanted = [*WHO, "birth_date", "street", "res_city", "res_state", "res_zip", "prov_npi"]
    assert compared(people, plans_made.DEMOGRAPHIC, plans_made.KERN, wanted) >= 200 * 9
    wanted = ["cin", "ecm_start", "ecm_end", "enrolled", "program"]
    assert compared(enrolled, plans_made.ENROLLMENT, plans_made.KERN, wanted) >= 200 * 5


TRIED = [
    replace(one, tries=tuple(replace(t, clock=f"{9 + n:02}:05:00") for n, t in enumerate(tries)))
    for one, tries in zip(MEMBERS, (one.tries for one in many(220)), strict=True)
]


def as_outreach() -> bytes:
    """Kern's own outreach file: an attempt a row, by position."""
    layout = layouts.load("kern-outreach")
    lines = []
    for one in TRIED:
        for tried in attempts(one):
            result = cell("result", one, tried, plans_made.KERN)
            said = {
                "sequence": f"{len(lines) + 1:04d}",
                "sent_at": "02-02-2026 08:00:00",
                "void": "0",
                "plan_member_id": f"P{one.number:06d}",
                "cin": one.cin,
                "attempted_at": f"{tried.on:%m-%d-%Y} {tried.clock}",
                "attempt_result": result,
                "attempt_failed": cell("missed_code", one, tried, plans_made.KERN),
                "attempt_succeeded": cell("reached_code", one, tried, plans_made.KERN),
                "ecm_provider_tin": "990000017",
                "ecm_provider_npi": "1234567893",
                "program": "ECM",
            }
            lines.append("|".join(placed(said, layout)))
    return "\r\n".join(lines).encode()


def test_attempts_come_back_in_pipes(tmp_path: Path) -> None:
    store = stores.open("sqlite://", same_person=resolve)
    house = Pipeline(store, lambda: NOW)
    list(house.mif(as_pipes("kern-demographic"), "kern-demographic", "who.txt"))
    found = [one for one in house.mif(as_outreach(), "kern-outreach", "tried.txt") if one.rows]
    assert {one.status for one in found} == {"stored"}
    run = outputs.return_run(house, "kern", "otf", PERIOD, None, "casey")
    (file,) = outputs.return_files(house, run, tmp_path).files
    store.close()
    shown = {"plan_member_id": lambda one: f"P{one.number:06d}"}
    kept = [n for n, e in enumerate(plans_made.OUTREACH) if e not in ("sequence", "sent_at")]
    expected = sorted(
        [
            shown[e](one) if e in shown else cell(e, one, tried, plans_made.KERN)
            for e in (plans_made.OUTREACH[n] for n in kept)
        ]
        for one in TRIED
        for tried in attempts(one)
    )
    rows = tables(file, None)
    assert sorted([row[n] for n in kept] for row in rows) == expected
    assert len(rows) == len(found) > 300
    assert len({one.cin for one in TRIED if attempts(one)}) > 100
