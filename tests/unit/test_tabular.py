"""The table reader: every shape of member file comes out as records and findings."""

import csv
import io
import tomllib
import tracemalloc
from dataclasses import replace
from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.errors import DataFileError
from adapter.record import Record
from adapter.sources import cells
from adapter.sources import layout as layouts
from adapter.sources.header import Header
from adapter.sources.layout import load
from adapter.sources.lines import Lines, split
from adapter.sources.rows import OPEN, Seen
from adapter.sources.tabular import DEFAULT_LIMITS, Limits, read
from tests.unit.workbooks import book

CANONICAL = replace(load("canonical"), wanted=frozenset())
KERN = replace(load("kern-demographic"), wanted=frozenset())
HEAD = "Member ID,Last Name,First Name,CIN,DOB,Auth End Date\n"
GOOD = "A1,Otter,Olive,91234567A,02/29/1980,12/31/2026\n"


def run(file, layout=CANONICAL, limits=DEFAULT_LIMITS):
    """The header, the records' fields by line, and (severity, detail, line, field) of issues."""
    out = list(read(file if isinstance(file, bytes) else file.encode(), layout, "f.csv", limits))
    header = next((x for x in out if isinstance(x, Header)), None)
    rows = {x.line: list(x.fields) for x in out if isinstance(x, Record)}
    rest = [x for x in out if not isinstance(x, Header | Record)]
    return header, rows, [(x.severity, x.detail, x.at.line, x.at.field) for x in rest]


def test_a_plain_file():
    header, rows, issues = run(HEAD + GOOD)
    assert header.columns == (
        "plan_member_id", "last_name", "first_name", "cin", "birth_date", "auth_end",
    )  # fmt: skip
    assert rows == {2: ["A1", "Otter", "Olive", "91234567A", "02/29/1980", "12/31/2026"]}
    assert issues == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_line_ends_and_encodings(end, encoding):
    text = (HEAD + "A1,Núñez,Olive,91234567A,02/29/1980,\n" + GOOD).replace("\n", end)
    _, rows, issues = run(text.encode(encoding))
    assert [rows[2][1], rows[3][1], issues] == ["Núñez", "Otter", []]


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_delimiters_are_found(delimiter):
    _, rows, issues = run((HEAD + GOOD).replace(",", delimiter))
    assert (rows[2][1], issues) == ("Otter", [])


def test_another_delimiter_than_the_layout_says_is_read_and_told():
    kern = "1|07-01-2026 08:00:00|0|M1|91234567A|02-29-1980|F|Otter|Olive|||||" + "|" * 9 + "\n"
    header, rows, issues = run(kern, KERN)
    assert (header.line, rows[1][7], issues) == (0, "Otter", [])
    _, rows, issues = run(kern.replace("|", "\t"), KERN)
    assert (rows[1][7], issues) == ("Otter", [("warning", "delimiter", 1, "")])


def test_positional_rows_may_end_before_the_optional_columns():
    row = "1|t|0|M1|91234567A|02-29-1980|F|Otter|Olive" + "|" * 13
    header, rows, issues = run(f"{row}\n{row}|1234567893\n{row}|||x\n", KERN)
    assert header.labels[4] == "column 5 (cin)"
    assert [len(rows[1]), rows[2][22], issues] == [
        23,
        "1234567893",
        [("error", "column-count", 3, "")],
    ]


def test_rows_that_differ_only_in_their_number_are_the_same():
    rows = ("{}|07-01-2026 08:00:0{}|0|M1|91234567A|02-29-1980|F|Otter|Olive" + "|" * 14 + "\n",)
    _, found, issues = run("".join(rows[0].format(n, n) for n in (1, 2)), KERN)
    assert (list(found), issues) == ([1], [("warning", "row-duplicate", 2, "")])


HEADERS = [
    ("plain", "Member CIN"),
    ("case and dashes", "MEDI-CAL MEMBER CLIENT INDEX NUMBER (CIN)"),
    ("line break", '"Member Client\nIndex Number (CIN)"'),
    ("double spaces", "Member  Client  Index Number"),
    ("underscore", "mcp_cin"),
]


@pytest.mark.parametrize("text", [h[1] for h in HEADERS], ids=[h[0] for h in HEADERS])
def test_headers_match_on_letters_and_digits(text):
    header, rows, _ = run(f"{text},Last Name,First Name\n91234567A,Otter,Olive\n")
    assert header.columns[0] == "cin"
    assert "Otter" in next(iter(rows.values()))


