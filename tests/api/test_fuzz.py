"""Whatever is sent, the answer is an OperationOutcome or a result, never a 500."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.api import ApiSettings, app
from adapter.api.search import kinds
from adapter.console import landing
from adapter.pipeline import Pipeline
from adapter.store import open as open_store

from .conftest import BASE, clock, ids

STORE = open_store("sqlite://")
API = app(STORE, Pipeline(STORE, clock()), ApiSettings(pages={"/": landing.page}), clock(), ids())
CLIENT = TestClient(API, base_url=BASE)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
WORDS = st.sampled_from(
    [*kinds()[:6], "fhir", "intake", "mif", "metadata", "_history", "_search", "$validate", "1"]
)
SEGMENT = WORDS | st.text(max_size=12)
TYPES = st.sampled_from(
    ["application/fhir+json", "application/fhir+xml", "text/plain", "", "a/b;c", "\x01", "x" * 300]
)
HEADERS = st.fixed_dictionaries(
    {"content-type": TYPES},
    optional={
        "accept": TYPES | st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
        "if-match": st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
        "if-none-exist": st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
        "prefer": st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def ask(method: str, path: str, body: bytes = b"", headers: Any = None, query: Any = ()) -> Any:
    """One request; headers as bytes, so that any latin-1 text may be sent."""
    raw = {name: value.encode("latin-1") for name, value in (headers or {}).items()}
    answer = CLIENT.request(
        method, BASE + quote(path, errors="replace"), content=body, headers=raw, params=query
    )
    assert answer.status_code < 500
    if answer.status_code >= 400 and answer.content and b"<?xml" not in answer.content:
        assert answer.json()["resourceType"] in ("OperationOutcome", "Bundle")
    return answer


@settings(max_examples=300)
@given(
    METHODS,
    st.lists(SEGMENT, max_size=5),
    st.binary(max_size=60),
    HEADERS,
    st.lists(st.tuples(SEGMENT, st.text(max_size=10)), max_size=3),
)
def test_any_request(
    method: str, path: list[str], body: bytes, headers: dict[str, str], query: Any
) -> None:
    assert ask(method, "/" + "/".join(path), body, headers, query).headers["x-request-id"]


@settings(max_examples=200)
@given(st.sampled_from(kinds()), st.dictionaries(st.text(max_size=8), JSON, max_size=4), METHODS)
def test_any_json_of_a_type(kind: str, fields: dict[str, Any], method: str) -> None:
    body = json.dumps({**fields, "resourceType": kind, "id": "z"}).encode()
    headers = {"content-type": "application/fhir+json"}
    for path in (f"/fhir/{kind}", f"/fhir/{kind}/z", f"/fhir/{kind}/$validate"):
        assert ask(method, path, body, headers).headers["x-request-id"]


@settings(max_examples=200)
@given(st.lists(JSON, max_size=3), st.sampled_from(["transaction", "batch"]), JSON, JSON)
def test_any_bundle(entries: list[Any], kind: str, request: Any, resource: Any) -> None:
    entries = [*entries, {"request": request, "resource": resource}]
    for method in ("POST", "PUT", "GET", "DELETE"):
        made = {"request": {"method": method, "url": "Patient/z"}, "resource": resource}
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [*entries, made]}
        body = json.dumps(bundle).encode()
        assert ask("POST", "/fhir", body, {"content-type": "application/json"}).content


@settings(max_examples=40)
@given(st.sampled_from(kinds()), st.sampled_from(["_count", "_cursor", "identifier", "_include"]))
def test_any_search_value(kind: str, name: str) -> None:
    for value in ("", "\x00", "|", "||", ",", "a" * 3000, "\\", "%", "'", "gt", ":", "Patient?x"):
        assert ask("GET", f"/fhir/{kind}", query=[(name, value)]).status_code in (200, 400)


@settings(max_examples=60)
@given(st.binary(max_size=120) | st.text(max_size=80).map(lambda text: ("MSH|" + text).encode()))
def test_any_file(body: bytes) -> None:
    for url in ("mif?plan=sunrise", "adt?feed=mercy", "referral?form=sacramento", "mif?plan=none"):
        path, _, query = url.partition("?")
        pairs = [tuple(query.split("="))]
        answer = ask("POST", f"/intake/{path}", body, {"content-type": "text/plain"}, pairs)
        assert answer.status_code in (200, 422)
