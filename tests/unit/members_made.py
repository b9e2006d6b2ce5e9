"""Invented members as plain facts, the FHIR that tells them, and what a plan's cells must say.

The last is written without looking at the adapter: it is the other side of the comparison.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

OURS = "https://ecm-adapter.example/fhir"
SID = f"{OURS}/sid"
PERIOD = "2026-01"
START, END = date(2026, 1, 1), date(2026, 1, 31)
NOW = datetime.fromisoformat("2026-02-03T20:30:05-08:00")  # the 4th in UTC

STATUSES = (
    "none", "outreach-pending", "in-outreach", "enrolled", "on-hold", "declined",
    "unable-to-reach", "excluded", "discontinued",
)  # fmt: skip
REASONS = (
    "goals-met", "lower-level", "no-longer-wishes", "unable-to-connect", "incarcerated",
    "declined", "duplicative-program", "coverage-ended", "switched-plans", "moved-county",
    "moved-country", "unsafe", "not-reauthorized", "deceased", "no-capacity", "wrong-data",
    "no-population", "dsnp-change", "other",
)  # fmt: skip
POFS = (
    "homelessness-adult", "homelessness-family", "avoidable-utilization", "smh-sud",
    "incarceration", "ltc-risk", "nf-transition", "ccs", "child-welfare", "birth-equity",
)  # fmt: skip
ACUITY = ("catastrophic", "high", "moderate", "low", None)
MEDIA = (
    "FACE", "PHONE", "VIDEOCONF", "text-message", "EMAILWRIT", "MAILWRIT", "FAXWRIT",
    "ONLINEWRIT", "ELECTRONIC",
)  # fmt: skip
OUTCOMES = (
    "contacted", "no-answer", "voicemail", "message-left", "wrong-number", "disconnected", "busy",
    "declined", "enrolled", "ineligible", "unable-to-contact", "duplicative-program", "unsafe",
    "plan-ended", "well-managed", None,
)  # fmt: skip
REACHED = {
    "contacted", "declined", "enrolled", "ineligible", "duplicative-program", "unsafe",
    "plan-ended", "well-managed",
}  # fmt: skip
LOOPS = {
    "requested": ("Pending", ""),
    "accepted": ("Accepted", ""),
    "rejected": ("Declined", ""),
    "in-progress": ("Outreach Initiated", ""),
    "completed": ("Referral Loop Closed", "Services Received"),
    None: ("", ""),
}
_LAST = ("Ashdown", "Birdsong", "Copperfield", "O'Daisy", "Evergläde", "Fox-Glove", "Gatepost")
_FIRST = ("Ivy", "Juniper", "Kettle", "Lark", "Marigold", "Nettle", "Oriole")
_STREETS = ("12 Invented Ct", "3 Nowhere Ln, Rear", '9 "Quoted" Way', "410 Lantern|Way")


@dataclass(frozen=True)
class Visit:
    """An ECM contact after enrollment."""

    on: date
    in_person: bool
    conference: bool = False


@dataclass(frozen=True)
class Try:
    """An outreach attempt; `clock` None when only the day is known."""

    on: date
    clock: str | None
    medium: str
    outcome: str | None
    staff: str | None
    minutes: int | None
    reason: str = ""


@dataclass(frozen=True)
class Made:
    """One member."""

    number: int
    status: str = "enrolled"
    last: str = "Ashdown"
    first: str = "Ivy"
    middle: str = ""
    suffix: str = ""
    birth: date = date(1980, 2, 29)
    sex: str = "female"
    lines: tuple[str, ...] = ("12 Invented Ct",)
    city: str = "Sacramento"
    zip: str = "95814"
    mobile: str = ""
    home: str = ""
    work: str = ""
    email: str = ""
    spoken: str = ""
    written: str = ""
    homeless: bool | None = None
    medicare: bool = False
    pofs: tuple[str, ...] = ()
    acuity: str | None = None
    start: date = date(2025, 11, 3)
    end: date = date(2026, 1, 15)
    reason: str | None = None
    reason_text: str = ""
    manager: bool = False
    plan_date: date | None = None
    assessed: tuple[tuple[date, bool], ...] = ()
    loop: str | None = None
    loop_on: date = date(2026, 1, 9)
    auth: str = ""
    visit_on: date | None = None
    visits: tuple[Visit, ...] = ()
    tries: tuple[Try, ...] = ()

    @property
    def uid(self) -> str:
        """The Patient's id; ids sort as members are numbered."""
        return f"m{self.number:05d}"

    @property
    def cin(self) -> str:
        return f"9{self.number:07d}A"

    @property
    def ended(self) -> bool:
        return self.status in ("declined", "unable-to-reach", "excluded", "discontinued")

    @property
    def was_enrolled(self) -> bool:
        return self.status in ("enrolled", "on-hold", "discontinued")


