"""The maps of HL7 v2 segments compiled: one function a field, driven by what is present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from adapter import data, terms
from adapter.constant import fixed
from adapter.errors import DataFileError
from adapter.issues import Severity
from adapter.mapping import builders, field_values, lasting, named  # noqa: F401  # rules name what they register
from adapter.mapping.datatypes import alternate, beside, components
from adapter.mapping.model import Map, Rule, load
from adapter.mapping.parts import foreign, told
from adapter.mapping.paths import LINE, Put, hl7_source, putter
from adapter.mapping.records import Compiled, FieldFunction, skeleton, sourced
from adapter.mapping.registry import BUILDERS, CONVERTERS, JOINS, Converter, Join
from adapter.mapping.repeated import PartsStep, each, plain, report_unread
from adapter.mapping.run import BadValue, Draft, Run, restored
from adapter.mapping.steps import build_step, clear, open_draft, says

Json = dict[str, Any]
WIDEST = 120  # fields of the widest segment, and room


@cache
def segment(name: str, folder: str = "segments") -> Compiled:
    """The compiled map of a segment (mappings/hl7v2/<folder>/<name>.toml).

    A segment with several forms has a file for each: `ROL_VISIT` reads ROL.
    """
    file = load(data.path("mappings", "hl7v2", folder, f"{name.lower()}.toml"))
    compiled = skeleton(file.maps, WIDEST)
    compiled.fields[0] = False
    by_field: dict[int, Field] = {}
    reads = {rule.source: rule.convert for _, rule in sourced(file)}
    for item, rule in sourced(file):
        place, part = _own(file.file, name[:3], rule.source)
        _check(file.file, name[:3], item, rule)
        found = by_field.setdefault(place, Field())
        found.add(file.file, item, rule, part, reads.get(rule.unless, ""))
        if rule.need:
            compiled.needs.append((place, rule.source, f"{rule.source} is required"))
    for source in file.ignore:
        place, part = _own(file.file, name[:3], source)
        if part:
            by_field.setdefault(place, Field()).read.add(part)
        else:
            compiled.fields[place] = False
    for place, found in by_field.items():
        compiled.fields[place] = found.function()
    compiled.moving = tuple(place for place, found in by_field.items() if found.beside is None)
    compiled.asked = frozenset().union(
        *(found.beside | found.unless for found in by_field.values() if found.beside is not None)
    )
    return compiled


def _own(file: str, segment: str, source: str) -> tuple[int, int]:
    """A source of this segment as (field, component). Raises DataFileError for any other."""
    try:
        owner, place, part = hl7_source(source)
    except ValueError as error:
        raise DataFileError(file, source, str(error)) from None
    if owner != segment:
        raise DataFileError(file, source, f"not a field of {segment}")
    return place, part


def _check(file: str, segment: str, item: Map, rule: Rule) -> None:
    """`unless` and `where` name what can be there. Raises DataFileError."""
    if rule.unless and _own(file, segment, rule.unless)[1]:
        raise DataFileError(file, rule.unless, "unless names a whole field")
    place, equals, _ = rule.where.partition("=")
    if rule.where and not (equals and place.isascii() and place.isdigit() and int(place)):
        raise DataFileError(file, f"{item.name}.{rule.to.root}", "where is like 5=MR|PI")


@dataclass(slots=True)
class Field:
    """All that reads one field of a segment, and the components that some rule reads."""

    steps: list[PartsStep] = field(default_factory=list)
    every: list[PartsStep] = field(default_factory=list)  # those that take each repetition
    builds: list[Callable[[Run, list[str]], None]] = field(default_factory=list)
    clears: list[Callable[[Run], None]] = field(default_factory=list)
    read: set[int] = field(default_factory=set)
    beside: set[int] | None = field(default_factory=set)  # fields that steady readers ask too
    unless: set[int] = field(default_factory=set)  # fields that keep a rule from running
    joins: Join | None = None  # of repetitions that tell of the same thing

    def add(self, file: str, item: Map, rule: Rule, part: int, other: str) -> None:
        """Compile one more rule that reads this field; `other` reads the field of its `unless`."""
        self.clears.append(clear(item, rule))
        self._note(rule)
        if rule.build:
            self.builds.append(build_step(file, item, rule))
            self.read |= set(range(1, 15))
            return
        step, read = _step(file, item, rule, part)
        if rule.unless:
            step = _unless(step, says(hl7_source(rule.unless)[1], other))
        self.read |= {part} if part else read
        self.steps.append(step)
        self.joins = self.joins or JOINS.get(rule.convert)
        if rule.to.repeats:
            self.every.append(step)

    def _note(self, rule: Rule) -> None:
        """Note which fields decide what the rule makes of this one; None: other things do."""
        found = CONVERTERS.get(rule.convert or "st")
        reader = BUILDERS.get(rule.build) if rule.build else found and (found.parts or found.text)
        others = () if rule.table and not rule.build else lasting.beside(reader)
        if others is None or self.beside is None:
            self.beside = None
        else:
            self.beside |= set(others)
            self.unless |= {hl7_source(rule.unless)[1]} if rule.unless else set()

    def function(self) -> FieldFunction:
        """One function for the field, and what was made of texts that come again."""
        made = self._function()
        if self.beside is None:
            return made
        return lasting.field(made, sorted(self.beside), sorted(self.unless))

    def _function(self) -> FieldFunction:
        """One function for the field: each repetition split and decoded once, rule by rule."""
        prefix = next(place for place in range(1, 200) if place not in self.read) - 1
        unread = report_unread(prefix, frozenset(self.read))
        steps, every, builds, clears = self.steps, self.every, self.builds, self.clears
        alone = not steps  # builders read each repetition, unless there is one thing to tell

        def run_repetition(run: Run, text: str, rep: int) -> None:
            run.rep = rep
            parts = components(run, text)
            taken = alone
            for step in every if rep else steps:
                taken = step(run, parts, rep) or taken
            if not taken:
                run.issue("information", "unmapped", "no rule takes this repetition")
            elif len(parts) > prefix:
                unread(run, parts)
            run.sub = "&"

        general = each(run_repetition, builds, clears, self.joins)
        return general if builds else plain(steps, prefix, unread, general)


def _step(file: str, item: Map, rule: Rule, part: int) -> tuple[PartsStep, frozenset[int]]:
    """A rule as a function of components, and which components it reads."""
    if rule.table:
        read, which = _table_reader(file, rule, part)
    else:
        converter = CONVERTERS.get(rule.convert or "st")
        if converter is None:
            raise DataFileError(file, rule.convert, "no such converter")
        read, which = _reader(converter, part)
    return _writer(item, rule, read), which


# Reads a rule's value from the components of one repetition, and which components that takes.
Reader = tuple[Callable[[Run, list[str]], object], frozenset[int]]
_FIRST, _CODED = frozenset({1}), frozenset({1, 2, 3})
_CWE = frozenset(range(1, 15))


def _reader(converter: Converter, part: int) -> Reader:
    if converter.parts is not None:
        whole = converter.parts
        if not part:
            return whole, converter.reads
        return lambda run, parts: whole(run, parts[part - 1].split(run.sub)), _FIRST
    one = converter.text or _nothing
    place = max(part - 1, 0)

    def read(run: Run, parts: list[str]) -> object:
        text = parts[place] if place < len(parts) else ""
        return one(run, text) if text else None

    return read, _FIRST


class _Unknown(BadValue):
    """A code without a row: reported, and kept beside the element as it came."""

    def __init__(self, table: str, kept: dict[str, object]) -> None:
        super().__init__("code-unknown", f"not in table {table}")
        self.kept = kept


def _table_reader(file: str, rule: Rule, part: int) -> Reader:
    """Look up a coded field: to a `code`, a Coding (`coding`) or a CodeableConcept (`cwe`)."""
    if rule.convert not in ("", "code", "coding", "cwe"):
        raise DataFileError(file, rule.convert, "with a table: code, coding or cwe")
    table, place = terms.table(rule.table), max(part - 1, 0)
    if rule.convert == "cwe":
        return lasting.lasting(_concept_reader(rule.table)), _CWE
    as_coding, whole = rule.convert == "coding", not part
    of_system = _of_system(table, rule.table, as_coding)

    def read(run: Run, parts: list[str]) -> object:
        code = parts[place].strip() if place < len(parts) else ""
        if not code:
            return None
        if whole and len(parts) > 2 and parts[2]:
            return of_system(run, parts)
        target = table.get(code)
        if target is None and as_coding:
            run.issue("warning", "code-unknown", f"kept as it came: not in table {rule.table}")
            return {"system": table.system, "code": code}
        if target is None:
            raise _Unknown(rule.table, alternate(table.system, code))
        return _coding(target) if as_coding else target.code or None

    return read, _FIRST if part else _CODED


def _of_system(
    table: terms.Table, name: str, as_coding: bool
) -> Callable[[Run, list[str]], object]:
    """As `_table_reader` reads a code, but one whose CWE.3 names a system: it may be another's."""

    every = (table.get(code) for code in table.codes())
    targets = {(target.system, target.code): target for target in every if target}

    def read(run: Run, parts: list[str]) -> object:
        coding, target = foreign(run, parts, table)
        target = target or targets.get((coding.get("system", ""), coding["code"]))
        if target is not None:
            return _coding(target) if as_coding else target.code or None
        if not as_coding:
            raise _Unknown(name, beside(coding))
        run.issue("warning", "code-unknown", f"kept as it came: not in table {name}")
        return coding

    return read


