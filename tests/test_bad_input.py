"""Bad input through the command line: a clear issue with its place, exit 1, the good units kept."""

from __future__ import annotations

import csv
import time
import tracemalloc
from pathlib import Path

import orjson
import pytest

from adapter import cli, data

ROOT = Path(__file__).resolve().parents[1]
PLACE = {
    "file": "http://hl7.org/fhir/StructureDefinition/operationoutcome-file",
    "line": "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line",
}
CANARY = "Zqxkanarienvogel"

HEAD = "Member ID,Last Name,First Name,CIN,DOB,Gender,Auth End Date\n"
OLIVE = "M1,Otter,Olive,91234567A,02/29/1980,F,12/31/2026\n"
HANA = "M2,Heron,Hana,91234568B,03/01/1981,F,12/31/2026\n"
MSH = "MSH|^~\\&|REG|MERCYTEST|HUB|HARBOR|20260701080000-0700||ADT^A08|{}|P|2.5\r"
PID = "EVN|A08|20260701080000-0700\rPID|1||D{}^^^&1.2.3&ISO^MR||OTTER^OLIVE||19800229|F\r"
VISIT = "PV1|1|I|ED||||||||||||||||V{}\r"
FORM = (ROOT / "fixtures" / "referral" / "adult" / "input.json").read_bytes()
LOG = (ROOT / "fixtures" / "services" / "log" / "input.csv").read_bytes()


def adt(number=1, more=""):
    return (MSH + PID + VISIT).format(number, number, number) + more


def options(kind):
    return {
        "mif": ["--plan", "canonical"],
        "adt": ["--feed", "default"],
        "referral": ["--form", "sacramento"],
        "services": ["--log", "canonical"],
    }[kind]


class Result:
    """What a command said: exit code, (detail, file, line, field) of each issue, bundles, texts."""

    def __init__(self, code, issues, bundles, out, err):
        self.code, self.issues, self.bundles, self.out, self.err = code, issues, bundles, out, err

    @property
    def details(self):
        return {issue[0] for issue in self.issues}


@pytest.fixture
def run(tmp_path, capfd):
    """Run `convert`, `load` or `check` on a file; never a traceback, never a value in a text."""

    def run_command(command, kind, file):
        issues = tmp_path / "issues"
        issues.unlink(missing_ok=True)
        words = [command, kind, str(file), *options(kind)] if kind else [command, str(file)]
        if command == "convert":
            words += ["--issues", str(issues)]
        elif command == "load":
            words = [
                "--database",
                f"sqlite:///{tmp_path}/s.sqlite",
                *words,
                "--rejects",
                str(issues),
            ]
        code = cli.main(words)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert CANARY not in (err if command == "convert" else out + err)
        found = {"convert": outcomes, "load": rejects, "check": lambda _: lines(err)}[command](
            issues
        )
        bundles = out.splitlines() if command == "convert" else []
        return Result(code, found, bundles, out, err)

    return run_command


def outcomes(file):
    found = []
    for line in file.read_bytes().splitlines():
        for issue in orjson.loads(line)["issue"]:
            assert issue["details"]["text"] and CANARY not in issue["details"]["text"]
            place = {
                e["url"]: e.get("valueString", e.get("valueInteger")) for e in issue["extension"]
            }
            field = issue["diagnostics"].partition(f":{place[PLACE['line']]}")[2].strip()
            detail = issue["details"]["coding"][0]["code"]
            if issue["severity"] != "information":
                found.append((detail, place[PLACE["file"]], place[PLACE["line"]], field))
    return found


def rejects(file):
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["remedy"] and row["text"] and CANARY not in row["text"] for row in rows)
    return [(row["issue"], row["file"], int(row["line"]), row["field"]) for row in rows]


def lines(err):
    """`error: input.json:1: file-empty: text` as issues."""
    parts = [line.split(": ") for line in err.splitlines()]
    return [(p[2], p[1].partition(":")[0], int(p[1].split(":")[1].split()[0]), "") for p in parts]


