"""Writing: create, update, both conditional, delete, and $validate."""

from __future__ import annotations

import dataclasses
import re

from adapter.api.call import Answer, Call, Refusal, refuse, version_headers
from adapter.api.read import current, if_none_match
from adapter.api.search import criteria, found
from adapter.errors import NotUnique, VersionConflict
from adapter.issues import Issue, operation_outcome
from adapter.record import Resource
from adapter.store.protocol import Stored

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4 datatypes: id
_TAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


def create(call: Call) -> Answer:
    """POST [type]: 201 under a new id; with If-None-Exist 200 when one matches, 412 when more."""
    resource, warnings = checked(call)
    where = call.headers.get("if-none-exist")
    if where is None:
        return _replace(call, resource, call.server.ids(), warnings)
    with call.server.lock:
        return _create_unless(call, resource, criteria(call.kind, where), warnings)


def update(call: Call) -> Answer:
    """PUT [type]/[id]: 200, or 201 when new; 412 unless If-Match and If-None-Match hold.

    The write is made against the version the change was checked against, so of two writers that
    started from one version the second gets 412 even without If-Match; 400 without one for a type
    that needs it (FHIR R4 http 3.1.0.5).
    """
    if not ID.fullmatch(call.uid):
        raise refuse(400, "resource-structure", "the id in the URL is not a FHIR id")
    if call.body().get("id") != call.uid:
        raise refuse(400, "resource-structure", "the resource's id must be the id in the URL")
    resource, warnings = checked(call)
    return _replace(call, resource, call.uid, warnings)


def update_where(call: Call) -> Answer:
    """PUT [type]?[criteria]: none matches: create; one: update it; more: 412."""
    resource, warnings = checked(call)
    where = criteria(call.kind, call.query)
    with call.server.lock:
        matches = found(call, where)
        if len(matches) > 1:
            raise _ambiguous()
        uid = resource.get("id", "")
        if matches and uid not in ("", matches[0]):
            raise refuse(400, "resource-structure", "the resource's id is not that of the match")
        if not matches and uid == "":
            return _create_unless(call, resource, where, warnings)
        return _replace(call, resource, matches[0] if matches else uid, warnings)


def delete(call: Call) -> Answer:
    """DELETE [type]/[id]: 204 also when it is gone already; 412 when If-Match does not hold."""
    with call.server.lock:
        stored = call.store.read(call.kind, call.uid)
        if_match(call, stored)
        if stored is None or stored.deleted:
            return Answer(204)
        gone = call.store.delete(call.kind, call.uid, call.server.now())
    return Answer(204, None, {"ETag": f'W/"{gone.version}"'} if gone else {})


def validate(call: Call) -> Answer:
    """POST [type]/$validate, GET or POST [type]/[id]/$validate: 200 with an OperationOutcome.

    The body is the resource, or Parameters with it in the parameter `resource`. A `profile`
    parameter is not followed, and a warning says so.
    """
    resource, notes = _to_validate(call)
    if resource.get("resourceType") != call.kind:
        notes = [Issue("error", "resource-type", "not the type in the URL", path="resourceType")]
        return Answer(200, operation_outcome(notes))
    return Answer(200, operation_outcome([*call.server.intake.check(resource), *notes]))


def checked(call: Call) -> tuple[Resource, list[Issue]]:
    """The sent resource and its warnings. Raises Refusal 400 wrong type, 422 not valid."""
    resource = call.body()
    if resource.get("resourceType") != call.kind:
        raise refuse(400, "resource-type", "the resource is not of the type in the URL")
    issues = call.server.intake.check(resource)
    if any(issue.failed for issue in issues):
        raise Refusal(422, issues)
    return resource, issues


def if_match(call: Call, old: Stored | None) -> bool:
    """Whether If-Match names a version; `*` is any that is there (RFC 9110 chapter 13.1.1).

    Raises Refusal 400 when it is malformed, 412 when it does not hold.
    """
    header = call.headers.get("if-match")
    if header is None:
        return False
    tag = _TAG.fullmatch(header.strip())
    if tag is None and header.strip() != "*":
        raise refuse(400, "version-conflict", 'If-Match must be a version as W/"1"')
    if old is None or (old.version != int(tag[1]) if tag else old.deleted):
        raise _stale()
    return tag is not None


