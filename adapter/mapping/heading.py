"""The head of a message (MSH): what a sender says of itself in each is made once and told again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from adapter.constant import fixed
from adapter.issues import Issue
from adapter.mapping.lasting import short
from adapter.mapping.records import Compiled
from adapter.mapping.run import Draft, Named, Run, Side
from adapter.record import Location, Resource, new

_MOST = 5_000  # heads that are remembered; then all are forgotten


class _Made(NamedTuple):
    """What a head makes of a message that holds nothing yet."""

    drafts: tuple[tuple[str, str, tuple[str, ...], Resource, str], ...]
    sides: tuple[tuple[str, str, tuple[str, ...], str, Named], ...]
    issues: tuple[tuple[Any, str, str, str], ...]
    once: frozenset[tuple[str, str]]


class Heading:
    """A compiled segment of which all but its moving fields, times above all, is made once.

    Only for a segment that begins a message and says nothing of a member.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._ranges = _ranges(compiled)
        self._known: dict[tuple[Any, ...], _Made | None] = {}

    def apply(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        """Run the rules of the segment, as `Compiled.apply` does, the moving fields last."""
        place = (run.sender, *[text for start, end in self._ranges for text in fields[start:end]])
        try:
            made = self._known[place]
        except KeyError:
            made = self._learn(place, run, fields, labels)
        if made is None or run.made or run.side or run.once:
            self._compiled.apply(run, fields, labels)
            return
        _again(run, made)
        functions = self._compiled.fields
        for moving in self._compiled.moving:
            function = functions[moving]
            if function and moving < len(fields) and fields[moving]:
                run.label = labels[moving]
                function(run, fields[moving])

    def _learn(
        self, place: tuple[Any, ...], run: Run, fields: Sequence[str], labels: Sequence[str]
    ) -> _Made | None:
        alone = Run(run.unit, run.feed, run.line, sender=run.sender, facts=dict(run.facts))
        moving = frozenset(self._compiled.moving)
        alone.fields = ["" if at in moving else text for at, text in enumerate(fields)]
        self._compiled.apply(alone, alone.fields, labels)
        if len(self._known) >= _MOST:
            self._known.clear()
        made = _made(alone, run)
        if short(place):
            self._known[place] = made
        return made


def _ranges(compiled: Compiled) -> tuple[tuple[int, int], ...]:
    """The fields that decide what is made: none that is left out, and none that moves."""
    found: list[tuple[int, int]] = []
    for place, function in enumerate(compiled.fields):
        if place in compiled.moving or (function is False and place not in compiled.asked):
            continue
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    if found and found[-1][1] == len(compiled.fields):
        found[-1] = (found[-1][0], 1 << 30)  # and what stands behind the last that is known
    return tuple(found)


def _made(alone: Run, run: Run) -> _Made | None:
    """What was made, if it can be told again as it is: nothing waits for what comes later."""
    drafts = [draft for draft in alone.made if not (draft.links or draft.cleared or draft.urn)]
    sides = [(side, side.named) for side in alone.side.values() if not side.links]
    whole = len(drafts) == len(alone.made) > 0 and len(sides) == len(alone.side)
    if not whole or alone.facts != run.facts:
        return None
    return _Made(
        tuple((d.kind, d.name, d.key, fixed(d.resource), d.profile) for d in drafts),
        tuple(
            (s.urn, s.kind, s.key, s.label, named or Named(fixed(s.resource))) for s, named in sides
        ),
        tuple((i.severity, i.detail, i.text, i.at.field if i.at else "") for i in alone.issues),
        frozenset(alone.once),
    )


def _again(run: Run, made: _Made) -> None:
    line = run.line
    for kind, name, key, resource, profile in made.drafts:
        draft = run.drafts[name] = Draft(kind, name, key, line, dict(resource), profile)
        run.made.append(draft)
    for urn, kind, key, label, named in made.sides:
        run.side[urn] = Side(kind, key, line, label, named.resource, urn, named)
    run.once |= made.once
    source = run.unit.at[0]
    for severity, detail, text, field in made.issues:
        at = new(Location, (source, line, field))
        run.issues.append(new(Issue, (severity, detail, text, at, None)))
