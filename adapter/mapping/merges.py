"""What MRG means: merges, moves and changes of identifiers, each within its own group.

HL7 v2.9 chapter 3.6.2; the shape of a merge is that of IHE PMIR ITI-93: the loser is inactive and
`replaced-by` the survivor, which `replaces` it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from adapter.issues import Issue
from adapter.mapping.run import Draft, Groups, Link, Run
from adapter.outcome import Outcome
from adapter.record import Location

Json = dict[str, Any]
Meaning = Callable[[Run, Groups], None]
_PERSONAL = frozenset(("MA", "MB", "MC"))  # numbers of a person, whichever record has them
_SAME = "the prior identifier and the one that stays are the same"


def _ids(draft: Draft | None) -> list[Json]:
    found = draft.resource.get("identifier", []) if draft is not None else []
    return found if isinstance(found, list) else [found]


def _names(items: Iterable[Json]) -> set[tuple[str, str]]:
    return {(item.get("system", ""), item.get("value", "")) for item in items}


def _rest(draft: Draft | None, prior: Draft | None) -> list[Json]:
    """Identifiers of the prior thing that the present one has not."""
    own = _names(_ids(draft))
    return [i for i in _ids(prior) if (i.get("system", ""), i.get("value", "")) not in own]


def _old(items: Iterable[Json]) -> list[Json]:
    return [{"use": "old", **{k: v for k, v in item.items() if k != "use"}} for item in items]


def _drop(run: Run, name: str) -> None:
    """Forget a draft: all that it says is said elsewhere."""
    draft = run.drafts.get(name)
    if draft is not None:
        run.made.remove(draft)
        run.drafts[name] = None


def _refuse(run: Run, label: str, detail: str, text: str) -> None:
    run.label = label
    run.issue("error", detail, text)


def _reference(key: str, kind: str = "") -> Callable[[Draft, Any, int], None]:
    """A function that writes a reference: Patient.link of a kind, or a plain element."""

    def put(draft: Draft, reference: Json, rep: int) -> None:
        if not kind:
            draft.resource[key] = reference
            return
        item = {"other": reference, "type": kind}
        links = draft.resource.setdefault(key, [])
        if item not in links:
            links.append(item)

    return put


def _pair(run: Run, groups: Groups, names: tuple[str, str], label: str) -> list[Draft]:
    """Survivor and loser; none, and the message refused, when one is not named or both are one."""
    present, prior = (run.drafts.get(name) for name in names)
    if not _ids(present) or not _ids(prior) or present is None or prior is None:
        _refuse(run, label, "required", "both the identifier that stays and the prior one")
        return []
    rest = _rest(present, prior)
    if not rest:
        _refuse(run, label, "contradiction", _SAME)
        return []
    prior.resource["identifier"] = _old(rest)
    groups.pairs.append((present, prior))
    return [present, prior]


def merge_patient(run: Run, groups: Groups) -> None:
    """A18, A30, A34, A36, A39, A40: one Patient goes on, the other is inactive and leads to it."""
    pair = _pair(run, groups, ("Patient", "PriorPatient"), "MRG-1")
    if pair:
        present, prior = pair
        _own_by_both(present, prior)
        prior.resource["active"] = False
        prior.links.append(Link("link", _reference("link", "replaced-by"), present))
        present.links.append(Link("link", _reference("link", "replaces"), prior))


def _own_by_both(present: Draft, prior: Draft) -> None:
    """A number of the person and not of a record (CIN, plan, Medicare) goes on with the survivor.

    The loser keeps it only if it has no other: else it would be found by what names the survivor.
    """
    personal = [item for item in _ids(prior) if _types(item) & _PERSONAL]
    if personal and len(personal) < len(_ids(prior)):
        prior.resource["identifier"] = [i for i in _ids(prior) if i not in personal]
        fresh = [{k: v for k, v in item.items() if k != "use"} for item in personal]
        present.resource["identifier"] = [*_ids(present), *fresh]


def _types(item: Json) -> set[str]:
    return {coding.get("code", "") for coding in item.get("type", {}).get("coding", ())}


def merge_account(run: Run, groups: Groups) -> None:
    """A35, A36, A41: the prior account is inactive and part of the one that goes on."""
    pair = _pair(run, groups, ("Account", "PriorAccount"), "MRG-3")
    if pair:
        present, prior = pair
        prior.resource["status"] = "inactive"
        prior.links.append(Link("partOf", _reference("partOf"), present))
        _prior_owner(run)


def merge_visit(run: Run, groups: Groups) -> None:
    """A42: the prior visit was entered in error and is part of the one that goes on."""
    pair = _pair(run, groups, ("Encounter", "PriorVisit"), "MRG-5")
    if pair:
        present, prior = pair
        prior.resource["status"] = "entered-in-error"
        prior.links.append(Link("partOf", _reference("partOf"), present))
        _prior_owner(run)


def follow_visit(run: Run, groups: Groups) -> None:
    """A06, A07: a visit that goes on under a number of its own ends the one before, its part."""
    present, prior = run.drafts.get("Encounter"), run.drafts.get("PriorVisit")
    if present is None or prior is None or not _ids(present) or not _rest(present, prior):
        _drop(run, "PriorVisit")
        return
    prior.resource["status"] = "finished"
    prior.links.append(Link("partOf", _reference("partOf"), present))


def _prior_owner(run: Run) -> None:
    """In a merge of accounts or visits MRG-1 is the same person, or the prior thing's own."""
    if not _rest(run.drafts.get("Patient"), run.drafts.get("PriorPatient")):
        _drop(run, "PriorPatient")


