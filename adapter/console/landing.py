"""The landing page: how much of what is stored, where referrals stand, and where to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from jinja2 import Environment, Template

from adapter import data
from adapter.console.template import LANDING
from adapter.feeds.health import Health
from adapter.store.protocol import BadSearch, Reader

# FHIR R4 task-status, in the order of a referral's life (SDOHCC ValueSet referral task status)
STATUSES = (
    "draft",
    "requested",
    "accepted",
    "in-progress",
    "on-hold",
    "completed",
    "rejected",
    "cancelled",
    "failed",
    "entered-in-error",
)


class Link(NamedTuple):
    """Where the page leads: a path of this server and what is there."""

    path: str
    text: str


LINKS = (
    Link("/fhir/metadata", "CapabilityStatement: what the FHIR API does"),
    Link("/openapi.json", "OpenAPI description of every route"),
)
INTAKE = (
    Link("POST /intake/mif?plan=PLAN", "a member file of a plan"),
    Link("POST /intake/adt?feed=FEED", "HL7 v2 ADT, one message or a batch"),
    Link("POST /intake/referral?form=FORM", "a referral form"),
)


def page(store: Reader, feeds: Callable[[], Sequence[Health]] = tuple) -> str:
    """The page as HTML; counts only, no value of a member. `feeds` says how each feed is."""
    resources = [(kind, total) for kind in kinds() if (total := _total(store, kind))]
    referrals = [(status, n) for status, n in _referrals(store) if n]
    return _template().render(
        resources=sorted(resources, key=lambda row: (-row[1], row[0])),
        referrals=referrals,
        all_resources=sum(total for _, total in resources),
        all_referrals=sum(total for _, total in referrals),
        feeds=[_feed(one) for one in feeds()],
        links=LINKS,
        intake=INTAKE,
    )


@cache
def kinds() -> tuple[str, ...]:
    """The resource types that can be searched, from profiles/search-parameters.json."""
    rows = data.json(data.path("profiles", "search-parameters.json"))["parameters"]
    return tuple(sorted({row["kind"] for row in rows} - {"*"}))


def _feed(one: Health) -> dict[str, str]:
    """A feed's row; the time is UTC, since the people of one feed need not share a zone."""
    last = one.last.strftime("%Y-%m-%d %H:%M UTC") if one.last else "never"
    errors = f"{one.errors:.1%}" if one.messages else "none"
    state = "silent" if one.silent else "review" if one.units.get("review") else ""
    return {"name": one.name, "last": last, "day": str(one.messages), "errors": errors,
            "state": state}  # fmt: skip


@cache
def _template() -> Template:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(LANDING)


def _referrals(store: Reader) -> Iterator[tuple[str, int]]:
    for status in STATUSES:
        yield status, _total(store, "Task", status)


def _total(store: Reader, kind: str, status: str = "") -> int:
    params = [("status", status)] if status else []
    try:
        return store.search(kind, params, count=1).total
    except BadSearch:  # a store that does not index the type's status
        return 0
