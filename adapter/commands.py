"""What each command of the command line does; a command returns its exit code."""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO

from adapter import convert as conversion
from adapter import data, member_commands, pipeline, returned, settings, spreadsheet, validation
from adapter.errors import OutputError, SettingError
from adapter.issues import Issue, operation_outcome
from adapter.outcome import Outcome, Unit
from adapter.record import Location, shown

_TOLD = 200  # units between two lines of progress


def say(*words: object) -> None:
    """Print a line for people."""
    sys.stdout.write(" ".join(map(str, words)).rstrip() + "\n")
    sys.stdout.flush()


# --- convert: no store


def convert(options: Namespace) -> int:
    """Write one transaction Bundle a line; issues go to stderr or a file, a line a unit."""
    _known_names(options)
    wrong = False
    with ExitStack() as stack:
        bundles: IO[bytes] = sys.stdout.buffer
        if options.out:
            bundles = stack.enter_context(_writable(options.out, "--out"))
        issues = options.issues
        found = stack.enter_context(_writable(issues, "--issues")) if issues else None
        for file in options.files:
            for outcome in _outcomes(options, file):
                wrong |= any(map(_wrong, outcome.issues))
                if line := conversion.bundle_json(outcome):
                    bundles.write(line + b"\n")
                _report(outcome, found)
    return int(wrong)


def _wrong(issue: Issue) -> bool:
    """Whether it is more than information: what makes the exit code 1."""
    return issue.severity != "information"


def _outcomes(options: Namespace, file: Path) -> Iterator[Outcome]:
    if options.kind == "mif":
        return conversion.rows(file, conversion.member_table(options.plan), shown(file))
    if options.kind in ("services", "outreach"):
        table = conversion.service_table(options.log, options.kind)
        return conversion.rows(file, table, shown(file))
    if options.kind in returned.KINDS:
        return returned.outcomes(returned.Source(file, shown(file)), options.plan, options.kind)
    content, problem = _read(file)
    if problem is not None:
        return iter([conversion.refused(problem, options.kind, "file")])
    if options.kind == "adt":
        found = conversion.adt(content, shown(file), options.feed)
        return chain(_conformance(content, shown(file)), found) if options.conformance else found
    return iter([conversion.referral(content, options.form, shown(file))])


def _conformance(content: bytes, name: str) -> Iterator[Outcome]:
    """What the judge of structure and tables says: findings beside the Bundles, none refused."""
    from adapter.sources import hl7v2
    from adapter.validation import hl7v2_conformance

    for at, rows in hl7v2.texts(content, name):
        if issues := hl7v2_conformance.judge(rows, at):
            yield Outcome(Unit(at, "adt", "hl7apy"), issues=issues)


def _read(file: Path) -> tuple[bytes, Issue | None]:
    """A whole file, or why not; never more than ECM_MAX_BODY bytes of it in memory."""
    at, limit = Location(shown(file), 1), settings.read().max_body
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        text = f"the file cannot be opened ({type(error).__name__})"
        return b"", Issue("fatal", "file-format", text, at)
    if len(content) > limit:
        return b"", Issue("fatal", "file-size", f"over {limit} bytes (ECM_MAX_BODY)", at)
    return content, None


def _writable(file: Path, option: str) -> IO[bytes]:
    """An output opened for writing. Raises OutputError naming the option."""
    try:
        return file.open("wb")
    except OSError as error:
        raise OutputError(f"{option}: cannot be written ({type(error).__name__})") from None


_SHELVES = {
    "mif": ("plan", "mif/layouts"),
    "rtf": ("plan", "outbound"),
    "otf": ("plan", "outbound"),
    "adt": ("feed", "hl7v2/feeds"),
    "referral": ("form", "forms/layouts"),
}


def _known_names(options: Namespace) -> None:
    """A plan, feed, form or log must be shipped. Raises SettingError naming those that are."""
    option, shelf = _SHELVES.get(options.kind, ("log", "services/layouts"))
    names = sorted(file.stem for file in data.path("mappings", *shelf.split("/")).glob("*.toml"))
    names = returned.known_plans(options.kind) if options.kind in returned.KINDS else names
    given = getattr(options, option)
    if given and given not in names:
        raise SettingError(f"--{option}: not in mappings/{shelf}; one of {', '.join(names)}")


