"""Converters of PR1 and DG1: what was done, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from adapter import terms
from adapter.constant import opened
from adapter.mapping.datatypes import SYSTEMS, coding_system, concept, ei, repetitions
from adapter.mapping.field_values import linked
from adapter.mapping.lasting import steady
from adapter.mapping.parts import also, first, own, part, told
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import Draft, Link, Run
from adapter.mapping.times import dtm

Json = dict[str, Any]


def _logical(run: Run, parts: list[str], kind: str, name: str) -> Json | None:
    """A reference to what has this identifier, in the message if it is there."""
    item = ei(run, parts)
    if item is None:
        return None
    reference: Json = {"type": kind, "identifier": item}

    def find(run: Run) -> None:
        for draft in run.made:
            if draft.kind == kind and item in draft.resource.get("identifier", ()):
                mine = next((d for d in run.made if d.line == line and d.name == name), None)
                if mine is not None:
                    mine.links.append(Link("", _into(reference), draft))
                return

    line = run.line
    if run.groups is not None:
        run.groups.later.append(find)
    return reference


def _into(reference: Json) -> Callable[[Draft, Any, int], None]:
    def put(draft: Draft, found: Any, rep: int) -> None:
        reference.update(found)

    return put


@datatype("parent_diagnosis", 4)
def parent_diagnosis(run: Run, parts: list[str]) -> Json | None:
    """DG1-22: the diagnosis that this one is due to (v2-to-FHIR EI[Condition])."""
    return _logical(run, parts, "Condition", "Condition")


@datatype("parent_procedure", 4)
def parent_procedure(run: Run, parts: list[str]) -> Json | None:
    """PR1-25: the procedure that this one is part of (v2-to-FHIR PR1-25)."""
    return _logical(run, parts, "Procedure", "Procedure")


@builder("episode_diagnosis")
def episode_diagnosis(run: Run, texts: list[str]) -> None:
    """DG1-3, -6, -15 in an episode of service: its link to the Condition (DG1[EpisodeOfCare])."""
    episode, condition = run.drafts.get("ServiceEpisode"), run.drafts.get("Condition")
    if episode is None or condition is None or linked(episode, condition):
        return
    item: Json = {}
    if role := first(also(run, 6, lambda run, parts: told(run, parts, "diagnosis-type"))):
        item["role"] = role
    rank = own(run, 15)
    if rank.isascii() and rank.isdigit() and int(rank[:9]) > 0:
        item["rank"] = int(rank[:9])

    def put(draft: Draft, reference: Json, rep: int) -> None:
        draft.resource.setdefault("diagnosis", []).append({"condition": reference, **item})

    episode.links.append(Link("diagnosis", put, condition))


@datatype("method_code", 20, but=(15, 16, 18, 19))
@steady(2)
def method_code(run: Run, parts: list[str]) -> Json | None:
    """DG1-3: a code that names no system is of the coding method (DG1-2; table 0053)."""
    return concept(run, parts, coding_system(_method(run)))


@datatype("procedure_code", 20, but=(15, 16, 18, 19))
@steady(2)
def procedure_code(run: Run, parts: list[str]) -> Json | None:
    """PR1-3: the same by PR1-2 (table 0089), where `I10` is ICD-10-PCS."""
    texts = [_of_procedures(text) if place in SYSTEMS else text for place, text in enumerate(parts)]
    return concept(run, texts, coding_system(_of_procedures(_method(run))))


def _method(run: Run) -> str:
    return own(run, 2).partition("^")[0].strip()


def _of_procedures(name: str) -> str:
    found = terms.table("procedure-coding-system").get(name.strip())
    return found.code if found else name


@builder("code_words")
def code_words(run: Run, texts: list[str]) -> str | None:
    """DG1-4, PR1-4: the text of the code where DG1-3.9, PR1-3.9 give none (v2-to-FHIR PR1-4)."""
    draft = run.drafts.get("Condition" if run.label.startswith("DG1") else "Procedure")
    known = draft.resource.get("code", {}).get("text") if draft is not None else None
    text = next(repetitions(run, texts), [""])[0].strip()
    if known and text not in ("", known):
        run.issue("information", "unmapped", "the code has its original text already")
    return text if text and not known else None


# --- PR1


@builder("performed")
def performed(run: Run, texts: list[str]) -> None:
    """PR1-5 with PR1-7 minutes: a period where the start has a time of day (v2-to-FHIR PR1-7)."""
    draft = run.drafts.get("Procedure")
    start = dtm(run, texts[0].split("^")[0])
    minutes = own(run, 7)
    if draft is None:
        return
    end = _later(start, minutes) if len(start) > len("2026-01-01") else ""
    if end:
        draft.resource["performedPeriod"] = {"start": start, "end": end}
    else:
        draft.resource["performedDateTime"] = start
    draft.origins.append((run.line, "performed", run.label))


def _later(start: str, minutes: str) -> str:
    """So many minutes after a time, `""` when they are no number, or lead beyond all time."""
    if not (minutes.isascii() and minutes.isdigit()):
        return ""
    try:
        return (datetime.fromisoformat(start) + timedelta(minutes=int(minutes[:7]))).isoformat()
    except OverflowError:
        return ""


@builder("modifiers")
def modifiers(run: Run, texts: list[str]) -> None:
    """PR1-16: modifiers behind the code, with colons (v2-to-FHIR PR1-16)."""
    draft = run.drafts.get("Procedure")
    found = [part(parts, 1) for parts in repetitions(run, texts)]
    codings = draft.resource.get("code", {}).get("coding") if draft is not None else None
    if draft is not None and codings:
        base, *others = codings
        code = ":".join([base["code"], *filter(None, found)])
        opened(draft.resource, "code")["coding"] = [{**base, "code": code}, *others]


@converter("deleted_procedure")
def deleted_procedure(run: Run, text: str) -> str | None:
    """PR1-20: D takes the procedure back (table 0206)."""
    return "entered-in-error" if text.strip().upper() == "D" else None
