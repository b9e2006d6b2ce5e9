"""The command line: what goes where, exit codes, and the way back from what was written."""

from __future__ import annotations

import csv
import gc
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import orjson
import pytest

import adapter
from adapter import cli, commands

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
MIF = FIXTURES / "mif" / "sunrise-csv" / "input.csv"
BAD = FIXTURES / "mif" / "bad-dates" / "input.csv"
ADT = FIXTURES / "hl7v2" / "a01-inpatient" / "input.hl7"
BATCH = FIXTURES / "hl7v2" / "batch" / "input.hl7"
FORM = FIXTURES / "referral" / "adult" / "input.json"
LOG = FIXTURES / "services" / "log" / "input.csv"
STORE = ["--database", "sqlite:///s.sqlite"]
KINDS = {
    "mif": (MIF, ["--plan", "sunrise"]),
    "adt": (ADT, ["--feed", "default"]),
    "referral": (FORM, ["--form", "sacramento"]),
    "services": (LOG, ["--log", "canonical"]),
}


@pytest.fixture
def run(capfd, elsewhere, monkeypatch):
    """Run a command in an empty folder: its exit code, stdout and stderr."""
    monkeypatch.setenv("ECM_PROCESSING", "P,T")  # the fixtures are messages of a training system

    def run_command(*words):
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        return (code, *capfd.readouterr())

    return run_command


# --- convert


