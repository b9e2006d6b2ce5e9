"""The command line: here the parts are put together. Exit 0 clean, 1 data issues, 2 our fault."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from adapter import __version__, commands
from adapter.errors import AdapterError
from adapter.transport.collector import seldom_while

KINDS = {
    "mif": "a plan's member information file (CSV, XLSX, pipe)",
    "adt": "HL7 v2 ADT messages, one or a batch a file",
    "referral": "a referral form (JSON, QuestionnaireResponse)",
    "services": "a log of ECM contacts (CSV, XLSX)",
    "outreach": "a log of outreach attempts (as services; rows without a phase are attempts)",
    "rtf": "an ECM provider's Return Transmission File, on a plan's or county's side",
    "otf": "an ECM provider's Initial Outreach Tracker File, on a plan's or county's side",
}


EXITS = """Exit codes: 0 clean; 1 something in the data is wrong (a warning or worse), the rest was
taken; 2 the command, a setting, a plan, feed, form or log that is not shipped, or an output that
cannot be written."""


def parser() -> argparse.ArgumentParser:
    """Every command with its options; also what the README's table is held against."""
    top = argparse.ArgumentParser(prog="ecm-adapter", description=__doc__, epilog=EXITS)
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("--database", help="SQLAlchemy URL (default: ECM_DATABASE, else a local file)")
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, does in (("convert", "to FHIR, no store"), ("load", "into the store")):
        command = sub.add_parser(name, help=does)
        kinds = command.add_subparsers(dest="kind", required=True, metavar="KIND")
        for kind, text in KINDS.items():
            _inputs(kinds.add_parser(kind, help=text), name, kind)
    _members(sub)
    check = sub.add_parser("check", help="FHIR JSON against R4 and our profiles")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _serve(sub.add_parser("serve", help="the FHIR API, intake and landing page"))
    _feeds(sub.add_parser("feed", help="what a feed carries, and how each feed is"))
    watch = sub.add_parser("watch", help="load what comes into a folder")
    kinds = watch.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, text in KINDS.items():
        _inputs(kinds.add_parser(kind, help=text), "watch", kind)
    for name, does in (("report", "a plan's return file"), ("claims", "a plan's 837P file")):
        _outputs(sub.add_parser(name, help=does), name)
    _deliver(sub.add_parser("deliver", help="files to a plan's server or folder, or from there"))
    for name, does in (
        ("due", "what is due in a plan, as CSV and Tasks"),
        ("outreach", "where outreach to each member stands, as CSV"),
        ("letter", "letters to members who could not be reached"),
    ):
        _dues(sub.add_parser(name, help=does), name)
    _care(sub)
    about = "from a resource, cell or segment back to the source"
    places = "Patient/ID, Patient/ID#name, FILE:LINE:FIELD"
    sub.add_parser("explain", help=about).add_argument("ref", metavar="REF", help=places)
    demo = sub.add_parser("demo", help="the whole chain on the shipped fixtures")
    demo.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR")
    return top


def _inputs(command: argparse.ArgumentParser, name: str, kind: str) -> None:
    if name == "watch":
        _folder(command)
    else:
        command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _scope(command, name, kind)
    if name == "convert":
        command.add_argument("--out", type=Path, metavar="FILE", help="Bundles (default: stdout)")
        command.add_argument("--issues", type=Path, metavar="FILE", help="OperationOutcomes")
    elif name == "load":
        _load(command, kind)


def _scope(command: argparse.ArgumentParser, name: str, kind: str) -> None:
    """Whose layout, profile or form the files have."""
    if kind == "mif":
        command.add_argument("--plan", required=True, help="a layout of mappings/mif/layouts")
    elif kind == "adt":
        about = "a profile of mappings/hl7v2/feeds (default: by MSH-3 and MSH-4)"
        command.add_argument("--feed", default="", help=about)
        if name == "convert":
            about = "judge structure and tables with hl7apy too"
            command.add_argument("--conformance", action="store_true", help=about)
    elif kind in ("rtf", "otf"):
        about = "whose layout the file has: a folder of mappings/outbound"
        command.add_argument("--plan", required=True, help=about)
    elif kind == "referral":
        command.add_argument("--form", required=True, help="a form of mappings/forms/layouts")
    else:
        command.add_argument("--log", default="canonical", help="a layout of mappings/services")


