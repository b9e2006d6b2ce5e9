"""The FastAPI application: routes from the tables, bodies read within limits, answers written."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from adapter.api import formats, review
from adapter.api.call import Action, Answer, Call, Query, Refusal, Server, refuse
from adapter.api.due import due
from adapter.api.guard import Boundary
from adapter.api.intake import HL7, POSTS, Post, acknowledge, allow, answers_hl7, take
from adapter.api.seams import ApiSettings, Clock, Ids, Intake, Page
from adapter.api.search import kinds
from adapter.api.table import ACTIONS
from adapter.api.write import ID
from adapter.store.protocol import Store

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
BASE = "/fhir"
_SAFE_PAGE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_HTTP = {404: ("not-found", "no such path"), 405: ("not-supported", "not with this method")}


def app(store: Store, intake: Intake, settings: ApiSettings, clock: Clock, ids: Ids) -> FastAPI:
    """The whole API over a store: /fhir, /intake, /openapi.json and the pages of the settings.

    `clock` gives aware instants, `ids` new FHIR ids (used as request ids too).
    """
    server = Server(store, intake, settings, clock, ids, ACTIONS)
    made = FastAPI(
        title="ECM adapter",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        # spans would carry URLs, and these values
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=lambda route: route.name,
    )
    for action in ACTIONS:
        for path in (action.path,) if action.path else ("", "/"):
            _route(made, (action.method, BASE + path), _fhir(server, action), action.about)
    for post in POSTS:
        _route(made, ("POST", post.path), _intake(server, post), post.about)
    _route(made, ("GET", "/due"), _due(server), "what is due in a plan, highest risk first")
    _route(made, ("GET", "/review"), _review(server), "units that wait for a person")
    _route(made, ("POST", "/review/{unit}"), _decision(server), "what a person decided of one")
    for path, page in settings.pages.items():
        _route(made, ("GET", path), _page(server, page), "a web page")
    made.add_exception_handler(Refusal, _refused)
    made.add_exception_handler(HTTPException, _http_error)
    made.add_middleware(Boundary, settings=settings, ids=ids)
    return made


def _route(made: FastAPI, at: tuple[str, str], endpoint: Endpoint, about: str) -> None:
    method, path = at

    async def named(request: Request) -> Response:
        request.state.route = path
        return await endpoint(request)

    names = re.findall(r"{(\w+)}", path)
    text = {"in": "path", "required": True, "schema": {"type": "string"}}
    made.add_api_route(
        path,
        named,
        methods=[method],
        name=re.sub(r"\W", "_", f"{method}{path}"),
        summary=about,
        response_class=Response,
        openapi_extra={"parameters": [{"name": name, **text} for name in names]},
    )
    if method == "GET":
        made.add_api_route(path, named, methods=["HEAD"], include_in_schema=False)


# --- one request


def _fhir(server: Server, action: Action) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        writes = action.method in ("POST", "PUT")
        body = await _body(request, server.settings.max_resource) if writes else b""
        return await run_in_threadpool(_perform, server, action, request, body)

    return endpoint


def _intake(server: Server, post: Post) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        query = dict(request.query_params)
        allow(post, request.headers.get("content-type", ""), query)
        body = await _body(request, server.settings.max_body)
        headers = request.headers
        accept = headers.get("accept", "")
        if post.param == "feed" and answers_hl7(headers.get("content-type", ""), accept):
            status, text = await run_in_threadpool(acknowledge, server, query, body)
            return Response(text, status, media_type=HL7)
        answer = await run_in_threadpool(take, server, post, query, body)
        return _response(answer, _format(request))

    return endpoint


def _due(server: Server) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        answer = await run_in_threadpool(due, server, dict(request.query_params))
        return _response(answer, _format(request))

    return endpoint


def _review(server: Server) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        text = await run_in_threadpool(review.waiting, server)
        return Response(text, media_type=review.JSON)

    return endpoint


def _decision(server: Server) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if formats.media_type(request.headers.get("content-type", "")) != review.JSON:
            raise refuse(415, "not-supported", f"a decision must be {review.JSON}")
        body = await _body(request, server.settings.max_resource)
        unit = str(request.path_params["unit"])
        text = await run_in_threadpool(review.decide, server, unit, body)
        return Response(text, media_type=review.JSON)

    return endpoint


def _page(server: Server, page: Page) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        text = await run_in_threadpool(page, server.store)
        headers = {"content-security-policy": _SAFE_PAGE}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    return endpoint


def _perform(server: Server, action: Action, request: Request, body: bytes) -> Response:
    call = _call(server, request)
    kind = formats.format_of(call)
    if action.path.endswith("/_search"):
        query = call.query + _form(body, request.headers.get("content-type", ""))
        call = replace(call, query=query)
    elif body:
        resource = formats.read(body, request.headers.get("content-type", ""))
        call = replace(call, resource=resource)
    return _response(action.run(call), kind)


async def _body(request: Request, limit: int) -> bytes:
    """The body, never more than the limit of it in memory. Raises Refusal 413, 415 for a coded one.

    What is packed (RFC 9110 chapter 8.4) may be of any size.
    """
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        text = "the body must come as it is, without Content-Encoding"
        raise refuse(415, "not-supported", text, Accept_Encoding="identity")
    stated = request.headers.get("content-length", "")
    too_large = refuse(413, "file-size", f"the body is over the limit of {limit} bytes")
    if stated.isdecimal() and int(stated[:20]) > limit:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _call(server: Server, request: Request) -> Call:
    """The request without its body. Raises Refusal 404 for a type or id that cannot be."""
    named = request.path_params
    if named.get("kind", kinds()[0]) not in kinds():
        raise refuse(404, "resource-type", "not a resource type that is served here")
    if request.method != "PUT" and not ID.fullmatch(named.get("uid", "x")):
        raise refuse(404, "not-found", "the id in the URL is not a FHIR id")
    return Call(
        server,
        server.settings.base or f"{request.url.scheme}://{request.url.netloc}{BASE}",
        **named,
        query=tuple(request.query_params.multi_items()),
        headers=request.headers,
    )


def _form(body: bytes, content_type: str) -> Query:
    if not body:
        return ()
    if formats.media_type(content_type) != formats.FORM:
        raise refuse(415, "not-supported", f"a search body must be {formats.FORM}")
    try:
        return tuple(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    except ValueError:
        raise refuse(400, "search", "the search body is not a form in UTF-8") from None


# --- one answer


def _response(answer: Answer, kind: str) -> Response:
    if answer.resource is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    body = formats.write(answer.resource, kind)
    media = f"{kind}; charset=utf-8; fhirVersion=4.0"
    return Response(body, answer.status, dict(answer.headers), media)


def _format(request: Request) -> str:
    """The answer's format where the request cannot be refused for it."""
    try:
        override = request.query_params.get("_format", "")
        return formats.wanted(request.headers.get("accept", ""), override)
    except Refusal:
        return formats.JSON


async def _refused(request: Request, error: Exception) -> Response:
    answer = error.answer if isinstance(error, Refusal) else Answer(500)
    return _response(answer, _format(request))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses: an unknown path, a method that a path does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail, text = _HTTP.get(status, ("resource-structure", "the request cannot be read"))
    refusal = refuse(status, detail, text)
    if status == 405:
        refusal.headers["Allow"] = ", ".join(_methods(request))
    return await _refused(request, refusal)


def _methods(request: Request) -> list[str]:
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fits = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in fits for method in route.methods or ()})
