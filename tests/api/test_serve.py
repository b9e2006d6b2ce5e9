"""A real server on a real socket: started, asked over HTTP, and stopped by a signal."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from adapter.api.serve import server

from .conftest import make, patient
from .memory_store import MemoryStore

SCRIPT = """
import os, sys
from tests.api.conftest import make
from tests.api.memory_store import MemoryStore
from adapter.api.serve import run
port, early = map(int, sys.argv[1:])
ready = lambda _: os.kill(os.getpid(), early) if early else None
run(make(MemoryStore()), "127.0.0.1", port, ready)
print("ended well", flush=True)
"""


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Host and port of a server in a thread, with small limits."""
    port = free_port()
    made = server(make(MemoryStore(), max_body=10_000), "127.0.0.1", port)
    thread = threading.Thread(target=made.run)
    thread.start()
    while not made.started:
        time.sleep(0.01)
    yield "127.0.0.1", port
    made.should_exit = True
    thread.join(timeout=20)


def test_create_and_read_over_http(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", trust_env=False) as client:
        made = client.put("/fhir/Patient/p", json=patient(id="p"))
        assert made.status_code == 201
        assert made.headers["location"].startswith(f"http://127.0.0.1:{address[1]}/fhir/Patient/p")
        assert client.get("/fhir/Patient/p").json()["birthDate"] == "1990-02-03"
        assert client.head("/fhir/Patient/p").content == b""
        assert client.get("/").status_code == 200
        assert "server" not in client.get("/").headers


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_cut_off(address: tuple[str, int], chunked: bool) -> None:
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.putrequest("POST", "/intake/mif?plan=a")
    connection.putheader("content-type", "text/plain")
    if chunked:
        connection.putheader("transfer-encoding", "chunked")
    else:
        connection.putheader("content-length", "1000000000")
    connection.endheaders()
    connection.send(b"2711\r\n" + b"x" * 10_001 + b"\r\n" if chunked else b"x" * 10)
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["resourceType"] == "OperationOutcome"
    connection.close()


def test_half_a_body_harms_nobody(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as plug:
        plug.sendall(
            b"POST /fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
            b"Content-Type: application/json\r\n\r\n{"
        )
    answer = httpx.get(f"http://{address[0]}:{address[1]}/fhir/metadata", trust_env=False)
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("early", [False, True], ids=["serving", "starting"])
def test_a_signal_ends_it_gracefully(number: signal.Signals, early: bool, root: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(port), str(int(early and number))],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            if not early:
                wait_for(port)
                child.send_signal(number)
            out, err = child.communicate(timeout=20)
        finally:
            child.kill()
    assert (child.returncode, out, err) == (0, "ended well\n", "")


def wait_for(port: int) -> None:
    """Until something listens, at most 20 s."""
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")
