"""Builders of what a row says as a whole: status, authorization, attempt, and who it is about."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.issues import Issue, Severity
from adapter.mapping import cells
from adapter.mapping.builders_mif import concept
from adapter.mapping.builders_mif_pof import settle
from adapter.mapping.registry import builder, converter
from adapter.mapping.run import Run
from adapter.record import Location

Json = dict[str, Any]
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_UNKNOWN = {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}


# Status: every column that says something leaves a fact; the status is decided when all are read


def _remember(run: Run, name: str, what: str) -> None:
    run.facts[name], run.facts[f"label {name}"] = what, run.label


@builder("ecm_status")
def ecm_status(run: Run, texts: list[str]) -> Json:
    """The ECM status in the plan's words; what it means for the episode is remembered."""
    target = terms.table("ecm-episode-status").get(texts[0])
    if target is not None and target.code:
        _remember(run, "ecm_status", target.code)
    return concept(run, "ecm-status", texts[0])


@builder("record_status")
def record_status(run: Run, texts: list[str]) -> Json:
    """Whether the row is new, continuing, changed or ended on the plan's list."""
    found = concept(run, "member-record-status", texts[0])
    if found.get("coding", [{}])[0].get("code") == "ended":
        _remember(run, "ended", "finished")
    return found


@builder("enrolled")
def enrolled(run: Run, texts: list[str]) -> None:
    """Whether the plan has the member as enrolled in ECM already."""
    found = cells.flag(run, texts[0])
    if found is not None:
        _remember(run, "enrolled", "active" if found else "planned")


@builder("void")
def void(run: Run, texts: list[str]) -> None:
    """Whether the row takes back one sent before (files.md 8.26)."""
    if cells.flag(run, texts[0]):
        _remember(run, "void", "entered-in-error")


@builder("discontinuation_reason")
def discontinuation_reason(run: Run, texts: list[str]) -> Json:
    """Why ECM ended, as our code where the plan's code or words are known; it did end, then."""
    _remember(run, "ended", "finished")
    return concept(run, "discontinuation-reason", texts[0])


@converter("episode_status")
def episode_status(run: Run, cell: str) -> str:
    """The status of the episode: taken back, then the ECM status, then ended, then enrolled.

    Being on the list without any of these is `planned`: assigned, and outreach is owed. That says
    less than anything said before, so it only fills a gap.
    """
    draft = run.drafts.get("EpisodeOfCare")
    if draft is not None and "extension" in draft.resource:
        settle(run, draft)
    for name in ("void", "ecm_status", "ended", "enrolled"):
        if name in run.facts:
            run.label = run.facts[f"label {name}"]
            return run.facts[name]
    run.facts["only assigned"] = "1"
    return "planned"


@builder("only_assigned")
def only_assigned(run: Run, texts: list[str]) -> None:
    """Mark a status that nobody said as one that fills a gap and never replaces what was said."""
    draft = run.drafts.get("EpisodeOfCare")
    if draft is not None and "only assigned" in run.facts:
        draft.weak = ("status",)


# An attempt to reach a member, told by a plan's own outreach file


@builder("attempt_reason")
def attempt_reason(run: Run, texts: list[str]) -> Json:
    """What came of an attempt, by the code that says most."""
    run.facts["attempt reason"] = "1"
    return concept(run, "outreach-outcome", texts[0])


@builder("attempt_result")
def attempt_result(run: Run, texts: list[str]) -> Json | None:
    """Whether the member was reached; nothing when another column says more."""
    if "attempt reason" in run.facts:
        return None
    return concept(run, "outreach-outcome", texts[0])


@converter("attempt_status")
def attempt_status(run: Run, cell: str) -> str:
    """Completed, unless the row takes back one sent before."""
    return run.facts.get("void", "completed")


# The row as a whole


def _say(run: Run, severity: Severity, label: str, text: str) -> None:
    """Report what is required and absent, at the field that should have held it."""
    at = Location(run.unit.at.source, run.line, label)
    run.issues.append(Issue(severity, "required", text, at))


@converter("member_is_named")
def member_is_named(run: Run, cell: str) -> bool:
    """True for a member whom an identifier names; without any the row is refused (files.md 8.24).

    Also drops a contact of whom no more than the relationship is known (FHIR R4 pat-1).
    """
    draft = run.drafts.get("Patient")
    resource = draft.resource if draft else {}
    if not resource.get("identifier"):
        _say(run, "error", "plan_member_id or cin", "no identifier that names the member")
    if resource.get("contact", [{}])[0].keys() == {"relationship"}:
        _say(run, "warning", "guardian_name", "a contact without name and number was left out")
        del resource["contact"]
    return True


@builder("authorization_decided")
def authorization_decided(run: Run, texts: list[str]) -> None:
    """The day of the plan's decision, which is when its answer was made."""
    run.facts["decided"] = cells.us_date(run, texts[0])


@converter("authorization_received")
def authorization_received(run: Run, cell: str) -> str | None:
    """The day of the decision; else that of the start or of receipt, whichever came first.

    So a file that says the same again does not move it. Without number it is left out.

    None when the row has no authorization at all.
    """
    draft = run.drafts.get("ClaimResponse")
    if draft is None:
        return None
    decided = run.facts.get("decided", "")
    if "preAuthRef" not in draft.resource:
        _say(run, "warning", "auth_id", "an authorization without number was left out")
        run.made.remove(draft)
        run.drafts["ClaimResponse"] = None
        return None
    start = draft.resource.get("preAuthPeriod", {}).get("start", "")
    heard = run.unit.as_of[:10] or run.unit.received[:10]
    day = decided or min(filter(None, (start, heard)), default="")
    if not day:
        draft.resource["_created"] = _UNKNOWN
    return day or None


@converter("undecided")
def undecided(run: Run, cell: str) -> str:
    """An authorization that waits for its decision: queued, as FHIR says it."""
    return "queued"


@converter("authorization_outcome")
def authorization_outcome(run: Run, cell: str) -> str | None:
    """Complete, unless a status said otherwise; None when the row has no authorization."""
    draft = run.drafts.get("ClaimResponse")
    return draft.resource.get("outcome", "complete") if draft else None
