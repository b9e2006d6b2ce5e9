"""Elements of the return file about enrollment: populations, status, dates, why it ended."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.reports.facts import Facts
from adapter.reports.fhir import OURS, codes, concept, day_of, extensions
from adapter.reports.found import NOTHING, Element, Found, of

_ENDED = ("finished", "cancelled")


def populations(facts: Facts) -> list[str]:
    """The codes of the member's populations of focus, in the order given."""
    rows = extensions(facts.episode or {}, "population-of-focus")
    return codes(
        (row.get("valueCodeableConcept", {}) for row in rows),
        f"{OURS}/CodeSystem/population-of-focus",
    )


def pof_ind(facts: Facts) -> Found:
    """Whether any population of focus is known."""
    return of(facts.episode, "extension", bool(populations(facts)) if facts.episode else None)


def pof(facts: Facts) -> Found:
    """The populations' names, between semicolons."""
    table = terms.table("population-of-focus")
    names = [table.display(code) or code for code in dict.fromkeys(populations(facts))]
    return of(facts.episode, "extension", "; ".join(names))


def flagged(population: str) -> Element:
    """Whether a population, or a part of it, is among the member's; nothing without an episode."""

    def flag(facts: Facts) -> Found:
        listed = any(f"{code}-".startswith(f"{population}-") for code in populations(facts))
        return of(facts.episode, "extension", listed if facts.episode else None)

    return flag


def enrolled(facts: Facts) -> Found:
    """Whether the member is enrolled now."""
    running = (facts.episode or {}).get("status") in ("active", "onhold")
    return of(facts.episode, "status", running if facts.episode else None)


def ecm_status(facts: Facts) -> Found:
    """Our ECM status: what the episode's status says, refined by the status code beside it."""
    if facts.episode is None:
        return of(facts.coverage, "beneficiary", "outreach-pending")
    said = codes([concept(facts.episode, "ecm-status")], f"{OURS}/CodeSystem/ecm-status")
    state = facts.episode.get("status", "")
    return of(facts.episode, "status", _status(state, said[0] if said else "", facts))


def _status(state: str, said: str, facts: Facts) -> str:
    if state in ("active", "onhold"):
        return "enrolled"
    if state == "finished":
        return "discontinued"
    if state == "cancelled":
        return said if said in ("declined", "unable-to-reach", "excluded") else "declined"
    tried = bool(facts.attempts) or any(contact.outreach for contact in facts.contacts)
    return "in-outreach" if tried or said == "in-outreach" else "outreach-pending"


def acuity(facts: Facts) -> Found:
    """Our code of the acuity level, else the plan's own word."""
    found = concept(facts.episode or {}, "acuity")
    code = next(iter(row.get("code") for row in found.get("coding", ())), None)
    return of(facts.episode, "extension", code or found.get("text"))


def ecm_start(facts: Facts) -> Found:
    """First day of enrollment; a member not yet enrolled has none."""
    return _day(facts, "start") if _was_enrolled(facts) else NOTHING


def ecm_end(facts: Facts) -> Found:
    """Last day of enrollment, once it is over."""
    ended = (facts.episode or {}).get("status") in _ENDED
    return _day(facts, "end") if ended and _was_enrolled(facts) else NOTHING


def _was_enrolled(facts: Facts) -> bool:
    return (facts.episode or {}).get("status") in ("active", "onhold", "finished")


def _day(facts: Facts, end: str) -> Found:
    text = (facts.episode or {}).get("period", {}).get(end, "")
    return of(facts.episode, "period", day_of(text, facts.setup.zone))


def discont_date(facts: Facts) -> Found:
    """When ECM ended, or the member was given up before enrollment."""
    return _day(facts, "end") if (facts.episode or {}).get("status") in _ENDED else NOTHING


def discont_code(facts: Facts) -> Found:
    """Our code of the reason, else the source's own words, for which no plan has a code."""
    found = _reason(facts)
    code = found["coding"][0].get("code") if found.get("coding") else None
    return of(facts.episode, "extension", code or found.get("text"))


def discont_text(facts: Facts) -> Found:
    """The reason in words: our code's name, else as the source wrote it."""
    found = _reason(facts)
    coding: dict[str, Any] = next(iter(found.get("coding", ())), {})
    name = terms.table("discontinuation-reason").display(coding.get("code", ""))
    return of(facts.episode, "extension", coding.get("display") or name or found.get("text"))


def _reason(facts: Facts) -> dict[str, Any]:
    ended = facts.episode is not None and facts.episode.get("status") in _ENDED
    return concept(facts.episode or {}, "discontinuation-reason") if ended else {}
