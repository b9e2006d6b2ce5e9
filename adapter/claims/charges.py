"""Contacts become charges: HCPCS code, modifiers, units, money; or an issue says why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cache

from adapter import terms
from adapter.claims.contacts import Authorization, Contact, Member, Rendering
from adapter.claims.plan import Plan, Rules, UnitRule
from adapter.issues import Issue
from adapter.record import Location

_ROUNDING = {"down": ROUND_FLOOR, "half_up": ROUND_HALF_UP, "up": ROUND_CEILING}
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Charge:
    """One billable line: what was done, how much of it, what it costs, and what it was made from.

    `contacts` are the Encounters behind it (one, or all of a day); money is in dollars;
    `rules` are those of the service date.
    """

    member: Member
    on: date
    phase: str
    code: str
    modifiers: tuple[str, ...]
    units: int
    price: Decimal
    amount: Decimal
    place: str
    diagnoses: tuple[str, ...]
    rendering: Rendering | None
    authorization: Authorization | None
    contacts: tuple[str, ...]
    rules: Rules


@cache
def combinations() -> dict[tuple[str, str, str], tuple[str, tuple[str, ...]]]:
    """(phase, staff, modality) -> (HCPCS, modifiers in order): the eight of DHCS's guidance."""
    found = {}
    for row in terms.rows("hcpcs-ecm"):
        modifiers = tuple(row[name] for name in ("modifier_1", "modifier_2") if row[name])
        found[row["phase"], row["staff"], row["modality"]] = (row["hcpcs"], modifiers)
    return found


def units(minutes: int | None, phase: str, rule: UnitRule) -> int:
    """Units of one contact or day; 0 when it is too short or its length is not known."""
    if phase == "outreach":
        return rule.outreach_units
    if minutes is None or minutes < rule.first_unit_min:
        return 0
    exact = Decimal(minutes) / rule.minutes_per_unit
    return max(1, int(exact.to_integral_value(_ROUNDING[rule.rounding])))


def modifiers(phase: str, guidance: Sequence[str], rules: Rules) -> tuple[str, ...]:
    """The guidance's modifiers with a county's local ones after the first (U) modifier."""
    return (*guidance[:1], *rules.local_modifiers.get(phase, ()), *guidance[1:])


def price(code: str, mods: Sequence[str], rules: Rules) -> Decimal | None:
    """The charge per unit by the longest key that fits: `G9008:U8:GQ`, `G9008:U8`, `G9008`."""
    parts = [code, *mods]
    keys = (":".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((rules.rates[key] for key in keys if key in rules.rates), None)


def charges(
    contacts: Iterable[Contact], member: Member, plan: Plan
) -> tuple[list[Charge], list[Issue]]:
    """The charges of one member's contacts by day, and an Issue for each contact refused.

    Contacts that the plan wants in one line have their minutes added before units are counted
    (referrals-and-claims B.3). The order in which contacts come does not matter.
    """
    made: list[Charge] = []
    issues: list[Issue] = []
    for group in _lines(contacts, plan):
        rules = plan.rules_on(group[0].on)
        charge = _charge(group, member, rules) if rules else "the plan has no rule for this date|on"
        if isinstance(charge, Charge):
            made.append(charge)
        else:
            issues.extend(_refused(contact, charge) for contact in group)
    return made, issues


def _lines(contacts: Iterable[Contact], plan: Plan) -> list[list[Contact]]:
    groups: dict[tuple[object, ...], list[Contact]] = {}
    for contact in sorted(contacts, key=lambda c: (c.on, c.ref)):
        groups.setdefault(_line_key(contact, plan), []).append(contact)
    return list(groups.values())


def _line_key(contact: Contact, plan: Plan) -> tuple[object, ...]:
    rules = plan.rules_on(contact.on)
    alone = rules is None or rules.line_per == "contact" or contact.phase == "outreach"
    if alone or contact.minutes is None:
        return (contact.ref,)
    who = contact.rendering and contact.rendering.ref
    return (contact.on, contact.staff, contact.modality, contact.place, who, contact.diagnoses)


def _charge(group: Sequence[Contact], member: Member, rules: Rules) -> Charge | str:
    """One line, or the reason why not and the element it lies in, as `text|element`."""
    first = group[0]
    coding = combinations().get((first.phase, first.staff, first.modality))
    authorization = _authorization(first, member, rules)
    diagnoses = first.diagnoses or tuple(filter(None, (rules.default_diagnosis,)))
    reason = _reason(first, member, rules)
    if reason or coding is None:
        return reason or "no HCPCS combination for this staff and modality|type"
    if not diagnoses:
        return "no ICD-10-CM diagnosis|reasonCode"
    if authorization is None and first.phase in rules.authorization_for:
        return "no authorization of the plan holds on this day|period"
    mods = modifiers(first.phase, coding[1], rules)
    count = units(_total(group), first.phase, rules.units)
    rate = price(coding[0], mods, rules)
    if not count:
        return "its length is unknown or under the plan's first unit|length"
    if rate is None:
        return "the plan's rules have no rate for this code|type"
    return Charge(
        member=member,
        on=first.on,
        phase=first.phase,
        code=coding[0],
        modifiers=mods,
        units=count,
        price=rate,
        amount=(rate * count).quantize(_CENT, ROUND_HALF_UP),
        place=first.place,
        diagnoses=diagnoses,
        rendering=first.rendering if first.rendering and first.rendering.npi else None,
        authorization=authorization,
        contacts=tuple(contact.ref for contact in group),
        rules=rules,
    )


def _reason(contact: Contact, member: Member, rules: Rules) -> str:
    """Why a contact may not be claimed, by the rules of the guidance (A1, A2); `""` if it may."""
    enrolled = any(span.holds(contact.on) for span in member.enrolled)
    known = contact.rendering is not None and bool(contact.rendering.npi)
    checks = (
        (not contact.staff, "staff kind (clinical or not) is not known|participant"),
        (contact.phase == "service" and not enrolled, "service code before enrollment|period"),
        (contact.phase == "outreach" and enrolled, "outreach code after enrollment|type"),
        (not known and rules.rendering_npi == "required", "no NPI of the person|participant"),
        (not contact.place, "no place of service|type"),
        (not member.cin, "the member has no Client Index Number|subject"),
        (not (member.family and member.given), "the member has no full name|subject"),
        (len(member.birth) != 10, "the member has no full birth date|subject"),
        (member.address is None and rules.no_address == "refuse", "no address|subject"),
    )
    return next((text for fails, text in checks if fails), "")


def _authorization(contact: Contact, member: Member, rules: Rules) -> Authorization | None:
    if contact.phase not in rules.authorization_for:
        return None
    fits = [row for row in member.authorizations if row.span.holds(contact.on)]
    return max(fits, key=lambda row: (row.span.start, row.number), default=None)


def _total(group: Sequence[Contact]) -> int | None:
    known = [contact.minutes for contact in group if contact.minutes is not None]
    return sum(known) if known else None


def _refused(contact: Contact, reason: str) -> Issue:
    text, _, element = reason.partition("|")
    return Issue("error", "not-billable", text, Location(contact.ref, 0, element))
