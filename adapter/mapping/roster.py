"""The assigned list of one member file as Groups: who is on it, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapter import terms
from adapter.mapping.finish import finish
from adapter.mapping.run import Draft, Feed, Run
from adapter.outcome import Outcome, Unit

Json = dict[str, Any]
CHUNK = 10_000  # members of one Group; a longer list goes on in the next
_TYPES = "https://ecm-adapter.example/fhir/CodeSystem/identifier-type"
_AS_OF = "https://ecm-adapter.example/fhir/StructureDefinition/as-of"
_RECORD_STATUS = "https://ecm-adapter.example/fhir/StructureDefinition/record-status"


class Named(NamedTuple):
    """A member as a list names them: identifier system and value, and whether it takes them off."""

    system: str
    value: str
    ended: bool = False


def named(outcome: Outcome) -> Named | None:
    """The member of a row; None when it is refused or names nobody."""
    if not outcome.ok:
        return None
    name: tuple[str, str] | None = None
    ended = False
    for entry in outcome.entries:
        kind = entry.resource["resourceType"]
        if kind == "Patient" and entry.identity and name is None:
            name = entry.identity[0]
        elif kind == "EpisodeOfCare":
            ended = ended or _ended(entry.resource)
    return Named(*name, ended) if name else None


def _ended(episode: Json) -> bool:
    """Whether the plan says that the member is no longer on its list, or never was."""
    if episode["status"] == "entered-in-error":
        return True
    for said in episode.get("extension", ()):
        if said.get("url") == _RECORD_STATUS:
            codings = said["valueCodeableConcept"].get("coding", ())
            return any(coding["code"] == "ended" for coding in codings)
    return False


class Roster:
    """Collects members, and gives them as Groups of at most CHUNK, so that memory stays flat.

    `context` is the layout's: plan, payer_name, provider_npi, provider_name. `delta`: what is given
    is added to the list that is known, instead of being all of it.
    """

    def __init__(self, context: Mapping[str, str], delta: bool = False) -> None:
        self._context, self._delta = context, delta
        self._members: list[Named] = []
        self._number = 0

    @property
    def full(self) -> bool:
        """True when the members collected should be given out."""
        return len(self._members) >= CHUNK

    def add(self, member: Named) -> None:
        """Put a member on the list; the caller sees to it that each comes once."""
        self._members.append(member)

    def outcome(self, unit: Unit) -> Outcome:
        """The members collected since the last time as a unit of its own; none, no entries.

        A Group is named by plan, provider and its number, so that the next file becomes its next
        version. Members are logical references: each Patient is named by identifier, since the
        Patients themselves are in other units (FHIR R4 2.3.0, Reference.identifier).
        """
        run = Run(unit, Feed(unit.source, unit.source, self._context.get("zone", "")))
        if self._members:
            self._number += 1
            draft = Draft("Group", "Group", (), unit.at.line, self._group(unit))
            draft.origins.append((unit.at.line, "member", ""))
            if self._delta:
                draft.parts["member"] = [member.value for member in self._members]
                draft.cleared.append("quantity")
            run.made.append(draft)
            run.drafts["Group"] = draft
            self._members = []
        return finish(run)

    def _group(self, unit: Unit) -> Json:
        context = self._context
        npi = context.get("provider_npi", "")
        payer = context.get("payer_name") or context["plan"]
        number = "" if self._number == 1 or self._delta else f"/{self._number}"
        group: Json = {
            "resourceType": "Group",
            "identifier": [
                {
                    "type": {"coding": [{"system": _TYPES, "code": "ROSTER"}]},
                    "system": terms.system("roster", context["plan"]),
                    "value": (npi or "all") + number,
                }
            ],
            "active": True,
            "type": "person",
            "actual": True,
            "name": f"{payer}: members assigned for ECM",
        }
        when = (unit.as_of or unit.received).partition(" ")[0]
        if when:
            group["extension"] = [{"url": _AS_OF, "valueDateTime": when}]
        if not self._delta:
            group["quantity"] = len(self._members)
        if npi:
            group["managingEntity"] = _named("Organization", terms.system("npi"), npi)
        group["member"] = [_member(member) for member in self._members]
        return group


def _member(member: Named) -> Json:
    item: Json = {"entity": _named("Patient", member.system, member.value)}
    return {**item, "inactive": True} if member.ended else item


def _named(kind: str, system: str, value: str) -> Json:
    return {"type": kind, "identifier": {"system": system, "value": value}}