def _change(run: Run, names: tuple[str, str], label: str) -> None:
    """The same thing under a new identifier; the old one stays with it, `use` old."""
    present, prior = (run.drafts.get(name) for name in names)
    if present is None or not _ids(prior) or prior is None:
        _refuse(run, label, "required", "both the new identifier and the prior one")
        return
    rest = _rest(present, prior)
    if not rest:
        run.label = label
        run.issue("warning", "contradiction", _SAME)
    present.resource.setdefault("identifier", []).extend(_old(rest))
    present.origins += prior.origins
    for name in prior.resource.get("name", ()):
        present.resource.setdefault("name", []).append({**name, "use": "old"})
    _drop(run, names[1])


def change_patient(run: Run, groups: Groups) -> None:
    """A46, A47, A48: one person, another identifier; nobody is merged."""
    _change(run, ("Patient", "PriorPatient"), "MRG-1")


def change_account(run: Run, groups: Groups) -> None:
    """A49: one account, another number."""
    _change(run, ("Account", "PriorAccount"), "MRG-3")
    _prior_owner(run)


def change_visit(run: Run, groups: Groups) -> None:
    """A50, A51: one visit, another number."""
    _change(run, ("Encounter", "PriorVisit"), "MRG-5")
    _prior_owner(run)


def move_patient(run: Run, groups: Groups) -> None:
    """A43: an identifier moves to another person; both go on, and only one has it."""
    _to_another(run)
    patient, prior = run.drafts.get("Patient"), run.drafts.get("PriorPatient")
    if patient is not None and prior is not None:
        groups.moves.append((patient, prior))


def _to_another(run: Run) -> None:
    prior = run.drafts.get("PriorPatient")
    rest = _rest(run.drafts.get("Patient"), prior)
    if prior is None or not rest:
        detail = "contradiction" if prior is not None else "required"
        _refuse(run, "MRG-1", detail, "another person than the one it moves to")
        return
    prior.resource["identifier"] = rest


def move_account(run: Run, groups: Groups) -> None:
    """A44: the account belongs to the person of PID now, no longer to that of MRG-1."""
    _to_another(run)
    if run.drafts.get("Account") is not None and run.drafts.get("PriorAccount") is not None:
        _change_quietly(run, ("Account", "PriorAccount"))


def move_visit(run: Run, groups: Groups) -> None:
    """A45: the visit belongs to the person of PID now, or to another account of that person."""
    _from_elsewhere(run)
    stay, prior = run.drafts.get("Encounter"), run.drafts.get("PriorPatient")
    if stay is not None and prior is not None:
        groups.moves.append((stay, prior))
    if run.drafts.get("Encounter") is not None and run.drafts.get("PriorVisit") is not None:
        _change_quietly(run, ("Encounter", "PriorVisit"))


