"""Rows per second of member files, and the memory that they take; the rows are invented.

`python -m tests.benchmarks.mif [ROWS] [--xlsx ROWS] [--load ROWS]`: converts a CSV of 60 columns
as a stream, validation and JSON included; reads a workbook; loads a file twice into a store.
0 leaves a part out. Of a CSV the floor is measured beside it. Every part runs in a process of its
own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

from adapter import convert, data, store
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline, Tally
from adapter.sources import layout
from adapter.transport.collector import seldom_while

PLAN = "canonical"
FIELDS = (
    "plan_member_id", "cin", "mrn", "last_name", "first_name", "middle_name", "suffix",
    "birth_date", "sex", "race", "ethnicity", "language_spoken", "language_written", "address",
    "address_2", "city", "state", "zip", "county", "mailing_address", "mailing_city",
    "mailing_state", "mailing_zip", "homeless", "phone", "phone_alt", "phone_home", "phone_cell",
    "email", "guardian_name", "guardian_relation", "guardian_phone", "pcp_name", "pcp_npi",
    "pcp_phone", "pof_homeless", "pof_avoidable_use", "pof_smh_sud", "pof_incarceration",
    "pof_ltc_risk", "pof_nf_transition", "pof_ccs", "pof_child_welfare", "pof_birth_equity",
    "acuity", "priority", "record_status", "ecm_status", "enrolled", "auth_id", "auth_status",
    "auth_start", "auth_end", "coverage_start", "coverage_end", "ecm_provider_name",
    "ecm_provider_npi", "ecm_provider_tin", "ecm_provider_phone", "assigned_on",
)  # fmt: skip
WORDS = {
    "last_name": ("Testwell", "Placeholder", "Fixture", "Sampleton", "Mockingham", "Dummett"),
    "first_name": ("Aurora", "Bruno", "Cleo", "Dante", "Elsie", "Fergus", "Greta", "Hugo"),
    "middle_name": ("", "June", "Lee", "Q"),
    "suffix": ("", "", "", "", "Jr"),
    "sex": ("F", "M", "Female", "Male", "U"),
    "race": ("White", "Black or African American", "Asian", "", "Other Race"),
    "ethnicity": ("Hispanic or Latino", "Not Hispanic or Latino", ""),
    "language_spoken": ("English", "Spanish", "Vietnamese", "Hmong"),
    "language_written": ("English", "Spanish", ""),
    "city": ("Sacramento", "Fresno", "Bakersfield", "Chico"),
    "state": ("CA",),
    "county": ("Sacramento", "Fresno", "Kern", "Butte"),
    "homeless": ("N", "N", "Y"),
    "acuity": ("high", "moderate", "low"),
    "priority": ("1", "2", "3"),
    "record_status": ("new_member", "continuing", "continuing"),
    "ecm_status": ("Assigned", "Enrolled", "In outreach"),
    "enrolled": ("Y", "N"),
    "auth_status": ("Approved",),
    "ecm_provider_name": ("Harbor Light Care Collaborative",),
    "ecm_provider_npi": ("1234567893",),
    "ecm_provider_tin": ("990000017",),
    "ecm_provider_phone": ("916-555-0100",),
}
_DAY_0 = date(1935, 1, 1)
_FLOOR = 20_000  # rows that are measured for the floor


def rows(count: int, seed: int = 4) -> Iterator[list[str]]:
    """The header, then `count` invented members, about three of four cells filled."""
    draw = random.Random(seed)
    yield [layout.load(PLAN).columns[field][0] for field in FIELDS]
    for number in range(count):
        said = _member(number, draw)
        yield [said[name] if name in said else draw.choice(WORDS[name]) for name in FIELDS]


def _member(number: int, draw: random.Random) -> dict[str, str]:
    child = number % 4 == 0
    born = _DAY_0 + timedelta(days=draw.randrange(27000, 32000) if child else draw.randrange(26000))
    doctor = draw.randrange(300)
    start = date(2026, 1 + number % 12, 1)
    flags = {name: "N" for name in FIELDS if name.startswith("pof_")}
    flags[draw.choice([*flags])] = "Y"
    line = f"{100 + number % 9000} Sample Way"
    return {
        **flags,
        "plan_member_id": f"CAN{number:09d}",
        "cin": f"9{number:07d}{'ABCDEFGHJK'[number % 10]}",
        "mrn": f"{number:08d}" if number % 2 else "",
        "birth_date": born.strftime("%m/%d/%Y"),
        "address": line,
        "address_2": f"Apt {number % 90}" if number % 3 == 0 else "",
        "zip": f"{95000 + number % 900}",
        "mailing_address": "PO Box 42" if number % 5 == 0 else "",
        "mailing_city": "Sacramento" if number % 5 == 0 else "",
        "mailing_state": "CA" if number % 5 == 0 else "",
        "mailing_zip": "95812" if number % 5 == 0 else "",
        "phone": f"916555{number % 10000:04d}",
        "phone_alt": "",
        "phone_home": f"(916) 555-{number % 9973:04d}" if number % 3 == 0 else "",
        "phone_cell": f"916-555-{number % 9967:04d}" if number % 2 else "",
        "email": f"m{number}@example.com" if number % 2 else "",
        "guardian_name": "Testwell, Greta" if child else "",
        "guardian_relation": "Mother" if child else "",
        "guardian_phone": "9165550199" if child else "",
        "pcp_name": f"Fixture, Doctor{doctor} MD",
        "pcp_npi": _npi(100000000 + doctor),
        "pcp_phone": f"916-555-{doctor:04d}",
        "auth_id": f"AUTH{number:09d}",
        "auth_start": start.strftime("%m/%d/%Y"),
        "auth_end": (start + timedelta(days=364)).strftime("%m/%d/%Y"),
        "coverage_start": "01/01/2024",
        "coverage_end": "12/31/2078",
        "assigned_on": start.strftime("%m/%d/%Y"),
    }


def _npi(nine: int) -> str:
    digits = f"80840{nine}0"
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return f"{nine}{-total % 10}"


def write_csv(file: Path, count: int) -> None:
    """An invented member file as CSV."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows(count))


