"""Required bindings: the codes of a value set, and the checks that use them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from adapter import data
from adapter.validation.faults import Fault, Json, Rule, Walk
from adapter.validation.primitives import Test

Pair = tuple[str, str]

# no list of these exists (ISO 4217, BCP 13): their shape is checked
_SHAPES = {
    "http://hl7.org/fhir/ValueSet/currencies": r"[A-Z]{3}",
    "http://hl7.org/fhir/ValueSet/mimetypes": r"[^\s/;]+/[^\s/;]+(?:\s?;.*)?",
}


@cache
def _value_sets() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = data.json(data.path("profiles", "r4-codes.json"))[
        "value_sets"
    ]
    return found


@cache
def pairs(url: str) -> frozenset[Pair] | None:
    """The (system, code) pairs of a value set; None when its codes are not listed here."""
    systems = _value_sets().get(url.partition("|")[0])
    if systems is None:
        return None
    return frozenset((system, code) for system, codes in systems.items() for code in codes)


def test(url: str, plain: Test) -> Test:
    """The test of a required code: in the list, of the known shape, or as without a binding."""
    allowed = pairs(url)
    if allowed is not None:
        return frozenset(code for _, code in allowed).__contains__
    return re.compile(_SHAPES[url]).fullmatch if url in _SHAPES else plain


def fault(url: str) -> list[Fault]:
    """What to say of a code outside its value set."""
    return [Fault("", "binding", f"the code is not in the value set {url}")]


def bound(kind: str, url: str, rule: Rule) -> Rule:
    """The rule of a Coding or CodeableConcept with its required binding added."""
    allowed, faults = pairs(url), fault(url)
    if allowed is None or kind not in ("Coding", "CodeableConcept"):
        return rule

    def check(value: Any, walk: Walk) -> list[Fault] | None:
        return rule(value, walk) or (None if holds(value, allowed) else faults)

    return check


def holds(value: Json, allowed: frozenset[Pair]) -> bool:
    """Whether a Coding, or one coding of a CodeableConcept, is in the set.

    A value that only has extensions (data absent reason) is let through.
    """
    if value.keys() <= {"extension", "id"}:
        return True
    codings = [value] if "code" in value else value.get("coding", ())
    return any((coding.get("system"), coding.get("code")) in allowed for coding in codings)