def test_title_rows_above_the_header():
    title = 'Roster of July,,,,,\n,,,,,\n"printed for\nthe provider",,,,,\n'
    header, rows, issues = run(title + HEAD + GOOD)
    assert (header.line, list(rows), issues) == (5, [6], [])


def test_a_medical_record_number_is_not_a_cin():
    header, _, _ = run("Medical Record Number,Last Name,First Name,Member ID\n1,Otter,Olive,A1\n")
    assert header.columns[0] == "mrn"


def test_columns_that_mean_one_field_are_told():
    text = "Member ID,Last Name,First Name,DOB,dob,Date of Birth,,X,X\nA1,Otter,Olive,1,2,3,,5,6\n"
    header, rows, issues = run(text)
    assert [header.columns[3:6], header.labels[4:]] == [
        ("birth_date", None, None),
        ("dob", "Date of Birth", "column 7", "X", "X (2)"),
    ]
    assert issues == [
        ("warning", "column-unknown", 1, "dob"),
        ("warning", "column-unknown", 1, "Date of Birth"),
    ]
    assert rows[2][3:6] == ["1", "2", "3"]


FATAL = [
    ("nothing", b"", "file-empty"),
    ("mark alone", b"\xef\xbb\xbf", "file-empty"),
    ("blank", b" \r\n\t\r\n", "file-empty"),
    ("pdf", b"%PDF-1.7\n1 0 obj\n", "file-format"),
    ("gzip", b"\x1f\x8b\x08\x00" + bytes(range(200)), "file-format"),
    ("nul bytes", b"\0" * 4096, "file-format"),
    ("junk", bytes(range(1, 32)) * 40, "file-format"),
    ("broken workbook", b"PK\x03\x04" + b"\x07" * 3000, "file-format"),
    ("broken old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "file-format"),
    ("zip, not a workbook", b"PK\x03\x04", "file-format"),
    ("delimiter nobody knows", (HEAD + GOOD).replace(",", "~").encode(), "delimiter"),
    ("a letter", b"Dear partner,\nplease find enclosed\n", "delimiter"),
    ("a page", b"<html><body>Sign in, please</body></html>", "file-format"),
]


@pytest.mark.parametrize(("data", "detail"), [f[1:] for f in FATAL], ids=[f[0] for f in FATAL])
def test_files_that_cannot_be_read(data, detail):
    header, rows, issues = run(data)
    assert (header, rows, issues[-1][:2]) == (None, {}, ("fatal", detail))


def test_a_missing_file_is_an_issue(tmp_path):
    (issue,) = read(tmp_path / "absent.csv", CANONICAL)
    assert (issue.severity, issue.detail, issue.at.source) == ("fatal", "file-format", "absent.csv")


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ("Member ID,Last Name", ["first_name"]),
        ("First Name,Last Name,DOB", ["plan_member_id or cin"]),
        ("Member ID,DOB", ["last_name", "first_name"]),
    ],
)
def test_missing_required_columns(head, fields):
    header, rows, issues = run(f"{head}\n1,2,3\n")
    assert (header, rows) == (None, {})
    assert issues == [("fatal", "column-missing", 1, field) for field in fields]


def test_a_header_without_rows():
    assert run(HEAD)[1:] == ({}, [("warning", "file-empty", 1, "")])


BAD_LINES = [
    ("too few cells", "A2,Otter,Olive\n", "column-count"),
    ("too many cells", "A2,Otter,Olive,91234567A,,,extra\n", "column-count"),
    ("quotation never closed", 'A2,"Otter,Olive,91234567A,,\n', "column-count"),
    ("nul", "A2,Ot\0ter,Olive,91234567A,,\n", "file-encoding"),
    ("no known characters", b"A2,Ot\x81ter,Olive,91234567A,,\n", "file-encoding"),
    ("too long", "A2," + "x" * 5000 + "\n", "line-size"),
    ("cell too long", "A2," + "x" * 140_000 + ",,,,\n", "line-size"),
]


@pytest.mark.parametrize(
    ("line", "detail"), [b[1:] for b in BAD_LINES], ids=[b[0] for b in BAD_LINES]
)
def test_a_bad_line_costs_itself_alone(line, detail):
    line = line if isinstance(line, bytes) else line.encode()
    limit = 200_000 if len(line) > 9000 else 4000
    after = GOOD.replace("A1", "A3").encode()
    _, rows, issues = run(HEAD.encode() + GOOD.encode() + line + after, limits=Limits(line=limit))
    assert (list(rows), issues) == ([2, 4], [("error", detail, 3, "")])


