"""Serving the application with uvicorn until Ctrl-C or SIGTERM."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from adapter.errors import SettingError

_GRACE = 10  # seconds that requests under way have to end
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # one address of a name, of several


def run(app: ASGIApp, host: str, port: int, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until the process is asked to stop; requests under way are finished first.

    The caller has checked the host with `guard`. `ready` is told the URL when it listens. Raises
    SettingError when it cannot.
    """
    serving = server(app, host, port)
    with _asked_to_stop(serving):
        sockets = _listening(host, port)
        ready(f"http://{f'[{host}]' if ':' in host else host}:{sockets[0].getsockname()[1]}")
        serving.run(sockets)


def _listening(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host, all on one port."""
    made: list[socket.socket] = []
    wrong = ""
    try:
        for family, *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            number = made[0].getsockname()[1] if made else port
            try:
                made.append(socket.create_server((where[0], number), family=family))
            except OSError as error:
                wrong = str(error.strerror)
                if error.errno not in _NOT_HERE:
                    raise
    except OSError as error:
        wrong = str(error.strerror)
        while made:
            made.pop().close()
    if not made:
        raise SettingError(f"cannot listen on {host}:{port}: {wrong}")
    return made


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
def _asked_to_stop(serving: uvicorn.Server) -> Iterator[None]:
    """A signal ends the serving, no more: also one that comes before uvicorn listens to signals,
    and those that it raises again once it has stopped."""

    def stop(*_: object) -> None:
        serving.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
