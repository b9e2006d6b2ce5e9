"""One request as the actions see it, and what they answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple

from adapter.api.seams import ApiSettings, Clock, Ids, Intake
from adapter.errors import AdapterError
from adapter.issues import Issue, operation_outcome
from adapter.record import Resource
from adapter.store.protocol import Store, Stored

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Server:
    """What every action may use; `lock` makes search-then-write atomic within the process.

    `actions` is the table of table.py, for those that describe or dispatch.
    """

    store: Store
    intake: Intake
    settings: ApiSettings
    clock: Clock
    ids: Ids
    actions: tuple[Action, ...]
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> str:
        """This instant as FHIR writes it, in UTC with milliseconds."""
        text = self.clock().astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed; `base` is the absolute URL of /fhir without a slash at its end."""

    server: Server
    base: str
    kind: str = ""
    uid: str = ""
    version: str = ""
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Resource | None = None

    @property
    def store(self) -> Store:
        """The store behind the server."""
        return self.server.store

    def prefers(self, key: str) -> str:
        """A value of the Prefer header (RFC 7240), `""` if not stated."""
        for part in self.headers.get("prefer", "").replace(";", ",").split(","):
            name, _, value = part.strip().partition("=")
            if name.strip().lower() == key:
                return value.strip().strip('"')
        return ""

    def body(self) -> Resource:
        """The resource that was sent. Raises Refusal 400 when there is none."""
        if self.resource is None:
            raise refuse(400, "resource-structure", "the request has no body")
        return self.resource


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, at most one resource, and headers."""

    status: int
    resource: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Run = Callable[[Call], Answer]


class Action(NamedTuple):
    """One interaction or operation of the FHIR API.

    `name`  FHIR interaction code (restful-interaction), or `$operation`
    `path`  below /fhir; `{kind}`, `{uid}`, `{version}` are those of Call
    """

    name: str
    method: str
    path: str
    run: Run
    about: str


class Refusal(AdapterError):
    """A request that is not carried out; it knows its OperationOutcome."""

    def __init__(
        self, status: int, issues: list[Issue], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: " + ", ".join(issue.detail for issue in issues))
        self.status, self.issues, self.headers = status, issues, dict(headers or {})

    @property
    def answer(self) -> Answer:
        """As an answer with an OperationOutcome."""
        return Answer(self.status, operation_outcome(self.issues), self.headers)


def refuse(status: int, detail: str, text: str, **headers: str) -> Refusal:
    """A refusal with one issue; header names are given with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(status, [Issue("error", detail, text)], named)


def version_headers(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version (FHIR R4 http 3.1.0.4)."""
    headers = {"ETag": f'W/"{stored.version}"'}
    try:
        instant = datetime.fromisoformat(stored.updated)
    except ValueError:
        return headers
    return headers | {"Last-Modified": format_datetime(instant.astimezone(UTC), usegmt=True)}
