"""Units that wait for a person: kept as they were converted, with whom they may mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from adapter import data
from adapter.issues import Candidate, Issue
from adapter.outcome import Outcome, Unit
from adapter.record import Entry, Location
from adapter.store import schema
from adapter.store.protocol import NEW, REFUSE, Held
from adapter.store.reads import raw

_UNIT, _REVIEW = schema.unit, schema.review
_REFUSALS = (REFUSE, NEW)  # of a merge that is none nothing is left
_WAITING = (
    select(
        _UNIT.c.id, _UNIT.c.source, _UNIT.c.kind, _UNIT.c.file, _UNIT.c.line, _UNIT.c.received,
        _UNIT.c.issues, _REVIEW.c.candidates,
    )
    .join(_REVIEW, _REVIEW.c.unit == _UNIT.c.id)
    .where(_UNIT.c.status == "review")
    .order_by(_UNIT.c.id)
)  # fmt: skip


def waiting(connection: Connection) -> list[Held]:
    """Every unit that waits for a person, in order of arrival."""
    return [
        Held(*row[:6], data.loads(row[6]), _candidates(row[7]))
        for row in connection.execute(_WAITING)
    ]


def about(connection: Connection, people: AbstractSet[str]) -> list[int]:
    """The units that wait since one of these Patients (ids) may be meant, in order of arrival."""
    query = _WAITING.with_only_columns(_UNIT.c.id, _REVIEW.c.candidates)
    rows = connection.execute(query).all()
    return [unit for unit, text in rows if any(one.id in people for one in _candidates(text))]


def of_event(connection: Connection, event: str) -> list[int]:
    """The messages of an event that wait, in order of arrival."""
    told = _REVIEW.c.outcome.contains(f'"event":"{event}"')
    return [
        unit for (unit,) in connection.execute(_WAITING.with_only_columns(_UNIT.c.id).where(told))
    ]


class Kept(NamedTuple):
    """A unit that waits: as it was converted, its bytes, and what was answered of which doubt.

    `about`       the doubt that it waits for
    `candidates`  ids of the Patients who may be meant
    """

    outcome: Outcome
    raw: bytes
    answers: dict[str, str]
    about: str
    candidates: tuple[str, ...]


def kept(connection: Connection, unit: int) -> Kept | None:
    """A unit that waits; None when it does not wait."""
    query = (
        select(_REVIEW.c.outcome, _REVIEW.c.candidates)
        .join(_UNIT, _UNIT.c.id == _REVIEW.c.unit)
        .where(_REVIEW.c.unit == unit, _UNIT.c.status == "review")
    )
    row, found = connection.execute(query).first(), raw(connection, unit)
    if row is None or found is None:
        return None
    packed, likes = data.loads(row[0]), tuple(one.id for one in _candidates(row[1]))
    answers, doubt = packed.get("answers", {}), packed.get("about", "")
    return Kept(_outcome(packed), found, answers, doubt, likes)


def refused(connection: Connection, unit: int) -> bool:
    """Whether a unit that was refused was so by a person, not for what it holds."""
    query = select(_REVIEW.c.decision).where(_REVIEW.c.unit == unit)
    return connection.execute(query).scalar() in _REFUSALS


def told(candidates: Sequence[Candidate]) -> str:
    """Candidates as JSON text."""
    return data.dumps([tuple(one) for one in candidates]).decode()


def _candidates(text: str) -> list[Candidate]:
    return [
        Candidate(uid, score, tuple(agrees), tuple(differs), certain, possible)
        for uid, score, agrees, differs, certain, possible in data.loads(text)
    ]


def pack(outcome: Outcome, answers: Mapping[str, str], about: str) -> str:
    """An outcome as JSON text, with what was answered of it; its bytes are kept apart."""
    unit = outcome.unit
    return data.dumps({
        "unit": [tuple(unit.at), unit.kind, unit.source, unit.key, unit.as_of, unit.received],
        "answers": dict(answers),
        "about": about,
        "event": outcome.event,
        "at": outcome.at,
        "merges": outcome.merges,
        "moves": outcome.moves,
        "lists": outcome.lists,
        "issues": [_issue(one) for one in outcome.issues],
        "entries": [_entry(one) for one in outcome.entries],
    }).decode()  # fmt: skip


def _issue(issue: Issue) -> list[Any]:
    at = tuple(issue.at) if issue.at is not None else None
    return [issue.severity, issue.detail, issue.text, at, issue.path]


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "resource": entry.resource,
        "urn": entry.urn,
        "identity": entry.identity,
        "key": entry.key,
        "origins": [tuple(one) for one in entry.origins],
        "cleared": entry.cleared,
        "weak": entry.weak,
        "parts": {name: list(names) for name, names in entry.parts.items()},
    }


def _outcome(packed: dict[str, Any]) -> Outcome:
    at, kind, source, key, as_of, received = packed["unit"]
    unit = Unit(Location(*at), kind, source, key, as_of, received=received)
    return Outcome(
        unit,
        entries=[_unpacked(one) for one in packed["entries"]],
        issues=list(_issues(packed["issues"])),
        event=packed["event"],
        at=packed.get("at", ""),
        merges=tuple((survivor, loser) for survivor, loser in packed["merges"]),
        moves=tuple((stay, whose) for stay, whose in packed.get("moves", ())),
        lists=tuple((name, owner, tuple(urns)) for name, owner, urns in packed["lists"]),
    )


def _issues(rows: Iterable[list[Any]]) -> Iterable[Issue]:
    for severity, detail, words, at, path in rows:
        yield Issue(severity, detail, words, Location(*at) if at else None, path)


def _unpacked(row: dict[str, Any]) -> Entry:
    return Entry(
        resource=row["resource"],
        urn=row["urn"],
        identity=tuple((system, value) for system, value in row["identity"]),
        key=tuple(row["key"]),
        told=[(line, element, label) for element, line, label in row["origins"]],
        cleared=tuple(row["cleared"]),
        weak=tuple(row["weak"]),
        parts=row["parts"],
    )
