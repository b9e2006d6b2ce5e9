"""Lists that a message tells as a whole by segments with set ids: relatives, allergies, insurance.

HL7 v2.9 chapter 2.10.4, snapshot mode: the segments sent take the place of those before; a list of
which no segment is sent stays as it is; one segment of nulls (`NK1|1|""`) says that there is none.
"""

from __future__ import annotations

from adapter.mapping.run import Draft, Run
from adapter.outcome import Outcome

# The segment, and the map that makes a resource of each.
NAMES = {"NK1": "RelatedPerson", "AL1": "AllergyIntolerance", "IN1": "Coverage"}
_NULL = '""'
_WITHIN = {"NK1": "contact"}  # the element of the person that says the same

# Of each segment and person the resources that were made, in order.
Lists = dict[tuple[str, int], tuple[str, Draft, list[Draft]]]


def empty(text: str) -> bool:
    """Whether a segment only says that its list has no member."""
    if _NULL not in text:
        return False
    return {value for value in text.split("|")[2:] if value} == {_NULL}


def note(lists: Lists, run: Run, segment: str) -> None:
    """Note what a segment made, if it made anything."""
    person = run.drafts.get("Patient")
    if person is None:
        return
    _, _, members = lists.setdefault((segment, id(person)), (segment, person, []))
    draft = run.drafts.get(NAMES[segment])
    if draft is not None and draft.line == run.line:
        members.append(draft)


def none(lists: Lists, run: Run, segment: str) -> None:
    """Note that a list has no member."""
    run.label = segment
    run.issue("information", "cleared", "the whole list is to be deleted")
    person = run.drafts.get("Patient")
    if person is not None and segment in _WITHIN:
        person.cleared.append(_WITHIN[segment])
    note(lists, run, segment)


def tell(lists: Lists, outcome: Outcome) -> None:
    """Write the lists into an outcome whose resources have their names."""
    if not lists or not outcome.ok:
        return
    outcome.lists = tuple(
        (segment, person.urn, tuple(dict.fromkeys(one.urn for one in members if one.urn)))
        for segment, person, members in lists.values()
        if person.urn
    )
