"""The resources of one unit together: each checked, and every reference inside it resolves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from adapter import data
from adapter.constant import Constant
from adapter.issues import Issue
from adapter.validation import faults, links, profiles, r4, structure
from adapter.validation.faults import Fault, Json, Link, Walk, below
from adapter.validation.once import once

_URN = "urn:"
_SHARED = frozenset({"Location", "Organization", "Practitioner"})
_MOST = 20_000
_sound: dict[bytes, Walk] = {}  # sound resources by their JSON; emptied when full


def check(resource: Any, profile: str | None = None) -> list[Issue]:
    """R4 structure, required codes, invariants, and the profiles that meta.profile states.

    `profile` asks for one more of our profiles by url. In a Bundle every entry is checked, and
    `urn:` references lead to an entry. Never raises on what the resource holds.
    """
    found, _ = structure.inspect(resource)
    if profile is not None and not found:
        walk = Walk()
        found += profiles.against(resource, profile, walk)
        found += links.faults(resource, walk.links)
    if not found and resource["resourceType"] == "Bundle":
        found += _bundle(resource)
    return faults.issues(_root(resource), found)


def check_unit(
    resources: Sequence[tuple[str, Any]], only: Collection[str] | None = None
) -> list[Issue]:
    """Check each (urn, resource) of a unit, and that `urn:` references lead to a right one in it.

    Paths start with the resource's type; two of a type are told apart as `Patient[1]` (from 0).
    `only` names those that are asked, when the others were found sound before.
    """
    kinds = _kinds(resources)
    found: list[Issue] = []
    numbers: list[int] = []
    for place, (urn, resource) in enumerate(resources):
        fixed = type(resource) is Constant and resource.sure is _faults
        if fixed or (only is not None and urn not in only):
            continue
        wrong, met = _inspect(resource, kinds[urn])
        if met.urns or met.links:
            wrong += _resolve(resource, met, kinds)
        if wrong:
            root = _root(resource)
            numbers = numbers or _numbers(resources)
            number = numbers[place]
            found += faults.issues(f"{root}[{number}]" if number else root, wrong)
    return found


def _numbers(resources: Sequence[tuple[str, Any]]) -> list[int]:
    """The number of each resource among those of its type, from 0."""
    counts: Counter[str] = Counter()
    found = []
    for _, resource in resources:
        kind = _kind(resource)
        found.append(counts[kind])
        counts[kind] += 1
    return found


def _kinds(resources: Sequence[tuple[str, Any]]) -> dict[str, str]:
    try:
        kinds = {urn: resource["resourceType"] for urn, resource in resources}
        if set(map(type, kinds.values())) <= _TEXT:
            return kinds
    except (KeyError, TypeError):  # what is no resource
        pass
    return {urn: _kind(resource) for urn, resource in resources}


_TEXT = {str}


def _inspect(resource: Any, kind: str) -> tuple[list[Fault], Walk]:
    """Faults and References; what was sound is not asked again where units share resources.

    The same ward, physician and payer stand in thousands of messages. No member is remembered.
    """
    if type(resource) is Constant:
        return _inspect_fixed(resource)
    if kind not in _SHARED:
        return structure.inspect(resource)
    text = data.dumps(resource)
    known = _sound.get(text)
    if known is not None:
        return [], known
    wrong, met = structure.inspect(resource)
    if not wrong:
        if len(_sound) >= _MOST:
            _sound.clear()
        _sound[text] = met
    return wrong, met


def _inspect_fixed(resource: Constant) -> tuple[list[Fault], Walk]:
    walk = Walk()
    for known, met, urns in resource.sound:
        if known is _faults:
            walk.links, walk.urns = list(met), list(urns)
            return [], walk
    wrong = once(_faults, resource, walk)
    return wrong or [], walk


def _faults(resource: Any, walk: Walk) -> list[Fault]:
    wrong, met = structure.inspect(resource)
    walk.links += [link for link in met.links if "reference" in link[0]]
    walk.urns += met.urns
    return wrong


def _kind(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


def _root(resource: Any) -> str:
    kind = _kind(resource)
    return kind if kind in r4.resources() else "Resource"


def _resolve(resource: Any, met: Walk, kinds: Mapping[str, str]) -> list[Fault]:
    found: list[Fault] = []
    for urn, node, targets in met.urns:
        kind = kinds.get(urn)
        if kind is None or (targets and kind not in targets):
            found.append(_unresolved(resource, (node, targets), kind))
    for node, targets in met.links:
        reference = node.get("reference")
        if reference is None:
            continue
        kind = kinds.get(reference)
        wrong = targets and kind not in targets if kind is not None else reference[:4] == _URN
        if wrong:
            found.append(_unresolved(resource, (node, targets), kind))
    return found


def _unresolved(resource: Json, link: Link, kind: str | None) -> Fault:
    if kind is not None:
        return links.wrong_target(resource, link)
    text = "nothing in this unit has this urn"
    return Fault(links.place(resource, link[0]), "reference", text)


def _bundle(bundle: Json) -> list[Fault]:
    """`urn:` references between the entries of a Bundle whose structure is sound."""
    entries = bundle.get("entry", ())
    kinds = {e["fullUrl"]: _kind(e.get("resource")) for e in entries if "fullUrl" in e}
    found: list[Fault] = []
    for index, entry in enumerate(entries):
        if "resource" in entry:
            wrong = _resolve(entry["resource"], structure.inspect(entry["resource"])[1], kinds)
            found += below(f".entry[{index}].resource", wrong)
    return found
