"""What the API needs from the rest of the house: intake, settings, clock and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from adapter.issues import Candidate, Issue
from adapter.pipeline import UnitResult
from adapter.record import Resource
from adapter.store.protocol import Store

Clock = Callable[[], datetime]
Ids = Callable[[], str]
Page = Callable[[Store], str]

__all__ = ["LOOPBACK", "ApiSettings", "Clock", "Ids", "Intake", "Page", "UnitResult"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Intake(Protocol):
    """The checks and loads that the pipeline does for the API.

    Units are stored as they are iterated. An unknown plan, feed or form is one refused unit with
    the issue `not-supported`, not an exception; an exception is our own fault and answers 500.
    """

    def check(self, resource: Resource) -> list[Issue]:
        """R4, required bindings and our profile: what is wrong with a resource."""

    def check_change(self, old: Resource | None, new: Resource) -> list[Issue]:
        """Which rules a change breaks (referral Task: `transition`); `old` None: it is created."""

    def match(self, person: Resource) -> list[tuple[Resource, Candidate]]:
        """The people we know who may be this one, the likest first."""

    def mif(self, data: bytes, plan: str, name: str) -> Iterator[UnitResult]:
        """Load a member file of a plan, a unit a row."""

    def rtf(self, data: bytes, plan: str, name: str) -> Iterator[UnitResult]:
        """Load a provider's return file as a plan or county, a unit a row."""

    def otf(self, data: bytes, plan: str, name: str) -> Iterator[UnitResult]:
        """Load a provider's outreach tracker as a plan or county, a unit a row."""

    def adt(self, data: bytes, feed: str, name: str) -> Iterator[UnitResult]:
        """Load one HL7 v2 message or a batch, a unit a message."""

    def message(self, bundle: Resource) -> UnitResult:
        """Take in a FHIR message about a stay, whole or not at all."""

    def referral(self, data: bytes, form: str, name: str) -> Iterator[UnitResult]:
        """Load one referral form."""

    def due(self, plan: str, on: date | None = None) -> Resource:
        """What is due in a plan on a day (today) as a Bundle of Tasks, highest risk first."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How the API is served.

    `token`     bearer token that every request must carry, `""` for none (loopback only)
    `hosts`     names allowed in the Host header (against DNS rebinding), empty for any
    `max_body`  bytes of an intake body; `max_resource` bytes of a FHIR body
    `versioned` types whose updates must say which version they change (FHIR R4 http 3.1.0.5)
    `base`      the server's own base URL for links, `""` to take it from the request
    `pages`     web pages by path, e.g. {"/": landing.page}
    """

    token: str = ""
    hosts: tuple[str, ...] = LOOPBACK
    max_body: int = 64 * 1024 * 1024
    max_resource: int = 4 * 1024 * 1024
    page: int = 50
    max_page: int = 500
    versioned: frozenset[str] = frozenset()
    base: str = ""
    pages: Mapping[str, Page] = field(default_factory=dict)
