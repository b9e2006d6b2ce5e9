"""The letter to a member who could not be reached: its text from a template, as HTML and PDF."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from string import Template
from typing import Any

import fpdf

from adapter import data
from adapter.errors import DataFileError

_FONT_SIZE, _LINE = 11, 6
_TEXTS = ("title", "date", "greeting", "attempt", "plan", "tty", "closing", "language")
_LISTS = ("months", "before", "after", "signature")
_NAMES = frozenset(
    ("name", "day", "month", "year", "date", "way", "plan", "phone", "tty", "provider",
     "provider_phone")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter says (county policy, attachment 8; program-rules 18.2).

    `languages` the member's, the best first; `attempts` day and modality of each attempt
    `plan`      short name of the member's plan; its member services: mappings/program/plans.toml
    `provider`  who signs: mappings/outbound/provider.toml
    """

    name: str
    address: tuple[str, ...]
    languages: tuple[str, ...]
    attempts: tuple[tuple[date, str], ...]
    plan: str
    provider: Mapping[str, str]
    on: date


@dataclass(frozen=True, slots=True)
class Text:
    """A letter in words, part by part; the boxes are (ticked, line)."""

    language: str
    title: str
    sender: tuple[str, ...]
    addressee: tuple[str, ...]
    day: str
    greeting: str
    before: tuple[str, ...]
    attempts: tuple[str, ...]
    after: tuple[str, ...]
    boxes: tuple[tuple[bool, str], ...]
    closing: tuple[str, ...]


def languages() -> tuple[str, ...]:
    """The languages that have a template."""
    return tuple(sorted(file.stem for file in _folder().glob("*.toml")))


def write(letter: Letter) -> Text:
    """The letter in the first of the member's languages that has a template, else in English.

    Raises DataFileError for a plan without member services number.
    """
    found = next((one for one in letter.languages if one in languages()), "en")
    words = _template(found)
    by = letter.provider
    fill = {"name": letter.name, "provider": by["name"], "provider_phone": _phone(by["phone"])}
    return Text(
        language=words["language"],
        title=words["title"],
        sender=(by["name"], by["street"], f"{by['city']}, {by['state']} {by['zip'][:5]}"),
        addressee=(letter.name, *letter.address),
        day=_day(letter.on, words),
        greeting=_fill(words["greeting"], fill),
        before=tuple(_fill(line, fill) for line in words["before"]),
        attempts=tuple(_attempt(day, way, words) for day, way in sorted(letter.attempts)),
        after=tuple(_fill(line, fill) for line in words["after"]),
        boxes=tuple(_boxes(letter.plan, words)),
        closing=(words["closing"], *(_fill(line, fill) for line in words["signature"])),
    )


def as_html(text: Text) -> bytes:
    """A page of its own that prints on one sheet."""
    tick = {True: "&#9746;", False: "&#9744;"}
    attempts = "".join(f"<li>{html.escape(line)}</li>" for line in text.attempts)
    boxes = "".join(f"<li>{tick[on]} {html.escape(line)}</li>" for on, line in text.boxes)
    parts = [
        _block("address", text.sender),
        _block("address", text.addressee),
        f"<p>{html.escape(text.day)}</p>",
        f"<h1>{html.escape(text.title)}</h1>",
        *(f"<p>{html.escape(line)}</p>" for line in (text.greeting, *text.before)),
        f"<ul>{attempts}</ul>",
        *(f"<p>{html.escape(line)}</p>" for line in text.after),
        f'<ul class="boxes">{boxes}</ul>',
        _block("p", text.closing),
    ]
    style = (
        "body{font:11pt/1.4 sans-serif;max-width:17cm;margin:2cm auto}"
        "address{font-style:normal;margin-bottom:1cm}h1{font-size:14pt}"
        ".boxes{list-style:none;padding:0}"
    )
    head = f'<meta charset="utf-8"><title>{html.escape(text.title)}</title><style>{style}</style>'
    top = f'<!DOCTYPE html>\n<html lang="{text.language}"><head>{head}</head>\n<body>'
    return "\n".join([top, *parts, "</body></html>", ""]).encode()


