"""Two resources that were one thing from the start become it: of one of them nothing is left.

Not a merge, of which both records stay: here the second was only made because messages came late.
"""

from __future__ import annotations

import json

from adapter.record import Resource
from adapter.store import direct, linking, lists, merging
from adapter.store.fold import merge
from adapter.store.renaming import Join
from adapter.store.work import State, Work, identity_of

# What messages tell anew by a key of their own, in which the stay or the person stands.
_KEYED = frozenset(
    ("Account", "AllergyIntolerance", "Condition", "Coverage", "Procedure", "RelatedPerson")
)


def join(work: Work, pair: Join, unit: int, now: str) -> list[str]:
    """Say of the one all that was said of the other, which is deleted. Returns what changed."""
    on, off = work.state(pair.kind, pair.stays), work.state(pair.kind, pair.goes)
    if on is None or off is None or work.merged.survivor(on.kind, on.id) == off.id:
        return []  # they are one already
    work.merged.add(pair.kind, pair.goes, pair.stays, unit)
    _rename(work, off, on)
    for source, said in off.contributions.items():
        merging.take_over(work, on, source, said)
    linking.forget_own(work, on)
    stay = _stay(off.content)
    before = {ref for ref in merging.referring(work, on.ref) if ref[0] in _KEYED}
    direct.delete(work, off.kind, off.id, now)
    merging.saved(work, on, now)
    changed = merging.repointed(work, (off.ref, on.ref), off.ref, now, everywhere=True)
    changed += _led_on(work, stay, (off.ref, on.ref), now)
    changed += _of_one(work, on, before, unit, now)
    return [on.ref, off.ref, *dict.fromkeys(changed)]


def merged(work: Work, pair: merging.Pair, unit: merging.Telling) -> list[str]:
    """Carry a merge out; what both had alike they have once. Returns what changed.

    A survivor that the same unit merged into another before is that other by now.
    """
    pair = pair._replace(survivor=work.merged.survivor(pair.kind, pair.survivor))
    on = work.state_or_new(pair.kind, pair.survivor)
    before = {ref for ref in merging.referring(work, on.ref) if ref[0] in _KEYED}
    changed = merging.join(work, pair, unit)
    if changed:
        changed += _of_one(work, on, before, unit.stamp.unit, unit.now)
    return changed


def _of_one(work: Work, on: State, before: set[tuple[str, str]], unit: int, now: str) -> list[str]:
    """Of what two had who are one now: join the same, withdraw what the newer list leaves out."""
    changed: list[str] = []
    for twin in _twins(work, on, before):
        lists.lead_on(on, f"{twin.kind}/{twin.goes}", f"{twin.kind}/{twin.stays}")
        work.contributed(on, *on.contributions)
        changed += join(work, twin, unit, now)
    for source, ref, as_of in lists.gone(on):
        said, state = lists.withdrawal(work, ref, source, as_of), work.state(*ref.split("/"))
        if said and state is not None and merge(state.contributions, source, said):
            work.contributed(state, source)
            changed += [ref] if merging.saved(work, state, now) else []
    return changed


def _stay(content: Resource) -> str:
    stay = content.get("encounter")
    return str(stay.get("reference", "")) if isinstance(stay, dict) else ""


def _led_on(work: Work, stay: str, lead: tuple[str, str], now: str) -> list[str]:
    """A stay lists its diagnoses, and no index tells which; so do those merged into it."""
    kind, _, uid = stay.partition("/")
    on = work.merged.survivor(kind, uid) if uid else ""
    changed = []
    for one in (on, *work.merged.losers(kind, on)) if on else ():
        state = work.state(kind, one)
        if state is not None and not state.deleted:
            merging.lead_on(work, state, *lead)
            changed += [state.ref] if merging.saved(work, state, now) else []
    return changed


def _rename(work: Work, off: State, on: State) -> None:
    """Let the identifiers of the one name the other."""
    for item in off.content.get("identifier", ()):
        identity = identity_of(off.kind, str(item.get("system", "")), str(item.get("value", "")))
        if work.owner(identity) == off.id:
            work.unregister(identity)
            work.register(identity, on.id)


def _twins(work: Work, on: State, before: set[tuple[str, str]]) -> list[Join]:
    """What was told of both under one key, and so is stored twice: it is the same in every word."""
    every = {ref for ref in merging.referring(work, on.ref) if ref[0] in _KEYED}
    fresh = sorted(every - before)
    if not fresh:
        return []
    work.know_states(before)
    known = {_words(work, *ref): ref for ref in sorted(before)}
    found = []
    for kind, uid in fresh:
        other = known.get(_words(work, kind, uid))
        if other is not None and not work.merged.losers(kind, uid):
            found.append(Join(kind, other[1], uid))
    return found


def _words(work: Work, kind: str, uid: str) -> str:
    state = work.state(kind, uid)
    if state is None or state.deleted:
        return uid
    said = {name: value for name, value in state.content.items() if name != lists.ended(kind)}
    return kind + json.dumps(said, sort_keys=True)
