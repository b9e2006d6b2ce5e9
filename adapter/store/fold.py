"""Element ownership: a resource is the fold of what each source says, in any order of arrival."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from adapter import data
from adapter.record import Resource
from adapter.store import movements, pieces
from adapter.store.movements import Replay
from adapter.store.registers import WEAK, Contribution, Contributions, Register, Slot, Stamp

META = ("profile", "security", "source", "tag")
EVERYTHING = "*"  # the slot by which a deletion outdates all that was said before
API = "api"
_NOT_OWNED = frozenset(("resourceType", "id", "meta"))

_TIMES = ("DateTime", "Age", "Period", "Range", "String")
_CHOICES = {
    "abatement": _TIMES,
    "deceased": ("Boolean", "DateTime"),
    "due": ("Date", "Duration"),
    "effective": ("DateTime", "Period", "Timing", "Instant"),
    "medication": ("CodeableConcept", "Reference"),
    "multipleBirth": ("Boolean", "Integer"),
    "occurrence": ("DateTime", "Period", "Timing"),
    "onset": _TIMES,
    "performed": _TIMES,
    "reported": ("Boolean", "Reference"),
    "serviced": ("Date", "Period"),
    "source": ("Attachment", "Reference"),
    "start": ("Date", "CodeableConcept"),
    "value": (
        "Boolean", "CodeableConcept", "DateTime", "Integer", "Period", "Quantity", "Range",
        "Ratio", "SampledData", "String", "Time",
    ),
}  # fmt: skip
_CHOICE = {stem + kind: stem for stem, kinds in _CHOICES.items() for kind in kinds}


class Precedence(NamedTuple):
    """Who is believed (mappings/precedence.toml), and what the messages of a stay come to."""

    rank: Mapping[str, int]
    newest: frozenset[str]
    whole: frozenset[str]
    replay: Replay = movements.newest

    def of(self, source: str) -> int:
        """The rank of a source; 0 when its word before the colon is not in the table."""
        return self.rank.get(source.partition(":")[0], 0)


def precedence(replay: Replay = movements.newest) -> Precedence:
    """The shipped table of precedence, with a state machine for stays."""
    table = data.toml(data.path("mappings", "precedence.toml"))
    return Precedence(
        table["rank"],
        frozenset(table["newest"]["types"]),
        frozenset(table["whole"]["elements"]),
        replay,
    )


@lru_cache(maxsize=4096)
def slot(element: str) -> str:
    """The slot of an element: `_x` belongs to `x`, the types of a choice share one slot."""
    bare = element.removeprefix("_")
    return _CHOICE.get(bare, bare)


def slots(resource: Resource) -> dict[str, Slot]:
    """What a resource says, by slot; `meta` gives the slots `meta.profile`, `meta.tag`, ..."""
    found: dict[str, Slot] = {}
    for name, value in resource.items():
        if name not in _NOT_OWNED:
            found.setdefault(slot(name), {})[name] = value
    meta = resource.get("meta", {})
    for part in META:
        if part in meta:
            found[f"meta.{part}"] = {part: meta[part]}
    return found


def alone(resource: Resource) -> Resource:
    """The fold of one source that says all of a resource at once, and no more."""
    said = resource.get("meta", {})
    meta = {part: said[part] for part in META if part in said}
    return _in_order({n: v for n, v in resource.items() if n not in _NOT_OWNED}, meta)


def _in_order(elements: Resource, meta: Slot) -> Resource:
    ordered = dict(sorted(elements.items()))
    return {"meta": dict(sorted(meta.items())), **ordered} if meta else ordered


def recorded(resource: Resource, stamp: Stamp) -> Contribution:
    """What a source says that says a whole resource at once, with no cell for any of it."""
    return {name: Register(stamp, value) for name, value in slots(resource).items()}


def merge(contributions: Contributions, source: str, said: Contribution) -> bool:
    """Take in what a unit of a source says; per slot the newest stays. True if anything changed."""
    mine, changed = contributions.setdefault(source, {}), False
    for name, register in said.items():
        old = mine.get(name)
        if old is None or register.stamp.order > old.stamp.order:
            mine[name], changed = register, True
    return changed


def repeats(mine: Contribution, said: Contribution) -> bool:
    """Whether a source says all that it said before, at one time, once more: no fold changes."""
    if len(mine) != len(said) or len({register.stamp for register in mine.values()}) != 1:
        return False
    pairs = ((mine.get(name), register) for name, register in said.items())
    return all(
        old is not None and (old.value is new.value or old.value == new.value) for old, new in pairs
    )


def overwrite(
    kind: str, contributions: Contributions, resource: Resource, stamp: Stamp, order: Precedence
) -> None:
    """Make the fold equal `resource` (an API write): `api` owns what it changed, others the rest.

    What others said until now of a changed element is outdated; later units apply on top.
    Profiles, tags and security labels are only added to, never taken away.
    """
    said = _whole(contributions, order)
    wanted, current = slots(resource), slots(fold(kind, said, order))
    for name in wanted.keys() | current.keys():
        value = wanted.get(name)
        if value == current.get(name) or (name.startswith("meta.") and value is None):
            continue
        mine = contributions.setdefault(API, {})
        mine[name] = Register(_after(said, name, stamp), value)


def outdate(contributions: Contributions, stamp: Stamp) -> None:
    """Forget all (a deletion): only what is newer than everything said so far counts again."""
    said = [register.stamp.as_of for mine in contributions.values() for register in mine.values()]
    latest = stamp._replace(as_of=max([stamp.as_of, *said]))
    contributions.clear()
    contributions[API] = {EVERYTHING: Register(latest, None)}


def fold(kind: str, contributions: Contributions, order: Precedence) -> Resource:
    """What the resource is: its elements in order of name, without id; `{}` when nothing is said.

    Single-valued elements: rank of the source, then time (types of `newest`: time, then rank).
    Lists: the union, the higher rank first; identifiers by system and value; telecom and address
    without use and period; extensions by url, each from one source.
    """
    result: Resource = {}
    meta: Slot = {}
    for name, value in _settled(kind, _whole(contributions, order), order):
        (meta if name.startswith("meta.") else result).update(value)
    if "clinicalStatus" in result and _never_was(result):
        del result["clinicalStatus"]  # R4 con-5, ait-2: by whomever it is said
    if kind == "Coverage" and "identifier" in result:
        result["identifier"] = _of_one_member(result["identifier"])
    return _in_order(result, meta)


def _never_was(resource: Resource) -> bool:
    """Whether a diagnosis or an allergy was entered in error."""
    codings = resource.get("verificationStatus", {}).get("coding", ())
    return any(coding.get("code") == "entered-in-error" for coding in codings)


def _of_one_member(identifiers: list[Any]) -> list[Any]:
    """A coverage has one member number: his who is believed first (US Core, slice memberid)."""
    members = [
        one
        for one in identifiers
        if any(coding.get("code") == "MB" for coding in one.get("type", {}).get("coding", ()))
    ]
    return [one for one in identifiers if one not in members[1:]] if members[1:] else identifiers


def winners(
    kind: str, contributions: Contributions, order: Precedence
) -> Iterator[tuple[str, str, Register]]:
    """(slot, source, register) of all that made the present fold, in order of slot."""
    contributions = _whole(contributions, order, traced=True)
    for name, says in sorted(_by_slot(contributions).items()):
        live = _ordered(_live(name, says, contributions), order)
        if not live:
            continue
        united = _united(kind, name, live, order)
        best = _best(kind, live, order)
        yield from ((name, *one) for one in live if united or one == best)


_Says = tuple[str, Register]


def _settled(
    kind: str, contributions: Contributions, order: Precedence
) -> Iterator[tuple[str, Slot]]:
    """(slot, value); most resources have one source, and need no judging."""
    if len(contributions) > 1 or API in contributions:
        for name, says in _by_slot(contributions).items():
            yield name, _settle(kind, name, _live(name, says, contributions), order)
        return
    for mine in contributions.values():
        for name, register in mine.items():
            bare = name.removesuffix(WEAK)
            over = mine.get(bare) if bare != name else None
            if register.value is not None and (over is None or over.value is None):
                yield bare, register.value


def _by_slot(contributions: Contributions) -> dict[str, list[_Says]]:
    """Per slot who says what, weak registers included; the deletion mark is not a slot."""
    found: dict[str, list[_Says]] = {}
    for source, mine in contributions.items():
        for name, register in mine.items():
            if name != EVERYTHING:
                found.setdefault(name.removesuffix(WEAK), []).append((source, register))
    return found


def _live(name: str, says: list[_Says], contributions: Contributions) -> list[_Says]:
    """Those that count: not outdated by the API, with a value, weak ones only in a gap."""
    cut = _cut(name, contributions.get(API, {}))
    live = [
        one
        for one in says
        if one[1].value is not None and (one[0] == API or one[1].stamp.as_of > cut)
    ]
    strong = [one for one in live if one[1] is contributions[one[0]].get(name)]
    return strong or live


def _cut(name: str, mine: Contribution) -> str:
    marks = (EVERYTHING,) if name.startswith("meta.") else (EVERYTHING, name)
    return max((mine[mark].stamp.as_of for mark in marks if mark in mine), default="")


def _after(contributions: Contributions, name: str, stamp: Stamp) -> Stamp:
    """The stamp, not earlier than anything said of a slot until now."""
    said = [
        mine[key].stamp.as_of
        for mine in contributions.values()
        for key in (name, name + WEAK)
        if key in mine
    ]
    return stamp._replace(as_of=max([stamp.as_of, *said]))


def _whole(contributions: Contributions, order: Precedence, traced: bool = False) -> Contributions:
    """What is said with every element in one piece, as far as the API did not outdate it.

    `traced`: with the cells that what messages tell of a stay came from.
    """
    claimed = contributions.get(API, {})
    told = movements.settled(contributions, order.replay, _cut(EVERYTHING, claimed), traced)
    return pieces.whole(told, lambda name: _cut(name, claimed) if claimed else "")


def _ordered(live: list[_Says], order: Precedence) -> list[_Says]:
    if len(live) < 2:
        return live
    return sorted(live, key=lambda one: (-order.of(one[0]), one[0]))


def _best(kind: str, live: list[_Says], order: Precedence) -> _Says:
    def weight(one: _Says) -> tuple[Any, ...]:
        rank, as_of = order.of(one[0]), one[1].stamp.as_of
        first = (as_of, rank) if kind in order.newest else (rank, as_of)
        return (*first, one[1].stamp.tie, one[0])

    return live[0] if len(live) == 1 else max(live, key=weight)


def _settle(kind: str, name: str, live: list[_Says], order: Precedence) -> Slot:
    if not live:
        return {}
    live = _ordered(live, order)
    if len(live) > 1 and _united(kind, name, live, order):
        return {name.removeprefix("meta."): _union(kind, name, live, order)}
    return _best(kind, live, order)[1].value or {}


def _united(kind: str, name: str, live: list[_Says], order: Precedence) -> bool:
    """True when everyone gives a plain list for the slot, of which a union makes sense."""
    bare = name.removeprefix("meta.")
    return f"{kind}.{name}" not in order.whole and all(
        register.value is not None
        and register.value.keys() == {bare}
        and isinstance(register.value[bare], list)
        for _, register in live
    )


def _union(kind: str, name: str, live: list[_Says], order: Precedence) -> list[Any]:
    bare = name.removeprefix("meta.")
    if bare == "extension":
        return _extensions(kind, live, order)
    items = [item for _, register in live for item in (register.value or {})[bare]]
    found = _distinct(items, _KEYS.get(name, _text))
    if name != "identifier":
        return found
    old = {_by_value(item) for item in items if item.get("use") == "old"}
    return [{**one, "use": "old"} if _by_value(one) in old else one for one in found]


def _extensions(kind: str, live: list[_Says], order: Precedence) -> list[Any]:
    """Each url from one source only: two races of one person would not be valid."""
    by_url: dict[str, list[_Says]] = {}
    for source, register in live:
        for url in {item.get("url", "") for item in (register.value or {})["extension"]}:
            by_url.setdefault(url, []).append((source, register))
    found = []
    for url, says in sorted(by_url.items()):
        value = _best(kind, says, order)[1].value or {}
        found += [item for item in value["extension"] if item.get("url", "") == url]
    return found


def _distinct(items: Iterable[Any], key: Callable[[Any], str]) -> list[Any]:
    """Items without repeats; of two with one key the richer stays, in the first one's place."""
    kept: dict[str, Any] = {}
    for item in items:
        name = key(item)
        if name not in kept or len(_text(item)) > len(_text(kept[name])):
            kept[name] = item
    return list(kept.values())


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _by_value(identifier: Any) -> str:
    if identifier.get("value"):
        return f"{identifier.get('system', '')}|{identifier['value']}"
    return _text(identifier)


def _by_code(coding: Any) -> str:
    return f"{coding.get('system', '')}|{coding['code']}" if coding.get("code") else _text(coding)


def _without_use(item: Any) -> str:
    return _text({key: item[key] for key in item if key not in ("use", "period", "rank")})


_KEYS: dict[str, Callable[[Any], str]] = {
    "address": _without_use,
    "identifier": _by_value,
    "meta.security": _by_code,
    "meta.tag": _by_code,
    "telecom": _without_use,
}
