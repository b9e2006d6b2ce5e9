"""What the engine's tests share: one value through a converter, one record through a mapping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapter import data
from adapter.mapping import fields, model, tabular
from adapter.mapping.datatypes import components
from adapter.mapping.finish import finish
from adapter.mapping.registry import BUILDERS, CONVERTERS
from adapter.mapping.run import BadValue, Feed, Run, restored
from adapter.outcome import Outcome, Unit
from adapter.record import Location, Record

ZONE = "America/Los_Angeles"
SID = "https://ecm-adapter.example/fhir/sid"
HEAD = 'source = "a test"\nconfidence = "unverified"\n'


def fresh(zone: str = ZONE, **feed: Any) -> Run:
    """A run at PID-3 of line 2 of a message of the facility MERCYTEST."""
    feed = {"facility": "MERCYTEST", **feed}
    run = Run(
        Unit(Location("m.hl7", 1), "adt", "feed:test"), Feed("test", "feed:test", zone, **feed)
    )
    run.line, run.label = 2, "PID-3"
    return run


def found(run: Run) -> list[tuple[str, str]]:
    """(detail, field) of each issue."""
    return [(issue.detail, issue.at.field) for issue in run.issues]


def convert(name: str, text: str, run: Run | None = None, **feed: Any) -> tuple[Any, list[Any]]:
    """What a converter makes of one repetition or cell, and (detail, field) of what it says."""
    run = run or fresh(**feed)
    converter = CONVERTERS[name]
    try:
        if converter.parts is not None:
            value = converter.parts(run, components(run, text))
        else:
            value = converter.text(run, text)
    except BadValue as bad:
        run.issue("warning", bad.detail, bad.text, bad.part)
        value = None
    return restored(value), found(run)


def build(name: str, *texts: str, run: Run | None = None) -> tuple[Any, list[Any]]:
    """What a builder makes of all repetitions, and (detail, field) of what it says."""
    run = run or fresh()
    return BUILDERS[name](run, list(texts)), found(run)


def made(run: Run, value: Any) -> dict[str, Any]:
    """The resource that a reference leads to, in its run."""
    return run.side[value["reference"]].resource


def segments(
    monkeypatch: Any, folder: Path, **texts: str
) -> Callable[..., tuple[Outcome, list[tuple[str, str]]]]:
    """Segment mappings of one's own; the function runs segments like `PID|1||X` through them."""
    at = folder / "mappings" / "hl7v2" / "segments"
    at.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (at / f"{name.lower()}.toml").write_text(HEAD + text, encoding="utf-8")
    here = data.path
    mine = ("mappings", "hl7v2", "segments")
    monkeypatch.setattr(data, "path", lambda *p: folder.joinpath(*p) if p[:3] == mine else here(*p))
    compiled = {name: fields.segment.__wrapped__(name) for name in texts}

    def run_all(*lines: str) -> tuple[Outcome, list[tuple[str, str]]]:
        run = fresh()
        run.unit.key = "APP|FAC|1"
        for number, line in enumerate(lines, 1):
            run.line, parts = number, line.split("|")
            run.fields = ["", *parts[1:]]
            labels = [f"{parts[0]}-{place}" for place in range(len(parts))]
            compiled[parts[0]].apply(run, run.fields, labels)
        outcome = finish(run)
        return outcome, [(issue.detail, issue.at.field) for issue in outcome.issues]

    return run_all


def rows(folder: Path, text: str, *columns: str | None) -> Callable[..., Outcome]:
    """A table mapping of one's own bound to columns; the function converts one row of cells."""
    file = folder / "m.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    bound = tabular.TableMapping(model.load(file)).bind(columns, [c or "Extra" for c in columns])

    def run_row(*cells: str, line: int = 2, **context: str) -> Outcome:
        unit = Unit(Location("f.csv", line), "mif", "plan:test", f"digest:{line}")
        return bound.apply(Record("f.csv", line, "row", cells), unit, {"zone": ZONE, **context})

    return run_row


def resource(outcome: Outcome, kind: str) -> dict[str, Any]:
    """The only resource of a type; AssertionError when there is none or another."""
    (one,) = [e.resource for e in outcome.entries if e.resource["resourceType"] == kind]
    return one
