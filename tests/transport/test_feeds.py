"""Feed profiles as data: which sender is which, what a profile says, and what it may not."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapter import convert, data, feed_commands, serving
from adapter import store as stores
from adapter.errors import DataFileError
from adapter.feeds import health, report
from adapter.identity.match import resolve
from adapter.mapping import feeds
from adapter.pipeline import Pipeline
from tests.transport.conftest import NOW, message

Write = Callable[..., None]
BASE = 'source = "a test"\nconfidence = "unverified"\nzone = "America/New_York"\n'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write feed profiles into a folder that stands in for the shipped one."""
    folder, path = tmp_path / "feeds", data.path
    folder.mkdir()
    shipped = data.path("mappings", "hl7v2", "feeds")
    (folder / "default.toml").write_bytes((shipped / "default.toml").read_bytes())

    def other(*parts: str) -> Path:
        if parts[:3] == ("mappings", "hl7v2", "feeds"):
            return folder.joinpath(*parts[3:])
        return path(*parts)

    def write_one(**profiles: str) -> None:
        for name, text in profiles.items():
            head = BASE if "zone" not in text else BASE[: BASE.index("zone")]
            (folder / f"{name}.toml").write_text(head + textwrap.dedent(text))

    monkeypatch.setattr(data, "path", other)
    caches = (feeds.feed, feeds.names, feeds.matches, feeds._of_sender)
    for one in caches:
        one.cache_clear()
    yield write_one
    for one in caches:
        one.cache_clear()


def test_the_closest_match_reads_a_message(write: Write) -> None:
    write(
        both='match = [{ application = "ADT", facility = "MERCY" }]',
        place='match = [{ facility = "MERCY" }, { facility = "SUTTER" }]',
        door="match = [{ port = 2576 }]",
        narrow='match = [{ facility = "MERCY", port = 2576 }]',
    )
    found = [
        feeds.of_sender(*sender).name
        for sender in [
            ("ADT", "MERCY"), ("adt ", "Mercy^1.2.3^ISO"), ("ADT^1.2^ISO", "MERCY"),
            ("LAB", "MERCY"), ("LAB", "SUTTER"), ("LAB", "KAISER", 2576), ("LAB", "MERCY", 2576),
            ("ADT", "MERCY", 2576), ("LAB", "KAISER"), ("", ""),
        ]
    ]  # fmt: skip
    assert found == [
        "both", "both", "both", "place", "place", "door", "narrow", "both", "default", "default",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('zone = "Mars/Olympus"', "zone"),
        ('silence = "2 hours"', "silence"),
        ('silence = "PT"', "silence"),
        ('ahead = "2 days"', "ahead"),
        ('control = "sometimes"', "control"),
        ('namespaces = "state"', "namespaces"),
        ('visit = "the number"', "visit"),
        ('never = ["PID-X"]', "never"),
        ('[codes.patient-class]\nER = "E"', "codes"),
        ('colour = "red"', "feed.colour"),
        ('match = [{ host = "x" }]', "match.host"),
        ("match = [{}]", "match"),
        ("zone = 5", "zone"),
        ('zone = "America"', "zone"),
        ("source = 5", "syntax"),  # given twice
        ("title = 5", "title"),
        ("facility = 5", "facility"),
        ("silence = 7200", "silence"),
        ("visit = 19", "visit"),
        ('processing = "P"', "processing"),
        ('processing = ["p"]', "processing"),
        ('processing = ["X"]', "processing"),
        ('never = "PV1"', "never"),
        ("never = [5]", "never"),
        ('switches = "ssn"', "switches"),
        ('switches = ["sss"]', "switches"),
        ("control = []", "control"),
        ('match = { facility = "M" }', "match"),
        ('match = ["M"]', "match"),
        ("match = [{ facility = 5 }]", "match"),
        ('match = [{ port = "2576" }]', "match"),
        ('codes = ["PV1-2"]', "codes"),
        ('[codes]\n"PV1-2" = "E"', "codes"),
        ("[codes.PV1-2]\nE = 5", "codes"),
        ('authorities = ["MERCY"]', "authorities"),
        ("[authorities]\nMERCY = 5", "authorities"),
        ('[authorities]\nMERCY = "no URI"', "authorities"),
    ],
)
def test_a_wrong_profile_is_told_by_its_key(write: Write, text: str, key: str) -> None:
    write(mercy=text)
    with pytest.raises(DataFileError) as caught:
        feeds.matches()
    assert caught.value.key == key


def test_a_wrong_profile_is_told_before_anything_is_served(write: Write, house: Pipeline) -> None:
    write(mercy="silence = 7200")
    with pytest.raises(DataFileError, match="silence"):
        serving.run(house, serving.Listen(port=0), print)


