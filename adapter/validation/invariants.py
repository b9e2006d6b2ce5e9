"""The invariants of R4's datatypes as named functions. Each gets a node of sound structure.

Left out: warnings (dom-6, con-3), `ctm-1` (needs resolve()), and what structure.py does itself
(ele-1, txt-1, txt-2, ref-1, dom-3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from adapter.validation.faults import Json

Holds = Callable[[Json], bool]
_UCUM = "http://unitsofmeasure.org"


class Invariant(NamedTuple):
    """A rule of FHIR with its key; `holds` is true when the node keeps it.

    `about`  the element without which it holds of itself
    """

    key: str
    human: str
    holds: Holds
    about: str = ""


BY_NAMES: set[Holds] = set()  # those that ask which elements are there, and no value


def by_names(holds: Holds) -> Holds:
    """Note that an invariant asks no value."""
    BY_NAMES.add(holds)
    return holds


def not_both(first: str, second: str) -> Holds:
    """Not two elements at once."""
    return by_names(lambda node: not (first in node and second in node))


def needs(first: str, second: str) -> Holds:
    """The first element only with the second."""
    return by_names(lambda node: first not in node or second in node)


def any_of(*names: str) -> Holds:
    """At least one of the elements."""
    return by_names(lambda node: any(name in node for name in names))


def has(node: Json, start: str) -> bool:
    """Whether a choice element (`value[x]`) is there; `start` is `value`."""
    return any(key.startswith(start) and key[len(start) :][:1].isupper() for key in node)


def codes(concept: Json | None) -> set[str]:
    """The codes of a CodeableConcept."""
    return {coding.get("code", "") for coding in (concept or {}).get("coding", ())}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59"))  # a leap second


def not_after(start: str, end: str) -> bool:
    """Whether a FHIR dateTime is not after another, as far as both are precise."""
    if "T" in start and "T" in end:
        return _moment(start) <= _moment(end)
    size = min(len(start), len(end), 10)
    return start[:size] <= end[:size]


def _period(node: Json) -> bool:
    return "start" not in node or "end" not in node or not_after(node["start"], node["end"])


def _range(node: Json) -> bool:
    low, high = (node.get(key, {}).get("value") for key in ("low", "high"))
    return low is None or high is None or float(low) <= float(high)


@by_names
def _extension(node: Json) -> bool:
    nested = "extension" in node
    return nested != (len(node) > nested + ("url" in node) + ("_url" in node) + ("id" in node))


def _ratio(node: Json) -> bool:
    both = ("numerator" in node) == ("denominator" in node)
    return both and ("numerator" in node or "extension" in node)


def _age(node: Json) -> bool:
    return (
        node.get("system", _UCUM) == _UCUM
        and ("value" not in node or "code" in node)
        and node.get("value", 1) > 0
    )


def _duration(node: Json) -> bool:
    return "code" not in node or (node.get("system") == _UCUM and "value" in node)


def _not_negative(name: str) -> Holds:
    return lambda node: node.get(name, 0) >= 0


def _contained(name: str) -> Holds:
    return lambda node: "contained" not in node or not any(name in p for p in node["contained"])


def _contained_meta(*names: str) -> Holds:
    return lambda node: (
        "contained" not in node
        or not any(name in part.get("meta", {}) for part in node["contained"] for name in names)
    )


_PAIRS = (("duration", "durationUnit"), ("period", "periodUnit"), ("periodMax", "period"))

_UNIT = Invariant("qty-3", "a code needs a system", needs("code", "system"))

DATATYPES: dict[str, tuple[Invariant, ...]] = {
    "Age": (_UNIT, Invariant("age-1", "over 0, with a UCUM code", _age)),
    "Attachment": (Invariant("att-1", "data needs contentType", needs("data", "contentType")),),
    "ContactPoint": (Invariant("cpt-2", "a value needs a system", needs("value", "system")),),
    "DomainResource": (
        Invariant(
            "dom-2", "contained resources contain none", _contained("contained"), "contained"
        ),
        Invariant(
            "dom-4",
            "contained resources have no version",
            _contained_meta("versionId", "lastUpdated"),
            "contained",
        ),
        Invariant(
            "dom-5", "contained resources have no label", _contained_meta("security"), "contained"
        ),
    ),
    "Count": (_UNIT,),
    "Distance": (_UNIT,),
    "Duration": (
        _UNIT,
        Invariant("drt-1", "a code is UCUM's and has a value", _duration),
    ),
    "Extension": (Invariant("ext-1", "a value or extensions, not both", _extension),),
    "Period": (Invariant("per-1", "start is not after end", _period, "end"),),
    "Quantity": (_UNIT,),
    "Range": (Invariant("rng-2", "low is not over high", _range),),
    "Ratio": (Invariant("rat-1", "numerator and denominator, or an extension", _ratio),),
    "Timing.repeat": (
        *(Invariant("tim-1/2/6", f"{a} needs {b}", needs(a, b)) for a, b in _PAIRS),
        Invariant("tim-4", "duration is not negative", _not_negative("duration")),
        Invariant("tim-5", "period is not negative", _not_negative("period")),
        Invariant("tim-7", "durationMax needs duration", needs("durationMax", "duration")),
        Invariant("tim-8", "countMax needs count", needs("countMax", "count")),
        Invariant("tim-10", "timeOfDay or when, not both", not_both("timeOfDay", "when")),
    ),
}
