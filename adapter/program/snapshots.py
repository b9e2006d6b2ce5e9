"""One member file beside the list that was known: who is new, changed, the same, or missing.

Missing is a reason to look, never an end of enrollment (files.md section 8, 22).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from adapter import terms
from adapter.record import Resource
from adapter.store.protocol import Reader

Change = Literal["added", "changed", "missing"]
_AS_OF = "https://ecm-adapter.example/fhir/StructureDefinition/as-of"
_CODES = "https://ecm-adapter.example/fhir/CodeSystem/roster-change"
_TITLES = {
    "added": "Not on the list before",
    "changed": "The file says something else",
    "missing": "Not in the file: to be looked at",
}
_AT_ONCE = 100  # identifiers asked for in one search
MOST = 50_000  # members whose change one List names; the rest is counted only


@dataclass(frozen=True, slots=True)
class Known:
    """A plan's list before a file: its members (`system|value`), and when it was true.

    `groups`  the lists that make it up: identifier value -> Group
    """

    plan: str
    members: Mapping[str, None] = field(default_factory=dict)
    as_of: str = ""
    groups: Mapping[str, Resource] = field(default_factory=dict)


def known(reader: Reader, plan: str) -> Known:
    """The list of a plan as the store has it."""
    system = terms.system("roster", plan)
    members: dict[str, None] = {}
    groups: dict[str, Resource] = {}
    as_of = ""
    for group in reader.each("Group", [("identifier", f"{system}|")]):
        names = (i["value"] for i in group["identifier"] if i.get("system") == system)
        groups[next(names, "")] = group
        members.update(dict.fromkeys(_members(group)))
        as_of = max(as_of, _as_of(group))
    return Known(plan, members, as_of, groups)


def _members(group: Resource) -> Iterator[str]:
    for member in group.get("member", ()):
        name = member.get("entity", {}).get("identifier", {})
        if name.get("value"):
            yield f"{name.get('system', '')}|{name['value']}"


def _as_of(group: Resource) -> str:
    found = (e.get("valueDateTime", "") for e in group.get("extension", ()) if e["url"] == _AS_OF)
    return str(next(found, ""))


class Row(NamedTuple):
    """What became of one row: its member (`system|value`, "" if refused), Patient, and news."""

    member: str
    patient: str
    fields: Sequence[str]


@dataclass(slots=True)
class Snapshot:
    """A file as it is loaded. `delta`: it does not say who is not in it.

    `spared` holds the members of refused rows: they are in the file and so not missing.
    """

    before: Known
    as_of: str = ""
    delta: bool = False
    spared: set[str] = field(default_factory=set)
    fresh: bool = False
    _met: set[str] = field(default_factory=set)
    _added: dict[str, str] = field(default_factory=dict)
    _changed: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, row: Row, status: str) -> None:
        """Take note of a row that was stored, put aside for review, or known already."""
        self.fresh = self.fresh or status != "duplicate"
        if not row.member:
            return
        self._met.add(row.member)
        if row.member not in self.before.members:
            self._added.setdefault(row.member, row.patient)
        elif row.fields:
            self._changed.setdefault(row.member, {}).update(dict.fromkeys(row.fields))

    def close(self, reader: Reader) -> Changes:
        """What the file changed in the list. One person under another identifier is no change.

        Nobody is missing from a delta, nor from a file that is older than the list.
        """
        added, changed = dict(self._added), {name: [*row] for name, row in self._changed.items()}
        gone = [name for name in self.before.members if name not in self._met | self.spared]
        if self.delta or not self._met or self.as_of < self.before.as_of:
            gone = []
        others = _patients(reader, gone) if gone and added else {}
        by_patient = {patient: name for name, patient in added.items() if patient}
        for name in gone:
            renamed = by_patient.get(others.get(name, ""), "")
            if renamed:
                added.pop(renamed, None)
        missing = [name for name in gone if others.get(name, "") not in by_patient]
        same = len(self._met) - len(added) - len(changed)
        return Changes(added, changed, missing, same, first=not self.before.members)


def _patients(reader: Reader, names: Sequence[str]) -> dict[str, str]:
    """The Patient whom each identifier names, asked for many at once."""
    found: dict[str, str] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        safe = [name for name in some if "," not in name]
        for patient in reader.each("Patient", [("identifier", ",".join(safe))] if safe else []):
            ids = (f"{i.get('system', '')}|{i.get('value', '')}" for i in patient["identifier"])
            found.update(dict.fromkeys(ids, f"Patient/{patient['id']}"))
    return found


@dataclass(frozen=True, slots=True)
class Changes:
    """What one file changed: members by what happened to them, and how many stayed the same.

    `first`  there was no list before
    """

    added: Mapping[str, str]
    changed: Mapping[str, Sequence[str]]
    missing: Sequence[str]
    unchanged: int
    first: bool = False

    @property
    def counts(self) -> Counter[str]:
        """How many members each thing happened to."""
        return Counter(
            added=len(self.added),
            changed=len(self.changed),
            unchanged=self.unchanged,
            missing=len(self.missing),
        )

    def rows(self) -> Iterator[tuple[Change, str, Sequence[str]]]:
        """(what happened, member, fields) of every member that did not stay the same."""
        yield from (("missing", name, ()) for name in self.missing)
        yield from (("changed", name, fields) for name, fields in self.changed.items())
        if not self.first:
            yield from (("added", name, ()) for name in self.added)

    def resource(self, plan: str, file: str, as_of: str) -> Resource:
        """The changes as a FHIR List (mode `changes`), one entry a member, counts in its note."""
        counts = self.counts
        note = ", ".join(f"{counts[name]} {name}" for name in counts)
        entries = [_entry(*row) for _, row in zip(range(MOST), self.rows(), strict=False)]
        found: Resource = {
            "resourceType": "List",
            "identifier": [{"system": terms.system("roster", plan), "value": file}],
            "status": "current",
            "mode": "changes",
            "title": f"Changes of the member list of {plan}",
            "code": {"coding": [{"system": _CODES, "code": "changes"}]},
            "note": [{"text": note}],
        }
        if as_of:
            found["date"] = as_of
        if entries:
            found["entry"] = entries
        else:
            empty = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
            found["emptyReason"] = {"coding": [{"system": empty, "code": "nilknown"}]}
        return found


def _entry(change: Change, name: str, fields: Sequence[str]) -> Resource:
    system, _, value = name.rpartition("|")
    code = {"system": _CODES, "code": change, "display": _TITLES[change]}
    flag: dict[str, Any] = {"coding": [code]}
    if fields:
        flag["text"] = ", ".join(fields)
    who = {"type": "Patient", "identifier": {"system": system, "value": value}}
    return {"flag": flag, "item": who}


def history(reader: Reader, plan: str) -> list[Resource]:
    """The Lists of changes of a plan, oldest first."""
    system = terms.system("roster", plan)
    found = reader.each("List", [("identifier", f"{system}|")])
    return sorted(found, key=lambda one: (str(one.get("date", "")), str(one["id"])))


def same_content(reader: Reader, plan: str, digest: str) -> list[str]:
    """The names (digest, and date if any) under which this content came before, by date."""
    bare = digest.partition("@")[0]
    names = (one["identifier"][0]["value"] for one in history(reader, plan))
    return [name for name in names if name.partition("@")[0] == bare]


def whole(plan: str, digest: str) -> Resource:
    """The identifier of a List that says: of the file of this digest no row was left out."""
    return {"system": terms.system("roster", plan), "value": f"{digest}:all"}


def is_whole(reader: Reader, plan: str, digest: str) -> bool:
    """Whether every row of a plan's file of this digest was taken in before."""
    mark = whole(plan, digest)
    token = f"{mark['system']}|{mark['value']}"
    return bool(digest) and any(True for _ in reader.each("List", [("identifier", token)]))


def told(changes: Resource) -> Iterator[tuple[str, str, str]]:
    """(what happened, identifier, fields) of each entry of such a List."""
    for entry in changes.get("entry", ()):
        flag, who = entry["flag"], entry["item"]["identifier"]
        yield flag["coding"][0]["code"], str(who["value"]), str(flag.get("text", ""))


def leftovers(before: Known, told_now: Iterable[str]) -> list[str]:
    """The values of lists of the plan that the newer, shorter file has no members for."""
    now = set(told_now)
    stems = {value.partition("/")[0] for value in now}
    return [
        value
        for value in before.groups
        if value not in now and value.partition("/")[0] in stems and "/" in value
    ]
