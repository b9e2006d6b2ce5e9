"""Acknowledgements by themselves: codes, modes, versions, places, envelopes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.issues import DETAILS, Issue
from adapter.record import Location
from adapter.sources.hl7v2_ack import (
    Answer,
    Head,
    acknowledge,
    batch,
    condition,
    heads,
    location,
    wanted,
)

NOW = datetime(2026, 7, 13, 15, 0, 30, tzinfo=UTC)


def head(msh: str, *rows: str, line: int = 1) -> Head:
    return Head([msh, *rows], line)


def plain(version: str = "2.5.1", more: str = "") -> Head:
    return head(f"MSH|^~\\&|REG|MERCY|HUB|HARBOR|2026||ADT^A01^ADT_A01|C1|P|{version}{more}")


def issue(field: str = "", line: int = 1, detail: str = "required", **more: Any) -> Issue:
    return Issue("error", detail, more.get("text", "it is absent"), Location("f", line, field))


def test_a_plain_answer() -> None:
    (answer,) = acknowledge(plain(), Answer("A"), NOW)
    msh, msa, rest = answer.split("\r")
    control = msh.split("|")[9]
    assert msh == (
        f"MSH|^~\\&|HUB|HARBOR|REG|MERCY|20260713150030+0000||ACK^A01^ACK|{control}|P|2.5.1"
    )
    assert (msa, rest) == ("MSA|AA|C1", "")
    assert len(control) == 20


def test_the_same_message_gets_the_same_answer() -> None:
    again = [acknowledge(plain(), Answer("A"), NOW) for _ in range(2)]
    other = acknowledge(plain("2.4"), Answer("A"), NOW)
    assert again[0] == again[1] != other


@pytest.mark.parametrize(
    ("asks", "verdict", "codes"),
    [
        ("", "A", ["AA"]),
        ("", "E", ["AE"]),
        ("", "R", ["AR"]),
        ("|||AL|AL", "A", ["CA", "AA"]),
        ("|||AL|NE", "A", ["CA"]),
        ("|||NE|AL", "A", ["AA"]),
        ("|||NE|NE", "A", []),
        ("|||NE|NE", "R", []),
        ("|||AL|AL", "R", ["CR"]),
        ("|||AL|AL", "E", ["CE"]),
        ("|||ER|AL", "A", ["AA"]),
        ("|||ER|AL", "E", ["CE"]),
        ("|||SU|AL", "A", ["CA", "AA"]),
        ("|||SU|AL", "R", ["AR"]),
        ("|||SU|ER", "R", ["AR"]),
        ("|||SU|ER", "A", ["CA"]),
        ("||||ER", "A", []),
        ("||||SU", "A", ["AA"]),
        ("|||al", "A", ["CA"]),
        ("|||??|??", "A", ["AA"]),
        ('|||""', "A", ["AA"]),
        ('|||""|""', "R", ["AR"]),
        ('|||""|NE', "A", []),
        ('|||AL|""', "A", ["CA"]),
        ('|||""|AL', "A", ["AA"]),
        ("||| AL | NE ", "A", ["CA"]),
        ("|||AL^x|NE", "A", ["CA"]),
        ("||| ", "A", ["AA"]),
        ("|||Y", "R", ["AR"]),
    ],
)
def test_what_the_sender_asks_for(asks: str, verdict: Any, codes: list[str]) -> None:
    found = plain("2.5.1", asks)
    assert wanted(found, verdict) == codes
    answers = acknowledge(found, Answer(verdict, [issue("PID-3")]), NOW)
    told = [row.split("|")[1:3] for one in answers for row in one.split("\r") if row[:3] == "MSA"]
    assert told == [[code, "C1"] for code in codes]


@pytest.mark.parametrize(
    ("version", "kind", "msa", "err"),
    [
        ("2.1", "ACK", "MSA|AR|C1|it is absent|||101^Required field missing^HL70357",
         "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.3", "ACK^A01", "MSA|AR|C1|it is absent|||101^Required field missing^HL70357",
         "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.4", "ACK^A01^ACK", "MSA|AR|C1|it is absent|||101^Required field missing^HL70357",
         "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.5.1", "ACK^A01^ACK", "MSA|AR|C1|it is absent",
         "ERR||PID^1^3^1|101^Required field missing^HL70357|E||||required: it is absent"),
        ("2.9", "ACK^A01^ACK", "MSA|AR|C1",
         "ERR||PID^1^3^1|101^Required field missing^HL70357|E||||required: it is absent"),
        ("", "ACK^A01^ACK", "MSA|AR|C1|it is absent",
         "ERR||PID^1^3^1|101^Required field missing^HL70357|E||||required: it is absent"),
    ],
)  # fmt: skip
def test_an_error_in_the_style_of_its_version(version: str, kind: str, msa: str, err: str) -> None:
    (answer,) = acknowledge(plain(version), Answer("R", [issue("PID-3", 3)]), NOW)
    rows = answer.split("\r")
    assert rows[0].split("|")[8] == kind
    assert rows[1:] == [msa, err, ""]


@pytest.mark.parametrize(
    ("field", "line", "place"),
    [
        ("PID-3", 2, ("PID", "1", "3", "1", "", "")),
        ("PID-3[2].4", 2, ("PID", "1", "3", "2", "4", "")),
        ("PID-3[2].4.2", 2, ("PID", "1", "3", "2", "4", "2")),
        ("DG1-3.1", 4, ("DG1", "2", "3", "1", "1", "")),
        ("DG1", 3, ("DG1", "1", "", "", "", "")),
        ("PV1", 1, ("PV1", "1", "", "", "", "")),
        ("", 4, ("DG1", "2", "", "", "", "")),
        ("", 99, ("MSH", "1", "", "", "", "")),
        ("Member CIN", 2, ("PID", "1", "", "", "", "")),
    ],
)
@pytest.mark.parametrize("first", [1, 70])
def test_where_it_is(field: str, line: int, place: tuple[str, ...], first: int) -> None:
    found = head("MSH|^~\\&|", "PID|1", "DG1|1", "DG1|2", line=first)
    assert location(found, issue(field, first - 1 + line)) == place


def test_where_nothing_is_said() -> None:
    assert location(plain(), Issue("error", "internal", "x"))[:2] == ("MSH", "1")


@pytest.mark.parametrize(
    ("detail", "field", "kind", "code"),
    [
        ("not-supported", "MSH-9", "ADT^A77", "201"),
        ("not-supported", "MSH-9.2", "ADT^A77", "201"),
        ("not-supported", "MSH-9", "ORU^R01", "200"),
        ("not-supported", "MSH-11", "ADT^A01", "202"),
        ("not-supported", "MSH-12", "ADT^A01", "203"),
        ("segment-missing", "PID", "ADT^A01", "100"),
        ("required", "PID-3", "ADT^A01", "101"),
        ("date-format", "PID-7", "ADT^A01", "102"),
        ("code-unknown", "PID-8", "ADT^A01", "103"),
        ("file-size", "", "ADT^A01", "104"),
        ("identity-conflict", "", "ADT^A01", "204"),
        ("key-reused", "MSH-10", "ADT^A01", "205"),
        ("internal", "", "ADT^A01", "207"),
        ("cardinality", "", "ADT^A01", "207"),
    ],
)
def test_codes_of_table_0357(detail: str, field: str, kind: str, code: str) -> None:
    found = head(f"MSH|^~\\&|||||||{kind}|C1")
    assert condition(found, issue(field, detail=detail))[0] == code


def test_every_slug_has_a_code() -> None:
    codes = {condition(plain(), issue(detail=slug))[0] for slug in DETAILS}
    assert codes <= {"100", "101", "102", "103", "104", "201", "204", "205", "207"}


def test_a_message_for_review_is_accepted_with_a_warning() -> None:
    answer = Answer("A", [issue("MSH-10", detail="key-reused")])
    (told,) = acknowledge(plain(), answer, NOW)
    assert "\rMSA|AA|C1|" in told
    assert "|205^Duplicate key identifier^HL70357|W|" in told


def test_delimiters_and_bytes_of_the_sender() -> None:
    found = head("MSH$*%!@$REG*1$M\xe9RCY$HUB$HARBOR$2026$$ADT*A04$C*1$P$2.3")
    (answer,) = acknowledge(found, Answer("R", [issue(text="a $ and a * in it")]), NOW)
    rows = answer.split("\r")
    assert rows[0].startswith("MSH$*%!@$HUB$HARBOR$REG*1$M\xe9RCY$2026")
    assert rows[1].startswith("MSA$AR$C*1$a !F! and a !S! in it$$$101*")
    assert rows[2].startswith("ERR$MSH*1**101@")


@pytest.mark.parametrize("text", ["", "garbage", "MSH", "MSH|", "MSH|^~\\&", "MSHX^~"])
def test_what_has_no_head_is_answered_too(text: str) -> None:
    (found,) = heads(text)
    (answer,) = acknowledge(found, Answer("R", [issue(detail="message-structure")]), NOW)
    msh, msa, *_ = answer.split("\r")
    assert msh.startswith("MSH|^~\\&|||||20260713150030+0000||ACK|A")
    assert msa.startswith("MSA|AR||") or msa.startswith("MSA|AR|")


@given(st.text(alphabet="MSHADTPIV1|^~\\&\r\nAL\x0b\x1c", max_size=80))
def test_any_text_gets_an_answer(text: str) -> None:
    for one in heads(text):
        for message in acknowledge(one, Answer("E", [issue("PID-3[2].1", 2)]), NOW):
            assert message.startswith("MSH")
            assert "\rMSA" in message


BATCH = [
    "FHS|^~\\&|REG|MERCY|HUB|HARBOR|2026||n||F1",
    "BHS|^~\\&|REG|MERCY|HUB|HARBOR|2026||n||B1",
    "MSH|^~\\&|REG|MERCY|HUB|HARBOR|2026||ADT^A01|C1|P|2.5.1",
    "PID|1",
    "MSH|^~\\&|REG|MERCY|HUB|HARBOR|2026||ADT^A01|C2|P|2.5.1",
    "BTS|2",
    "BHS|^~\\&|REG|MERCY|HUB|HARBOR|2026||n||B2",
    "BTS|0",
    "FTS|2",
]


def test_messages_without_a_batch_header_are_a_batch() -> None:
    text = "\r".join(["FHS|^~\\&|A", plain().lines[0], "FTS|1", "FHS|^~\\&|A", "FTS|0", ""])
    rows = batch(text, [["answer\r"]], NOW).split("\r")
    assert [row for row in rows if row[:3] != "FHS"] == ["answer", "FTS|1", "FTS|0", ""]


@pytest.mark.parametrize("twice", ["^~\\\\&", "^~\\\\&#"])
def test_an_escape_character_that_stands_twice(twice: str) -> None:
    msh = plain().lines[0].replace("^~\\&", twice)
    (answer,) = acknowledge(head(msh), Answer("A"), NOW)
    assert answer.startswith("MSH|^~\\&|HUB|HARBOR|REG|MERCY|")
    assert answer.endswith("\rMSA|AA|C1\r")


@pytest.mark.parametrize("trailers", [True, False])
def test_a_batch_is_answered_by_a_batch(trailers: bool) -> None:
    lines = [row for row in BATCH if trailers or row[1:3] != "TS"]
    text = "\r".join(lines)
    rows = batch(text, [["answer 1\r"], ["answer 2\r"]], NOW).split("\r")
    assert rows[0].startswith("FHS|^~\\&|HUB|HARBOR|REG|MERCY|20260713150030+0000||||A")
    assert rows[0].endswith("|F1")
    assert rows[1].endswith("|B1")
    assert rows[2:5] == ["answer 1", "answer 2", "BTS|2"]
    assert rows[5].endswith("|B2")
    assert rows[6:] == ["BTS|0", "FTS|2", ""]
