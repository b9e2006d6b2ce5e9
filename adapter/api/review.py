"""The review queue: units that a person must decide on, and what they decided."""

from __future__ import annotations

from typing import Any

from adapter import data
from adapter.api.call import Server, refuse
from adapter.api.write import ID
from adapter.store.protocol import Held, Receipt

JSON = "application/json"
_DECISIONS = ("accept", "new", "refuse")


def waiting(server: Server) -> bytes:
    """GET /review: what waits, in order of arrival, as JSON; no value of a person is in it."""
    return data.dumps([shown(one) for one in server.store.waiting()])


def shown(one: Held) -> dict[str, Any]:
    """A waiting unit as people and programs see it."""
    return {
        "unit": one.unit,
        "source": one.source,
        "kind": one.kind,
        "file": one.file,
        "line": one.line,
        "received": one.received,
        "issues": [
            {"issue": row["details"]["coding"][0]["code"], "text": row["details"]["text"]}
            for row in one.issues
            if row["severity"] in ("fatal", "error")
        ],
        "candidates": [
            {
                "ref": f"Patient/{row.id}",
                "score": row.score,
                "agrees": row.agrees,
                "differs": row.differs,
            }
            for row in one.candidates
        ],
    }


def decide(server: Server, unit: str, body: bytes) -> bytes:
    """POST /review/{unit}: `{"decision": "accept", "ref": "Patient/x", "by": "name"}`.

    `accept` says who is meant, `new` that nobody known is, `refuse` takes the unit out; of a merge
    `accept` says that it is right, `new` that it is none. It waits again if there is another doubt.
    Answers what became of it. Raises Refusal 400 for anything else, 404 when it does not wait.
    """
    asked = _read(body)
    by, what = asked.get("by"), asked.get("decision")
    if not isinstance(by, str) or not by.strip() or not by.isprintable() or what not in _DECISIONS:
        raise refuse(400, "required", "decision (accept, new, refuse) and by are needed")
    if what == "accept":
        what = asked.get("ref")
        if not isinstance(what, str) or not what.startswith("Patient/"):
            raise refuse(400, "required", "accept needs ref: Patient/ID")
        uid = what.partition("/")[2]
        known = server.store.read("Patient", uid) if ID.fullmatch(uid) else None
        if known is None or known.deleted:
            raise refuse(400, "not-found", "no such Patient")
    number = int(unit) if unit.isascii() and unit.isdecimal() and len(unit) < 16 else 0
    receipt = server.store.decide(number, what, by.strip(), server.now())
    if receipt is None:
        raise refuse(404, "not-found", "no unit of this number waits")
    return data.dumps(_became(receipt))


def _read(body: bytes) -> dict[str, Any]:
    try:
        asked = data.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise refuse(400, "file-format", "the body is not a JSON object")
    return asked


def _became(receipt: Receipt) -> dict[str, Any]:
    people = [ref for ref in receipt.ids.values() if ref.startswith("Patient/")]
    issues = [{"issue": one.detail, "text": one.text} for one in receipt.issues]
    return {
        "unit": receipt.unit, "status": receipt.status, "people": people, "issues": issues,
    }  # fmt: skip
