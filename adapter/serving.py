"""Puts store, pipeline, API and pages together and serves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from adapter import alert_commands, api, settings
from adapter.api import serve
from adapter.api.seams import LOOPBACK
from adapter.console import landing
from adapter.pipeline import Pipeline


def application(house: Pipeline, given: settings.Settings) -> Callable[..., Any]:
    """The web application over a pipeline's store. Raises SettingError for an unsafe host."""
    api.guard(given.host, given.token)
    how = api.ApiSettings(
        token=given.token,
        hosts=LOOPBACK if not given.token else (),
        max_body=given.max_body,
        pages={"/": landing.page},
    )
    return api.app(house.store, house, how, house.clock, lambda: str(uuid4()))


def run(house: Pipeline, host: str | None, port: int | None, say: Callable[..., None]) -> int:
    """Serve until Ctrl-C or SIGTERM; the options win over the environment."""
    given = settings.read()
    given = replace(given, host=host or given.host, port=given.port if port is None else port)
    app = application(house, given)
    say(f"Serving on http://{given.host}:{given.port}  (Ctrl-C stops)")
    with alert_commands.working(house, given):
        serve.run(app, given.host, given.port)
    return 0
