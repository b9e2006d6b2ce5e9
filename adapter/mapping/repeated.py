"""A field of HL7 v2 as one function: its repetitions one by one, or the short way of one."""

from __future__ import annotations

from collections.abc import Callable

from adapter.mapping.datatypes import spaced
from adapter.mapping.records import FieldFunction
from adapter.mapping.registry import Join
from adapter.mapping.run import Run
from adapter.mapping.steps import NULL

# Runs one rule on the components of one repetition; False when its `where` chose another.
PartsStep = Callable[[Run, list[str], int], bool]


def plain(
    steps: list[PartsStep],
    prefix: int,
    unread: Callable[[Run, list[str]], None],
    general: FieldFunction,
) -> FieldFunction:
    """The short way through a field of one repetition without escape and null: nearly all."""
    step = steps[0] if len(steps) == 1 else _every(steps)

    def run_field(run: Run, text: str) -> None:
        if "~" in text or "\\" in text or '""' in text or spaced(text):
            general(run, text)
            return
        parts = text.split("^")
        if not step(run, parts, 0):
            run.issue("information", "unmapped", "no rule takes this repetition")
        elif len(parts) > prefix:
            unread(run, parts)

    return run_field


def _every(steps: list[PartsStep]) -> PartsStep:
    """Several rules of one field as one; False when none took it."""

    def run_rules(run: Run, parts: list[str], rep: int) -> bool:
        taken = False
        for step in steps:
            taken = step(run, parts, rep) or taken
        return taken

    return run_rules


def each(
    run_repetition: Callable[[Run, str, int], None],
    builds: list[Callable[[Run, list[str]], None]],
    clears: list[Callable[[Run], None]],
    join: Join | None = None,
) -> FieldFunction:
    """A field's function: deletion, else each repetition, then what reads them all at once.

    `join` leaves out the repetitions that tell nothing but what another one does.
    """

    def run_field(run: Run, text: str) -> None:
        if text == NULL:
            for one in clears:
                one(run)
            return
        texts = text.split("~") if "~" in text else [text]
        if join is not None and len(texts) > 1:
            texts = join(run, texts)
        for rep, one_text in enumerate(texts):
            if one_text and one_text != NULL:
                run_repetition(run, one_text, rep)
        run.rep = 0
        for build in builds:
            build(run, texts)

    return run_field


def report_unread(prefix: int, read: frozenset[int]) -> Callable[[Run, list[str]], None]:
    """A function that reports the components that no rule reads, the first `prefix` ones are."""

    def report(run: Run, parts: list[str]) -> None:
        for place in range(prefix + 1, len(parts) + 1):
            if parts[place - 1] and place not in read:
                run.issue("information", "unmapped", "no rule reads this component", place)

    return report
