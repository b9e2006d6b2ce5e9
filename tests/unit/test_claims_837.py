"""The 837P of fixtures/claims: golden text, accepted by two judges, read back to the same money."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pyx12.params
import pyx12.x12n_document

from adapter import validation
from adapter.claims import plan
from adapter.claims.write import Correction, Run, Written, write
from adapter.errors import OutputError
from adapter.store.protocol import Trace
from tests.unit.fake_store import FakeStore

ROOT = Path(__file__).resolve().parents[2]
CASE = ROOT / "fixtures" / "claims" / "eight"
JUDGE = ROOT.parent / "shared" / "tools" / "validate_837.py"
NOW = datetime.fromisoformat("2026-02-03T10:30:00-08:00")
PLAN = plan.load("sunrise")


def facts() -> list[dict]:
    return json.loads((CASE / "input.json").read_text(encoding="utf-8"))


def bill(folder: Path, resources: list[dict], corrections=()) -> tuple[Written, FakeStore]:
    store = FakeStore(*resources)
    return write(store, Run(PLAN, "2026-01", folder, NOW, corrections)), store


def accepted(file: Path) -> bool:
    """pyx12's own verdict and its 999: IK5 and AK9 both A."""
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)
    answer = io.StringIO()
    ok = pyx12.x12n_document.x12n_document(
        param=pyx12.params.params(None),
        src_file=str(file),
        fd_997=answer,
        fd_html=None,
        fd_xmldoc=None,
    )
    text = answer.getvalue()
    return bool(ok) and "IK5*A~" in text and "AK9*A*1*1*1~" in text


def parse(text: str) -> list[list[list[str]]]:
    """Segments of elements of components: nothing but splitting."""
    rows = [row.strip("\n") for row in text.split("~")]
    return [[element.split(":") for element in row.split("*")] for row in rows if row]


def claims_of(text: str) -> dict[str, dict]:
    """Claim number -> total, frequency, references, diagnoses and lines."""
    found: dict[str, dict] = {}
    for row in parse(text):
        name, first = row[0][0], row[1][0]
        if name == "CLM":
            claim = {"total": Decimal(row[2][0]), "frequency": row[5][2], "lines": [], "refs": {}}
            found[first] = claim
        elif name == "REF" and found:
            claim["refs"][first] = row[2][0]
        elif name == "HI":
            claim["diagnoses"] = [code[1] for code in row[1:]]
        elif name == "SV1":
            claim["lines"].append((tuple(row[1][1:]), Decimal(row[2][0]), int(row[4][0])))
    return found


def test_golden(tmp_path) -> None:
    result, _ = bill(tmp_path, facts())
    text = result.files[0].read_text(encoding="ascii")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (CASE / "expected.837").write_text(text, encoding="ascii")
    assert text == (CASE / "expected.837").read_text(encoding="ascii")
    assert result.files[0].name == "837P_sunrise_2026-01_000000001.837"
    assert (result.claims, result.lines, result.total) == (5, 9, Decimal("623.75"))


def test_all_eight_combinations_are_in_it() -> None:
    claims = claims_of((CASE / "expected.837").read_text(encoding="ascii"))
    codes = {code for claim in claims.values() for code, _, _ in claim["lines"]}
    assert codes == {
        (hcpcs, *mods)
        for hcpcs, u in (("G9008", "U1"), ("G9012", "U2"), ("G9008", "U8"), ("G9012", "U8"))
        for mods in ((u,), (u, "GQ"))
    }


def test_pyx12_accepts_it() -> None:
    assert accepted(CASE / "expected.837")


def test_pyx12_judges(tmp_path) -> None:
    text = (CASE / "expected.837").read_text(encoding="ascii")
    broken = tmp_path / "broken.837"
    broken.write_text(text.replace("SE*", "SE*9"), encoding="ascii")
    assert not accepted(broken)