def _report(outcome: Outcome, found: IO[bytes] | None) -> None:
    if not outcome.issues:
        return
    if found is not None:
        found.write(data.dumps(operation_outcome(outcome.issues)) + b"\n")
        return
    for issue in outcome.issues:
        _tell(issue)


def _tell(issue: Issue) -> None:
    place = f"{issue.at}: " if issue.at else ""
    path = f" ({issue.path})" if issue.path else ""
    sys.stderr.write(f"{issue.severity}: {place}{issue.detail}: {issue.text}{path}\n")


# --- load: into the store


def open_pipeline(options: Namespace) -> pipeline.Pipeline:
    """The pipeline on the database of the options or the environment."""
    from adapter import store
    from adapter.identity.match import may_merge, resolve
    from adapter.program.encounters import replay

    given = settings.read()
    url = options.database or given.database
    opened = store.open(url, resolve, replay=replay, may_merge=may_merge)
    return pipeline.Pipeline(opened, settings.now, given.takes)


def load(options: Namespace) -> int:
    """Load files; prints the counts of each, and what is wrong to stderr or the reject file."""
    _known_names(options)
    if options.kind == "mif" and options.mend:
        options.files = list(inside(options.files))
        return member_commands.load(open_pipeline(options), options, say, _tell)
    clean = True
    with ExitStack() as stack:
        rejects = None
        if options.rejects:
            stream = _writable(options.rejects, "--rejects")
            text = TextIOWrapper(stream, encoding="utf-8", newline="")
            rejects = csv.writer(stack.enter_context(text))
            rejects.writerow(spreadsheet.FOUND)
        house = open_pipeline(options)
        for file in inside(options.files):
            tally = pipeline.Tally()
            for result in _load(house, options, file):
                tally.add(result)
                _progress(file, tally)
                found = [issue for issue in result.issues if _wrong(issue)]
                clean &= not found
                if rejects is not None:
                    rejects.writerows(spreadsheet.found_rows(found))
                else:
                    for issue in found:
                        _tell(issue)
            say(f"{shown(file)}:", *_counts(tally))
            clean &= tally.clean
    return int(not clean)