@pytest.mark.parametrize("kind", KINDS)
def test_convert_writes_a_bundle_a_line(run, kind):
    file, options = KINDS[kind]
    code, out, err = run("convert", kind, file, *options)
    lines = out.splitlines()
    bundles = [orjson.loads(line) for line in lines]
    assert bundles and all(one["type"] == "transaction" for one in bundles)
    assert out.endswith("\n") and "\n\n" not in out
    assert code == int("warning: " in err or "error: " in err)
    assert all(
        line.split(": ")[0] in ("information", "warning", "error") for line in err.splitlines()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_convert_writes_the_same_to_files(run, tmp_path, kind):
    file, options = KINDS[kind]
    code, out, err = run("convert", kind, file, *options)
    words = ["--out", tmp_path / "b.ndjson", "--issues", tmp_path / "i.ndjson"]
    assert run("convert", kind, file, *options, *words) == (code, "", "")
    assert (tmp_path / "b.ndjson").read_text(encoding="utf-8") == out
    reports = [orjson.loads(line) for line in (tmp_path / "i.ndjson").read_bytes().splitlines()]
    assert all(one["resourceType"] == "OperationOutcome" and one["issue"] for one in reports)
    assert sum(len(one["issue"]) for one in reports) == len(err.splitlines())


def test_convert_takes_many_files_and_gives_every_message(run):
    code, out, _ = run("convert", "adt", ADT, BATCH, ADT)
    assert len(out.splitlines()) == 2 + len(run("convert", "adt", BATCH)[1].splitlines())
    assert out.splitlines()[0] == out.splitlines()[-1]
    assert code in (0, 1)


def test_convert_needs_no_store(run, tmp_path):
    run("convert", "adt", ADT)
    assert list(tmp_path.iterdir()) == []


def test_an_issue_names_file_line_field_and_nothing_of_the_value(run):
    code, _, err = run("convert", "mif", BAD, "--plan", "sunrise")
    assert code == 1
    places = [line.split(": ")[1] for line in err.splitlines() if line.startswith("warning")]
    assert places and all(place.startswith("input.csv:") and " " in place for place in places)


@pytest.mark.parametrize("option", ["--out", "--issues"])
@pytest.mark.parametrize("where", ["no/such/folder/x", "."])
def test_an_output_that_cannot_be_written_is_our_fault(run, option, where):
    code, out, err = run("convert", "adt", ADT, option, where)
    assert (code, out) == (2, "")
    assert err.startswith(f"ecm-adapter: {option}: cannot be written") and err.count("\n") == 1


def test_a_command_leaves_the_collector_as_it_was(run):
    before = gc.get_threshold()
    assert run("convert", "adt", ADT)[0] == 0
    assert gc.get_threshold() == before


@pytest.mark.parametrize("files", [1, 60], ids=["at its end", "in the middle"])
def test_a_closed_pipe_is_no_error(files):
    words = [sys.executable, "-m", "adapter", "convert", "adt", *[str(BATCH)] * files]
    with subprocess.Popen(words, cwd=ROOT, stdout=-1, stderr=subprocess.DEVNULL) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(30) in (0, 1)


# --- load


def test_load_counts_and_a_second_time_changes_nothing(run, tmp_path):
    words = ["--database", f"sqlite:///{tmp_path}/s.sqlite", "load"]
    first = run(*words, "adt", ADT)
    again = run(*words, "adt", ADT)
    assert first[1].startswith("input.hl7: 1 stored")
    assert again[1].startswith("input.hl7: 1 duplicate")


@pytest.mark.parametrize("kind", KINDS)
def test_load_takes_every_kind(run, tmp_path, kind):
    file, options = KINDS[kind]
    code, out, _ = run("--database", f"sqlite:///{tmp_path}/s.sqlite", "load", kind, file, *options)
    assert code in (0, 1) and " stored" in out and out.count("\n") == 1


def load_bad(folder):
    return ["--database", f"sqlite:///{folder}/s.sqlite", "load", "mif", BAD, "--plan", "sunrise"]


def test_rejects_are_a_table(run, tmp_path):
    code, out, err = run(*load_bad(tmp_path), "--rejects", "r.csv")
    assert (code, err) == (1, "") and out.startswith("input.csv: ")
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["file", "line", "field", "severity", "issue", "text", "remedy"]
    assert {row["file"] for row in rows} == {"input.csv"}
    assert all(row["line"].isdigit() and row["text"] and row["remedy"] for row in rows)
    assert {row["severity"] for row in rows} <= {"warning", "error", "fatal"}


def test_without_a_reject_file_it_stands_on_stderr(run, tmp_path):
    code, _, err = run(*load_bad(tmp_path))
    assert code == 1 and "warning: input.csv:" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--database", "sqlite:////no/such/folder/x.sqlite", "load", "adt", ADT], "database"),
        (["--database", "nonsense", "load", "adt", ADT], ""),
        ([*STORE, "load", "adt", ADT, "--rejects", "no/x"], "--rejects"),
        ([*STORE, "report", "rtf", "--plan", "none", "--period", "2026-07"], ""),
        ([*STORE, "claims", "--plan", "none", "--period", "2026-07"], ""),
    ],
)  # fmt: skip
def test_our_faults_are_2(run, words, text):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("ecm-adapter: ") and err.count("\n") == 1 and text in err


@pytest.mark.parametrize(
    "words",
    [
        [], ["no-such"], ["convert"], ["convert", "mif", "x.csv"], ["convert", "adt"],
        ["load", "fax", "x"], ["convert", "referral", "x"], ["check"], ["explain"],
        ["report", "rtf"], ["convert", "adt", "--no"],
        ["claims", "--plan", "sunrise", "--period", "July"],
        ["report", "rtf", "--plan", "sunrise", "--period", "2026-13"],
    ],
)  # fmt: skip
def test_a_wrong_command_is_2(run, words):
    code, out, err = run(*words)
    assert (code, out) == (2, "") and "usage: ecm-adapter" in err


def test_a_setting_out_of_range_is_2(run, monkeypatch):
    monkeypatch.setenv("ECM_MAX_BODY", "many")
    assert run("convert", "adt", ADT)[0] == 2


def test_a_smaller_limit_may_be_set(run, monkeypatch):
    monkeypatch.setenv("ECM_MAX_BODY", "100")
    code, out, err = run("convert", "adt", ADT)
    assert (code, out) == (1, "") and "file-size: over 100 bytes (ECM_MAX_BODY)" in err


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_the_system_refuses_is_no_traceback(run, monkeypatch, fault):
    def refuse(options):
        raise fault

    monkeypatch.setattr(commands, "check", refuse)
    code, out, err = run("check", ADT)
    assert (code, out) == (2 if isinstance(fault, OSError) else 130, "")
    assert err in ("ecm-adapter: the system refused (No space left on device)\n", "")