@pytest.mark.skipif(not JUDGE.is_file(), reason="the 837 validator beside the project is absent")
def test_a_second_judge_accepts_it() -> None:
    command = [sys.executable, str(JUDGE), "--json", str(CASE / "expected.837")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    verdict = next(iter(json.loads(run.stdout).values()))
    assert (run.returncode, verdict["pyx12"], verdict["semantic"]) == (0, [], [])


def test_what_was_refused_says_why(tmp_path) -> None:
    result, _ = bill(tmp_path, facts())
    assert [(issue.at.source, issue.text) for issue in result.issues] == [
        ("Encounter/x01", "service code before enrollment"),
        ("Encounter/x02", "outreach code after enrollment"),
        ("Encounter/x03", "no NPI of the person"),
        ("Encounter/x04", "no ICD-10-CM diagnosis"),
        ("Encounter/x05", "no place of service"),
        ("Encounter/x06", "its length is unknown or under the plan's first unit"),
    ]


def test_a_refusal_is_placed_in_the_log(tmp_path) -> None:
    store = FakeStore(*facts())
    store.traces["Encounter/x04"] = [
        Trace("period", "log:test", 1, "log.csv", 17, "service_date", ""),
        Trace("reasonCode", "log:test", 1, "log.csv", 17, "diagnosis", ""),
    ]
    result = write(store, Run(PLAN, "2026-01", tmp_path, NOW))
    assert "log.csv:17 diagnosis" in [str(issue.at) for issue in result.issues]


def test_amounts_read_back_equal_the_claims_stored(tmp_path) -> None:
    result, store = bill(tmp_path, facts())
    for number, claim in claims_of(result.files[0].read_text(encoding="ascii")).items():
        stored = store.resources[f"Claim/{number}"]
        assert Decimal(str(stored["total"]["value"])) == claim["total"]
        assert sum(amount for _, amount, _ in claim["lines"]) == claim["total"]
        assert [Decimal(str(row["net"]["value"])) for row in stored["item"]] == [
            amount for _, amount, _ in claim["lines"]
        ]
        assert [row["quantity"]["value"] for row in stored["item"]] == [
            count for *_, count in claim["lines"]
        ]
        assert len(stored["diagnosis"]) == len(claim["diagnoses"])


def test_a_month_is_billed_once(tmp_path) -> None:
    _, store = bill(tmp_path, facts())
    again = write(store, Run(PLAN, "2026-01", tmp_path, NOW))
    assert (again.files, again.claims, again.repeated) == ([], 0, 10)


def test_a_replacement_names_the_claim_it_corrects(tmp_path) -> None:
    _, store = bill(tmp_path, facts())
    fix = Correction("Claim/ECM000000005", "PAYER77001", "7")
    result = write(store, Run(PLAN, "2026-01", tmp_path, NOW, (fix,)))
    claims = claims_of(result.files[0].read_text(encoding="ascii"))
    assert list(claims) == ["ECM000000006"]
    assert claims["ECM000000006"]["frequency"] == "7"
    assert claims["ECM000000006"]["refs"]["F8"] == "PAYER77001"
    related = store.resources["Claim/ECM000000006"]["related"][0]
    assert related["claim"] == {"reference": "Claim/ECM000000005"}
    assert store.resources["Claim/ECM000000005"]["status"] == "cancelled"
    assert accepted(result.files[0])


def test_a_void_frees_its_contacts(tmp_path) -> None:
    _, store = bill(tmp_path, facts())
    void = Correction("Claim/ECM000000005", "PAYER77001", "8")
    result = write(store, Run(PLAN, "2026-01", tmp_path, NOW, (void,)))
    assert accepted(result.files[0])
    assert store.resources["Claim/ECM000000006"]["status"] == "cancelled"
    anew = write(store, Run(PLAN, "2026-01", tmp_path, NOW))
    assert (anew.claims, anew.lines) == (1, 1)


def test_what_may_no_longer_be_billed_can_still_be_voided(tmp_path) -> None:
    first, store = bill(tmp_path, facts())
    told = claims_of(first.files[0].read_text(encoding="ascii"))["ECM000000005"]
    for ref in contacts_of(store, "ECM000000005"):
        del store.resources[ref]  # retracted since, and with it the reason to bill
    for row in list(store.resources.values()):
        if row["resourceType"] == "EpisodeOfCare":
            row["status"] = "entered-in-error"
    void = Correction("Claim/ECM000000005", "PAYER77001", "8")
    result = write(store, Run(PLAN, "2026-01", tmp_path, NOW, (void,)))
    claims = claims_of(result.files[0].read_text(encoding="ascii")).values()
    (again,) = (claim for claim in claims if claim["frequency"] == "8")
    same = ("diagnoses", "lines")
    assert [again[name] for name in same] == [told[name] for name in same]
    assert again["refs"]["F8"] == "PAYER77001"
    assert store.resources["Claim/ECM000000005"]["status"] == "cancelled"
    assert accepted(result.files[0])


def contacts_of(store: FakeStore, claim: str) -> list[str]:
    items = store.resources[f"Claim/{claim}"]["item"]
    return [one["reference"] for item in items for one in item["encounter"]]


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Claim/ECM000000099", "there is no such claim of this plan"),
        ("", "there is no such claim of this plan"),
        ("Claim/ECM000000001", "the claim was replaced or voided before"),
        ("Claim/ECM000000002", "the claim's member or coverage is gone"),
    ],
)
def test_a_void_without_its_claim_is_told(tmp_path, claim: str, text: str) -> None:
    _, store = bill(tmp_path, facts())
    store.resources["Claim/ECM000000001"]["status"] = "cancelled"
    second = store.resources["Claim/ECM000000002"]
    second["insurance"][0]["coverage"] = {"reference": "Coverage/gone"}
    result = write(store, Run(PLAN, "2026-03", tmp_path, NOW, (Correction(claim, "P1", "8"),)))
    assert (result.files, [issue.text for issue in result.issues]) == ([], [text])


