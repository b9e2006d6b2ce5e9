"""From drafts to entries: names, links, what FHIR requires, and the unit's Provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from adapter import data, terms
from adapter.constant import Constant, fixed
from adapter.mapping import keys
from adapter.mapping.run import Draft, Link, Run, Side, urn
from adapter.outcome import Outcome
from adapter.record import Entry, Resource

BASE = "https://ecm-adapter.example/fhir"
_ABSENT = fixed(
    {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                "valueCode": "unknown",
            }
        ]
    }
)


def finish(run: Run) -> Outcome:
    """The Outcome of a run: every draft named, linked and completed, or refused with its issues."""
    outcome = Outcome(run.unit, issues=run.issues)
    if not outcome.ok:
        return outcome
    provenance = run.drafts.pop("Provenance", None)
    drafts = [d for d in run.made if d is not provenance and _says(d)]
    if not (drafts or run.side):
        return outcome
    _name(run, drafts)
    entries = [_entry(draft) for draft in _unique(drafts)]
    about = [draft.urn for draft in drafts if draft.kind not in _PASSING]
    for side in run.side.values():
        if side.links:
            _link(run, side)
        named = side.named
        entries.append((named and named.done.get((side.line, side.label))) or _completed(side))
        if side.kind not in _PASSING:
            about.append(side.urn)
    targets = dict.fromkeys(about or [entry.urn for entry in entries])
    entries.append(_provenance(run, provenance, targets))
    outcome.entries = entries
    return outcome


# What units name in passing, thousands of them the same: their Provenance is not about it, unless
# about nothing else.
_PASSING = frozenset(("Location", "Organization", "Practitioner"))


def _says(draft: Draft) -> bool:
    """Whether there is something to store: a value, or a deletion in what is surely named."""
    if draft.cleared and not draft.origins:
        return not any(path.endswith("?") for path in draft.key)
    return len(draft.resource) > 1 or bool(draft.cleared)


def _name(run: Run, drafts: list[Draft]) -> None:
    """Give every draft its urn: by business identifier, by key, or by its place in the unit."""
    keyed = []
    for draft in drafts:
        if draft.urn:
            continue  # made before, of the same cells
        draft.identity = identity(draft.resource)
        if draft.identity:
            draft.key, draft.urn = (), urn(draft.kind, *draft.identity[0])
        elif draft.key:
            keyed.append(draft)
        else:
            draft.urn = urn(draft.kind, *_place(run, draft))
    while keyed:
        draft = _next(run, keyed)
        _link(run, draft)
        draft.key = keys.texts(draft)
        draft.urn = urn(draft.kind, *(draft.key or _place(run, draft)))
    for draft in drafts:
        if draft.links:
            _link(run, draft)


def _link(run: Run, draft: Draft | Side) -> None:
    """Write the references whose target has its name by now."""
    waiting: list[Link] = []
    drafts = run.drafts
    for link in draft.links:
        _, put, to = link
        aim = drafts.get(to) if isinstance(to, str) else to
        if aim is not None and aim.urn:
            put(draft, {"reference": aim.urn}, 0)
        else:
            waiting.append(link)
    draft.links = waiting


def _aim(run: Run, link: Link) -> Draft | None:
    return run.drafts.get(link.to) if isinstance(link.to, str) else link.to


def _next(run: Run, keyed: list[Draft]) -> Draft:
    """Take the first draft whose key needs none of the others out of the list."""
    for place, draft in enumerate(keyed):
        if not draft.links or not _waits(run, draft, keyed):
            return keyed.pop(place)
    return keyed.pop(0)


def _waits(run: Run, draft: Draft, keyed: list[Draft]) -> bool:
    """Whether the key needs a reference to a draft that has no name yet."""
    roots = keys.roots(draft.key)
    for link in draft.links:
        if link[0] in roots:
            aim = _aim(run, link)
            if aim is not None and not aim.urn and aim in keyed:
                return True
    return False


def _place(run: Run, draft: Draft) -> tuple[str, ...]:
    unit = run.unit
    if not run.place:
        run.place = unit.key or f"{unit.at.source}:{unit.at.line}"
        if unit.kind == "adt":  # senders leave control ids out, and use them for other content
            run.place += hashlib.sha256(unit.raw).hexdigest()[:16]
    return unit.source, run.place, draft.name, str(draft.line)


_GATHERED = ("identifier", "link")  # of one person in several groups of a merge message


def _unique(drafts: list[Draft]) -> list[Draft]:
    """One draft a name: a later one of the same name adds what the first lacks."""
    seen: dict[str, Draft] = {}
    for draft in drafts:
        first = seen.setdefault(draft.urn, draft)
        if first is not draft:
            for element, value in draft.resource.items():
                known = first.resource.setdefault(element, value)
                if known is not value and element in _GATHERED and isinstance(known, list):
                    first.resource[element] = _joined(known, value)
            first.identity = tuple(dict.fromkeys((*first.identity, *draft.identity)))
            first.origins += draft.origins
    return list(seen.values())


def _joined(known: list[Resource], more: list[Resource]) -> list[Resource]:
    """Two lists as one, an identifier once; one that is old by any of them is old."""
    found: dict[bytes, Resource] = {}
    for item in (*known, *more):
        name = {"system": item.get("system"), "value": item["value"]} if "value" in item else item
        key = data.dumps(name)
        if key not in found or item.get("use") == "old":
            found[key] = item
    return list(found.values())


@cache
def _identity_types() -> dict[str, dict[str, int]]:
    raw = data.toml(data.path("mappings", "identity.toml"))
    return {
        kind: {code: rank for rank, code in enumerate(table["types"])}
        for kind, table in raw.items()
        if isinstance(table, dict)
    }


@cache
def _fillers() -> tuple[frozenset[str], int]:
    raw = data.toml(data.path("mappings", "identity.toml"))
    return frozenset(raw["fillers"]), raw["repeated"]


def filler(value: str) -> bool:
    """Whether a text only fills the place of a number (mappings/identity.toml)."""
    words, often = _fillers()
    if len(value) >= often and value[0] == value[-1] and not value.replace("-", "").strip(value[0]):
        return True
    return value.upper() in words


def identity(resource: Resource) -> tuple[tuple[str, str], ...]:
    """The (system, value) identifiers that name a resource everywhere, the surest first.

    Which identifier types do so, and what is no number at all, is data: mappings/identity.toml.
    """
    ranks = _identity_types().get(resource["resourceType"])
    items = resource.get("identifier")
    if ranks is None or not items:
        return ()
    found = []
    for item in items if isinstance(items, list) else (items,):
        system, value = item.get("system"), item.get("value")
        if system and value:
            rank = _rank(item.get("type"), ranks)
            if rank is not None and not filler(value):
                found.append((rank, system, value))
    if len(found) > 1:
        found.sort()
    return tuple([one[1:] for one in found])


def _rank(kind: Any, ranks: dict[str, int]) -> int | None:
    """How sure an identifier of this type is; the surest of its codings counts."""
    if kind is None or "coding" not in kind:
        return ranks.get("")
    codings = kind["coding"]
    if len(codings) == 1:
        return ranks.get(codings[0].get("code"))
    known = [ranks[c["code"]] for c in codings if c.get("code") in ranks]
    return min(known) if known else None


@cache
def _required(kind: str) -> tuple[tuple[str, str, Any], ...]:
    """What a resource must hold, with its name without `_` and what is written if it is absent."""
    table = data.toml(data.path("mappings", "required.toml")).get(kind, {})
    return tuple((name, name.removeprefix("_"), fixed(value)) for name, value in table.items())


@cache
def _stated(profile: str) -> dict[str, Any]:
    """The `meta` that claims one of our profiles, the same object for all that claim it."""
    stated: dict[str, Any] = fixed({"profile": [f"{BASE}/StructureDefinition/{profile}"]})
    return stated


_MANY = 100  # origins of which many are the same: those of a field that repeats


def _entry(draft: Draft) -> Entry:
    resource, weak = draft.resource, []
    if draft.profile:
        stated = _stated(draft.profile)
        resource["meta"] = {**stated, **resource["meta"]} if "meta" in resource else stated
    wrong = "verificationStatus" in resource and _entered_in_error(draft)
    for element, name, value in _required(draft.kind):
        if element not in resource and name not in resource:
            if wrong and element == "clinicalStatus":
                continue
            resource[element] = value
            if element != "meta":
                weak.append(element)
    return Entry(
        resource,
        draft.urn,
        draft.identity,
        draft.key,
        draft.origins if len(draft.origins) < _MANY else list(dict.fromkeys(draft.origins)),
        tuple(draft.cleared),
        (*weak, *draft.weak),
        draft.parts,
    )


def _completed(side: Side) -> Entry:
    """What becomes of a resource that a value names; of one that many units name, once."""
    named, told = side.named, (side.line, "", side.label)
    known = next(iter(named.done.values()), None) if named is not None else None
    if known is not None:
        entry = replace(known, key=side.key, told=(told,))
    else:
        entry = _complete(side, told)
    if named is not None and type(entry.resource) is Constant:
        if len(named.done) >= _PLACES:
            named.done.clear()
        named.done[side.line, side.label] = entry
    return entry


_PLACES = 100  # places of which the entry of a named resource is remembered


def _complete(side: Side, told: tuple[int, str, str]) -> Entry:
    lacks = {
        element: value
        for element, name, value in _required(side.kind)
        if element not in side.resource and name not in side.resource
    }
    whole = {**side.resource, **lacks}
    resource = fixed(whole) if type(side.resource) is Constant else whole
    weak = tuple(element for element in lacks if element != "meta")
    own = tuple([one for one in identity(resource) if one == side.key])  # not what else it is given
    return Entry(resource, side.urn, own, side.key, (told,), (), weak)


def _entered_in_error(draft: Draft) -> bool:
    """Whether it never was true; then it has no clinical status any more (con-5, ait-2)."""
    codings = draft.resource["verificationStatus"].get("coding", ())
    wrong = any(coding.get("code") == "entered-in-error" for coding in codings)
    if wrong:
        draft.resource.pop("clinicalStatus", None)
        draft.cleared.append("clinicalStatus")
    return wrong


def _provenance(run: Run, draft: Draft | None, targets: Iterable[str]) -> Entry:
    """Who said all this and in which unit (US Core Provenance: target, recorded, agent.who)."""
    unit = run.unit
    resource: Resource = draft.resource if draft else {"resourceType": "Provenance"}
    resource["target"] = [{"reference": target} for target in targets]
    if "recorded" not in resource:
        known = unit.as_of.partition(" ")[0] or unit.received
        resource["recorded" if known else "_recorded"] = known or _ABSENT
    if "agent" not in resource:
        resource["agent"] = _agent(unit.source)
    at = str(unit.at)
    place = {"system": terms.system("unit"), "value": unit.key or at}
    source = {"role": "source", "what": {"identifier": place, "display": at}}
    resource["entity"] = [source, *resource.get("entity", ())]
    return Entry(resource, urn("Provenance", unit.source, unit.key or at))


@lru_cache(maxsize=1024)
def _agent(source: str) -> list[Resource]:
    """Who put the unit together, where it does not say: its sender."""
    who = {"identifier": {"system": terms.system("source"), "value": source}}
    agent: list[Resource] = fixed([{"type": {"coding": [_ASSEMBLER]}, "who": who}])
    return agent


_ASSEMBLER = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "assembler",
}