def test_a_quotation_that_runs_over_many_lines_is_taken_back():
    many = [GOOD.replace("A1", f"A{n}") for n in range(10, 400)]
    _, rows, issues = run(HEAD + 'A2,"Otter,Olive,91234567A,,\n' + "".join(many))
    assert (len(rows), min(rows), issues) == (390, 3, [("error", "column-count", 2, "")])


def test_a_quotation_that_runs_over_a_megabyte_is_taken_back():
    many = [GOOD.replace("A1", f"A{n}") for n in range(10, 20_000)]
    _, rows, issues = run(HEAD + 'A2,"Otter,Olive,91234567A,,\n' + "".join(many))
    assert (len(rows), min(rows), issues) == (19_990, 3, [("error", "line-size", 2, "")])


def test_cells_with_line_ends_keep_true_line_numbers():
    text = HEAD + 'A1,"Otter\nBrown",Olive,91234567A,,\n' + GOOD
    _, rows, issues = run(text)
    assert ({n: row[1] for n, row in rows.items()}, issues) == ({2: "Otter\nBrown", 4: "Otter"}, [])


def test_windows_text_is_read_and_told_once():
    text = (HEAD + "A1,Núñez,Olive,91234567A,,\n" + "A2,Peña,Olive,91234567A,,\n").encode("cp1252")
    _, rows, issues = run(text)
    assert [row[1] for row in rows.values()] == ["Núñez", "Peña"]
    assert issues == [("warning", "file-encoding", 2, "")]


def test_control_characters_are_blanks_and_the_dos_end_mark_is_nothing():
    _, rows, issues = run(HEAD + "A1,Ot\x07ter,Olive,91234567A,,\n\x1a")
    assert (rows[2][1], issues) == ("Ot ter", [("warning", "file-encoding", 2, "")])


def test_blank_rows_and_trailing_delimiters_are_nothing():
    _, rows, issues = run(HEAD + ",,,,,\n\n" + GOOD.replace("\n", ",,\n") + "   \n")
    assert (list(rows), issues) == ([4], [])


def test_the_same_row_again_is_skipped():
    other = GOOD.replace("A1", "A2")
    _, rows, issues = run(HEAD + GOOD + other + GOOD)
    assert (list(rows), issues) == ([2, 3], [("warning", "row-duplicate", 4, "")])


def test_fillers_zeros_and_far_ends_are_absent():
    text = HEAD + "A1,Na,Null,0,MISSING DOB,12/31/2078\n" + "A2,Otter,Olive,N/A,0,9999-12-31\n"
    _, rows, issues = run(text)
    assert list(rows.values()) == [
        ["A1", "Na", "Null", "", "", OPEN],
        ["A2", "Otter", "Olive", "", "", OPEN],
    ]
    assert issues == [
        ("information", "filler", 2, "DOB"),
        ("information", "filler", 2, "CIN"),
        ("information", "filler", 2, "Auth End Date"),
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("123.0", "123"),
        ('"=""00123"""', "00123"),
        ("'00123", "00123"),
        ("A.12", "A.12"),
        ("00123", "00123"),
    ],
)
def test_ids_that_a_spreadsheet_bent(cell, text):
    assert run(HEAD + f"{cell},Otter,Olive,91234567A,,\n")[1][2][0] == text


@pytest.mark.parametrize("cell", ["6.45722E+12", "6E+12", "6.45722e+12"])
def test_a_rounded_id_is_told_and_not_used(cell):
    _, rows, issues = run(HEAD + f"{cell},Otter,Olive,91234567A,,\n")
    assert (rows[2][0], issues) == ("", [("warning", "identifier-format", 2, "Member ID")])


def test_a_workbook():
    rows = [
        ["Roster of July"],
        [],
        ["Member ID", "Last Name", "First Name", "CIN", "DOB", "Enrolled", "Zip"],
        [6457220000000.0, "Otter", "Olive", "91234567A", date(1980, 2, 29), True, 95814],
        [12.5, "Otter", "Oscar", None, "02/29/1980", False, "95814"],
        [1e17, "Otter", "Oona", "91234568A", None, None, None],
    ]
    data = book(("Criteria", [["nothing here"]]), ("July MIF 2026", rows))
    out = list(read(data, CANONICAL, "f.xlsx"))
    found = {x.line: list(x.fields) for x in out if isinstance(x, Record)}
    assert found == {
        4: ["6457220000000", "Otter", "Olive", "91234567A", "1980-02-29", "true", "95814"],
        5: ["12.5", "Otter", "Oscar", "", "02/29/1980", "false", "95814"],
        6: ["", "Otter", "Oona", "91234568A", "", "", ""],
    }
    issues = [(x.detail, str(x.at)) for x in out if not isinstance(x, Header | Record)]
    assert issues == [
        ("unmapped", "f.xlsx#July MIF 2026:3"),
        ("identifier-format", "f.xlsx#July MIF 2026:6 Member ID"),
    ]


