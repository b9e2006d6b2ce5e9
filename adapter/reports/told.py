"""What a row of a return file says, as the fields of mappings/returns/row.toml: one text each.

The elements of the row are taken as they are; what only follows from several of them, or from the
rest of the file, is added. Nothing here looks into a store.
"""

from __future__ import annotations

import calendar
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from types import MappingProxyType

from adapter import data, terms
from adapter.reports.cells import named, told
from adapter.reports.elements import FLAGGED
from adapter.reports.found import Value
from adapter.reports.layout import Column, Layout
from adapter.reports.read import ReadRow

_REASONS, _FOCUS = "discontinuation-reason", "population-of-focus"
OPEN = "9999-12-31"  # what says that a period has no end (files.md 8.11)
_COUNTS = {"count_in_person": ("n_in_person", "in-person"), "count_tele": ("n_tele", "virtual")}
_FACE_TO_FACE = {"FACE": "in person"}
_CODED = frozenset({"acuity", "discont_reason", "ecm_status", "method", "outcome"})
_ENDED = ("cancelled", "finished")
# Elements that say of the enrollment no more than that the member is on the list.
_OF_LIST = {"ecm_status": "outreach-pending", "enrolled": "false"}
# Fields that follow from elements -> the elements whose column is named as their source.
SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "assess_open": ("assess_start",),
        "attempt_at": ("attempt_time", "attempt_date"),
        "attempt_name": ("attempt_time", "attempt_date"),
        "attempt_result": ("outcome", "missed_code", "reached_code", "result", "success"),
        "attempt_status": ("void", "cancelled", "attempt_date"),
        "auth_told": ("produced_on", "sent_at"),
        "count_in_person": ("n_in_person",),
        "count_tele": ("n_tele",),
        "coverage": ("void", "cin"),
        "episode": ("ecm_status", "enrolled"),
        "episode_end": ("ecm_end", "discont_date"),
        "medicare": ("dual_medicare",),
        "month_end": ("period",),
        "month_start": ("period",),
        "populations": ("pof", *FLAGGED),
        "reason": ("discont_reason", "discont_code", "discont_text"),
        "referral_of": ("referral_status",),
        "status": ("ecm_status",),
        "task": ("referral_status",),
        "visit_at": ("attempt_time", "attempt_date"),
        "visit_class": ("method",),
        "visit_from": ("next_visit_date",),
        "visit_kept": ("next_visit",),
        "visit_name": ("attempt_time", "attempt_date"),
        "visit_to": ("next_visit_date",),
    }
)
_OF_EPISODE = (
    "acuity", "discont_code", "discont_date", "discont_reason", "discont_text", "ecm_end",
    "ecm_start", "ecm_status", "enrolled", "lcm_name", "pof", "pof_ind", *FLAGGED,
)  # fmt: skip


_Cells = dict[str, str]


