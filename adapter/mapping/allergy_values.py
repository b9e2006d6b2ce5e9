"""Converters of AL1 and IAM: what a person cannot bear, how sure it is, and who said so."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.constant import opened
from adapter.mapping.datatypes import V2, alternate, concept, repetitions
from adapter.mapping.keys import token
from adapter.mapping.lasting import steady
from adapter.mapping.parts import HL7, added, also, first, gather, oneself, own, part, told
from adapter.mapping.people import xpn
from adapter.mapping.registry import builder, converter, datatype
from adapter.mapping.run import BadValue, Draft, Link, Run, Side

Json = dict[str, Any]
_SNOMED = "http://snomed.info/sct"
_INACTIVE = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
            "code": "inactive",
            "display": "Inactive",
        }
    ]
}


@datatype("allergen", 20, but=(15, 16, 18, 19))
@steady()
def allergen(run: Run, parts: list[str]) -> Json | None:
    """AL1-3, IAM-3 CWE; words for "none known" have SNOMED CT's code beside them.

    FHIR R4 AllergyIntolerance.code: that no allergy is known is told by a code, not by an allergen.
    """
    item = concept(run, parts, "")
    if item is not None and (target := _none_known(item)):
        coding = {"system": target.system, "code": target.code, "display": target.display}
        gather(item, "coding", [coding])
    return item


def _none_known(item: Json) -> terms.Target | None:
    """What says that nothing is known: a code, what it is called, or the words without a code."""
    codings = item.get("coding", ())
    if any(coding.get("system") == _SNOMED for coding in codings):
        return None
    named = [coding[key] for coding in codings for key in ("code", "display") if key in coding]
    words = [*named, item["text"]] if "text" in item else named
    return next(filter(None, map(terms.table("no-known-allergy").get, words)), None)


@datatype("allergy_source", 3)
def allergy_source(run: Run, parts: list[str]) -> Json | None:
    """AL1-2, AL1-4 as they came, beside the code that FHIR has for it (alternate-codes)."""
    code, display = part(parts, 1), part(parts, 2)
    if not code:
        return None
    table = "0127" if run.label.endswith("-2") else "0128"
    coding = {"system": V2 + table, "code": code, **({"display": display} if display else {})}
    concept = {"coding": [coding]}
    url = HL7 + "alternate-codes"
    return {"extension": [{"url": url, "valueCodeableConcept": concept}]}


@builder("reaction_severity")
def reaction_severity(run: Run, texts: list[str]) -> None:
    """AL1-4, where a sender means the reaction by it and not what could come (v2-to-FHIR AL1-4)."""
    draft, groups = run.drafts.get("AllergyIntolerance"), run.groups
    if draft is None or groups is None or "severity-of-reaction" not in run.feed.switches:
        return
    target = terms.table("allergy-severity").get(part(texts[0].split("^"), 1))

    def put(run: Run) -> None:
        reactions = draft.resource.get("reaction", ())
        for reaction in reactions if target is not None and target.code else ():
            reaction["severity"] = target.code if target is not None else ""
            draft.resource.pop("criticality", None)
            draft.resource.pop("_criticality", None)

    groups.later.append(put)


@converter("deleted_allergy")
def deleted_allergy(run: Run, text: str) -> Json | None:
    """IAM-6: D takes the allergy back (table 0323; action codes of chapter 3.4.7)."""
    return _verification("entered-in-error") if _withdrawn(text) else None


def _withdrawn(action: str) -> bool:
    return action.partition("^")[0].strip().upper() == "D"


@builder("allergy_status")
def allergy_status(run: Run, texts: list[str]) -> None:
    """IAM-17: how sure it is and whether it is active (table 0438, v2-to-FHIR IAM-17)."""
    draft, code = run.drafts.get("AllergyIntolerance"), part(texts[0].split("^"), 1).upper()
    if draft is None or "verificationStatus" in draft.resource:
        return
    sure = {"C": "confirmed", "I": "confirmed", "U": "unconfirmed", "P": "unconfirmed",
            "S": "unconfirmed", "D": "unconfirmed", "E": "entered-in-error"}.get(code)  # fmt: skip
    if sure is None:
        raise BadValue("code-unknown", "not a clinical status of table 0438")
    draft.resource["verificationStatus"] = _verification(sure)
    if code == "I" and run.groups is not None:  # after the constant, which says active
        run.groups.later.append(lambda run: draft.resource.update(clinicalStatus=_INACTIVE))


def _verification(code: str) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
    return {"coding": [{"system": system, "code": code}]}


@datatype("recorder", 14, but=(8, 9, 11))
def recorder(run: Run, parts: list[str]) -> Json | None:
    """IAM-14 by IAM-15: a professional, the patient, or a relative by name (v2-to-FHIR IAM-14)."""
    name = xpn(run, parts)
    relation = own(run, 15).split("^")[0].strip().upper()
    draft, patient = run.drafts.get("AllergyIntolerance"), run.drafts.get("Patient")
    if name is None:
        return None
    if not relation:
        return added(run, "Practitioner", {"name": [name]}, run.feed.source, str(name))
    if oneself(relation):
        if draft is not None and patient is not None:
            draft.links.append(Link("recorder", _put_recorder, patient))
        return None
    found = also(run, 15, lambda run, parts: told(run, parts, "relationship"))
    person: Json = {"active": True, "name": [name], **({"relationship": found} if found else {})}
    reference = added(run, "RelatedPerson", person, run.feed.source, run.unit.key, str(name))
    if patient is not None:
        run.side[reference["reference"]].link("patient", _put_patient, patient)
    return reference


def _put_recorder(draft: Draft, reference: Json, rep: int) -> None:
    draft.resource["recorder"] = reference


def _put_patient(side: Side, reference: Json, rep: int) -> None:
    side.resource["patient"] = reference


@builder("sensitivity")
def sensitivity(run: Run, texts: list[str]) -> None:
    """IAM-9: whether it is an allergy or an intolerance (table 0436); another code is kept beside.

    An adverse reaction, a contraindication or a side effect is no type of FHIR.
    """
    draft, code = run.drafts.get("AllergyIntolerance"), part(texts[0].split("^"), 1).upper()
    if draft is None or not code:
        return
    if found := {"AL": "allergy", "IN": "intolerance"}.get(code):
        draft.resource["type"] = found
    else:
        draft.resource["_type"] = alternate(V2 + "0436", code)
        if code not in ("AD", "CT", "SE"):
            run.issue("warning", "code-unknown", "kept as it came: not in table 0436")
    draft.origins.append((run.line, "type", run.label))


@builder("same_allergy")
def same_allergy(run: Run, texts: list[str]) -> None:
    """IAM-7: an AL1 of the same code in the message, which has no number, tells of this allergy."""
    draft, groups = run.drafts.get("AllergyIntolerance"), run.groups
    if draft is None or groups is None or _withdrawn(own(run, 6)):
        return

    def put(run: Run) -> None:
        every = [one for one in run.made[max(groups.mark, 0) :] if one.kind == draft.kind]
        same = [one for one in every if _called(one.resource) & _called(draft.resource)]
        plain = [one for one in same if "identifier" not in one.resource]
        if len(same) - len(plain) == 1:  # else nobody knows which of them is meant
            for other in plain:
                _join(run, draft, other)

    groups.later.append(put)


def _called(allergy: Json) -> set[str]:
    """What an allergy is called: its codes, or its words where it has none."""
    code = allergy.get("code", {})
    tokens = [token([one]) for one in code.get("coding", ())] or [code.get("text", "").casefold()]
    return set(filter(None, tokens))


def _join(run: Run, draft: Draft, other: Draft) -> None:
    """What IAM tells, and AL1 beside it; where both tell an element it is IAM's."""
    mine, more = draft.resource, other.resource
    if "coding" in mine["code"]:
        gather(opened(mine, "code"), "coding", more["code"].get("coding", []))
    gather(mine, "reaction", more.get("reaction", []))
    if any(mine.get(key, value) != value for key, value in more.items() if key not in _JOINED):
        kept, run.line, run.label = run.line, other.line, "AL1"
        run.issue("information", "unmapped", "IAM tells something else of the same allergy")
        run.line = kept
    mine.update({key: one for key, one in more.items() if key.removeprefix("_") not in mine})
    draft.cleared += [path for path in other.cleared if path not in draft.cleared]
    other.resource, other.cleared = mine, draft.cleared


_JOINED = ("code", "reaction")


@builder("clinician_code")
def clinician_code(run: Run, texts: list[str]) -> None:
    """IAM-27: the clinician's code beside that of IAM-3 (v2-to-FHIR IAM-27)."""
    draft = run.drafts.get("AllergyIntolerance")
    found = first([concept(run, parts, "") for parts in repetitions(run, texts)])
    if draft is not None and found:
        draft.resource.setdefault("code", {})
        code = opened(draft.resource, "code")
        gather(code, "coding", found.get("coding", []))
        if "text" in found:
            code.setdefault("text", found["text"])
