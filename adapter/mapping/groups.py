"""The segment groups of a message: each is a person of its own, and none is joined to another."""

from __future__ import annotations

from typing import Any

from adapter.mapping import unnumbered
from adapter.mapping.events import Event
from adapter.mapping.finish import identity
from adapter.mapping.paths import Step
from adapter.mapping.run import Draft, Groups, Link, Run

# Of a named slot that an event may take back, the piece that a store holds (record.piece).
_PIECES = {Step("extension", "expected-end"): "extension/extension-Encounter_plannedEndDate"}


def begin(run: Run, event: Event, groups: Groups) -> None:
    """A group's first segment: what the group before made is complete, and is not written to."""
    if groups.mark < 0:  # the first group is open from the start
        groups.mark = 0
        return
    close(run, event, groups)
    kept = ("Provenance",) if event.group == "PID" else ("Provenance", "Patient")
    run.drafts = {name: run.drafts.get(name) for name in kept}
    run.facts.pop("part", None)
    run.facts.pop("no-visit", None)


def close(run: Run, event: Event, groups: Groups) -> None:
    """The end of a group: what waited for it, and what the event says by itself."""
    for later in groups.later:
        later(run)
    groups.later.clear()
    _once(run.drafts.get("Patient"))
    _say(run, event)
    _clear(run, event)
    unnumbered.settle(run, event)
    for mean in event.means:
        mean(run, groups)
    if event.group:
        _bind(run, groups)


def _once(patient: Draft | None) -> None:
    """An identifier once, with its type: PID-2 and PID-4 of older versions repeat PID-3."""
    items = patient.resource.get("identifier", ()) if patient is not None else ()
    if patient is None or len(items) < 2:
        return
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        name = item.get("system", ""), item.get("value", "")
        if name not in kept or ("type" in item and "type" not in kept[name]):
            kept[name] = item
    if len(kept) < len(items):
        patient.resource["identifier"] = list(kept.values())


def _bind(run: Run, groups: Groups) -> None:
    """Links by name mean the resources of this group."""
    _apart(run, groups)
    for draft in run.made[max(groups.mark, 0) :]:
        bound = (_bound(run, link) for link in draft.links)
        draft.links = [link for link in bound if link is not None]
    groups.closed.append(run.drafts)
    groups.mark = len(run.made)


def _apart(run: Run, groups: Groups) -> None:
    """Two people of one message (A17) have no stay in common: it would be the first one's."""
    stay = run.drafts.get("Encounter")
    for drafts in groups.closed if stay is not None else ():
        if _same(stay, drafts.get("Encounter")) and not _same(
            run.drafts.get("Patient"), drafts.get("Patient")
        ):
            run.label = "PV1-19"
            run.issue("error", "contradiction", "the visit number of another person's stay")


def _same(one: Draft | None, other: Draft | None) -> bool:
    """Whether two drafts have a number that names them in common."""
    names = [set(identity(draft.resource)) for draft in (one, other) if draft is not None]
    return len(names) > 1 and bool(names[0] & names[1])


def _bound(run: Run, link: Link) -> Link | None:
    if not isinstance(link.to, str):
        return link
    aim = run.drafts.get(link.to)
    return link._replace(to=aim) if aim is not None else None


def _say(run: Run, event: Event) -> None:
    """What the event says by itself: an A03 is a finished Encounter."""
    line = run.unit.at.line
    for name, element, value in event.sets:
        draft = run.drafts.get(name)
        if draft is not None:
            draft.resource[element] = value
            draft.origins.append((line, element, "MSH-9"))
    for name, elements in event.weak.items():
        draft = run.drafts.get(name)
        if draft is not None:
            draft.weak = elements
    when = run.facts.get("occurred")
    for name, path in event.occurred if when else ():
        draft = run.drafts.get(name)
        if draft is not None and when and _fill(draft, path.steps, when):
            draft.origins.append((line, path.root, "EVN-6"))


def _clear(run: Run, event: Event) -> None:
    """What the event takes back: gone from the message, and outdated in a store (`cleared`)."""
    for name, path in event.clears:
        draft = run.drafts.get(name)
        if draft is not None:
            _take(draft, path.steps)
            if path.steps[0] in _PIECES:
                draft.cleared.append(_PIECES[path.steps[0]])
            elif not path.named:
                draft.cleared.append(".".join(step.key for step in path.steps))


def _fill(draft: Draft, steps: tuple[Step, ...], value: str) -> bool:
    """Write a time where the message gives none: in the resource, or in each element of a slot."""
    boxes: list[dict[str, Any]] = [draft.resource]
    name: tuple[str, ...] = ()
    for key, slot in steps[:-1]:
        name = (*name, key, slot or "")
        if slot is None:
            boxes = [box.setdefault(key, {}) for box in boxes]
        else:
            boxes = [element for (own, _), element in draft.slots.items() if own == name]
    last = steps[-1].key
    open_boxes = [box for box in boxes if last not in box and not (last == "start" and box)]
    for box in open_boxes:
        box[last] = value
    return bool(open_boxes)


def _take(draft: Draft, steps: tuple[Step, ...]) -> None:
    """Take an element, or every element of a slot, out of the resource."""
    box: Any = draft.resource
    for step in steps[:-1]:
        box = box.get(step.key) if isinstance(box, dict) else None
    key, slot = steps[-1]
    if not isinstance(box, dict) or key not in box:
        return
    if slot:
        name = tuple(text for step in steps for text in (step.key, step.slot or ""))
        gone = [element for (own, _), element in draft.slots.items() if own == name]
        box[key] = [element for element in box[key] if element not in gone]
    if not slot or not box[key]:
        del box[key]
    if not box:
        draft.resource.pop(steps[0].key, None)