def as_pdf(text: Text, made: date) -> bytes:
    """The same letter as PDF, the same bytes for the same letter.

    A letter that the standard fonts lack is written without its marks; the HTML has it whole.
    """
    paper = fpdf.FPDF(format="letter")
    paper.core_fonts_encoding = "cp1252"
    paper.set_creation_date(datetime(made.year, made.month, made.day, tzinfo=UTC))
    paper.set_title(_plain(text.title))
    paper.set_lang(text.language)
    paper.set_margins(25, 25, 25)
    paper.add_page()
    for size, lines in _paragraphs(text):
        paper.set_font("Helvetica", size=size)
        for line in lines:
            paper.multi_cell(0, _LINE, _plain(line), new_x="LMARGIN", new_y="NEXT", align="L")
        paper.ln(_LINE)
    return bytes(paper.output())


def _paragraphs(text: Text) -> list[tuple[int, tuple[str, ...]]]:
    tick = {True: "[x]", False: "[ ]"}
    parts: list[tuple[int, Sequence[str]]] = [
        (_FONT_SIZE, text.sender),
        (_FONT_SIZE, text.addressee),
        (_FONT_SIZE, (text.day,)),
        (_FONT_SIZE + 3, (text.title,)),
        (_FONT_SIZE, (text.greeting,)),
        *((_FONT_SIZE, (line,)) for line in text.before),
        (_FONT_SIZE, [f"- {line}" for line in text.attempts]),
        *((_FONT_SIZE, (line,)) for line in text.after),
        (_FONT_SIZE, [f"{tick[on]} {line}" for on, line in text.boxes]),
        (_FONT_SIZE, text.closing),
    ]
    return [(size, tuple(lines)) for size, lines in parts if lines]


def _plain(line: str) -> str:
    """A line in the characters of the PDF's standard fonts (Windows code page 1252)."""
    return "".join(_known(char) for char in unicodedata.normalize("NFC", line))


def _known(char: str) -> str:
    for form in (char, unicodedata.normalize("NFKD", char)):
        kept = "".join(c for c in form if not unicodedata.combining(c))
        try:
            kept.encode("cp1252")
        except UnicodeEncodeError:
            continue
        return kept
    return "?"


# --- the words


def _folder() -> Any:
    return data.path("mappings", "program", "letters")


@cache
def _template(language: str) -> Mapping[str, Any]:
    """A template, checked. Raises DataFileError for an absent part or an unknown `$` name."""
    file = _folder() / f"{language}.toml"
    words: dict[str, Any] = data.toml(file)
    for key in (*_TEXTS, *_LISTS, "ways"):
        if key not in words:
            raise DataFileError(data.name(file), key, "is not there")
    texts = [*(words[key] for key in _TEXTS), *(line for key in _LISTS for line in words[key])]
    for line in texts:
        if unknown := set(Template(line).get_identifiers()) - _NAMES:
            raise DataFileError(data.name(file), min(unknown), "is no name that is filled in")
    return words


@cache
def _plans() -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, dict[str, Any]] = data.toml(data.path("mappings", "program", "plans.toml"))[
        "plan"
    ]
    return found


def _boxes(plan: str, words: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """The member's plan with its number, ticked; of a list for several plans each, none ticked.

    Attachment 8: a box and the member services number of the plan.
    """
    row = _plan(plan)
    if "boxes" in row:
        return [(False, _box(_plan(one), words)) for one in row["boxes"]]
    return [(True, _box(row, words))]


def _plan(plan: str) -> Mapping[str, Any]:
    """A plan's row by its name or one of its other names."""
    for name, row in _plans().items():
        if plan.casefold() in (name, *row.get("also", ())):
            return row
    raise DataFileError("mappings/program/plans.toml", plan, "has no member services number")


def _box(row: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    line = _fill(words["plan"], {"plan": row["name"], "phone": row["phone"]})
    return line + (f" ({_fill(words['tty'], {'tty': row['tty']})})" if "tty" in row else "")


def _attempt(day: date, way: str, words: Mapping[str, Any]) -> str:
    if way not in words["ways"]:
        return _day(day, words)
    return _fill(words["attempt"], {"date": _day(day, words), "way": words["ways"][way]})


def _day(day: date, words: Mapping[str, Any]) -> str:
    month = words["months"][day.month - 1]
    return _fill(words["date"], {"day": str(day.day), "month": month, "year": str(day.year)})


def _fill(line: str, values: Mapping[str, str]) -> str:
    return Template(line).safe_substitute(values)


def _phone(digits: str) -> str:
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}" if len(digits) == 10 else digits


def _block(tag: str, lines: Sequence[str]) -> str:
    return f"<{tag}>{'<br>'.join(html.escape(line) for line in lines)}</{tag}>"
