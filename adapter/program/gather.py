"""The members of a plan with every dated fact the rules ask for, read from the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from adapter import terms
from adapter.program import facts
from adapter.program.case import Assessment, Attempt, Authorization, Case, Contact
from adapter.program.days import day_of
from adapter.program.facts import ECM, LETTER, codes, ref_of
from adapter.program.receipts import receipts
from adapter.record import Resource, died
from adapter.store.protocol import Store

_RUNNING, _WAITING = ("active", "onhold"), ("planned", "waitlist")
_STAYS = "IMP,ACUTE,NONAC,EMER,OBSENC,SS"  # v3-ActCode: inpatient, emergency, observation, short


@dataclass(slots=True)
class _Shelf:
    """The rows of one member, as they stream by."""

    attempts: list[Attempt] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    stays: list[date] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)
    care_plans: list[date] = field(default_factory=list)
    authorizations: list[Authorization] = field(default_factory=list)
    undated: int = 0


def cases(store: Store, plan: str, on: date) -> Iterator[Case]:
    """Every member whom the plan covers on a day and who has an enrollment, by Patient id."""
    payers = _payers(store, plan)
    covered = _covered(store, plan, payers, on)
    episodes = _episodes(store, covered)
    shelves = _shelves(store, plan, payers, on)
    came = receipts(store, plan)
    for patient in store.each("Patient") if episodes else ():
        ref = f"Patient/{patient['id']}"
        if ref in episodes:
            days = facts.episode_days(store, episodes[ref], came.of(patient))
            yield _case(patient, (episodes[ref], days), (plan, covered[ref]), shelves[ref])


def managers(store: Store) -> list[str]:
    """The lead care manager of every enrolled member of whatever plan, `""` for none."""
    running = store.each("EpisodeOfCare", [("status", ",".join(_RUNNING))])
    return [ref_of(row.get("careManager", {})) for row in running]


def _case(
    patient: Resource, held: tuple[Resource, facts.Days], member: tuple[str, str], shelf: _Shelf
) -> Case:
    (episode, days), (plan, member_id) = held, member
    priority = facts.extension(episode, "priority").get("valuePositiveInt")
    status = "over" if died(patient) else episode.get("status", "")
    return Case(
        patient=f"Patient/{patient['id']}",
        plan=plan,
        episode=f"EpisodeOfCare/{episode['id']}",
        phase=facts.phase(status),
        county=facts.county(patient),
        person=facts.person(patient, member_id),
        received=days.received,
        assigned=day_of(facts.extension(episode, "assigned-on").get("valueDate", "")),
        enrolled=days.enrolled,
        ended=days.ended,
        manager=ref_of(episode.get("careManager", {})),
        priority=priority,
        acuity=next(iter(codes([facts.concept(episode, "acuity")], facts.ACUITY)), ""),
        homeless=facts.extension(patient, "homeless").get("valueBoolean", False),
        attempts=tuple(sorted(shelf.attempts, key=lambda one: (one.on, one.ref))),
        contacts=tuple(sorted(shelf.contacts, key=lambda one: (one.on, one.ref))),
        assessments=tuple(sorted(shelf.assessments, key=lambda one: (one.on, one.ref))),
        care_plans=tuple(sorted(shelf.care_plans)),
        authorizations=tuple(sorted(shelf.authorizations, key=lambda one: (one.start, one.ref))),
        stays=tuple(sorted(shelf.stays)),
        undated=shelf.undated,
    )


# --- who


def _payers(store: Store, plan: str) -> frozenset[str]:
    token = f"{terms.system('plan')}|{plan}"
    found = store.search("Organization", [("identifier", token)]).matches
    return frozenset(f"Organization/{row.resource['id']}" for row in found)


def _covered(store: Store, plan: str, payers: frozenset[str], on: date) -> dict[str, str]:
    """Patient reference -> the plan's member id, of those whose Coverage has not ended."""
    system, found = terms.system("plan-member", plan), dict[str, str]()
    for row in store.each("Coverage"):
        ref, number = ref_of(row.get("beneficiary", {})), facts.identifier(row, system)
        mine = number or any(ref_of(one) in payers for one in row.get("payor", ()))
        end = day_of(row.get("period", {}).get("end", ""))
        if mine and row.get("status") == "active" and (end is None or end >= on):
            found[ref] = number or found.get(ref, "")
    return found