def many(count: int, seed: int = 7) -> list[Made]:
    """Members with every status, reason, medium and outcome, the same each time."""
    draw = random.Random(seed)
    return [_member(number, draw) for number in range(1, count + 1)]


def _member(number: int, draw: random.Random) -> Made:
    status = STATUSES[number % len(STATUSES)]
    some = lambda *values: draw.choice(values)  # noqa: E731 - a short word for a long table
    reason = REASONS[number // len(STATUSES) % len(REASONS)]
    digits = lambda: f"(916) 555-{draw.randrange(100, 199):04d}"  # noqa: E731 - the same
    return Made(
        number=number,
        status=status,
        last=draw.choice(_LAST),
        first=draw.choice(_FIRST),
        middle=some("", "Q", "Quill Rose"),
        suffix=some("", "", "Jr"),
        birth=date(draw.randrange(1930, 2025), draw.randrange(1, 13), draw.randrange(1, 28)),
        sex=some("male", "female", "unknown", "other"),
        lines=(draw.choice(_STREETS), *some((), ("Unit 3",), ("Bldg 4", "Unit 5"))),
        zip=some("95814", "95814-0123", "01234"),
        mobile=some("", digits()),
        home=some("", digits()),
        work=some("", digits()),
        email=some("", f"m{number}@mail.example"),
        spoken=some("", "Hmong", "Spanish"),
        written=some("", "English"),
        homeless=some(None, True, False),
        medicare=some(False, False, True),
        pofs=tuple(sorted(draw.sample(POFS, draw.randrange(4)))),
        acuity=draw.choice(ACUITY),
        start=date(2025, draw.randrange(1, 13), draw.randrange(1, 28)),
        end=date(2026, 1, draw.randrange(1, 31)),
        reason=reason if number % 5 else None,
        reason_text="" if number % 10 else "Went fishing",
        manager=some(False, True),
        plan_date=some(None, date(2025, 12, draw.randrange(1, 31))),
        assessed=some((), ((date(2025, 12, 1), True),), ((date(2026, 1, 2), False),)),
        loop=draw.choice(tuple(LOOPS)),
        loop_on=date(2026, 1, draw.randrange(1, 31)),
        auth=some("", f"AUTH{number:06d}"),
        visit_on=some(None, date(2026, 2, draw.randrange(4, 28))),
        visits=_visits(status, draw),
        tries=_tries(number, status, draw),
    )


def _visits(status: str, draw: random.Random) -> tuple[Visit, ...]:
    if status not in ("enrolled", "on-hold"):
        return ()
    first = date(2025, 12, 28)
    return tuple(
        Visit(first + timedelta(days=7 * n), draw.random() < 0.5, draw.random() < 0.2)
        for n in range(draw.randrange(5))
    )


def _tries(number: int, status: str, draw: random.Random) -> tuple[Try, ...]:
    if status in ("none", "outreach-pending"):
        return ()
    return tuple(
        Try(
            on=date(2025, 12, 20) + timedelta(days=draw.randrange(1, 14) + 3 * n),
            clock=draw.choice((None, "09:05:00", "23:30:00")),
            medium=MEDIA[(number + n) % len(MEDIA)],
            outcome=OUTCOMES[(number + n) % len(OUTCOMES)],
            staff=draw.choice((None, "clinical", "non-clinical")),
            minutes=draw.choice((None, 5, 60, 65)),
            reason=draw.choice(("", "Welcome call")),
        )
        for n in range(draw.randrange(2, 7))
    )


# --- FHIR


def resources(members: list[Made], plan: str) -> list[dict]:
    """Everything a store holds of these members of one plan, and a stranger of another."""
    shared = [
        {"resourceType": "Organization", "id": plan, "name": f"Plan {plan}",
         "identifier": [{"system": f"{SID}/plan", "value": plan}]},
        {"resourceType": "Organization", "id": "other-plan", "name": "Another plan",
         "identifier": [{"system": f"{SID}/plan", "value": "moonset"}]},
        {"resourceType": "Practitioner", "id": "lead",
         "name": [{"family": "Brightwater", "given": ["Cosmo"]}],
         "telecom": [{"system": "phone", "value": "(916) 555-0177", "use": "work"},
                     {"system": "email", "value": "cosmo@harborlight.example"}]},
        {"resourceType": "Patient", "id": "stranger", "name": [{"family": "Stranger"}]},
        {"resourceType": "Coverage", "id": "cov-stranger", "status": "active",
         "beneficiary": {"reference": "Patient/stranger"},
         "payor": [{"reference": "Organization/other-plan"}]},
    ]  # fmt: skip
    return [*shared, *(row for one in members for row in of(one, plan))]


def of(one: Made, plan: str) -> list[dict]:
    """The resources of one member."""
    who = {"reference": f"Patient/{one.uid}"}
    rows = [_patient(one, plan), _coverage(one, plan), *_episode(one), *_care(one, who)]
    rows += [_visit(one, n, visit, who) for n, visit in enumerate(one.visits)]
    for n, tried in enumerate(one.tries):
        rows += _try(one, n, tried, who)
    if one.medicare:
        rows.append({
            "resourceType": "Coverage", "id": f"mc-{one.uid}", "status": "active",
            "type": {"text": "Medicare Part A"}, "beneficiary": who,
            "payor": [{"reference": "Organization/other-plan"}],
        })  # fmt: skip
    if one.auth:
        rows.append({
            "resourceType": "ClaimResponse", "id": f"auth-{one.uid}", "use": "preauthorization",
            "identifier": [{"system": f"{SID}/authorization/{plan}", "value": one.auth}],
            "patient": who, "preAuthRef": one.auth,
            "preAuthPeriod": {"start": "2025-06-01", "end": "2026-05-31"},
        })  # fmt: skip
    if one.loop:
        rows.append({
            "resourceType": "Task", "id": f"task-{one.uid}", "status": one.loop, "for": who,
            "focus": {"reference": f"ServiceRequest/{one.uid}"}, "intent": "order",
            "authoredOn": "2025-12-01T09:00:00-08:00",
            "lastModified": f"{one.loop_on}T10:00:00-08:00",
        })  # fmt: skip
    return rows


def _patient(one: Made, plan: str) -> dict:
    name = {"use": "official", "family": one.last, "given": [one.first, *one.middle.split()]}
    if one.suffix:
        name["suffix"] = [one.suffix]
    phones = [("mobile", one.mobile), ("home", one.home), ("work", one.work)]
    telecom = [{"system": "phone", "use": use, "value": text} for use, text in phones if text]
    if one.email:
        telecom.append({"system": "email", "value": one.email})
    written = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-proficiency"}]
    }
    languages = [{"language": {"text": one.spoken}, "preferred": True}] if one.spoken else []
    languages += [{**written, "language": {"text": one.written}}] if one.written else []
    row = {
        "resourceType": "Patient",
        "id": one.uid,
        "identifier": [
            {"system": f"{SID}/cin", "value": one.cin},
            {"system": f"{SID}/plan-member/{plan}", "value": f"MEM{one.number:07d}"},
            {"system": f"{SID}/mrn/{plan}", "value": f"{one.number:08d}"},
        ],
        "name": [name],
        "gender": one.sex,
        "birthDate": one.birth.isoformat(),
        "address": [
            {"type": "postal", "line": ["PO Box 1"], "city": "Elk Grove"},
            {"use": "home", "type": "physical", "line": list(one.lines), "city": one.city,
             "state": "CA", "postalCode": one.zip},
        ],
        "telecom": telecom,
        "communication": languages,
    }  # fmt: skip
    if one.homeless is not None:
        url = f"{OURS}/StructureDefinition/homeless"
        row["extension"] = [{"url": url, "valueBoolean": one.homeless}]
    return row


