"""How the MLLP server is set up: addresses, networks, certificates; unsafe ones are refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from adapter.errors import SettingError
from adapter.settings import Settings, listed
from adapter.transport.mllp import Address, Network, Tls


def addresses(texts: Iterable[str], given: Settings) -> list[Address]:
    """Where to listen, of `HOST:PORT` texts.

    Raises SettingError for a malformed one, and for a host that others reach when neither
    certificates nor networks say who may connect: MLLP itself asks nobody who he is.
    """
    allow = tuple(_network(text) for text in listed(given.mllp_allow))
    found = [_address(text, allow) for text in texts]
    for one in found:
        if not _loopback(one.host) and not allow and not given.mllp_clients:
            text = "a host other than loopback needs ECM_MLLP_CLIENTS or ECM_MLLP_ALLOW"
            raise SettingError(f"MLLP: {text}")
    return found


def tls(given: Settings) -> Tls | None:
    """The certificates, if any. Raises SettingError when one of them is missing."""
    if not (given.mllp_cert or given.mllp_key or given.mllp_clients):
        return None
    if not (given.mllp_cert and given.mllp_key):
        raise SettingError("MLLP: ECM_MLLP_CERT and ECM_MLLP_KEY belong together")
    clients = Path(given.mllp_clients) if given.mllp_clients else None
    return Tls(Path(given.mllp_cert), Path(given.mllp_key), clients)


def _address(text: str, allow: tuple[Network, ...]) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise SettingError("MLLP: expected HOST:PORT")
    return Address(host.strip("[]"), int(port), allow)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingError("ECM_MLLP_ALLOW: expected networks like 10.1.0.0/16") from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
