"""Reading: read, vread, history and $explain."""

from __future__ import annotations

from typing import Any

from adapter.api.call import Answer, Call, Refusal, refuse, version_headers
from adapter.record import Resource
from adapter.store.protocol import Stored, Trace


def read(call: Call) -> Answer:
    """GET [type]/[id]: the current version; 404 unknown, 410 deleted, 304 unchanged."""
    stored = current(call)
    headers = version_headers(stored)
    if if_none_match(call, stored):
        return Answer(304, None, headers)
    return Answer(200, stored.resource, headers)


def vread(call: Call) -> Answer:
    """GET [type]/[id]/_history/[vid]: one version; 404 unknown, 410 when it is the deletion."""
    number = int(call.version) if call.version.isascii() and call.version.isdecimal() else 0
    stored = call.store.vread(call.kind, call.uid, number) if 0 < number < 1 << 31 else None
    if stored is None:
        raise _absent()
    if stored.deleted:
        raise _gone(stored)
    return Answer(200, stored.resource, version_headers(stored))


def history(call: Call) -> Answer:
    """GET [type]/[id]/_history: every version, newest first, deletions too; 404 when none."""
    versions = call.store.history(call.kind, call.uid)
    if not versions:
        raise _absent()
    url = f"{call.base}/{call.kind}/{call.uid}"
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(versions),
        "link": [{"relation": "self", "url": f"{url}/_history"}],
        "entry": [_version(call, url, stored) for stored in versions],
    }
    return Answer(200, bundle)


def explain(call: Call) -> Answer:
    """GET [type]/[id]/$explain: Parameters, one `value` a source value of the current version."""
    current(call)
    rows = call.store.trace(call.kind, call.uid)
    parameters: Resource = {"resourceType": "Parameters"}
    if rows:
        parameters["parameter"] = [{"name": "value", "part": _parts(row)} for row in rows]
    return Answer(200, parameters)


def current(call: Call) -> Stored:
    """The current version. Raises Refusal 404 or 410."""
    stored = call.store.read(call.kind, call.uid)
    if stored is None:
        raise _absent()
    if stored.deleted:
        raise _gone(stored)
    return stored


def if_none_match(call: Call, stored: Stored) -> bool:
    """Whether If-None-Match names this version; strong or weak is all one (RFC 9110 13.1.2)."""
    tags = [tag.strip() for tag in call.headers.get("if-none-match", "").split(",")]
    return "*" in tags or f'"{stored.version}"' in [tag.removeprefix("W/") for tag in tags]


def _absent() -> Refusal:
    return refuse(404, "not-found", "no resource of this type has this id and version")


def _gone(stored: Stored) -> Refusal:
    return refuse(410, "gone", "the resource was deleted", ETag=f'W/"{stored.version}"')


def _version(call: Call, url: str, stored: Stored) -> dict[str, Any]:
    method = "DELETE" if stored.deleted else "POST" if stored.version == 1 else "PUT"
    target = call.kind if method == "POST" else f"{call.kind}/{call.uid}"
    status = {"DELETE": "204", "POST": "201", "PUT": "200"}[method]
    entry: dict[str, Any] = {"fullUrl": url}
    if not stored.deleted:
        entry["resource"] = stored.resource
    entry["request"] = {"method": method, "url": target}
    entry["response"] = {
        "status": status,
        "etag": f'W/"{stored.version}"',
        "lastModified": stored.updated,
    }
    return entry


def _parts(row: Trace) -> list[dict[str, Any]]:
    texts = {
        "element": row.element,
        "source": row.source,
        "file": row.file,
        "field": row.field,
        "asOf": row.as_of,
    }
    numbers = {"unit": row.unit, "line": row.line}
    parts = [{"name": name, "valueString": text} for name, text in texts.items() if text]
    return parts + [{"name": name, "valueInteger": number} for name, number in numbers.items()]
