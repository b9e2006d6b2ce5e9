"""Elements of the return file about care given: plan, assessments, contacts, lead care manager."""

from __future__ import annotations

from collections.abc import Iterable

from adapter import terms
from adapter.record import Resource
from adapter.reports.facts import Contact, Facts
from adapter.reports.fhir import ECM, codes, current, day_of, identifier
from adapter.reports.found import NOTHING, Element, Found, of


def care_plan_rev(facts: Facts) -> Found:
    """The last care plan's date."""
    return _latest(facts, facts.care_plans, "created")


def assess_start(facts: Facts) -> Found:
    """When the newest assessment was begun."""
    return _latest(facts, facts.assessments, "authored")


def assess_done(facts: Facts) -> Found:
    """The last assessment that is complete."""
    done = [row for row in facts.assessments if row.get("status") in ("completed", "amended")]
    return _latest(facts, done, "authored")


def _latest(facts: Facts, rows: Iterable[Resource], element: str) -> Found:
    dated = ((day_of(row.get(element, ""), facts.setup.zone), row) for row in rows)
    known = [(day, row["id"], row) for day, row in dated if day is not None]
    day, _, row = max(known, key=lambda one: one[:2], default=(None, "", None))
    return of(row, element, day)


def care_conf(facts: Facts) -> Found:
    """The last contact coded as a care conference."""
    return _last(row for row in facts.contacts if "care-conference" in row.codes)


def last_encounter(facts: Facts) -> Found:
    """The last contact face to face after outreach (one vendor's reading: face to face only)."""
    return _last(row for row in facts.contacts if row.in_person and not row.outreach)


def _last(contacts: Iterable[Contact]) -> Found:
    found = max(contacts, key=lambda row: (row.on, row.ref), default=None)
    return Found(found.on, (f"{found.ref}#period",)) if found else NOTHING


def last_contact(facts: Facts) -> Found:
    """The last contact of any kind, outreach too."""
    return _last(facts.contacts)


def next_visit_date(facts: Facts) -> Found:
    """The next appointment after the file's day."""
    booked = [row for row in facts.appointments if row.get("status") in ("booked", "pending")]
    days = ((day_of(row.get("start", ""), facts.setup.zone), row["id"], row) for row in booked)
    known = [one for one in days if one[0] is not None and one[0] >= facts.setup.produced]
    day, _, row = min(known, key=lambda one: one[:2], default=(None, "", None))
    return of(row, "start", day)


def next_visit(facts: Facts) -> Found:
    """Whether there is a next appointment."""
    found = next_visit_date(facts)
    return Found(found.value is not None, found.refs)


def auth_no(facts: Facts) -> Found:
    """The plan's authorization that holds in the month; of several the one that began last."""
    system = terms.system("authorization", facts.setup.plan)
    best: tuple[str, str, Resource | None] = ("", "", None)
    for row in facts.authorizations:
        span, number = row.get("preAuthPeriod", {}), identifier(row, system)
        early = span.get("start", "") <= facts.setup.end.isoformat()
        lasts = span.get("end", "9999") >= facts.setup.start.isoformat()
        if number and early and lasts and row.get("use") == "preauthorization":
            best = max(best, (span.get("start", ""), number, row), key=lambda one: one[:2])
    return of(best[2], "preAuthRef", best[1])


def counted(facts: Facts, in_person: bool) -> Found:
    """Contacts of the month in person, or virtual; outreach attempts are told elsewhere.

    Where another told how many there were (a return file that was read), at least so many.
    """
    rows = [row for row in facts.contacts if facts.setup.holds(row.on) and not row.outreach]
    kept = [row for row in rows if (row.in_person if in_person else row.virtual)]
    known = Found(len(kept), tuple(f"{row.ref}#class" for row in kept))
    said = max((_tally(row, facts, in_person) for row in facts.tallies), default=0)
    if said <= len(kept):
        return known
    refs = tuple(f"Observation/{row['id']}#component" for row in facts.tallies)
    return Found(said, refs)


def _tally(row: Resource, facts: Facts, in_person: bool) -> int:
    """How many contacts of the month an Observation tells; 0 of another month."""
    start = day_of(row.get("effectivePeriod", {}).get("start", ""), facts.setup.zone)
    if start is None or not facts.setup.holds(start):
        return 0
    wanted = "in-person" if in_person else "virtual"
    parts = [one for one in row.get("component", ()) if wanted in codes([one["code"]], ECM)]
    return max((int(one.get("valueInteger", 0)) for one in parts), default=0)


def manager(use: str) -> Element:
    """The lead care manager's `phone` or `email`."""

    def point(facts: Facts) -> Found:
        rows = (facts.manager or {}).get("telecom", ())
        best = current((row for row in rows if row.get("system") == use), "work")
        return of(facts.manager, "telecom", best.get("value"))

    return point


def lcm_name(facts: Facts) -> Found:
    """The lead care manager."""
    name = current((facts.manager or {}).get("name", ()), "official")
    whole = " ".join((*name.get("given", ()), name.get("family", "")))
    return of(facts.manager, "name", whole.strip() or name.get("text"))
