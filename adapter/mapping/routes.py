"""Which of its maps a segment takes, by what it says and by what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from adapter.mapping.datatypes import components
from adapter.mapping.parts import oneself, told
from adapter.mapping.records import Compiled
from adapter.mapping.run import Draft, Link, Run
from adapter.record import piece

# The name of the form that reads a segment, "" for none.
Choose = Callable[[Run, Sequence[str]], str]


class Route(NamedTuple):
    """The forms of a segment (mappings/hl7v2/segments/<form>.toml), and what chooses one."""

    choose: Choose
    forms: tuple[str, ...]


class Routed(NamedTuple):
    """A segment with several compiled forms."""

    choose: Choose
    forms: Mapping[str, Compiled]

    def apply(self, run: Run, fields: Sequence[str], labels: Sequence[str]) -> None:
        """Run the rules of the form that the segment's content asks for."""
        form = self.choose(run, fields)
        if form:
            self.forms[form].apply(run, fields, labels)


def _code(fields: Sequence[str], place: int, part: int = 0) -> str:
    """The first component of a field, or another, in capitals."""
    text = fields[place] if place < len(fields) else ""
    parts = text.partition("~")[0].split("^")
    return parts[part].strip().upper() if part < len(parts) else ""


def _visit(run: Run, fields: Sequence[str]) -> str:
    """PV1-2 N: the message is about the person, and its PV1 only fills a place (chapter 3.3.28)."""
    run.facts["part"] = "visit"
    if _code(fields, 2) != "N":
        return "PV1"
    run.facts["no-visit"] = "N"
    if _code(fields, 19):
        run.label = "PV1-19"
        run.issue("information", "unmapped", "patient class N: the visit is not read")
    return ""


def _visit_rest(run: Run, fields: Sequence[str]) -> str:
    return "" if "no-visit" in run.facts else "PV2"


def _diagnosis(run: Run, fields: Sequence[str]) -> str:
    """Without a visit a diagnosis belongs to the person's list of problems."""
    return "DG1" if run.drafts.get("Encounter") else "DG1_PERSON"


def _relative(run: Run, fields: Sequence[str]) -> str:
    """Employers, agencies and insurers are contacts and no relatives (message map ADT_A01)."""
    if run.groups is not None and _with_details not in run.groups.later:
        run.groups.later.append(_with_details)
    return "NK1_AGENCY" if _code(fields, 3) in ("EMR", "E", "F", "I", "S") else "NK1"


_GONE = frozenset(("D", "DE", "UN"))  # tables 0206 and 0287: delete, unlink


def _with_details(run: Run) -> None:
    """pat-1: a contact of whom neither name, address, number nor organization is told is none."""
    draft = run.drafts.get("Patient")
    contacts = draft.resource.get("contact") if draft is not None else None
    if draft is None or not contacts:
        return
    kept = [one for one in contacts if _DETAILS & one.keys()]
    if len(kept) < len(contacts):
        run.label = "NK1-2"
        run.issue("information", "unmapped", "a contact without name, address and number")
    draft.resource["contact"] = kept
    if not kept:
        del draft.resource["contact"]


_DETAILS = frozenset(("name", "address", "telecom", "organization"))


def _role(run: Run, fields: Sequence[str]) -> str:
    """After PV1 a part in the stay; after PID the family doctor, or one of the care team."""
    visit = run.facts.get("part") == "visit" and run.drafts.get("Encounter")
    doctor = _code(fields, 3) == "PP"
    if _code(fields, 2) in _GONE:
        if visit:
            _leaves(run, "ROL-2", "Encounter", _part(run, fields))
        else:
            _leaves(run, "ROL-2", "Patient", _DOCTORS[1:] if doctor else ())
        return ""
    if visit:
        return "ROL_VISIT"
    return "ROL_PATIENT" if doctor else "ROL"


_DOCTORS = ("generalPractitioner/Practitioner", "generalPractitioner/PractitionerRole")


def _part(run: Run, fields: Sequence[str]) -> tuple[str, ...]:
    """The piece of a stay's participants that are of this role (ROL-3)."""
    run.label = "ROL-3"
    role = told(run, components(run, fields[3]), "provider-role") if len(fields) > 3 else None
    name = piece("participant", {"type": [role]}) if role else ""
    return (f"participant/{name}",) if name else ()


