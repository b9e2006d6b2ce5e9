"""That a letter was sent, in FHIR: the document itself, and the message it was."""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from hashlib import sha1
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter.record import Resource
from adapter.reports.fhir import ECM

_CODE = "unable-to-contact-letter"
_WHAT = {"coding": [{"system": ECM, "code": _CODE, "display": "Unable-to-contact letter"}]}
_MAIL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode",
    "code": "MAILWRIT",
    "display": "mail",
}
_NAMESPACE = uuid5(NAMESPACE_URL, f"{ECM}|{_CODE}")


def records(
    patient: str, on: date, now: str, files: dict[str, bytes], language: str
) -> list[Resource]:
    """DocumentReference and Communication of a letter sent on a day.

    `files` by media type; `now` is the instant the document was made. The same letter of the
    same day has the same ids, so that recording it again changes nothing but `date`.
    """
    uid = str(uuid5(_NAMESPACE, f"{patient}|{on.isoformat()}"))
    subject = {"reference": patient}
    document: Resource = {
        "resourceType": "DocumentReference",
        "id": uid,
        "status": "current",
        "type": _WHAT,
        "subject": subject,
        "date": now,
        "content": [{"attachment": _file(kind, body, language)} for kind, body in files.items()],
    }
    message: Resource = {
        "resourceType": "Communication",
        "id": uid,
        "status": "completed",
        "category": [_WHAT],
        "medium": [{"coding": [_MAIL]}],
        "subject": subject,
        "sent": on.isoformat(),
        "recipient": [subject],
        "payload": [{"contentReference": {"reference": f"DocumentReference/{uid}"}}],
    }
    return [document, message]


def _file(kind: str, body: bytes, language: str) -> dict[str, Any]:
    digest = sha1(body, usedforsecurity=False).digest()  # FHIR R4 Attachment.hash is SHA-1
    return {
        "contentType": kind,
        "language": language,
        "data": b64encode(body).decode(),
        "size": len(body),
        "hash": b64encode(digest).decode(),
        "title": "Unable-to-contact letter",
    }
