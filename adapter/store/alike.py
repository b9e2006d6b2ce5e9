"""People who may be the same, by index: birth date with family name, telephone, e-mail, street."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from unicodedata import normalize

from sqlalchemy import Connection

from adapter.record import Resource
from adapter.store import bulk

KIND = "Patient"
PARAM = "Patient.~alike"  # of the index rows; no search parameter has such a name
VERSION = 2  # of the keys: another one writes the index anew
_MOST = 20  # a key of more people names nobody: a shelter's telephone
_LONGEST = 200
_MARKS, _OTHERS = (
    re.compile(r"[\W_]"),
    re.compile(r"\D"),
)  # no letter or digit, accents too; no digit

# One more than the most says that they are too many: the rest need not be read.
_ROWS = (
    "SELECT r.id FROM term AS t JOIN resource AS r ON r.rid = t.rid"
    " WHERE t.param = ? AND t.value IN () LIMIT 21"
)


def keys(person: Resource, changed: Iterable[str] | None = None) -> set[str]:
    """What a Patient has in common with another record of the same person.

    `changed`: only the keys that are made of one of these elements.
    """
    if person.get("resourceType") != KIND:
        return set()
    made = [make for of, make in _MADE if changed is None or not of.isdisjoint(changed)]
    return {key[:_LONGEST] for make in made for key in make(person)}


def asked(person: Resource) -> set[str]:
    """The keys by which others are looked for: the street only where no birth date tells more."""
    found = keys(person)
    return {key for key in found if key[0] != "a"} if any(k[0] == "b" for k in found) else found


def _births(person: Resource) -> Iterator[str]:
    birth = str(person.get("birthDate", ""))
    if len(birth) == 10:
        for name in person.get("name", ()):
            family = _MARKS.sub("", normalize("NFKD", str(name.get("family", "")).casefold()))
            if family:
                yield f"b {birth} {family}"


def _telecoms(person: Resource) -> Iterator[str]:
    for row in person.get("telecom", ()):
        text = str(row.get("value", "")).casefold()
        digits = _OTHERS.sub("", text.partition("x")[0])[-10:]
        if row.get("system") == "email":
            yield f"e {text}"
        elif len(digits) == 10:
            yield f"p {digits}"


def _streets(person: Resource) -> Iterator[str]:
    for address in person.get("address", ()):
        line, code = (address.get("line") or [""])[0], str(address.get("postalCode", ""))[:5]
        street = _MARKS.sub("", normalize("NFKD", str(line).casefold()))
        if street and code:
            yield f"a {code} {street}"


# The kinds of keys, none of which is like one of another kind, and the elements each is made of.
_MADE: tuple[tuple[frozenset[str], Callable[[Resource], Iterator[str]]], ...] = (
    (frozenset(("birthDate", "name")), _births),
    (frozenset(("telecom",)), _telecoms),
    (frozenset(("address",)), _streets),
)


class Alike:
    """Look-ups of one transaction, with what it has written itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, set[str]] = {}
        self._fresh: dict[str, set[str]] = {}

    def know(self, wanted: Iterable[str]) -> None:
        """Look up who has these keys, a short statement each."""
        asked = {key for key in wanted if key not in self._known}
        self._known.update((key, set()) for key in asked)
        for key in asked:
            self._known[key].update(
                uid for (uid,) in bulk.ask(self._connection, _ROWS, [key], PARAM)
            )

    def ids(self, wanted: Iterable[str]) -> list[str]:
        """The ids of Patients that have one of these keys, in order."""
        asked = list(wanted)
        self.know(asked)
        groups = (self._known[key] | self._fresh.get(key, set()) for key in asked)
        return sorted({uid for group in groups if len(group) <= _MOST for uid in group})

    def saved(self, uid: str, has: Iterable[str]) -> None:
        """A Patient of this transaction has these keys, whether or not it is in the database."""
        for key in has:
            self._fresh.setdefault(key, set()).add(uid)