def _load(command: argparse.ArgumentParser, kind: str) -> None:
    command.add_argument("--rejects", type=Path, metavar="FILE", help="what is wrong, as CSV")
    about = "a member file's refused rows with reasons: mend the cells and load it"
    command.add_argument("--mend", type=Path, metavar="FILE", help=about)
    if kind == "mif":
        about = "when the file came (default: the date in its name, else today)"
        command.add_argument("--received", type=day, metavar="DATE", help=about)


def _members(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    layout = sub.add_parser("layout", help="propose a layout for an unknown member file")
    action = layout.add_subparsers(dest="action", required=True, metavar="suggest")
    suggest = action.add_parser("suggest", help="a score for each column, and why; no values")
    suggest.add_argument("file", type=Path, metavar="FILE")
    suggest.add_argument("--name", default="new-plan", help="what the layout will be called")
    suggest.add_argument("--out", type=Path, metavar="FILE", help="TOML (default: stdout)")
    roster = sub.add_parser("roster", help="what a plan's list changed; panels for exchanges")
    actions = roster.add_subparsers(dest="action", required=True, metavar="diff|panel")
    diff = actions.add_parser("diff", help="who was added, changed or missing, file by file")
    diff.add_argument("--plan", required=True)
    diff.add_argument("--all", action="store_true", help="of every file, not the last alone")
    diff.add_argument("--out", type=Path, metavar="FILE", help="CSV (default: stdout)")
    panel = actions.add_parser("panel", help="the members whose messages an exchange shall send")
    about = "one of mappings/outbound/exchanges"
    panel.add_argument("--exchange", required=True, help=about)
    panel.add_argument("--out", type=Path, default=Path(), metavar="DIR")


def _folder(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("folder", type=Path, metavar="DIR", help="files go to DIR/done or DIR/failed")
    add("--every", type=float, default=5.0, metavar="SECONDS", help="between two looks")
    add("--settle", type=float, default=5.0, metavar="SECONDS", help="unchanged for so long")
    add("--once", action="store_true", help="look once, then end")
    add("--sftp", metavar="USER@HOST[:PORT]/PATH", help="fetch from there before each look")
    add("--known-hosts", type=Path, metavar="FILE", help="the server's key, as ssh keeps it")
    add("--key", type=Path, metavar="FILE", help="our private key")


def _feeds(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="report|health")
    report = actions.add_parser("report", help="field by field what sample files carry and lack")
    report.add_argument("files", nargs="+", type=Path, metavar="FILE")
    report.add_argument("--feed", default="", help="a profile of mappings/hl7v2/feeds")
    report.add_argument("--conformance", action="store_true", help="judge with hl7apy too")
    health = actions.add_parser("health", help="last message, rate, errors, silence")
    for one in (report, health):
        one.add_argument("--json", action="store_true", help="as JSON")


def _review(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what waits, why, and who may be meant")
    actions.add_parser("again", help="judge all that waits anew, as if it came now")
    for name, does in (
        ("accept", "one of the people we know is meant"),
        ("new", "nobody we know is meant"),
        ("refuse", "take the unit out"),
    ):
        action = actions.add_parser(name, help=does)
        action.add_argument("unit", type=int, metavar="UNIT", help="its number in the list")
        if name == "accept":
            action.add_argument("ref", metavar="REF", help="Patient/ID")
        action.add_argument("--by", default="", metavar="NAME", help="default: who runs this")


def _dues(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument("--plan", required=True)
    command.add_argument("--on", metavar="DATE", help="a day like 2026-07-13 (default: today)")
    if name == "letter":
        command.add_argument("--out", type=Path, default=Path(), metavar="DIR")
        command.add_argument("--member", default="", metavar="REF", help="Patient/ID of one member")
        command.add_argument("--draft", action="store_true", help="do not record it as sent")
    else:
        about = "CSV; for `due` a name that ends in .json gives a Bundle of Tasks"
        command.add_argument("--out", type=Path, required=True, metavar="FILE", help=about)


def _serve(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host")
    command.add_argument("--port", type=int)
    where = "receive HL7 v2 messages here, several times for several ports"
    command.add_argument("--mllp", action="append", default=[], metavar="HOST:PORT", help=where)


def _care(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    alerts = sub.add_parser("alerts", help="care teams' alerts: list, send, retry")
    choices = ["list", "send", "retry"]
    alerts.add_argument("action", nargs="?", default="list", choices=choices)
    alerts.add_argument("--recipient", default="", metavar="NAME", help="retry: only theirs")
    to = "retry: send to this recipient, also what had none"
    alerts.add_argument("--to", default="", metavar="NAME", help=to)
    _review(sub.add_parser("review", help="units that wait for a person: list them, decide"))
    use = sub.add_parser("utilization", help="members who use hospitals often")
    use.add_argument("--plan", required=True)
    use.add_argument("--on", default="", metavar="YYYY-MM-DD", help="default: today")
    use.add_argument("--out", type=Path, metavar="FILE", help="CSV with the stays as evidence")
    use.add_argument("--flags", action="store_true", help="keep a Flag of each such member")


def _outputs(command: argparse.ArgumentParser, name: str) -> None:
    if name == "report":
        about = "rtf: Return Transmission File; otf: Initial Outreach Tracker File"
        command.add_argument("kind", choices=["rtf", "otf"], help=about)
        forms, about = ["csv", "xlsx", "pipe"], "default: as the plan's layout has it"
        command.add_argument("--format", choices=forms, help=about)
        about = "list what is missing or contradicts itself, and write nothing"
        command.add_argument("--preflight", action="store_true", help=about)
        command.add_argument("--by", metavar="NAME", help="who sends it (default: who runs this)")
    command.add_argument("--plan", required=True)
    command.add_argument("--period", required=True, type=month, metavar="YYYY-MM")
    command.add_argument("--out", type=Path, default=Path(), metavar="DIR")


def _deliver(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="what to send")
    where = "a folder, or sftp://USER@HOST[:PORT]/PATH"
    way = command.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", metavar="PLACE", help=where)
    way.add_argument("--collect", metavar="PLACE", help="fetch what is new there; " + where)
    add("--out", type=Path, default=Path(), metavar="DIR", help="where fetched files go")
    about = "log of what went and came, a line each (default: deliveries.ndjson in --out)"
    add("--receipts", type=Path, metavar="FILE", help=about)
    add("--known-hosts", type=Path, metavar="FILE", help="the server's key, as ssh keeps it")
    add("--key", type=Path, metavar="FILE", help="our private key")
    add("--tries", type=int, default=5, metavar="N", help="how often a broken connection is tried")


def month(text: str) -> str:
    """A month as `2026-07`. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise ValueError
    return text


def day(text: str) -> str:
    """A day as `2026-07-13`. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError
    return date.fromisoformat(text).isoformat()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 clean, 1 data issues, 2 our fault."""
    options = parser().parse_args(arguments)
    try:
        with seldom_while():
            code = int(getattr(commands, options.command)(options))
        sys.stdout.flush()  # a reader that went away is noticed here, not at exit
        return code
    except AdapterError as error:
        print(f"ecm-adapter: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left to flush
        return 0
    except OSError as error:  # a full disk, a device that went away
        why = error.strerror or type(error).__name__
        print(f"ecm-adapter: the system refused ({why})", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
