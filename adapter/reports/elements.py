"""Canonical elements of the return file: one small function each, from Facts to value and refs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from adapter import terms
from adapter.reports import care, enrollment
from adapter.reports.facts import Facts
from adapter.reports.fhir import current, day_of, extensions, identifier
from adapter.reports.found import NOTHING, Element, Found, of

_ADULT = 21  # DHCS ECM Policy Guide IV
FLAGGED = {
    "pof_homeless": "homelessness",
    "pof_avoidable_use": "avoidable-utilization",
    "pof_smh_sud": "smh-sud",
    "pof_incarceration": "incarceration",
    "pof_ltc_risk": "ltc-risk",
    "pof_nf_transition": "nf-transition",
    "pof_ccs": "ccs",
    "pof_child_welfare": "child-welfare",
    "pof_birth_equity": "birth-equity",
}


def _identified(name: str) -> Element:
    return lambda f: of(f.patient, "identifier", identifier(f.patient, terms.system(name)))


# the plan


def payer_id(facts: Facts) -> Found:
    """The plan's id; which plan it is follows from the Coverage."""
    return of(facts.coverage, "payor", facts.setup.payer_id)


def mcp_name(facts: Facts) -> Found:
    """The plan's name as stored, else as the layout has it."""
    stored = of(facts.payor, "name", (facts.payor or {}).get("name"))
    return stored if stored.value else of(facts.coverage, "payor", facts.setup.payer_name)


# the member


def _name(facts: Facts) -> dict[str, Any]:
    return current(facts.patient.get("name", ()), "official")


def last_name(facts: Facts) -> Found:
    """Family name, with a suffix behind it."""
    name = _name(facts)
    return of(facts.patient, "name", " ".join((name.get("family", ""), *name.get("suffix", ()))))


def first_name(facts: Facts) -> Found:
    """First given name."""
    return of(facts.patient, "name", next(iter(_name(facts).get("given", ())), ""))


def birth_date(facts: Facts) -> Found:
    """Date of birth."""
    return of(
        facts.patient, "birthDate", day_of(facts.patient.get("birthDate", ""), facts.setup.zone)
    )


def homeless_ind(facts: Facts) -> Found:
    """The plan's flag, or a population of focus of homelessness."""
    flags = extensions(facts.patient, "homeless")
    if flags and "valueBoolean" in flags[0]:
        return of(facts.patient, "extension", flags[0]["valueBoolean"])
    listed = any(code.startswith("homelessness") for code in enrollment.populations(facts))
    return of(facts.episode, "extension", True) if listed else NOTHING


def _home(facts: Facts) -> dict[str, Any]:
    rows = [row for row in facts.patient.get("address", ()) if row.get("type") != "postal"]
    return current(rows, "home")


def _address(part: str) -> Element:
    return lambda f: of(f.patient, "address", _home(f).get(part))


def res_address(facts: Facts) -> Found:
    """Street and unit in one cell."""
    return of(facts.patient, "address", ", ".join(_home(facts).get("line", ())))


def phone(facts: Facts) -> Found:
    """Mobile, else home, else any telephone."""
    rows = [row for row in facts.patient.get("telecom", ()) if row.get("system") == "phone"]
    best = current(rows, "mobile") if _has(rows, "mobile") else current(rows, "home")
    return of(facts.patient, "telecom", best.get("value"))


def _has(rows: Iterable[dict[str, Any]], use: str) -> bool:
    return any(row.get("use") == use for row in rows)


def _renewed(element: str) -> Element:
    """True when the newest source of the element is another than the plan."""

    def changed(facts: Facts) -> Found:
        rows = [row for row in facts.traces if row.element.split(".")[0] == element]
        if not rows or element not in facts.patient:
            return NOTHING
        newest = max(rows, key=lambda row: (row.as_of, row.unit))
        return of(facts.patient, element, newest.source != f"plan:{facts.setup.plan}")

    return changed


def plan_member_id(facts: Facts) -> Found:
    """The plan's own number of the member."""
    system = terms.system("plan-member", facts.setup.plan)
    own = of(facts.patient, "identifier", identifier(facts.patient, system))
    return (
        own if own.value else of(facts.coverage, "identifier", identifier(facts.coverage, system))
    )


def mrn(facts: Facts) -> Found:
    """The medical record number that the plan assigned."""
    system = terms.system("mrn", facts.setup.plan)
    return of(facts.patient, "identifier", identifier(facts.patient, system))


def member_name(facts: Facts) -> Found:
    """First and last name in one cell."""
    both = (str(part(facts).value or "") for part in (first_name, last_name))
    return of(facts.patient, "name", " ".join(filter(None, both)))


def middle_name(facts: Facts) -> Found:
    """Given names after the first."""
    return of(facts.patient, "name", " ".join(_name(facts).get("given", ())[1:]))


def age_group(facts: Facts) -> Found:
    """Our code `adult` (21 and older on the month's last day) or `child`: by age, not by label."""
    born = day_of(facts.patient.get("birthDate", ""), facts.setup.zone)
    if born is None:
        return NOTHING
    end = facts.setup.end
    years = end.year - born.year - ((end.month, end.day) < (born.month, born.day))
    return of(facts.patient, "birthDate", "adult" if years >= _ADULT else "child")


