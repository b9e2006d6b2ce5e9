"""Referral forms: JSON by linkId, or a FHIR QuestionnaireResponse, to one Record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as factory
from typing import Any, NamedTuple

from adapter.issues import Issue, Severity
from adapter.record import Location, Record
from adapter.sources import json_text
from adapter.sources.form_answers import BadAnswer, text_of
from adapter.sources.form_layout import Field, Form

_NAME = re.compile(r"[ -~]{1,64}")

# What a QuestionnaireResponse carries besides answers, and this reader leaves on purpose.
_LEFT = frozenset({"resourceType", "id", "meta", "implicitRules", "language", "text", "authored"})
_READ = frozenset({"questionnaire", "status", "identifier", "item"})

# Which value[x] answers a field of a type; a choice also takes its display as a string.
_VALUES: Mapping[str, tuple[str, ...]] = {
    "date": ("valueDate",),
    "boolean": ("valueBoolean",),
    "choice": ("valueCoding", "valueString"),
}


class Reading(NamedTuple):
    """What a reader found: the record, or None when an issue failed it; issues in order.

    `key` is the sender's own number of the referral, `as_of` the instant its date begins (UTC).
    """

    record: Record | None
    issues: tuple[Issue, ...]
    key: str = ""
    as_of: str = ""


class _Answer(NamedTuple):
    """One field's answer as it came: its name and a Python value (a list when it repeats)."""

    name: str
    value: Any


@dataclass(slots=True)
class _Sheet:
    """A form being read: the texts of each field found, and what was wrong."""

    form: Form
    source: str
    texts: dict[str, list[str]] = factory(default_factory=dict)
    issues: list[Issue] = factory(default_factory=list)

    def issue(self, severity: Severity, detail: str, text: str, name: str = "") -> None:
        """Report a finding at a field."""
        self.issues.append(Issue(severity, detail, text, Location(self.source, 1, _label(name))))

    @property
    def failed(self) -> bool:
        return any(issue.failed for issue in self.issues)


def _label(name: str) -> str:
    """A field's name for a Location; one that no form would print is not repeated."""
    return name if not name or _NAME.fullmatch(name) else "(unreadable name)"


def read(raw: bytes | str | Mapping[str, Any], form: Form, source: str = "form") -> Reading:
    """Read one filled form: JSON text or the parsed object; a QuestionnaireResponse is told apart.

    JSON names fields by linkId, flat or inside objects named like the form's sections; null and
    "" are absent. Both kinds of the same referral give the same Record: texts by position of
    `form.columns`, labels = linkIds, line 1; dates ISO, choices as codes, booleans true/false.
    """
    sheet = _Sheet(form, source)
    try:
        value = raw if isinstance(raw, Mapping) else json_text.loads(raw)
    except json_text.BadJson as bad:
        at = Location(source, bad.line, _label(bad.key))
        return Reading(None, (Issue("error", bad.detail, bad.text, at),))
    if not isinstance(value, Mapping):
        sheet.issue("error", "file-format", "a form is one JSON object")
        return Reading(None, tuple(sheet.issues))
    for answer in _answers(sheet, value):
        _take(sheet, answer)
    if not sheet.failed or sheet.texts:
        _require(sheet)
    if sheet.failed:
        return Reading(None, tuple(sheet.issues))
    (number,), (day,) = (sheet.texts.get(name, [""]) for name in (form.number, form.date))
    as_of = f"{day}T00:00:00Z" if day else ""
    return Reading(_record(sheet), tuple(sheet.issues), number, as_of)


def _answers(sheet: _Sheet, value: Mapping[str, Any]) -> Iterator[_Answer]:
    if "resourceType" not in value:
        return _from_json(sheet, value, 0)
    return _from_response(sheet, value)


def _from_json(sheet: _Sheet, value: Mapping[str, Any], depth: int) -> Iterator[_Answer]:
    for name, inner in value.items():
        if inner is None or inner == "":
            continue
        if name in sheet.form.fields:
            yield _Answer(name, inner)
        elif name in sheet.form.sections and isinstance(inner, Mapping):
            if depth >= json_text.MAX_DEPTH:
                sheet.issue("error", "file-format", "nested too deep", name)
                return
            yield from _from_json(sheet, inner, depth + 1)
        else:
            sheet.issue("warning", "unmapped", "the form has no such field", str(name))


