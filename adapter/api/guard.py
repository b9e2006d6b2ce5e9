"""Who may call: loopback without a token, others with one; and the log line of a request."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import time
import traceback
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapter import data
from adapter.api.call import Refusal, refuse
from adapter.api.formats import JSON
from adapter.api.seams import ApiSettings, Ids
from adapter.errors import SettingError, StoreError
from adapter.issues import operation_outcome

MIN_TOKEN = 16
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
log = logging.getLogger("adapter.api")


def guard(host: str, token: str) -> None:
    """Refuse to serve beyond this machine without a token. Raises SettingError."""
    if loopback(host):
        return
    if len(token) < MIN_TOKEN:
        raise SettingError(
            f"token: a host other than loopback needs one of {MIN_TOKEN}+ characters"
        )


def loopback(host: str) -> bool:
    """True when only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Boundary:
    """The outermost ASGI layer: lets in, gives each request an id, logs it, and catches our faults.

    The log line holds method, route template, status, milliseconds and request id: no path, query,
    header or body, and of an exception only its type and place, for its text may hold a value.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings, ids: Ids) -> None:
        self.app, self.settings, self.ids = app, settings, ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, start, sent = self.ids(), time.perf_counter(), [0]
        scope["state"] = {**scope.get("state", {}), "route": "-"}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent[0] = message["status"]
                message["headers"] = [*message["headers"], *_headers(request)]
            await send(message)

        try:
            await self._serve(scope, receive, answer)
        except ClientDisconnect:
            sent[0] = 499  # the caller went away: nobody to answer
        except Exception as error:  # the boundary: anything else would print a traceback
            log.error("request %s failed: %s", request, _place(error))
            if not sent[0]:
                status = 503 if isinstance(error, StoreError) else 500
                await _send(answer, refuse(status, "internal", f"our fault; request {request}"))
        spent = (time.perf_counter() - start) * 1000
        route = scope["state"]["route"]
        log.info("%s %s %d %.0fms %s", _method(scope), route, sent[0], spent, request)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            admit(Headers(scope=scope), self.settings)
        except Refusal as refusal:
            await _send(send, refusal)
        else:
            await self.app(scope, receive, send)


def admit(headers: Mapping[str, str], settings: ApiSettings) -> None:
    """Let a request in. Raises Refusal 401 no token, 403 foreign web page, 421 foreign Host."""
    host = headers.get("host", "")
    if not _HOST.fullmatch(host) or (settings.hosts and _bare(host) not in settings.hosts):
        raise refuse(421, "forbidden", "the Host header does not name this server")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise refuse(403, "forbidden", "a web page of another origin may not call")
    if settings.token and not _holds(headers.get("authorization", ""), settings.token):
        raise refuse(401, "forbidden", "a bearer token is needed", WWW_Authenticate="Bearer")


def _bare(host: str) -> str:
    """A Host header without its port, and IPv6 without brackets."""
    return re.sub(r":[0-9]*$", "", host).strip("[]").lower()


def _holds(authorization: str, token: str) -> bool:
    scheme, _, sent = authorization.partition(" ")
    same = hmac.compare_digest(sent.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"


def _headers(request: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", request.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
    ]


async def _send(send: Send, refusal: Refusal) -> None:
    body = data.dumps(operation_outcome(refusal.issues))
    headers = {"content-type": JSON, "content-length": str(len(body)), **refusal.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "adapter" in frame.filename] or list(frames)
    where = f" at {ours[-1].name}:{ours[-1].lineno}" if ours else ""
    return type(error).__name__ + where


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method.isalpha() and len(method) < 10 else "?"
