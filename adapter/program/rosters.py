"""Who is ours to care for: on a plan's list, or with an open episode; and whose system to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import NamedTuple

from adapter import terms
from adapter.program.stays import instant
from adapter.record import Resource
from adapter.settings import Recipient
from adapter.store.protocol import Store

_OPEN = "active,onhold"  # EpisodeOfCare.status of a member who is enrolled
_AS_OF = "https://ecm-adapter.example/fhir/StructureDefinition/as-of"
_HOPS = 8  # of merges, one after the other


class Roster(NamedTuple):
    """One plan's list for one provider, or a part of it (a long list is several Groups).

    `series`   what its parts have in common; `as_of`: parts of an older list do not count
    `members`  as `system|value` of an identifier
    """

    version: int
    plan: str
    provider: str
    members: frozenset[str]
    series: str = ""
    as_of: str = ""


class Member(NamedTuple):
    """A person in our care: the Patient as merged, the plans and providers (NPI), and who leads."""

    patient: Resource
    plans: tuple[str, ...]
    providers: tuple[str, ...]
    owner: str  # a reference: lead care manager, else the managing organization, else ""


@dataclass(slots=True)
class Rosters:
    """The plans' lists as read last; one is read again when its Group has another version.

    Several threads may ask: what is known is replaced whole.
    """

    _known: dict[str, Roster] = field(default_factory=dict)

    def of(self, store: Store, patient: Resource) -> list[Roster]:
        """The lists that a person is on."""
        known = self._refreshed(store)
        names = {f"{row.get('system')}|{row.get('value')}" for row in patient.get("identifier", ())}
        latest: dict[str, str] = {}
        for one in known.values():
            latest[one.series] = max(one.as_of, latest.get(one.series, ""))
        current = (one for _, one in sorted(known.items()) if one.as_of == latest[one.series])
        return [one for one in current if names & one.members]

    def _refreshed(self, store: Store) -> Mapping[str, Roster]:
        current, known = store.outbox.versions("Group"), self._known
        same = {uid: one for uid, one in known.items() if one.version == current.get(uid)}
        other = {uid: _read(store, uid) for uid in current if uid not in same}
        self._known = same | {uid: one for uid, one in other.items() if one is not None}
        return self._known


def _read(store: Store, uid: str) -> Roster | None:
    stored = store.read("Group", uid)
    if stored is None:
        return None
    group, system = stored.resource, terms.system("roster") + "/"
    rows = [row for row in group.get("identifier", ()) if _starts(row, system)]
    names = frozenset(listed(group)) if rows and group.get("active", True) else frozenset()
    plan = str(rows[0]["system"]).removeprefix(system) if rows else ""
    part = str(rows[0].get("value", "")).partition("/")[0] if rows else uid
    provider = group.get("managingEntity", {}).get("identifier", {}).get("value", "")
    return Roster(stored.version, plan, provider, names, f"{plan}/{part}", _as_of(group))


def member(store: Store, rosters: Rosters, subject: str) -> Member | None:
    """The person if he is on a plan's list or has an open episode, else None."""
    patient = person(store, subject)
    if patient is None:
        return None
    ref = f"Patient/{patient['id']}"
    episodes = list(store.each("EpisodeOfCare", [("patient", ref), ("status", _OPEN)]))
    lists = rosters.of(store, patient)
    if not episodes and not lists:
        return None
    providers = [one.provider for one in lists] + [_npi(store, one) for one in episodes]
    owners = [owner for one in episodes for owner in _owners(one)]
    return Member(
        patient,
        tuple(dict.fromkeys(one.plan for one in lists if one.plan)),
        tuple(dict.fromkeys(filter(None, providers))),
        owners[0] if owners else "",
    )


def person(store: Store, subject: str) -> Resource | None:
    """The Patient of a reference, or who replaced him in a merge."""
    kind, _, uid = subject.partition("/")
    stored = None
    for _ in range(_HOPS):
        stored = store.read(kind, uid) if kind == "Patient" else None
        if stored is None or stored.deleted:
            return None
        links = (row for row in stored.resource.get("link", ()) if row["type"] == "replaced-by")
        after = next((row.get("other", {}).get("reference", "") for row in links), "")
        if not after.startswith("Patient/"):  # `https://...`: a record of another house
            return stored.resource
        kind, _, uid = after.partition("/")
    return stored.resource if stored else None  # they lead in a circle: he is himself


def recipient(found: Member, recipients: Sequence[Recipient]) -> Recipient | None:
    """The first recipient that is there for the member's plan and provider."""
    for one in recipients:
        plan = not one.plan or one.plan in found.plans
        if plan and (not one.provider or one.provider in found.providers):
            return one
    return None


def _starts(identifier: Resource, system: str) -> bool:
    return str(identifier.get("system", "")).startswith(system)


def _as_of(group: Resource) -> str:
    """The instant that a list was true, as a text that sorts; `""` when it does not say."""
    rows = (one for one in group.get("extension", ()) if one.get("url") == _AS_OF)
    found = next((instant(str(one.get("valueDateTime", "")), UTC) for one in rows), None)
    return found.isoformat() if found else ""


def listed(group: Resource) -> Iterator[str]:
    """Who is on a list, each as `system|value` of an identifier."""
    for row in group.get("member", ()):
        name = row.get("entity", {}).get("identifier", {})
        if name.get("system") and name.get("value") and not row.get("inactive"):
            yield f"{name['system']}|{name['value']}"


def _owners(episode: Resource) -> Iterator[str]:
    for name in ("careManager", "managingOrganization"):
        reference = episode.get(name, {}).get("reference")
        if isinstance(reference, str):
            yield reference


def _npi(store: Store, episode: Resource) -> str:
    """The NPI of the organization that manages an episode."""
    kind, _, uid = episode.get("managingOrganization", {}).get("reference", "").partition("/")
    stored = store.read(kind, uid) if kind == "Organization" else None
    rows = stored.resource.get("identifier", ()) if stored else ()
    system = terms.system("npi")
    return next((str(row["value"]) for row in rows if row.get("system") == system), "")
