"""FHIR search: parameters to SQL over the index rows, pages that hold still under writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from adapter.store import schema
from adapter.store.instants import span
from adapter.store.protocol import BadSearch, Page, Stored
from adapter.store.reads import current, referred
from adapter.store.terms import NUMBERED, Parameter, clip, fold_text, parameters, terms

Params = Sequence[tuple[str, str]]
Test = ColumnElement[bool]

_RESOURCE, _TERM = schema.resource, schema.term
_AIM = _RESOURCE.alias("aim")  # what a reference leads to
_LAST = "\U0010ffff"  # sorts after every character: the end of a prefix
_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(?=\d)(.+)", re.DOTALL)
_TYPE = re.compile("[A-Z][A-Za-z]*")
_MODIFIERS = {
    "token": ("not",),
    "string": ("exact", "contains"),
    "date": (),
    "uri": (),
    "reference": None,  # a resource type
}


class Query(NamedTuple):
    """A search, read: what must hold, what to include, how many."""

    tests: list[Test]
    includes: list[Parameter]
    size: int


def search(
    connection: Connection, kind: str, params: Params, count: int, cursor: str | None
) -> Page:
    """One page ordered by id; the cursor is the last id seen, so writes never shift a page."""
    query = read(kind, params, count)
    here = query.tests if cursor is None else [*query.tests, _RESOURCE.c.id > _checked(cursor)]
    wanted = select(_RESOURCE.c.rid, _RESOURCE.c.id).where(*here).order_by(_RESOURCE.c.id)
    rows = connection.execute(wanted.limit(query.size + 1)).all()
    rids = [row[0] for row in rows[: query.size]]
    more = len(rows) > query.size
    matches = current(connection, rids)
    return Page(
        matches,
        _included(connection, matches, query.includes),
        len(rows) if cursor is None and not more else _total(connection, query.tests),
        rows[query.size - 1][1] if more and query.size else None,
    )


def found(connection: Connection, kind: str, params: Params) -> list[int]:
    """The row numbers of every match of this moment, ordered by id. Raises BadSearch."""
    tests = read(kind, params, 0).tests
    query = select(_RESOURCE.c.rid).where(*tests).order_by(_RESOURCE.c.id)
    return [row[0] for row in connection.execute(query)]


def read(kind: str, params: Params, count: int) -> Query:
    """What a search asks for. Raises BadSearch."""
    tests: list[Test] = [_RESOURCE.c.kind == kind, _RESOURCE.c.deleted == 0]
    includes: list[Parameter] = []
    for name, value in params:
        if name == "_include":
            includes.append(_include(kind, value))
        elif name == "_count":
            count = _count(value)
        else:
            tests.append(_test(kind, name, value))
    return Query(tests, includes, max(count, 0))


def _total(connection: Connection, tests: list[Test]) -> int:
    return connection.execute(select(func.count(_RESOURCE.c.rid)).where(*tests)).scalar() or 0


def _included(
    connection: Connection, matches: list[Stored], includes: list[Parameter]
) -> list[Stored]:
    if not includes:
        return []
    keys = {parameter.key: parameter.targets for parameter in includes}
    here = {f"{one.resource['resourceType']}/{one.resource['id']}" for one in matches}
    wanted = [
        value
        for one in matches
        for key, value, _ in sorted(terms(one.resource))
        if key in keys and value not in here and _aims(value, keys[key])
    ]
    return referred(connection, wanted)


def _aims(reference: str, targets: tuple[str, ...]) -> bool:
    return "*" in targets or reference.partition("/")[0] in targets


def _include(kind: str, value: str) -> Parameter:
    """`Encounter:patient` or `Encounter:participant:Practitioner`."""
    source, _, rest = value.partition(":")
    name, _, target = rest.partition(":")
    parameter = parameters(kind).get(name)
    if source != kind or parameter is None or parameter.type != "reference":
        raise BadSearch("_include", "not a reference parameter of the type searched")
    return parameter._replace(targets=(target,)) if target else parameter


def _count(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise BadSearch("_count", "not a whole number")
    return int(value)


def _checked(cursor: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", cursor):
        raise BadSearch("_cursor", "not a cursor of this server")
    return cursor


def _test(kind: str, name: str, value: str) -> Test:
    bare, _, modifier = name.partition(":")
    parameter = parameters(kind).get(bare)
    if parameter is None:
        raise BadSearch(_safe(bare), "not known")
    if bare == "_lastUpdated":
        return _updated(value, modifier)
    if bare == "_id" and not modifier:
        return _RESOURCE.c.id.in_([clip(one) for one in _alternatives(value)])
    if modifier == "missing":
        return _missing(parameter, value)
    allowed = _MODIFIERS[parameter.type]
    if bare == "_id" or (modifier and allowed is not None and modifier not in allowed):
        raise BadSearch(_safe(bare), "modifier not supported")
    tests = [_BUILDERS[parameter.type](parameter, one, modifier) for one in _alternatives(value)]
    hit = _RESOURCE.c.rid.in_(
        select(_TERM.c.rid).where(_TERM.c.param == parameter.key, or_(*tests))
    )
    return not_(hit) if modifier == "not" else hit


def _safe(name: str) -> str:
    """A parameter's name as an error text may give it."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}", name) else "(malformed)"


def _alternatives(value: str) -> list[str]:
    r"""The values between commas; `\,` is a comma of a value (FHIR R4 search 3.1.1.4.0.1)."""
    parts = re.split(r"(?<!\\),", value)
    return [re.sub(r"\\([,$\\])", r"\1", part) for part in parts]


