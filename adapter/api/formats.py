"""Which format a request is in and which one its answer takes (FHIR R4 http 3.1.0.1.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from itertools import islice
from typing import Any

from adapter import data
from adapter.api import xml
from adapter.api.call import Call, Refusal, refuse
from adapter.issues import Issue
from adapter.record import Resource

JSON, XML = "application/fhir+json", "application/fhir+xml"
FORM = "application/x-www-form-urlencoded"
_NAMES = {
    "application/fhir+json": JSON,
    "application/json": JSON,
    "application/json+fhir": JSON,
    "text/json": JSON,
    "json": JSON,
    "application/fhir+xml": XML,
    "application/xml": XML,
    "application/xml+fhir": XML,
    "text/xml": XML,
    "xml": XML,
}
_ANY = {"*/*", "application/*"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_WEIGHT = re.compile(r";\s*q=", re.IGNORECASE)  # white space may stand there (RFC 9110 12.4.2)
_ELEMENT = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")


def wanted(accept: str, override: str) -> str:
    """JSON or XML, by `_format` if given, else by Accept. Raises Refusal 406."""
    if override:
        kind = _kind(override.replace(" ", "+"))  # an unescaped + arrives as a space
        if kind is None:
            raise refuse(406, "not-supported", "_format must be json or xml")
        return kind
    ranges = sorted(_ranges(accept), key=lambda pair: -pair[1])
    if not ranges:
        return JSON
    for text, quality in ranges:
        kind = JSON if text.partition(";")[0].strip() in _ANY else _kind(text)
        if kind and quality > 0:
            return kind
    raise refuse(406, "not-supported", f"only {JSON} and {XML} can be answered")


def read(body: bytes, content_type: str) -> Resource | None:
    """The resource in a request's body, None when empty. Raises Refusal 400 or 415."""
    if not body.strip():
        return None
    kind = _kind(content_type) if content_type else None
    if kind is None:
        raise refuse(415, "not-supported", f"a body must be {JSON} or {XML} in UTF-8")
    resource = _json(body) if kind == JSON else xml.parse(body)
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise refuse(400, "resource-structure", "the body is not a resource with a resourceType")
    issues = list(islice(_unsound(resource, "", 0), 20))
    if issues:
        raise Refusal(400, issues)
    return resource


def write(resource: Resource, kind: str) -> bytes:
    """A resource in a format."""
    return data.dumps(resource) if kind == JSON else xml.write(resource)


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type, lower case."""
    return content_type.partition(";")[0].strip().lower()


def format_of(call: Call) -> str:
    """The answer's format for a call."""
    override = next((value for name, value in call.query if name == "_format"), "")
    return wanted(call.headers.get("accept", ""), override)


def _kind(text: str) -> str | None:
    header = Message()
    header["Content-Type"] = text.replace("\n", " ").replace("\r", " ")
    charset = str(header.get_param("charset") or "utf-8").lower()
    version = str(header.get_param("fhirVersion") or "4.0")
    if charset not in ("utf-8", "utf8", "us-ascii") or not version.startswith("4.0"):
        return None
    return _NAMES.get(media_type(text))


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        text, *weight = _WEIGHT.split(part, maxsplit=1)
        try:
            quality = float(weight[0].partition(";")[0]) if weight else 1.0
        except ValueError:
            quality = 0.0
        if text.strip():
            yield text.strip().lower(), quality


def _json(body: bytes) -> Any:
    try:
        return data.foreign(body)
    except ValueError:
        raise refuse(400, "resource-structure", "the body is not well-formed JSON") from None


def _unsound(value: Any, path: str, depth: int) -> Iterator[Issue]:
    """What no store or XML can hold: control characters (FHIR R4 datatypes: string), deep nests."""
    if depth > xml.MAX_DEPTH:
        yield Issue("error", "resource-structure", f"nested deeper than {xml.MAX_DEPTH}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _unsound(name, path, depth + 1)
            yield from _unsound(item, _step(path, name), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unsound(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str) and _CONTROL.search(value):
        yield Issue("error", "value-format", "a control character", path=path or None)


def _step(path: str, name: str) -> str:
    """The path of a member; a name that no element has is not repeated."""
    shown = name if _ELEMENT.fullmatch(name) else "?"
    return f"{path}.{shown}" if path else shown