def _create_unless(
    call: Call, resource: Resource, where: list[tuple[str, str]], warnings: list[Issue]
) -> Answer:
    """Create unless something matches; the store's unique identifiers settle races of processes."""
    matches = found(call, where)
    if not matches:
        try:
            return _replace(call, resource, call.server.ids(), warnings)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            matches = found(call, where)
            if not matches:
                raise
    if len(matches) > 1:
        raise _ambiguous()
    return existing(dataclasses.replace(call, uid=matches[0]))


def existing(call: Call) -> Answer:
    """200 with what a conditional create matches, and where it is. Raises Refusal 412."""
    stored = call.store.read(call.kind, call.uid)
    if stored is None or stored.deleted:
        raise _stale()
    return _shown(call, Answer(200, stored.resource, _headers(call, stored)), [])


def _replace(call: Call, resource: Resource, uid: str, warnings: list[Issue]) -> Answer:
    """Create or update under an id, once the change itself is allowed. Raises Refusal."""
    old = call.store.read(call.kind, uid)
    named, before = if_match(call, old), None if old is None or old.deleted else old
    if before and if_none_match(call, before):
        raise _stale()
    if before and not named and call.kind in call.server.settings.versioned:
        raise refuse(400, "version-conflict", "an update of this type needs If-Match")
    new = _with_id(resource, uid)
    issues = call.server.intake.check_change(before.resource if before else None, new)
    if any(issue.failed for issue in issues):
        raise Refusal(422, issues)
    stored, made = _put(call, new, before.version if before else 0)
    return _done(call, stored, made, [*warnings, *issues])


def _put(call: Call, resource: Resource, if_version: int) -> tuple[Stored, bool]:
    try:
        return call.store.put(resource, call.server.now(), if_version)
    except VersionConflict:
        raise _stale() from None
    except NotUnique:
        raise _taken() from None


def _with_id(resource: Resource, uid: str) -> Resource:
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id")}
    return {"resourceType": resource["resourceType"], "id": uid, **rest}


def _done(call: Call, stored: Stored, new: bool, warnings: list[Issue]) -> Answer:
    answer = Answer(201 if new else 200, stored.resource, _headers(call, stored))
    return _shown(call, answer, warnings)


def _shown(call: Call, answer: Answer, warnings: list[Issue]) -> Answer:
    """The answer in the form that `Prefer: return=` asks for."""
    wish = call.prefers("return")
    if wish == "minimal":
        return Answer(answer.status, None, answer.headers)
    if wish == "OperationOutcome":
        return Answer(answer.status, operation_outcome(warnings), answer.headers)
    return answer


def _headers(call: Call, stored: Stored) -> dict[str, str]:
    url = f"{call.base}/{call.kind}/{stored.resource['id']}/_history/{stored.version}"
    return {"Location": url, **version_headers(stored)}


def _to_validate(call: Call) -> tuple[Resource, list[Issue]]:
    if call.resource is None and call.uid:
        return current(call).resource, []
    body = call.body()
    if body.get("resourceType") != "Parameters" or call.kind == "Parameters":
        return body, []
    rows = body.get("parameter")
    given = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    named = {str(row.get("name")): row for row in given}
    resource = named.get("resource", {}).get("resource")
    if not isinstance(resource, dict):
        raise refuse(400, "required", "Parameters without a parameter `resource`")
    text = "the parameter `profile` is not followed: R4 and our own profile were checked"
    return resource, [Issue("warning", "not-supported", text)] if "profile" in named else []


def _stale() -> Refusal:
    return refuse(412, "version-conflict", "not the current version: read again, then write")


def _ambiguous() -> Refusal:
    return refuse(412, "search", "the criteria match more than one resource")


def _taken() -> Refusal:
    return refuse(409, "duplicate", "a business identifier already belongs to another resource")
