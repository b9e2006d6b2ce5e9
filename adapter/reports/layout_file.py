"""Reads a layout of mappings/outbound/<plan>/ into checked values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapter import data, terms
from adapter.errors import DataFileError
from adapter.reports.known import KNOWN
from adapter.reports.layout import DELIMITER, FORMS, Column, Kind, Layout
from adapter.reports.lists import words

_COLUMN = {"header", "element", "form", "required", "values", "table", "need_if", "constant"}
_FILE = {
    "plan", "title", "source", "confidence", "like", "kinds", "grain", "format", "sheet", "book",
    "heading", "late", "zone", "file_name", "name_period", "name_produced", "period", "dates",
    "times", "flags", "payer", "values", "columns", "over", "drop",
}  # fmt: skip
_OWN = ("plan", "title", "source", "confidence")  # never taken over by `like`
_BESIDE = ("exchanges", "lists")  # folders of mappings/outbound that are no plan's
_GRAINS = ("member", "attempt", "both")


def layouts(plan: str, kind: Kind, provider: Path | None = None) -> tuple[Layout, ...]:
    """Every file in which a plan wants a kind of report, by name.

    Raises DataFileError when it has none (key `file`), or one is wrong.
    """
    folder = data.path("mappings", "outbound", plan)
    files = [] if plan in _BESIDE else sorted(folder.glob("*.toml"))
    found = [load(plan, file.stem, provider) for file in files]
    kept = tuple(layout for layout in found if kind in layout.kinds)
    if not kept:
        raise DataFileError(f"mappings/outbound/{plan}/{kind}.toml", "file", "does not exist")
    return kept


def load(plan: str, name: str, provider: Path | None = None) -> Layout:
    """One layout of a plan, with the provider of mappings/outbound/provider.toml or a file.

    Raises DataFileError when there is no such file, or it lacks or misspells a key.
    """
    ours = provider or data.path("mappings", "outbound", "provider.toml")
    return read(data.path("mappings", "outbound", plan, f"{name}.toml"), ours)


def read(file: Path, provider: Path) -> Layout:
    """A layout from its file and the provider's."""
    label = data.name(file)
    try:
        return _layout(file.stem, _whole(file), _provider(provider))
    except (TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise DataFileError(label, "value", str(error)) from None
    except KeyError as error:
        raise DataFileError(label, str(error.args[0]), "is missing or names nothing") from None


def _provider(file: Path) -> dict[str, str]:
    raw = data.toml(file)
    return {"short": "", **raw["provider"], **raw.get("reports", {})}


def _whole(file: Path) -> dict[str, Any]:
    """The file's keys over those of the layout it is like; `over` and `drop` change columns."""
    raw = data.toml(file)
    if raw.keys() - _FILE:
        raise ValueError(f"the keys are {', '.join(sorted(_FILE))}")
    if "like" not in raw:
        return raw
    base = _whole((file.parent / f"{raw['like']}.toml").resolve())
    kept = {key: value for key, value in base.items() if key not in _OWN}
    values = {**base.get("values", {}), **raw.get("values", {})}
    whole = {**kept, **raw, "values": values}
    if "columns" not in raw:
        whole["columns"] = _changed(base["columns"], raw.get("over", {}), raw.get("drop", []))
    return whole


def _changed(
    rows: list[dict[str, Any]], over: dict[str, dict[str, Any]], drop: list[str]
) -> list[dict[str, Any]]:
    known = {row.get("element", "") for row in rows}
    for element in (*over, *drop):
        if element not in known:
            raise KeyError(element)
    kept = [row for row in rows if row.get("element") not in drop]
    return [_merged(row, over.get(row.get("element", ""), {})) for row in kept]


def _merged(row: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A list of words replaces another, whichever of `values` and `table` names it."""
    lists = {"values", "table"}
    kept = {key: row[key] for key in row if not (key in lists and change.keys() & lists)}
    return {**kept, **change}


def _layout(name: str, raw: dict[str, Any], provider: dict[str, str]) -> Layout:
    yes, no = raw["flags"]
    columns = tuple(_column(row, raw.get("values", {})) for row in raw["columns"])
    headers = [column.header for column in columns]
    if len(set(headers)) != len(headers):
        raise ValueError("columns: a header stands twice")
    if raw["format"] not in DELIMITER or raw["grain"] not in _GRAINS:
        raise ValueError("format or grain: no such one")
    return Layout(
        plan=raw["plan"],
        name=name,
        kinds=tuple(raw["kinds"]),
        grain=raw["grain"],
        format=raw["format"],
        sheet=raw.get("sheet", ""),
        book=tuple(raw.get("book", ())),
        heading=raw.get("heading", True),
        late=raw.get("late", False),
        zone=ZoneInfo(raw["zone"]),
        file_name=raw["file_name"],
        name_period=raw["name_period"],
        name_produced=raw["name_produced"],
        period=raw["period"],
        dates=raw["dates"],
        times=raw.get("times", "%Y-%m-%d %H:%M:%S"),
        flags=(yes, no),
        payer_id=raw["payer"]["id"],
        payer_name=raw["payer"]["name"],
        provider=provider,
        columns=columns,
    )


def _column(row: dict[str, Any], values: dict[str, dict[str, str]]) -> Column:
    if row.keys() - _COLUMN:
        raise ValueError(f"columns: the keys are {', '.join(sorted(_COLUMN))}")
    if ("element" in row) == ("constant" in row):
        raise ValueError("columns: either element or constant")
    if "element" in row and row["element"] not in KNOWN:
        raise KeyError(row["element"])
    if row.get("form", "text") not in FORMS:
        raise ValueError(f"form: one of {', '.join(FORMS)}")
    found = _words(row, values)
    element, text = row.get("need_if", ("", ""))
    return Column(
        header=row["header"],
        element=row.get("element", ""),
        form=row.get("form", "text"),
        required=row.get("required", False),
        words=found,
        ours=_ours(found or {}),
        need_if=(element, text) if element else None,
        constant=row.get("constant", ""),
    )


def _words(row: dict[str, Any], values: dict[str, dict[str, str]]) -> Mapping[str, str] | None:
    """Our codes -> the plan's words: of the layout itself, of a list, or a terminology table."""
    if "values" in row:
        return values[row["values"]] if row["values"] in values else words(row["values"])
    if "table" not in row:
        return None
    table = terms.table(row["table"])
    targets = {code: table.get(code) for code in table.codes()}
    return {code: target.code for code, target in targets.items() if target and target.code}


def _ours(found: Mapping[str, str]) -> Mapping[str, str]:
    back: dict[str, str] = {}
    for code, word in found.items():
        back.setdefault(terms.fold(word) or word, code)
    return MappingProxyType(back)
