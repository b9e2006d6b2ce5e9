"""The HL7 v2 reader: line ends, frames, delimiters, escapes, character sets, batches, cuts."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.issues import Issue
from adapter.mapping.datatypes import components
from adapter.record import Message
from adapter.sources import hl7v2
from tests.unit.engine import fresh

MSH = "MSH|^~\\&|REG|MERCYTEST|HUB|HARBOR|20260701080000||ADT^A08|M1|P|2.5"
PID = "PID|1||D1^^^MERCY||OTTER^OLIVE"
TWO = f"{MSH}\r{PID}\r"
VT, FS = "\x0b", "\x1c"


def read(raw):
    """(messages, (detail, line, field) of issues)."""
    found = list(hl7v2.read(raw, "f.hl7"))
    issues = [(x.detail, x.at.line, x.at.field) for x in found if isinstance(x, Issue)]
    return [x for x in found if isinstance(x, Message)], issues


def charset(name, bytes_=b"PE\xd1A", event="ADT^A08"):
    head = f"MSH|^~\\&|REG|MERCYTEST|HUB|HARBOR|2026||{event}|M1|P|2.5||||||{name}\r"
    return head.encode() + b"PID|1||D1||" + bytes_


def family(message):
    return message.segments[1].split("|")[5]


# --- lines and frames


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("tail", ["", "end", "blank"])
def test_every_line_end(end, as_text, tail):
    text = end.join((MSH, PID)) + {"": "", "end": end, "blank": end + " \t" + end}[tail]
    (message,), issues = read(text if as_text else text.encode())
    assert [one for one in message.segments if one] == [MSH, PID]
    assert (issues, message.line) == ([], 1)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("close", [FS + "\r", FS, FS + "\r\n"])
@pytest.mark.parametrize("as_text", [True, False])
def test_mllp_frames(end, close, as_text):
    frame = VT + end.join((MSH, PID)) + end + close
    text = frame * 3
    found, issues = read(text if as_text else text.encode())
    assert [[one for one in message.segments if one] for message in found] == [[MSH, PID]] * 3
    assert issues == []


@pytest.mark.parametrize("before", ["", VT, "\ufeff", "\ufeff" + VT])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-32", None])
def test_byte_order_marks(before, codec):
    text = before + TWO + (FS if VT in before else "")
    (message,), issues = read(text.encode(codec) if codec else text)
    assert (message.segments, issues) == ((MSH, PID), [])


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2])
@pytest.mark.parametrize("name", ["OTTER", "PEÑA"])
def test_a_mark_between_two_files(mark, name):
    one = TWO.replace("OTTER", name).encode()
    found, issues = read(one + mark + one)
    assert [message.raw + b"\r" for message in found] == [one, one]
    assert ([message.line for message in found], issues) == ([1, 3], [])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(codec):
    (message,), issues = read(TWO.replace("OTTER", "PEÑA").encode(codec))
    assert (family(message), issues) == ("PEÑA^OLIVE", [])


def test_a_lf_inside_a_field_is_text_where_cr_ends_segments():
    (message,), issues = read(f"{MSH}\r{PID}\nLAKE\r\nPV1|1|I\r")
    assert (message.segments, issues) == ((MSH, PID + "\nLAKE", "PV1|1|I"), [])


@pytest.mark.parametrize("word", ["MSH ED by ambulance", "MSHX", "MSH1|a"])
def test_a_word_of_a_field_begins_no_message(word):
    (message,), issues = read(f"{MSH}\r{PID}\n{word}\rPV1|1|I\r")
    assert (message.segments, issues) == ((MSH, f"{PID}\n{word}", "PV1|1|I"), [])


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_message_without_delimiters_is_not_part_of_the_one_before(end):
    found, issues = read(f"{MSH}\r{PID}\r{MSH}{end}{PID}{end}MSH oops{end}{PID}{end}")
    assert (len(found), issues) == (2, [("message-structure", 5, "MSH-2")])


def test_each_message_has_its_own_line_end_and_place():
    text = f"{MSH}\n{PID}\nPV1|1|I\n{MSH}\r{PID}\r\n{MSH}\r\n{PID}"
    found, issues = read(text)
    assert [len([s for s in message.segments if s]) for message in found] == [3, 2, 2]
    assert ([message.line for message in found], issues) == ([1, 4, 6], [])


def test_a_blank_line_keeps_the_numbers_of_the_others():
    (message,), _ = read(f"\n\n{MSH}\n\n{PID}\n")
    assert (message.line, message.segments) == (3, (MSH, "", PID))


# --- delimiters and escapes


@pytest.mark.parametrize(
    "delimiters",
    ["|^~\\&", "|^~\\", "|^~\\&#", "$*%!@", "$*%!", "$*%!@=", "^|~\\&", "&~^\\|", ",;:!?"],
)
def test_every_delimiter_comes_from_msh(delimiters):
    names = dict(zip("|^~\\&", delimiters, strict=False))
    standard = "PID|1||A^B~C^D||OTTER" + ("&VAN" if len(delimiters) > 4 else "") + "^OLIVE"
    rest = "|REG|MERCYTEST|||2026||ADT^A08|M1|P|2.5"
    moved = "".join(names.get(char, char) for char in f"{rest}\r{standard}")
    (message,), issues = read("MSH" + delimiters + moved)
    assert (message.segments, issues) == (("MSH|^~\\&" + rest, standard), [])
    assert (message.application, message.facility, message.control) == ("REG", "MERCYTEST", "M1")


@pytest.mark.parametrize(
    ("delimiters", "text", "read_as"),
    [
        ("$*%!@", "SOL & LUZ|X~Y^Z", "SOL & LUZ|X~Y^Z"),
        ("$*%!@", "A!F!B!S!C!R!D!E!E!T!F", "A$B*C%D!E@F"),  # its own delimiters, not the usual ones
        ("$*%!@", "A!X41!!.br!B", "AA\nB"),
        ("$*%!@", "A\\F\\B", "A\\F\\B"),
        ("$*%!@", "50!E! off!", "50! off!"),
        ("$*%!@", "A!X41!F!X42!", "AAFB"),
        ("|^~\\", "SOL & LUZ", "SOL & LUZ"),
        ("|^~\\&#", "ROW \\P\\ 5 #6", "ROW # 5 #6"),
        ("|^~\\&", "A\\F\\B\\S\\C\\R\\D\\E\\E\\T\\F", "A|B^C~D\\E&F"),
        ("|^~\\&", "A\\E\\F\\E\\B", "A\\F\\B"),  # decoded once
        ("|^~\\&", "\\XC3B1\\", "ñ"),
        ("|^~\\&", "\\XF1\\", "ñ"),
        ("|^~\\&", "A\\X001F\\B\\X0D0A\\C", "A  B\r\nC"),
        ("|^~\\&", "A\\H\\B\\N\\C", "ABC"),
        ("|^~\\&", "A\\.sp2\\B\\.in+4\\C", "A\nB C"),
        ("|^~\\&", "half \\ open", "half \\ open"),
        ("|^~\\&", "\\X4\\ \\Z99\\", "\\X4\\ \\Z99\\"),
    ],
)
def test_escapes_are_decoded_once(delimiters, text, read_as):
    field, component = delimiters[0], delimiters[1]
    rest = f"|REG|F|||2026||ADT{component}A08|M1|P|2.5".replace("|", field)
    segment = field.join(["PID", "1", "", "D1", "", text])
    (message,), _ = read(f"MSH{delimiters}{rest}\r{segment}")
    (one,) = components(fresh(), message.segments[1].split("|")[5])
    assert one.replace("\x1f", "&") == read_as


@pytest.mark.parametrize(
    "head", ["MSH", "MSH|", "MSH|^~\\&", "MSH|^~", "MSH|^~|X", "MSH|^^^^|X", "MSH|^~\\^|X",
             "MSHA^~\\&A", "MSH|abcd|X", "MSH |^~\\&|X", "MSH|^~\\&#!|X"],
)  # fmt: skip
def test_without_delimiters_it_is_no_message(head):
    assert read(f"{head}\r{PID}") == ([], [("message-structure", 1, "MSH-2")])


@pytest.mark.parametrize("tail", ["&", "&#"])
def test_an_escaped_escape_character_is_told(tail):
    (message,), issues = read(TWO.replace("^~\\&", "^~\\\\" + tail))
    assert (message.segments, issues) == ((MSH, PID), [("message-structure", 1, "MSH-2")])


def test_control_characters_are_blanks_and_told_once():
    (message,), issues = read(f"{MSH}\r{PID}\x00\x1f\rPV1|\x01\t|I\x7f")
    assert message.segments[1:] == (PID + "  ", "PV1| \t|I\x7f")
    assert issues == [("file-encoding", 2, "")]


# --- character sets


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("", b"PE\xc3\x91A", "PEÑA"),
        ("UNICODE UTF-8", b"PE\xc3\x91A", "PEÑA"),
        ("utf-8", b"PE\xc3\x91A", "PEÑA"),
        ("ASCII", b"PE\xc3\x91A", "PEÑA"),
        ("8859/1", b"PE\xd1A", "PEÑA"),
        ("8859/1", b"PE\xd1A \x96 X", "PEÑA \u2013 X"),  # what senders of 8859/1 really write
        ("8859/2", b"\xa3ODZ", "ŁODZ"),
        ("8859/15", b"\xa4", "€"),
        ("8859/1~UNICODE UTF-8", b"PE\xd1A", "PEÑA"),
        ("8859/1^more", b"PE\xd1A", "PEÑA"),
        ("GB 18030-2000", "王".encode("gb18030"), "王"),
        ("UNICODE UTF-16", b"PE\xc3\x91A", "PEÑA"),  # it reads MSH byte by byte: it is not
    ],
)
def test_msh_18(name, raw, text):
    (message,), issues = read(charset(name, raw))
    assert (family(message), issues) == (text, [])


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("", b"PE\xd1A", "PEÑA"),
        ("UNICODE UTF-8", b"PE\xd1A", "PEÑA"),
        ("8859/1", b"PE\x81A", "PE\ufffdA"),
        ("KLINGON", b"PE\xc3\x91A", "PEÑA"),
        ("8859/1", b"PE\xc3\x91A", "PEÃ\u2018A"),  # a default of the sender's, most likely
        ("8859/15", b"PE\xc3\x91A", "PEÃ\x91A"),
    ],
)
def test_bytes_outside_the_character_set_are_told(name, raw, text):
    (message,), issues = read(charset(name, raw))
    assert (family(message), issues) == (text, [("file-encoding", 1, "MSH-18")])


def test_an_unknown_character_set_of_plain_ascii_harms_nobody():
    assert read(charset("KLINGON", b"OTTER"))[1] == []


def test_each_message_is_read_in_its_own_character_set():
    raw = b"\r".join(
        charset(name, text.encode(codec))
        for name, text, codec in (
            ("8859/1", "PEÑA", "latin-1"),
            ("UNICODE UTF-8", "ÁLVAREZ", "utf-8"),
            ("", "MUÑOZ", "utf-8"),
            ("ISO IR87", "山田", "iso2022_jp"),
            ("", "NUÑEZ", "latin-1"),
            ("GB 18030-2000", "王\U0001f600", "gb18030"),
        )
    )
    found, issues = read(raw)
    assert [*map(family, found)] == ["PEÑA", "ÁLVAREZ", "MUÑOZ", "山田", "NUÑEZ", "王\U0001f600"]
    assert issues == [("file-encoding", 9, "MSH-18")]  # NUÑEZ
    assert b"\r".join(message.raw for message in found) == raw


@pytest.mark.parametrize("name", ["8859/1", "", "ISO IR87"])
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r"])
def test_the_bytes_of_a_message_are_kept(name, end):
    came = charset(name, "山".encode("iso2022_jp") if name[:3] == "ISO" else b"PE\xd1A")
    (message,), _ = read(came.replace(b"\r", end) + end)
    assert message.raw == came
    assert read(message.raw)[0][0].segments == tuple(filter(None, message.segments))


def test_half_a_character_in_a_text_is_told():
    (message,), issues = read(TWO.replace("OTTER", "O\ud800TTER"))
    assert (family(message), issues) == ("O?TTER^OLIVE", [("file-encoding", 1, "MSH-18")])


def test_half_a_character_in_utf_16_is_told():
    (message,), issues = read(b"\xff\xfe" + TWO[:-1].encode("utf-16-le") + b"\0\xd8")
    assert (family(message)[:11], issues) == ("OTTER^OLIVE", [("file-encoding", 1, "MSH-18")])


# --- files and batches


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "file-empty"), (b" \r\n\t ", "file-empty"), ("", "file-empty"),
        ("\x0b\x1c\r", "file-empty"), (b"\x0b\x1c\r", "file-empty"),
        (b"hello", "message-structure"), (b"PID|1\rMSG|2", "message-structure"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "message-structure"), (b"a,b\n1,2\n", "message-structure"),
        (b"FHS|^~\\&|\rBHS|^~\\&|\rBTS|0\rFTS|1\r", "message-structure"),
        (b"\xff\xfe", "file-empty"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_one_issue(raw, detail):
    found, issues = read(raw)
    said = [issue[0] for issue in issues if issue[0] != "file-encoding"]
    assert (found, said) == ([], [detail])


BATCH = f"FHS|^~\\&|A\rBHS|^~\\&|A\r{TWO}{TWO}BTS|{{bts}}\rFTS|{{fts}}\r"


@pytest.mark.parametrize(
    ("bts", "fts", "issues"),
    [
        ("2", "1", []),
        ("", "", []),
        ("two", "x", []),
        ("²", "", []),
        ("3", "1", [("batch-count", 7, "BTS-1")]),
        ("2|comment", "2", [("batch-count", 8, "FTS-1")]),
        ("9" * 5000, "1", []),
    ],
)
def test_batch_counts(bts, fts, issues):
    found, said = read(BATCH.format(bts=bts, fts=fts))
    assert ([message.line for message in found], said) == ([3, 5], issues)
    assert all(message.raw == TWO.rstrip().encode() for message in found)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("tail", ["\r", "\n", "\r\n"])
def test_an_envelope_has_line_ends_of_its_own(end, tail):
    inside = TWO.replace("\r", end) * 2
    text = f"FHS|^~\\&|A\rBHS|^~\\&|A\r{inside}BTS|2\rFTS|1\r".replace("A\r", f"A{tail}")
    found, issues = read(text.replace("BTS|2\rFTS|1\r", f"BTS|2{tail}FTS|1{tail}"))
    assert [message.raw.decode() for message in found] == [TWO[:-1]] * 2
    assert ([message.line for message in found], issues) == ([3, 5], [])


def test_every_file_of_several_is_counted_alone():
    one = BATCH.format(bts=2, fts=1)
    assert read(one + one)[1] == []
    assert read(one.replace("FTS|1\r", "") + one)[1] == [("batch-count", 1, "FHS")]


def test_messages_without_a_batch_header_are_a_batch():
    assert read(f"FHS|^~\\&|A\r{TWO}{TWO}FTS|1\r")[1] == []
    assert read(f"FHS|^~\\&|A\r{TWO}BTS|2\rFTS|1\r")[1] == [("batch-count", 4, "BTS-1")]


def test_a_batch_segment_inside_a_message_does_not_end_it():
    (message,), issues = read(f"{MSH}\rBHS|^~\\&\r{PID}\rBTS|1\r")
    assert message.segments == (MSH, "", PID)
    assert issues == [("message-structure", 2, "")]


def test_every_batch_of_a_file_is_counted_alone():
    one = f"BHS|^~\\&|A\r{TWO}BTS|1\r"
    assert read(f"FHS|^~\\&|A\r{one}{one}{one}FTS|3\r")[1] == []
    assert read(f"{one}{one}FTS|3\r")[1] == [("batch-count", 9, "FTS-1")]


@pytest.mark.parametrize(
    ("raw", "issues"),
    [
        (f"BHS|^~\\&|A\r{TWO}{TWO}", [("batch-count", 1, "BHS")]),
        (f"FHS|^~\\&|A\rBHS|^~\\&|A\r{TWO}BTS|1\r", [("batch-count", 1, "FHS")]),
        (f"BHS|^~\\&|A\r{TWO}BTS|1\rBHS|^~\\&|A\r{TWO}", [("batch-count", 5, "BHS")]),
        (f"{TWO}{TWO}", []),
    ],
)
def test_a_batch_without_its_end_may_be_cut_off(raw, issues):
    assert read(raw)[1] == issues


def test_one_bad_message_does_not_spoil_the_rest():
    found, issues = read(f"{TWO}MSH|oops\r{PID}\r{TWO}")
    assert ([message.line for message in found], issues) == (
        [1, 5],
        [("message-structure", 3, "MSH-2")],
    )


def test_what_stands_outside_of_messages_is_told_once():
    found, issues = read(f"report of today\rpage 1\r{TWO}")
    assert (found[0].line, issues) == (3, [("message-structure", 1, "")])


def test_what_is_no_segment_is_told_with_its_line():
    (message,), issues = read(f"{MSH}\rpid|1\r{PID}\rPV\r1AB|x\rZZ1|ours\rPV1")
    assert message.segments == (MSH, "", PID, "", "", "ZZ1|ours", "PV1")
    assert issues == [("message-structure", line, "") for line in (2, 4, 5)]


# --- cut messages


@pytest.mark.parametrize("end", ["\r", "\n"])
def test_a_frame_without_end_is_cut(end):
    frame = VT + end.join((MSH, PID)) + end
    found, issues = read(frame)
    assert (found, [issue[0] for issue in issues]) == ([], ["message-truncated"])
    found, issues = read(frame + FS + "\r" + frame)
    assert (len(found), [issue[0] for issue in issues]) == (1, ["message-truncated"])
    other = TWO.replace("|M1|", "|M2|")
    for cut in (VT + TWO + other, VT + TWO + other + VT + TWO + FS + "\r"):
        found, issues = read(cut)  # of several in a frame without end the last may be cut off
        assert [one.control for one in found] == ["M1"] * cut.count("|M1|")
        assert issues == [("message-truncated", 4, "")]
    found, issues = read((frame + frame + FS + "\r").encode())
    assert (len(found), [issue[0] for issue in issues]) == (1, ["message-truncated"])


@pytest.mark.parametrize(
    ("head", "detail"),
    [
        ("MSH|^~\\&|REG", "message-truncated"),
        ("MSH|^~\\&|REG|F|||2026|", "message-truncated"),
        ("MSH|^~\\&|REG|F|||2026||ADT", "not-supported"),
        ("MSH|^~\\&|REG|F|||2026||ORU^R01", "not-supported"),
        ("MSH|^~\\&|REG|F|||2026||ADT^", "not-supported"),
    ],
)
def test_a_head_without_event(head, detail):
    assert read(head) == ([], [(detail, 1, "MSH-9")])


@given(cut=st.integers(0, len(TWO)), end=st.sampled_from(["\r", "\n", "\r\n"]))
def test_a_message_cut_anywhere_is_a_message_or_an_issue(cut, end):
    found, issues = read(TWO[:cut].replace("\r", end))
    assert found or issues
    assert all(message.segments[0] == MSH[:cut] for message in found)


@given(st.binary(max_size=300))
def test_any_bytes_are_messages_or_issues(raw):
    found, issues = read(raw)
    assert found or issues


@given(st.text(alphabet="MSH|^~\\&\r\n\x0b\x1cAB$\ufeff\ud800 ", max_size=60))
def test_any_text_is_messages_or_issues(text):
    found, issues = read("MSH" + text)
    assert found or issues


PIECES = [
    "PID|1||7^^^A^MR",
    "NK1|",
    "ZZ|1",
    "BTS|1",
    "BHS|^~\\&",
    MSH,
    "",
    " ",
    "OBX|a\tb",
    "PV1|é ",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=5),
    st.sampled_from(["\r", "\n", "\r\n"]),
    st.sampled_from(["", " ", "\r", "\n", "\r\n", "\r\r", " \r\n "]),
)
def test_the_short_way_reads_as_the_long_one(lines, end, tail):
    text = end.join([MSH, *lines]) + tail
    short = list(hl7v2.read(text, "m"))
    with patch.object(hl7v2, "_PLAIN", lambda _: None):
        assert short == list(hl7v2.read(text, "m"))
