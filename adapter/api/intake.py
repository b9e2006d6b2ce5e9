"""Posting files: member and return files, ADT messages, a form; the answer lists each unit."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from adapter import logs
from adapter.api.call import Answer, Server, refuse
from adapter.api.formats import media_type
from adapter.api.seams import UnitResult
from adapter.errors import AdapterError
from adapter.feeds import answers
from adapter.feeds.answers import Frame
from adapter.issues import Issue, operation_outcome
from adapter.record import Resource

log = logging.getLogger("adapter.api")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_STATUS = {
    "stored": "201 stored",
    "duplicate": "200 duplicate",
    "review": "202 review",
    "refused": "422 refused",
}
ADT, HL7 = "/intake/adt", "application/hl7-v2"
_HL7 = {HL7, "x-application/hl7-v2+er7"}
_ANY = {"application/octet-stream", "text/plain"}


Load = Callable[[bytes, str, str], Iterable[UnitResult]]


class Post(NamedTuple):
    """One intake route: `param` names what the sender must say, `types` what it may send.

    The last part of `path` is the name of the intake's function.
    """

    path: str
    param: str
    types: frozenset[str]
    about: str


_TABLE = frozenset(
    _ANY | {"text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
)
POSTS = (
    Post("/intake/mif", "plan", _TABLE, "a plan's member file"),
    Post("/intake/rtf", "plan", _TABLE, "a provider's return file, to a plan or county"),
    Post("/intake/otf", "plan", _TABLE, "a provider's outreach tracker, to a plan or county"),
    Post(
        ADT,
        "feed",
        frozenset(_ANY | _HL7),
        "an HL7 v2 message or batch",
    ),
    Post(
        "/intake/referral",
        "form",
        frozenset(_ANY | {"application/json", "application/fhir+json"}),
        "a referral form",
    ),
)


def allow(post: Post, content_type: str, query: Mapping[str, str]) -> None:
    """Check Content-Type and parameters before the body is read. Raises Refusal 415, 400.

    What a web page can send without asking first (a form) is not among the types. A parameter
    that is not ours may be ours misspelled: what it says would be lost.
    """
    if media_type(content_type) not in post.types:
        raise refuse(415, "not-supported", f"{post.path} takes {', '.join(sorted(post.types))}")
    if query.keys() - {post.param, "name", "_format"}:
        raise refuse(400, "search", f"{post.path} knows the parameters {post.param}, name")


def take(server: Server, post: Post, query: dict[str, str], body: bytes) -> Answer:
    """Load a body; a batch-response Bundle with an entry a unit.

    200 when any unit was taken, 422 when none was, 400 when the request itself is wrong. Of
    messages that name no feed each is read by the profile of its sender. The
    file's name is `name` or made from its content, so that the same body is the same file.
    """
    scope = query.get(post.param, "")
    if not (_NAME.fullmatch(scope) or (not scope and post.path == ADT)):
        raise refuse(
            400, "required", f"the query parameter {post.param} is needed: letters, digits, . _ -"
        )
    name = query.get("name") or _named(post, body)
    if not _NAME.fullmatch(name):
        raise refuse(400, "value-format", "the query parameter name: letters, digits, . _ -")
    if not body:
        raise refuse(422, "file-empty", "the request has no body")
    load: Load = getattr(server.intake, post.path.rpartition("/")[2])
    return _answer(load(body, scope, name))


def answers_hl7(content_type: str, accept: str) -> bool:
    """Whether an acknowledgement is wanted: by Accept, or since HL7 v2 came and any will do."""
    wanted = {media_type(part) for part in accept.split(",") if part.strip()}
    if wanted <= {"*/*"}:
        return media_type(content_type) in _HL7
    return not wanted.isdisjoint(_HL7)


def acknowledge(server: Server, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Load HL7 v2 messages; status, and their acknowledgements: one, or a batch for a batch.

    200 when any message was taken, 422 when none was, 503 or 500 (and AE) when it is our fault:
    the store is out of reach, or something that a further try may not mend. Without
    `feed` each message is read by the profile of its sender.
    """
    feed, name = query.get("feed", ""), query.get("name") or Frame(body).name
    if not all(_NAME.fullmatch(text) for text in (feed or "x", name)):
        raise refuse(400, "value-format", "the parameters feed, name: letters, digits, . _ -")
    try:
        results = list(server.intake.adt(body, feed, name))
    except Exception as error:  # the boundary: a sender of HL7 v2 reads no other answer
        logs.fault(log, "messages were not stored", error)
        status = 503 if isinstance(error, AdapterError) else 500
        return status, b"".join(answers.trouble(body, server.clock()))
    status = 200 if any(one.status != "refused" for one in results) else 422
    return status, b"".join(answers.acknowledge(body, results, server.clock()))


def _named(post: Post, body: bytes) -> str:
    return f"{post.path.rpartition('/')[2]}-{hashlib.sha256(body).hexdigest()[:16]}"


def _answer(results: Iterable[UnitResult]) -> Answer:
    entries, taken = [], False
    for result in results:
        entries.append(_entry(result))
        taken = taken or result.status != "refused"
    if not entries:
        outcome = operation_outcome([Issue("error", "file-empty", "the body holds no unit")])
        return Answer(422, outcome)
    bundle: Resource = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
    return Answer(200 if taken else 422, bundle)


def _entry(result: UnitResult) -> dict[str, Any]:
    """One unit: its line as the entry's id, status, the person it is about, and its issues."""
    response: dict[str, Any] = {"status": _STATUS[result.status]}
    if result.refs:
        response["location"] = next(filter(_is_patient, result.refs), result.refs[0])
    if result.issues:
        response["outcome"] = operation_outcome(result.issues)
    return {"id": f"line-{result.line}", "response": response}


def _is_patient(reference: str) -> bool:
    return reference.startswith("Patient/")
