"""What an installation may set: environment variables, each with a default that works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapter.errors import SettingError


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings; the field's metadata is the README's table.

    `database`  SQLAlchemy URL: SQLite or PostgreSQL
    `host`, `port`  where `serve` listens; any host but loopback needs a token
    `token`     bearer token of the API
    `max_body`  bytes of one intake request
    """

    database: str = "sqlite:///ecm-adapter.sqlite"
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    max_body: int = 64 * 1024 * 1024


VARIABLES = {
    "ECM_DATABASE": "database",
    "ECM_HOST": "host",
    "ECM_PORT": "port",
    "ECM_TOKEN": "token",
    "ECM_MAX_BODY": "max_body",
}


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of an environment (default: the process's). Raises SettingError naming one."""
    given = os.environ if environment is None else environment
    values: dict[str, str | int] = {}
    for variable, name in VARIABLES.items():
        text = given.get(variable, "")
        if not text:
            continue
        if name in ("port", "max_body"):
            if not text.isdigit() or (name == "port" and int(text) > 65535):
                raise SettingError(f"{variable}: expected a whole number")
            values[name] = int(text)
        else:
            values[name] = text
    return Settings(**values)  # type: ignore[arg-type]  # each value was read for its field


def now() -> datetime:
    """The clock: the present instant in UTC."""
    return datetime.now(UTC)