def _coverage(one: Made, plan: str) -> dict:
    return {
        "resourceType": "Coverage", "id": f"cov-{one.uid}", "status": "active",
        "beneficiary": {"reference": f"Patient/{one.uid}"},
        "payor": [{"reference": f"Organization/{plan}"}],
    }  # fmt: skip


def _extension(name: str, system: str, code: str | None, text: str = "") -> dict:
    concept: dict = {"text": text} if text else {}
    if code:
        concept["coding"] = [{"system": f"{OURS}/CodeSystem/{system}", "code": code}]
    return {"url": f"{OURS}/StructureDefinition/{name}", "valueCodeableConcept": concept}


def _episode(one: Made) -> list[dict]:
    if one.status == "none":
        return []
    state = {
        "outreach-pending": "planned", "in-outreach": "planned", "enrolled": "active",
        "on-hold": "onhold", "discontinued": "finished",
    }.get(one.status, "cancelled")  # fmt: skip
    more = [_extension("population-of-focus", "population-of-focus", code) for code in one.pofs]
    more.append(_extension("ecm-status", "ecm-status", one.status))
    if one.acuity:
        more.append(_extension("acuity", "acuity", one.acuity))
    if one.ended and (one.reason or one.reason_text):
        text = "" if one.reason else one.reason_text
        system = "discontinuation-reason"
        more.append(_extension(system, system, one.reason, text))
    period = {"start": one.start.isoformat()} if one.was_enrolled else {}
    if one.ended:
        period["end"] = one.end.isoformat()
    row = {
        "resourceType": "EpisodeOfCare", "id": f"ecm-{one.uid}", "status": state,
        "patient": {"reference": f"Patient/{one.uid}"}, "extension": more, "period": period,
    }  # fmt: skip
    return [{**row, "careManager": {"reference": "Practitioner/lead"}} if one.manager else row]


