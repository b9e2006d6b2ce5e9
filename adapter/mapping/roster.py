"""The assigned list of one member file as a Group: who is on it, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter import terms
from adapter.mapping.finish import finish
from adapter.mapping.run import Draft, Feed, Run
from adapter.outcome import Outcome, Unit

Json = dict[str, Any]
_TYPES = "https://ecm-adapter.example/fhir/CodeSystem/identifier-type"


class Roster:
    """Collects the members of a file row by row; holds no more than one identifier of each.

    `context` is the layout's: plan, payer_name, provider_npi, provider_name.
    """

    def __init__(self, context: Mapping[str, str]) -> None:
        self._context = context
        self._members: dict[tuple[str, str], None] = {}  # a set in order

    def add(self, outcome: Outcome) -> None:
        """Put the member of a row on the list; a refused row adds nobody, a second row nothing."""
        if not outcome.ok:
            return
        for entry in outcome.entries:
            if entry.resource["resourceType"] == "Patient" and entry.identity:
                self._members.setdefault(entry.identity[0])
                return

    def outcome(self, unit: Unit) -> Outcome:
        """The list as a unit of its own; without entries when nobody is on it.

        The Group is named by plan and provider, so that the next file becomes its next version.
        Members are logical references: each Patient is named by identifier, since the Patients
        themselves are in other units (FHIR R4 2.3.0, Reference.identifier).
        """
        run = Run(unit, Feed(unit.source, unit.source, self._context.get("zone", "")))
        if self._members:
            draft = Draft("Group", "Group", (), unit.at.line, self._group())
            draft.origins.append((unit.at.line, "member", ""))
            run.made.append(draft)
            run.drafts["Group"] = draft
        return finish(run)

    def _group(self) -> Json:
        context = self._context
        npi = context.get("provider_npi", "")
        payer = context.get("payer_name") or context["plan"]
        group: Json = {
            "resourceType": "Group",
            "identifier": [
                {
                    "type": {"coding": [{"system": _TYPES, "code": "ROSTER"}]},
                    "system": terms.system("roster", context["plan"]),
                    "value": npi or "all",
                }
            ],
            "active": True,
            "type": "person",
            "actual": True,
            "name": f"{payer}: members assigned for ECM",
            "quantity": len(self._members),
        }
        if npi:
            group["managingEntity"] = _named("Organization", terms.system("npi"), npi)
        group["member"] = [{"entity": _named("Patient", *name)} for name in self._members]
        return group


def _named(kind: str, system: str, value: str) -> Json:
    return {"type": kind, "identifier": {"system": system, "value": value}}
