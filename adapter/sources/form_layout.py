"""What a form asks, as data: its sections, fields and rules, from `mappings/forms/layouts/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapter import data
from adapter.errors import DataFileError

TYPES = frozenset({"string", "text", "id", "date", "boolean", "choice", "phone", "email", "npi"})
CONFIDENCES = frozenset({"confirmed", "reconstructed", "unverified"})
CANONICAL = "https://ecm-adapter.example/fhir/Questionnaire/"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_NEEDED = ("source", "title", "name", "version", "number", "date", "sections", "field")
_FORM_KEYS = frozenset({*_NEEDED, "confidence", "audience", "any_of"})
_FLAGS = ("required", "repeats", "must")
_FIELD_KEYS = frozenset(
    {"id", "section", "label", "type", *_FLAGS, "options", "system", "required_if", "origin"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `required_if`: (field, value) that make it required; `must`: has to be true."""

    name: str
    section: str
    label: str
    type: str
    required: bool = False
    repeats: bool = False
    must: bool = False
    system: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    required_if: tuple[tuple[str, str], ...] = ()

    @property
    def width(self) -> int:
        """How many positions it takes in a record: one, or one an option when it repeats."""
        return len(self.options) if self.repeats else 1


@dataclass(frozen=True, slots=True)
class Form:
    """A form's definition. `fields` by linkId, in the order of the form and of its record.

    `number` and `date`: the fields with the sender's own number and with when it was true.
    """

    name: str
    title: str
    version: str
    url: str
    sections: Mapping[str, str]
    fields: Mapping[str, Field]
    number: str
    date: str
    any_of: tuple[tuple[str, ...], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The canonical field name of every position of a record."""
        return tuple(one.name for one in self.fields.values() for _ in range(one.width))


@cache
def load(name: str) -> Form:
    """The form `mappings/forms/layouts/<name>.toml`. Raises DataFileError when it is wrong.

    A name comes from outside, so it may not lead out of the folder.
    """
    if not _NAME.fullmatch(name):
        raise DataFileError("mappings/forms/layouts", "file", "no such form")
    path = data.path("mappings", "forms", "layouts", f"{name}.toml")
    file, raw = data.name(path), data.toml(path)
    _check(file, raw)
    fields = [_field(file, raw, item) for item in raw["field"]]
    names = [one.name for one in fields]
    for one in names:
        if names.count(one) > 1:
            raise DataFileError(file, one, "stands twice")
    _check_names(file, raw, fields)
    return Form(
        name=name,
        title=raw["title"],
        version=raw["version"],
        url=CANONICAL + raw["name"],
        sections=MappingProxyType(raw["sections"]),
        fields=MappingProxyType({one.name: one for one in fields}),
        number=raw["number"],
        date=raw["date"],
        any_of=tuple(tuple(group) for group in raw.get("any_of", ())),
    )


@cache
def names() -> tuple[str, ...]:
    """The names of all forms that are known."""
    return tuple(sorted(file.stem for file in _folder().glob("*.toml")))


def _folder() -> Path:
    return data.path("mappings", "forms", "layouts")


def _check(file: str, raw: Mapping[str, Any]) -> None:
    for key in raw:
        if key not in _FORM_KEYS:
            raise DataFileError(file, key, f"unknown key; one of {sorted(_FORM_KEYS)}")
    for key in _NEEDED:
        if not raw.get(key):
            raise DataFileError(file, key, "is missing")
    if raw.get("confidence") not in CONFIDENCES:
        raise DataFileError(file, "confidence", f"one of {', '.join(sorted(CONFIDENCES))}")


def _field(file: str, form: Mapping[str, Any], raw: Mapping[str, Any]) -> Field:
    name = str(raw.get("id", ""))
    for key in raw:
        if key not in _FIELD_KEYS:
            raise DataFileError(file, f"{name}.{key}", f"unknown key; one of {sorted(_FIELD_KEYS)}")
    if not name or not raw.get("label") or raw.get("section") not in form["sections"]:
        raise DataFileError(file, name or "field", "needs id, label and one of the sections")
    if raw.get("type") not in TYPES:
        raise DataFileError(file, f"{name}.type", f"one of {', '.join(sorted(TYPES))}")
    if (raw["type"] == "choice") != bool(raw.get("options")):
        raise DataFileError(file, f"{name}.options", "a choice has options, nothing else has")
    return Field(
        name=name,
        section=raw["section"],
        label=raw["label"],
        type=raw["type"],
        **{flag: raw.get(flag, False) for flag in _FLAGS},
        system=raw.get("system", ""),
        options=MappingProxyType(raw.get("options", {})),
        required_if=tuple(raw.get("required_if", {}).items()),
    )


def _check_names(file: str, raw: Mapping[str, Any], fields: list[Field]) -> None:
    """Every field that a rule names is there."""
    known = {one.name for one in fields}
    named = [raw["number"], raw["date"]]
    named += [name for group in raw.get("any_of", ()) for name in group]
    named += [name for one in fields for name, _ in one.required_if]
    for name in named:
        if name not in known:
            raise DataFileError(file, name, "a rule names a field that is not there")
