"""Index rows: those of what changed are those of the whole before and after."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapter.store.terms import difference, terms

NUMBERS = st.sampled_from(["1", "2", "A-3"]).map(lambda text: {"system": "urn:x", "value": text})
NAMES = st.fixed_dictionaries({"family": st.sampled_from(["Testwell", "Ñandú", ""])})
POINTS = st.sampled_from(
    [
        {"system": "phone", "value": "(916) 555-0101"},
        {"system": "phone", "value": "9165550101 x2"},
        {"system": "email", "value": "A@x.example"},
    ]
)
HOMES = st.fixed_dictionaries(
    {"line": st.sampled_from([["1 Sample Way"], ["1 SAMPLE WAY."], []]),
     "postalCode": st.sampled_from(["95814", "95814-1111", ""])}
)  # fmt: skip
ELEMENTS = {
    "identifier": st.lists(NUMBERS, max_size=2),
    "name": st.lists(NAMES, max_size=2),
    "telecom": st.lists(POINTS, max_size=2),
    "address": st.lists(HOMES, max_size=2),
    "birthDate": st.sampled_from(["1985-03-14", "1985-03"]),
    "gender": st.sampled_from(["female", "male"]),
}
PEOPLE = st.fixed_dictionaries({}, optional=ELEMENTS)


@given(PEOPLE, PEOPLE)
def test_what_changes_is_read_as_if_all_were(old: dict, new: dict) -> None:
    before, after = (
        terms({"resourceType": "Patient", **one}) if one else set() for one in (old, new)
    )
    assert difference("Patient", old, new) == (before - after, after - before)
