"""The landing page: counts, links, no value of a member, nothing from elsewhere."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from fastapi.testclient import TestClient

from .conftest import patient


def test_counts_and_statuses(client: TestClient) -> None:
    for number in range(3):
        client.put(f"/fhir/Patient/p{number}", json=patient(id=f"p{number}"))
    client.delete("/fhir/Patient/p2")
    for number, status in enumerate(["requested", "requested", "completed"]):
        task = {"resourceType": "Task", "id": f"t{number}", "status": status}
        client.put(f"/fhir/Task/t{number}", json=task)
    answer = client.get("/")
    cells = re.findall(r">([\w-]+)</a></th>\s*<td>(\d+)</td>", answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert cells == [("Task", "3"), ("Patient", "2"), ("requested", "2"), ("completed", "1")]
    assert "Quillfeather" not in answer.text


def test_empty_store(client: TestClient) -> None:
    text = client.get("/").text
    assert "Nothing yet" in text
    assert "No referral yet" in text


def test_page_loads_nothing_and_runs_nothing(client: TestClient) -> None:
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.findall(r"<script|https?://|@import|url\(|<img|<link", answer.text) == []


def test_links_lead_somewhere(client: TestClient) -> None:
    client.put("/fhir/Patient/p", json=patient(id="p"))
    links = re.findall(r'href="([^"]+)"', client.get("/").text)
    assert len(links) >= 3
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_page_is_well_formed_and_named(client: TestClient) -> None:
    text = client.get("/").text.replace("<!doctype html>", "")
    tree = ET.fromstring(re.sub(r"<meta ([^>]*)>", r"<meta \1/>", text))  # noqa: S314 our own page
    labels = [row.get("aria-labelledby") for row in tree.iter("section")]
    ids = {row.get("id") for row in tree.iter("h2")}
    assert tree.get("lang") == "en"
    assert set(labels) == ids
