"""Valid resources made wrong by machine: one change each, each an error in R4 or US Core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from adapter.validation import bindings, r4

Json = dict[str, Any]


class Spot(NamedTuple):
    """One element of a resource: where it stands and what R4 says of it."""

    parent: Json
    key: str
    kind: str
    row: list[Any]

    @property
    def value(self) -> Any:
        return self.parent[self.key]


class Mutant(NamedTuple):
    """A wrong resource and the kind of change that made it wrong."""

    change: str
    resource: Json


def mutants(resource: Json) -> Iterator[Mutant]:
    """Every change at every element it can be made at; a copy is used until a change was made."""
    text, number = orjson.dumps(resource), len(list(spots(resource)))
    for name, change in CHANGES.items():
        wrong, there = fresh(text)
        for index in range(number):
            if change(there[index]) is not False:
                yield Mutant(name, wrong)
                wrong, there = fresh(text)


def fresh(text: bytes) -> tuple[Json, list[Spot]]:
    copy = orjson.loads(text)
    return copy, list(spots(copy))


def spots(resource: Json) -> Iterator[Spot]:
    """Every element below a resource, entries of Bundles and contained resources too."""
    yield from inside(resource, resource["resourceType"])


def inside(node: Json, kind: str) -> Iterator[Spot]:
    rows = {}
    for key, row in r4.types()[kind].items():
        names = r4.choices(key, row[0]) if key.endswith("[x]") else [(key, row[0][0])]
        rows.update({name: (each, row) for name, each in names})
    for key in [key for key in node if key in rows]:
        each, row = rows[key]
        yield Spot(node, key, each, row)
        values = node[key] if isinstance(node[key], list) else [node[key]]
        for value in values:
            if isinstance(value, dict):
                yield from inside(value, value.get("resourceType", each))


def put(spot: Spot, value: Any) -> None:
    """Write a value, as the only one of a list where the element is one."""
    spot.parent[spot.key] = [value] if isinstance(spot.value, list) else value


def only(*kinds: str) -> Callable[[Spot], bool]:
    return lambda spot: spot.kind in kinds


def complex_(spot: Spot) -> bool:
    return spot.kind in r4.types()


def text_(spot: Spot) -> bool:
    return spot.kind in {"string", "code", "uri", "date", "dateTime", "canonical", "id", "markdown"}


def number_(spot: Spot) -> bool:
    return spot.kind in {"decimal", "integer", "positiveInt", "unsignedInt"}


def writes(where: Callable[[Spot], bool], value: Any) -> Callable[[Spot], bool]:
    """A change that writes a value into the elements that fit."""

    def change(spot: Spot) -> bool:
        if not where(spot):
            return False
        put(spot, value)
        return True

    return change


def nested_unknown(spot: Spot) -> bool:
    values = spot.value if isinstance(spot.value, list) else [spot.value]
    if not complex_(spot) or not isinstance(values[0], dict):
        return False
    values[0]["unheardOf"] = "x"
    return True


def top_unknown(spot: Spot) -> bool:
    spot.parent["unheardOf"] = True
    return True


def missing(spot: Spot) -> bool:
    if spot.row[1] == 0 or ("extension" in spot.parent and spot.key == "url"):
        return False
    del spot.parent[spot.key]
    return True


def doubled(spot: Spot) -> bool:
    if isinstance(spot.value, list):
        return False
    spot.parent[spot.key] = [spot.value, spot.value]
    return True


def single(spot: Spot) -> bool:
    if not isinstance(spot.value, list):
        return False
    spot.parent[spot.key] = spot.value[0]
    return True


def null(spot: Spot) -> bool:
    spot.parent[spot.key] = None
    return True


def bad_code(spot: Spot) -> bool:
    listed = len(spot.row) > 3 and bindings.pairs(spot.row[3]) is not None
    if spot.kind != "code" or not listed:
        return False
    put(spot, "no-such-code")
    return True


def bad_concept(spot: Spot) -> bool:
    listed = len(spot.row) > 3 and bindings.pairs(spot.row[3]) is not None
    if spot.kind != "CodeableConcept" or not listed:
        return False
    put(spot, {"coding": [{"system": "http://x.example", "code": "no-such-code"}]})
    return True


def second_choice(spot: Spot) -> bool:
    kinds = spot.row[0]
    if len(kinds) < 2 or not spot.key.endswith(spot.kind[0].upper() + spot.kind[1:]):
        return False
    stem = spot.key[: -len(spot.kind)]
    other = "boolean" if spot.kind != "boolean" else "dateTime"
    if other not in kinds:
        return False
    spot.parent[stem + other[0].upper() + other[1:]] = True if other == "boolean" else "2024"
    return True


def wrong_target(spot: Spot) -> bool:
    if spot.kind != "Reference" or len(spot.row) < 5 or "Binary" in spot.row[4]:
        return False
    put(spot, {"reference": "Binary/b-1"})
    return True


def both_in_extension(spot: Spot) -> bool:
    values = spot.value
    if spot.kind != "Extension" or not isinstance(values, list):
        return False
    nested = {"url": "http://x.example", "valueBoolean": True}
    values[0].update(extension=[nested], valueBoolean=True)
    for key in [key for key in values[0] if key.startswith("value") and key != "valueBoolean"]:
        del values[0][key]
    return True


SCRIPT = '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'

CHANGES: dict[str, Callable[[Spot], bool]] = {
    "unknown element": top_unknown,
    "unknown element below": nested_unknown,
    "required is missing": missing,
    "single is a list": doubled,
    "list is single": single,
    "null": null,
    "empty text": writes(text_, ""),
    "empty list": lambda s: s.parent.__setitem__(s.key, []),
    "empty object": writes(complex_, {}),
    "text for an object": writes(complex_, "text"),
    "object for a text": writes(text_, {"a": 1}),
    "number for a text": writes(text_, 7),
    "text for a number": writes(number_, "7"),
    "truth for a number": writes(number_, True),
    "text for a truth": writes(only("boolean"), "true"),
    "day that is not": writes(only("date", "dateTime", "instant"), "2023-02-30"),
    "time without zone": writes(only("dateTime", "instant"), "2023-02-03T10:00:00"),
    "American date": writes(only("date", "dateTime", "instant"), "02/03/2023"),
    "blank in a code": writes(only("code", "id"), "a  b "),
    "blank in a URI": writes(only("uri", "canonical"), "http://x.example/a b"),
    "code outside its set": bad_code,
    "concept outside its set": bad_concept,
    "two of a choice": second_choice,
    "reference to a wrong type": wrong_target,
    "reference to no contained": writes(only("Reference"), {"reference": "#nobody"}),
    "value and extensions": both_in_extension,
    "script in narrative": writes(only("xhtml"), SCRIPT),
    "end before start": writes(only("Period"), {"start": "2024-02-01", "end": "2024-01-01"}),
    "value without system": writes(only("ContactPoint"), {"value": "916-555-0100"}),
}
