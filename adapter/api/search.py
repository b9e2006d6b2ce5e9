"""Searching: parameters checked, pages with links, and the criteria of conditional writes."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlencode

from adapter import data
from adapter.api.call import Answer, Call, Query, refuse
from adapter.record import Resource
from adapter.store.protocol import BadSearch, Page, Stored

PAGING = {"_count", "_cursor", "_summary"}
FORMAT = {"_format", "_pretty"}  # read elsewhere, or without effect
MAX_PARAMS = 50
MAX_VALUES = 200  # of all parameters; SQLite takes some 240 references in one statement


def search(call: Call) -> Answer:
    """GET [type]?..., POST [type]/_search: a searchset Bundle; 400 for what is not known.

    `Prefer: handling=lenient` leaves unknown parameters out instead; the self link shows which
    ones were used (FHIR R4 http 3.1.0.6, search 3.1.1.1).
    """
    lenient = call.prefers("handling") == "lenient"
    used = known(call.kind, call.query, lenient)
    count = _count(call, used)
    cursor = dict(used).get("_cursor")
    params = [pair for pair in used if pair[0] not in PAGING]
    page = _page(call, params, max(count, 1), cursor)
    return Answer(200, _bundle(call, used, page, shown=count > 0))


def known(kind: str, query: Query, lenient: bool) -> list[tuple[str, str]]:
    """The parameters of a query that are ours, empty ones left out. Raises Refusal 400."""
    if len(query) > MAX_PARAMS:
        raise refuse(400, "too-costly", f"more than {MAX_PARAMS} search parameters")
    if sum(value.count(",") + 1 for _, value in query) > MAX_VALUES:
        raise refuse(400, "too-costly", f"more than {MAX_VALUES} values to search for")
    used = []
    for number, (name, value) in enumerate(query, 1):
        if name in FORMAT or not value:
            continue
        if name in PAGING or _base(name) in names(kind):
            used.append((name, value))
        elif not lenient:
            text = f"search parameter {number} is not known for {kind}"
            raise refuse(400, "search", text)
    return used


def criteria(kind: str, where: str | Query) -> list[tuple[str, str]]:
    """The criteria of a conditional write. Raises Refusal 400 when unknown, 412 when none."""
    query = tuple(parse_qsl(where.rpartition("?")[2])) if isinstance(where, str) else where
    used = known(kind, query, lenient=False)
    if not used or any(name in PAGING or name == "_include" for name, _ in used):
        raise refuse(412, "search", "a conditional write needs search criteria, and only those")
    return used


def found(call: Call, where: list[tuple[str, str]]) -> list[str]:
    """The ids of what matches, at most two."""
    return [match.resource["id"] for match in _page(call, where, 2, None).matches]


@cache
def kinds() -> tuple[str, ...]:
    """The resource types that are served: those that profiles/search-parameters.json knows."""
    return tuple(dict.fromkeys(row["kind"] for row in _rows() if row["kind"] != "*"))


@cache
def parameters(kind: str) -> tuple[dict[str, str], ...]:
    """The search parameters of a type, as CapabilityStatement.rest.resource.searchParam."""
    rows = [row for row in _rows() if row["kind"] in ("*", kind)]
    return tuple({"name": row["name"], "type": row["type"]} for row in rows)


@cache
def includes(kind: str) -> tuple[str, ...]:
    """What `_include` may name: the reference parameters of a type."""
    rows = [row for row in _rows() if row["kind"] == kind and row["type"] == "reference"]
    return tuple(f"{kind}:{row['name']}" for row in rows)


@cache
def names(kind: str) -> frozenset[str]:
    """The names that may be searched by."""
    return frozenset(row["name"] for row in parameters(kind)) | {"_include"}


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    file = data.path("profiles", "search-parameters.json")
    return tuple(data.json(file)["parameters"])


def _base(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _page(call: Call, params: list[tuple[str, str]], count: int, cursor: str | None) -> Page:
    try:
        return call.store.search(call.kind, params, count, cursor)
    except BadSearch:  # its text may repeat what the caller wrote for a name
        raise refuse(400, "search", "a search parameter is malformed or not supported") from None


def _count(call: Call, used: list[tuple[str, str]]) -> int:
    settings, asked = call.server.settings, dict(used)
    if asked.get("_summary", "false") not in ("false", "count"):
        raise refuse(400, "search", "_summary must be count or false")
    if asked.get("_summary") == "count":
        return 0
    text = asked.get("_count", str(settings.page))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise refuse(400, "search", "_count must be a whole number")
    return min(int(text), settings.max_page)


def _bundle(call: Call, used: list[tuple[str, str]], page: Page, shown: bool) -> Resource:
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": page.total}
    links = [{"relation": "self", "url": _url(call, used)}]
    if not shown:
        return bundle | {"link": links}
    if page.cursor is not None:
        rest = [pair for pair in used if pair[0] != "_cursor"]
        links.append({"relation": "next", "url": _url(call, [*rest, ("_cursor", page.cursor)])})
    marked = chain(
        (_entry(call, stored, "match") for stored in page.matches),
        (_entry(call, stored, "include") for stored in page.included),
    )
    entries = list(marked)
    return bundle | {"link": links} | ({"entry": entries} if entries else {})


def _url(call: Call, params: list[tuple[str, str]]) -> str:
    query = urlencode(params, safe=":|/,")
    return f"{call.base}/{call.kind}" + (f"?{query}" if query else "")


def _entry(call: Call, stored: Stored, mode: str) -> dict[str, Any]:
    resource = stored.resource
    return {
        "fullUrl": f"{call.base}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": mode},
    }