def _care(one: Made, who: dict) -> list[dict]:
    rows = []
    if one.plan_date:
        made = one.plan_date.isoformat()
        rows.append({"resourceType": "CarePlan", "id": f"plan-{one.uid}", "subject": who,
                     "created": made})  # fmt: skip
    for n, (on, done) in enumerate(one.assessed):
        status = "completed" if done else "in-progress"
        rows.append({"resourceType": "QuestionnaireResponse", "id": f"qr-{one.uid}-{n}",
                     "status": status, "subject": who, "authored": on.isoformat()})  # fmt: skip
    if one.visit_on:
        actor = [{"actor": who}]
        rows.append({"resourceType": "Appointment", "id": f"app-{one.uid}", "status": "booked",
                     "participant": actor, "start": f"{one.visit_on}T09:00:00-08:00"})  # fmt: skip
    return rows


def _encounter(uid: str, who: dict, in_person: bool, codes: list[str], start: str) -> dict:
    return {
        "resourceType": "Encounter", "id": uid, "status": "finished", "subject": who,
        "class": {"code": "AMB" if in_person else "VR"},
        "type": [{"coding": [{"system": f"{OURS}/CodeSystem/ecm", "code": c}]} for c in codes],
        "period": {"start": start},
    }  # fmt: skip