class Teller:
    """The rows of one file, in order: attempts that look alike are counted, so that each is one."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._seen: Counter[tuple[str, ...]] = Counter()

    def fields(self, row: ReadRow) -> dict[str, str]:
        """Field -> text of a row; what it does not say is left out."""
        said = {name: _coded(name, text(value)) for name, value in row.values.items()}
        found = {name: cell for name, cell in said.items() if cell}
        made = {
            **dict(_episode(found, self._layout)),
            **dict(_care(found)),
            **dict(_referral(found)),
        }
        void = found.get("void") == "true"
        made |= self._attempt(row.values, found, void)
        gone = void and self._layout.grain != "attempt"
        made["coverage"] = "entered-in-error" if gone else "active"
        if gone and "episode" in made:
            made["episode"] = "entered-in-error"
        return {**found, **made}

    def _attempt(self, values: Mapping[str, Value], said: dict[str, str], void: bool) -> _Cells:
        """An outreach attempt: its name, instant, result and kind of contact.

        Its name is made of whom it is about, when and how, and of how many such came before it in
        the file: so the month's file written again says the same attempts, and others besides.
        """
        when = values.get("attempt_time") or values.get("attempt_date")
        if not isinstance(when, date):
            return {}
        clock = isinstance(when, datetime) and (when.hour or when.minute or when.second)
        at = when.strftime("%Y-%m-%d %H:%M:%S" if clock else "%Y-%m-%d")
        who = said.get("cin") or said.get("plan_member_id") or said.get("mrn", "")
        like = (who, at, said.get("method", ""), str(void))
        self._seen[like] += 1
        name = "\x1f".join((*like[:3], str(self._seen[like])))
        made = {"attempt_name": hashlib.sha256(name.encode()).hexdigest()[:32], "attempt_at": at}
        result = said.get("outcome") or said.get("reached_code") or said.get("missed_code")
        reached = said.get("success") or {"reached": "true", "not-reached": "false"}.get(
            said.get("result", "")
        )
        if not result and reached:
            result = "contacted" if reached == "true" else "unable-to-contact"
        if result:
            made["attempt_result"] = result
        not_done = said.get("cancelled") == "true"
        made["attempt_status"] = "not-done" if not_done else "completed"
        if void:
            made["attempt_status"] = "entered-in-error"
        if said.keys() & {"provider_type", "time_spent"}:
            made["visit_name"] = made["attempt_name"]
            made["visit_at"] = at
            made["visit_class"] = _FACE_TO_FACE.get(said.get("method", ""), "telehealth")
        return made


def text(value: Value | float) -> str:
    """A value as the text of a field: ISO days, `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def _coded(element: str, said: str) -> str:
    """A code told by its name, because the plan has no word for it, as the code again."""
    return (element in _CODED and named(element, said)) or said


def _episode(said: Mapping[str, str], layout: Layout) -> Iterator[tuple[str, str]]:
    """Status, end, reason and populations of the enrollment; nothing of a member just listed."""
    more = {name for name in _OF_EPISODE if name in said and said[name] != _OF_LIST.get(name)}
    if not more and "enrolled" not in said:
        return
    status = _status(said)
    end = said.get("ecm_end") or said.get("discont_date")
    yield "episode", status
    yield "status", said.get("ecm_status", "")
    yield "episode_end", end if end and status in _ENDED else OPEN
    reason = _reason(said, layout)
    if reason and status in _ENDED:
        yield "reason", reason
    codes = [code for name, code in FLAGGED.items() if said.get(name) == "true"]
    codes += [_named(_FOCUS, one, one) for one in said.get("pof", "").split("; ") if one]
    if codes:
        yield "populations", "; ".join(codes)


def _status(said: Mapping[str, str]) -> str:
    """EpisodeOfCare.status by the ECM status, else by the flag and what else is told."""
    target = terms.table("ecm-episode-status").get(said.get("ecm_status", ""))
    if target is not None:
        return target.code
    if said.get("enrolled") == "true":
        return "active"
    if said.get("ecm_end"):
        return "finished"
    return "cancelled" if said.keys() & {"discont_code", "discont_date"} else "planned"


def _reason(said: Mapping[str, str], layout: Layout) -> str:
    """Our code of the words, which tell most, else the code that every column agrees with.

    A plan may have one word for several of our codes: the column beside it may tell them apart.
    """
    code = said.get("discont_reason") or said.get("discont_code", "")
    written = said.get("discont_text", "")
    columns = [layout.column(name) for name in ("discont_reason", "discont_code")]
    listed = [column for column in columns if column is not None]
    fit = [one for one in _codes() if code and all(_tells(one, c, said) for c in listed)]
    return _named(_REASONS, written, code if code in fit or not fit else fit[0]) or written


def _tells(code: str, column: Column, said: Mapping[str, str]) -> bool:
    shown = _coded(column.element, str(told(code, column)[0] or ""))
    return shown == said.get(column.element, "")


@cache
def _codes() -> tuple[str, ...]:
    """Our reasons of a discontinuation, in the order of their table."""
    table = terms.table(_REASONS)
    targets = (table.get(code) for code in table.codes())
    return tuple(dict.fromkeys(one.code for one in targets if one is not None and one.code))


@cache
def _names(table: str) -> Mapping[str, str]:
    """What our codes of a table are called -> the code."""
    found = terms.table(table)
    shown = {code: found.display(code) for code in found.codes()}
    return {terms.fold(name): code for code, name in shown.items() if name}


def _named(table: str, written: str, other: str) -> str:
    return _names(table).get(terms.fold(written), other)


def _care(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The month that is told of, an assessment that is not done, and when the next visit is."""
    start = said.get("period", "")
    if start and said.keys() & {"n_in_person", "n_tele"}:
        day = date.fromisoformat(start)
        yield "month_start", start
        last = calendar.monthrange(day.year, day.month)[1]
        yield "month_end", day.replace(day=last).isoformat()
        for field, name in _COUNTS.items():
            if name[0] in said:
                yield field, f"{name[1]}={said[name[0]]}"
    begun = said.get("assess_start")
    if begun and begun != said.get("assess_done"):
        yield "assess_open", begun
    booked = said.get("next_visit_date")
    if booked:
        yield "visit_from", f"{booked} 00:00:00"
        yield "visit_to", f"{booked} 23:59:59"
        yield "visit_kept", "accepted"
    if said.get("dual_medicare") == "true":
        yield "medicare", "Medicare"
    if "auth_no" in said:
        yield "auth_told", said.get("produced_on") or said.get("sent_at", "")[:10]


def _referral(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Task.status of the provider's word on a referral; words of no list stay untold."""
    word = terms.fold(said.get("referral_status", ""))
    state = _states().get(word, "")
    received = terms.fold("Services Received")
    why = terms.fold(said.get("referral_closure_reason", ""))
    if state == "completed" and why != received:
        state = "failed"
    if state:
        yield "task", state
        yield "referral_of", "Enhanced Care Management"


@cache
def _states() -> Mapping[str, str]:
    """Words of a referral's status -> status of its Task (mappings/returns/referral.toml)."""
    found: dict[str, str] = data.toml(data.path("mappings", "returns", "referral.toml"))["values"]
    return {terms.fold(word): state for state, word in found.items()}
