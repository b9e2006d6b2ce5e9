"""Serving the application with uvicorn until Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_GRACE = 10  # seconds that requests under way have to end


def run(app: ASGIApp, host: str, port: int) -> None:
    """Serve until the process is asked to stop; requests under way are finished first.

    The caller has checked the host with `guard`.
    """
    with _asked_to_stop():
        server(app, host, port).run()


def server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    """A uvicorn server without an access log: its lines would hold query strings."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE,
    )
    return uvicorn.Server(config)


@contextmanager
def _asked_to_stop() -> Iterator[None]:
    """Uvicorn raises the signal again once it has stopped; here that ends the serving, no more."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
