"""Builders of populations of focus: words, numbers and flags of a row, each population once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from adapter import terms
from adapter.issues import Issue
from adapter.mapping import cells
from adapter.mapping.builders_mif import MANY, OURS, coding_of, concept, look_up
from adapter.mapping.pieces import CLEAR
from adapter.mapping.registry import builder
from adapter.mapping.run import Draft, Run
from adapter.record import Location

Json = dict[str, Any]
POPULATION = OURS + "StructureDefinition/population-of-focus"
ADULT = 21  # years, DHCS ECM Policy Guide (January 2026) section IV
_TABLE = "population-of-focus"
_OWN = re.compile(r"(?:[a-z][a-z-]*:)+(?=\S)")  # the plan's own list, written before its numbers
_FLAGS = ("homelessness", "homelessness-adult", "homelessness-family", "avoidable-utilization",
          "smh-sud", "incarceration", "ltc-risk", "nf-transition", "ccs", "child-welfare",
          "birth-equity")  # fmt: skip
# What the birth date makes of a label: homelessness of a person under 21 is that of a family or of
# an unaccompanied child, whatever the label says; "child, individual" of an adult is an adult's.
_OF_CHILD = {"homelessness": "homelessness-family", "homelessness-adult": "homelessness-family"}
_OF_ADULT = {"pof_homeless_child": "homelessness-adult"}
_NOT_OF_CHILD = frozenset({"ltc-risk", "nf-transition"})
_NOT_OF_ADULT = frozenset({"ccs", "child-welfare"})


@builder("populations")
def populations(run: Run, texts: list[str]) -> list[Json]:
    """The populations of focus that a cell names, one or several (files.md section 5)."""
    own = _OWN.match(texts[0])
    prefix, text = (own[0], texts[0][own.end() :]) if own else ("", texts[0])
    words = [text] if _known(prefix + text) else MANY.split(text)
    if len(words) == 1 and not _known(prefix + text):
        words = re.split(r"\s*,\s*", text)
    found = [_population(concept(run, _TABLE, prefix + word)) for word in words if word]
    return list({name(item): item for item in reversed(found)}.values())[::-1]


def _known(text: str) -> bool:
    return look_up(_TABLE, text) is not None


def _population(what: Json) -> Json:
    return {"url": POPULATION, "valueCodeableConcept": what}


def _flag(code: str) -> Callable[[Run, list[str]], Any]:
    def build(run: Run, texts: list[str]) -> Any:
        """One population by its own yes-or-no column; a no takes back what it said before."""
        said = cells.flag(run, texts[0])
        if said is None:
            return None
        return [_population(_coded(code))] if said else CLEAR

    return build


for _code in _FLAGS:
    builder(f"population_{_code}")(_flag(_code))


def _coded(code: str, text: str = "") -> Json:
    target = terms.table(_TABLE).get(code)
    found: Json = {"coding": [coding_of(target)]} if target else {}
    return {**found, "text": text} if text else found


def name(item: Json) -> str:
    """What names a population in its extension; "" for another extension."""
    if item.get("url") != POPULATION:
        return ""
    what = item["valueCodeableConcept"]
    return str(what["coding"][0]["code"] if "coding" in what else what["text"])


def settle(run: Run, draft: Draft) -> None:
    """Let each population stand once, and the birth date decide who is an adult (files.md 5)."""
    items, pieces = draft.resource["extension"], draft.parts.get("extension", [])
    if len(pieces) != len(items):
        return
    child = _is_child(run)
    met: set[str] = set()
    kept, parts = [], []
    for item, piece in zip(items, pieces, strict=True):
        if "valueCodeableConcept" in item and item["url"] == POPULATION:
            settled = item if child is None else _by_age(run, item, piece, child)
            label = name(settled)
            if label in met:
                continue
            met.add(label)
            kept.append(settled)
        else:
            kept.append(item)
        parts.append(piece)
    draft.resource["extension"], draft.parts["extension"] = kept, parts


def _is_child(run: Run) -> bool | None:
    patient = run.drafts.get("Patient")
    born = patient.resource.get("birthDate", "") if patient else ""
    on = (run.unit.as_of or run.unit.received)[:10]
    if len(born) != 10 or len(on) != 10:
        return None
    return int(on[:4]) - int(born[:4]) - (on[5:] < born[5:]) < ADULT


def _by_age(run: Run, item: Json, piece: str, child: bool) -> Json:
    code = name(item)
    meant = _OF_CHILD.get(code, code) if child else _OF_ADULT.get(piece, code)
    if code in (_NOT_OF_CHILD if child else _NOT_OF_ADULT):
        _tell(run, piece, "a population of the other age than the birth date says")
    if meant == code:
        return item
    if code != "homelessness":
        _tell(run, piece, "adult or child was read from the birth date, not from the label")
    return _population(_coded(meant, item["valueCodeableConcept"].get("text", "")))


def _tell(run: Run, piece: str, text: str) -> None:
    at = Location(run.unit.at.source, run.line, piece)
    run.issues.append(Issue("information", "contradiction", text, at))
