"""Which converters and builders depend on their text alone, so that a column may remember them."""

from __future__ import annotations

from adapter.mapping.model import Rule

_CONVERTERS = frozenset(
    {"text", "id", "cin", "subscriber_cin", "npi", "us_date", "flag", "phone", "email", "zip",
     "integer", "code", "priority", "member_cin", "end_date", "present"}
)  # fmt: skip
_BUILDERS = frozenset(
    {"phones", "phones_home", "phones_mobile", "phones_work", "person_name", "acuity",
     "last_name", "contact_relationship", "member_race", "member_ethnicity", "spoken_language",
     "written_language", "populations", "work_email"}
)  # fmt: skip


# their text alone decides too, and the fact they leave of it
TELLING = frozenset(
    {"discontinuation_reason", "ecm_status", "enrolled", "record_status", "void"}
)  # fmt: skip
_OF_PART = frozenset({"plan_identifier", "plan_named", "payer_known"})  # they read the map's cells


def by_cells(rule: Rule) -> bool:
    """Whether the cells that a map reads decide what a rule of it writes."""
    return rule.build in _OF_PART or by_text(rule)


def by_text(rule: Rule) -> bool:
    """Whether the text of the cell alone decides what a rule writes."""
    if rule.build:
        return rule.build in _BUILDERS or rule.build.startswith("population_")
    return (rule.convert or "text") in _CONVERTERS
