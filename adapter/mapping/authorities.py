"""Who assigns an identifier: an HL7 v2 HD as the system of what it numbers."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from urllib.parse import quote

from adapter import terms
from adapter.mapping.run import Run

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@lru_cache(maxsize=4096)
def _authority(namespace: str, universal: str, kind: str) -> str:
    """The system of an HD that is registered or describes itself, `""` for another."""
    for name in (universal, namespace):
        known = terms.authority(name) if name else None
        if known:
            return known
    if kind in ("ISO", "") and OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if kind in ("UUID", "GUID") and _UUID.fullmatch(universal.lower()):
        return f"urn:uuid:{universal.lower()}"
    if universal and kind in ("URI", "URL", "DNS") and not re.search(r"\s", universal):
        return universal if ":" in universal else f"https://{universal}"
    return ""


@lru_cache(maxsize=4096)
def _names(hd: str, sub: str) -> tuple[str, str]:
    """What a written HD calls its authority, `""` if nothing, and its system if it is known."""
    names = [*(name.strip() for name in hd.split(sub)), "", ""]
    name = names[0] or names[1]
    return name, _authority(names[0], names[1], names[2].upper()) if name else ""


@lru_cache(maxsize=4096)
def _own(name: str, house: str, within: str) -> str:
    """The system of ours that is made of an authority's name, or of the house that has none."""
    if not name:
        return terms.system("facility", quote(house, safe=""))
    names = [name] if name == within else [within, name]
    return terms.system("authority", "/".join([quote(one, safe="") for one in names]))


@lru_cache(maxsize=4096)
def _assigned(hd: str, sub: str, house: str, within: str) -> tuple[str, bool]:
    """The system of a written HD, and whether it was made of its name."""
    name, system = _names(hd, sub)
    return system or _own(name, house, within), bool(name and not system)


def _house(run: Run) -> tuple[str, str]:
    """The facility that sends, and within what the names of authorities hold.

    Many facilities call their authority MRN: such a name holds within one of them, unless the
    feed's profile says that all of its facilities have the names in common.
    """
    feed = run.feed
    house = feed.facility or run.facts.get("facility", "") or feed.name
    return house, feed.name if feed.shared else house


def local(run: Run, hd: str) -> str:
    """The system of ours that is made of an authority's name; the sender's own when it has none."""
    return _own(_names(hd, run.sub)[0], *_house(run))


def assigner(run: Run, hd: str) -> str:
    """The system of an assigning authority (HD); the sender's own when it is empty.

    An authority without a registered system gets one of ours (`local`), and is reported.
    """
    known = run.feed.authorities.get(hd)
    if known:
        return known
    house, within = _house(run)
    system, made = _assigned(hd, run.sub, house, within)
    if made:
        text = "no system is registered for this assigning authority; one was made of its name"
        run.issue_once("authority-unknown", hd, text)
    return system


def authority(run: Run, hd: str) -> str:
    """As `assigner`, for what is no person's number: Medi-Cal's is never the system of the CIN."""
    system = assigner(run, hd)
    return local(run, hd) if system == cin_system() else system


def medi_cal(run: Run, hd: str) -> bool:
    """Whether this authority stands for Medi-Cal, whose numbers of persons are CINs."""
    return (run.feed.authorities.get(hd) or _names(hd, run.sub)[1]) == cin_system()


@cache
def cin_system() -> str:
    """The system of the Medi-Cal client index number."""
    return terms.system("cin")


@cache
def ssn_system() -> str:
    """The system of the social security number."""
    return terms.system("ssn")