# --- help, version, module


def test_version_and_help(run):
    assert run("--version") == (0, f"{adapter.__version__}\n", "")
    code, out, _ = run("--help")
    assert code == 0 and "Exit codes: 0 clean; 1 " in out and "not shipped" in " ".join(out.split())


@pytest.mark.parametrize("command", ["convert", "load", "check", "explain", "demo", "serve"])
def test_every_command_has_help(run, command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "") and out.startswith(f"usage: ecm-adapter {command}")


def test_as_a_module_from_another_folder(tmp_path):
    words = [sys.executable, "-m", "adapter", "convert", "adt", str(ADT)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, env={"PYTHONPATH": str(ROOT)})
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert list(tmp_path.iterdir()) == []


# --- the way back, from what the demo made


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's folder, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    with redirect_stdout(StringIO()) as said:
        assert cli.main(["demo", "--out", str(folder)]) == 0
    return folder, said.getvalue()


@pytest.fixture
def explain(run, demo):
    """What `explain` prints, and its exit code."""
    folder, _ = demo

    def explain_one(ref):
        code, out, err = run("--database", f"sqlite:///{folder}/demo.sqlite", "explain", ref)
        assert (code == 0) == bool(out) and (code == 1) == bool(err)
        return out

    return explain_one


def written(demo, pattern):
    (file,) = demo[0].glob(pattern)
    return file


def test_the_demo_tells_what_it_made(demo):
    folder, said = demo
    assert "In\n" in said and "In the store\n" in said
    assert {file.suffix for file in folder.iterdir()} >= {".sqlite", ".csv", ".837"}


def test_the_demo_can_be_run_again_and_takes_no_file_of_others(tmp_path, run):
    other = tmp_path / "837P_sunrise_2026-07_000000001.837"
    other.write_text("somebody's own")
    assert run("demo", "--out", str(tmp_path))[0] == 2
    assert other.read_text() == "somebody's own"
    folder = tmp_path / "new"
    assert [run("demo", "--out", str(folder))[0] for _ in range(2)] == [0, 0]
    assert len(list(folder.glob("*.837"))) == 1


def test_a_cell_of_the_return_file_leads_to_its_row(demo, explain):
    file = written(demo, "*.csv")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 3
    for line, row in enumerate(rows, 2):
        out = explain(f"{file.name}:{line}:Member Last Name")
        assert f"{file.name} line {line} Member Last Name" in out
        assert "Patient/" in out and "#name" in out
        assert "Member Last Name (plan:sunrise)" in out and "members.csv:" in out
        assert row["Member Last Name"] not in out  # the way, not the value


def test_a_claim_line_leads_to_its_contact(demo, explain):
    file = written(demo, "*.837")
    segments = [text.strip() for text in file.read_text(encoding="ascii").split("~")]
    lines = [n for n, text in enumerate(segments, 1) if text.startswith("SV1*")]
    assert lines
    for line in lines:
        out = explain(f"{file.name}:{line}:SV1")
        assert "Encounter/" in out and "contacts.csv:" in out


def test_a_resource_and_an_element_lead_to_their_source(demo, explain):
    file = written(demo, "*.csv")
    first = explain(f"{file.name}:2:Member Last Name").splitlines()[1].strip()
    name, _, element = first.partition("#")
    whole, one = explain(name), explain(f"{name}#{element}")
    assert set(one.splitlines()[1:]) <= set(whole.splitlines()[1:])
    assert all(f" {element} <- " in line for line in one.splitlines()[1:])


@pytest.mark.parametrize(
    "ref",
    ["Patient/none", "Patient/none#name", "none.csv:2:Name", "none.csv", "x:²:y", "x:y", "/", ":",
     "", "Patient/../..", "none.csv:99999999999999999999:X"],
)  # fmt: skip
def test_what_is_not_known_is_1(explain, ref):
    assert explain(ref) == ""
