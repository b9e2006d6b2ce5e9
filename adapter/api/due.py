"""GET /due: what is due in a plan on a day, as Tasks in the order of risk."""

from __future__ import annotations

import re
from datetime import date

from adapter.api.call import Answer, Server, refuse

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_KNOWN = {"plan", "on", "kind", "_format"}


def due(server: Server, query: dict[str, str]) -> Answer:
    """A Bundle of Tasks; nothing is stored. Raises Refusal 400.

    `plan` is needed; `on` is a Californian day (default: today), `kind` one code of Task.code.
    """
    if unknown := query.keys() - _KNOWN:
        raise refuse(400, "search", f"{len(unknown)} parameters are not known: plan, on, kind")
    plan, kind = query.get("plan", ""), query.get("kind", "")
    if not _NAME.fullmatch(plan):
        raise refuse(400, "required", "the query parameter plan is needed: letters, digits, . _ -")
    bundle = server.intake.due(plan, _day(query.get("on", "")))
    if kind:
        rows = bundle.get("entry", [])
        kept = [row for row in rows if row["resource"]["code"]["coding"][0]["code"] == kind]
        bundle = {"resourceType": "Bundle", "type": "collection"}
        bundle |= {"entry": kept} if kept else {}
    return Answer(200, bundle)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise refuse(400, "date-format", "on: a day is written like 2026-07-13") from None