def dual_medicare(facts: Facts) -> Found:
    """Whether Medicare covers the member besides; nothing when no source says so."""
    return of(facts.medicare, "type", True)


def street(facts: Facts) -> Found:
    """First line of the address."""
    return of(facts.patient, "address", next(iter(_home(facts).get("line", ())), ""))


def street2(facts: Facts) -> Found:
    """The lines after the first."""
    return of(facts.patient, "address", ", ".join(_home(facts).get("line", ())[1:]))


def _telecom(system: str, use: str) -> Element:
    """A telephone or e-mail of one use; of any use for `""`."""

    def point(facts: Facts) -> Found:
        rows = [row for row in facts.patient.get("telecom", ()) if row.get("system") == system]
        kept = [row for row in rows if use in ("", row.get("use", ""))]
        return of(facts.patient, "telecom", current(kept, use).get("value"))

    return point


def _language(written: bool) -> Element:
    """The preferred language to speak, or to read: its name, else its code."""

    def spoken(facts: Facts) -> Found:
        rows = facts.patient.get("communication", ())
        kept = [row for row in rows if ("extension" in row) == written]
        language: dict[str, Any] = kept[0].get("language", {}) if kept else {}
        coding: dict[str, Any] = next(iter(language.get("coding", ())), {})
        shown = coding.get("display") or language.get("text") or coding.get("code")
        return of(facts.patient, "communication", shown)

    return spoken


# the provider and the file


def _provider(part: str) -> Element:
    """What the file says of us: our settings, whatever plans write of us."""
    return lambda f: Found(f.setup.provider.get(part), ())


def _referral(part: int) -> Element:
    def told(facts: Facts) -> Found:
        text = facts.loop[part] if facts.loop else ""
        return Found(text, (f"{facts.task}#status",)) if text else NOTHING

    return told


def referral_status_date(facts: Facts) -> Found:
    """The day of the last change of the referral's status."""
    text = facts.loop[1] if facts.loop else ""
    return (
        Found(day_of(text, facts.setup.zone), (f"{facts.task}#lastModified",)) if text else NOTHING
    )


ELEMENTS: Mapping[str, Element] = MappingProxyType(
    {
        "payer_id": payer_id,
        "mcp_name": mcp_name,
        "cin": _identified("cin"),
        "plan_member_id": plan_member_id,
        "mrn": mrn,
        "auth_no": care.auth_no,
        "member_name": member_name,
        "middle_name": middle_name,
        "birth_date": birth_date,
        "sex": lambda f: of(f.patient, "gender", f.patient.get("gender")),
        "age_group": age_group,
        "dual_medicare": dual_medicare,
        "email": _telecom("email", ""),
        "phone_cell": _telecom("phone", "mobile"),
        "phone_home": _telecom("phone", "home"),
        "phone_work": _telecom("phone", "work"),
        "street": street,
        "street2": street2,
        "language_spoken": _language(False),
        "language_written": _language(True),
        "last_name": last_name,
        "first_name": first_name,
        "new_address_ind": _renewed("address"),
        "homeless_ind": homeless_ind,
        "res_address": res_address,
        "res_city": _address("city"),
        "res_state": _address("state"),
        "res_zip": _address("postalCode"),
        "new_phone_ind": _renewed("telecom"),
        "phone": phone,
        "pof_ind": enrollment.pof_ind,
        "pof": enrollment.pof,
        **{name: enrollment.flagged(code) for name, code in FLAGGED.items()},
        "enrolled": enrollment.enrolled,
        "ecm_status": enrollment.ecm_status,
        "acuity": enrollment.acuity,
        "ecm_start": enrollment.ecm_start,
        "ecm_end": enrollment.ecm_end,
        "care_plan_rev": care.care_plan_rev,
        "care_conf": care.care_conf,
        "assess_start": care.assess_start,
        "assess_done": care.assess_done,
        "last_encounter": care.last_encounter,
        "last_contact": care.last_contact,
        "next_visit": care.next_visit,
        "next_visit_date": care.next_visit_date,
        "lcm_name": care.lcm_name,
        "lcm_phone": care.manager("phone"),
        "lcm_email": care.manager("email"),
        "discont_date": enrollment.discont_date,
        "discont_code": enrollment.discont_code,
        "discont_reason": enrollment.discont_code,
        "discont_text": enrollment.discont_text,
        "n_in_person": lambda facts: care.counted(facts, True),
        "n_tele": lambda facts: care.counted(facts, False),
        "produced_on": lambda facts: Found(facts.setup.produced),
        "period": lambda facts: Found(facts.setup.start),
        "prov_name": _provider("name"),
        "prov_npi": _provider("npi"),
        "prov_tin": _provider("tin"),
        "prov_phone": _provider("phone"),
        "referral_status": _referral(0),
        "referral_status_date": referral_status_date,
        "referral_closure_reason": _referral(2),
    }
)
