"""The panel for an exchange: the members whose hospital messages we ask for, as a file.

An exchange sends admissions and discharges for exactly these people (fhir-and-exchange.md 8.2).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from adapter import data, terms
from adapter.errors import OutputError
from adapter.issues import Issue
from adapter.record import Location, Resource, died
from adapter.reports.exchange import Exchange
from adapter.store.protocol import SentRow, Store

Texts = dict[str, str]
_NICKNAME = re.compile(r"\s*(\([^)]*\)|\"[^\"]*\"|'[^']{2,}')")


@dataclass(frozen=True, slots=True)
class Written:
    """A panel as written: its file, how many rows it has, and who was left out of it and why."""

    file: Path
    rows: int
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Member:
    """A member with what other resources say of them."""

    patient: Resource
    coverage: Resource
    plan: Resource
    doctor: Resource
    provider: Resource


def write(store: Store, exchange: Exchange, folder: Path, now: datetime) -> Written:
    """Write the panel of this moment, and remember it: the next delta starts from it.

    A member without what the exchange requires is left out and told. Raises OutputError.
    """
    us = data.toml(data.path("mappings", "outbound", "provider.toml"))["provider"]
    produced = now.strftime(exchange.name_produced)
    name = exchange.file_name.format(npi=us["npi"], exchange=exchange.name, produced=produced)
    issues: list[Issue] = []
    whole = dict(_complete(store, exchange, name, issues))
    series, period = f"panel:{exchange.name}", now.isoformat(timespec="microseconds")
    before = _last(store, series)
    rows = list(_rows(exchange, whole, before))
    _save(folder / name, exchange, rows)
    kept = [SentRow("", {}), *(SentRow(ref, texts) for ref, texts in whole.items())]
    store.write_sent(series, period, kept, now.isoformat())  # the first: an empty panel is one too
    return Written(folder / name, len(rows), issues)


def _last(store: Store, series: str) -> Mapping[str, Texts]:
    """What the last panel told of each member."""
    periods = store.sent_periods(series)
    return (
        {row.subject: row.texts for row in store.sent_rows(series, periods[-1])} if periods else {}
    )


def _rows(
    exchange: Exchange, whole: Mapping[str, Texts], before: Mapping[str, Texts]
) -> Iterator[Texts]:
    """The whole panel; or of a delta what is new, what changed and what is gone, by element."""
    for ref, texts in whole.items():
        old = before.get(ref)
        what = "added" if old is None else "changed" if old != texts else ""
        if what or exchange.mode == "supersede":
            yield {**texts, "action": exchange.action[what or "added"]}
    if exchange.mode == "delta":
        for ref, texts in before.items():
            if ref not in whole:
                yield {**texts, "action": exchange.action["gone"]}


def _complete(
    store: Store, exchange: Exchange, name: str, issues: list[Issue]
) -> Iterator[tuple[str, Texts]]:
    """Members with all that the exchange requires, by name."""
    found = sorted(_members(store, exchange), key=_order)
    needed = [
        column for column in exchange.columns if column.required and column.element != "action"
    ]
    for number, member in enumerate(found, 2):
        texts = _texts(member, exchange)
        lacking = [column.header for column in needed if not texts[column.element]]
        for header in lacking:
            at = Location(name, number, header)
            issues.append(Issue("warning", "cell-empty", "the member is not on the panel", at))
        if not lacking:
            yield f"Patient/{member.patient['id']}", texts


def _members(store: Store, exchange: Exchange) -> Iterator[_Member]:
    seen = set()
    plans: dict[str, Resource] = {}
    for episode in store.each("EpisodeOfCare", [("status", ",".join(exchange.episodes))]):
        ref = episode.get("patient", {}).get("reference", "")
        patient = _read(store, ref)
        if ref in seen or not patient or not patient.get("active", True) or died(patient):
            continue
        seen.add(ref)
        cover = next(store.each("Coverage", [("patient", ref), ("status", "active")]), {})
        payor = (cover.get("payor") or [{}])[0].get("reference", "")
        doctor = next((d.get("reference", "") for d in patient.get("generalPractitioner", ())), "")
        provider = episode.get("managingOrganization", {}).get("reference", "")
        shared = [plans.setdefault(one, _read(store, one)) for one in (payor, doctor, provider)]
        yield _Member(patient, cover, *shared)


def _read(store: Store, ref: str) -> Resource:
    kind, _, uid = ref.partition("/")
    stored = store.read(kind, uid) if uid else None
    return stored.resource if stored and not stored.deleted else {}


def _order(member: _Member) -> tuple[str, str, str]:
    name = _name(member.patient)
    first = " ".join(name.get("given", ()))
    return str(name.get("family", "")).casefold(), first.casefold(), str(member.patient["id"])


def _name(patient: Resource) -> dict[str, Any]:
    names = patient.get("name", [{}])
    return next((name for name in names if name.get("use") == "official"), names[0])


def _texts(member: _Member, exchange: Exchange) -> Texts:
    """All elements of a member, in the exchange's forms."""
    patient = member.patient
    name, address = _name(patient), _address(patient)
    given = [text for text in (_NICKNAME.sub("", g).strip() for g in name.get("given", ())) if text]
    numbers = _numbers(patient)
    born = patient.get("birthDate", "")
    zip_code = str(address.get("postalCode", ""))
    found = {
        "id": patient["id"],
        "last_name": name.get("family", ""),
        "first_name": given[0] if given else "",
        "middle_name": " ".join(given[1:]),
        "suffix": " ".join(name.get("suffix", ())),
        "birth_date": date.fromisoformat(born).strftime(exchange.dates) if len(born) == 10 else "",
        "gender": exchange.gender.get(patient.get("gender", ""), ""),
        "address": ", ".join(address.get("line", ())),
        "city": address.get("city", ""),
        "state": address.get("state", ""),
        "zip": zip_code,
        "zip5": zip_code[:5],
        "phone": _contact(patient, "phone"),
        "email": _contact(patient, "email"),
        "plan": member.plan.get("name", ""),
        "line_of_business": member.coverage.get("type", {}).get("text", ""),
        "subscriber_id": member.coverage.get("subscriberId", "") or numbers.get("cin", ""),
        "pcp_npi": _npi(member.doctor),
        "provider_npi": _npi(member.provider),
        **numbers,
    }
    columns = {column.element for column in exchange.columns} - {"action"}
    return {element: str(found.get(element, "")) for element in sorted(columns)}


