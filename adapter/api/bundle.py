"""A Bundle at the base: transaction (all or nothing) and batch (each on its own)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from adapter.api.call import Action, Answer, Call, Query, Refusal, refuse
from adapter.api.search import criteria, found, kinds
from adapter.api.write import ID, existing
from adapter.issues import Issue
from adapter.record import Resource

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3}  # FHIR R4 http 3.1.0.11.2
_THERE = Action("create", "GET", "", existing, "what a conditional create matches")
_HEADERS = {"ifMatch": "if-match", "ifNoneExist": "if-none-exist", "ifNoneMatch": "if-none-match"}
MAX_ENTRIES = 2000


Made = tuple[str, str | Query]  # type and criteria of what a conditional write makes


class Step(NamedTuple):
    """One entry: its place in the Bundle, its fullUrl, and the call it makes."""

    place: int
    url: str
    call: Call
    action: Action


def process(call: Call) -> Answer:
    """POST base: answers in the order of the entries (FHIR R4 http 3.1.0.11).

    A transaction that fails anywhere stores nothing and answers with the failing entry's issues.
    """
    bundle = call.body()
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("transaction", "batch"):
        raise refuse(400, "resource-type", "only a Bundle of type transaction or batch goes here")
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise refuse(400, "too-costly", f"a Bundle has at most {MAX_ENTRIES} entries")
    if bundle["type"] == "batch":
        answers = [_alone(call, index, entry) for index, entry in enumerate(entries)]
    else:
        answers = _together(call, [_step(call, i, entry) for i, entry in enumerate(entries)])
    rows = [_row(answer) for answer in answers]
    response: Resource = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    return Answer(200, response | ({"entry": rows} if rows else {}))


def _alone(call: Call, index: int, entry: Any) -> Answer:
    try:
        step = _step(call, index, entry)
        return step.action.run(step.call)
    except Refusal as refusal:
        return refusal.answer


def _together(call: Call, steps: list[Step]) -> list[Answer]:
    answers: dict[int, Answer] = {}
    with call.server.lock, call.store.batch():
        made: dict[Made, str] = {}
        settled = [_settled(step, made) for step in steps]
        _refuse_twice(settled)
        targets = {step.url: f"{step.call.kind}/{step.call.uid}" for step in settled if step.url}
        for step in sorted(settled, key=lambda step: _ORDER[step.action.method]):
            answers[step.place] = _run(step, targets)
    return [answers[index] for index in range(len(steps))]


def _run(step: Step, targets: Mapping[str, str]) -> Answer:
    call = step.call
    try:
        if call.resource is not None:
            call = replace(call, resource=_linked(call, call.resource, targets))
        return step.action.run(call)
    except Refusal as refusal:
        raise Refusal(refusal.status, _placed(refusal.issues, step.place)) from None


def _placed(issues: list[Issue], index: int) -> list[Issue]:
    """Issues with the path of the entry they stand in, before that inside the resource."""
    entry = f"Bundle.entry[{index}].resource"
    tails = [(issue.path or "").partition(".") for issue in issues]
    return [
        issue._replace(path=entry + dot + rest)
        for issue, (_, dot, rest) in zip(issues, tails, strict=True)
    ]


def _step(call: Call, index: int, entry: Any) -> Step:
    """An entry as a call. Raises Refusal 400."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str):
        raise _bad(index, "request.url is needed")
    method, url = request.get("method"), request["url"]
    path, _, query = url.removeprefix(call.base).lstrip("/").partition("?")
    action, named = _match(call.server.actions, method, path)
    if action is None or named.get("kind", kinds()[0]) not in kinds():
        raise _bad(index, "request.method and request.url are nothing that this server does")
    if method != "PUT" and not ID.fullmatch(named.get("uid", "x")):
        raise Refusal(404, _placed([Issue("error", "not-found", "not a FHIR id")], index))
    resource = entry.get("resource") if method in ("POST", "PUT") else None
    if resource is not None and not isinstance(resource, dict):
        raise _bad(index, "resource is not a resource")
    made = Call(
        call.server,
        call.base,
        named.get("kind", ""),
        named.get("uid", ""),
        named.get("version", ""),
        tuple(parse_qsl(query, keep_blank_values=True)),
        _headers(request),
        resource,
    )
    full_url = entry.get("fullUrl")
    return Step(
        index,
        full_url if isinstance(full_url, str) else "",
        made,
        action,
    )