def _leaves(run: Run, label: str, name: str, paths: tuple[str, ...]) -> None:
    """Who is taken back leaves nobody in the role, unless the message tells of somebody in it.

    A care team is told as a whole: of one who leaves it nothing is known but that.
    """
    run.label = label
    draft = run.drafts.get(name) if paths else None
    if draft is None:
        run.issue("information", "cleared", "a role that the sender takes back is not written")
        return
    draft.cleared += paths
    run.issue("information", "cleared", f"{name}.{paths[0].partition('/')[0]} is to be deleted")


def _participation(run: Run, fields: Sequence[str]) -> str:
    """The family doctor by name, or with a role where more is said; anyone else in the team."""
    doctor = _code(fields, 4) == "PP"
    if _code(fields, 2) in _GONE:
        _leaves(run, "PRT-2", "Patient", _DOCTORS if doctor else ())
        return ""
    if not doctor:
        return "PRT"
    more = (6, 8, 9, 11, 12, 14, 15, 24)
    return "PRT_ROLE" if any(_code(fields, place) for place in more) else "PRT_PATIENT"


def _procedure(run: Run, fields: Sequence[str]) -> str:
    run.facts["part"] = "procedure"
    return "PR1"


def _insurance(run: Run, fields: Sequence[str]) -> str:
    run.facts["part"] = "insurance"
    run.facts["insured"] = _code(fields, 17) or _named_other(run, fields)
    run.facts["payor-id"], run.facts["payor"] = _first(fields, 3), _first(fields, 4).split("^")[0]
    return "IN1"


def _first(fields: Sequence[str], place: int) -> str:
    """The first repetition of a field, empty when it is to be deleted."""
    text = fields[place].partition("~")[0] if place < len(fields) else ""
    return "" if text == '""' else text.strip()


def _named_other(run: Run, fields: Sequence[str]) -> str:
    """Whose numbers IN1-36 and IN2 hold when IN1-17 is empty: IN1-16 may name another person."""
    patient = run.drafts.get("Patient")
    known = patient.resource.get("name", ()) if patient is not None else ()
    family, given = (_code(fields, 16, place).partition("&")[0].strip() for place in (0, 1))
    for name in known:
        own = name.get("family", "").upper(), "".join(name.get("given", ())[:1]).upper()
        if family in ("", own[0]) and given in ("", own[1]):
            return ""
    return "OTHER" if family or given else ""


def _guarantor(run: Run, fields: Sequence[str]) -> str:
    """GT1-11 `SEL`: the patient pays; the account says so, and nobody is to be written."""
    if not oneself(_code(fields, 11)):
        return "GT1"
    account, patient = run.drafts.get("Account"), run.drafts.get("Patient")
    if account is not None and patient is not None:
        account.links.append(Link("guarantor", _pays, patient))
    return ""


def _pays(draft: Draft, reference: Any, rep: int) -> None:
    draft.resource.setdefault("guarantor", []).append({"party": reference})


def _restriction(run: Run, fields: Sequence[str]) -> str:
    """ARV after PV1 concerns the stay, after PID the person (HL7 v2.9 chapter 3.4.14)."""
    if _code(fields, 2) in _GONE:
        run.label = "ARV-2"
        run.issue("information", "cleared", "a restriction that the sender takes back")
        return ""
    after = run.facts.get("part") == "visit" and run.drafts.get("Encounter")
    return "ARV_VISIT" if after else "ARV"


def _note(run: Run, fields: Sequence[str]) -> str:
    """NTE says more of the segment before it; only of an observation is it kept."""
    if run.drafts.get("Observation"):
        return "NTE"
    run.label = "NTE"
    run.issue("information", "unmapped", "a note that follows no observation")
    return ""


ROUTES: dict[str, Route] = {
    "PV1": Route(_visit, ("PV1",)),
    "PV2": Route(_visit_rest, ("PV2",)),
    "DG1": Route(_diagnosis, ("DG1", "DG1_PERSON")),
    "NK1": Route(_relative, ("NK1", "NK1_AGENCY")),
    "ROL": Route(_role, ("ROL", "ROL_PATIENT", "ROL_VISIT")),
    "PRT": Route(_participation, ("PRT", "PRT_PATIENT", "PRT_ROLE")),
    "PR1": Route(_procedure, ("PR1",)),
    "IN1": Route(_insurance, ("IN1",)),
    "GT1": Route(_guarantor, ("GT1",)),
    "ARV": Route(_restriction, ("ARV", "ARV_VISIT")),
    "NTE": Route(_note, ("NTE",)),
}
