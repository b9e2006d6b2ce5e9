"""Builders of referral forms: the answers as a QuestionnaireResponse, options, the referrer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from adapter import data, terms
from adapter.errors import DataFileError
from adapter.mapping.registry import builder
from adapter.mapping.run import BadValue, Run, urn
from adapter.record import Resource

Coding = dict[str, str]


class _Leaf(NamedTuple):
    """A question: its linkId, type, option codings by code, and its first position in a record."""

    name: str
    type: str
    options: Mapping[str, Coding]
    start: int
    width: int


class _Sheet(NamedTuple):
    """A Questionnaire with its questions by linkId; a record's positions follow its items."""

    resource: Resource
    leaves: Mapping[str, _Leaf]


@cache
def _sheet(form: str) -> _Sheet:
    """The Questionnaire of a form, `profiles/Questionnaire-ecm-referral-<form>.json`."""
    file = data.path("profiles", f"Questionnaire-ecm-referral-{form}.json")
    resource: Resource = data.json(file)
    leaves: dict[str, _Leaf] = {}
    start = 0
    for item in _questions(resource):
        codings = [option["valueCoding"] for option in item.get("answerOption", ())]
        width = len(codings) if item.get("repeats") else 1
        options = MappingProxyType({coding["code"]: coding for coding in codings})
        leaves[item["linkId"]] = _Leaf(item["linkId"], item["type"], options, start, width)
        start += width
    return _Sheet(resource, MappingProxyType(leaves))


def _questions(parent: Mapping[str, Any]) -> Iterator[Resource]:
    for item in parent.get("item", ()):
        if item["type"] == "group":
            yield from _questions(item)
        else:
            yield item


def _form(run: Run) -> _Sheet:
    """The Questionnaire of the unit's source, `form:<form>`. Raises DataFileError without one."""
    kind, _, name = run.unit.source.partition(":")
    if kind != "form" or not name:
        raise DataFileError("mappings/forms", "source", "a form's unit comes from form:<form>")
    return _sheet(name)


@builder("form_questionnaire")
def form_questionnaire(run: Run, texts: list[str]) -> str:
    """The canonical of the form's Questionnaire with its version, whatever the answer is."""
    resource = _form(run).resource
    return f"{resource['url']}|{resource['version']}"


@builder("form_answers")
def form_answers(run: Run, texts: list[str]) -> list[Resource]:
    """QuestionnaireResponse.item of every answer of the record, in the groups of its form.

    Each answered field becomes an origin of `item`, so that an answer can be traced.
    """
    sheet = _form(run)
    draft = run.drafts.get("QuestionnaireResponse")
    if draft is not None:
        for leaf in sheet.leaves.values():
            if any(_texts(run, leaf)):
                draft.origins.append((run.line, "item", leaf.name))
    return _items(run, sheet, sheet.resource)


def _items(run: Run, sheet: _Sheet, parent: Mapping[str, Any]) -> list[Resource]:
    found = []
    for item in parent.get("item", ()):
        made: Resource = {"linkId": item["linkId"], "text": item["text"]}
        if item["type"] == "group":
            inner = _items(run, sheet, item)
            made |= {"item": inner} if inner else {}
        else:
            leaf = sheet.leaves[item["linkId"]]
            answers = [_answer(leaf, text) for text in _texts(run, leaf) if text]
            made |= {"answer": answers} if answers else {}
        if len(made) > 2:
            found.append(made)
    return found


def _texts(run: Run, leaf: _Leaf) -> list[str]:
    return run.fields[leaf.start : leaf.start + leaf.width]


def _answer(leaf: _Leaf, text: str) -> Resource:
    if leaf.type == "choice":
        return {"valueCoding": dict(leaf.options[text])}
    if leaf.type == "boolean":
        return {"valueBoolean": text == "true"}
    return {"valueDate" if leaf.type == "date" else "valueString": text}


@builder("form_population")
def form_population(run: Run, texts: list[str]) -> Resource:
    """A checked population of focus as CodeableConcept: our code, and the form's own words."""
    target = terms.table("population-of-focus").get(texts[0])
    if target is None:
        raise BadValue("code-unknown", "not in table population-of-focus")
    return {"coding": [_coding(target)], "text": form_option_text(run, texts)}


@builder("form_language")
def form_language(run: Run, texts: list[str]) -> Resource:
    """A language in words or as ISO code; one that no table knows stays as it was written."""
    target = terms.table("language").get(texts[0])
    if target is None or not target.code:
        run.issue("warning", "code-unknown", "not in table language")
        return {"text": texts[0]}
    return {"coding": [_coding(target)], "text": texts[0]}


def _coding(target: terms.Target) -> Coding:
    return {"system": target.system, "code": target.code, "display": target.display}


@builder("form_option_text")
def form_option_text(run: Run, texts: list[str]) -> str:
    """The chosen option of the field being read, in the form's words."""
    return _form(run).leaves[run.label].options[texts[0]]["display"]


@builder("referrer_identifier")
def referrer_identifier(run: Run, texts: list[str]) -> Resource:
    """An identifier of the referrer, who has no NPI on the form: US Core asks for one.

    Opaque and repeatable, made from name and e-mail address: a mail box may serve several people.
    """
    draft = run.drafts.get("Practitioner")
    name = draft.resource.get("name", [{}])[0] if draft is not None else {}
    parts = (name.get("family", ""), *name.get("given", ()), texts[0].casefold())
    value = urn("referrer", *parts).removeprefix("urn:uuid:")
    return {"system": terms.system("practitioner", "referrer"), "value": value}


@builder("opt_in_date")
def opt_in_date(run: Run, texts: list[str]) -> str | None:
    """The date of the referral, when the member expressed interest on the form; else nothing."""
    draft = run.drafts.get("ServiceRequest")
    if texts != ["yes"] or draft is None:
        return None
    found: str | None = draft.resource.get("authoredOn")
    return found
