"""The record of a file that was sent: a DocumentReference with who, when, period and hash."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from adapter import terms
from adapter.record import Resource
from adapter.reports.fhir import ECM, OURS, identifier
from adapter.reports.layout import Format
from adapter.staging import Settled
from adapter.store.protocol import Reader

HASH = f"{OURS}/sid/sha256"
_SERIES = f"{OURS}/CodeSystem/report-series"
_MEDIA = MappingProxyType(
    {
        "csv": "text/csv",
        "pipe": "text/plain",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
_NAMES = MappingProxyType(
    {"rtf": "Return transmission file", "otf": "Initial outreach tracker file"}
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One file as it was written: for which plan and month, by whom and when, and its bytes' hash.

    `series`  the layouts in it: `sunrise/rtf`
    """

    plan: str
    series: tuple[str, ...]
    kinds: tuple[str, ...]
    period: tuple[str, str]
    file: Path
    form: Format
    by: str
    at: datetime
    bytes: Settled


def uid(name: str) -> str:
    """The id of the record of a file of this name."""
    return f"file-{sha256(name.encode()).hexdigest()[:40]}"


def document(sent: Sent) -> Resource:
    """The record; `hash` is SHA-1 as FHIR R4 wants it, the masterIdentifier SHA-256."""
    series = [{"system": _SERIES, "code": name} for name in sent.series]
    kinds = [{"system": ECM, "code": kind, "display": _NAMES[kind]} for kind in sent.kinds]
    return {
        "resourceType": "DocumentReference",
        "id": uid(sent.file.name),
        "masterIdentifier": {"system": HASH, "value": sent.bytes.digest},
        "identifier": [{"system": terms.system("report", sent.plan), "value": sent.file.name}],
        "status": "current",
        "type": {"coding": kinds},
        "category": [{"coding": series}],
        "date": sent.at.isoformat(),
        "author": [{"display": sent.by}],
        "content": [
            {
                "attachment": {
                    "contentType": _MEDIA[sent.form],
                    "size": sent.bytes.size,
                    "hash": b64encode(sent.bytes.sha1).decode(),
                    "title": sent.file.name,
                    "creation": sent.at.isoformat(),
                }
            }
        ],
        "context": {"period": {"start": sent.period[0], "end": sent.period[1]}},
    }


def known(reader: Reader, name: str, digest: str) -> bool:
    """Whether a file of this name and content was recorded."""
    stored = reader.read("DocumentReference", uid(name))
    if stored is None or stored.deleted:
        return False
    found: str = stored.resource.get("masterIdentifier", {}).get("value", "")
    return found == digest


def stranger(reader: Reader, name: str, plan: str) -> bool:
    """Whether a file of this name was recorded for another plan."""
    stored = reader.read("DocumentReference", uid(name))
    if stored is None or stored.deleted:
        return False
    return not identifier(stored.resource, terms.system("report", plan))


def former(reader: Reader, sent: Sent) -> Iterator[Resource]:
    """Records of other files that told of the same series and month, and are not superseded."""
    token = f"{_SERIES}|{sent.series[0]}"
    for row in reader.each("DocumentReference", [("category", token), ("status", "current")]):
        period = row.get("context", {}).get("period", {})
        if row["id"] != uid(sent.file.name) and period.get("start") == sent.period[0]:
            yield row
