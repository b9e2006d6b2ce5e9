"""What an installation may set: environment variables, each with a default that works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from adapter import data
from adapter.errors import SettingError


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings; the field's metadata is the README's table.

    `database`  SQLAlchemy URL: SQLite or PostgreSQL
    `host`, `port`  where `serve` listens; any host but loopback needs a token
    `token`     bearer token of the API
    `max_body`  bytes of one intake request
    `versioned` resource types whose updates must name the version they change, by commas
    `processing`  MSH-11 values whose messages are stored: P production, T training, D debugging
    `mllp`      HOST:PORT of the MLLP server, several separated by commas, none by default
    `mllp_cert`, `mllp_key`  PEM files for MLLP over TLS
    `mllp_clients`  PEM file of the authority that issues senders their certificates
    `mllp_allow`    networks that may connect by MLLP, e.g. 10.1.0.0/16
    `alerts`    TOML file of the care teams' systems that take alerts
    """

    database: str = "sqlite:///ecm-adapter.sqlite"
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    max_body: int = 64 * 1024 * 1024
    versioned: str = ""
    processing: str = "P"
    mllp: str = ""
    mllp_cert: str = ""
    mllp_key: str = ""
    mllp_clients: str = ""
    mllp_allow: str = ""
    alerts: str = ""

    @property
    def takes(self) -> frozenset[str]:
        """The MSH-11 values whose messages are stored."""
        return frozenset(listed(self.processing.upper()))


VARIABLES = {
    "ECM_DATABASE": "database",
    "ECM_HOST": "host",
    "ECM_PORT": "port",
    "ECM_TOKEN": "token",
    "ECM_MAX_BODY": "max_body",
    "ECM_VERSIONED": "versioned",
    "ECM_PROCESSING": "processing",
    "ECM_MLLP": "mllp",
    "ECM_MLLP_CERT": "mllp_cert",
    "ECM_MLLP_KEY": "mllp_key",
    "ECM_MLLP_CLIENTS": "mllp_clients",
    "ECM_MLLP_ALLOW": "mllp_allow",
    "ECM_ALERTS": "alerts",
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
        elif name == "processing" and not set() < set(listed(text.upper())) <= set("PTD"):
            raise SettingError(f"{variable}: expected some of P, T, D")
        else:
            values[name] = text
    return Settings(**values)  # type: ignore[arg-type]  # each value was read for its field


def listed(text: str) -> list[str]:
    """The parts of a setting that are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def now() -> datetime:
    """The clock: the present instant in UTC."""
    return datetime.now(UTC)


class Recipient(NamedTuple):
    """A care team's system that takes alerts by `[url]/$process-message`.

    `plan`, `provider`  only for members of this plan, of this provider (NPI); empty for all
    `token`     the environment variable that holds its bearer token, `""` for none
    `authority` PEM file of the authority that its certificate is from, `""` for the usual ones
    """

    name: str
    url: str
    plan: str = ""
    provider: str = ""
    token: str = ""
    authority: str = ""


def recipients(file: str = "") -> tuple[Recipient, ...]:
    """The recipients of a TOML file (default: mappings/outbound/alerts.toml), in its order.

    Raises SettingError for a row that is not understood, or a URL without TLS that leaves this
    machine.
    """
    path = Path(file) if file else data.path("mappings", "outbound", "alerts.toml")
    rows = data.toml(path).get("recipient", [])
    found = tuple(_recipient(row, number) for number, row in enumerate(rows, 1))
    if len({one.name for one in found}) != len(found):
        raise SettingError("alerts: two recipients of one name")
    return found


def _recipient(row: Mapping[str, Any], number: int) -> Recipient:
    known = set(Recipient._fields)
    right = all(isinstance(value, str) for value in row.values())
    if not right or not {"name", "url"} <= row.keys() or row.keys() - known:
        raise SettingError(f"alerts: recipient {number}: expected texts {', '.join(sorted(known))}")
    url = urlsplit(row["url"])
    local = url.hostname in ("127.0.0.1", "::1", "localhost")
    if url.scheme != "https" and not (url.scheme == "http" and local):
        raise SettingError(f"alerts: recipient {number}: url must begin with https://")
    if url.username or url.query or url.fragment:
        raise SettingError(f"alerts: recipient {number}: url must be a base without more")
    return Recipient(**{**row, "url": row["url"].rstrip("/")})
