"""A plan's file layout as checked values: which column of its file is which canonical field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from adapter import data
from adapter.errors import DataFileError
from adapter.sources.cells import key

CANONICAL = "canonical"
_TEXTS = {"plan", "title", "source", "confidence", "like", "format", "delimiter", "dates_as",
          "open_from", "file_date", "date_column", "snapshot", "zone", "line_of_business",
          "mapping"}  # fmt: skip
_SETS = {"ends", "dates", "ids", "zero_is_empty", "fillers_not_in", "same_without", "wanted",
         "together"}  # fmt: skip
_NOT_FIELDS = {"sheets", "fillers", "elements", "widths"}
_LISTS = _SETS | _NOT_FIELDS | {"required", "positions"}
_TABLES = {"columns", "lists", "payer", "provider"}
_OTHERS = {"header", "min_columns", "join_spans"}
_CHOICES = {
    "confidence": {"confirmed", "reconstructed", "unverified"},
    "format": {"auto", "csv", "tsv", "pipe", "fixed", "xlsx", "xml"},
    "dates_as": {"mdy", "dmy", "ymd"},
    "snapshot": {"full", "delta"},
    "delimiter": {"", ",", "\t", "|", ";"},
}
_OF_PAYER = {"name", "id"}
_OF_PROVIDER = {"name", "npi", "tin", "phone"}
_DEFAULTS: dict[str, Any] = {
    "dates_as": "mdy",
    "format": "auto",
    "snapshot": "full",
    "mapping": "member",
    "header": True,
    "required": [],
}
_DATE_PARTS = {"YYYY": r"(?P<y>20\d\d)", "MM": r"(?P<m>[01]\d)", "DD": r"(?P<d>[0-3]\d)"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One plan's layout. Sets and lists hold canonical field names; texts are as in the file.

    `plan`           whose file it is: its name, or what the name of one of its layouts starts with
    `mapping`        which file of the room makes FHIR of its rows
    `columns`        canonical field -> header texts that mean it, the surest first
    `keys`           the same by letters and digits: header -> (how sure, from 0; field)
    `positions`      canonical field of each column of a file without header, "" if none
    `widths`         characters of each of these columns, when nothing separates them
    `elements`       names of the elements that hold one member each, in a file of XML
    `required`       fields whose column must be there; a tuple inside means one of these
    `wanted`         fields whose column, if it is there, some row should fill
    `together`       fields of which one cell may hold several values, as many in each
    `min_columns`    rows may end early, but not before this many cells (0: the whole width)
    `date_column`    field whose first value is the file's date when its name has none
    `join_spans`     days: enrollments of a member no further apart are one (0: as they stand)
    `fillers`        cell texts that mean nothing, except in `fillers_not_in`
    `zero_is_empty`  fields where 0 means nothing
    `ends`           end dates: from year-month-day `open_from` on they mean "open"
    `same_without`   fields that two rows may differ in and still be the same row
    `lists`          field -> the plan's own code list, written before its codes: `WM` is `khs:WM`
    """

    plan: str
    title: str
    source: str
    confidence: str
    format: str
    delimiter: str
    header: bool
    columns: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, tuple[int, str]]
    positions: tuple[str, ...]
    widths: tuple[int, ...]
    elements: tuple[str, ...]
    mapping: str
    required: tuple[str | tuple[str, ...], ...]
    min_columns: int
    join_spans: int
    sheets: tuple[str, ...]
    fillers: frozenset[str]
    fillers_not_in: frozenset[str]
    zero_is_empty: frozenset[str]
    ids: frozenset[str]
    dates: frozenset[str]
    dates_as: str
    ends: frozenset[str]
    open_from: str
    same_without: frozenset[str]
    wanted: frozenset[str]
    together: frozenset[str]
    file_date: str
    date_column: str
    snapshot: str
    zone: str
    lists: Mapping[str, str]
    context: Mapping[str, str]

    def date_of(self, file_name: str) -> str:
        """The ISO date in a file's name, found by the pattern `file_date`; "" when not there."""
        match = re.search(_date_pattern(self.file_date), file_name) if self.file_date else None
        if match is None:
            return ""
        try:
            return date(int(match["y"]), int(match["m"]), int(match["d"])).isoformat()
        except ValueError:
            return ""


