"""What the store holds of some members, read a kind of resource at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.record import Resource
from adapter.reports.fhir import ECM, ref_of
from adapter.reports.setup import Setup
from adapter.store.protocol import Store

# Status, date and closure reason of a referral from all versions of its Task; None if untold.
Loop = Callable[[Sequence[Resource]], tuple[str, str, str] | None]

# What is read only for the elements that need it.
_NEEDED_BY = {
    "Appointment": {"next_visit", "next_visit_date"},
    "CarePlan": {"care_plan_rev"},
    "ClaimResponse": {"auth_no"},
    "Observation": {"n_in_person", "n_tele"},
    "QuestionnaireResponse": {"assess_start", "assess_done"},
    "Task": {"referral_status", "referral_status_date", "referral_closure_reason"},
    "trace": {"new_address_ind", "new_phone_ind"},
}
# Of kinds that hold much else, which are read.
_ONLY = {"Observation": [("code", f"{ECM}|contacts-in-month")]}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to tell: the setup, what a referral's history means, which elements."""

    setup: Setup
    loop: Loop
    elements: frozenset[str]

    def needs(self, what: str) -> bool:
        """True when an element is made from this kind of resource."""
        return bool(_NEEDED_BY[what] & self.elements)


class Shelf:
    """What the store holds of some members, each kind of resource read at once."""

    def __init__(
        self,
        store: Store,
        wanted: Wanted,
        members: frozenset[str],
        others: dict[str, Resource | None],
    ) -> None:
        self.store, self.wanted = store, wanted
        self._members, self._others = members, others
        self._rows: dict[str, dict[str, list[Resource]]] = {}

    def rows(self, kind: str, member: str) -> list[Resource]:
        """A member's resources of a kind in order of id; none of a kind that nothing needs."""
        if kind in _NEEDED_BY and not self.wanted.needs(kind):
            return []
        if kind not in self._rows:
            self._rows[kind] = self._read(kind)
        return self._rows[kind].get(member, [])

    def other(self, reference: dict[str, Any]) -> Resource | None:
        """What a reference leads to, which several members may share."""
        ref = ref_of(reference)
        if ref not in self._others:
            self._others[ref] = read(self.store, ref)
        return self._others[ref]

    def _read(self, kind: str) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        of = ",".join(sorted(self._members))
        for row in self.store.each(kind, [("patient", of), *_ONLY.get(kind, ())]):
            for member in _whose(row) & self._members:
                found.setdefault(member, []).append(row)
        return found


def read(store: Store, ref: str) -> Resource | None:
    """The resource of a reference; None when there is none, or it is deleted."""
    kind, _, uid = ref.partition("/")
    stored = store.read(kind, uid) if uid else None
    return None if stored is None or stored.deleted else stored.resource


def named(store: Store, refs: Iterable[str]) -> Iterator[Resource]:
    """Resources of one kind by their references."""
    names = sorted(refs)
    if not names:
        return iter(())
    ids = ",".join(name.partition("/")[2] for name in names)
    return store.each(names[0].partition("/")[0], [("_id", ids)])


def _whose(row: Resource) -> set[str]:
    """The references that say whom a resource is about."""
    about = [row.get(name, {}) for name in ("patient", "subject", "for")]
    actors = [one.get("actor", {}) for one in row.get("participant", ())]
    return {ref_of(one) for one in (*about, *actors)}
