"""How alike two records of a person are: a weight, what agrees, and what speaks against."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from adapter import data, terms
from adapter.record import Resource

Item = dict[str, Any]

_SSN = "SS"
_SETS = ("shared", "own", "members", "numbers", "documents", "weak", "nameless", "fillers")
_NOBODY = re.compile(r"(\d)\1{9}|0{3}\d{7}|\d{3}(\d)\2{6}|1234567890|\d{3}5551212")
_NO_SSN = re.compile(r"(\d)\1{8}|123456789|0{3}\d{6}|\d{3}00\d{4}|\d{5}0{4}")
_GAPS = re.compile(r"[\s-]+")
_SEXES = frozenset(("female", "male"))


class Weights(NamedTuple):
    """mappings/matching.toml, read."""

    certain: int
    review: int
    weight: Mapping[str, int]
    shared: frozenset[str]
    shared_most: int
    own: frozenset[str]
    members: frozenset[str]
    numbers: frozenset[str]
    documents: frozenset[str]
    weak: frozenset[str]
    nameless: frozenset[str]
    fillers: frozenset[str]


@cache
def weights() -> Weights:
    """The shipped weights. Raises DataFileError."""
    raw = data.toml(data.path("mappings", "matching.toml"))
    numbers = data.toml(data.path("mappings", "identity.toml"))["fillers"]
    raw["fillers"] += [folded(text) for text in numbers]
    sets = {name: frozenset(raw[name]) for name in _SETS}
    return Weights(
        certain=raw["certain"],
        review=raw["review"],
        weight=raw["weights"],
        shared_most=raw["shared_most"],
        **sets,
    )


class Likeness(NamedTuple):
    """The weight of what agrees, the names of that, and of what both tell and differs."""

    score: int
    agrees: tuple[str, ...]
    differs: tuple[str, ...]

    @property
    def certain(self) -> bool:
        """Enough to be one person, and nothing speaks against it."""
        return self.score >= weights().certain and not self.differs

    @property
    def possible(self) -> bool:
        """Enough for a person to look at."""
        known = "name" in self.agrees or "birth" in self.agrees
        return self.score >= weights().review and known and "own" not in self.differs


def likeness(said: Resource, stored: Resource) -> Likeness:
    """Compare two Patients by the table of weights (HL7 FAST Identity Matching 2.0.0).

    Full social security numbers, sex and zip codes alone weigh nothing, as the guide has it.
    """
    found = {name: compare(said, stored) for name, compare in _TESTS.items()}
    agrees = tuple(name for name, same in found.items() if same and name in weights().weight)
    against = ("birth", "name", "own", "number", "sex", "order")
    return Likeness(_score(agrees), agrees, tuple(n for n in against if found.get(n) is False))


def _score(agrees: Iterable[str]) -> int:
    table = weights()
    alone = [table.weight[name] for name in agrees if name not in table.shared]
    shared = [table.weight[name] for name in agrees if name in table.shared]
    together = table.shared_most if len(shared) > 1 else sum(shared)
    return sum(alone) + together


# --- what is compared: True agrees, False differs, None is not known on one side

Test = Callable[[Resource, Resource], bool | None]


def _meet(read: Callable[[Resource], frozenset[Any]]) -> Test:
    """A test whether two records share one of the values that `read` gives."""

    def test(said: Resource, stored: Resource) -> bool | None:
        here, there = read(said), read(stored)
        return bool(here & there) if here and there else None

    return test


@lru_cache(maxsize=65536)
def folded(text: str) -> str:
    """Letters and digits of a text, without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if char.isalnum())


def _births(person: Resource) -> frozenset[str]:
    date = str(person.get("birthDate", ""))
    return frozenset([date]) if len(date) == 10 else frozenset()