def test_two_feeds_may_not_claim_one_sender(write: Write) -> None:
    write(one='match = [{ facility = "M" }]', two='match = [{ facility = "m" }]')
    with pytest.raises(DataFileError, match="match"):
        feeds.matches()


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT2H", 7200), ("P1D", 86400), ("PT90M", 5400), ("P1DT1S", 86401)]
)
def test_durations(text: str, seconds: int) -> None:
    assert feeds.seconds(text) == seconds


def outcome(raw: bytes, feed: str = "") -> convert.Outcome:
    return next(convert.adt(raw, "message", feed))


def encounter(raw: bytes) -> dict[str, object]:
    entries = outcome(raw).entries
    return next(e.resource for e in entries if e.resource["resourceType"] == "Encounter")


def test_the_field_that_identifies_the_stay(write: Write) -> None:
    write(mercy='match = [{ facility = "MERCYTEST" }]\nvisit = "PID-18"')
    raw = message(7).replace(b"|F|", b"|F||||||||||K77^^^MERCYTEST^AN|", 1)
    assert b"V000007" in raw
    numbers = [one["value"] for one in encounter(raw)["identifier"]]
    assert "V000007" not in numbers and "K77" in numbers
    plain = [one["value"] for one in encounter(message(7))["identifier"]]
    assert plain == ["V000007"]


def test_facilities_that_share_the_names_of_authorities(write: Write) -> None:
    write(hie='match = [{ application = "ADT" }]\nnamespaces = "feed"')
    assert feeds.feed("hie").shared
    assert not feeds.feed("default").shared


@pytest.mark.parametrize("visit", ["PV1-50", "PID-18", "PV2-24", "ZPV-1"])
def test_each_of_two_patients_has_a_stay_of_his_own(write: Write, visit: str) -> None:
    write(mercy=f'match = [{{ facility = "MERCYTEST" }}]\nvisit = "{visit}"')
    name, _, place = visit.partition("-")
    rows = ["MSH|^~\\&|REG|MERCYTEST|||20260705083000||ADT^A17|K1|P|2.5.1", "EVN||20260705083000"]
    for number in "12":
        for segment in dict.fromkeys(("PID", "PV1", name)):
            fields = [segment, *[""] * 60]
            if segment == "PID":
                fields[3], fields[5] = f"R{number}^^^MERCYTEST^MR", f"OTTER^{number}"
            if segment == "PV1":
                fields[2], fields[3] = "I", f"W^{number}^A"
            if segment == name:
                fields[int(place)] = f"V{number}^^^MERCYTEST^VN"
            rows.append("|".join(fields).rstrip("|"))
    found = outcome("\r".join(rows).encode())
    assert found.ok
    people = {one.urn: one.resource for one in found.entries if "name" in one.resource}
    stays = [e.resource for e in found.entries if e.resource["resourceType"] == "Encounter"]
    assert [
        (people[one["subject"]["reference"]]["name"][0]["given"], one["identifier"][0]["value"])
        for one in stays
    ] == [(["1"], "V1"), (["2"], "V2")]


def test_codes_of_the_sender_s_own(write: Write) -> None:
    write(mercy='match = [{ facility = "MERCYTEST" }]\n[codes.PV1-2]\nERX = "E"')
    own = message(7).replace(b"PV1|1|E|", b"PV1|1|ERX|")
    assert encounter(own)["class"]["code"] == "EMER"
    assert not [i for i in outcome(own).issues if i.detail == "code-unknown"]
    other = own.replace(b"MERCYTEST", b"SUTTERTEST")
    assert [i for i in outcome(other).issues if i.detail == "code-unknown"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("ERX", "E"),
        ("ERX~O~ERX", "E~O~E"),
        ("ERX^Own word^L", "E^^^ERX^Own word^L"),
        ("ERX^Own word", "E^^^ERX^Own word"),
        ("ERX^Own^L^X^Other^M", "E^Own^L^X^Other^M"),
        ("O^ERX", "O^ERX"),
        ("", ""),
    ],
)
def test_codes_keep_what_they_replace(write: Write, value: str, read: str) -> None:
    write(mercy='[codes.PV1-2]\nERX = "E"\n[codes."PID-5.7"]\nXX = "L"')
    segments = ["MSH|", "PID|1||||A^B^^^^^XX", f"PV1|1|{value}|x"]
    found = feeds.prepared(segments, feeds.feed("mercy"))
    assert found == ["MSH|", "PID|1||||A^B^^^^^L", f"PV1|1|{read}|x"]