def inside(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as they are, and of a folder the files in it by name, without hidden ones."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = (file for file in path.iterdir() if file.is_file() and file.name[0] != ".")
        yield from sorted(found)


def _progress(file: Path, tally: pipeline.Tally) -> None:
    """Say on stderr how much is stored: a result comes only when it is durable."""
    read = tally.units.total()
    if read % _TOLD == 0:
        sys.stderr.write(f"{shown(file)}: stored {tally.units['stored']}, read {read}\n")


def _load(
    house: pipeline.Pipeline, options: Namespace, file: Path
) -> Iterator[pipeline.UnitResult]:
    if options.kind == "mif":
        came = getattr(options, "received", None)  # not of a folder that is watched
        return house.mif(file, options.plan, shown(file), came or "")
    if options.kind in ("services", "outreach"):
        return house.services(file, options.log, shown(file), options.kind)
    if options.kind in returned.KINDS:
        take = house.rtf if options.kind == "rtf" else house.otf
        return take(file, options.plan, shown(file))
    content, problem = _read(file)
    if problem is not None:
        return iter([pipeline.UnitResult(1, "refused", issues=(problem,))])
    if options.kind == "adt":
        return house.adt(content, options.feed, shown(file))
    return house.referral(content, options.form, shown(file))


def _counts(tally: pipeline.Tally) -> list[str]:
    order = ("stored", "duplicate", "refused", "review")
    counts = [f"{tally.units[status]} {status}" for status in order if tally.units[status]]
    issues = [f"{number} {detail}" for detail, number in sorted(tally.issues.items())]
    return [", ".join(counts) or "nothing", f"({', '.join(issues)})" if issues else ""]


def layout(options: Namespace) -> int:
    """Propose a layout for a member file that nobody has described."""
    return member_commands.suggest(options, say, _tell)


def roster(options: Namespace) -> int:
    """What a plan's files changed in its list, or a panel for an exchange."""
    return member_commands.roster(open_pipeline(options), options, say, _tell)


# --- check


def check(options: Namespace) -> int:
    """Validate FHIR JSON or NDJSON: resources and Bundles; prints what is wrong with its path."""
    wrong = 0
    for file in options.files:
        content, problem = _read(file)
        found = [problem] if problem else list(_check(content, shown(file)))
        for issue in found:
            _tell(issue)
        wrong += sum(issue.failed for issue in found)
        say(f"{shown(file)}:", "valid" if not any(i.failed for i in found) else "not valid")
    return int(wrong > 0)


def _check(content: bytes, name: str) -> Iterator[Issue]:
    if not content.strip():
        yield Issue("error", "file-empty", "the file holds nothing", Location(name, 1))
        return
    for line, text in _documents(content):
        try:
            resource = data.foreign(text)
        except ValueError:
            yield Issue("error", "file-format", "not JSON", Location(name, line))
            continue
        for issue in validation.check(resource) or validation.judge(resource):
            yield Issue(issue.severity, issue.detail, issue.text, Location(name, line), issue.path)


def _documents(content: bytes) -> Iterator[tuple[int, bytes]]:
    """One document, or one a line when the first line is one by itself (NDJSON)."""
    lines = content.splitlines()
    first = lines[0].strip() if lines else b""
    if len(lines) > 1 and first.startswith(b"{") and first.endswith(b"}"):
        yield from ((n, line) for n, line in enumerate(lines, 1) if line.strip())
    else:
        yield 1, content


# --- out


def report(options: Namespace) -> int:
    """Write a plan's return files, or say what they would lack."""
    from adapter import output_commands

    return output_commands.report(open_pipeline(options), options, say, _tell)


def claims(options: Namespace) -> int:
    """Write a plan's 837P for a month."""
    from adapter import output_commands

    return output_commands.claims(open_pipeline(options), options, say, _tell)


def deliver(options: Namespace) -> int:
    """Send files to a plan, or fetch what is new there."""
    from adapter import output_commands

    return output_commands.deliver(options, settings.now, say)


def due(options: Namespace) -> int:
    """Write what is due in a plan, and keep it as Tasks."""
    from adapter import due_commands

    return due_commands.due(open_pipeline(options), options, say)


def outreach(options: Namespace) -> int:
    """Write where outreach to each member of a plan stands."""
    from adapter import due_commands

    return due_commands.outreach(open_pipeline(options), options, say)


def letter(options: Namespace) -> int:
    """Write and record letters to members who could not be reached."""
    from adapter import due_commands

    return due_commands.letter(open_pipeline(options), options, say)


def explain(options: Namespace) -> int:
    """Print where a resource, an element, a report cell or a claim segment came from."""
    from adapter import outputs

    found = list(outputs.explain(open_pipeline(options).store, options.ref))
    for line in found:
        say(line)
    if not found:
        sys.stderr.write("nothing is known under this reference\n")
    return int(not found)


def review(options: Namespace) -> int:
    """List what waits for a person, or carry out what one decided."""
    from adapter import review_commands

    return review_commands.review(open_pipeline(options), options, say)


# --- care teams


def alerts(options: Namespace) -> int:
    """List, send or retry the alerts to care teams."""
    from adapter import alert_commands

    return alert_commands.alerts(open_pipeline(options), options, say)


def utilization(options: Namespace) -> int:
    """Say who of a plan's members uses hospitals often."""
    from adapter import alert_commands

    return alert_commands.utilization(open_pipeline(options), options, say)


# --- serve, demo


def serve(options: Namespace) -> int:
    """Serve the API, intake and landing page until Ctrl-C."""
    from adapter import serving

    where = serving.Listen(options.host, options.port, options.mllp)
    return serving.run(open_pipeline(options), where, say)


# --- feeds


def feed(options: Namespace) -> int:
    """Say what the messages of files carry, or how each feed is."""
    from adapter import feed_commands

    if options.action == "report":
        return feed_commands.report(options, say)
    return feed_commands.health(open_pipeline(options), options.json, say)


def watch(options: Namespace) -> int:
    """Load what comes into a folder until Ctrl-C, or once."""
    from adapter import feed_commands

    _known_names(options)
    house = open_pipeline(options)
    return feed_commands.watch(house, options, lambda file: _load(house, options, file), say)


def demo(options: Namespace) -> int:
    """Run the whole chain on the shipped fixtures and print what it made."""
    from adapter import demo as whole_chain

    return whole_chain.run(options.out, say)