def _names(person: Resource) -> frozenset[tuple[str, str]]:
    """Every family name with its first given name, if that is one."""
    found = (
        (folded(str(name.get("family", ""))), folded(str((name.get("given") or [""])[0])))
        for name in person.get("name", ())
    )
    return frozenset(pair for pair in found if all(pair) and pair[1] not in weights().nameless)


def families_agree(one: Resource, other: Resource) -> bool | None:
    """Whether two people share a family name, or all words of one; None when one has none.

    Garcia is Garcia Lopez, and de la Cruz is Delacruz.
    """
    here, there = _families(one), _families(other)
    if not here or not there:
        return None
    if {"".join(words) for words in here} & {"".join(words) for words in there}:
        return True
    return any(set(a) <= set(b) or set(b) <= set(a) for a in here for b in there)


def _families(person: Resource) -> list[tuple[str, ...]]:
    """The words of every family name, folded."""
    names = (str(name.get("family", "")) for name in person.get("name", ()))
    found = (tuple(filter(None, map(folded, _GAPS.split(name)))) for name in names)
    return [words for words in found if words]


def firsts(person: Resource) -> frozenset[str]:
    """Every first given name, folded."""
    found = (folded(str((name.get("given") or [""])[0])) for name in person.get("name", ()))
    return frozenset(name for name in found if name)


def nameless(person: Resource) -> bool:
    """Whether every given name names nobody: a newborn, somebody unknown."""
    found = firsts(person)
    return bool(found) and found <= weights().nameless


def _addresses(person: Resource) -> frozenset[tuple[str, str]]:
    """Street with zip code, and with city and state."""
    found: set[tuple[str, str]] = set()
    for address in person.get("address", ()):
        line = folded(str((address.get("line") or [""])[0]))
        if not line or line in weights().weak:
            continue
        zip_code = str(address.get("postalCode", ""))[:5]
        place = folded(str(address.get("city", ""))), folded(str(address.get("state", "")))
        found.update({(line, zip_code)} if zip_code else ())
        found.update({(line, "".join(place))} if all(place) else ())
    return frozenset(found)


def phone(text: str) -> str:
    """The ten digits of a North American number, `""` for any other and for placeholders."""
    digits = re.sub(r"\D", "", text.casefold().partition("x")[0])
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return digits if len(digits) == 10 and not _NOBODY.fullmatch(digits) else ""


def _phones(person: Resource) -> frozenset[str]:
    rows = (row for row in person.get("telecom", ()) if row.get("system") != "email")
    return frozenset(filter(None, (phone(str(row.get("value", ""))) for row in rows)))


def _emails(person: Resource) -> frozenset[str]:
    rows = (row for row in person.get("telecom", ()) if row.get("system") == "email")
    found = (str(row.get("value", "")).casefold() for row in rows)
    return frozenset(text for text in found if text and not _filler(text.partition("@")[0]))


def _filler(text: str) -> bool:
    """Whether a text stands where nothing is known: `NONE`, `N/A`, `00000`."""
    plain = folded(text)
    return plain in weights().fillers or (len(plain) > 3 and len(set(plain)) == 1)


def _identifiers(person: Resource) -> Iterator[tuple[str, str, str]]:
    """(type, system, value) of every identifier that has them."""
    for item in person.get("identifier", ()):
        if item.get("system") and item.get("value") and not _filler(str(item["value"])):
            for code in _types(item):
                yield code, str(item["system"]), str(item["value"])


def _types(item: Item) -> list[str]:
    """The types of an identifier; whatever its sender calls it, the system of a CIN tells it."""
    member = _member_type(str(item.get("system", "")))
    if member:
        return [member]
    codings = item.get("type", {}).get("coding", ())
    return [str(coding.get("code", "")) for coding in codings] or [""]


@lru_cache(maxsize=1024)
def _member_type(system: str) -> str:
    """The type of what Medi-Cal or a plan numbers its members by, `""` for another system."""
    if system == terms.system("cin"):
        return "MA"
    return "MB" if system.startswith(terms.system("plan-member", "")) else ""


