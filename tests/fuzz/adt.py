"""Coverage-guided fuzzing of convert_adt: whatever the bytes, no exception but our own.

    python -m venv .cache/fuzz && .cache/fuzz/bin/pip install atheris==3.0.0
    PYTHONPATH=.:.venv/lib/python3.11/site-packages \
        .cache/fuzz/bin/python -m tests.fuzz.adt .cache/findings -max_total_time=300

atheris is in no lock file: it has wheels for few machines, and the suite has the same property
(holds.py) with hypothesis: tests/unit/test_hl7v2_bytes.py. The first argument is the folder for
findings, one for each place that raises, and empty when all is well; what follows is libFuzzer's.
The seeds are the fixtures, and the samples of ../shared where it is.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["adapter"]):
    from tests.fuzz.holds import holds

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (ROOT / "fixtures" / "hl7v2", ROOT.parent / "shared" / "samples" / "adt")
WORDS = (
    *"|^~&\\\r\n\v\x1c", '""', '|""|', "^^^", "&&", "~~", "MSH|", "MSH|^~\\&|", "EVN|", "PID|",
    "PD1|", "PV1|", "PV2|", "MRG|", "NK1|", "AL1|", "IAM|", "DG1|", "PR1|", "OBX|", "NTE|", "GT1|",
    "IN1|", "IN2|", "IN3|", "ROL|", "PRT|", "ARV|", "PDA|", "ACC|", "NPU|", "SFT|", "ZBE|", "FHS|",
    "BHS|", "BTS|", "FTS|", "\\T\\", "\\X00\\", "\\.br\\", "\\C2842\\", "UNICODE UTF-8", "8859/1",
    "ISO IR87", "&ISO", "&UUID", "&DNS", "^MR", "^MA", "^VN", "20260704081530-0700", "20260230",
    "0000", "99991231", "|D|", "|A|", "|U|", "|NM|", "|TS|", "|CWE|", "|ED|", "|SN|",
)  # fmt: skip
SIZE = 20_000


def seeds(folder: Path) -> None:
    """Every input of the fixtures and samples, each content once, into `folder`."""
    for raw in {file.read_bytes() for root in SEEDS for file in root.rglob("*.hl7")}:
        if len(raw) <= SIZE:
            (folder / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)


def words(file: Path) -> None:
    """The dictionary that mutations draw from: codes of events, segments, delimiters, escapes."""
    events = [f"A{number:02}" for number in range(1, 64)]
    lines = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in (*WORDS, *events)]
    file.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")


class Search:
    """The target; it goes on after a finding, and keeps one input for each place that raises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, int] = {}

    def __call__(self, raw: bytes) -> None:
        try:
            holds(raw)
        except Exception as error:  # the point of the search: whatever it is
            self._keep(raw, error)

    def _keep(self, raw: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = re.sub(r"[^a-z]+", "-", str(error)) if isinstance(error, AssertionError) else ""
        name = f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}{said}"
        self.found[name] = self.found.get(name, 0) + 1
        if self.found[name] == 1:
            (self.folder / name).write_bytes(raw)
            text = "".join(traceback.format_exception(error))
            (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")
            print(f"FOUND {name}", flush=True)


def main(folder: Path, options: list[str]) -> None:
    """Search until libFuzzer's options end it; it leaves the process itself."""
    folder.mkdir(parents=True, exist_ok=True)
    search = Search(folder)
    with tempfile.TemporaryDirectory() as work:
        corpus, dictionary = Path(work) / "corpus", Path(work) / "words"
        corpus.mkdir()
        seeds(corpus)
        words(dictionary)
        limits = [f"-dict={dictionary}", f"-max_len={SIZE}", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], str(corpus), *limits, *options], search)
        atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
