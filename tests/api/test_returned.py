"""Return files posted by others, hostile ones too: an answer for each, and no fault of ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import xlsxwriter
from fastapi.testclient import TestClient

from adapter import serving
from adapter import store as stores
from adapter.identity.match import resolve
from adapter.pipeline import Pipeline
from adapter.settings import Settings
from tests.api.conftest import BASE
from tests.unit.test_returned_robust import KERN, three

TEXT, SHEET = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOW = datetime(2026, 2, 9, 1, tzinfo=UTC)


@pytest.fixture
def client() -> Iterator[TestClient]:
    store = stores.open("sqlite://", same_person=resolve)
    house = Pipeline(store, lambda: NOW)
    with TestClient(serving.application(house, Settings()), base_url=BASE) as made:
        yield made
    store.close()


def far_cell() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet("RTF").write_string("XFD1048576", "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("url", "body", "kind", "status", "slug"),
    [
        ("rtf?plan=canonical", far_cell(), SHEET, 422, "file-format"),
        ("otf?plan=canonical", far_cell(), "application/octet-stream", 422, "file-format"),
        ("rtf?plan=canonical", b"PK\x03\x04" + b"\0" * 4000, SHEET, 422, "file-format"),
        ("rtf?plan=canonical", b"%PDF-1.7\n" * 9, TEXT, 422, "file-format"),
        ("rtf?plan=canonical", b"<html><script>alert(1)</script>", TEXT, 422, "column-missing"),
        ("rtf?plan=canonical", b"", TEXT, 422, "file-empty"),
        ("rtf?plan=canonical", three(), "text/html", 415, "not-supported"),
        ("rtf?plan=canonical", three(), "multipart/form-data", 415, "not-supported"),
        ("rtf?plan=nobody", three(), TEXT, 422, "not-supported"),
        ("rtf?plan=lists", three(), TEXT, 422, "not-supported"),
        ("rtf?plan=exchanges", three(), TEXT, 422, "not-supported"),
        ("otf?plan=provider.toml", KERN, TEXT, 422, "not-supported"),
        ("rtf?plan=..", three(), TEXT, 400, "required"),
        ("rtf?plan=kern%2f..%2fkern", three(), TEXT, 400, "required"),
        ("rtf?plan=canonical&name=../f.csv", three(), TEXT, 400, "value-format"),
        ("rtf?plan=canonical&name=%3dcmd.csv", three(), TEXT, 400, "value-format"),
        ("rtf?feed=canonical", three(), TEXT, 400, "search"),
    ],
)  # fmt: skip
def test_refused(
    client: TestClient, url: str, body: bytes, kind: str, status: int, slug: str
) -> None:
    answer = client.post(f"/intake/{url}", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert f'"{slug}"' in answer.text
    assert "Otter" not in answer.text
    assert "<script>" not in answer.text


def test_the_rows_beside_a_broken_one_are_taken(client: TestClient) -> None:
    content = three("x" * (2 << 20))
    answer = client.post(
        "/intake/rtf?plan=canonical", content=content, headers={"content-type": TEXT}
    )
    told = [(row["id"], row["response"]["status"]) for row in answer.json()["entry"]]
    assert told == [("line-2", "201 stored"), ("line-3", "422 refused"), ("line-4", "201 stored")]