def test_a_workbook_without_a_sheet_of_the_name_is_read_from_its_first_filled_sheet():
    data = book(("Empty", []), ("Data", [["CIN", "Last Name", "First Name"], ["9", "A", "B"]]))
    assert run(data)[1] == {2: ["9", "A", "B"]}


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.95])
def test_a_truncated_workbook(cut):
    data = book(("MIF", [["CIN", "Last Name", "First Name"], ["9", "A", "B"]]))
    assert run(data[: int(len(data) * cut)])[2] == [("fatal", "file-format", 1, "")]


def test_a_workbook_that_unpacks_beyond_the_limit():
    data = book(("MIF", [["CIN", "Last Name", "First Name"], ["9", "A", "B"]]))
    assert run(data, limits=Limits(unpacked=1000))[2] == [("fatal", "file-format", 1, "")]


def test_a_file_beyond_the_limit():
    assert run(HEAD + GOOD, limits=Limits(file=20))[2] == [("fatal", "file-size", 1, "")]


def test_memory_does_not_grow_with_an_endless_line(tmp_path):
    file = tmp_path / "long.csv"
    with file.open("wb") as stream:
        stream.write((HEAD + GOOD).encode())
        for _ in range(40):
            stream.write(b"x" * (1 << 20))
        stream.write(b"\n" + GOOD.replace("A1", "A3").encode())
    tracemalloc.start()
    out = list(read(file, CANONICAL))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [x.line for x in out if isinstance(x, Record)] == [2, 4]
    assert [x.detail for x in out[1:] if not isinstance(x, Record)] == ["line-size"]
    assert peak < 8 << 20


@given(st.binary(max_size=3000))
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_the_reader_fail(data):
    for layout in (CANONICAL, KERN):
        assert all(str(x.at) for x in read(data, layout) if not isinstance(x, Header | Record))


@given(
    st.lists(st.sampled_from([HEAD, GOOD, '"', ",", "\n", "\r", "\0", "é", "A2,B", "Last Name"]))
)
@settings(max_examples=300, deadline=None)
def test_no_pieces_of_a_file_make_the_reader_fail(pieces):
    for x in read((HEAD + "".join(pieces)).encode(), CANONICAL):
        assert not isinstance(x, Record) or len(x.fields) == 6


@given(st.binary(min_size=1, max_size=8), st.integers(0, 5000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_damage_to_a_workbook_makes_the_reader_fail(junk, place, insert):
    data = book(("MIF", [["CIN", "Last Name", "First Name"], ["9", "A", "B"]]))
    at = place % len(data)
    bent = data[:at] + junk + data[at if insert else at + len(junk) :]
    assert list(read(bent, CANONICAL))


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
                 min_size=3, max_size=3),
        max_size=8,
    )
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_what_csv_writes_is_read_back(rows):
    rows = [[f"id{n}", *row] for n, row in enumerate(rows)]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerows([["Plan Member ID", "Last Name", "First Name", "Unknown"], *rows])
    bare = load("canonical").fillers
    found = list(run(stream.getvalue())[1].values())
    for old, new in zip(rows, found, strict=True):
        assert [cell.strip() for cell in old[:3]] == new[:3]
        assert new[3] == ("" if old[3].strip() in bare else old[3].strip())


@given(st.binary(max_size=200), st.integers(1, 9), st.integers(5, 50))
def test_split_gives_lines_whatever_the_chunks(data, size, limit):
    whole = list(split([data], limit))
    chunks = [data[n : n + size] for n in range(0, len(data), size)]
    assert list(split(chunks, limit)) == whole
    assert [len(x) <= limit for x in whole if x is not None] == [True] * (
        len(whole) - whole.count(None)
    )


def test_lines_can_be_taken_back():
    lines = Lines([b"a\nb\nc\n"], "f", 100)
    assert [next(lines), next(lines), lines.number] == ["a\n", "b\n", 2]
    lines.take_back(1)
    assert [lines.number, *lines, lines.number] == [1, "b\n", "c\n", 3]


@given(st.lists(st.text(max_size=3)))
def test_seen_knows_what_came_before(texts):
    seen, known = Seen(), set()
    for text in texts:
        assert seen.before(text) == (text in known)
        known.add(text)