def write_xlsx(file: Path, count: int) -> None:
    """The same as a workbook."""
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("MIF")
        for number, row in enumerate(rows(count)):
            sheet.write_row(number, 0, row)


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@seldom_while()
def convert_file(file: Path) -> str:
    """Convert a file to JSON Bundles that are thrown away, as `convert mif` does."""
    table = convert.member_table(PLAN)
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    units = good = size = 0
    early = 0.0
    for outcome in convert.rows(file, table):
        units += 1
        good += outcome.ok
        size += len(convert.bundle_json(outcome))
        if units == 20_000:
            early = peak()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    most = peak()
    ratio = f"; {cpu / units / _floor(file):.1f} times the floor" if file.suffix == ".csv" else ""
    return (
        f"{units} units, {good} good, {wall:.1f} s, {units / wall:,.0f}/s, "
        f"{units / cpu:,.0f}/s of processor, {size / units:,.0f} bytes each; "
        f"{before:.0f} MB before, {early:.0f} after 20,000 rows, {most:.0f} at most{ratio}"
    )


def _floor(file: Path) -> float:
    """Seconds a row of reading a CSV, and of making and writing as many objects of such texts.

    Nothing is looked up, checked or named: no converter in Python can be faster than this.
    """
    outcomes = convert.rows(file, convert.member_table(PLAN))
    some = next(outcome.bundle for outcome in outcomes if outcome.bundle)
    start, count = time.process_time(), 0
    with file.open(encoding="utf-8", newline="") as stream:
        for line in itertools.islice(csv.reader(stream), _FLOOR):
            cells = dict(zip(FIELDS, line, strict=True))
            data.dumps(_copied(some) if cells else None)
            count += 1
    return (time.process_time() - start) / count


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def load_file(file: Path) -> str:
    """Load a file into a new store, twice; the second time nothing is written."""
    now = datetime(2026, 7, 1, tzinfo=UTC)
    place = file.with_suffix(".sqlite")
    house = Pipeline(store.open(f"sqlite:///{place}", same_person=resolve), lambda: now)
    told = []
    for _ in range(2):
        tally, start = Tally(), time.perf_counter()
        size = place.stat().st_size
        for result in house.mif(file, PLAN):
            tally.add(result)
        wall, grown = time.perf_counter() - start, place.stat().st_size - size
        count = sum(tally.units.values())
        told.append(f"{dict(tally.units)} in {wall:.1f} s, {count / wall:,.0f}/s, {grown} bytes")
    return "; again: ".join(told) + f"; {peak():.0f} MB at most"


PARTS: dict[str, tuple[Callable[[Path, int], None], str, Callable[[Path], str]]] = {
    "csv": (write_csv, "members.csv", convert_file),
    "xlsx": (write_xlsx, "members.xlsx", convert_file),
    "load": (write_csv, "members.csv", load_file),
}


def main(arguments: list[str]) -> None:
    """Make the files, run the parts, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--xlsx", type=int, default=50_000)
    parser.add_argument("--load", type=int, default=20_000)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        print(PARTS[options.part[0]][2](Path(options.part[1])))
        return
    for name, count in (("csv", options.rows), ("xlsx", options.xlsx), ("load", options.load)):
        if not count:
            continue
        with tempfile.TemporaryDirectory() as folder:
            make, file_name, _ = PARTS[name]
            file = Path(folder) / file_name
            make(file, count)
            command = [sys.executable, "-m", "tests.benchmarks.mif", "--part", name, str(file)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{name:<5} {file.stat().st_size / 1e6:,.0f} MB: {done.stdout.strip()}")


if __name__ == "__main__":
    main(sys.argv[1:])
