"""What each plan's files must look like: headers, elements and words, noted from the documents."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.members_made import Plan

Columns = list[tuple[str, str]]

# The 38 headers of one vendor's report writer, with what stands under each.
VENDOR: Columns = [
    ("Primary Payer (MCP) Identifier", "payer_id"),
    ("MCP Name", "mcp_name"),
    ("Member Client Index Number (CIN)", "cin"),
    ("Member Last Name", "last_name"),
    ("Member First Name", "first_name"),
    ("Member New Address Indicator", "new_address_ind"),
    ("Member Homelessness Indicator", "homeless_ind"),
    ("Member Residential Address", "res_address"),
    ("Member Residential City", "res_city"),
    ("Member Residential State", "res_state"),
    ("Member Residential Zip", "res_zip"),
    ("Member New Phone Number Indicator", "new_phone_ind"),
    ("Member Phone Number", "phone"),
    ("Member POF Indicator", "pof_ind"),
    ("Member POF", "pof"),
    ("Member ECM Status", "ecm_status"),
    ("Member Acuity Level", "acuity"),
    ("ECM Enrollment Start Date", "ecm_start"),
    ("ECM Enrollment End Date", "ecm_end"),
    ("Date of Latest Care Plan Revision", "care_plan_rev"),
    ("Date of Most Recent Care Conference", "care_conf"),
    ("Date Assessment Started", "assess_start"),
    ("Date of Most Recent Completed Assessment", "assess_done"),
    ("Date of Most Recent Encounter with Member", "last_encounter"),
    ("ECM Lead Care Manager Name", "lcm_name"),
    ("ECM Lead Care Manager Name Phone Number", "lcm_phone"),
    ("ECM Lead Care Manager Email", "lcm_email"),
    ("Discontinuation Date", "discont_date"),
    ("Discontinuation Reason Code", "discont_code"),
    ("Discontinuation Reason", "discont_text"),
    ("In Person", "n_in_person"),
    ("Telephonic/Video", "n_tele"),
    ("Member Information Return Transmission File Production Date", "produced_on"),
    ("Member Information File Reporting Period", "period"),
    ("ECM Provider Name", "prov_name"),
    ("ECM Provider National Provider Identifier (NPI)", "prov_npi"),
    ("ECM Provider Tax ID Number (TIN)", "prov_tin"),
    ("ECM Provider Phone Number", "prov_phone"),
]
LOOP: Columns = [
    ("Referral Status", "referral_status"),
    ("Date of Referral Status Update", "referral_status_date"),
    ("Reason for Referral Loop Closure", "referral_closure_reason"),
]
TRACKER: Columns = [
    ("Primary Payer (MCP) Identifier", "payer_id"),
    ("MCP Name", "mcp_name"),
    ("ECM Provider Name", "prov_name"),
    ("ECM Provider National Provider Identifier (NPI)", "prov_npi"),
    ("ECM Provider Tax ID Number(TIN)", "prov_tin"),
    ("Client Name", "member_name"),
    ("Member Client Index Number", "cin"),
    ("Provider Type", "provider_type"),
    ("Date of Outreach Attempt", "attempt_date"),
    ("Outreach Attempt Method", "method"),
    ("Outreach Attempt Successful", "success"),
    ("Time Spent Performing Outreach", "time_spent"),
]
# The 44 names of the merged form; the order is ours.
KAISER: Columns = [
    ("Medical Record Number (MRN)", "mrn"),
    ("Member Client Index Number (CIN)", "cin"),
    ("Authorization Number", "auth_no"),
    ("Member New Address Indicator", "new_address_ind"),
    ("Member Residential Address", "res_address"),
    ("Member Residential City", "res_city"),
    ("Member Residential Zip Code", "res_zip"),
    ("Member New Phone Number Indicator", "new_phone_ind"),
    ("Member Phone Number", "phone"),
    ("Member Preferred Language (Spoken)", "language_spoken"),
    ("Member Preferred Language (Written)", "language_written"),
    ("Age Group", "age_group"),
    ("Member Dually Enrolled in Medicare", "dual_medicare"),
    ("Individuals Experiencing Homelessness", "pof_homeless"),
    ("Individuals at Risk for Avoidable Hospital or ED Utilization", "pof_avoidable_use"),
    (
        "Individuals with Serious Mental Health or Substance Use Disorder Needs",
        "pof_smh_sud",
    ),
    ("Individuals Transitioning from Incarceration", "pof_incarceration"),
    (
        "Individuals Living in the Community and at Risk for LTC Institutionalization",
        "pof_ltc_risk",
    ),
    ("Nursing Facility Residents Transitioning to Community", "pof_nf_transition"),
    ("Enrolled in CCS or CCS WCM with Additional Needs Beyond the CCS Condition", "pof_ccs"),
    ("Involved in Child Welfare", "pof_child_welfare"),
    ("Birth Equity Population of Focus", "pof_birth_equity"),
    ("Status of Member Engagement", "ecm_status"),
    ("ECM Benefit Start Date", "ecm_start"),
    ("ECM Benefit End Date", "ecm_end"),
    ("ECM Lead Care Manager Name", "lcm_name"),
    ("ECM Lead Care Manager Phone Number", "lcm_phone"),
    ("Recommendation for Discontinuation Date", "discont_date"),
    ("Discontinuation Reason Code", "discont_code"),
    ("Reauthorization Request", "empty"),
    ("Has Member Been Housed", "empty"),
    ("Housing Type", "empty"),
    ("Date Housed", "empty"),
    ("Provider Type", "provider_type"),
    ("Date of Outreach Attempt", "attempt_date"),
    ("Outreach Attempt Method", "method"),
    ("Time Spent Performing Outreach", "time_spent"),
    ("Contact Reason", "contact_reason"),
    ("Contact Outcome", "outcome"),
    ("Member Information RTF Production Date", "produced_on"),
    ("Member Information RTF Reporting Period", "period"),
    ("ECM Provider Name", "prov_name"),
    ("ECM Provider National Provider Identifier (NPI)", "prov_npi"),
    ("ECM Provider Phone Number", "prov_phone"),
]
_HEAD = ["sequence", "sent_at", "void", "plan_member_id", "cin"]
DEMOGRAPHIC = [
    *_HEAD, "birth_date", "sex", "last_name", "first_name", "middle_name", "email", "phone_cell",
    "empty", "empty", "phone_home", "phone_work", "street", "street2", "res_city", "res_state",
    "res_zip", "prov_tin", "prov_npi",
]  # fmt: skip
ENROLLMENT = [
    *_HEAD, "next_visit", "next_visit_date", "empty", "empty", "last_contact", "ecm_start",
    "ecm_end", "enrolled", "discont_code", "prov_tin", "prov_npi", "program",
]  # fmt: skip
OUTREACH = [
    *_HEAD, "empty", "cancelled", "empty", "attempt_time", "result", "missed_code",
    "reached_code", "prov_tin", "prov_npi", "program",
]  # fmt: skip

_STATUS = {
    "outreach-pending": "Outreach Pending",
    "in-outreach": "In Outreach",
    "enrolled": "Enrolled",
    "declined": "Declined",
    "unable-to-reach": "Unable to Reach",
    "excluded": "Excluded",
    "discontinued": "Discontinued",
}
_QIMR = {
    "goals-met": "1",
    "lower-level": "2",
    "no-longer-wishes": "3",
    "declined": "3",
    "unsafe": "3",
    "unable-to-connect": "4",
    "dsnp-change": "7",
    "coverage-ended": "8",
    "other": "15",
}
_METHOD = {
    "FACE": "In Person",
    "PHONE": "Phone Call",
    "VIDEOCONF": "Telehealth",
    "text-message": "Text",
    "EMAILWRIT": "Email",
    "MAILWRIT": "Mail",
    "FAXWRIT": "Mail",
    "ONLINEWRIT": "Other Electronic",
    "ELECTRONIC": "Other Electronic",
}
_OUTCOME = {
    "contacted": "Contacted",
    "no-answer": "No Answer",
    "voicemail": "Left Voicemail",
    "message-left": "Left Message",
    "wrong-number": "Wrong Number",
    "disconnected": "Disconnected",
    "busy": "Busy",
    "declined": "Declined Services",
    "enrolled": "Enrolled",
    "ineligible": "Ineligible",
    "unable-to-contact": "Unable to Contact",
    "duplicative-program": "Duplicative Program",
    "unsafe": "Unsafe",
    "plan-ended": "Left Plan",
    "well-managed": "Well Managed",
}
_WORDS = {
    "ecm_status": _STATUS,
    "acuity": {"catastrophic": "Very High", "high": "High", "moderate": "Medium", "low": "Low"},
    "discont_code": _QIMR,
    "provider_type": {"clinical": "Clinical", "non-clinical": "Non-Clinical"},
    "method": _METHOD,
    "outcome": _OUTCOME,
}
CANONICAL = Plan("canonical", ("CANONICAL", ""), words=_WORDS)
_TIERS = {"catastrophic": "Tier 1", "high": "Tier 1", "moderate": "Tier 2", "low": "Tier 3"}
_HEALTH_NET = {
    "coverage-ended": "No longer eligible for the benefit or Medi-Cal coverage",
    "goals-met": "Met ECM care plan goals",
    "lower-level": "Ready to transition to a lower level of care",
    "no-longer-wishes": "No longer wishes to receive ECM",
    "declined": "No longer wishes to receive ECM",
    "unable-to-connect": "Unresponsive or unwilling to engage, or no contact despite multiple"
    " attempts",
    "deceased": "Deceased",
    "moved-country": "Moved out of the country",
    "unsafe": "Exhibiting unsafe behaviors",
}
_UNWILLING = "No longer wishes to receive ECM, or unresponsive or unwilling to engage"
_DHCS = {
    "goals-met": "Met all care plan goals",
    "lower-level": "Ready to transition to a lower level of care",
    "no-longer-wishes": _UNWILLING,
    "declined": _UNWILLING,
    "unsafe": _UNWILLING,
    "unable-to-connect": "Not able to connect after multiple attempts",
}
_PARTNERSHIP = {
    "goals-met": "Graduated",
    "lower-level": "Moved to another program",
    "no-longer-wishes": "No longer wishes to receive ECM",
    "declined": "No longer wishes to receive ECM",
    "unable-to-connect": "No longer responds, or not able to connect after multiple attempts",
    "coverage-ended": "Lost Partnership Medi-Cal",
    "switched-plans": "Lost Partnership Medi-Cal",
    "deceased": "Deceased",
    "moved-county": "Moved out of the service area",
    "moved-country": "Moved out of the service area",
    "unsafe": "Provider can no longer serve the member safely",
    "incarcerated": "Incarcerated more than 30 days",
}
_SACRAMENTO = dict.fromkeys(
    (
        "other", "unsafe", "deceased", "switched-plans", "coverage-ended", "no-capacity",
        "declined", "no-population", "duplicative-program", "incarcerated", "moved-county",
        "moved-country", "not-reauthorized", "wrong-data", "dsnp-change",
    ),
    "Other",
) | {
    "goals-met": "ECM – Member has met their ECM Care Plan goals",  # noqa: RUF001 - their dash
    "lower-level": "ECM – Member is ready to transition to a lower level of care",  # noqa: RUF001 - their dash
    "unable-to-connect": "ECM – Member is unresponsive or lost to follow-up contact",  # noqa: RUF001 - their dash
    "no-longer-wishes": "ECM – Member wishes to discontinue services",  # noqa: RUF001 - their dash
}  # fmt: skip
_LETTERS = dict.fromkeys(
    (
        "other", "duplicative-program", "incarcerated", "moved-county", "moved-country",
        "not-reauthorized", "no-population", "dsnp-change",
    ),
    "OTH",
) | {
    "goals-met": "WM", "declined": "DP", "no-longer-wishes": "DP", "unable-to-connect": "UE",
    "unsafe": "UBE", "deceased": "EXP", "coverage-ended": "NE", "switched-plans": "NE",
    "no-capacity": "CAP", "wrong-data": "ERR",
}  # fmt: skip
KERN = Plan(
    "kern",
    ("KHS", ""),
    dates="%m-%d-%Y",
    flags=("1", "0"),
    pipe=True,
    words={
        "discont_code": _LETTERS,
        "missed_code": {
            "no-answer": "1", "voicemail": "2", "message-left": "3", "wrong-number": "4",
            "disconnected": "5", "busy": "6",
        },
        "reached_code": {
            "declined": "1", "well-managed": "2", "duplicative-program": "3", "unsafe": "4",
            "plan-ended": "5", "enrolled": "6", "ineligible": "7",
        },
    },
)  # fmt: skip


def _like(name: str, payer: str, **words: dict[str, str]) -> Plan:
    return replace(CANONICAL, name=name, payer=(payer, ""), words={**_WORDS, **words})


def _put(columns: Columns, **changed: str) -> Columns:
    return [(header, changed.get(element, element)) for header, element in columns]


_WHOLE = [*VENDOR, *LOOP]
_BY_WORDS = _put(_WHOLE, discont_text="discont_reason")
_HEALTH_NET_METHODS = {
    code: {"Mail": "Mail/Letter", "Other Electronic": "Email"}.get(word, word)
    for code, word in _METHOD.items()
    if code != "ELECTRONIC"
}

# plan -> how it writes, the columns of its return file, those of its tracker
CSV_PLANS: dict[str, tuple[Plan, Columns, Columns]] = {
    "canonical": (CANONICAL, _WHOLE, TRACKER),
    "sunrise": (_like("sunrise", "SUNRISE"), _WHOLE, TRACKER),
    "esteem": (_like("esteem", "ESTEEM"), _WHOLE, TRACKER),
    "meadow": (_like("meadow", "MEADOW"), _WHOLE, TRACKER),
    "community-health-group": (
        _like("community-health-group", "CHG", discont_reason=_DHCS),
        _BY_WORDS,
        TRACKER,
    ),
    "sacramento": (_like("sacramento", "SACBHS", discont_code=_SACRAMENTO), _WHOLE, TRACKER),
    "partnership": (_like("partnership", "PHC", discont_reason=_PARTNERSHIP), _BY_WORDS, TRACKER),
    "health-net": (
        _like(
            "health-net", "HEALTHNET", discont_reason=_HEALTH_NET, acuity=_TIERS,
            method=_HEALTH_NET_METHODS,
        ),
        _BY_WORDS,
        TRACKER,
    ),
}  # fmt: skip
BOOK_PLANS: dict[str, tuple[Plan, dict[str, Columns]]] = {
    "vendor-38": (
        _like("vendor-38", "VENDOR38"),
        {"OTF": _put(TRACKER, time_spent="duration"), "RTF": VENDOR},
    ),
    "kaiser": (_like("kaiser", "KAISER"), {"RTF": KAISER}),
}
