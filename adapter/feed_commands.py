"""The commands about feeds: what a sample carries, how each feed is, and a folder to watch."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from adapter import alert_commands, data, logs, settings
from adapter.errors import AdapterError, SettingError
from adapter.feeds import health as feed_health
from adapter.feeds import report as feed_report
from adapter.pipeline import Pipeline
from adapter.record import shown
from adapter.transport import folder as folders

Say = Callable[..., None]
_LONGEST = 86400  # seconds between two looks


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
                yield shown(file), file.read_bytes()
            except OSError as error:
                raise AdapterError(f"{shown(file)}: cannot be read ({error.strerror})") from None


_READ = {"mapped": "mapped", "ignored": "left out", "unmapped": "NOT READ"}
_WIDTH = 100


def _lines(made: feed_report.Report) -> Iterator[str]:
    yield f"{made.messages} messages by profile `{made.feed}`, {made.refused} refused"
    for title, counts in (
        ("events", made.events),
        ("events that are not taken", made.not_taken),
        ("why refused", made.reasons),
        ("MSH-11, what for", made.processing),
        ("versions", made.versions),
        ("MSH-10, control ids", made.control),
        ("findings", made.issues),
        ("of them about no field below", made.missing),
    ):
        if counts:
            told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            yield from textwrap.wrap(
                f"{title}: {told}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False
            )
    yield ""
    mapped, left_out, unmapped = map(made.of, feed_report.STATES)
    yield (
        f"{len(made.uses)} fields are carried: {len(mapped)} are mapped, {len(left_out)} are left "
        f"out on purpose, {len(unmapped)} no rule reads"
    )
    yield from _listed("carried, and NOT READ", map(str, unmapped))
    yield ""
    yield f"{'field':<7} {'name':<34} {'carried':>13} {'':>4} {'read':<8} what to look at"
    for place, use in sorted(made.uses.items()):
        total = made.segments[place.segment]
        share = f"{100 * use.carried // total}%"
        name = textwrap.shorten(feed_report.name_of(place), 34, placeholder="..")
        yield (
            f"{place!s:<7} {name:<34} {use.carried:>6}/{total:<6} {share:>4} "
            f"{_READ[use.state]:<8} {_notes(use)}".rstrip()
        )
    yield ""
    yield from _listed("fields read, and not in the sample", made.lacks)
    yield from _listed("segments read, and not in the sample", made.absent)
    if made.never:
        yield from _listed("never sent, says the profile", made.never)
    if made.broken:
        yield from _listed("sent, though the profile says never", sorted(made.broken))
    if made.conformance:
        yield ""
        yield "hl7apy says"
        for text, number in made.conformance.most_common():
            yield f"{number:>6} {text}"


def _listed(title: str, names: Iterable[str]) -> Iterator[str]:
    """A list on lines of its own, a segment a line: `PID 2 4 6`."""
    by_segment: dict[str, list[str]] = {}
    for name in names:
        segment, _, number = name.partition("-")
        by_segment.setdefault(segment, []).append(number)
    if not any(map(any, by_segment.values())):  # segments, or nothing
        text = f"{title}: {', '.join(by_segment) or 'none'}"
        yield from textwrap.wrap(text, _WIDTH, subsequent_indent="  ")
        return
    yield f"{title}:"
    for segment, numbers in by_segment.items():
        text = f"  {segment:<4}{' '.join(numbers)}".rstrip()
        yield from textwrap.wrap(text, _WIDTH, subsequent_indent="      ", drop_whitespace=False)


def _notes(use: feed_report.Use) -> str:
    notes = []
    if use.parts and use.state != "unmapped":
        notes.append("not all is written: " + ", ".join(sorted(use.parts)))
    if use.idle and use.state == "mapped":
        notes.append(f"{use.idle} in events that do not read it")
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


@logs.shown()
def watch(house: Pipeline, options: Namespace, load: folders.Load, say: Say) -> int:
    """Load what comes into a folder, and tell care teams of it, until Ctrl-C; with `--once` load
    what is there, then end.

    2 when something could not be fetched or loaded, by our fault. Raises SettingError for a time
    that is none.
    """
    if not (0 <= options.every <= _LONGEST and 0 <= options.settle <= _LONGEST):
        raise SettingError(f"--every, --settle: expected seconds, up to {_LONGEST}")
    folder = folders.Folder(options.folder, 0.0 if options.once else options.settle)
    fetch = _fetch(options, folder)
    clean = True

    def tell(loaded: folders.Loaded) -> None:
        nonlocal clean
        clean &= loaded.tally.clean
        order = ("stored", "duplicate", "refused", "review")
        units = loaded.tally.units
        counts = ", ".join(f"{units[status]} {status}" for status in order if units[status])
        say(f"{loaded.name}: {counts or 'nothing'} -> {loaded.place}")

    if options.once:
        with folder.held():
            fetch()
            for _ in folders.round_(folder, load, tell):
                pass
        return 2 if folder.faults else int(not clean)
    say(f"Watching {options.folder}  (Ctrl-C stops)")
    with alert_commands.working(house, settings.read()):
        folders.watch(folder, load, tell, options.every, fetch)
    return 0


def _fetch(options: Namespace, folder: folders.Folder) -> Callable[[], None]:
    """What brings files into the folder before each look: nothing, or a pull by SFTP."""
    if not options.sftp:
        return lambda: None
    from adapter.transport import sftp

    partner = sftp.partner(options.sftp, options.known_hosts, options.key)
    left: dict[str, sftp.Look] = {}
    pull = partial(sftp.pull, partner, folder.path, options.settle, left)
    return lambda: folders.attempt(folder, pull)