def _missing(parameter: Parameter, value: str) -> Test:
    if value not in ("true", "false"):
        raise BadSearch(parameter.name, ":missing takes true or false")
    here = [_TERM.c.param == parameter.key]
    if parameter.targets and "*" not in parameter.targets:
        here.append(_TERM.c.extra.in_(parameter.targets))
    present = _RESOURCE.c.rid.in_(select(_TERM.c.rid).where(*here))
    return not_(present) if value == "true" else present


def _token(parameter: Parameter, value: str, _modifier: str) -> Test:
    """`code`, `system|code`, `|code` (no system), `system|` (any code)."""
    parts = [re.sub(r"\\\|", "|", part) for part in re.split(r"(?<!\\)\|", value)]
    if len(parts) == 1:
        return _TERM.c.value == clip(parts[0])
    if len(parts) != 2 or not any(parts):
        raise BadSearch(parameter.name, "not system|code")
    system, code = clip(parts[0]), clip(parts[1])
    if not code:
        return _TERM.c.extra == system
    return and_(_TERM.c.value == code, _TERM.c.extra == system)


def _string(parameter: Parameter, value: str, modifier: str) -> Test:
    """Starts with, without case and accents; `:exact` as written; `:contains` anywhere."""
    if modifier == "exact":
        exact = clip(value)
        return and_(_TERM.c.value == clip(fold_text(value)), _TERM.c.extra == exact)
    folded = clip(fold_text(value))
    if not folded:  # everything starts with nothing
        raise BadSearch(parameter.name, "nothing to search for")
    if modifier == "contains":
        return _TERM.c.value.contains(folded, autoescape=True)
    return _starts(folded)


def _starts(text: str) -> Test:
    return and_(_TERM.c.value >= text, _TERM.c.value < text + _LAST)


def _reference(parameter: Parameter, value: str, modifier: str) -> Test:
    """`Patient/abc`, `abc`, `patient:Patient=abc`, or a URL that ends so."""
    *_, kind, uid = ["", *value.rstrip("/").split("/")][-2:]
    if modifier and not _TYPE.fullmatch(modifier):  # `identifier`, or a chain (Patient.name)
        raise BadSearch(parameter.name, "modifier not supported")
    if modifier and kind and kind != modifier:
        raise BadSearch(parameter.name, "the modifier names another type")
    kinds = [kind or modifier] if kind or modifier else list(parameter.targets)
    if kinds == ["*"]:
        ends = _TERM.c.value.like(f"%/{_escaped(uid)}", escape="\\")
        return or_(ends, _TERM.c.value.in_(_numbers(_AIM.c.id == clip(uid))))
    of_kinds = _numbers(_AIM.c.id == clip(uid), _AIM.c.kind.in_(kinds))
    names = [select(literal(f"{one}/{clip(uid)}")) for one in kinds]
    return _TERM.c.value.in_(union_all(*names, of_kinds))


def _numbers(*tests: Test) -> Select[Any]:
    """How index rows name these resources (terms.by_number)."""
    return select(literal(NUMBERED).concat(cast(_AIM.c.rid, Text))).where(*tests)


def _escaped(text: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", clip(text))


def _uri(_parameter: Parameter, value: str, _modifier: str) -> Test:
    return _TERM.c.value == clip(value)


def _date(parameter: Parameter, value: str, _modifier: str) -> Test:
    prefix, low, high = _ranged(parameter.name, value)
    return _RANGES[prefix](_TERM.c.value, _TERM.c.extra, low, high)


def _updated(value: str, modifier: str) -> Test:
    """`_lastUpdated`: the instant lies in the resource's own row."""
    if modifier:
        raise BadSearch("_lastUpdated", "modifier not supported")
    column, tests = _RESOURCE.c.updated, []
    for one in _alternatives(value):
        prefix, low, high = _ranged("_lastUpdated", one)
        inside = and_(column >= low, column < high)
        tests.append({
            "eq": inside, "ne": not_(inside), "gt": column >= high, "sa": column >= high,
            "lt": column < low, "eb": column < low, "ge": column >= low, "le": column < high,
        }[prefix])  # fmt: skip
    return or_(false(), *tests)


def _ranged(name: str, value: str) -> tuple[str, str, str]:
    """(prefix, from, before) of a date value. A `+` that arrived as a space is mended."""
    match = _PREFIX.fullmatch(value)
    limits = span(match[2].replace(" ", "+")) if match else None
    if match is None or limits is None:
        raise BadSearch(name, "not a date")
    return match[1] or "eq", *limits


_Bound = Callable[[Column[Any], Column[Any], str, str], Test]

# FHIR R4 search 3.1.1.4.4: ranges of the value searched (low, high) and of the one stored (a, b).
_RANGES: dict[str, _Bound] = {
    "eq": lambda a, b, low, high: and_(a >= low, a < high, b <= high),
    "ne": lambda a, b, low, high: or_(a < low, b > high),
    "gt": lambda a, b, low, high: b > high,
    "lt": lambda a, b, low, high: a < low,
    "ge": lambda a, b, low, high: or_(b > high, and_(a >= low, b <= high)),
    "le": lambda a, b, low, high: or_(a < low, and_(a >= low, b <= high)),
    "sa": lambda a, b, low, high: a >= high,
    "eb": lambda a, b, low, high: b <= low,
}

_BUILDERS: dict[str, Callable[[Parameter, str, str], Test]] = {
    "token": _token,
    "string": _string,
    "reference": _reference,
    "uri": _uri,
    "date": _date,
}