def _episodes(store: Store, covered: dict[str, str]) -> dict[str, Resource]:
    """The enrollment that counts of each member: a running one, a coming one, the last one."""
    best: dict[str, Resource] = {}
    for row in store.each("EpisodeOfCare"):
        ref = ref_of(row.get("patient", {}))
        if ref in covered and row.get("status") != "entered-in-error":
            best[ref] = max(best.get(ref, row), row, key=_rank)
    return best


def _rank(episode: Resource) -> tuple[int, str, str]:
    status = episode.get("status", "")
    step = 2 if status in _RUNNING else 1 if status in _WAITING else 0
    return step, episode.get("period", {}).get("start", ""), episode["id"]


# --- what


def _shelves(store: Store, plan: str, payers: frozenset[str], on: date) -> defaultdict[str, _Shelf]:
    found: defaultdict[str, _Shelf] = defaultdict(_Shelf)
    tried = f"{ECM}|outreach,{ECM}|{LETTER}"
    for row in store.each("Communication", [("category", tried), ("status", "completed")]):
        _attempt(row, found[_about(row)])
    for row in store.each("Encounter", [("type", f"{ECM}|"), ("status", "finished")]):
        _contact(row, found[_about(row)])
    for row in store.each("Encounter", [("class", _STAYS)]):
        _stay(row, found[_about(row)], on)
    for row in store.each("QuestionnaireResponse"):
        _assessment(row, found[_about(row)])
    for row in store.each("CarePlan"):
        _care_plan(row, found[_about(row)])
    for row in store.each("ClaimResponse", [("use", "preauthorization")]):
        if ref_of(row.get("insurer", {})) in payers or facts.identifier(
            row, terms.system("authorization", plan)
        ):
            _authorization(row, found[_about(row)])
    return found


def _about(row: Resource) -> str:
    """The member: subject, patient, or the recipient of a message."""
    for name in ("subject", "patient"):
        if ref := ref_of(row.get(name, {})):
            return ref
    return ref_of(next(iter(row.get("recipient", ())), {}))


def _attempt(row: Resource, shelf: _Shelf) -> None:
    day = day_of(row.get("sent") or row.get("received") or "")
    if day is None:
        shelf.undated += 1
        return
    ref, letter = f"Communication/{row['id']}", LETTER in codes(row.get("category", ()), ECM)
    shelf.attempts.append(Attempt(ref, day, facts.modality(row), facts.outcome(row), letter))


def _contact(row: Resource, shelf: _Shelf) -> None:
    own, day = codes(row.get("type", ()), ECM), day_of(row.get("period", {}).get("start", ""))
    if day is not None and "outreach" not in own:
        in_person = row.get("class", {}).get("code") in ("AMB", "HH", "FLD")
        shelf.contacts.append(Contact(f"Encounter/{row['id']}", day, in_person, tuple(own)))


def _stay(row: Resource, shelf: _Shelf, on: date) -> None:
    period, status = row.get("period", {}), row.get("status")
    if status in ("cancelled", "entered-in-error", "planned"):
        return
    day = day_of(period.get("end", ""))
    begun = day_of(period.get("start", ""))
    if day is None and begun is not None:
        day = max(begun, on) if status in ("in-progress", "arrived", "onleave") else begun
    if day is not None:
        shelf.stays.append(day)


def _assessment(row: Resource, shelf: _Shelf) -> None:
    day = day_of(row.get("authored", ""))
    if day is not None and not facts.is_referral_form(row):
        done = row.get("status") in ("completed", "amended")
        shelf.assessments.append(Assessment(f"QuestionnaireResponse/{row['id']}", day, done))


def _care_plan(row: Resource, shelf: _Shelf) -> None:
    """A care plan counts when made and whenever it changes."""
    if row.get("status") not in ("entered-in-error", "draft"):
        days = (day_of(row.get("created", "")), day_of(row.get("meta", {}).get("lastUpdated", "")))
        shelf.care_plans += [day for day in days if day is not None]


def _authorization(row: Resource, shelf: _Shelf) -> None:
    period = row.get("preAuthPeriod", {})
    start, end = day_of(period.get("start", "")), day_of(period.get("end", ""))
    if start is None or row.get("status") != "active" or row.get("outcome") == "error":
        return
    decided = row.get("outcome") in ("complete", "partial")
    ref = f"ClaimResponse/{row['id']}"
    shelf.authorizations.append(Authorization(ref, start, end, decided))
