"""One rule compiled into one function: read a text, convert it, write it into its draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter import terms
from adapter.errors import DataFileError
from adapter.mapping.clearing import cleared
from adapter.mapping.model import Map, Rule
from adapter.mapping.paths import LINE, putter
from adapter.mapping.registry import BUILDERS, CONVERTERS
from adapter.mapping.run import BadValue, Draft, Run

# Reads one repetition; None is "nothing to write".
Read = Callable[[Run, str], Any]
# Runs one rule on a field's text; False when its `where` chose another.
StepFunction = Callable[[Run, str, int], bool]

NULL = '""'  # HL7 v2: delete what is stored


def open_draft(item: Map) -> Callable[[Run], Draft]:
    """A function that gives the run's draft of a map, made at the first value written."""
    kind, name, key = item.resource, item.name, item.key
    base = {"resourceType": kind}
    profile = item.profile

    def draft_of(run: Run) -> Draft:
        draft = run.drafts.get(name)
        if draft is None:
            draft = Draft(kind, name, key, run.line, base.copy(), profile)
            run.drafts[name] = draft
            run.made.append(draft)
        return draft

    return draft_of


def read_text(file: str, rule: Rule, default: str) -> Read:
    """The converter chain of a rule for one already separated text (a cell or a component)."""
    name = rule.convert or default
    found = CONVERTERS.get(name)
    if found is None:
        raise DataFileError(file, name, "no such converter")
    if found.text is None:
        raise DataFileError(file, name, "a datatype of components cannot read a single text")
    convert = found.text
    return _through_table(rule.table, convert) if rule.table else convert


def _through_table(name: str, convert: Read) -> Read:
    table = terms.table(name)

    def look_up(run: Run, text: str) -> Any:
        code = convert(run, text)
        if code is None:
            return None
        target = table.get(code)
        if target is None:
            raise BadValue("code-unknown", f"not in table {name}")
        return target.code or None

    return look_up


def step(item: Map, rule: Rule, read: Read, choose: Callable[[str], bool] | None) -> StepFunction:
    """The function that runs a rule on one repetition of its field."""
    draft_of, put = open_draft(item), putter(rule.to)
    root, need = rule.to.root, rule.need

    def run_rule(run: Run, text: str, rep: int) -> bool:
        if choose is not None and not choose(text):
            return False
        try:
            value = read(run, text)
        except BadValue as bad:
            run.issue("error" if need else "warning", bad.detail, bad.text, bad.part)
            return True
        if value is not None:
            draft = draft_of(run)
            put(draft, value, rep)
            draft.origins.append((run.line, root, run.label))
        return True

    return run_rule


def build_step(file: str, item: Map, rule: Rule) -> Callable[[Run, list[str]], None]:
    """The function that runs a `build` rule on all repetitions of its field at once."""
    build = BUILDERS.get(rule.build)
    if build is None:
        raise DataFileError(file, rule.build, "no such builder")
    draft_of, put, root, need = open_draft(item), putter(rule.to), rule.to.root, rule.need
    spread, shared = rule.to.steps[-1].slot == "", item.once and rule.to.named

    def run_build(run: Run, texts: list[str]) -> None:
        try:
            value = build(run, texts)
        except BadValue as bad:
            run.issue("error" if need else "warning", bad.detail, bad.text, bad.part)
            return
        if value is None or value == []:
            return
        draft, first = draft_of(run), run.line * LINE if shared else 0
        values = value if spread and isinstance(value, list) else [value]
        for rep, one in enumerate(values):
            put(draft, one, first if shared else rep)
        if run.ops is not None:
            numbers = [0] * len(values) if shared else range(len(values))
            told = [
                (item.name, draft_of, put, one, rep, shared, "")
                for rep, one in zip(numbers, values, strict=True)
            ]
            run.ops += [*told[:-1], (*told[-1][:-1], root)]
        draft.origins.append((run.line, root, run.label))

    return run_build


def clear(item: Map, rule: Rule) -> Callable[[Run], None]:
    """The function for a field that asks for deletion (HL7 v2 `""`, chapter 2.5.3.3)."""
    draft_of, path = open_draft(item), cleared(item, rule)
    element, single, _ = path.partition("/")
    what = f"{'what it told of ' if single else ''}{item.resource}.{element}"

    def run_clear(run: Run) -> None:
        if path:
            draft_of(run).cleared.append(path)
            run.issue("information", "cleared", f"{what} is to be deleted")
        else:
            run.issue("information", "unmapped", f"no {item.resource}.{rule.to.root} is deleted")

    return run_clear


_EMPTY = '^~& "'


def says(place: int, name: str) -> Callable[[Run], bool]:
    """A function: whether a field of the segment says anything that its converter can read.

    What is wrong with it is reported where its own rule runs.
    """
    convert = CONVERTERS[name].text if name else None

    def told(run: Run) -> bool:
        text = run.fields[place] if place < len(run.fields) else ""
        if convert is None or not text.strip(_EMPTY):
            return bool(text.strip(_EMPTY))
        kept = run.issues, run.once, run.tape
        run.issues, run.once, run.tape = [], set(), None
        try:
            return convert(run, text) is not None
        except BadValue:
            return False
        finally:
            run.issues, run.once, run.tape = kept

    return told
