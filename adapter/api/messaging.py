"""$process-message: messages about stays that other systems send (Da Vinci Alerts)."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from adapter.api.call import Answer, Call, Refusal, refuse
from adapter.issues import Issue, operation_outcome
from adapter.record import Resource


def process_message(call: Call) -> Answer:
    """POST $process-message: 200 stored, now or before; 202 a person must look at it first.

    The answer to a message is a message; the same message again gets the same answer and changes
    nothing. 400 not a message, 422 not valid or not taken, each with an OperationOutcome.
    """
    bundle = call.body()
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
        raise refuse(400, "resource-type", "only a Bundle of type message goes here")
    if any(name in ("async", "response-url") for name, _ in call.query):
        raise refuse(400, "not-supported", "a message is answered at once, never later")
    result = call.server.intake.message(bundle)
    if result.status == "refused":
        raise Refusal(422, list(result.issues))
    if result.status == "review":
        return Answer(202, operation_outcome(_shown(result.issues)))
    return Answer(200, _answer(call, bundle))


def _answer(call: Call, bundle: Resource) -> Resource:
    """A message with a MessageHeader whose response says ok (FHIR R4 messaging 2.4.4)."""
    asked = bundle["entry"][0]["resource"]
    known = str(asked.get("id") or bundle.get("id") or "message")
    uid = str(uuid5(NAMESPACE_URL, f"{call.base}/response/{known}"))
    event = {name: asked[name] for name in ("eventCoding", "eventUri") if name in asked}
    source = asked["source"]
    to = {name: source[name] for name in ("endpoint", "_endpoint") if name in source}
    header: Resource = {
        "resourceType": "MessageHeader",
        "id": uid,
        **event,
        "destination": [to],
        "source": {"software": "ecm-adapter", "endpoint": call.base},
        "response": {"identifier": known, "code": "ok"},
    }
    return {
        "resourceType": "Bundle",
        "id": uid,
        "type": "message",
        "timestamp": call.server.now(),
        "entry": [{"fullUrl": f"urn:uuid:{uid}", "resource": header}],
    }


def _shown(issues: tuple[Issue, ...]) -> list[Issue]:
    """Why it waits for a person, as a warning: nothing is wrong with the message."""
    return [Issue("warning", one.detail, one.text, one.at, one.path) for one in issues]
