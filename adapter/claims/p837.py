"""005010X222A1 from claim drafts: one generator of segments per loop, named as the guide does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from adapter.claims.charges import Charge
from adapter.claims.contacts import Address, Member, Rendering
from adapter.claims.drafts import Draft
from adapter.claims.plan import Party, Plan, Provider
from adapter.claims.x12 import Element, Envelope, Segment, clean, number, segment


@dataclass(frozen=True, slots=True)
class Row:
    """One segment and the resource elements it was made from, for `explain`."""

    segment: Segment
    refs: tuple[str, ...] = ()


def transaction(plan: Plan, batch: str, envelope: Envelope, claims: Sequence[Draft]) -> list[Row]:
    """The body between ST and SE; `batch` is BHT03, which 277CA 2200B gives back."""
    rows = [Row(row) for row in (*header(plan, batch, envelope), *loop_2000a(plan.provider))]
    for count, (_, group) in enumerate(groupby(claims, lambda d: d.charges[0].member.ref), 2):
        rows += subscriber(list(group), plan, count)
    return [Row(cased(row.segment, plan.character_set), row.refs) for row in rows]


def header(plan: Plan, batch: str, envelope: Envelope) -> Iterator[Segment]:
    """BHT, 1000A submitter, 1000B receiver."""
    day, minute = f"{envelope.written:%Y%m%d}", f"{envelope.written:%H%M}"
    yield segment("BHT", "0019", "00", batch, day, minute, plan.claim_type)
    yield from loop_1000(plan.submitter, "41")
    ours = plan.provider
    yield segment("PER", "IC", clean(ours.contact, 60), "TE", _digits(ours.phone))
    yield from loop_1000(plan.receiver, "40")


def loop_1000(party: Party, entity: str) -> Iterator[Segment]:
    """NM1*41 or NM1*40."""
    yield segment("NM1", entity, "2", clean(party.name, 60), "", "", "", "", "46", party.id)


def loop_2000a(ours: Provider) -> Iterator[Segment]:
    """HL*20 with the taxonomy, and 2010AA billing provider with its tax id."""
    yield segment("HL", "1", "", "20", "1")
    yield segment("PRV", "BI", "PXC", ours.taxonomy)
    yield segment("NM1", "85", "2", clean(ours.name, 60), "", "", "", "", "XX", ours.npi)
    yield segment("N3", clean(ours.street, 55))
    yield segment("N4", clean(ours.city, 30), ours.state, _digits(ours.zip))
    yield segment("REF", "EI", _digits(ours.tin))


def subscriber(claims: Sequence[Draft], plan: Plan, count: int) -> list[Row]:
    """2000B of one member with 2010BA, 2010BB and every 2300 of theirs; `count` is HL01."""
    member = claims[0].charges[0].member
    rows = [Row(row, _refs(member)) for row in loop_2000b(plan, count)]
    rows += [Row(row, _refs(member)) for row in loop_2010ba(member, plan.provider)]
    rows += [Row(row, (f"{member.coverage}#payor",)) for row in loop_2010bb(plan.payer)]
    for draft in claims:
        rows += loop_2300(draft)
    return rows


def loop_2000b(plan: Plan, count: int) -> Iterator[Segment]:
    """HL*22 and SBR; the subscriber is the patient (SBR02 = 18) as always in Medi-Cal."""
    yield segment("HL", str(count), "1", "22", "0")
    yield ("SBR", "P", "18", "", "", "", "", "", "", plan.filing_indicator)


def loop_2010ba(member: Member, ours: Provider) -> Iterator[Segment]:
    """The member; one without address is placed at the provider (plan rule `no_address`)."""
    place = member.address or Address(ours.street, "", ours.city, ours.state, ours.zip)
    name = (clean(member.family, 60), clean(member.given, 35), clean(member.middle, 25))
    yield segment("NM1", "IL", "1", *name, "", "", "MI", member.cin)
    yield segment("N3", clean(place.street, 55), clean(place.unit, 55))
    yield segment("N4", clean(place.city, 30), clean(place.state, 2), _digits(place.zip))
    yield segment("DMG", "D8", member.birth.replace("-", ""), member.sex)


def loop_2010bb(payer: Party) -> Iterator[Segment]:
    """The plan."""
    yield segment("NM1", "PR", "2", clean(payer.name, 60), "", "", "", "", "PI", payer.id)


def loop_2300(draft: Draft) -> Iterator[Row]:
    """CLM, REF G1 and F8, HI, then 2310B and the 2400 lines."""
    contacts = [ref for charge in draft.charges for ref in charge.contacts]
    place = (draft.charges[0].place, "B", draft.frequency)
    yield Row(
        segment("CLM", draft.number, number(draft.total), "", "", place, "Y", "A", "Y", "Y"),
        tuple(contacts),
    )
    authorization = draft.charges[0].authorization
    if draft.original:
        yield Row(segment("REF", "F8", draft.original), (draft.corrects,))
    if authorization:
        refs = (f"{authorization.ref}#preAuthRef",)
        yield Row(segment("REF", "G1", authorization.number), refs)
    diagnoses: list[Element] = [
        ("ABF" if at else "ABK", code) for at, code in enumerate(draft.diagnoses)
    ]
    yield Row(segment("HI", *diagnoses), tuple(f"{ref}#reasonCode" for ref in contacts))
    if draft.charges[0].rendering:
        yield from loop_2310b(draft.charges[0].rendering)
    for count, charge in enumerate(draft.charges, 1):
        yield from loop_2400(charge, count, draft.diagnoses)


def loop_2310b(person: Rendering) -> Iterator[Row]:
    """Who rendered the services."""
    family, given = clean(person.family, 60), clean(person.given, 35)
    refs = (f"{person.ref}#name", f"{person.ref}#identifier")
    yield Row(segment("NM1", "82", "1", family, given, "", "", "", "XX", person.npi), refs)


def loop_2400(charge: Charge, count: int, diagnoses: Sequence[str]) -> Iterator[Row]:
    """LX, SV1, DTP*472 and the line item control number REF*6R."""
    pointers = tuple(str(diagnoses.index(code) + 1) for code in charge.diagnoses[:4])
    service = ("HC", charge.code, *charge.modifiers)
    amount, amounts = number(charge.amount), str(charge.units)
    refs = tuple(f"{ref}#{part}" for ref in charge.contacts for part in ("type", "length"))
    days = tuple(f"{ref}#period" for ref in charge.contacts)
    yield Row(segment("LX", str(count)), charge.contacts)
    yield Row(segment("SV1", service, amount, "UN", amounts, charge.place, "", pointers), refs)
    yield Row(segment("DTP", "472", "D8", f"{charge.on:%Y%m%d}"), days)
    yield Row(segment("REF", "6R", f"L{count}"), charge.contacts)


def _refs(member: Member) -> tuple[str, ...]:
    parts = ("name", "identifier", "address", "birthDate", "gender")
    return (*(f"{member.ref}#{part}" for part in parts), f"{member.coverage}#subscriberId")


def cased(row: Segment, character_set: str) -> Segment:
    """A segment in the plan's character set: `basic` has capitals only."""
    if character_set == "extended":
        return row
    return tuple(e.upper() if isinstance(e, str) else tuple(p.upper() for p in e) for e in row)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