def test_what_a_feed_never_sends_is_not_missed(write: Write) -> None:
    write(mercy='match = [{ facility = "MERCYTEST" }]\nnever = ["EVN"]')
    raw = message(7).replace(b"EVN|", b"ZVN|")
    assert not [i for i in outcome(raw).issues if i.detail == "segment-missing"]


def test_a_zone_of_its_own(write: Write) -> None:
    write(mercy='match = [{ facility = "MERCYTEST" }]')
    raw = message(7).replace(b"20260705083000-0700", b"20260705083000")
    assert outcome(raw).unit.as_of.startswith("2026-07-05T12:30:00")
    assert outcome(raw, "default").unit.as_of.startswith("2026-07-05T15:30:00")


def test_processing_and_reuse_by_feed(write: Write, house: Pipeline) -> None:
    write(
        pilot='match = [{ facility = "MERCYTEST" }]\nprocessing = ["T"]',
        old='match = [{ application = "OLD" }]\ncontrol = "reused"',
    )
    trial = message(1, msh="T|2.5.1")
    assert [one.status for one in house.adt(trial, "", "a")] == ["stored"]
    assert [one.status for one in house.adt(message(2), "", "b")] == ["refused"]
    again = [message(3, application="OLD", family=name, person=3) for name in ("PEN", "PENHALL")]
    assert [one.status for raw in again for one in house.adt(raw, "", "c")] == ["stored"] * 2


@pytest.mark.parametrize("control", ["unique", "reused"])
def test_a_replay_is_one_whatever_profile_its_sender_has(
    write: Write, house: Pipeline, control: str
) -> None:
    """A profile written, renamed and removed meanwhile; the first answer holds."""
    names = ["mercy", "summit", ""]
    got = [[one.status for one in house.adt(message(1), "", "a")]]
    for name in names:
        for file in data.path("mappings", "hl7v2", "feeds").glob("[ms]*.toml"):
            file.unlink()
        if name:
            match = 'match = [{ facility = "MERCYTEST" }]'
            write(**{name: f'{match}\ncontrol = "{control}"'})
        for one in (feeds.feed, feeds.names, feeds.matches, feeds._of_sender):
            one.cache_clear()
        got.append([one.status for one in house.adt(message(1), "", "a")])
    assert got == [["stored"], ["duplicate"], ["duplicate"], ["duplicate"]]
    assert {one["meta"]["versionId"] for one in house.store.each("Patient")} == {"1"}


def test_health_of_feeds(write: Write, house: Pipeline) -> None:
    write(
        mercy='match = [{ facility = "MERCYTEST" }]\nsilence = "PT2H"',
        quiet='match = [{ facility = "QUIET" }]\nsilence = "P1D"',
    )
    list(house.adt(message(1) + message(2) + message(3, "A77"), "", "f"))
    list(house.adt(message(4).replace(b"MERCYTEST", b"SUTTER"), "", "g"))
    found = {one.name: one for one in health.feeds(house.store, NOW)}
    assert set(found) == {"mercy", "quiet", "default"}
    mercy = found["mercy"]
    assert (mercy.messages, mercy.units, mercy.silent) == (3, {"stored": 2, "refused": 1}, False)
    assert (round(mercy.errors, 2), mercy.rate) == (0.33, 0.125)
    assert found["quiet"].silent and found["quiet"].last is None
    assert not found["default"].silent
    later = {one.name: one for one in health.feeds(house.store, NOW.replace(hour=18))}
    assert later["mercy"].silent
    assert [later["mercy"].messages, later["quiet"].silent] == [3, True]


@pytest.mark.parametrize(
    ("after", "silent"),
    [
        (timedelta(hours=2), False),
        (timedelta(hours=2, seconds=1), True),
        (timedelta(days=40), True),
    ],
)
def test_the_command_tells_which_feed_fell_silent(write: Write, silent: bool, after) -> None:
    write(mercy='match = [{ facility = "MERCYTEST" }]\nsilence = "PT2H"')
    clock, said = [NOW], list[str]()
    store = stores.open("sqlite://", resolve)
    house = Pipeline(store, lambda: clock[0])
    list(house.adt(message(1), "", "f"))
    list(house.adt(message(2).replace(b"MERCYTEST", b"SUTTER"), "", "g"))
    clock[0] += after
    assert feed_commands.health(house, False, said.append) == int(silent)
    assert [line.split()[0] for line in said if "SILENT" in line] == ["mercy"] * silent
    list(house.adt(message(3), "", "f"))
    assert feed_commands.health(house, True, said.append) == 0
    store.close()