def test_51_lines_of_a_member_are_two_claims(tmp_path) -> None:
    rows = [row for row in facts() if row["resourceType"] != "Encounter"]
    sample = next(row for row in facts() if row["id"] == "a05")
    for count in range(51):
        visit = copy.deepcopy(sample)
        visit["id"] = f"v{count:02}"
        visit["period"]["start"] = f"2026-01-{13 + count % 17}T09:00:00-08:00"
        visit["type"][1]["coding"][0]["code"] = f"{11 + count // 17}"
        rows.append(visit)
    result, _ = bill(tmp_path, rows)
    claims = claims_of(result.files[0].read_text(encoding="ascii"))
    assert [len(claim["lines"]) for claim in claims.values()] == [50, 1]
    assert accepted(result.files[0])


def test_an_edit_keeps_the_claim_out_and_the_others_go(tmp_path) -> None:
    rows = facts()
    for row in rows:
        if row["id"] == "auth-birch":
            row["preAuthRef"] = "A*B~C"
    result, _ = bill(tmp_path, rows)
    assert result.claims == 4
    assert result.issues[-1].text == "REF02: characters that X12 does not have"
    assert accepted(result.files[0])


def test_a_name_of_delimiters_cannot_break_the_file(tmp_path) -> None:
    rows = facts()
    for row in rows:
        if row["id"] == "birch":
            row["name"] = [{"family": "Dum~my*HL", "given": ["Q:\n^~SE*1*0001~"]}]
    result, _ = bill(tmp_path, rows)
    assert accepted(result.files[0])
    assert "NM1*IL*1*DUM MY HL*Q SE 1 0001*" in result.files[0].read_text(encoding="ascii")


def test_every_line_can_be_explained(tmp_path) -> None:
    result, store = bill(tmp_path, facts())
    name = result.files[0].name
    segments = result.files[0].read_text(encoding="ascii").split("~\n")
    lines = [at for at, row in enumerate(segments, 1) if row.startswith("SV1*")]
    cells = [store.cell(name, at, "SV1") for at in lines]
    assert all(cells)
    refs = {ref.partition("#")[0] for cell in cells for ref in cell.refs}
    assert refs == {f"Encounter/{n}" for n in ("b01", *(f"a0{k}" for k in range(1, 10)))}


def test_the_service_day_is_the_plans_not_utc(tmp_path) -> None:
    result, _ = bill(tmp_path, facts())
    assert "DTP*472*D8*20260131~" in result.files[0].read_text(encoding="ascii")


def test_nothing_to_bill_writes_no_file(tmp_path) -> None:
    store = FakeStore(*facts())
    result = write(store, Run(PLAN, "2024-01", tmp_path, NOW))
    assert (result.files, result.issues, list(tmp_path.iterdir())) == ([], [], [])


def test_a_folder_that_cannot_be_written_is_our_fault(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="ascii")
    with pytest.raises(OutputError):
        bill(file / "below", facts())


def test_two_runs_give_the_same_bytes(tmp_path) -> None:
    first, _ = bill(tmp_path / "a", facts())
    second, _ = bill(tmp_path / "b", list(reversed(facts())))
    assert first.files[0].read_bytes() == second.files[0].read_bytes()


def test_claims_are_valid_r4_by_two_judges(tmp_path) -> None:
    _, store = bill(tmp_path, facts())
    fix = Correction("Claim/ECM000000005", "PAYER77001", "7")
    write(store, Run(PLAN, "2026-01", tmp_path, NOW, (fix,)))
    claims = [row for key, row in store.resources.items() if key.startswith("Claim/")]
    assert len(claims) == 6
    assert [issue for row in claims for issue in validation.check(row)] == []
    assert [issue for row in claims for issue in validation.judge(row)] == []
