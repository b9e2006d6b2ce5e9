"""Anything through `convert_adt`: no crash, no invalid bundle, no value of a member in a text."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapter
from adapter import convert, data, validation
from adapter.errors import AdapterError, DataFileError
from adapter.issues import DETAILS
from adapter.mapping.events import events

ROOT = Path(__file__).resolve().parents[2]
CANARY = "Zqxkanarienvogel"
MESSAGES = [
    file.read_bytes()
    for name in ("a01-inpatient", "a03-discharge", "a04-emergency", "a08-update", "medi-cal-in-in1")
    for file in (ROOT / "fixtures" / "hl7v2" / name).glob("input.*")
]


def judge(outcome):
    """What must hold of every outcome, whatever went in."""
    assert all(issue.detail in DETAILS for issue in outcome.issues)
    if not outcome.entries:
        assert outcome.bundle is None and outcome.issues
    elif outcome.ok:
        assert outcome.bundle is not None
        assert validation.check_unit([(e.urn, e.resource) for e in outcome.entries]) == []
        assert data.loads(data.dumps(outcome.bundle)) == outcome.bundle
        urns = [entry.urn for entry in outcome.entries]
        assert len(urns) == len(set(urns))
    if not outcome.ok:
        assert outcome.bundle is None
        assert any(issue.severity in ("error", "fatal") for issue in outcome.issues)


def segments(raw):
    return raw.decode().replace("\n", "\r").rstrip("\r").split("\r")


# --- any bytes


@given(st.binary(max_size=400))
def test_any_bytes(raw):
    judge(adapter.convert_adt(raw))


@given(st.text(max_size=200))
def test_any_text(text):
    judge(adapter.convert_adt(text))


@given(st.binary(max_size=200))
def test_any_bytes_after_a_good_head(raw):
    judge(adapter.convert_adt(segments(MESSAGES[0])[0].encode() + b"\r" + raw))


# --- messages that look real

TEXTS = st.sampled_from(
    [
        "", '""', "0", "1", "A", "Y", "²", "\x00", "\x1f", "\x7f", "\ufffe", "🦦", "é\u0301", " ",
        "20260230", "99991231235959", "00010101", "20260704081530-0700", "19800229", "2026",
        "^", "^^^^MR", "&", "&&ISO", "~", "~~", '""~""', '""&""', "A~B~C", "A^B^C^D^E^F^G^H^I^J",
        "X^^^HOSP&1.2&ISO^MR", "91234567A^^^^MA", "\\", "\\T\\", "\\X00\\", "\\XFF\\", "\\.br\\",
        "\\E\\", "\\F\\PID\\F\\", "http://x y", "<script>", "]]>", "%s{}", "-1", "1e999", "9" * 400,
        "A" * 3000, "^".join("ABCDEFGHIJKLMNOPQRSTUVW"), "&".join("ABCDEFG"), "urn:uuid:1",
        "Patient/1", "M", "I", "E", "U", "D", "SEL", "18", CANARY,
    ]
)  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 55), TEXTS), max_size=12)
ORDERS = st.lists(st.integers(0, 30), max_size=6)


def changed(raw, changes, order):
    lines = [line.split("|") for line in segments(raw)]
    for where, place, text in changes:
        fields = lines[where % len(lines)]
        if fields[0] == "MSH" and place < 3:
            continue
        fields += [""] * (place + 1 - len(fields))
        fields[place] = text
    head, *rest = lines
    for number in order:  # doubled, then moved to the end
        if rest:
            rest.append(rest.pop(number % len(rest)) if number % 2 else rest[number % len(rest)])
    return "\r".join("|".join(fields) for fields in (head, *rest))


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.sampled_from(sorted(events())), CHANGES, ORDERS)
def test_mutated_messages(raw, code, changes, order):
    text = re.sub(r"ADT\^A\d\d", f"ADT^{code}", changed(raw, changes, order))
    first, second = adapter.convert_adt(text), adapter.convert_adt(text)
    judge(first)
    assert data.dumps(first.bundle) == data.dumps(second.bundle)
    assert first.issues == second.issues


@settings(max_examples=150)
@given(st.sampled_from(MESSAGES), st.data())
def test_cut_and_broken_messages(raw, draw):
    start, end = sorted(draw.draw(st.tuples(*[st.integers(0, len(raw))] * 2)))
    noise = draw.draw(st.binary(max_size=8))
    for outcome in convert.adt(raw[:start] + noise + raw[end:]):
        judge(outcome)


# --- no value in any text


def filled(shape, code="A01"):
    """A message of every segment of an event with the same text in every field."""
    lines = [f"MSH|^~\\&|{CANARY}|{CANARY}|{CANARY}|{CANARY}|20260704||ADT^{code}|{CANARY}|P|2.5"]
    for name in events()[code].segments:
        fields = [shape.format(f"{CANARY}{name}{place}") for place in range(60)]
        lines += ["|".join([name, *fields])] if name != "MSH" else []
    return lines


SHAPES = [
    "{}", "{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}^{0}",
    "{0}&{0}&{0}~{0}&{0}", "{0}\\Z{0}\\", "20260230{0}", "<{0}>", "{0}@{0}.example", "{0}\x00",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_holds_a_value(shape, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        outcome = adapter.convert_adt("\r".join(filled(shape)))
    judge(outcome)
    assert outcome.ok and len(outcome.issues) > 10
    assert silent(outcome, caplog.text, *capfd.readouterr())


@pytest.mark.parametrize("code", sorted(events()))
def test_no_text_of_any_event_holds_a_value(code, caplog, capfd):
    for shape in SHAPES[:2]:
        outcome = adapter.convert_adt("\r".join(filled(shape, code)))
        judge(outcome)
        assert silent(outcome, caplog.text, *capfd.readouterr())


def silent(outcome, *texts):
    """Whether nothing that is told of an outcome holds a value."""
    told = [f"{issue.text} {issue.path} {issue.at.field}" for issue in outcome.issues]
    return not any(CANARY.lower() in text.lower() for text in (*told, *texts))


@pytest.mark.parametrize(
    "raw",
    [
        CANARY, f"MSH|^~\\&|{CANARY}", f"MSH{CANARY}", f"{CANARY}\rMSH|^~\\&|X",
        f"MSH|^~\\&|A|B|||2026||{CANARY}^{CANARY}|1|P|2.5", f"MSH|^~\\&|A|B|||2026||ADT^{CANARY}|1",
        f"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\r{CANARY}\rpid|{CANARY}\rZZZ|{CANARY}\rPID|{CANARY}",
        f"BHS|^~\\&|{CANARY}\rMSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\rBTS|{CANARY}\rBTS|77",
        f"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5||||||{CANARY}\rPID|\xe9{CANARY}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_text", [True, False])
def test_no_text_of_a_refusal_holds_a_value(raw, as_text, caplog, capfd):
    outcomes = list(convert.adt(raw if as_text else raw.encode("latin-1")))
    told = [f"{issue.text}{issue.path}{issue.at}" for one in outcomes for issue in one.issues]
    assert told
    assert not any(CANARY in text for text in (*told, caplog.text, *capfd.readouterr()))


def test_errors_of_ours_hold_no_value():
    with pytest.raises(AdapterError) as caught:
        adapter.convert_adt(MESSAGES[0], feed="no-such-feed")
    assert isinstance(caught.value, DataFileError)
    assert "OTTER" not in str(caught.value)


# --- what the public functions promise


@pytest.mark.parametrize("raw", MESSAGES)
def test_bytes_and_text_are_the_same(raw):
    assert adapter.convert_adt(raw).bundle == adapter.convert_adt(raw.decode()).bundle


@pytest.mark.parametrize("raw", MESSAGES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_change_nothing(raw, end):
    moved = end.join(segments(raw))
    assert adapter.convert_adt(moved).bundle == adapter.convert_adt(raw).bundle


@pytest.mark.parametrize("raw", MESSAGES)
def test_other_delimiters_change_nothing(raw):
    names = str.maketrans(dict(zip("|^~\\&", "#:*%@", strict=True)))
    text = raw.decode()
    assert not set("#:*%@") & set(text.replace("^~\\&", "")) or ":" in text
    if not set("#:*%@") & set(text):
        assert adapter.convert_adt(text.translate(names)).bundle == adapter.convert_adt(raw).bundle


def test_a_batch_gives_every_message_and_convert_adt_the_first():
    text = b"\r".join(raw.rstrip() for raw in MESSAGES)
    outcomes = list(convert.adt(text))
    assert [one.ok for one in outcomes] == [True] * len(MESSAGES)
    assert adapter.convert_adt(text).bundle == outcomes[0].bundle
    alone = [adapter.convert_adt(raw) for raw in MESSAGES]
    assert [one.unit.raw for one in outcomes] == [one.unit.raw for one in alone]
    names = [[(e.urn, e.identity) for e in one.entries] for one in (*outcomes,)]
    assert names == [[(e.urn, e.identity) for e in one.entries] for one in alone]


def test_the_raw_input_is_kept_as_it_came():
    (raw,) = (ROOT / "fixtures" / "hl7v2" / "other-delimiters").glob("input.*")
    text = raw.read_text(encoding="utf-8").rstrip().replace("\n", "\r")
    assert adapter.convert_adt(text).unit.raw == re.sub("\r+", "\r", text).encode()


PLAN_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["90000011A", "90000012B", "", "bad", CANARY]),
        st.sampled_from(["Otter", "Heron", "", "Otter Jr", "\x00"]),
        st.sampled_from(["02/29/1980", "1980", "", CANARY, "29280"]),
        st.sampled_from(["F", "M", "QQ", "", CANARY]),
        st.sampled_from(["9165550100", "", "none", CANARY]),
    ),
    max_size=8,
)
HEAD = "Member ID,CIN,Last Name,First Name,DOB,Gender,Phone"


def table(rows):
    lines = [f"M{n},{cin},{last},Olive,{dob},{sex},{phone}"
             for n, (cin, last, dob, sex, phone) in enumerate(rows, 1)]  # fmt: skip
    return "\n".join([HEAD, *lines, ""]).encode()


def member_rows(raw):
    return list(
        convert.rows(raw, convert.member_table("canonical"), "m.csv", "2026-07-01T00:00:00Z")
    )


@settings(max_examples=40)
@given(PLAN_ROWS)
def test_rows_are_the_same_alone_and_together(rows):
    """What one row makes does not hang on the rows before it, though values are made once."""
    together = member_rows(table(rows))
    by_line = {
        one.unit.at.line: one for one in together if one.unit.key.endswith(str(one.unit.at.line))
    }
    for one in together:
        judge(one)
        assert not any(CANARY in f"{issue.text}{issue.path}" for issue in one.issues)
    for number, row in enumerate(rows, 2):
        alone = [one for one in member_rows(table([row])) if one.unit.key.endswith(":2")]
        if number not in by_line or not alone:
            continue
        mine = [
            e.resource for e in by_line[number].entries if e.resource["resourceType"] == "Patient"
        ]
        other = [e.resource for e in alone[0].entries if e.resource["resourceType"] == "Patient"]
        for resource in (*mine, *other):
            resource.pop("identifier", None)  # the number in it counts the rows
        assert data.dumps(mine) == data.dumps(other)


@pytest.mark.parametrize(("number", "ok"), [("V1", False), ("V2", True)])
def test_two_people_of_a_message_have_no_stay_in_common(number: str, ok: bool) -> None:
    groups = [
        f"PID|||{who}^^^MERCY^MR||QUILLFEATHER^ODETTE\rPV1|1|I|W1{'|' * 16}{stay}^^^MERCY^VN"
        for who, stay in (("M1", "V1"), ("M2", number))
    ]
    head = "MSH|^~\\&|A|B|||20260710||ADT^A17|1|P|2.5\rEVN|A17|20260710"
    (outcome,) = convert.adt("\r".join([head, *groups, ""]).encode())
    assert outcome.ok is ok
    assert [i.detail for i in outcome.issues if i.failed] == ([] if ok else ["contradiction"])


def test_a_field_of_many_repetitions_came_from_one_place() -> None:
    """Whatever is kept of each identifier, it is not the place of all of them."""
    numbers = "~".join(f"D{number}^^^MERCY^MR" for number in range(500))
    head = "MSH|^~\\&|REG|MERCYTEST|||20260701080000||ADT^A28|M1|P|2.5\r"
    outcome = adapter.convert_adt(f"{head}PID|1||{numbers}||OTTER^OLIVE\r")
    patient = next(e for e in outcome.entries if e.resource["resourceType"] == "Patient")
    assert len(patient.resource["identifier"]) == 500
    assert [told for told in patient.told if told[1] == "identifier"] == [
        (2, "identifier", "PID-3")
    ]


def test_findings_of_many_resources_name_their_own() -> None:
    head = "MSH|^~\\&|REG|MERCYTEST|||20260701080000||ADT^A28|M1|P|2.5\r"
    rows = "".join(f"IN1|{number}|P{number}\r" for number in range(1, 51))
    outcome = adapter.convert_adt(f"{head}PID|1||D1^^^MERCY||OTTER^OLIVE\r{rows}")
    paths = [issue.path for issue in outcome.issues if issue.detail == "profile"]
    assert paths == ["Coverage", *(f"Coverage[{number}]" for number in range(1, 50))]
    found = [e.resource for e in outcome.entries if e.resource["resourceType"] == "Coverage"]
    assert [one for one in found if "profile" in one.get("meta", {})] == []
