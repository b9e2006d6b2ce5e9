"""The invariants of R4's resources as named functions, by type or backbone element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from adapter.validation.faults import Json
from adapter.validation.invariants import (
    DATATYPES,
    Holds,
    Invariant,
    any_of,
    codes,
    has,
    needs,
    not_after,
    not_both,
)


def _wrong(node: Json) -> bool:
    return "entered-in-error" in codes(node.get("verificationStatus"))


def _abated(node: Json) -> bool:
    ended = {"resolved", "remission", "inactive"}
    return not has(node, "abatement") or bool(codes(node.get("clinicalStatus")) & ended)


def _consent_patient(scope: str) -> Holds:
    return lambda node: "patient" in node or scope not in codes(node.get("scope"))


def _never_home(name: str) -> Holds:
    return lambda node: all(part.get("use") != "home" for part in node.get(name, ()))


def _list_entries(name: str, mode: str) -> Holds:
    return lambda node: (
        node.get("mode") == mode or not any(name in e for e in node.get("entry", ()))
    )


def _task_times(node: Json) -> bool:
    times = node.get("authoredOn"), node.get("lastModified")
    return None in times or not_after(str(times[0]), str(times[1]))


def _component_codes(node: Json) -> bool:
    if not has(node, "value"):
        return True
    pairs = {(c.get("system"), c.get("code")) for c in node["code"].get("coding", ())}
    parts = (c for part in node.get("component", ()) for c in part["code"].get("coding", ()))
    return not any((c.get("system"), c.get("code")) in pairs for c in parts)


def _parameter(node: Json) -> bool:
    return [has(node, "value"), "resource" in node, "part" in node].count(True) == 1


def _link_ids(node: Json) -> Iterator[str]:
    for item in node.get("item", ()):
        yield str(item.get("linkId", ""))
        yield from _link_ids(item)


def _unique_link_ids(node: Json) -> bool:
    return max(Counter(_link_ids(node)).values(), default=1) == 1


def _question(node: Json) -> bool:
    kind = node.get("type")
    return ("item" in node) if kind == "group" else not (kind == "display" and "item" in node)


def _display(*names: str) -> Holds:
    return lambda node: node.get("type") != "display" or not any(name in node for name in names)


def _bundle_part(name: str, *kinds: str) -> Holds:
    """Every entry has the part in Bundles of these kinds, none has it in others."""
    return lambda node: all(
        (name in e) == (node.get("type") in kinds) for e in node.get("entry", ())
    )


def _bundle_search(node: Json) -> bool:
    return bool(node.get("type") == "searchset") or not any(
        "search" in e for e in node.get("entry", ())
    )


def _bundle_urls(node: Json) -> bool:
    named = [e for e in node.get("entry", ()) if "fullUrl" in e]
    keys = {(e["fullUrl"], e.get("resource", {}).get("meta", {}).get("versionId")) for e in named}
    return bool(node.get("type") == "history") or len(keys) == len(named)


def _bundle_first(kind: str, first: str) -> Holds:
    def holds(node: Json) -> bool:
        entries = node.get("entry") or [{}]
        return bool(
            node.get("type") != kind or entries[0].get("resource", {}).get("resourceType") == first
        )

    return holds


def _document(node: Json) -> bool:
    named = {"system", "value"} <= node.get("identifier", {}).keys()
    return bool(node.get("type") != "document" or named)


INVARIANTS: dict[str, tuple[Invariant, ...]] = DATATYPES | {
    "AllergyIntolerance": (
        Invariant(
            "ait-1",
            "clinicalStatus is required unless entered in error",
            lambda n: _wrong(n) or "clinicalStatus" in n,
        ),
        Invariant(
            "ait-2",
            "no clinicalStatus when entered in error",
            lambda n: not (_wrong(n) and "clinicalStatus" in n),
        ),
    ),
    "AuditEvent.entity": (
        Invariant("sev-1", "name or query, not both", not_both("name", "query")),
    ),
    "Bundle": (
        Invariant(
            "bdl-1",
            "total only in a searchset or history",
            lambda n: "total" not in n or n.get("type") in ("searchset", "history"),
        ),
        Invariant("bdl-2", "entry.search only in a searchset", _bundle_search),
        Invariant(
            "bdl-3",
            "entry.request in a batch, transaction or history, nowhere else",
            _bundle_part("request", "batch", "transaction", "history"),
        ),
        Invariant(
            "bdl-4",
            "entry.response in a response or history, nowhere else",
            _bundle_part("response", "batch-response", "transaction-response", "history"),
        ),
        Invariant("bdl-7", "fullUrl is unique", _bundle_urls),
        Invariant("bdl-9", "a document has an identifier with system and value", _document),
        Invariant(
            "bdl-10",
            "a document has a timestamp",
            lambda n: n.get("type") != "document" or "timestamp" in n,
        ),
        Invariant(
            "bdl-11", "a document starts with Composition", _bundle_first("document", "Composition")
        ),
        Invariant(
            "bdl-12",
            "a message starts with MessageHeader",
            _bundle_first("message", "MessageHeader"),
        ),
    ),
    "Bundle.entry": (
        Invariant(
            "bdl-5", "resource, request or response", any_of("resource", "request", "response")
        ),
        Invariant(
            "bdl-8",
            "fullUrl names no version",
            lambda n: "/_history/" not in n.get("fullUrl", ""),
        ),
    ),
    "CarePlan.activity": (
        Invariant("cpl-3", "detail or reference, not both", not_both("detail", "reference")),
    ),
    "Composition.section": (
        Invariant("cmp-1", "text, entry or section", any_of("text", "entry", "section")),
        Invariant("cmp-2", "emptyReason only without entries", not_both("emptyReason", "entry")),
    ),
    "Condition": (
        Invariant("con-4", "an abated condition is inactive, resolved or in remission", _abated),
        Invariant(
            "con-5",
            "no clinicalStatus when entered in error",
            lambda n: not (_wrong(n) and "clinicalStatus" in n),
        ),
    ),
    "Condition.evidence": (Invariant("con-2", "code or detail", any_of("code", "detail")),),
    "Condition.stage": (
        Invariant("con-1", "summary or assessment", any_of("summary", "assessment")),
    ),
    "Consent": (
        Invariant("ppc-1", "policy or policyRule", any_of("policy", "policyRule")),
        Invariant("ppc-2", "a privacy consent has a patient", _consent_patient("patient-privacy")),
        Invariant("ppc-3", "a research consent has a patient", _consent_patient("research")),
        Invariant("ppc-4", "an advance directive has a patient", _consent_patient("adr")),
        Invariant("ppc-5", "a treatment consent has a patient", _consent_patient("treatment")),
    ),
    "Goal.target": (
        Invariant(
            "gol-1", "detail needs measure", lambda n: not has(n, "detail") or "measure" in n
        ),
    ),
    "Group": (
        Invariant(
            "grp-1",
            "only an actual group has members",
            lambda n: "member" not in n or n.get("actual", True),
        ),
    ),
    "List": (
        Invariant("lst-1", "emptyReason only without entries", not_both("emptyReason", "entry")),
        Invariant("lst-2", "deleted entries only in changes", _list_entries("deleted", "changes")),
        Invariant(
            "lst-3", "dated entries only in a working list", _list_entries("date", "working")
        ),
    ),
    "Observation": (
        Invariant(
            "obs-6",
            "dataAbsentReason only without a value",
            lambda n: not ("dataAbsentReason" in n and has(n, "value")),
        ),
        Invariant("obs-7", "no component repeats the code that has the value", _component_codes),
    ),
    "Observation.referenceRange": (
        Invariant("obs-3", "low, high or text", any_of("low", "high", "text")),
    ),
    "Organization": (
        Invariant("org-1", "identifier or name", any_of("identifier", "name")),
        Invariant("org-2", "no home address", _never_home("address")),
        Invariant("org-3", "no home telecom", _never_home("telecom")),
    ),
    "Parameters.parameter": (Invariant("inv-1", "one of value, resource and part", _parameter),),
    "Patient.contact": (
        Invariant(
            "pat-1",
            "name, telecom, address or organization",
            any_of("name", "telecom", "address", "organization"),
        ),
    ),
    "Questionnaire": (Invariant("que-2", "linkId is unique", _unique_link_ids),),
    "Questionnaire.item": (
        Invariant("que-1", "a group has items, a display has none", _question),
        Invariant("que-3", "a display has no code", _display("code")),
        Invariant("que-4", "options or a value set", not_both("answerOption", "answerValueSet")),
        Invariant(
            "que-6", "a display neither repeats nor is required", _display("required", "repeats")
        ),
        Invariant("que-9", "a display is not readOnly", _display("readOnly")),
        Invariant("que-11", "options or an initial value", not_both("answerOption", "initial")),
        Invariant(
            "que-12",
            "several enableWhen need enableBehavior",
            lambda n: len(n.get("enableWhen", ())) <= 2 or "enableBehavior" in n,
        ),
        Invariant(
            "que-13",
            "one initial value unless it repeats",
            lambda n: n.get("repeats") is True or len(n.get("initial", ())) <= 1,
        ),
    ),
    "Questionnaire.item.enableWhen": (
        Invariant(
            "que-7",
            "exists asks for a boolean",
            lambda n: n.get("operator") != "exists" or "answerBoolean" in n,
        ),
    ),
    "QuestionnaireResponse.item": (
        Invariant("qrs-1", "answer or items, not both", not_both("answer", "item")),
    ),
    "ServiceRequest": (Invariant("prr-1", "orderDetail needs code", needs("orderDetail", "code")),),
    "Task": (Invariant("inv-1", "lastModified is not before authoredOn", _task_times),),
}
