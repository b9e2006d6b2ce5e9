"""XML and fixed-width files: their shapes, what is hostile in them, and flat memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.issues import Issue
from adapter.record import Record
from adapter.sources import layout as layouts
from adapter.sources.header import Header
from adapter.sources.tabular import read

CANONICAL = replace(layouts.load("canonical"), wanted=frozenset())
MEADOW = replace(layouts.load("meadow"), wanted=frozenset())
ROW = "<MEMBER_ID>{0}</MEMBER_ID><LAST_NAME>Otter</LAST_NAME><FIRST_NAME>Olive</FIRST_NAME>"


def run(
    file: bytes | Path, layout: layouts.Layout = CANONICAL
) -> tuple[Header | None, dict[int, dict[str, str]], list[tuple[str, str, int]]]:
    """The header, filled cells by line and label, and (severity, detail, line) of findings."""
    out = list(read(file, layout, "f"))
    header = next((x for x in out if isinstance(x, Header)), None)
    rows = {
        x.line: {label: cell for label, cell in zip(x.labels, x.fields, strict=True) if cell}
        for x in out
        if isinstance(x, Record)
    }
    found = [x for x in out if isinstance(x, Issue)]
    return header, rows, [(i.severity, i.detail, i.at.line if i.at else 0) for i in found]


def xml(*rows: str, around: str = "MIF") -> bytes:
    return f"<{around}>{''.join(f'<Member>{row}</Member>' for row in rows)}</{around}>".encode()


def test_each_member_is_a_row_whatever_it_leaves_out() -> None:
    header, rows, found = run(xml(ROW.format("A1") + "<CIN>90000011A</CIN>", ROW.format("A2")))
    assert header is not None
    assert header.columns == ("plan_member_id", "last_name", "first_name", "cin")
    assert rows[1]["CIN"] == "90000011A"
    assert "CIN" not in rows[2]
    assert found == []


SHAPES = [
    ("namespace", '<m:MIF xmlns:m="urn:x"><m:Member>' + ROW + "</m:Member></m:MIF>"),
    ("attributes", '<MIF><Member MEMBER_ID="{0}" LAST_NAME="Otter" FIRST_NAME="Olive"/></MIF>'),
    ("comments", "<!-- a --><MIF><Member><!-- b -->" + ROW + "</Member></MIF>"),
    ("other case", "<mif><member>" + ROW.lower() + "</member></mif>"),
    ("deeper", "<A><B><Members><Member>" + ROW + "</Member></Members></B></A>"),
    ("declared", '<?xml version="1.0" encoding="UTF-8"?>\n<MIF><Member>' + ROW + "</Member></MIF>"),
]


@pytest.mark.parametrize("text", [shape[1] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_shapes_of_xml(text: str) -> None:
    _, rows, found = run(text.format("A1").encode())
    (cells,) = rows.values()
    assert ({text.upper() for text in cells.values()}, found) == ({"A1", "OLIVE", "OTTER"}, [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_of_xml(encoding: str) -> None:
    text = xml(ROW.format("A1").replace("Otter", "Núñez")).decode()
    assert run(text.encode(encoding))[1][1]["LAST_NAME"] == "Núñez"


def test_elements_inside_others_are_named_by_their_path() -> None:
    inner = "<Address><City>Chico</City><Zip>95926</Zip></Address>"
    header, rows, _ = run(xml(ROW.format("A1") + inner + "<Phone>1</Phone><Phone>2</Phone>"))
    assert header is not None
    assert header.labels[3:] == ("Address City", "Address Zip", "Phone", "Phone 2")
    assert rows[1]["Address City"] == "Chico"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
HOSTILE = [
    ("entities", BOMB.encode() + xml(ROW.format("&b;"))),
    ("a file of this machine", OUTSIDE.encode() + xml(ROW.format("&a;"))),
    ("a document type", b"<!DOCTYPE MIF>" + xml(ROW.format("A1"))),
    ("deep", b"<a>" * 5000),
    ("no members", b"<MIF><Person/></MIF>"),
    ("not well-formed", b"<MIF><Member></MIF>"),
    ("a page", b"<html><body>Sign in</body></html>"),
]


@pytest.mark.parametrize("file", [case[1] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_xml_is_refused_whole(file: bytes) -> None:
    header, rows, found = run(file)
    assert (header, rows, [(s, d) for s, d, _ in found]) == (None, {}, [("fatal", "file-format")])


def test_where_xml_breaks_off_the_rows_before_stand() -> None:
    whole = xml(*[ROW.format(f"A{n}") for n in range(5)])
    _, rows, found = run(whole[: whole.rindex(b"<Member>") + 30])
    assert (sorted(rows), found) == ([1, 2, 3, 4], [("fatal", "file-format", 1)])


def test_memory_does_not_grow_with_xml(tmp_path: Path) -> None:
    file = tmp_path / "members.xml"
    with file.open("wb") as stream:
        stream.write(b"<MIF>")
        for n in range(20_000):
            stream.write(b"<Member>" + ROW.format(f"A{n}").encode() + b"</Member>\n")
        stream.write(b"</MIF>")
    tracemalloc.start()
    count = sum(isinstance(item, Record) for item in read(file, CANONICAL))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (count, peak < 4 << 20) == (20_000, True)


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_no_bytes_behind_a_bracket_make_the_reader_fail(data: bytes) -> None:
    found = list(read(b"<MIF><Member>" + data, CANONICAL))
    assert all(isinstance(item, Header | Record | Issue) for item in found)


def line(*cells: str) -> str:
    return "".join(text.ljust(width) for text, width in zip(cells, MEADOW.widths, strict=False))


def test_lines_are_cut_where_the_layout_says() -> None:
    cells = ("MCP1", "90000011A", "Otter", "Olive", "19800229", "F", "1 Way", "Chico", "CA")
    _, rows, found = run((line(*cells).rstrip() + "\r\n").encode(), MEADOW)
    assert ([*rows[1].values()], found) == ([*cells[:4], "1980-02-29", *cells[5:]], [])


def test_a_shifted_or_short_line_costs_itself_alone() -> None:
    good = line("MCP1", "90000011A", "Otter", "Olive")
    long, short = good.ljust(230) + "behind", "MCP2"
    _, rows, found = run("\n".join((good, long, short, good.replace("1", "3"))).encode(), MEADOW)
    assert sorted(rows) == [1, 4]
    assert found == [("error", "column-count", 2), ("error", "column-count", 3)]