def test_health_counts_what_cannot_be_read_to_its_sender(write: Write, house: Pipeline) -> None:
    write(
        mercy='match = [{ application = "REGISTRATION", facility = "MERCYTEST" }]',
        harbor='match = [{ facility = "HARBORTEST" }]',
    )
    other = message(2).replace(b"MERCYTEST|ECM", b"HARBORTEST^1.2^ISO|ECM", 1)
    unread = [
        message(3).replace(b"ADT^A04^ADT_A01", b"ORU^R01"),
        message(4).replace(b"ADT^A04^ADT_A01", b""),
        other.replace(b"ADT^A04^ADT_A01", b"ORU^R01").translate(bytes.maketrans(b"|^~", b"*!%")),
        b"\x0b" + message(5),
    ]
    list(house.adt(message(1) + other + b"".join(unread), "", "f"))
    list(house.adt(b"no message", "", "g"))
    found = {one.name: one.units for one in health.feeds(house.store, NOW)}
    assert found == {
        "mercy": {"stored": 1, "refused": 3},
        "harbor": {"stored": 1, "refused": 1},
        "default": {"refused": 1},
    }


def test_what_is_no_message_is_kept_with_its_bytes(house: Pipeline) -> None:
    """Under its sender and number where it has them; two of one file name and line are two."""
    cut = message(2).replace(b"ADT^A04^ADT_A01", b"")
    other = message(3).replace(b"ADT^A04^ADT_A01", b"ORU^R01")
    files = [cut, other, cut, b"MSH|what\rPID|1\r", message(1) + cut]
    for raw in files:
        list(house.adt(raw, "", "a"))
    lines = house.store.ledger()
    assert [line.status for line in lines] == ["refused"] * 3 + ["stored"]
    assert [house.store.raw(line.unit) for line in lines] == [
        cut.rstrip(), other.rstrip(), b"MSH|what\rPID|1", message(1).rstrip(),
    ]  # fmt: skip


def test_a_report_knows_what_each_sender_never_sends(write: Write) -> None:
    write(
        mercy='match = [{ facility = "MERCYTEST" }]\nnever = ["PID-8", "PV2"]',
        harbor='match = [{ facility = "HARBORTEST" }]\nnever = ["PID-7", "PV2"]',
    )
    files = [
        ("a", message(1) + message(2)),
        ("b", message(3).replace(b"MERCYTEST|", b"HARBORTEST|")),
    ]
    made = report.report(files)
    assert (dict(made.broken), made.never) == ({"PID-8": 2, "PID-7": 1}, ["PV2"])
    assert report.report(files[:1], "harbor").broken == {"PID-7": 2}


def test_a_report_says_what_a_sample_carries(write: Write) -> None:
    write(mercy='never = ["PV2", "PID-22", "PID-8"]')
    raws = [
        message(1),
        message(2).replace(b"|F|", b"|QQ|").replace(b"083000-0700", b"083000"),
        message(3, "A77") + b"ZZZ|secret\r",
        b"not a message",
    ]
    made = report.report([("a", raw) for raw in raws], "mercy")
    told = made.as_json()
    rows = {row["field"]: row for row in told["fields"]}
    assert (told["messages"], told["refused"], told["feed"]) == (4, 2, "mercy")
    assert (told["events"], told["not_taken"]) == ({"A04": 2}, {"A77": 1})
    assert rows["PID-3"] == {
        "field": "PID-3", "name": "Patient Identifier List", "state": "mapped", "carried": 3,
        "of": 3,
    }  # fmt: skip
    assert told["reasons"] == {"not-supported MSH-9": 1, "message-structure MSH": 1}
    assert rows["PID-1"]["state"] == "ignored"
    assert rows["PID-8"]["issues"] == {"code-unknown": 1}
    assert rows["EVN-2"]["timesWithoutOffset"] == 1
    assert rows["ZZZ-1"]["state"] == "unmapped"
    assert "PID-10" in told["lacks"] and "PID-3" not in told["lacks"]
    assert "DG1" in told["absent"] and "PV2" not in told["absent"]
    assert {"PID-22", "PV2"} <= set(told["neverSent"])
    assert told["neverYetSent"] == ["PID-8"]
    text = str(told)
    assert not [one for one in ("QUILL", "secret", "QQ", "LANTERN", "MERCYTEST") if one in text]


def test_a_field_that_is_read_with_another_is_mapped(write: Write) -> None:
    raw = message(1) + b"DG1|1||R07.9^Chest pain^I10|||A|X\rZZZ|1\r"
    made = report.report([("a", raw)])
    states = {str(place): use.state for place, use in made.uses.items()}
    assert {name: states[name] for name in ("DG1-1", "DG1-6", "DG1-7", "MSH-10", "ZZZ-1")} == {
        "DG1-1": "ignored", "DG1-6": "mapped", "DG1-7": "ignored", "MSH-10": "mapped",
        "ZZZ-1": "unmapped",
    }  # fmt: skip
    assert [str(place) for place in made.of("unmapped")] == ["ZZZ-1"]