def test_seen_finds_a_fingerprint_only_where_one_begins():
    seen = Seen()
    texts = [str(n) for n in range(200_000)]
    assert not any(seen.before(text) for text in texts)
    assert all(seen.before(text) for text in texts[::7])


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1.0, "1"),
        (6457220000000.0, "6457220000000"),
        (0.5, "0.5"),
        (-3.0, "-3"),
        (1e16, "1e+16"),
        (True, "true"),
        ("  x ", "  x "),
        (date(1980, 2, 29), "1980-02-29"),
        (datetime(1980, 2, 29), "1980-02-29"),
        (datetime(1980, 2, 29, 8, 30), "1980-02-29T08:30:00"),
        (time(8, 30), "08:30:00"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_cells_of_a_workbook(cell, text):
    assert cells.text(cell) == text


@pytest.mark.parametrize(
    ("cell", "order", "iso"),
    [
        ("12/31/2078", "mdy", "2078-12-31"),
        ("31.12.2078", "dmy", "2078-12-31"),
        ("2078-12-31", "mdy", "2078-12-31"),
        ("20781231", "mdy", "2078-12-31"),
        ("65380", "mdy", "2078-12-31"),
        ("12/31/2078 00:00:00", "mdy", "2078-12-31"),
        ("12/31/78", "mdy", None),
        ("13/31/2078", "mdy", None),
        ("00000000", "mdy", None),
        ("12", "mdy", None),
        ("soon", "mdy", None),
        ("", "mdy", None),
        ("\uff11\uff12\uff13\uff14\uff15", "mdy", None),
        ("\u00b2\u00b2\u00b2\u00b2\u00b2", "mdy", None),
    ],
)
def test_dates_of_a_layout(cell, order, iso):
    assert cells.iso_date(cell, order) == iso


def test_day_first_dates_become_iso(monkeypatch):
    made(monkeypatch, 'dates_as = "dmy"')
    _, rows, _ = run(HEAD + "A1,Otter,Olive,91234567A,29/02/1980,soon\n", layouts._load("moon"))
    assert rows[2][4:] == ["1980-02-29", "soon"]


def made(monkeypatch, *lines):
    """A layout `moon` like canonical, with these lines of TOML more."""
    text = "\n".join(
        ['plan = "moon"', 'title = "t"', 'source = "s"', 'confidence = "unverified"',
         'like = "canonical"', *lines]
    )  # fmt: skip
    plain = layouts.data.toml
    given_file = tomllib.loads(text)
    layouts._load.cache_clear()
    monkeypatch.setattr(
        layouts.data, "toml", lambda file: given_file if file.stem == "moon" else plain(file)
    )


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('colums = "x"', "colums"),
        ('format = "word"', "format"),
        ("header = false", "positions"),
        ('ids = ["cinn"]', "ids.cinn"),
        ('required = [["cin", "cinn"]]', "required.cinn"),
        ('positions = ["cin", "", "cinn"]', "positions.cinn"),
        ('[columns]\ncinn = "X"', "columns.cinn"),
        ('[columns]\ncin = "Medical Record No"', "columns.cin"),
        ('[columns]\nmrn = "CIN"', "columns"),
        ('[provider]\nfax = "1"', "provider"),
    ],
)
def test_a_wrong_layout_is_our_fault_and_says_where(monkeypatch, line, key):
    made(monkeypatch, line)
    with pytest.raises(DataFileError, match=r"moon\.toml") as error:
        load("moon")
    assert error.value.key.startswith(key)


@pytest.mark.parametrize("plan", ["nowhere", "../secret", "", "A"])
def test_an_unknown_plan_is_our_fault(plan):
    with pytest.raises(DataFileError):
        load(plan)


@pytest.mark.parametrize("plan", layouts.plans())
def test_every_layout_loads(plan):
    layout = load(plan)
    assert (f"{plan}-".startswith(f"{layout.plan}-"), bool(layout.source)) == (True, True)
    assert layout.positions or layout.columns["last_name"]


@pytest.mark.parametrize(
    ("plan", "name", "day"),
    [
        ("sunrise", "SUNRISE_MIF_20260701.csv", "2026-07-01"),
        ("sunrise", "SUNRISE_MIF_20269901.csv", ""),
        ("sunrise", "members.csv", ""),
        ("kern-demographic", "HLC_KHS_DEMOGRAPHIC_T_20260701081500.txt", "2026-07-01"),
        ("canonical", "MIF 20260701.xlsx", "2026-07-01"),
    ],
)
def test_the_date_in_a_file_name(plan, name, day):
    assert load(plan).date_of(name) == day
