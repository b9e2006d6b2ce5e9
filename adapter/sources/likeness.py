"""How much a column header looks like a text that is known to mean a field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from functools import cache

from adapter.sources.cells import key

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NOISE = frozenset({"the", "of", "and", "a", "for", "to", "member", "client", "ecm", "patient"})
_SHORT: Mapping[str, str] = {
    "mbr": "member", "mem": "member", "memb": "member", "clt": "client", "pt": "patient",
    "lst": "last", "lname": "last name", "fname": "first name", "mname": "middle name",
    "fst": "first", "frst": "first", "surname": "last name", "given": "first", "nm": "name",
    "mid": "middle", "mi": "middle", "dob": "birth date", "bday": "birth date", "dt": "date",
    "birthdate": "birth date", "birthday": "birth date", "addr": "address", "adr": "address",
    "street": "address", "st": "state", "cnty": "county", "zipcode": "zip", "postal": "zip",
    "ph": "phone", "tel": "phone", "telephone": "phone", "fon": "phone", "mobile": "cell",
    "no": "number", "num": "number", "nbr": "number", "nr": "number", "ident": "id",
    "identifier": "id", "auth": "authorization", "authoriz": "authorization", "eff": "start",
    "effective": "start", "begin": "start", "from": "start", "term": "end", "thru": "end",
    "expiration": "end", "exp": "end", "stat": "status", "lang": "language", "eth": "ethnicity",
    "gender": "sex", "gndr": "sex", "prov": "provider", "prv": "provider", "pcp": "pcp",
    "primary": "primary", "mail": "mailing", "mlg": "mailing", "res": "residential",
    "ind": "indicator", "flag": "indicator", "homelessness": "homeless", "hmls": "homeless",
    "pop": "population", "foc": "focus", "pof": "population focus", "prio": "priority",
    "prty": "priority", "rec": "record", "rcd": "record", "asgn": "assignment",
    "assigned": "assignment", "ref": "referring", "emerg": "emergency", "org": "organization",
    "rel": "relation", "relationship": "relation", "medi": "medical", "cal": "",
    "mcp": "plan", "org's": "organization",
}  # fmt: skip


@cache
def words(text: str) -> frozenset[str]:
    """The words of a header, abbreviations written out, without words that say nothing."""
    found: set[str] = set()
    for part in _PART.findall(text.replace("'", "")):
        found.update(_SHORT.get(part.lower(), part.lower()).split())
    return frozenset(found - _NOISE) or frozenset(found)


def likeness(header: str, known: str) -> float:
    """0 to 1: how much two headers share, by words and by letters; 1 for the same letters."""
    if key(header) == key(known):
        return 1.0
    ours, theirs = words(header), words(known)
    common = len(ours & theirs) / max(len(ours | theirs), 1)
    letters = SequenceMatcher(None, key(header), key(known)).ratio()
    return min(0.95, 0.75 * common + 0.25 * letters)


def most_like(header: str, texts: Iterable[str]) -> tuple[float, str]:
    """The known text that a header is most like, and how much."""
    return max(((likeness(header, text), text) for text in texts), default=(0.0, ""))