def _numbers(person: Resource) -> frozenset[tuple[str, str]]:
    """Record and member numbers: with who gave them each names one person."""
    wanted = weights().numbers
    return frozenset((s, v) for code, s, v in _identifiers(person) if code in wanted)


def members(person: Resource) -> frozenset[tuple[str, str]]:
    """(system, value) of what Medi-Cal (CIN) and plans call a person."""
    wanted = weights().members
    return frozenset((s, v) for code, s, v in _identifiers(person) if code in wanted)


def known_by_record_number(said: Resource, stored: Resource) -> bool:
    """Whether a record has all the identifiers that are told, and one is no member number."""
    there = {(item.get("system"), item.get("value")) for item in stored.get("identifier", ())}
    found, members = False, weights().members
    for item in said.get("identifier", ()):
        if (item.get("system"), item.get("value")) not in there:
            return False
        found = found or members.isdisjoint(_types(item))
    return found


def only_by_member_number(said: Resource, stored: Resource) -> bool:
    """Whether what two records share of identifiers are numbers of Medi-Cal or a plan alone.

    One that may fill a place (`123456789`) is lent more than any other, and no less a number.
    """
    there = {(item.get("system"), item.get("value")) for item in stored.get("identifier", ())}
    told, wanted = said.get("identifier", ()), weights().members
    shared = (item for item in told if (item.get("system"), item.get("value")) in there)
    if all(wanted.isdisjoint(_types(item)) for item in shared):
        return False
    others = {one[1:] for one in _identifiers(said) if one[1:] in there}
    return not others - members(said)


def _documents(person: Resource) -> frozenset[tuple[str, str]]:
    wanted = weights().documents
    return frozenset((s, v) for code, s, v in _identifiers(person) if code in wanted)


def _ssn4(person: Resource) -> frozenset[str]:
    """The last four digits, unless the number fills a place: 123-45-6789, one digit nine times."""
    found = (re.sub(r"\D", "", v) for code, _, v in _identifiers(person) if code == _SSN)
    known = (text for text in found if not _NO_SSN.fullmatch(text))
    return frozenset(text[-4:] for text in known if len(text) >= 4 and text[-4:] != "0000")


def _own(said: Resource, stored: Resource) -> bool | None:
    """False when a system that gives a person one number gave these two different ones."""
    if _numbers(said) & _numbers(stored):
        return True
    return False if _givers(said, weights().own) & _givers(stored, weights().own) else None


def _number(said: Resource, stored: Resource) -> bool | None:
    """False when a system that numbers people, of whatever type, has no number for both."""
    kinds = weights().numbers | {""}
    shared = _givers(said, kinds) & _givers(stored, kinds)
    if not shared:
        return None
    here, there = (
        {one for one in _identifiers(person) if one[:2] in shared} for person in (said, stored)
    )
    return bool(here & there)


def _givers(person: Resource, kinds: frozenset[str]) -> set[tuple[str, str]]:
    """(type, system) of the identifiers of some types."""
    return {(code, system) for code, system, _ in _identifiers(person) if code in kinds}


def _sexes(person: Resource) -> frozenset[str]:
    return _SEXES & {str(person.get("gender", ""))}


def _orders(person: Resource) -> frozenset[int]:
    """Which of twins: the number, where it is told."""
    order = person.get("multipleBirthInteger")
    return frozenset([order]) if isinstance(order, int) else frozenset()


_TESTS: dict[str, Test] = {
    "document": _meet(_documents),
    "address": _meet(_addresses),
    "phone": _meet(_phones),
    "email": _meet(_emails),
    "identifier": _meet(_numbers),
    "ssn4": _meet(_ssn4),
    "name": _meet(_names),
    "birth": _meet(_births),
    "own": _own,
    "number": _number,
    "sex": _meet(_sexes),
    "order": _meet(_orders),
}
