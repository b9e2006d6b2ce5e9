"""The state machine of a stay: an Encounter is the fold of its ADT events, ordered in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from adapter.program import ahead, places
from adapter.program.course import ENDED, LIVE, OF_THE_END, PLANNED, Before, Stay, fit
from adapter.program.effects import Effect, effects, undoable
from adapter.program.places import Places
from adapter.record import Movement

Json = dict[str, Any]

_NONE = Effect()
_ORDER = itemgetter(0)  # of a Movement


class Element(NamedTuple):
    """An element of the Encounter, the number of the movement (in order) that made it so.

    `weak` when no message tells it, and it only fills a gap.
    """

    value: Any
    by: int
    weak: bool = False


def replay(movements: Iterable[Movement]) -> dict[str, Element]:
    """What an Encounter is after its messages, in whatever order they came in, each once or often.

    Gives `status`, `class`, `statusHistory`, `classHistory` (what was before; the present status
    and class are not in them), `period`, `length`, `hospitalization`, `location` and the extension
    of the planned end as far as they are known. HL7 v2.9 chapter 3.3; FHIR R4 Encounter.
    """
    told = sorted(movements, key=_ORDER)
    course = _begun(told)
    for number in range(len(course.told), len(told)):
        movement = told[number]
        same = course.seen.setdefault((movement.event, movement.at), [])
        said = movement[1:]
        if said not in same:  # sent again under another number
            same.append(said)
            _step(course.stay, number, movement)
    if told:
        _keep(_Course(told, course.stay, course.seen))
    return _elements(course.stay)


class _Course(NamedTuple):
    """A stay after what was told of it so far, in order; `seen` by event and time."""

    told: list[Movement]
    stay: Stay
    seen: dict[tuple[str, str], list[tuple[Any, ...]]]


# Stays as they were left: their next message need not be told all those before it once more.
_courses: OrderedDict[tuple[str, str], _Course] = OrderedDict()
_MOST = 256  # each holds all that was told of it


def _begun(told: list[Movement]) -> _Course:
    """The course of a stay as far as it is known from before; whoever takes it may change it."""
    known = _courses.pop(told[0].order, None) if told else None
    if known is not None and known.told == told[: len(known.told)]:
        return known
    return _Course([], Stay(), {})


def _keep(course: _Course) -> None:
    _courses[course.told[0].order] = course
    while len(_courses) > _MOST:
        _courses.pop(next(iter(_courses)), None)


def _step(stay: Stay, number: int, movement: Movement) -> None:
    effect = effects().get(movement.event, _NONE)
    says = {name: value for name, value in movement.says.items() if name not in movement.weak}
    if says.get("status") == "finished" and effect.status in LIVE:
        effect = Effect("finished", None)  # it is the visit before, of which another is the rest
    if _late(stay, effect):
        says = {name: says[name] for name in says if name not in ("class", "location")}
        kept = [path for path in movement.cleared if not _part(path)]
        movement = movement._replace(cleared=kept)
    _take_weak(stay, number, movement)
    undone = _undone(stay, effect)
    before = (stay.status, stay.coding, stay.places, ahead.plan(stay), stay.start)
    was = Before(movement.event, number, *before)
    _take_status(stay, number, _wanted(stay, effect, says, undone), movement.at)
    if was.status in ENDED and stay.status not in ENDED:
        _reopened(stay, number)
    if undone is not None and effect.status == "cancelled" and stay.status in LIVE:
        says = _began_before(stay, undone, says)
    _take_class(stay, number, _class(stay, effect, says, undone), movement.at)
    cleared = ahead.cleared(stay, effect, movement.cleared, undone)
    _take_times(stay, number, says, cleared)
    _take_alone(stay, number, says, cleared)
    ahead.take(stay, number, effect, was, undone and undone.without(cleared))
    _take_places(stay, number, movement, says, undone)
    if movement.event in undoable():
        stay.before.append(was._replace(after=stay.places, began=stay.start))


def _late(stay: Stay, effect: Effect) -> bool:
    """Whether an event only tells of a plan, and the stay is beyond it: admitted, or over."""
    planned = effect.status in PLANNED or (effect.status == "cancelled" and effect.over is not None)
    return planned and stay.status not in PLANNED and not effect.may_replace(stay.status)


def _take_weak(stay: Stay, number: int, movement: Movement) -> None:
    for name in movement.weak:
        if name in movement.says:
            stay.weak[name] = movement.says[name]
            stay.by.setdefault(name, number)


def _undone(stay: Stay, effect: Effect) -> Before | None:
    """The newest event that this one takes back, no longer to be taken back by another.

    The same event told twice in a row is taken back with it, except for moves. What only was
    planned is not taken back when the stay has begun.
    """
    if effect.status == "cancelled" and not effect.may_replace(stay.status):
        return None
    for place in range(len(stay.before) - 1, -1, -1) if effect.undoes else ():
        if stay.before[place].event in effect.undoes:
            found = stay.before.pop(place)
            after, began = found.after, found.began
            while place and _again(stay.before[place - 1], found):
                place -= 1
                found = stay.before.pop(place)
            return found._replace(after=after, began=began)
    return None


def _again(one: Before, found: Before) -> bool:
    return one.event == found.event and not effects().get(one.event, _NONE).move


# --- status


def _wanted(stay: Stay, effect: Effect, says: Json, undone: Before | None) -> str:
    """The status that the event asks for, `""` for none."""
    if not effect.status or not effect.may_replace(stay.status):
        return ""
    ends = says.get("period", {}).get("end")
    if stay.status == "finished" and ends and not effect.undoes and effect.status in LIVE:
        return ""  # told after the end, with its end: no new beginning
    if undone is not None and _unchanged(stay, "status", undone):
        restored = LIVE if effect.status in LIVE else LIVE | {"finished"}
        if undone.status in restored:
            return undone.status
    if effect.status != "said":
        return effect.status
    return str(says.get("status") or ("finished" if ends else "in-progress"))


def _unchanged(stay: Stay, name: str, undone: Before) -> bool:
    """Whether no later event changed what the undone one left."""
    return stay.by.get(name, -1) <= undone.number


def _take_status(stay: Stay, number: int, status: str, at: str) -> None:
    if not status or status == stay.status:
        return
    if stay.status:
        _remember(stay.statuses, {"status": stay.status}, stay.status_since, at)
    stay.status, stay.status_since = status, at
    stay.by["status"] = number


def _reopened(stay: Stay, number: int) -> None:
    """A stay that goes on has no end, no disposition and no destination."""
    _forget(stay, "end")
    kept = {n: v for n, v in stay.hospitalization.items() if n not in OF_THE_END}
    stay.hospitalization = kept
    stay.by["period"] = stay.by["hospitalization"] = number


def _remember(history: list[Json], what: Json, start: str, end: str) -> None:
    """Add what was until now; nothing that lasted no time, or of which no time is known."""
    period = {name: text for name, text in (("start", start), ("end", end)) if text}
    if period and start != end:
        history.append({**what, "period": period})


# --- class


def _class(stay: Stay, effect: Effect, says: Json, undone: Before | None) -> Json | None:
    """The class after the event; None when it says nothing of it."""
    if undone is None or not undone.coding or undone.plans:
        return effect.class_of(says.get("class"))
    if _unchanged(stay, "class", undone):
        return undone.coding
    return effect.class_of(says.get("class"))


def _take_class(stay: Stay, number: int, coding: Json | None, at: str) -> None:
    if coding is None or (stay.coding and _key(coding) == _key(stay.coding)):
        return
    if stay.coding:
        _remember(stay.classes, {"class": stay.coding}, stay.class_since, at)
    stay.coding, stay.class_since = coding, at
    stay.by["class"] = number


def _key(coding: Json) -> tuple[Any, Any]:
    return coding.get("system"), coding.get("code")


# --- period, hospitalization


def _take_times(stay: Stay, number: int, says: Json, cleared: Sequence[str]) -> None:
    """Absent keeps, cleared goes, said replaces: child by child."""
    for path in cleared:
        root, _, child = path.partition(".")
        if root in ("period", "hospitalization"):
            stay.by[root] = number
            _forget(stay, child) if root == "period" else _lose(stay.hospitalization, child)
    if "period" in says:
        fit(stay, says["period"])
        stay.by["period"] = number
    if "hospitalization" in says:
        stay.hospitalization = {**stay.hospitalization, **says["hospitalization"]}
        stay.by["hospitalization"] = number


def _began_before(stay: Stay, undone: Before, says: Json) -> Json:
    """What a cancel says, of a stay that goes on: the start that it takes back may be in it."""
    period = says.get("period", {})
    if period.get("start", stay.start) != undone.began or undone.began == undone.start:
        return says
    _forget(stay, "start")
    period = {name: period[name] for name in period if name != "start"}
    period |= {"start": undone.start} if undone.start else {}
    others = {name: says[name] for name in says if name != "period"}
    return {**others, "period": period} if period else others


def _forget(stay: Stay, child: str) -> None:
    """A period without its start or end, or without both (`""`)."""
    _lose(stay.period, child)
    _lose(stay.aside, child)
    fit(stay, {})


def _lose(box: Json, child: str) -> None:
    for name in [child] if child else list(box):
        box.pop(name, None)


def _take_alone(stay: Stay, number: int, says: Json, cleared: Sequence[str]) -> None:
    for name in ("length", ahead.PLANNED_END):
        if name in cleared:
            stay.alone.pop(name, None)
        if name in says:
            stay.alone[name], stay.by[name] = says[name], number


# --- places


def _take_places(
    stay: Stay, number: int, movement: Movement, says: Json, undone: Before | None
) -> None:
    effect = effects().get(movement.event, _NONE)
    said, at, before = places.told(says, movement.places), movement.at, stay.places
    now = _places_again(undone, before)
    off = {part for path in movement.cleared if (part := _part(path))} | set(effect.drops)
    if effect.move == "track":
        off.add("temporary")
    if effect.undoes:  # what it takes back it may name: the place left is the one never reached
        said = {part: item for part, item in said.items() if part not in off | {"prior"}}
    if undone is not None and stay.status in ENDED:
        said = {}
    off -= said.keys()
    for part in sorted(off):
        now = places.left(now, part, at)
    ended, end = stay.status in ENDED, ""
    if not ended or stay.by.get("status") == number:
        never = ended and stay.status != "finished"  # what was planned did not come to be
        now = places.moved(now, said, at, never or stay.status in PLANNED)
    if ended:
        end = stay.period.get("end") or stay.left or at
        now = places.closed(places.mended(now, stay.left, end), end, at)
    stay.left = end
    if now != before:
        stay.places, stay.by["location"] = now, number


def _places_again(undone: Before | None, now: Places) -> Places:
    if undone is None or undone.places == undone.after:
        return now
    return places.taken_back(undone.places, undone.after, now, undone.plans)


def _part(path: str) -> str:
    """`pending` of `location[pending]`."""
    head, _, rest = path.partition("[")
    return rest.partition("]")[0] if head == "location" else ""


# --- the result


def _elements(stay: Stay) -> dict[str, Element]:
    found: Mapping[str, Any] = {
        "status": stay.status or _gap(stay),
        "class": stay.coding or stay.weak.get("class"),
        "statusHistory": list(stay.statuses),
        "classHistory": list(stay.classes),
        "period": dict(stay.period),
        "hospitalization": dict(stay.hospitalization),
        "location": _places(stay).elements,
        **stay.alone,
    }
    source = {"statusHistory": "status", "classHistory": "class"}
    ended = stay.period.get("end")
    weak = {"status": not (stay.status or ended), "class": not stay.coding}
    return {
        name: Element(value, stay.by.get(source.get(name, name), 0), weak.get(name, False))
        for name, value in found.items()
        if value
    }


def _places(stay: Stay) -> Places:
    """Where the patient was; nowhere any more when an end is told, though no event ended it."""
    end = "" if stay.status else stay.period.get("end", "")
    return places.closed(stay.places, end, end) if end else stay.places


def _gap(stay: Stay) -> str:
    """The status of a stay of which no event told one: by its end, then by what was suggested."""
    if stay.period.get("end"):
        return "finished"
    return str(stay.weak.get("status", "unknown"))
