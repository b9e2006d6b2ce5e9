"""Reads what a claim run needs of one member from the store: facts, and what is billed already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter import terms
from adapter.claims.contacts import Contact, Member, contact, identifier, is_contact, member
from adapter.claims.plan import Plan
from adapter.claims.resources import encounters
from adapter.issues import Issue
from adapter.record import Location, Resource
from adapter.store.protocol import Reader

Staff = dict[str, Resource | None]  # "Practitioner/x" -> who it is


@dataclass(frozen=True, slots=True)
class Case:
    """One member of a plan with the contacts of a month; `billed` are Encounters on a claim."""

    member: Member
    insurer: dict[str, Any]
    contacts: tuple[Contact, ...]
    billed: dict[str, str]


def cases(reader: Reader, plan: Plan, month: str) -> Iterator[Case]:
    """Every member of the plan who had a contact in the month (`2026-01`), once, by patient id."""
    staff: Staff = {}
    for ref, coverage in sorted(_coverages(reader, plan.name).items()):
        stored = reader.read("Patient", ref.removeprefix("Patient/"))
        if stored is None or stored.deleted:
            continue
        everything = _contacts(reader, ref, plan, staff)
        found = tuple(one for one in everything if one.on.isoformat().startswith(month))
        own = reader.read("Coverage", coverage)
        if found and own:
            yield _case(reader, stored.resource, own.resource, plan, found)


def _coverages(reader: Reader, plan: str) -> dict[str, str]:
    """Patient reference -> id of the Coverage by the plan: of several the one that began last."""
    payor = _payor(reader, plan)
    best: dict[str, tuple[str, str]] = {}
    for row in reader.each("Coverage"):
        ref = row.get("beneficiary", {}).get("reference", "")
        if not ref.startswith("Patient/") or row.get("status") == "cancelled":
            continue
        if _of_plan(row, plan, payor):
            own = (row.get("period", {}).get("start", ""), row["id"])
            best[ref] = max(own, best.get(ref, own))
    return {ref: uid for ref, (_, uid) in best.items()}


def place(reader: Reader, ref: str, element: str) -> Location:
    """Where a contact's element was read from: the log's file, line and column if known."""
    rows = reader.trace(*_split(ref))
    best = next((row for row in rows if row.element == element), rows[0] if rows else None)
    return Location(best.file, best.line, best.field) if best else Location(ref, 0, element)


def sourced(reader: Reader, issue: Issue) -> Issue:
    """A refusal of a contact, placed in the source file that the contact came from."""
    if issue.at is None or not issue.at.source.startswith("Encounter/"):
        return issue
    at = place(reader, issue.at.source, issue.at.field)
    return Issue(issue.severity, issue.detail, issue.text, at, f"Encounter.{issue.at.field}")


def _case(
    reader: Reader, patient: Resource, coverage: Resource, plan: Plan, found: tuple[Contact, ...]
) -> Case:
    of = [("patient", f"Patient/{patient['id']}")]
    claims = [row for row in reader.each("Claim", of) if row.get("status") == "active"]
    person = member(
        patient,
        coverage,
        reader.each("EpisodeOfCare", of),
        reader.each("ClaimResponse", of),
        plan.name,
    )
    billed = {ref: f"Claim/{row['id']}" for row in claims for ref in encounters(row)}
    return Case(person, coverage["payor"][0], found, billed)


def _contacts(reader: Reader, patient: str, plan: Plan, staff: Staff) -> Iterator[Contact]:
    for encounter in reader.each("Encounter", [("patient", patient)]):
        if is_contact(encounter):
            found = contact(encounter, _performer(reader, encounter, staff), plan.zone)
            if found:
                yield found


def _performer(reader: Reader, encounter: Resource, staff: Staff) -> Resource | None:
    """Who served the member; each person is read once a run."""
    people = (row.get("individual", {}) for row in encounter.get("participant", ()))
    refs = [row["reference"] for row in people if "reference" in row]
    first = next((ref for ref in refs if ref.startswith("Practitioner/")), "")
    if first and first not in staff:
        stored = reader.read(*_split(first))
        staff[first] = None if stored is None or stored.deleted else stored.resource
    return staff.get(first)


def _payor(reader: Reader, plan: str) -> frozenset[str]:
    """References of the plan's Organization (identifier system `plan`, our short name)."""
    token = f"{terms.system('plan')}|{plan}"
    found = reader.search("Organization", [("identifier", token)]).matches
    return frozenset(f"Organization/{row.resource['id']}" for row in found)


def _of_plan(coverage: Resource, plan: str, payor: frozenset[str]) -> bool:
    if identifier(coverage, terms.system("plan-member", plan)):
        return True
    return any(row.get("reference") in payor for row in coverage.get("payor", ()))


def _split(ref: str) -> tuple[str, str]:
    kind, _, uid = ref.partition("/")
    return kind, uid