def _bad(index: int, text: str) -> Refusal:
    return Refusal(400, [Issue("error", "resource-structure", text, path=f"Bundle.entry[{index}]")])


def _headers(request: Mapping[str, Any]) -> dict[str, str]:
    texts = ((header, request.get(name)) for name, header in _HEADERS.items())
    return {header: text for header, text in texts if isinstance(text, str)}


def _match(
    actions: tuple[Action, ...], method: Any, path: str
) -> tuple[Action | None, dict[str, str]]:
    """The action for a relative URL, and what its path names."""
    parts = [unquote(part) for part in path.split("/")]
    for action in actions:
        pattern = action.path.lstrip("/").split("/")
        if action.method != method or len(pattern) != len(parts) or not action.path:
            continue
        pairs = list(zip(pattern, parts, strict=True))
        if all(wish == part for wish, part in pairs if not wish.startswith("{")):
            return action, {wish[1:-1]: part for wish, part in pairs if wish.startswith("{")}
    return None, {}


def _settled(step: Step, made: dict[Made, str]) -> Step:
    """The step with the id its resource will have, so that others can refer to it.

    A create becomes an update to a new id; a conditional one the update, or the read, of what it
    matches, else of what another by the same criteria makes.
    """
    call = step.call
    if step.action.name not in ("create", "update") or call.uid or call.resource is None:
        return step
    where = call.headers.get("if-none-exist") if step.action.name == "create" else call.query
    matches = found(call, criteria(call.kind, where)) if where else []
    if len(matches) > 1:
        raise _bad_match(step.place)
    own = call.resource.get("id") if step.action.name == "update" else None
    uid = matches[0] if matches else own if isinstance(own, str) else call.server.ids()
    if matches and step.action.name == "create":
        return step._replace(action=_THERE, call=replace(call, uid=uid, resource=None))
    uid = made.setdefault((call.kind, where), uid) if where else uid
    update = next(
        action
        for action in call.server.actions
        if action.path == "/{kind}/{uid}" and action.method == "PUT"
    )
    resource = {**call.resource, "id": uid}
    return step._replace(action=update, call=replace(call, uid=uid, resource=resource))


def _bad_match(index: int) -> Refusal:
    text = "the criteria match more than one resource"
    return Refusal(412, [Issue("error", "search", text, path=f"Bundle.entry[{index}]")])


def _refuse_twice(steps: list[Step]) -> None:
    """A resource is written once in a transaction (FHIR R4 http 3.1.0.11.2); bdl-7: fullUrl."""
    seen: set[str] = set()
    for step in steps:
        own = {step.url} - {""}
        if step.action.method in ("PUT", "DELETE"):
            own.add(f"{step.call.kind}/{step.call.uid}")
        if not seen.isdisjoint(own):
            raise _bad(step.place, "a second write to one resource, or a fullUrl of two entries")
        seen |= own


def _linked(call: Call, value: Any, targets: Mapping[str, str]) -> Any:
    """The resource with references to entries, and conditional ones, made literal."""
    if isinstance(value, list):
        return [_linked(call, item, targets) for item in value]
    if not isinstance(value, dict):
        return value
    done = {name: _linked(call, item, targets) for name, item in value.items()}
    if isinstance(done.get("reference"), str):
        done["reference"] = _literal(call, done["reference"], targets)
    return done


def _literal(call: Call, reference: str, targets: Mapping[str, str]) -> str:
    if reference in targets:
        return targets[reference]
    kind, asks, where = reference.partition("?")
    if not asks or kind not in kinds():
        return reference
    matches = found(replace(call, kind=kind), criteria(kind, where))
    if len(matches) != 1:
        raise refuse(412, "reference", "a conditional reference must match one resource")
    return f"{kind}/{matches[0]}"


def _row(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"status": str(answer.status)}
    for header, name in (("Location", "location"), ("ETag", "etag")):
        if header in answer.headers:
            response[name] = answer.headers[header]
    if answer.resource is not None and answer.resource["resourceType"] == "OperationOutcome":
        return {"response": {**response, "outcome": answer.resource}}
    return {"response": response} | ({"resource": answer.resource} if answer.resource else {})