def _from_response(sheet: _Sheet, value: Mapping[str, Any]) -> Iterator[_Answer]:
    """The answers of a QuestionnaireResponse, if it is one of this form and complete."""
    if value["resourceType"] != "QuestionnaireResponse":
        sheet.issue("error", "resource-type", "expected a QuestionnaireResponse", "resourceType")
        return
    canonical = value.get("questionnaire", sheet.form.url)
    if not isinstance(canonical, str) or canonical.partition("|")[0] != sheet.form.url:
        text = f"answers another questionnaire than {sheet.form.url}"
        sheet.issue("error", "not-supported", text, "questionnaire")
        return
    if value.get("status") not in ("completed", "amended"):
        sheet.issue("error", "value-format", "only a completed form is taken", "status")
        return
    for name in value:
        if name not in _LEFT | _READ:
            sheet.issue("warning", "unmapped", "read from the form's items only", str(name))
    yield from _number(sheet.form, value.get("identifier"))
    yield from _items(sheet, value.get("item"), 0)


def _number(form: Form, identifier: Any) -> Iterator[_Answer]:
    """QuestionnaireResponse.identifier is the sender's own number of the referral."""
    if isinstance(identifier, Mapping) and identifier.get("value"):
        yield _Answer(form.number, identifier["value"])


def _items(sheet: _Sheet, items: Any, depth: int) -> Iterator[_Answer]:
    if items is None:
        return
    if not isinstance(items, list) or depth > json_text.MAX_DEPTH:
        sheet.issue("error", "resource-structure", "item is a list, not nested too deep", "item")
        return
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("linkId"), str):
            sheet.issue("error", "resource-structure", "every item has a linkId", "item")
            continue
        yield from _item(sheet, item, depth)


def _item(sheet: _Sheet, item: Mapping[str, Any], depth: int) -> Iterator[_Answer]:
    name, answers = item["linkId"], item.get("answer", [])
    field = sheet.form.fields.get(name)
    if not isinstance(answers, list) or not all(isinstance(one, Mapping) for one in answers):
        sheet.issue("error", "resource-structure", "answer is a list of objects", name)
        return
    if field is not None and answers:
        values = [_value(field, one) for one in answers]
        yield _Answer(name, values if len(values) > 1 or field.repeats else values[0])
    elif field is None and (answers or name not in sheet.form.sections):
        sheet.issue("warning", "unmapped", "the form has no such field", name)
    yield from _items(sheet, item.get("item"), depth + 1)
    for one in answers:
        yield from _items(sheet, one.get("item"), depth + 1)


def _value(field: Field, answer: Mapping[str, Any]) -> Any:
    """The answer's value, or a BadAnswer instead of it when its value[x] is of another type."""
    allowed = _VALUES.get(field.type, ("valueString",))
    for key in allowed:
        if key in answer:
            value = answer[key]
            coded = isinstance(value, Mapping)
            return value.get("code", value.get("display")) if coded else value
    return BadAnswer("value-format", f"expected {' or '.join(allowed)}")


def _take(sheet: _Sheet, answer: _Answer) -> None:
    """Keep an answer's texts, or report what is wrong with it."""
    field = sheet.form.fields[answer.name]
    values = answer.value if isinstance(answer.value, list) else [answer.value]
    try:
        if len(values) > 1 and not field.repeats:
            raise BadAnswer("value-format", "one answer is expected")
        texts = [text for text in (text_of(field, value) for value in values) if text]
        if sheet.texts.get(field.name, texts) != texts:
            raise BadAnswer("value-format", "answered twice, and not the same")
    except BadAnswer as bad:
        sheet.issue("error", bad.detail, bad.text, field.name)
        sheet.texts[field.name] = ["?"]  # it was answered: not "required" besides
        return
    if texts:
        sheet.texts[field.name] = texts


def _require(sheet: _Sheet) -> None:
    """Report required fields without an answer, boxes that must be checked, and empty groups."""
    texts = sheet.texts
    for field in sheet.form.fields.values():
        if field.name not in texts:
            rule = _why(sheet, field)
            if rule:
                sheet.issue("error", "required", rule, field.name)
        elif field.must and texts[field.name] == ["false"]:
            sheet.issue("error", "required", "this box has to be checked", field.name)
    for group in sheet.form.any_of:
        if all(texts.get(name, ["false"]) == ["false"] for name in group):
            sheet.issue("error", "required", f"one of {', '.join(group)} is required", group[0])


def _why(sheet: _Sheet, field: Field) -> str:
    """Why an unanswered field is required; `""` when it is not."""
    if field.required:
        return "the form requires this field"
    for name, value in field.required_if:
        if sheet.texts.get(name) == [value]:
            return f"required when {name} is {value}"
    return ""


def _record(sheet: _Sheet) -> Record:
    fields: list[str] = []
    for field in sheet.form.fields.values():
        texts = sheet.texts.get(field.name, [])
        if field.repeats:
            fields += [code if code in texts else "" for code in field.options]
        else:
            fields.append(texts[0] if texts else "")
    return Record(sheet.source, 1, sheet.form.name, fields, sheet.form.columns)
