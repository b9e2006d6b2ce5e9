"""Proposes a layout for a file that nobody has described: a score and reasons for each column.

Reasons speak of headers and of what values look like; no value of a cell is ever repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from adapter.sources import layout as layouts
from adapter.sources.likeness import most_like
from adapter.sources.sample import Sample, take
from adapter.sources.shapes import SHOWN, Column

ENOUGH = 0.5  # a lower score is told, and not taken
_SURE = 0.8  # share of values of a shape that say what a column is
_LOOSE = frozenset({"id", "street", "word"})  # shapes that values of such a field need not have
_DATES = ("birth_date", "auth_start", "auth_end", "coverage_start", "coverage_end", "ecm_start",
          "ecm_end", "assigned_on", "auth_requested_on", "auth_decided_on", "sent_at")  # fmt: skip
_SHAPES: Mapping[str, str] = {
    "cin": "cin", "pcp_npi": "npi", "ecm_provider_npi": "npi", "ecm_provider_tin": "tin",
    "zip": "zip", "mailing_zip": "zip", "sex": "sex", "state": "state", "mailing_state": "state",
    "race": "race", "ethnicity": "ethnicity", "language_spoken": "language",
    "language_written": "language", "homeless": "flag", "enrolled": "flag", "void": "flag",
    "acuity": "acuity", "priority": "priority", "record_status": "record status",
    "ecm_status": "ECM status", "pof": "population", "address": "street",
    "mailing_address": "street", "plan_member_id": "id", "mrn": "id", "auth_id": "id",
    "last_name": "word", "first_name": "word", "middle_name": "word", "city": "word",
    "mailing_city": "word", "county": "word",
    **dict.fromkeys(_DATES, "date"),
    **dict.fromkeys(("email", "guardian_email", "lcm_email", "referrer_email"), "email"),
    **dict.fromkeys(
        ("phone", "phone_alt", "phone_home", "phone_cell", "phone_work", "guardian_phone",
         "pcp_phone", "ecm_provider_phone", "lcm_phone", "referrer_phone"), "phone",
    ),
}  # fmt: skip
# What the values alone are worth, where a header says nothing, and the field that they then mean.
_ALONE: Mapping[str, tuple[str, float]] = {
    "cin": ("cin", 0.75), "npi": ("ecm_provider_npi", 0.6), "email": ("email", 0.7),
    "zip": ("zip", 0.6), "phone": ("phone", 0.6), "street": ("address", 0.6), "sex": ("sex", 0.6),
    "state": ("state", 0.55), "population": ("pof", 0.6),
}  # fmt: skip


class Guess(NamedTuple):
    """What a column may mean: its field ("" unknown), how sure from 0 to 1, and why."""

    field: str
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A proposed layout: the file's form, and a guess for each column in order.

    `labels`  what the columns are called, `column 3` where there is no header
    """

    sample: Sample
    labels: Sequence[str]
    guesses: Sequence[Guess]
    missing: Sequence[str] = field(default_factory=list)


def suggest(file: Path | bytes, room: str = "mif") -> Suggestion:
    """Propose a layout for a file, on top of the room's canonical one. Raises sample.NoTable."""
    sample = take(file)
    canonical = layouts.load(layouts.CANONICAL, room)
    columns = [Column(sample.column(place)) for place in range(sample.width)]
    header = sample.header or []
    labels = [*header, *[""] * (len(columns) - len(header))]
    ranked = sorted(_candidates(labels, columns, canonical), key=lambda one: (-one[0], one[1]))
    guesses: list[Guess] = [Guess("", 0.0, _seen(column)) for column in columns]
    taken: set[str] = set()
    for score, place, name, reasons in ranked:
        if not guesses[place].field and name not in taken:
            guesses[place] = Guess(name, score, reasons)
            if score >= ENOUGH:
                taken.add(name)
    if sample.header is None:
        _name_words(columns, guesses)
    named = [text or f"column {place}" for place, text in enumerate(labels, 1)]
    return Suggestion(sample, named, guesses, _missing(guesses, canonical))


_Ranked = tuple[float, int, str, tuple[str, ...]]