def _from_elsewhere(run: Run) -> None:
    """MRG-1 and MRG-3 of a moved visit: the person, the account, or both that had it."""
    prior, account = run.drafts.get("PriorPatient"), run.drafts.get("PriorAccount")
    rest = _rest(run.drafts.get("Patient"), prior)
    if not rest:
        _drop(run, "PriorPatient")
        if not _rest(run.drafts.get("Account"), account):
            _refuse(run, "MRG-1", "contradiction", "the visit moves to where it is")
        return
    if prior is not None:
        prior.resource["identifier"] = rest
    if prior is not None and account is not None:
        account.links = [Link("subject", _reference_list, prior)]


def _reference_list(draft: Draft, reference: Any, rep: int) -> None:
    draft.resource["subject"] = [reference]


def _change_quietly(run: Run, names: tuple[str, str]) -> None:
    """A move names its thing twice; a number that differs is the old one."""
    present, prior = (run.drafts.get(name) for name in names)
    if present is not None:
        present.resource.setdefault("identifier", []).extend(_old(_rest(present, prior)))
        _drop(run, names[1])


def link_patients(run: Run, groups: Groups) -> None:
    """A24: two Patients of one person; both go on, each sees the other."""
    for one, other in _couples(run, groups):
        one.links.append(Link("link", _reference("link", "seealso"), other))
        other.links.append(Link("link", _reference("link", "seealso"), one))


def unlink_patients(run: Run, groups: Groups) -> None:
    """A37: what A24 said of these two Patients is taken back, by the store, which knows them."""
    for one, _ in _couples(run, groups):
        run.line, run.label = one.line, "PID-3"
        run.issue("information", "cleared", "the link between the two is to be deleted")


def _couples(run: Run, groups: Groups) -> list[tuple[Draft, Draft]]:
    """The Patient of this group with that of each group before; refused when they are one."""
    patient = run.drafts.get("Patient")
    found = []
    for drafts in groups.closed:
        other = drafts.get("Patient")
        if patient is None or other is None:
            continue
        if not _rest(other, patient):
            run.line = patient.line
            _refuse(run, "PID-3", "contradiction", "a person is not linked to itself")
            return []
        found.append((patient, other))
    return found


def alone(run: Run, means: Iterable[Meaning], groups: Groups) -> None:
    """A24 and A37 are about two people: of one alone nothing is linked, and it is told."""
    if len(groups.closed) < _COUPLE and not _OF_COUPLES.isdisjoint(means):
        run.line, run.label = run.unit.at.line, "PID"
        text = "a link is between two people, and the message has one PID"
        run.issue("warning", "segment-missing", text)


_COUPLE = 2
_OF_COUPLES = frozenset((link_patients, unlink_patients))


MEANINGS: dict[str, Meaning] = {
    one.__name__: one
    for one in (
        merge_patient, merge_account, merge_visit, change_patient, change_account, change_visit,
        follow_visit, move_patient, move_account, move_visit, link_patients, unlink_patients,
    )
}  # fmt: skip


def told(outcome: Outcome, groups: Groups) -> None:
    """Write merges and moves into the outcome; one into two, or in a circle, refuses it."""
    pairs = tuple(dict.fromkeys((present.urn, prior.urn) for present, prior in groups.pairs))
    moves = tuple([(stay.urn, prior.urn) for stay, prior in groups.moves])
    into = {loser: survivor for survivor, loser in pairs}
    if len(into) < len(pairs) or _circle(into) or _circle(dict(moves)):
        at = Location(outcome.unit.at.source, outcome.unit.at.line, "MRG-1")
        text = "merges or moves that contradict each other"
        outcome.issues.append(Issue("error", "contradiction", text, at))
        outcome.entries = []
        return
    outcome.merges = pairs
    outcome.moves = moves


def _circle(into: dict[str, str]) -> bool:
    """Whether following who was merged into whom leads back."""
    for start in into:
        seen, at = {start}, into[start]
        while at in into:
            if at in seen:
                return True
            seen.add(at)
            at = into[at]
        if at in seen:
            return True
    return False