def _address(patient: Resource) -> dict[str, Any]:
    found = patient.get("address", [])
    return next((one for one in found if one.get("use") == "home"), found[0] if found else {})


def _contact(patient: Resource, system: str) -> str:
    values = [t["value"] for t in patient.get("telecom", ()) if t.get("system") == system]
    return (
        re.sub(r"\D", "", values[0].partition("x")[0])
        if values and system == "phone"
        else (values[0] if values else "")
    )


def _numbers(patient: Resource) -> Texts:
    """CIN, the plan's number and an MRN with who gave it."""
    found: Texts = {}
    for one in patient.get("identifier", ()):
        system, value = one.get("system", ""), one.get("value", "")
        codes = {c.get("code") for c in one.get("type", {}).get("coding", ())}
        if system == terms.system("cin"):
            found.setdefault("cin", value)
        elif "MB" in codes:
            found.setdefault("plan_member_id", value)
        elif "MR" in codes and "mrn" not in found:
            found |= {"mrn": value, "mrn_authority": system}
    return found


def _npi(resource: Resource) -> str:
    npi = terms.system("npi")
    found = (one["value"] for one in resource.get("identifier", ()) if one.get("system") == npi)
    return str(next(found, ""))


def _save(file: Path, exchange: Exchange, rows: list[Texts]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter=exchange.delimiter)
            writer.writerow([column.header for column in exchange.columns])
            for row in rows:
                writer.writerow([row[column.element] for column in exchange.columns])
    except OSError as error:
        raise OutputError(f"{file.name}: {error.strerror}") from None
