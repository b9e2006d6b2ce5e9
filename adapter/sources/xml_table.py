"""Records of an XML file (`<Member>` elements) to rows of cells; the one door to lxml here."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from lxml import etree

from adapter.sources import cells
from adapter.sources.delimited import Row

MAGIC = b"<"
_MOST_NAMES = 2000  # columns; more than that is not a table
_Cells = dict[str, str]


class NotATable(ValueError):
    """The bytes are not XML that can be read as a table; the text says in what way."""


def names(file: Path | bytes, elements: Collection[str]) -> list[str]:
    """The columns of a file: paths of all leaves of its records, in order of first appearance.

    The file is read to its end or to where it breaks, in flat memory. Raises NotATable when it has
    a document type, when no element is called like one of `elements`, or it is no XML at all.
    """
    found: dict[str, None] = {}
    try:
        for record in _records(file, elements):
            found.update(dict.fromkeys(_leaves(record)))
            if len(found) > _MOST_NAMES:
                raise NotATable(f"more than {_MOST_NAMES} different names")
    except etree.XMLSyntaxError:
        if not found:
            raise NotATable("not well-formed XML") from None
    if not found:
        raise NotATable("no record of a known name in the XML")
    return list(found)


def likely(file: Path | bytes) -> str:
    """The element that holds one record each: the outermost of those that are met again and again.

    Raises NotATable when the file is no XML or has no such element.
    """
    met: Counter[tuple[int, str]] = Counter()
    depth, below = 0, [0]
    try:
        for event, element in _events(file):
            if event == "start":
                depth += 1
                below.append(0)
                continue
            depth -= 1
            if below.pop() > 1 and depth and isinstance(element.tag, str):
                met[depth, _bare(element.tag)] += 1
            below[-1] += 1
            element.clear()
            if element.getparent() is not None:
                _forget(element)
    except etree.XMLSyntaxError:
        raise NotATable("not well-formed XML") from None
    if not met:
        raise NotATable("no element with others in it")
    often = max(met.values()) / 2
    return min(name for name, count in met.items() if count >= often)[1]


def rows(file: Path | bytes, elements: Collection[str], columns: list[str]) -> Iterator[Row]:
    """Each record as a row, numbered from 1 by its order in the file.

    Raises NotATable where the file breaks off; the rows before it are good.
    """
    places = {name: place for place, name in enumerate(columns)}
    number = 0
    try:
        for number, record in enumerate(_records(file, elements), 1):
            row = [""] * len(columns)
            for name, text in _leaves(record).items():
                row[places[name]] = text
            yield Row(number, row)
    except etree.XMLSyntaxError:
        raise NotATable(f"the XML breaks off after record {number}") from None


def _records(file: Path | bytes, elements: Collection[str]) -> Iterator[etree._Element]:
    """The record elements one by one; each is emptied before the next is read."""
    wanted = {cells.key(name) for name in elements}
    depth, inside = 0, 0
    for event, element in _events(file):
        depth += 1 if event == "start" else -1
        if not isinstance(element.tag, str):
            continue
        if event == "start" and not inside and depth > 1 and _name(element) in wanted:
            inside = depth
        elif event == "end" and inside == depth + 1:
            inside = 0
            yield element
        if event == "end" and not inside:
            _forget(element)


def _events(file: Path | bytes) -> Iterator[tuple[str, etree._Element]]:
    """Starts and ends of elements; nothing outside the file is read, no entity is resolved."""
    with io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as stream:
        reader = etree.iterparse(
            stream, events=("start", "end"), resolve_entities=False, no_network=True,
            load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True,
            remove_pis=True,
        )  # fmt: skip
        first = True
        for event, element in reader:
            if first:
                _refuse_document_type(element)
                first = False
            yield str(event), element


def _refuse_document_type(root: etree._Element) -> None:
    """A document type can hold entities that grow without bound; member files have none."""
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotATable("an XML file with a document type is not read")


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _leaves(record: etree._Element) -> _Cells:
    """Texts by path: attributes, then elements without children; a repeated one is `Phone 2`."""
    found: _Cells = {}
    for name, value in record.attrib.items():
        _add(found, _bare(str(name)), str(value))
    _walk(record, "", found)
    return found


def _walk(parent: etree._Element, path: str, found: _Cells) -> None:
    for child in parent:
        if not isinstance(child.tag, str):
            continue
        name = f"{path} {_bare(child.tag)}".strip()
        if len(child):
            _walk(child, name, found)
        else:
            _add(found, name, child.text or "")


def _add(found: _Cells, name: str, text: str) -> None:
    label, number = name, 1
    while label in found:
        number += 1
        label = f"{name} {number}"
    found[label] = text


def _name(element: etree._Element) -> str:
    return cells.key(_bare(str(element.tag)))


def _bare(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]