def _candidates(
    labels: Sequence[str], columns: Sequence[Column], canonical: layouts.Layout
) -> Iterator[_Ranked]:
    """Every field that a column could mean, with its score."""
    for place, (label, column) in enumerate(zip(labels, columns, strict=True)):
        for name, texts in canonical.columns.items():
            score, reasons = _judge(label, column, name, texts)
            if score > 0.3:
                yield round(score, 2), place, name, reasons


def _judge(
    label: str, column: Column, name: str, texts: Sequence[str]
) -> tuple[float, tuple[str, ...]]:
    like, text = most_like(label, texts) if label else (0.0, "")
    shape = "flag" if name.startswith("pof_") else _SHAPES.get(name, "")
    share = column.shares.get(shape, 0.0)
    reasons = [f'header like "{text}" ({like:.2f})'] if like > 0.3 else []
    if shape and column.filled:
        reasons.append(f"{share:.0%} of its values are {SHOWN[shape]}")
    if like == 1.0:
        score = 1.0 if not shape or not column.filled or share > 0.5 else 0.6
    elif not shape or not column.filled or (share < 0.5 and shape in _LOOSE):
        score = 0.85 * like
    elif share < 0.5:
        score = 0.5 * like * share
    elif like < 0.45:
        score = like  # many fields look alike: values do not make up for a header
    else:
        score = 0.65 * like + 0.35 * share
    alone = _alone(column, name)
    if alone > score:
        reasons.append("by its values alone")
    return max(score, alone), tuple(reasons)


def _alone(column: Column, name: str) -> float:
    """What the values are worth when the header is not known at all."""
    if name == "birth_date" and column.shares["date"] >= _SURE:
        return 0.6 if "1900" < column.middle_day < "2020" and column.distinct > 2 else 0.0
    if name == "pcp_npi" and column.shares["npi"] >= _SURE and column.distinct > 3:
        return 0.61
    if name == "plan_member_id" and column.shares["named id"] >= _SURE:
        return 0.55 if column.distinct > 0.7 * column.filled else 0.0
    if name == "sex" and (column.distinct < 2 or column.shares["id"] or column.shares["flag"] == 1):
        return 0.0
    for shape, (field_name, worth) in _ALONE.items():
        if field_name == name and column.shares[shape] >= _SURE:
            return worth * column.shares[shape] if column.filled else 0.0
    return 0.0


def _seen(column: Column) -> tuple[str, ...]:
    """What the values of a column look like that nobody recognized."""
    if not column.filled:
        return ("it is empty",)
    best = max(column.shares, key=lambda name: column.shares[name])
    if column.shares[best] < 0.5:
        return (f"values of no known shape, {column.distinct} different",)
    return (f"{column.shares[best]:.0%} of its values are {SHOWN[best]}",)


def _name_words(columns: Sequence[Column], guesses: list[Guess]) -> None:
    """Of a file without header: words side by side are names, words behind a street its city."""
    words = [column.shares["word"] >= _SURE and column.share_filled > _SURE for column in columns]
    free = [words[n] and guesses[n].score < ENOUGH for n in range(len(columns))]
    for place in range(len(columns) - 1):
        if free[place] and free[place + 1] and columns[place].distinct > 1:
            why = ("words side by side: which is the last name must be checked",)
            guesses[place] = Guess("last_name", ENOUGH, why)
            guesses[place + 1] = Guess("first_name", ENOUGH, why)
            free[place] = free[place + 1] = False
            break
    streets = [n for n, guess in enumerate(guesses) if guess.field == "address"]
    behind = [n for street in streets for n in range(street + 1, street + 3)]
    for place in behind:
        if place < len(columns) and free[place]:
            guesses[place] = Guess("city", ENOUGH, ("words behind a street",))
            return


def _missing(guesses: Sequence[Guess], canonical: layouts.Layout) -> list[str]:
    """What the layout needs and no column was taken for."""
    taken = {guess.field for guess in guesses if guess.score >= ENOUGH}
    wanted = [(one,) if isinstance(one, str) else one for one in canonical.required]
    return [" or ".join(names) for names in wanted if taken.isdisjoint(names)]
