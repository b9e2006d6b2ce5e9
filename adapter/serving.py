"""Puts store, pipeline, API, pages and MLLP together and serves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

from adapter import alert_commands, api, logs, settings
from adapter.api import serve
from adapter.api.seams import LOOPBACK
from adapter.console import landing
from adapter.errors import SettingError
from adapter.feeds import answers, health
from adapter.mapping import feeds
from adapter.pipeline import Pipeline
from adapter.transport import mllp
from adapter.transport import settings as mllp_settings
from adapter.transport.background import Background


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the command line says to listen; it wins over the environment."""

    host: str | None = None
    port: int | None = None
    mllp: Sequence[str] = ()


def application(house: Pipeline, given: settings.Settings) -> Callable[..., Any]:
    """The web application over a pipeline's store.

    Raises SettingError for an unsafe host, and for a resource type that is not served.
    """
    api.guard(given.host, given.token)
    versioned = frozenset(settings.listed(given.versioned))
    if not versioned.issubset(api.kinds()):
        raise SettingError("ECM_VERSIONED: expected resource types by commas, e.g. Task")
    page = partial(landing.page, feeds=lambda: health.feeds(house.store, house.clock()))
    how = api.ApiSettings(
        token=given.token,
        hosts=LOOPBACK if not given.token else (),
        max_body=given.max_body,
        versioned=versioned,
        pages={"/": page},
    )
    return api.app(house.store, house, how, house.clock, lambda: str(uuid4()))


def run(house: Pipeline, where: Listen, say: Callable[..., None]) -> int:
    """Serve until Ctrl-C or SIGTERM; requests and messages under way are finished first.

    Raises DataFileError when a feed profile is wrong, and SettingError for a port that is none.
    """
    feeds.matches()
    given = settings.read()
    port = given.port if where.port is None else where.port
    if not 0 <= port <= 65535:
        raise SettingError("--port, ECM_PORT: expected a number up to 65535")
    given = replace(given, host=where.host or given.host, port=port)
    app = application(house, given)
    with ExitStack() as stack:
        stack.enter_context(logs.shown())
        listening = where.mllp or settings.listed(given.mllp)
        if listening:
            server = messages(house, listening, given)
            stack.callback(server.stop)
            for number in server.ports:
                say(f"MLLP on port {number}")
        stack.enter_context(alert_commands.working(house, given))
        serve.run(app, given.host, given.port, lambda url: say(f"Serving on {url}  (Ctrl-C stops)"))
    return 0


def messages(house: Pipeline, listening: Sequence[str], given: settings.Settings) -> Background:
    """The MLLP server, started. Raises SettingError for a port that is taken or an unsafe host."""
    where = mllp_settings.addresses(listening, given)
    tls = mllp_settings.tls(given)
    return Background(lambda: mllp.serve(partial(answers.take, house), where, tls))
