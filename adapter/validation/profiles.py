"""Our profiles: StructureDefinitions of profiles/ compiled into rules and applied by meta.profile.

What is read of a differential: min, max, fixed*, pattern*, type (choices, profile, targetProfile),
required bindings, constraint keys (profile_rules.py has the functions) and slices by value,
pattern or url. Anything else that would restrict is refused when the profile is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from adapter import data
from adapter.errors import DataFileError
from adapter.validation import bindings
from adapter.validation.constraints import Check, Node, inside
from adapter.validation.faults import Fault, Json, Walk
from adapter.validation.invariants import Invariant
from adapter.validation.profile_rules import RULES

BASE = "https://ecm-adapter.example/fhir/StructureDefinition/"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class Profile:
    """One of our StructureDefinitions, ready to be applied."""

    url: str
    type: str
    check: Check


@cache
def load() -> dict[str, Profile]:
    """Our profiles and extensions by url. Raises DataFileError on what cannot be applied."""
    files = sorted(data.path("profiles").glob("StructureDefinition-*.json"))
    found = [data.json(file) for file in files]
    return {sd["url"]: Profile(sd["url"], sd["type"], inside(_tree(sd))) for sd in found}


def faults(resource: Json, walk: Walk) -> list[Fault]:
    """Faults against those of our profiles that a resource of sound structure states."""
    found: list[Fault] = []
    for url in resource.get("meta", _NOTHING).get("profile", ()):
        if url is not None and url.startswith(BASE):
            found += _check(url, resource["resourceType"])(resource, walk)
    return found


_NOTHING: Json = {}


def against(resource: Json, url: str, walk: Walk) -> list[Fault]:
    """Faults against one of our profiles; a fault too when it is unknown or of another type."""
    return _check(url, resource["resourceType"])(resource, walk)


@lru_cache(maxsize=1024)
def _check(url: str, kind: str) -> Check:
    """What a profile, by its url with or without a version, asks of a resource of a type."""
    profile = load().get(url.partition("|")[0])
    if profile is not None and profile.type == kind:
        return profile.check
    text = "no such profile here" if profile is None else f"this profile is for {profile.type}"
    wrong = [Fault(".meta.profile", "profile", text)]
    return lambda _resource, _walk: wrong


# -- loading --------------------------------------------------------------------------------------


def _tree(structure: Json) -> Node:
    root = Node(structure["type"])
    for element in structure["differential"]["element"]:
        steps = element["id"].split(".")
        if steps[0] != root.name:
            raise DataFileError(structure["id"], element["id"], "is not an element of the type")
        node = root
        for step in steps[1:]:
            node = _step(node, step)
        _fill(node, element, structure["id"])
    return root


def _step(node: Node, step: str) -> Node:
    name, _, part = step.partition(":")
    child = node.children.setdefault(name, Node(name))
    return child.slices.setdefault(part, Node(name)) if part else child


def _fill(node: Node, element: Json, file: str) -> None:
    """Write one element of a differential to its node."""
    node.least = element.get("min", 0)
    node.most = None if element.get("max", "*") == "*" else int(element["max"])
    for key, value in element.items():
        if key.startswith("fixed"):
            node.exact = value
        elif key.startswith("pattern"):
            node.pattern = value
    node.rules = tuple(_rule(c["key"], file) for c in element.get("constraint", ()))
    slicing = element.get("slicing", {})
    node.paths = tuple(d["path"] for d in slicing.get("discriminator", ()))
    _bind(node, element.get("binding", {}), file)
    _type(node, element.get("type", []))


def _rule(key: str, file: str) -> Invariant:
    if key not in RULES:
        raise DataFileError(file, key, "no function of this constraint in profile_rules.py")
    return RULES[key]


def _bind(node: Node, binding: Json, file: str) -> None:
    if binding.get("strength") != "required":
        return
    node.value_set = binding["valueSet"].partition("|")[0]
    node.codes = bindings.pairs(node.value_set)
    if node.codes is None:
        raise DataFileError(file, node.value_set, "the codes of this value set are not listed")


def _type(node: Node, kinds: list[Json]) -> None:
    """Choices of value[x], targets of References, and the url of an Extension's own profile."""
    node.kinds = frozenset(kind["code"].lower() for kind in kinds)
    targets = [url for kind in kinds for url in kind.get("targetProfile", ())]
    node.targets = frozenset(url.removeprefix(_HL7) for url in targets)
    for url in (url for kind in kinds for url in kind.get("profile", ())):
        node.children.setdefault("url", Node("url", exact=url))
        defined = data.path("profiles", f"StructureDefinition-{url.removeprefix(BASE)}.json")
        if url.startswith(BASE):
            own = _tree(data.json(defined))
            node.children.update(own.children)
            node.rules += own.rules
