"""Lists that a message tells as a whole: what a sender no longer names is withdrawn.

HL7 v2.9 chapter 2.10.4 (snapshot mode): the segments of a message take the place of those sent
before. Each resource of a list has a life of its own, so the list itself is kept with the person:
whichever of two lists is newer decides, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.store.registers import WEAK, Contribution, Register, Stamp
from adapter.store.work import State, Work

MARK = "~"  # begins the name of a list's register; it is no element
_NOW, _EVER = "now", "ever"

# What a resource becomes when its sender no longer names it and nobody else does.
_INACTIVE = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_WITHDRAWN: dict[str, tuple[str, Any]] = {
    "AllergyIntolerance": (
        "clinicalStatus",
        {"coding": [{"system": _INACTIVE, "code": "inactive", "display": "Inactive"}]},
    ),
    "Coverage": ("status", "cancelled"),
    "RelatedPerson": ("active", False),
}


def replaced(
    person: State, source: str, segment: str, refs: Sequence[str], stamp: Stamp
) -> tuple[list[str], Stamp]:
    """Take a list in; gives what is withdrawn by it, or by a newer one, and as of when."""
    mine = person.contributions.setdefault(source, {})
    old = mine.get(MARK + segment)
    before: dict[str, Any] = (old.value if old else None) or {_NOW: [], _EVER: []}
    newer = old is None or stamp.order > old.stamp.order
    ever = sorted({*before[_EVER], *refs})
    now = sorted(set(refs)) if newer else before[_NOW]
    as_of = stamp if newer or old is None else old.stamp
    mine[MARK + segment] = Register(as_of, {_NOW: now, _EVER: ever})
    return [ref for ref in ever if ref not in now], as_of


def unite(person: State, source: str, said: Contribution) -> Contribution:
    """Make one of the lists that two people have who become one; gives the rest of what is said.

    The newer one decides, as if both had been told of one person from the start.
    """
    mine = person.contributions.get(source, {})
    rest = dict(said)
    for name, theirs in said.items():
        own = mine.get(name) if _is_list(name, theirs) else None
        if own is not None:
            newest = max(own, rest.pop(name), key=lambda register: register.stamp.order)
            ever = {*_value(own)[_EVER], *_value(theirs)[_EVER]}
            mine[name] = newest._replace(value={**_value(newest), _EVER: sorted(ever)})
    return rest


def lead_on(person: State, old: str, new: str) -> None:
    """Name in a person's lists what a resource became."""
    for mine in person.contributions.values():
        for name, one in mine.items():
            if _is_list(name, one) and old in _value(one)[_EVER]:
                led = {
                    key: sorted({new if ref == old else ref for ref in refs})
                    for key, refs in _value(one).items()
                }
                mine[name] = one._replace(value=led)


def gone(person: State) -> list[tuple[str, str, Stamp]]:
    """(source, reference, since when) of all that a person's lists named and name no more."""
    return [
        (source, ref, one.stamp)
        for source, mine in person.contributions.items()
        for name, one in mine.items()
        if _is_list(name, one)
        for ref in _value(one)[_EVER]
        if ref not in _value(one)[_NOW]
    ]


def _is_list(name: str, register: Register) -> bool:
    return name.startswith(MARK) and _EVER in _value(register)


def _value(register: Register) -> dict[str, Any]:
    return register.value or {}


def ended(kind: str) -> str:
    """The element by which a resource of a list is withdrawn, `""` for what is in no list."""
    return _WITHDRAWN[kind][0] if kind in _WITHDRAWN else ""


def withdrawal(work: Work, ref: str, source: str, stamp: Stamp) -> Contribution:
    """What withdraws a resource; nothing when its sender has said nothing newer of it since.

    What the sender said is outdated, what others say stands; only if nobody does it is inactive.
    """
    kind, _, uid = ref.partition("/")
    state, told = work.state(kind, uid), _WITHDRAWN.get(kind)
    if state is None or told is None or state.deleted:
        return {}
    name, value = told
    said = state.contributions.get(source, {}).get(name)
    if said is not None and said.value is None and said.stamp.order >= stamp.order:
        return {}
    if said is not None and said.value is None and name + WEAK in state.contributions[source]:
        return {}
    return {name: Register(stamp, None), name + WEAK: Register(stamp, {name: value})}
