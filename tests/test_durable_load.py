"""A killed `load` loses nothing that it reported, and a second `load` changes nothing."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from adapter import cli, store

ROOT = Path(__file__).resolve().parents[1]
ROWS, KILLS = 1400, 4  # of each kind
HEAD = "Member ID,Last Name,First Name,CIN,DOB,Gender\n"
STORED = re.compile(r"^\S+: stored (\d+), read (\d+)$")
KINDS = ("Patient", "Coverage", "EpisodeOfCare", "Encounter", "Group")


def row(number: int) -> str:
    return f"M{number},Otter,Olive,9{number:07}A,02/29/1980,F\n"


def message(number: int) -> str:
    return (
        f"MSH|^~\\&|REG|MERCYTEST|HUB|HARBOR|20260701080000-0700||ADT^A08|K{number}|P|2.5\r"
        f"EVN|A08|20260701080000-0700\rPID|1||D{number}^^^&1.2.3&ISO^MR||OTTER^OLIVE||19800229|F\r"
        f"PV1|1|I|ED||||||||||||||||V{number}\r"
    )


@pytest.fixture(params=["mif", "adt"])
def job(request, tmp_path):
    """(words of the command, URL of the store): a member file and a batch of messages."""
    url = f"sqlite:///{tmp_path}/s.sqlite"
    if request.param == "mif":
        file = tmp_path / "members.csv"
        file.write_text(HEAD + "".join(map(row, range(ROWS))), encoding="utf-8")
        more = ["--plan", "canonical"]
    else:
        file = tmp_path / "batch.hl7"
        file.write_text("".join(map(message, range(ROWS))), encoding="utf-8", newline="")
        more = ["--feed", "default"]
    return ["--database", url, "load", request.param, str(file), *more], url


def killed(words: list[str], lines_first: int, after: float) -> tuple[int, bool]:
    """What a load had reported when it was killed, a while after some lines; whether it ended."""
    command = [sys.executable, "-m", "adapter", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as running:
        try:
            told = [running.stderr.readline() for _ in range(lines_first)]
            timer = threading.Timer(after, running.send_signal, [signal.SIGKILL])
            timer.start()
            told += running.stderr.readlines()
            timer.cancel()
        finally:
            running.kill()
    numbers = [int(match[1]) for line in told if (match := STORED.match(line))]
    assert len(numbers) == len([line for line in told if line.endswith("\n")])
    return max(numbers, default=0), running.returncode == 0


def contents(url: str) -> list[dict]:
    with closing(store.open(url)) as opened:
        return [resource for kind in KINDS for resource in opened.each(kind)]


def stored(url: str) -> int:
    with closing(store.open(url)) as opened:
        ledger = opened.ledger()
        assert all(line.status == "stored" for line in ledger)
        people = opened.search("Patient", [], 0).total
        assert len(ledger) - 2 <= people <= len(ledger)  # a member file ends with Group and List
        return len(ledger)


def test_a_killed_load_keeps_what_it_reported(job, capfd):
    words, url = job
    chance, count, kills = random.Random(7), 0, 0
    for _ in range(KILLS):
        reported, ended = killed(words, chance.choice([0, 1, 1]), chance.uniform(0.05, 0.3))
        kills += not ended
        assert stored(url) >= count + reported
        count = stored(url)
    assert kills > 0 and count > 0
    assert cli.main(words) == 0
    before = contents(url)
    assert sum(one["resourceType"] == "Patient" for one in before) == ROWS
    count = stored(url)
    assert cli.main(words) == 0
    out, err = capfd.readouterr()
    assert (
        out.splitlines()[-1]
        .partition(": ")[2]
        .startswith((f"{count} duplicate", f"{count - 1} duplicate"))
    )
    assert contents(url) == before
    assert stored(url) == count
    progress = [STORED.match(line) for line in err.splitlines()]
    assert all(progress) and len(progress) == 2 * (ROWS // 200)
    assert {one["meta"]["versionId"] for one in before} == {"1"}
