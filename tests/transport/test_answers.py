"""Frames into the store, answers back: what is durable is acknowledged, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapter.errors import StoreError
from adapter.feeds.answers import Frame, take
from adapter.outcome import Outcome
from adapter.pipeline import Pipeline, UnitResult
from tests.transport.conftest import fields, message


def send(house: Pipeline, *raws: bytes) -> list[dict[str, list[str]]]:
    """The one answer to each frame."""
    answers = take(house, [Frame(raw) for raw in raws])
    assert [len(some) for some in answers] == [1] * len(raws)
    return [fields(some[0]) for some in answers]


def codes(answers: list[dict[str, list[str]]]) -> list[str]:
    return [one["MSA"][1] for one in answers]


def statuses(house: Pipeline) -> list[str]:
    return [line.status for line in house.store.ledger()]


def patients(house: Pipeline) -> int:
    return house.store.search("Patient", [], 0).total


def test_stored_then_accepted(house: Pipeline) -> None:
    answers = send(house, message(1), message(2))
    assert codes(answers) == ["AA", "AA"]
    assert [one["MSA"][2] for one in answers] == ["M000001", "M000002"]
    assert statuses(house) == ["stored", "stored"]
    assert patients(house) == 2


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_answer_names_its_message_whatever_mark_stands_before(
    house: Pipeline, codec: str
) -> None:
    ((answer,),) = take(house, [Frame(message(1).decode().encode(codec))])
    codec = codec.removesuffix("-sig")
    assert fields(answer.decode(codec).encode())["MSA"] == ["MSA", "AA", "M000001"]


def test_a_wrong_count_is_told_where_no_message_can_be_read(house: Pipeline) -> None:
    text = b"BHS|^~\\&|A\r" + message(1).replace(b"ADT^A04^ADT_A01", b"ORU^R01") + b"BTS|5\r"
    take(house, [Frame(text)])
    (line,) = house.store.ledger()
    assert [one["details"]["coding"][0]["code"] for one in line.issues] == [
        "batch-count",
        "not-supported",
    ]


def test_a_replay_gets_its_first_answer_and_changes_nothing(house: Pipeline) -> None:
    first = take(house, [Frame(message(1))])
    before = [house.store.history("Patient", p["id"]) for p in house.store.each("Patient")]
    assert [take(house, [Frame(message(1))]) for _ in range(20)] == [first] * 20
    assert take(house, [Frame(message(1)), Frame(message(1))]) == first * 2
    after = [house.store.history("Patient", p["id"]) for p in house.store.each("Patient")]
    assert after == before
    assert statuses(house) == ["stored"]


def test_a_version_of_any_length_keeps_no_answer_back(house: Pipeline) -> None:
    odd = message(1, msh="P|2." + "9" * 5000)  # more digits than Python makes a number of
    assert codes(send(house, odd, message(2))) == ["AA", "AA"]
    assert statuses(house) == ["stored", "stored"]


def test_other_content_under_a_control_id_is_held_for_review(house: Pipeline) -> None:
    other = message(1, family="PENHALLOW")
    told = send(house, message(1), other, other)
    assert codes(told) == ["AA", "AA", "AA"]
    assert "ERR" not in told[0]
    assert [one["ERR"][3].split("^")[0] for one in told[1:]] == ["205", "205"]
    assert [one["ERR"][4] for one in told[1:]] == ["W", "W"]
    assert statuses(house) == ["stored", "review"]
    (person,) = house.store.each("Patient")
    assert person["name"][0]["family"] == "QUILLFEATHER"
    assert codes(send(house, message(1), other)) == ["AA", "AA"]
    assert statuses(house) == ["stored", "review"]


def test_the_same_control_id_of_two_senders_is_two_messages(house: Pipeline) -> None:
    other = message(1, application="LABOR", family="PENHALLOW", person=2)
    assert codes(send(house, message(1), other)) == ["AA", "AA"]
    assert statuses(house) == ["stored", "stored"]


def test_a_refused_message_may_be_mended_under_its_control_id(house: Pipeline) -> None:
    broken = message(1).replace(b"PID|", b"ZPD|")
    assert codes(send(house, broken, message(1))) == ["AR", "AA"]
    assert statuses(house) == ["refused", "stored"]


def test_without_a_control_id_each_message_is_another(house: Pipeline) -> None:
    raws = [message(n).replace(b"M%06d" % n, b"") for n in (1, 2)]
    assert codes(send(house, *raws)) == ["AA", "AA"]


def test_an_unknown_person_is_accepted_and_a_doubtful_one_is_put_aside(house: Pipeline) -> None:
    twin = message(2, person=1, family="PENHALLOW").replace(b"19800517", b"19991231")
    told = send(house, message(1), twin)
    assert codes(told) == ["AA", "AA"]
    assert statuses(house) == ["stored", "review"]
    assert told[1]["ERR"][3].startswith("204^")


@pytest.mark.parametrize(
    ("raw", "code", "place"),
    [
        (message(1, "A77"), "201", "MSH^1^9^1"),
        (message(1).replace(b"ADT^A04", b"ORU^R01"), "200", "MSH^1^9^1"),
        (message(1, msh="T|2.5.1"), "202", "MSH^1^11^1"),
        (message(1, msh="D^R|2.5.1"), "202", "MSH^1^11^1"),
        (message(1).replace(b"PID|", b"ZPD|"), "100", "PID^1"),
        (b"no message at all", "100", "MSH^1"),
        (b"", "100", "MSH^1"),
        (b"\xff\x00\x80", "100", "MSH^1"),
    ],
)
def test_what_is_not_taken_is_rejected_at_its_place(
    house: Pipeline, raw: bytes, code: str, place: str
) -> None:
    (told,) = send(house, raw)
    assert told["MSA"][1] == "AR"
    assert told["ERR"][3].split("^")[0] == code
    assert told["ERR"][2].startswith(place)
    assert statuses(house) == ["refused"]
    assert house.store.raw(1) is not None


def test_test_messages_stay_out_of_production_but_not_of_a_test_installation(
    house: Pipeline,
) -> None:
    trial = message(1, msh="T|2.5.1")
    assert codes(send(house, trial)) == ["AR"]
    assert patients(house) == 0
    assert codes(send(replace(house, takes=frozenset("PT")), trial)) == ["AA"]
    assert codes(send(house, message(2, msh="|2.5.1"))) == ["AA"]  # it does not say: production


def test_a_frame_over_the_limit_is_rejected_by_its_head(house: Pipeline) -> None:
    (answers,) = take(house, [Frame(message(1)[:150], cut=True)])
    told = fields(answers[0])
    assert told["MSA"][1:3] == ["AR", "M000001"]
    assert told["ERR"][3].startswith("104^")
    assert statuses(house) == ["refused"]


def test_one_bad_message_does_not_spoil_a_batch(house: Pipeline) -> None:
    rows = [
        b"BHS|^~\\&|REG|MERCY|HUB|HARBOR|2026||||B1",
        message(1),
        message(2, "A77"),
        message(3),
        b"BTS|3",
    ]
    (answers,) = take(house, [Frame(b"\r".join(one.rstrip(b"\r") for one in rows))])
    lines = answers[0].decode().split("\r")
    assert [line.split("|")[1:3] for line in lines if line.startswith("MSA")] == [
        ["AA", "M000001"],
        ["AR", "M000002"],
        ["AA", "M000003"],
    ]
    assert lines[0].startswith("BHS|^~\\&|HUB|HARBOR|REG|MERCY|") and lines[-2] == "BTS|3"
    assert statuses(house) == ["stored", "refused", "stored"]
    (bare,) = take(house, [Frame(message(4) + message(5))])
    assert [fields(one)["MSA"][2] for one in bare] == ["M000004", "M000005"]


@pytest.mark.parametrize(
    ("end", "inner"), [("\r", "\r"), ("\n", "\r"), ("\r\n", "\r"), ("\n", "\n"), ("\r\n", "\r\n")]
)
def test_answers_find_their_messages_whatever_ends_the_lines(
    house: Pipeline, end: str, inner: str
) -> None:
    text = [
        message(n, event).decode().replace("\r", inner) for n, event in ((1, "A04"), (2, "A77"))
    ]
    rows = ["BHS|^~\\&|REG|MERCY|HUB|HARBOR|2026||||B1", *text, "BTS|2", ""]
    (answers,) = take(house, [Frame(end.join(rows).encode())])
    told = [row.split("|") for row in answers[0].decode().split("\r")]
    assert [row[1:3] for row in told if row[0] == "MSA"] == [["AA", "M000001"], ["AR", "M000002"]]
    assert [row[2] for row in told if row[0] == "ERR"] == ["MSH^1^9^1"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "latin-1", "utf-8"])
def test_the_answer_is_in_the_sender_s_bytes(house: Pipeline, codec: str) -> None:
    raw = message(1, application="M\xe9RCY").decode("utf-8").encode(codec)
    (answers,) = take(house, [Frame(raw)])
    text = answers[0].decode(codec)
    assert "|M\xe9RCY|" in text and "\rMSA|AA|M000001\r" in text


class Trouble:
    """A pipeline whose commit fails on some batches."""

    def __init__(self, house: Pipeline, error: Exception, poison: str) -> None:
        self.house, self.error, self.poison = house, error, poison

    def __getattr__(self, name: str) -> Any:
        return getattr(self.house, name)

    def commit(self, outcomes: Iterable[Outcome]) -> Iterator[UnitResult]:
        some = list(outcomes)
        if any(self.poison in one.unit.key for one in some):
            raise self.error
        return self.house.commit(some)


def test_a_store_out_of_reach_answers_ae_to_all(house: Pipeline) -> None:
    broken = Trouble(house, StoreError("locked"), "M000002")
    told = send(broken, message(1), message(2), message(3))
    assert codes(told) == ["AE"] * 3
    assert {one["ERR"][3].split("^")[0] for one in told} == {"207"}
    assert statuses(house) == []
    assert codes(send(house, message(1), message(2), message(3))) == ["AA"] * 3


def test_a_poisonous_message_fails_alone(house: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    broken = Trouble(house, RuntimeError("Odette Quillfeather"), "M000002")
    told = send(broken, message(1), message(2), message(3))
    assert codes(told) == ["AA", "AE", "AA"]
    assert "Quillfeather" not in caplog.text and "RuntimeError" in caplog.text


def test_a_message_that_cannot_be_converted_fails_alone(
    house: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapter import convert

    whole = convert.adt

    def fragile(raw: bytes, *rest: Any) -> Iterator[Outcome]:
        if b"M000002" in raw:
            raise ZeroDivisionError
        return whole(raw, *rest)

    monkeypatch.setattr(convert, "adt", fragile)
    assert codes(send(house, message(1), message(2), message(3))) == ["AA", "AE", "AA"]
    assert statuses(house) == ["stored", "stored"]


def test_enhanced_mode_commits_then_accepts(house: Pipeline) -> None:
    (answers,) = take(house, [Frame(message(1, msh="P|2.5.1|||AL|AL"))])
    assert [fields(one)["MSA"][1:3] for one in answers] == [["CA", "M000001"], ["AA", "M000001"]]
    assert take(house, [Frame(message(2, msh="P|2.5.1|||NE|NE"))]) == [[]]
    assert patients(house) == 2