def _visit(one: Made, n: int, visit: Visit, who: dict) -> dict:
    codes = ["care-coordination", *(["care-conference"] if visit.conference else [])]
    start = f"{visit.on}T22:30:00-08:00"  # another day in UTC
    return _encounter(f"v-{one.uid}-{n}", who, visit.in_person, codes, start)


def _try(one: Made, n: int, tried: Try, who: dict) -> list[dict]:
    visit = _encounter(f"o-{one.uid}-{n}", who, tried.medium == "FACE", ["outreach"],
                       tried.on.isoformat())  # fmt: skip
    if tried.minutes is not None:
        visit["length"] = {"value": tried.minutes, "code": "min"}
    if tried.staff:
        coding = [{"system": f"{OURS}/CodeSystem/ecm", "code": tried.staff}]
        visit["participant"] = [{"type": [{"coding": coding}]}]
    sent = f"{tried.on}T{tried.clock}-08:00" if tried.clock else tried.on.isoformat()
    told = {
        "resourceType": "Communication", "id": f"c-{one.uid}-{n}", "status": "completed",
        "category": [{"coding": [{"system": f"{OURS}/CodeSystem/ecm", "code": "outreach"}]}],
        "medium": [{"coding": [{"code": tried.medium}]}], "subject": who, "sent": sent,
        "encounter": {"reference": f"Encounter/{visit['id']}"},
    }  # fmt: skip
    if tried.outcome:
        coding = [{"system": f"{OURS}/CodeSystem/outreach-outcome", "code": tried.outcome}]
        told["statusReason"] = {"coding": coding}
    if tried.reason:
        told["reasonCode"] = [{"text": tried.reason}]
    return [visit, told]


# --- what a cell must say


@dataclass(frozen=True)
class Plan:
    """How one plan writes: our own notes of it, not the layout file."""

    name: str
    payer: tuple[str, str]
    dates: str = "%m/%d/%Y"
    flags: tuple[str, str] = ("Y", "N")
    period: str = "01/2026"
    pipe: bool = False
    words: dict[str, dict[str, str]] = field(default_factory=dict)


def attempts(one: Made) -> list[Try]:
    """The attempts of the month in order of time."""
    kept = [(t.on, t.clock or "", n, t) for n, t in enumerate(one.tries) if START <= t.on <= END]
    return [row[3] for row in sorted(kept, key=lambda row: row[:3])]


def cell(element: str, one: Made, tried: Try | None, plan: Plan, line: int = 1) -> str:
    """The text of a cell."""
    value = _value(element, one, tried, plan, line)
    if element in plan.words and value not in (None, ""):
        word = plan.words[element].get(str(value))
        return word if word is not None else _KEPT.get(element, lambda text: "")(str(value))
    if isinstance(value, bool):
        return plan.flags[0 if value else 1]
    if isinstance(value, date):
        return value.strftime(plan.dates)
    text = "" if value is None else str(value)
    return " ".join(text.replace("|", " ").split()) if plan.pipe else text


_KEPT = {
    "discont_reason": lambda text: _REASONS.get(text, text),
    "method": {"ELECTRONIC": "electronic data"}.__getitem__,
}