@cache
def _coding(target: terms.Target) -> Json:
    coding = {"system": target.system, "code": target.code}
    found: Json = fixed({**coding, "display": target.display} if target.display else coding)
    return found


def _concept_reader(name: str) -> Callable[[Run, list[str]], object]:
    def read(run: Run, parts: list[str]) -> object:
        return told(run, parts, name)

    return read


def _writer(item: Map, rule: Rule, read: Callable[[Run, list[str]], object]) -> PartsStep:
    draft_of, put = open_draft(item), putter(rule.to)
    root, name, shared = rule.to.root, item.name, item.once and rule.to.named
    appends = rule.to.steps[-1].slot == ""
    counts = 0 if shared and appends else 1  # 0: repetitions are gathered at the path's end
    wrong = _complain(item, rule)

    def run_rule(run: Run, parts: list[str], rep: int) -> bool:
        try:
            value = read(run, parts)
        except BadValue as bad:
            wrong(run, bad)
            return True
        if value is not None:
            if run.sub != "&":
                value = restored(value)
            draft = run.drafts.get(name) or draft_of(run)
            rep *= counts
            if run.ops is not None:
                run.ops.append((name, draft_of, put, value, rep, shared, root))
            if shared:
                rep += run.line * LINE
            if appends and type(value) is list:
                value = _but_last(draft, put, value, rep, (run.line, root, run.label))
            put(draft, value, rep)
            draft.origins.append((run.line, root, run.label))
        return True

    return _choosy(rule, run_rule)


