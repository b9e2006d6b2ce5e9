"""The commands about feeds: what a sample carries, how each feed is, and a folder to watch."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from adapter import data
from adapter.errors import AdapterError
from adapter.feeds import health as feed_health
from adapter.feeds import report as feed_report
from adapter.pipeline import Pipeline
from adapter.transport import folder as folders

Say = Callable[..., None]


def report(options: Namespace, say: Say) -> int:
    """Print what a sample carries and lacks; 1 when a message of it would be refused."""
    made = feed_report.report(_files(options.files), options.feed, options.conformance)
    if options.json:
        say(data.dumps(made.as_json()).decode())
    else:
        for line in _lines(made):
            say(line)
    return int(made.refused > 0 or not made.messages)


def _files(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        for file in sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]:
            try:
                yield file.name, file.read_bytes()
            except OSError as error:
                raise AdapterError(f"{file.name}: cannot be read ({error.strerror})") from None


def _lines(made: feed_report.Report) -> Iterator[str]:
    yield f"{made.messages} messages by profile `{made.feed}`, {made.refused} refused"
    for title, counts in (
        ("events", made.events),
        ("events that are not taken", made.not_taken),
        ("MSH-11", made.processing),
        ("versions", made.versions),
        ("findings", made.issues),
    ):
        if counts:
            told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            yield f"{title}: {told}"
    yield ""
    yield f"{'field':<8} {'carried':>13} {'':>4} {'read':<9} what to look at"
    for place, use in sorted(made.uses.items()):
        total = made.segments[place.segment]
        share = f"{100 * use.carried // total}%"
        yield (
            f"{place!s:<8} {use.carried:>6}/{total:<6} {share:>4} "
            f"{use.state:<9} {_notes(use)}".rstrip()
        )
    yield ""
    yield f"fields read, and not in the sample: {', '.join(made.lacks) or 'none'}"
    yield f"segments read, and not in the sample: {', '.join(made.absent) or 'none'}"
    if made.never:
        yield f"never sent, says the profile: {', '.join(made.never)}"
    if made.broken:
        yield f"sent, though the profile says never: {', '.join(sorted(made.broken))}"
    if made.conformance:
        yield ""
        yield "hl7apy says"
        for text, number in made.conformance.most_common():
            yield f"{number:>6} {text}"


def _notes(use: feed_report.Use) -> str:
    notes = []
    if use.parts and use.state != "unmapped":
        notes.append("no rule reads " + ", ".join(sorted(use.parts)))
    if use.no_offset:
        notes.append(f"{use.no_offset} times without offset")
    notes += [f"{number} {detail}" for detail, number in sorted(use.issues.items())]
    return "; ".join(notes)


def health(house: Pipeline, as_json: bool, say: Say) -> int:
    """Print how each feed is; 1 when one of them fell silent."""
    found = feed_health.feeds(house.store, house.clock())
    if as_json:
        say(data.dumps([_health(one) for one in found]).decode())
    else:
        say(f"{'feed':<20} {'last message':<21} {'a day':>8} {'an hour':>8} {'refused':>8} review")
        for one in found:
            say(_row(one))
    return int(any(one.silent for one in found))


def _row(one: feed_health.Health) -> str:
    last = one.last.strftime("%Y-%m-%d %H:%M UTC") if one.last else "never"
    review = one.units.get("review", 0)
    text = f"{one.name:<20} {last:<21} {one.messages:>8} {one.rate:>8.1f} {one.errors:>8.1%} "
    return text + f"{review:>6}" + (f"  SILENT for more than {one.silence}" if one.silent else "")


def _health(one: feed_health.Health) -> dict[str, object]:
    return {
        "feed": one.name,
        "last": one.last.isoformat() if one.last else None,
        "messages": one.messages,
        "perHour": round(one.rate, 2),
        "errorShare": round(one.errors, 4),
        "review": one.units.get("review", 0),
        "silent": one.silent,
    }


def watch(options: Namespace, load: folders.Load, say: Say) -> int:
    """Load what comes into a folder until Ctrl-C; with `--once` what is there, then end."""
    folder = folders.Folder(options.folder, 0.0 if options.once else options.settle)
    fetch = _fetch(options, folder)
    clean = True

    def tell(loaded: folders.Loaded) -> None:
        nonlocal clean
        clean &= loaded.tally.clean
        order = ("stored", "duplicate", "refused", "review")
        units = loaded.tally.units
        counts = ", ".join(f"{units[status]} {status}" for status in order if units[status])
        say(f"{loaded.name}: {counts or 'nothing'} -> {loaded.moved.parent.name}")

    if options.once:
        with folder.held():
            fetch()
            for _ in folders.round_(folder, load, tell):
                pass
        return int(not clean)
    say(f"Watching {options.folder}  (Ctrl-C stops)")
    folders.watch(folder, load, tell, options.every, fetch)
    return 0


def _fetch(options: Namespace, folder: folders.Folder) -> Callable[[], None]:
    """What brings files into the folder before each look: nothing, or a pull by SFTP."""
    if not options.sftp:
        return lambda: None
    from adapter.transport import sftp

    partner = sftp.partner(options.sftp, options.known_hosts, options.key)
    return lambda: folders.attempt(lambda: sftp.pull(partner, folder.path))
