"""A process that stores admissions, derives notices and delivers them, until it is killed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from adapter import store as stores
from adapter.identity.match import resolve
from adapter.program import notices
from adapter.settings import Recipient
from adapter.transport import alerts

NOW = datetime(2026, 7, 9, 12, 0, tzinfo=UTC)
STAYS = 60
CIN = "https://ecm-adapter.example/fhir/sid/cin"
KIND = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MA"}]}


def main(url: str, receiver: str) -> None:
    """Begin where the last one was killed: what is stored already changes nothing."""
    store = stores.open(url, resolve)
    desk = notices.Desk(
        {"name": "Harbor Light", "npi": "1234567893"}, (Recipient("harbor", receiver),)
    )
    now = notices.stamp(NOW)
    names = [f"9{number:07d}A" for number in range(STAYS)]
    rows = [{"entity": {"identifier": {"system": CIN, "value": cin}}} for cin in names]
    group = {"system": "https://ecm-adapter.example/fhir/sid/roster/sunrise", "value": "all"}
    store.put({"resourceType": "Group", "id": "g", "identifier": [group], "member": rows}, now)
    for number, cin in enumerate(names):
        named = {"type": KIND, "system": CIN, "value": cin}
        with store.batch():
            store.put({"resourceType": "Patient", "id": f"p{number}", "identifier": [named]}, now)
            store.put(stay(number), now)
        if number % 4 == 3:
            notices.derive(store, NOW, desk)
        if number % 7 == 6:
            alerts.send(store.outbox, desk.recipients, lambda: datetime.now(UTC))
    notices.derive(store, NOW, desk)
    alerts.send(store.outbox, desk.recipients, lambda: datetime.now(UTC))
    print("done", flush=True)


def stay(number: int) -> dict:
    """An admission."""
    return {
        "resourceType": "Encounter",
        "id": f"s{number}",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/p{number}"},
        "period": {"start": "2026-07-05T08:15:00-07:00"},
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