def _but_last(
    draft: Draft, put: Put, values: list[Any], rep: int, origin: tuple[int, str, str]
) -> Any:
    """Write what one text tells of several things, but for the last, which is returned."""
    for one in values[:-1]:
        put(draft, one, rep)
        draft.origins.append(origin)
    return values[-1]


def _complain(item: Map, rule: Rule) -> Callable[[Run, BadValue], None]:
    """Report a value that cannot be read; a code without a row is kept beside its element."""
    draft_of, root = open_draft(item), "_" + rule.to.root
    severity: Severity = "error" if rule.need else "warning"
    plain = len(rule.to.steps) == 1 and rule.to.steps[0].slot is None

    def put(draft: Draft, kept: Json, rep: int) -> None:
        draft.resource[root] = kept

    def complain(run: Run, bad: BadValue) -> None:
        run.issue(severity, bad.detail, bad.text, bad.part)
        if plain and isinstance(bad, _Unknown):
            put(draft_of(run), bad.kept, 0)
            if run.ops is not None:
                run.ops.append((item.name, draft_of, put, bad.kept, 0, False, ""))

    return complain


def _choosy(rule: Rule, step: PartsStep) -> PartsStep:
    """A step that only runs where its `where` fits."""
    if not rule.where:
        return step
    where = _where(rule.where)
    return lambda run, parts, rep: where(parts) and step(run, parts, rep)


def _unless(step: PartsStep, told: Callable[[Run], bool]) -> PartsStep:
    return lambda run, parts, rep: told(run) or step(run, parts, rep)


def _nothing(run: Run, text: str) -> None:
    """Stands where a converter reads components only."""


def _where(text: str) -> Callable[[list[str]], bool]:
    """`5=MR|PI`: component 5 is one of these; `5=` is: it is empty."""
    place, _, values = text.partition("=")
    index, allowed = int(place) - 1, frozenset(values.split("|"))
    return lambda parts: (parts[index] if index < len(parts) else "") in allowed
