"""Reads the segment maps of HL7's v2-to-FHIR guide (../shared/data/v2-to-fhir, CC0)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT.parent / "shared" / "data" / "v2-to-fhir"
_NAME = re.compile(r"_ (.+?) - [^-]*\.csv$")
_QUOTED = re.compile(r'"([^"]*)"')
_MAP = re.compile(r"[A-Z0-9]{3}\[[^\]]+\]")

# Columns of the guide's tables (reference hl7v2, section 1).
_ORDER, _FIELD, _CONDITION, _PATH, _ASSIGNMENT = 0, 1, 6, 9, 16


class Row(NamedTuple):
    """One mapped row: its map, its line in the file, the field, the FHIR path and the constant."""

    map: str
    line: int
    field: str
    condition: str
    path: str
    constant: str

    @property
    def segment(self) -> str:
        """The segment whose map it is."""
        return self.map[:3]


def available() -> bool:
    """Whether the guide's tables are at hand."""
    return (GUIDE / "segments").is_dir()


@cache
def rows() -> tuple[Row, ...]:
    """Every mapped row of the segment maps that the ADT message maps refer to."""
    used = _used()
    found = []
    for file in sorted((GUIDE / "segments").glob("*.csv")):
        match = _NAME.search(file.name)
        if match and match[1].lower() in used:
            found += list(_rows(file, match[1]))
    return tuple(found)


def _used() -> set[str]:
    names: set[str] = set()
    for file in (GUIDE / "messages").glob("*.csv"):
        for cells in _table(file):
            if _cell(cells, _FIELD) and _cell(cells, _PATH):
                names |= {name.lower() for name in _MAP.findall(_cell(cells, 10))}
    return names


def _rows(file: Path, name: str) -> Iterator[Row]:
    table = _table(file)
    head = next((n for n, cells in enumerate(table) if _is_head(cells)), 1)
    for line, cells in enumerate(table[head + 1 :], head + 2):
        path = _cell(cells, _PATH)
        if path and (_cell(cells, _ORDER) or _cell(cells, _FIELD)):
            field = _cell(cells, _FIELD)
            field = field if "-" in field else ""
            constant = _constant(path, _cell(cells, _ASSIGNMENT))
            condition = _cell(cells, _CONDITION) or _cell(cells, 8)
            yield Row(name, line, field, condition, path, constant)


def _constant(path: str, assignment: str) -> str:
    """A quoted assignment, also one typed into the path; "" for expressions and explanations."""
    match = _QUOTED.fullmatch(path.partition("=")[2] or assignment)
    return match[1].strip() if match else ""


def _is_head(cells: list[str]) -> bool:
    return any("Computable ANTLR" in cell for cell in cells)


@cache
def _table(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.reader(stream))


def _cell(cells: list[str], place: int) -> str:
    return " ".join(cells[place].split()) if place < len(cells) else ""