BINARY = bytes(range(256)) * 8
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
CASES = {
    # kind, content, (detail, line, field) that must be among the issues, good units
    "mif, empty": ("mif", b"", ("file-empty", 1, ""), 0),
    "mif, blank": ("mif", b" \r\n\r\n", ("file-empty", 1, ""), 0),
    "mif, wrong delimiter": ("mif", (HEAD + OLIVE).replace(",", "^"), ("delimiter", 1, ""), 0),
    "mif, binary": ("mif", BINARY, ("file-format", 1, ""), 0),
    "mif, NUL in a row": (
        "mif", HEAD + OLIVE + HANA.replace("Heron", "He\0ron"), ("file-encoding", 3, ""), 1),
    "mif, a PDF": ("mif", PDF, ("file-format", 1, ""), 0),
    "mif, a message": ("mif", adt(), ("delimiter", 1, ""), 0),
    "mif, JSON": ("mif", FORM, ("delimiter", 1, ""), 0),
    "mif, a broken workbook": ("mif", b"PK\x03\x04" + b"x" * 400, ("file-format", 1, ""), 0),
    "mif, required column": (
        "mif", HEAD.replace("Last Name", "Nothing") + OLIVE,
        ("column-missing", 1, "last_name"), 0),
    "mif, required cell": (
        "mif", HEAD + OLIVE.replace("Otter", "") + HANA, ("required", 2, "Last Name"), 1),
    "mif, bad date": (
        "mif", HEAD + OLIVE.replace("02/29/1980", f"02/30/{CANARY}") + HANA,
        ("date-format", 2, "DOB"), 2),
    "mif, unknown code": (
        "mif", HEAD + OLIVE.replace(",F,", f",{CANARY},") + HANA, ("code-unknown", 2, "Gender"), 2),
    "mif, not a CIN": (
        "mif", HEAD + OLIVE.replace("91234567A", CANARY) + HANA,
        ("identifier-format", 2, "CIN"), 2),
    "mif, duplicate row": ("mif", HEAD + OLIVE + HANA + OLIVE, ("row-duplicate", 4, ""), 2),
    "mif, ragged": ("mif", HEAD + OLIVE.replace("\n", ",x,y\n") + HANA, ("column-count", 2, ""), 1),
    "mif, only a header": ("mif", HEAD, ("file-empty", 1, ""), 0),
    "adt, empty": ("adt", b"", ("file-empty", 1, ""), 0),
    "adt, binary": ("adt", BINARY, ("message-structure", 1, "MSH"), 0),
    "adt, a PDF": ("adt", PDF, ("message-structure", 1, "MSH"), 0),
    "adt, a table": ("adt", HEAD + OLIVE, ("message-structure", 1, "MSH"), 0),
    "adt, no delimiters": (
        "adt", adt(1) + "MSH|oops\r" + adt(2), ("message-structure", 5, "MSH-2"), 2),
    "adt, cut in MSH": ("adt", adt(1) + MSH[:30], ("message-truncated", 5, "MSH-9"), 1),
    "adt, cut before PID": (
        "adt", adt(1) + MSH.format(2) + "EVN|A08", ("segment-missing", 5, "PID"), 1),
    "adt, frame without end": (
        "adt", f"\x0b{adt(1)}\x1c\r\x0b{adt(2)}", ("message-truncated", 9, ""), 1),
    "adt, unknown event": (
        "adt", adt(1) + adt(2).replace("ADT^A08", "ADT^Z99"), ("not-supported", 5, "MSH-9"), 1),
    "adt, no ADT": (
        "adt", adt(1) + adt(2).replace("ADT^A08", "ORU^R01"), ("not-supported", 5, "MSH-9"), 1),
    "adt, bad date": (
        "adt", adt(1).replace("19800229", f"1980{CANARY}"), ("date-format", 3, "PID-7"), 1),
    "adt, unknown code": (
        "adt", adt(1).replace("|F\r", f"|{CANARY}\r"), ("code-unknown", 3, "PID-8"), 1),
    "adt, no segment": (
        "adt", adt(1, f"{CANARY}\r") + adt(2), ("message-structure", 5, ""), 2),
    "adt, wrong character set": (
        "adt", adt(1).replace("OTTER", "PE\xd1A").encode("latin-1"),
        ("file-encoding", 1, "MSH-18"), 1),
    "adt, batch count": ("adt", f"BHS|^~\\&\r{adt(1)}BTS|2\r", ("batch-count", 6, "BTS-1"), 1),
    "referral, empty": ("referral", b"", ("file-empty", 1, ""), 0),
    "referral, binary": ("referral", BINARY, ("file-encoding", 1, ""), 0),
    "referral, a PDF": ("referral", PDF, ("file-encoding", 1, ""), 0),
    "referral, a message": ("referral", adt(), ("file-format", 1, ""), 0),
    "referral, cut": ("referral", FORM[: len(FORM) // 2], ("file-format", None, ""), 0),
    "referral, a list": ("referral", b"[1, 2]", ("file-format", 1, ""), 0),
    "referral, nothing": ("referral", b"null", ("file-format", 1, ""), 0),
    "referral, deep": ("referral", b"[" * 100_000, ("file-format", 1, ""), 0),
    "services, empty": ("services", b"", ("file-empty", 1, ""), 0),
    "services, binary": ("services", BINARY, ("file-format", 1, ""), 0),
    "services, a member file": (
        "services", HEAD + OLIVE, ("column-missing", 1, "service_date"), 0),
}  # fmt: skip


def write(folder, content):
    file = folder / "input.dat"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize("command", ["convert", "load"])
@pytest.mark.parametrize("case", CASES)
def test_bad_input(run, tmp_path, command, case):
    kind, content, (detail, line, field), good = CASES[case]
    result = run(command, kind, write(tmp_path, content))
    assert result.code == 1
    found = [
        (where, label) for slug, file, where, label in result.issues
        if slug == detail and file == "input.dat"
    ]  # fmt: skip
    assert any((line in (None, where)) and field == label for where, label in found), result.issues
    if command == "convert":
        units = [orjson.loads(line) for line in result.bundles]
        assert all(unit["type"] == "transaction" for unit in units)
        rows = [u for u in units if u["entry"][0]["resource"]["resourceType"] != "Group"]
        kept = [u for u in rows if any(_kind(e) == "Patient" for e in u["entry"])]
        assert len(kept) == good
    else:
        stored = result.out.partition(" stored")[0].rpartition(" ")[2]
        assert (int(stored) if " stored" in result.out else 0) >= good


def _kind(entry):
    return entry["resource"]["resourceType"]


@pytest.mark.parametrize("command", ["convert", "load", "check"])
@pytest.mark.parametrize("what", ["missing", "folder", "loop", "folder in the way"])
@pytest.mark.parametrize("kind", ["mif", "adt", "referral", "services"])
def test_what_cannot_be_read(run, tmp_path, command, what, kind):
    file = tmp_path / "input.dat"
    if what == "folder":
        file.mkdir()
        (file / "input.dat").mkdir()
    elif what == "loop":
        file.symlink_to(file)
    elif what == "folder in the way":
        write(tmp_path, b"x")
        file = file / "input.dat"
    if command == "load" and what == "folder":
        return  # a folder may be loaded: its files, one after the other
    result = run(command, "" if command == "check" else kind, file)
    assert result.code == 1
    assert ("file-format", "input.dat", 1, "") in result.issues


GOOD = b'{"resourceType": "Patient", "id": "a", "gender": "female"}'


@pytest.mark.parametrize(
    ("content", "detail", "line"),
    [
        (b"", "file-empty", 1),
        (b" \n ", "file-empty", 1),
        (BINARY, "file-format", 1),
        (PDF, "file-format", 1),
        (b"{", "file-format", 1),
        (b"[" * 100_000, "file-format", 1),
        (b"[]", "datatype", 1),
        (b"3", "datatype", 1),
        (b"null", "datatype", 1),
        (b'"Patient"', "datatype", 1),
        (b"{}", "resource-type", 1),
        (b'{"resourceType": "Zqxkanarienvogel"}', "resource-type", 1),
        (b'{"resourceType": 3}', "resource-type", 1),
        (b'{"resourceType": "Patient", "gender": "Zqxkanarienvogel"}', "binding", 1),
        (b'{"resourceType": "Patient", "birthDate": "Zqxkanarienvogel"}', "datatype", 1),
        (b'{"resourceType": "Patient", "nickname": 1}', "element-unknown", 1),
        (GOOD + b"\n{\n" + GOOD, "file-format", 2),
        (GOOD + b"\n\n" + GOOD.replace(b"female", b"F") + b"\n", "binding", 3),
        (HEAD.encode(), "file-format", 1),
        (adt().encode(), "file-format", 1),
    ],
)
def test_check(run, tmp_path, content, detail, line):
    result = run("check", "", write(tmp_path, content))
    assert result.code == 1
    assert (detail, "input.dat", line, "") in result.issues, result.issues
    assert result.out == "input.dat: not valid\n"


@pytest.mark.parametrize("content", [GOOD, GOOD + b"\n" + GOOD + b"\n"])
def test_check_of_what_is_right(run, tmp_path, content):
    result = run("check", "", write(tmp_path, content))
    assert (result.code, result.out, result.err) == (0, "input.dat: valid\n", "")


# --- a line of 200 MB


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A member file with one row of 200 MB between two good ones."""
    file = tmp_path_factory.mktemp("huge") / "input.dat"
    with file.open("wb") as stream:
        stream.write((HEAD + OLIVE + "M9,").encode())
        for _ in range(200):
            stream.write(b"x" * 1_000_000)
        stream.write(b"\n" + HANA.encode())
    yield file
    file.unlink()


@pytest.mark.parametrize(
    ("command", "kind", "detail", "line", "megabytes"),
    [
        ("convert", "mif", "line-size", 3, 24),
        ("load", "mif", "line-size", 3, 24),
        ("convert", "services", "column-missing", 1, 24),
        ("convert", "adt", "file-size", 1, 140),
        ("load", "referral", "file-size", 1, 140),
        ("check", "", "file-size", 1, 140),
    ],
)
def test_a_line_of_200_mb(run, huge, command, kind, detail, line, megabytes):
    tracemalloc.start()
    started = time.monotonic()
    try:
        result = run(command, kind, huge)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 10
    assert peak < megabytes << 20
    assert result.code == 1
    assert (detail, "input.dat", line) in [issue[:3] for issue in result.issues]
    if kind == "mif":
        text = result.out if command == "load" else " ".join(result.bundles)
        assert ("4 stored" in text) if command == "load" else ("Otter" in text and "Heron" in text)


# --- names that are not shipped


@pytest.mark.parametrize("command", ["convert", "load"])
@pytest.mark.parametrize(
    ("kind", "option"),
    [("mif", "--plan"), ("adt", "--feed"), ("referral", "--form"), ("services", "--log")],
)
@pytest.mark.parametrize("name", ["no-such", "../../hl7v2/feeds/default", "/etc/passwd", "a b"])
def test_an_unknown_name_is_a_wrong_command(tmp_path, capfd, command, kind, option, name):
    file = write(tmp_path, adt())
    database = tmp_path / "s.sqlite"
    words = ["--database", f"sqlite:///{database}", command, kind, str(file), option, name]
    assert cli.main(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"ecm-adapter: {option}: not in mappings/")
    assert "one of " in err and err.count("\n") == 1
    assert not database.exists()


def test_the_good_files_of_a_command_are_taken(run, tmp_path, capfd):
    good, bad, issues = tmp_path / "a.hl7", tmp_path / "b.hl7", tmp_path / "issues"
    good.write_text(adt(1), encoding="utf-8", newline="")
    bad.write_text("no message", encoding="utf-8")
    words = ["convert", "adt", str(bad), str(good), str(tmp_path / "none"), "--issues", str(issues)]
    assert cli.main(words) == 1
    out = capfd.readouterr().out
    assert len(out.splitlines()) == 1
    assert [row[:2] for row in outcomes(issues)] == [
        ("message-structure", "b.hl7"), ("file-format", "none"),
    ]  # fmt: skip


def test_every_slug_of_the_cases_is_told_with_a_remedy():
    from adapter.issues import DETAILS

    assert {case[2][0] for case in CASES.values()} <= DETAILS.keys()
    assert all(DETAILS[case[2][0]].remedy for case in CASES.values())
    assert data.root() in (ROOT, Path(data.__file__).parent / "shipped")  # or compiled