def load(plan: str, room: str = "mif") -> Layout:
    """The layout `mappings/<room>/layouts/<plan>.toml`. Raises DataFileError for what is wrong.

    A layout with `like` takes over all of another; its own `columns` come before the other's.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", plan):
        file = f"mappings/{room}/layouts"
        raise DataFileError(file, "plan", "small letters, digits and dashes only")
    return _load(plan, room)


def plans(room: str = "mif") -> tuple[str, ...]:
    """The names of all layouts."""
    return tuple(sorted(f.stem for f in data.path("mappings", room, "layouts").glob("*.toml")))


def fields(room: str = "mif") -> frozenset[str]:
    """All canonical field names: the columns of the canonical layout."""
    return frozenset(_raw(CANONICAL, room)["columns"])


@cache
def _load(plan: str, room: str = "mif") -> Layout:
    raw = _merged(plan, room)
    file = _file(plan, room)
    _check(file, raw, room)
    provider, payer = raw.get("provider", {}), raw.get("payer", {})
    constants = {
        "plan": raw["plan"],
        "zone": raw.get("zone", ""),
        "line_of_business": raw.get("line_of_business", ""),
        **{f"payer_{name}": text for name, text in payer.items()},
        **{f"provider_{name}": text for name, text in provider.items()},
    }
    texts = {name: raw.get(name, "") for name in _TEXTS - {"like", "line_of_business"}}
    sets: dict[str, Any] = {name: frozenset(raw.get(name, ())) for name in _SETS}
    return Layout(
        **texts,
        **sets,
        header=raw["header"],
        columns={name: tuple(headers) for name, headers in raw["columns"].items()},
        keys={
            key(text): (rank, name)
            for name, headers in raw["columns"].items()
            for rank, text in enumerate(headers)
        },
        positions=tuple(raw.get("positions", ())),
        required=tuple(one if isinstance(one, str) else tuple(one) for one in raw["required"]),
        min_columns=raw.get("min_columns", 0),
        join_spans=raw.get("join_spans", 0),
        widths=tuple(raw.get("widths", ())),
        elements=tuple(raw.get("elements", ())),
        sheets=tuple(raw.get("sheets", ())),
        fillers=frozenset(_spellings(raw.get("fillers", ()))),
        lists=dict(raw.get("lists", {})),
        context=constants,
    )


def _file(plan: str, room: str) -> str:
    return f"mappings/{room}/layouts/{plan}.toml"


def _raw(plan: str, room: str) -> dict[str, Any]:
    raw = data.toml(data.path("mappings", room, "layouts", f"{plan}.toml"))
    for name in raw:
        if name not in _TEXTS | _LISTS | _TABLES | _OTHERS:
            known = sorted(_TEXTS | _LISTS | _TABLES | _OTHERS)
            raise DataFileError(_file(plan, room), name, f"unknown key; one of {known}")
    if not f"{plan}-".startswith(f"{raw.get('plan')}-"):
        text = "must be the file's own name, or what that starts with before a dash"
        raise DataFileError(_file(plan, room), "plan", text)
    return raw


def _merged(plan: str, room: str) -> dict[str, Any]:
    raw = _raw(plan, room)
    base = _raw(raw["like"], room) if "like" in raw else {}
    if "like" in base:
        raise DataFileError(_file(plan, room), "like", "must name a layout that stands alone")
    base = {name: value for name, value in base.items() if name not in ("title", "source")}
    columns = dict(base.get("columns", {}))
    for name, texts in raw.get("columns", {}).items():
        texts = [texts] if isinstance(texts, str) else texts
        columns[name] = [*texts, *columns.get(name, ())]
    columns = {k: [v] if isinstance(v, str) else v for k, v in columns.items()}
    return {**_DEFAULTS, **base, **raw, "columns": columns}


def _spellings(texts: list[str]) -> set[str]:
    return {form for t in texts for form in (t, t.upper(), t.lower(), t.title(), t.capitalize())}


def _check(file: str, raw: dict[str, Any], room: str) -> None:
    for name in ("title", "source", "confidence"):
        if not raw.get(name):
            raise DataFileError(file, name, "every layout says it")
    for name, allowed in _CHOICES.items():
        if raw.get(name, "") not in allowed | {""}:
            raise DataFileError(file, name, f"one of {sorted(allowed)}")
    for name, allowed in (("payer", _OF_PAYER), ("provider", _OF_PROVIDER)):
        if raw.get(name, {}).keys() - allowed:
            raise DataFileError(file, name, f"its keys are {sorted(allowed)}")
    _check_positions(file, raw)
    _check_fields(file, raw, room)
    _check_headers(file, raw["columns"])


def _check_positions(file: str, raw: dict[str, Any]) -> None:
    positions, widths = raw.get("positions", ()), raw.get("widths", ())
    if not raw["header"] and not positions:
        raise DataFileError(file, "positions", "a file without header needs them")
    if widths and (len(widths) != len(positions) or min(widths) < 1):
        raise DataFileError(file, "widths", "as many as positions, each 1 or more")


def _check_fields(file: str, raw: dict[str, Any], room: str) -> None:
    known = fields(room)
    used = [("columns", name) for name in raw["columns"]]
    used += [("lists", name) for name in raw.get("lists", {})]
    for name in _LISTS - _NOT_FIELDS - {"required"}:
        used += [(name, field) for field in raw.get(name, ()) if field]
    used += [("date_column", raw["date_column"])] if raw.get("date_column") else []
    for item in raw.get("required", ()):
        used += [("required", field) for field in ([item] if isinstance(item, str) else item)]
    for name, field in used:
        if field not in known:
            raise DataFileError(file, f"{name}.{field}", f"no such field; known: {sorted(known)}")


def _check_headers(file: str, columns: Mapping[str, list[str]]) -> None:
    """No header text may mean two fields; a medical record number is never a CIN (8, 3)."""
    seen: dict[str, str] = {}
    for field, texts in columns.items():
        for header in map(key, texts):
            if seen.setdefault(header, field) != field:
                raise DataFileError(file, f"columns.{field}", f"{header} also means {seen[header]}")
            if field == "cin" and header.startswith("medicalrecord"):
                raise DataFileError(file, "columns.cin", "a medical record number is not a CIN")


def _date_pattern(form: str) -> str:
    pattern = re.escape(form)
    for token, part in _DATE_PARTS.items():
        pattern = pattern.replace(token, part, 1)
    return rf"(?<!\d){pattern}"
