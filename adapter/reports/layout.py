"""One plan's return file as checked values: mappings/outbound/<plan>/rtf.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapter import data, terms
from adapter.errors import DataFileError
from adapter.reports.elements import ELEMENTS
from adapter.reports.setup import Setup, month

FORMATS = ("text", "code", "date", "flag", "integer", "phone")
_KEYS = {"header", "element", "format", "required", "values", "table"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, the canonical element in it, its format, and the plan's words."""

    header: str
    element: str
    format: str
    required: bool
    values: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A return file's columns and forms; `name_*`, `period` and `dates` are strftime patterns."""

    plan: str
    zone: ZoneInfo
    file_name: str
    name_period: str
    name_produced: str
    period: str
    dates: str
    flags: tuple[str, str]
    payer_id: str
    payer_name: str
    provider: Mapping[str, str]
    columns: tuple[Column, ...]

    def setup(self, period: str, produced: date) -> Setup:
        """The report's setup for a month (`2026-01`). Raises SettingError when it is none."""
        start, end = month(period)
        return Setup(
            plan=self.plan,
            payer_id=self.payer_id,
            payer_name=self.payer_name,
            provider=self.provider,
            start=start,
            end=end,
            produced=produced,
            zone=self.zone,
            text=start.strftime(self.period),
        )

    def name(self, setup: Setup) -> str:
        """The file's name for a setup."""
        return self.file_name.format(
            npi=self.provider["npi"],
            plan=self.plan,
            period=setup.start.strftime(self.name_period),
            produced=setup.produced.strftime(self.name_produced),
        )


def load(plan: str, kind: str = "rtf", provider: Path | None = None) -> Layout:
    """The layout of a plan's return file, with the provider of mappings/outbound/provider.toml.

    Raises DataFileError when the plan has no such file, or it lacks or misspells a key.
    """
    ours = provider or data.path("mappings", "outbound", "provider.toml")
    return read(data.path("mappings", "outbound", plan, f"{kind}.toml"), ours)


def read(file: Path, provider: Path) -> Layout:
    """A layout from its file and the provider's."""
    raw, label = data.toml(file), data.name(file)
    try:
        return _layout(raw, data.toml(provider)["provider"])
    except (TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise DataFileError(label, "value", str(error)) from None
    except KeyError as error:
        raise DataFileError(label, str(error.args[0]), "is missing or names nothing") from None


def _layout(raw: dict[str, Any], provider: dict[str, str]) -> Layout:
    yes, no = raw["flags"]
    columns = tuple(_column(row, raw.get("values", {})) for row in raw["columns"])
    headers = [column.header for column in columns]
    if len(set(headers)) != len(headers):
        raise ValueError("columns: a header stands twice")
    return Layout(
        plan=raw["plan"],
        zone=ZoneInfo(raw["zone"]),
        file_name=raw["file_name"],
        name_period=raw["name_period"],
        name_produced=raw["name_produced"],
        period=raw["period"],
        dates=raw["dates"],
        flags=(yes, no),
        payer_id=raw["payer"]["id"],
        payer_name=raw["payer"]["name"],
        provider=provider,
        columns=columns,
    )


def _column(row: dict[str, Any], values: dict[str, dict[str, str]]) -> Column:
    if row.keys() - _KEYS:
        raise ValueError(f"columns: the keys are {', '.join(sorted(_KEYS))}")
    if row["element"] not in ELEMENTS:
        raise KeyError(row["element"])
    if row.get("format", "text") not in FORMATS:
        raise ValueError(f"format: one of {', '.join(FORMATS)}")
    return Column(
        header=row["header"],
        element=row["element"],
        format=row.get("format", "text"),
        required=row.get("required", False),
        values=_values(row, values),
    )


def _values(row: dict[str, Any], values: dict[str, dict[str, str]]) -> Mapping[str, str] | None:
    """Our codes -> the plan's words, from the layout itself or a terminology table."""
    if "values" in row:
        return values[row["values"]]
    if "table" not in row:
        return None
    table = terms.table(row["table"])
    targets = {code: table.get(code) for code in table.codes()}
    return {code: target.code for code, target in targets.items() if target and target.code}
