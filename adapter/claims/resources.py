"""The FHIR Claim that stands for one 837P claim (R4; elements as the PCT professional profile)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapter import data, terms
from adapter.claims.charges import Charge
from adapter.claims.contacts import ICD_10, PLACE
from adapter.claims.drafts import Draft
from adapter.claims.plan import Plan
from adapter.record import Resource

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def claim(draft: Draft, plan: Plan, insurer: dict[str, Any], created: str) -> Resource:
    """A Claim of `use` claim, its id and PLAC identifier the patient control number (CLM01).

    `insurer` is the Coverage's payor Reference, `created` the day the 837P was written. A void
    (frequency 8) is `cancelled`: it leaves its contacts free for another claim.
    """
    first = draft.charges[0]
    days = [charge.on.isoformat() for charge in draft.charges]
    resource: Resource = {
        "resourceType": "Claim",
        "id": draft.number,
        "identifier": [_number(draft.number, plan.name)],
        "status": "cancelled" if draft.frequency == "8" else "active",
        "type": _concept(f"{_TERMINOLOGY}/claim-type", "professional"),
        "use": "claim",
        "patient": {"reference": first.member.ref},
        "billablePeriod": {"start": min(days), "end": max(days)},
        "created": created,
        "insurer": insurer,
        "provider": _npi(plan.provider.npi, plan.provider.name),
        "priority": _concept(f"{_TERMINOLOGY}/processpriority", "normal"),
    }
    if draft.original:
        resource["related"] = [_related(draft, plan.name)]
    if first.rendering:
        resource["careTeam"] = [_care_team(first.rendering.ref)]
    resource["diagnosis"] = [_diagnosis(code, at) for at, code in enumerate(draft.diagnoses, 1)]
    resource["insurance"] = [_insurance(first)]
    resource["item"] = [_item(row, at, draft) for at, row in enumerate(draft.charges, 1)]
    resource["total"] = _money(draft.total)
    return resource


def encounters(resource: Resource) -> list[str]:
    """The contacts that a Claim bills: `Encounter/x` of every item."""
    items = resource.get("item", ())
    return [row["reference"] for item in items for row in item.get("encounter", ())]


def _number(text: str, plan: str) -> dict[str, Any]:
    kind = _concept(f"{_TERMINOLOGY}/v2-0203", "PLAC")
    return {"type": kind, "system": terms.system("claim", plan), "value": text}


def _related(draft: Draft, plan: str) -> dict[str, Any]:
    return {
        "claim": {"reference": draft.corrects},
        "relationship": _concept(f"{_TERMINOLOGY}/ex-relatedclaimrelationship", "prior"),
        "reference": {"system": terms.system("payer-claim-control", plan), "value": draft.original},
    }


def _care_team(ref: str) -> dict[str, Any]:
    role = _concept(f"{_TERMINOLOGY}/claimcareteamrole", "primary")
    return {"sequence": 1, "provider": {"reference": ref}, "role": role}


def _diagnosis(code: str, at: int) -> dict[str, Any]:
    dotted = f"{code[:3]}.{code[3:]}" if len(code) > 3 else code
    row: dict[str, Any] = {"sequence": at, "diagnosisCodeableConcept": _concept(ICD_10, dotted)}
    if at == 1:
        row["type"] = [_concept(f"{_TERMINOLOGY}/ex-diagnosistype", "principal")]
    return row


def _insurance(charge: Charge) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sequence": 1,
        "focal": True,
        "coverage": {"reference": charge.member.coverage},
    }
    if charge.authorization:
        row["preAuthRef"] = [charge.authorization.number]
    return row


def _item(charge: Charge, at: int, draft: Draft) -> dict[str, Any]:
    item: dict[str, Any] = {"sequence": at}
    if charge.rendering:
        item["careTeamSequence"] = [1]
    item["diagnosisSequence"] = [draft.diagnoses.index(code) + 1 for code in charge.diagnoses[:4]]
    item |= {
        "productOrService": _concept(_HCPCS, charge.code),
        "modifier": [_concept(_HCPCS, code) for code in charge.modifiers],
        "servicedDate": charge.on.isoformat(),
        "locationCodeableConcept": _concept(PLACE, charge.place),
        "quantity": {"value": charge.units},
        "unitPrice": _money(charge.price),
        "net": _money(charge.amount),
        "encounter": [{"reference": ref} for ref in charge.contacts],
    }
    return item


def _money(amount: Decimal) -> dict[str, Any]:
    """Money with its cents as they are written: 40.00 (FHIR R4 datatypes, decimal)."""
    return {"value": data.decimal(str(amount)), "currency": "USD"}


def _npi(npi: str, name: str) -> dict[str, Any]:
    return {"identifier": {"system": terms.system("npi"), "value": npi}, "display": name}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