def _phone(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _value(element: str, one: Made, tried: Try | None, plan: Plan, line: int) -> object:
    if element in _FILE:
        return _FILE[element](plan, line)
    if element in _ATTEMPT:
        return _ATTEMPT[element](tried) if tried else None
    return _MEMBER[element](one)


_FILE = {
    "payer_id": lambda plan, line: plan.payer[0],
    "mcp_name": lambda plan, line: f"Plan {plan.name}",
    "produced_on": lambda plan, line: date(2026, 2, 3),
    "period": lambda plan, line: plan.period,
    "prov_name": lambda plan, line: "Harbor Light Care Collaborative",
    "prov_npi": lambda plan, line: "1234567893",
    "prov_tin": lambda plan, line: "990000017",
    "prov_phone": lambda plan, line: "9165550100",
    "sequence": lambda plan, line: f"{line:04d}",
    "sent_at": lambda plan, line: "02-03-2026 20:30:05",
    "void": lambda plan, line: "0",
    "empty": lambda plan, line: "",
    "program": lambda plan, line: "ECM",
}


def _reached(tried: Try) -> bool | None:
    return None if tried.outcome is None else tried.outcome in REACHED


_ATTEMPT = {
    "attempt_date": lambda t: t.on,
    "attempt_time": lambda t: f"{t.on:%m-%d-%Y} {t.clock or '00:00:00'}",
    "method": lambda t: t.medium,
    "success": _reached,
    "outcome": lambda t: t.outcome,
    "result": lambda t: {True: "1", False: "2", None: ""}[_reached(t)],
    "missed_code": lambda t: t.outcome if _reached(t) is False else None,
    "reached_code": lambda t: t.outcome if _reached(t) else None,
    "cancelled": lambda t: False,
    "provider_type": lambda t: t.staff,
    "time_spent": lambda t: t.minutes,
    "duration": lambda t: {None: "", 5: "5 mins", 60: "1 h 0 mins", 65: "1 h 5 mins"}[t.minutes],
    "contact_reason": lambda t: t.reason,
}


def _status(one: Made) -> str:
    told = {"none": "outreach-pending", "on-hold": "enrolled"}.get(one.status, one.status)
    return "in-outreach" if one.status == "outreach-pending" and one.tries else told


def _reason(one: Made) -> str | None:
    return (one.reason or one.reason_text or None) if one.ended else None


_NAMES = {
    "homelessness-adult": "Adults experiencing homelessness, without dependent children",
    "homelessness-family": "Homeless families, or unaccompanied children and youth",
    "avoidable-utilization": "At risk for avoidable hospital or emergency department use",
    "smh-sud": "Serious mental health or substance use disorder needs",
    "incarceration": "Transitioning from incarceration",
    "ltc-risk": "Living in the community, at risk for long-term care institutionalization",
    "nf-transition": "Nursing facility residents transitioning to the community",
    "ccs": "California Children's Services, or its Whole Child Model, with additional needs",
    "child-welfare": "Involved in child welfare",
    "birth-equity": "Birth equity, pregnant or postpartum",
}


_REASONS = {
    "goals-met": "Met all care plan goals",
    "lower-level": "Ready for a lower level of care",
    "no-longer-wishes": "No longer wishes ECM, or is unresponsive or unwilling",
    "unable-to-connect": "Not able to connect after multiple attempts",
    "incarcerated": "Incarcerated",
    "declined": "Declined to participate",
    "duplicative-program": "In a program that excludes or duplicates ECM",
    "coverage-ended": "Medi-Cal or plan coverage ended",
    "switched-plans": "Switched plans",
    "moved-county": "Moved out of the county or service area",
    "moved-country": "Moved out of the country",
    "unsafe": "Unsafe behavior or environment",
    "not-reauthorized": "Not reauthorized",
    "deceased": "Deceased",
    "no-capacity": "Provider is at capacity",
    "wrong-data": "Information is wrong",
    "no-population": "Not in a population of focus",
    "dsnp-change": "Moved between a D-SNP or C-SNP and Medi-Cal",
    "other": "Other",
}


def _known(one: Made) -> bool:
    return one.status != "none"


def _flag(start: str):
    return lambda one: any(p.startswith(start) for p in one.pofs) if _known(one) else None


def _homeless(one: Made) -> bool | None:
    if one.homeless is not None:
        return one.homeless
    listed = _known(one) and any(p.startswith("homelessness") for p in one.pofs)
    return True if listed else None


def _last_visit(one: Made, wanted) -> date | None:
    return max((v.on for v in one.visits if v.on <= END and wanted(v)), default=None)


def _last_contact(one: Made) -> date | None:
    tried = [t.on for t in one.tries if t.on <= END]
    return max([*(v.on for v in one.visits if v.on <= END), *tried], default=None)


def _count(in_person: bool):
    return lambda one: str(
        sum(START <= v.on <= END and v.in_person == in_person for v in one.visits)
    )


_MEMBER = {
    "cin": lambda one: one.cin,
    "plan_member_id": lambda one: f"MEM{one.number:07d}",
    "mrn": lambda one: f"{one.number:08d}",
    "auth_no": lambda one: one.auth,
    "last_name": lambda one: " ".join(filter(None, (one.last, one.suffix))),
    "first_name": lambda one: one.first,
    "middle_name": lambda one: one.middle,
    "member_name": lambda one: " ".join(filter(None, (one.first, one.last, one.suffix))),
    "birth_date": lambda one: one.birth,
    "sex": lambda one: {"male": "M", "female": "F"}.get(one.sex, "U"),
    "age_group": lambda one: "Child" if (one.birth.year + 21, one.birth.month, one.birth.day)
    > (END.year, END.month, END.day) else "Adult",
    "dual_medicare": lambda one: True if one.medicare else None,
    "new_address_ind": lambda one: None,
    "new_phone_ind": lambda one: None,
    "homeless_ind": _homeless,
    "res_address": lambda one: ", ".join(one.lines),
    "street": lambda one: one.lines[0],
    "street2": lambda one: ", ".join(one.lines[1:]),
    "res_city": lambda one: one.city,
    "res_state": lambda one: "CA",
    "res_zip": lambda one: one.zip,
    "phone": lambda one: _phone(one.mobile or one.home or one.work),
    "phone_cell": lambda one: _phone(one.mobile),
    "phone_home": lambda one: _phone(one.home),
    "phone_work": lambda one: _phone(one.work),
    "email": lambda one: one.email,
    "language_spoken": lambda one: one.spoken,
    "language_written": lambda one: one.written,
    "pof_ind": lambda one: bool(one.pofs) if _known(one) else None,
    "pof": lambda one: "; ".join(_NAMES[p] for p in one.pofs) if _known(one) else None,
    "pof_homeless": _flag("homelessness"),
    "pof_avoidable_use": _flag("avoidable-utilization"),
    "pof_smh_sud": _flag("smh-sud"),
    "pof_incarceration": _flag("incarceration"),
    "pof_ltc_risk": _flag("ltc-risk"),
    "pof_nf_transition": _flag("nf-transition"),
    "pof_ccs": _flag("ccs"),
    "pof_child_welfare": _flag("child-welfare"),
    "pof_birth_equity": _flag("birth-equity"),
    "ecm_status": _status,
    "enrolled": lambda one: one.status in ("enrolled", "on-hold") if _known(one) else None,
    "acuity": lambda one: one.acuity if _known(one) else None,
    "ecm_start": lambda one: one.start if one.was_enrolled else None,
    "ecm_end": lambda one: one.end if one.status == "discontinued" else None,
    "care_plan_rev": lambda one: one.plan_date,
    "care_conf": lambda one: _last_visit(one, lambda v: v.conference),
    "assess_start": lambda one: max((on for on, _ in one.assessed), default=None),
    "assess_done": lambda one: max((on for on, done in one.assessed if done), default=None),
    "last_encounter": lambda one: _last_visit(one, lambda v: v.in_person),
    "last_contact": _last_contact,
    "next_visit": lambda one: one.visit_on is not None,
    "next_visit_date": lambda one: one.visit_on,
    "lcm_name": lambda one: "Cosmo Brightwater" if one.manager and _known(one) else "",
    "lcm_phone": lambda one: "9165550177" if one.manager and _known(one) else "",
    "lcm_email": lambda one: "cosmo@harborlight.example" if one.manager and _known(one) else "",
    "discont_date": lambda one: one.end if one.ended else None,
    "discont_code": _reason,
    "discont_reason": _reason,
    "discont_text": lambda one: _REASONS.get(str(_reason(one)), _reason(one)),
    "n_in_person": _count(True),
    "n_tele": _count(False),
    "referral_status": lambda one: LOOPS[one.loop][0],
    "referral_status_date": lambda one: one.loop_on if one.loop else None,
    "referral_closure_reason": lambda one: LOOPS[one.loop][1],
}  # fmt: skip
