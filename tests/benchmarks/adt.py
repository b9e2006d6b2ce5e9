"""Messages per second of convert_adt beside a floor and two parsers, in one run.

`python -m tests.benchmarks.adt [ROUNDS]`: every round runs each case once over the same messages,
so that the ratio of a round is fair whatever else the machine does. The best round of each case is
what the machine can do, the median what it did beside all else. Each round is about other persons
at another time, in the same wards under the same doctors, as feeds are: what a converter may
remember is what it would remember at work.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import hl7
import orjson
from hl7apy.parser import parse_message

import adapter
from adapter import convert

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "samples" / "adt"
SLOW = 20  # messages that a case of milliseconds a message is given
WARM = 9  # rounds before it counts: CPython specializes what it has run eight times


def messages() -> list[bytes]:
    """Every sample file of one message that is converted: A01, A03, A04, A08 with a patient."""
    folder = SAMPLES if SAMPLES.is_dir() else ROOT / "fixtures" / "hl7v2"
    files = sorted(folder.rglob("*.hl7"))
    found = []
    for raw in (file.read_bytes() for file in files):
        outcomes = list(convert.adt(raw))
        if len(outcomes) == 1 and outcomes[0].ok:
            found.append(raw)
    return found


# What tells one message of a feed from the next: its own fields, the person's, and the stay's.
OTHER = {
    "MSH": {6: "time", 9: "number"},
    "EVN": {2: "time", 6: "time"},
    "PID": {2: "number", 3: "number", 4: "number", 5: "name", 7: "birth", 11: "number",
            13: "number", 14: "number", 18: "number", 19: "number"},
    "PV1": {19: "number", 44: "time", 45: "time", 50: "number"},
    "NK1": {2: "name", 4: "number", 5: "number"},
    "GT1": {2: "number", 3: "name", 5: "number", 6: "number", 12: "number"},
    "IN1": {16: "name", 18: "birth", 19: "number", 36: "number", 49: "number"},
}  # fmt: skip


def other(raw: bytes, turn: int) -> bytes:
    """The message of another person at another minute; the shape of every text stays."""
    lines = raw.decode("latin-1").replace("\r\n", "\r").replace("\n", "\r").split("\r")
    for number, line in enumerate(lines):
        fields = line.split("|")
        for place, kind in OTHER.get(fields[0], {}).items():
            if place < len(fields):
                fields[place] = CHANGES[kind](fields[place], turn)
        lines[number] = "|".join(fields)
    return "\r".join(lines).encode("latin-1")


def _number(text: str, turn: int) -> str:
    first, caret, rest = text.partition("^")
    return re.sub(r"\d(?=\D*$)", str(turn % 10), first) + caret + rest


def _name(text: str, turn: int) -> str:
    return re.sub(r"^([A-Za-z]{2,})", lambda m: m[1] + "abcdefghij"[turn % 10], text)


def _birth(text: str, turn: int) -> str:
    return re.sub(r"^(\d{3})\d(?=\d{4})(?!.0229)", rf"\g<1>{turn % 10}", text)


def _time(text: str, turn: int) -> str:
    return re.sub(r"^(\d{10})\d\d", rf"\g<1>{turn % 60:02d}", text)


CHANGES = {"number": _number, "name": _name, "birth": _birth, "time": _time}


def floor(raw: bytes) -> bytes:
    """The least that any converter does: split at every delimiter, dicts, JSON."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\r").replace("\n", "\r")
    rows = [
        {
            "segment": line[:3],
            "fields": [
                [[part.split("&") for part in one.split("^")] for one in field.split("~")]
                for field in line.split("|")
            ],
        }
        for line in text.split("\r")
    ]
    return orjson.dumps(rows)


def convert_adt(raw: bytes) -> bytes:
    """Ours, validation on, to JSON, as the command `convert adt` writes it."""
    return convert.bundle_json(adapter.convert_adt(raw))


def convert_only(raw: bytes) -> object:
    """The same without writing JSON, as who loads a store has it."""
    return adapter.convert_adt(raw)


def python_hl7(raw: bytes) -> object:
    """python-hl7: parse only."""
    return hl7.parse(raw.decode("utf-8", "replace").replace("\n", "\r"))


def hl7apy_parse(raw: bytes) -> object:
    """hl7apy: parse only."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\r").replace("\n", "\r").strip("\r")
    try:
        return parse_message(text, find_groups=False)
    except Exception as error:  # a peer that refuses a message has still read it
        return error


CASES: dict[str, Callable[[bytes], object]] = {
    "floor: split, dicts, JSON": floor,
    "convert_adt, validated": convert_only,
    "convert_adt, validated, JSON": convert_adt,
    "python-hl7, parse only": python_hl7,
    "hl7apy, parse only": hl7apy_parse,
}


def rate(function: Callable[[bytes], object], raws: Iterable[bytes]) -> float:
    """Messages per second of processor time; what was left before is collected first."""
    raws = list(raws)
    gc.collect()
    start = time.process_time()
    for raw in raws:
        function(raw)
    return len(raws) / (time.process_time() - start)


def main(rounds: int) -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    raws = messages()
    size = sum(map(len, raws)) / len(raws)
    built = "as Python" if convert.__file__.endswith(".py") else "compiled"
    print(f"{len(raws)} messages, {size:.0f} bytes each on average, {rounds} rounds, one core")
    print(f"the adapter {built}, the peers as they are installed")
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(WARM + rounds):
        turn = [other(raw, number) for raw in raws]
        for name, function in CASES.items():
            some = turn[:SLOW] if function is hl7apy_parse else turn
            found = rate(function, some)
            if number >= WARM:
                rates[name].append(found)
    base = rates["floor: split, dicts, JSON"]
    print(f"{'':<30} {'best round':^25} {'median round':^25}")
    print(f"{'case':<30}" + f" {'messages/s':>11} {'of the floor':>13}" * 2)
    for name, found in rates.items():
        share = median(one / two for one, two in zip(found, base, strict=True))
        best = f"{max(found):>11,.0f} {max(found) / max(base):>13.1%}"
        print(f"{name:<30} {best} {median(found):>11,.0f} {share:>13.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
