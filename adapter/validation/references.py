"""The resources of one unit together: each checked, and every reference inside it resolves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from adapter import data
from adapter.issues import Issue
from adapter.record import Constant
from adapter.validation import faults, links, profiles, r4, structure
from adapter.validation.faults import Fault, Json, Link, Walk, below

_URN = "urn:"
_SHARED = frozenset({"Location", "Organization", "Practitioner"})
_MOST = 20_000
_sound: dict[bytes, list[Link]] = {}  # sound resources by their JSON; emptied when full


def check(resource: Json, profile: str | None = None) -> list[Issue]:
    """R4 structure, required codes, invariants, and the profiles that meta.profile states.

    `profile` asks for one more of our profiles by url. In a Bundle every entry is checked, and
    `urn:` references lead to an entry. Never raises on what the resource holds.
    """
    found, met = structure.inspect(resource)
    if profile is not None and not found:
        walk = Walk()
        found += profiles.against(resource, profile, walk)
        found += links.faults(resource, walk.links)
        met += walk.links
    if not found and resource["resourceType"] == "Bundle":
        found += _bundle(resource)
    return faults.issues(_root(resource), found)


def check_unit(
    resources: Sequence[tuple[str, Json]], only: Collection[str] | None = None
) -> list[Issue]:
    """Check each (urn, resource) of a unit, and that `urn:` references lead to a right one in it.

    Paths start with the resource's type; two of a type are told apart as `Patient[1]` (from 0).
    `only` names those that are asked, when the others were found sound before.
    """
    kinds = {urn: _kind(resource) for urn, resource in resources}
    seen: dict[str, int] = {}
    found: list[Issue] = []
    for urn, resource in resources:
        kind = kinds[urn]
        number = seen[kind] = seen.get(kind, -1) + 1
        if only is not None and urn not in only:
            continue
        wrong, met = _inspect(resource, kind)
        wrong += _resolve(resource, met, kinds) if met else []
        if wrong:
            root = _root(resource)
            found += faults.issues(f"{root}[{number}]" if number else root, wrong)
    return found


def _inspect(resource: Json, kind: str) -> tuple[list[Fault], list[Link]]:
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


def _inspect_fixed(resource: Constant) -> tuple[list[Fault], list[Link]]:
    for known, met in resource.sound:
        if known is structure.inspect:
            return [], list(met)
    wrong, found = structure.inspect(resource)
    if not wrong:
        resource.sound = (*resource.sound, (structure.inspect, tuple(found)))
    return wrong, found


def _kind(resource: Any) -> str:
    return str(resource.get("resourceType", "")) if isinstance(resource, dict) else ""


def _root(resource: Any) -> str:
    kind = _kind(resource)
    return kind if kind in r4.resources() else "Resource"


def _resolve(resource: Json, met: Iterable[Link], kinds: Mapping[str, str]) -> list[Fault]:
    found: list[Fault] = []
    for node, targets in met:
        reference = node.get("reference", "")
        kind = kinds.get(reference)
        if kind is not None:
            if targets and kind not in targets:
                found.append(links.wrong_target(resource, (node, targets)))
        elif reference[:4] == _URN:
            text = "nothing in this unit has this urn"
            found.append(Fault(links.place(resource, node), "reference", text))
    return found


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
