"""What a return file says is read back as it was told: invented members, every layout."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import data, outputs
from adapter.referrals.loop import loop_status
from adapter.reports import layout_file, write
from adapter.reports.attempts import Attempt
from adapter.reports.cells import told
from adapter.reports.elements import ELEMENTS
from adapter.reports.facts import Facts, members
from adapter.reports.known import FILE
from adapter.reports.layout import Layout
from adapter.reports.outreach import ATTEMPTS
from adapter.reports.read import State
from adapter.reports.shelf import Wanted
from tests.unit.fake_store import LargeStore
from tests.unit.members_made import (
    ACUITY,
    END,
    LOOPS,
    MEDIA,
    NOW,
    OUTCOMES,
    PERIOD,
    POFS,
    REASONS,
    START,
    STATUSES,
    Made,
    Try,
    Visit,
    many,
    resources,
)

LAYOUTS = [
    layout_file.load(file.parent.name, file.stem)
    for file in sorted(data.path("mappings", "outbound").glob("*/*.toml"))
    if file.parent.name not in ("lists", "exchanges")
]
# Anything a person may type, delimiters, quotes and line ends too.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
NAMES = WORDS | st.sampled_from(
    ["a|b", '"', "=1+1", "_x0041_", " x ", "Very High", "\r\n", "'", "0"]
)
DAYS = st.dates(date(1925, 1, 1), date(2026, 1, 31))
MONTH = st.dates(START, END)
TRIES = st.builds(
    Try,
    on=MONTH,
    clock=st.sampled_from([None, "09:05:00", "23:59:59"]),
    medium=st.sampled_from(MEDIA),
    outcome=st.sampled_from([*OUTCOMES, "met at the shelter"]),
    staff=st.sampled_from([None, "clinical", "non-clinical"]),
    minutes=st.none() | st.integers(0, 600),
    reason=NAMES,
)
MADE = st.builds(
    Made,
    number=st.just(0),
    status=st.sampled_from(STATUSES),
    last=NAMES,
    first=NAMES,
    middle=NAMES,
    suffix=st.sampled_from(["", "Jr", "III"]),
    birth=DAYS,
    sex=st.sampled_from(["male", "female", "unknown", "other"]),
    lines=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    city=NAMES,
    zip=st.sampled_from(["01234", "95814-0123", ""]),
    mobile=st.sampled_from(["", "(916) 555-0101", "1-916-555-0102 x3", "call me"]),
    home=st.sampled_from(["", "916.555.0103"]),
    email=st.sampled_from(["", "a@mail.example"]),
    spoken=NAMES,
    homeless=st.sampled_from([None, True, False]),
    medicare=st.booleans(),
    pofs=st.lists(st.sampled_from(POFS), unique=True, max_size=3).map(tuple),
    acuity=st.sampled_from([*ACUITY, "Whatever"]),
    start=DAYS,
    end=MONTH,
    reason=st.sampled_from([*REASONS, None]),
    reason_text=NAMES,
    manager=st.booleans(),
    plan_date=st.none() | DAYS,
    assessed=st.lists(st.tuples(DAYS, st.booleans()), max_size=2).map(tuple),
    loop=st.sampled_from(list(LOOPS)),
    loop_on=MONTH,
    auth=st.sampled_from(["", "AUTH1", "0017"]),
    visit_on=st.none() | st.just(date(2026, 2, 9)),
    visits=st.lists(st.builds(Visit, MONTH, st.booleans(), st.booleans()), max_size=3).map(tuple),
    tries=st.lists(TRIES, max_size=3).map(tuple),
)  # fmt: skip
SOME = st.lists(MADE, min_size=1, max_size=4)


def numbered(some: list[Made]) -> list[Made]:
    return [Made(**{**vars(one), "number": n}) for n, one in enumerate(some, 1)]


def expected(store: LargeStore, layout: Layout) -> dict[str, State]:
    """The state that the store holds, as far as the layout's words and formats can tell it."""
    wanted = Wanted(layout.setup(PERIOD, NOW), loop_status, frozenset(ELEMENTS))
    found = {}
    for facts in members(store, wanted):
        tried = [one for one in facts.attempts if START <= one.on <= END]
        if tried or layout.grain != "attempt":
            found[key(facts, layout)] = one_state(facts, tried, layout)
    return found


def one_state(facts: Facts, tried: list[Attempt], layout: Layout) -> State:
    values = {name: ELEMENTS[name](facts).value for name in names(layout, ELEMENTS)}
    rows = [{n: ATTEMPTS[n](one).value for n in names(layout, ATTEMPTS)} for one in tried]
    kept = [kept_of(row, layout) for row in rows]
    return State(kept_of(values, layout), [row for row in kept if row])


def names(layout: Layout, known) -> list[str]:
    return [c.element for c in layout.columns if c.element in known and c.element not in FILE]


def kept_of(values: dict, layout: Layout) -> dict:
    shown = {n: told(v, layout.column(n), layout.format)[0] for n, v in values.items()}
    return {name: value for name, value in shown.items() if value is not None}


def key(facts: Facts, layout: Layout) -> str:
    return str(ELEMENTS["cin"](facts).value)


def round_trip(store: LargeStore, layout: Layout, folder: Path) -> dict[str, State]:
    run = write.Run(((layout,),), PERIOD, NOW, loop_status)
    file = write.write(store, run, folder).file
    return outputs.read_back(file, layout)[0]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: one.series)
def test_220_members(layout: Layout, tmp_path: Path) -> None:
    store = LargeStore(*resources(many(220), layout.plan))
    found = round_trip(store, layout, tmp_path)
    assert found == expected(store, layout)
    assert len(found) > 100


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: one.series)
def test_any_members(layout: Layout) -> None:
    @settings(max_examples=12, deadline=None)
    @given(SOME)
    def holds(some: list[Made]) -> None:
        store = LargeStore(*resources(numbered(some), layout.plan))
        with TemporaryDirectory() as folder:
            assert round_trip(store, layout, Path(folder)) == expected(store, layout)

    holds()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: one.series)
def test_a_word_that_is_read_is_written_again(layout: Layout) -> None:
    for column in layout.columns:
        for code in column.words or {}:
            kept, known = told(code, column, layout.format)
            assert known and told(kept, column, layout.format) == (kept, True)
            assert column.words[str(kept)] == column.words[code]
