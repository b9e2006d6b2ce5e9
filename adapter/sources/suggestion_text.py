"""A proposed layout as the TOML file that would be put into the layouts folder."""

from __future__ import annotations

import json
from collections.abc import Iterator

from adapter.sources.suggest import ENOUGH, Guess, Suggestion


def toml(found: Suggestion, plan: str) -> str:
    """The layout file of a suggestion; scores and reasons stand in comments."""
    lines = [*_head(found, plan), *(_columns(found) if found.sample.header else _positions(found))]
    return "\n".join(lines) + "\n"


def _head(found: Suggestion, plan: str) -> Iterator[str]:
    sample = found.sample
    yield "# Proposed from a file; look at every line before it is used. Scores go from 0 to 1."
    for one in found.missing:
        yield f"# No column was found for: {one}"
    yield f"plan = {_text(plan)}"
    yield f"title = {_text(f'{plan}, member file')}"
    yield 'like = "canonical"'
    yield 'source = "proposed by `layout suggest` from the headers and shapes of one file"'
    yield 'confidence = "unverified"'
    yield f"format = {_text(sample.form)}"
    if sample.delimiter:
        yield f"delimiter = {_text(sample.delimiter)}"
    if sample.sheet:
        yield f"sheets = [{_text(sample.sheet)}]"
    if sample.element:
        yield f"elements = [{_text(sample.element)}]"
    if found.missing:
        yield "required = []"


def _columns(found: Suggestion) -> Iterator[str]:
    yield ""
    yield "[columns]"
    for label, guess in zip(found.labels, found.guesses, strict=True):
        if guess.score >= ENOUGH:
            yield f"{guess.field} = [{_text(label)}]  # {_why(guess)}"
        else:
            perhaps = f"perhaps {guess.field}, " if guess.field else ""
            yield f"# {_text(label)}: not taken; {perhaps}{_why(guess)}"


def _positions(found: Suggestion) -> Iterator[str]:
    yield "header = false"
    if found.missing:
        yield "# A file without header is told apart by its columns alone."
    else:
        yield "required = []"
    yield f"min_columns = {min(len(row) for row in found.sample.rows)}"
    yield "positions = ["
    for place, guess in enumerate(found.guesses, 1):
        name = guess.field if guess.score >= ENOUGH else ""
        perhaps = f"perhaps {guess.field}, " if guess.field and not name else ""
        yield f"  {_text(name)},  # {place}: {perhaps}{_why(guess)}"
    yield "]"
    if found.sample.widths:
        yield f"widths = {list(found.sample.widths)}"


def _why(guess: Guess) -> str:
    return "; ".join([f"{guess.score:.2f}", *guess.reasons])


def _text(text: str) -> str:
    """A basic string of TOML, on one line."""
    return json.dumps(" ".join(text.split()) if text.strip() else text, ensure_ascii=False)