def test_what_is_withheld_is_not_said_to_be_read_by_no_rule(tmp_path: Path) -> None:
    """PID-19 has a rule, which carries no social security number unasked."""
    file = tmp_path / "sample.hl7"
    file.write_bytes(
        message(1).replace(b"|19800517|F", b"|19800517|F" + b"|" * 11 + b"000-00-0001")
    )
    said: list[str] = []
    feed_commands.report(
        Namespace(files=[file], feed="", conformance=False, json=False), said.append
    )
    (line,) = (line for line in said if line.startswith("PID-19"))
    assert line.endswith("mapped   not all is written: PID-19")


def test_a_field_that_no_event_reads_is_not_mapped(write: Write) -> None:
    """PV1 in a message about the person alone makes no stay; a query is not taken at all."""
    made = report.report([("a", message(1, "A31") + message(2, "A19"))])
    assert (made.events, made.not_taken) == ({"A31": 1}, {"A19": 1})
    made = report.report([("a", message(1, "A31"))])
    states = {str(place): (use.state, use.carried, use.idle) for place, use in made.uses.items()}
    assert states["PV1-19"] == ("ignored", 1, 1)
    assert states["PID-3"] == ("mapped", 1, 0)
    made = report.report([("a", message(1, "A31") + message(2))])
    use = made.uses[report.Place("PV1", 19)]
    assert (use.state, use.carried, use.idle) == ("mapped", 2, 1)


def test_a_report_says_how_control_ids_are_used(write: Write) -> None:
    """Before go-live: a sender that numbers anew each day needs `control = "reused"`."""
    raws = [
        message(1),
        message(1) + message(1, family="OTTER"),
        message(2).replace(b"M000002", b""),
    ]
    made = report.report([("a", raw) for raw in raws])
    assert made.as_json()["control"] == {
        "absent": 1, "again with other content": 1, "same message again": 1,
    }  # fmt: skip


def test_a_report_says_what_is_missing_and_where(write: Write) -> None:
    raw = message(1).replace(b"EVN|", b"ZVN|").replace(b"^ODETTE||19800517", b"^ODETTE||1980051")
    raw = raw.replace(b"CA^95814", b"CA^95814||555-01").replace(b"|V000001^^^MERCYTEST^VN", b"")
    made = report.report([("a", raw)])
    assert made.missing["segment-missing EVN"] == 1
    found = sum((use.issues for use in made.uses.values()), made.missing)
    assert found.total() == made.issues.total()
    assert made.uses[report.Place("PID", 7)].issues == {"date-format": 1}
    assert made.as_json()["missing"] == dict(made.missing)


def test_a_patient_without_number_hides_nothing(write: Write) -> None:
    raw = message(1).split(b"\rPID")[0] + b"\rPID|1||||QUILL^NED||1931|M\rPV1|1|E\rZZZ|1\r"
    made = report.report([("a", raw)])
    assert made.uses[report.Place("ZZZ", 1)].state == "unmapped"


def test_a_report_with_the_judge(write: Write) -> None:
    raw = message(1).replace(b"EVN|", b"ZVN|")
    made = report.report([("a", raw)], judged=True)
    assert made.conformance["EVN: required by the standard"] == 1
    assert not report.report([("a", raw)]).conformance


@pytest.mark.parametrize("event", ["A04", "A08", "A11", "A13", "A28", "A31", "A40"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_judge_needs_no_structure_and_reads_every_set(event: str, codec: str) -> None:
    raw = message(1, event).replace(b"EVN|", b"ZVN|")
    text = raw.decode().replace(f"ADT^{event}^ADT_A01", f"ADT^{event}").replace("DETTE", "DÉTTE")
    made = report.report([("a", text.encode(codec))], judged=True)
    assert made.conformance["EVN: required by the standard"] == 1
    assert "message: hl7apy cannot judge this message" not in made.conformance


def test_names_of_the_header_are_told_only_if_they_are_codes(write: Write) -> None:
    raw = message(1, msh="QUILL|9.9").replace(b"A04", b"X!Z")
    told = report.report([("a", raw), ("b", message(2, msh="|"))]).as_json()
    assert (told["not_taken"], told["versions"]) == ({"other": 1}, {"none": 1, "other": 1})
    assert told["processing"] == {"none": 1, "other": 1}
