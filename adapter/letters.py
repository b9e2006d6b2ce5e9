"""Letters to members who could not be reached: who gets one, the files, and the record of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from adapter import data
from adapter.errors import OutputError
from adapter.pipeline import Pipeline
from adapter.program import lists
from adapter.program.case import Case
from adapter.program.gather import cases
from adapter.reports import letter, letter_record


@dataclass(frozen=True, slots=True)
class Order:
    """Which letters: those a plan's rule owes on a day, or one member's (`Patient/ID`).

    `draft`: the files are written and nothing is recorded as sent.
    """

    plan: str
    on: date
    folder: Path
    member: str = ""
    draft: bool = False


class Written(NamedTuple):
    """One letter: its PDF (the HTML stands beside it), whom it is for, and its language."""

    file: Path
    patient: str
    language: str


def write(house: Pipeline, order: Order) -> list[Written]:
    """Write letters as HTML and PDF, and record each as DocumentReference and Communication.

    Raises DataFileError for a plan without member services number, OutputError.
    """
    now = house.clock().isoformat(timespec="seconds")
    provider = _provider()
    made = []
    for case in _addressees(house, order):
        text = letter.write(_letter(case, order.on, provider))
        pdf, page = letter.as_pdf(text, order.on), letter.as_html(text)
        file = _save(order, case, page, pdf)
        if not order.draft:
            files = {"application/pdf": pdf, "text/html": page}
            for row in letter_record.records(case.patient, order.on, now, files, text.language):
                house.store.put(row, now)
        made.append(Written(file, case.patient, text.language))
    return made


def _addressees(house: Pipeline, order: Order) -> Iterator[Case]:
    """The member asked for, or all for whom the letter is the next thing owed."""
    if order.member:
        known = cases(house.store, order.plan, order.on)
        yield from (case for case in known if case.patient == order.member)
        return
    for row in lists.standings(house.store, order.plan, order.on):
        if row.outreach is not None and row.outreach.step == "letter":
            yield row.case


def _letter(case: Case, on: date, provider: dict[str, str]) -> letter.Letter:
    start = case.enrolled or case.received or case.assigned or date.min
    tried = [(a.on, a.modality) for a in case.attempts if start <= a.on <= on and not a.letter]
    return letter.Letter(
        name=case.person.name,
        address=case.person.address,
        languages=case.person.languages,
        attempts=tuple(tried),
        plan=case.plan,
        provider=provider,
        on=on,
    )


def _provider() -> dict[str, str]:
    raw: dict[str, Any] = data.toml(data.path("mappings", "outbound", "provider.toml"))
    return {name: str(text) for name, text in raw["provider"].items()}


def _save(order: Order, case: Case, page: bytes, pdf: bytes) -> Path:
    """Both files, named by our own id of the member and the day. Raises OutputError."""
    stem = f"letter-{case.patient.partition('/')[2]}-{order.on.isoformat()}"
    file = order.folder / f"{stem}.pdf"
    try:
        order.folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pdf)
        file.with_suffix(".html").write_bytes(page)
    except OSError as error:
        raise OutputError(f"letters cannot be written ({type(error).__name__})") from error
    return file
