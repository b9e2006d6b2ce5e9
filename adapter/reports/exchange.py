"""One exchange's panel as checked values: mappings/outbound/exchanges/<name>.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from adapter import data
from adapter.errors import DataFileError

Mode = Literal["supersede", "delta"]
ELEMENTS = frozenset(
    {"id", "action", "last_name", "first_name", "middle_name", "suffix", "birth_date", "gender",
     "address", "city", "state", "zip", "zip5", "phone", "email", "cin", "plan_member_id",
     "subscriber_id", "mrn", "mrn_authority", "plan", "line_of_business", "pcp_npi",
     "provider_npi"}
)  # fmt: skip
_KEYS = {"name", "title", "source", "confidence", "file_name", "name_produced", "mode",
         "delimiter", "dates", "episodes", "gender", "action", "columns"}  # fmt: skip
_ACTIONS = {"added": "ADD", "changed": "UPDATE", "gone": "DELETE"}


class Column(NamedTuple):
    """One column: its header, the element in it, and whether a row without it is left out."""

    header: str
    element: str
    required: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an exchange wants to know of our members, and in what form.

    `mode`      `supersede`: each file is the whole panel; `delta`: what changed since the last
    `dates`     strftime pattern of birth dates; `gender`: our codes -> its codes
    `episodes`  statuses of an enrollment that put a member on the panel
    """

    name: str
    file_name: str
    name_produced: str
    mode: Mode
    delimiter: str
    dates: str
    episodes: tuple[str, ...]
    gender: Mapping[str, str]
    action: Mapping[str, str]
    columns: tuple[Column, ...]


def names() -> tuple[str, ...]:
    """All exchanges."""
    folder = data.path("mappings", "outbound", "exchanges")
    return tuple(sorted(file.stem for file in folder.glob("*.toml")))


def load(name: str) -> Exchange:
    """An exchange by name. Raises DataFileError for an unknown one, or a key that is wrong."""
    file = data.path("mappings", "outbound", "exchanges", f"{name}.toml")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise DataFileError("mappings/outbound/exchanges", "name", "small letters, digits, dashes")
    raw = data.toml(file)
    label = data.name(file)
    for key in raw.keys() - _KEYS:
        raise DataFileError(label, key, f"unknown key; one of {sorted(_KEYS)}")
    if raw.get("name") != name:
        raise DataFileError(label, "name", "must be the file's own name")
    if raw.get("mode") not in ("supersede", "delta"):
        raise DataFileError(label, "mode", "supersede or delta")
    try:
        return _exchange(raw)
    except KeyError as error:
        raise DataFileError(label, str(error.args[0]), "is missing or names nothing") from None


def _exchange(raw: dict[str, Any]) -> Exchange:
    return Exchange(
        name=raw["name"],
        file_name=raw["file_name"],
        name_produced=raw["name_produced"],
        mode=raw["mode"],
        delimiter=raw.get("delimiter", ","),
        dates=raw["dates"],
        episodes=tuple(raw["episodes"]),
        gender=raw["gender"],
        action={**_ACTIONS, **raw.get("action", {})},
        columns=tuple(_column(row) for row in raw["columns"]),
    )


def _column(row: dict[str, Any]) -> Column:
    if row["element"] not in ELEMENTS:
        raise KeyError(row["element"])
    return Column(row["header"], row["element"], row.get("required", False))
