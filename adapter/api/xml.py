"""FHIR XML to and from the JSON form, driven by profiles/r4.json (FHIR R4 xml.html, json.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

from lxml import etree

from adapter import data
from adapter.api.call import Refusal, refuse
from adapter.record import Resource

FHIR = "http://hl7.org/fhir"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
MAX_DEPTH = 64
XHTML = "http://www.w3.org/1999/xhtml"
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_INTEGERS = {"integer", "positiveInt", "unsignedInt"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")


class Child(NamedTuple):
    """One element that a type may hold: its JSON name, its type, and whether it is a list."""

    name: str
    type: str
    many: bool


_ID = Child("id", "id", False)  # of a resource; an element's id is a string and an XML attribute


def parse(body: bytes) -> Resource:
    """FHIR XML as the JSON form; decimals as they are written. Raises Refusal 400.

    UTF-8 only. Document types, entities and deep trees are refused; nothing is fetched.
    """
    root = _tree(body)
    return _resource(root, _local(root), "")


def write(resource: Resource) -> bytes:
    """The JSON form as FHIR XML in definition order. Raises Refusal 406 if R4 lacks an element."""
    root = _element(None, resource["resourceType"])
    _fill(root, resource, resource["resourceType"])
    text: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


@cache
def children(type_name: str) -> dict[str, Child]:
    """What a type may hold, by JSON name, in definition order; choices spelled out."""
    return {child.name: child for child in _children(type_name)}


@cache
def resource_types() -> frozenset[str]:
    """Every concrete resource type of R4."""
    whole = {name for name in _types() if "." not in name and children(name).get("id") == _ID}
    return frozenset(whole - {"Resource", "DomainResource"})


@cache
def _types() -> dict[str, dict[str, Any]]:
    types: dict[str, dict[str, Any]] = data.json(data.path("profiles", "r4.json"))["types"]
    return types


def _rows(type_name: str) -> dict[str, Any]:
    """The elements of a type, those of the type it builds on (`@`) first."""
    own = dict(_types().get(type_name, {}))
    base = own.pop("@", None)
    return {**_rows(base), **own} if base else own


def _children(type_name: str) -> Iterator[Child]:
    for name, row in _rows(type_name).items():
        for kind in row[0]:
            choice = name.replace("[x]", kind[0].upper() + kind[1:])
            yield Child(choice if name.endswith("[x]") else name, kind, row[2] != "1")


def _primitive(type_name: str) -> bool:
    return type_name[0].islower()


# --- XML to JSON


def _tree(body: bytes) -> etree._Element:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(400, "file-encoding", "the XML is not UTF-8") from None
    if _DOCTYPE.search(body):
        raise refuse(400, "resource-structure", "XML with a document type or entities is refused")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise refuse(400, "resource-structure", "the XML is not well formed") from None


def _local(element: etree._Element) -> str:
    name = etree.QName(element)
    if name.namespace != FHIR:
        raise refuse(400, "resource-structure", "an XML element outside of the FHIR namespace")
    return str(name.localname)


def _resource(element: etree._Element, name: str, path: str) -> Resource:
    if name not in resource_types():
        raise refuse(400, "resource-type", "the XML element is not a resource type of R4")
    return {"resourceType": name, **_object(element, name, path or name)}


def _object(element: etree._Element, type_name: str, path: str) -> dict[str, Any]:
    if path.count(".") > MAX_DEPTH:
        raise refuse(400, "resource-structure", f"nested deeper than {MAX_DEPTH}")
    result = _attributes(element, type_name, path)
    _add_elements(result, element, type_name, path)
    return result


def _add_elements(
    result: dict[str, Any], element: etree._Element, type_name: str, path: str
) -> None:
    _no_text(element, path)
    known = children(type_name)
    for node in element:
        name = "div" if node.tag == f"{{{XHTML}}}div" else _local(node)
        child = known.get(name)
        if child is None or (name == "div") != (child.type == "xhtml"):
            raise refuse(400, "element-unknown", f"R4 has no such element in {path}")
        if not child.many and (name in result or f"_{name}" in result):
            raise refuse(400, "cardinality", f"{path}.{name} stands more than once")
        _add(result, child, node, f"{path}.{name}")


def _attributes(element: etree._Element, type_name: str, path: str) -> dict[str, Any]:
    allowed = {"id", "url"} if type_name == "Extension" else {"id"}
    if children(type_name).get("id") == _ID:
        allowed = {_SCHEMA}
    if set(element.attrib) - allowed:
        raise refuse(400, "element-unknown", f"R4 has no such XML attribute in {path}")
    return {name: element.attrib[name] for name in ("id", "url") if name in element.attrib}


def _add(result: dict[str, Any], child: Child, node: etree._Element, path: str) -> None:
    if child.type == "xhtml":
        result[child.name] = _div(node)
    elif _primitive(child.type):
        _add_primitive(result, child, node, path)
    elif child.many:
        result.setdefault(child.name, []).append(_complex(node, child.type, path))
    else:
        result[child.name] = _complex(node, child.type, path)


def _complex(node: etree._Element, type_name: str, path: str) -> dict[str, Any]:
    if type_name != "Resource":
        return _object(node, type_name, path)
    _no_text(node, path)
    if len(node) != 1 or node.attrib:
        raise refuse(400, "resource-structure", f"{path} must hold one resource")
    return _resource(node[0], _local(node[0]), path)


def _add_primitive(result: dict[str, Any], child: Child, node: etree._Element, path: str) -> None:
    """The value under its name, id and extensions under `_name` (FHIR R4 json.html 2.6.2.1)."""
    if set(node.attrib) - {"value", "id"}:
        raise refuse(400, "element-unknown", f"R4 has no such XML attribute in {path}")
    text = node.attrib.get("value")
    value = None if text is None else _value(text, child.type, path)
    rest: dict[str, Any] = {"id": node.attrib["id"]} if "id" in node.attrib else {}
    _add_elements(rest, node, "Element", path)
    if child.many:
        _add_item(result, child.name, value, rest or None)
        return
    result |= {} if value is None else {child.name: value}
    result |= {f"_{child.name}": rest} if rest else {}


def _add_item(result: dict[str, Any], name: str, value: Any, rest: dict[str, Any] | None) -> None:
    """One more item of a list of primitives; value and `_name` lists keep step with nulls."""
    count = max(len(result.get(name, ())), len(result.get(f"_{name}", ())))
    for key, item in ((name, value), (f"_{name}", rest)):
        if item is not None or key in result:
            filled = result.setdefault(key, [None] * count)
            filled.append(item)


def _value(text: str, type_name: str, path: str) -> Any:
    if type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    if type_name in _INTEGERS and _WHOLE.fullmatch(text):
        return int(text)
    if type_name == "decimal" and _DECIMAL.fullmatch(text):
        return data.decimal(text)
    if type_name in _INTEGERS or type_name in ("boolean", "decimal"):
        raise refuse(400, "datatype", f"{path} is not a value of type {type_name}")
    return text


def _div(node: etree._Element) -> str:
    copy = deepcopy(node)
    copy.tail = None
    etree.cleanup_namespaces(copy)
    return str(etree.tostring(copy, encoding="unicode"))


def _no_text(element: etree._Element, path: str) -> None:
    if any((text or "").strip() for text in (element.text, *(node.tail for node in element))):
        raise refuse(400, "resource-structure", f"text between the XML elements of {path}")


# --- JSON to XML


def _element(parent: etree._Element | None, name: str) -> etree._Element:
    if parent is None:
        return etree.Element(f"{{{FHIR}}}{name}", nsmap={None: FHIR})
    return etree.SubElement(parent, f"{{{FHIR}}}{name}")


def _fill(element: etree._Element, value: dict[str, Any], type_name: str) -> None:
    known = children(type_name)
    if {name.removeprefix("_") for name in value} - known.keys() - {"resourceType"}:
        raise _unwritable()
    for name, child in known.items():
        plain, rest = value.get(name), value.get(f"_{name}")
        if plain is None and rest is None:
            continue
        if name in ("id", "url") and _is_attribute(type_name, child):
            element.set(name, plain)
        else:
            _write_items(element, child, plain, rest)


def _is_attribute(type_name: str, child: Child) -> bool:
    return (child.name == "id" and child.type == "string") or (type_name == "Extension")


def _write_items(parent: etree._Element, child: Child, plain: Any, rest: Any) -> None:
    values = plain if isinstance(plain, list) else [plain]
    rests = rest if isinstance(rest, list) else [rest]
    for index in range(max(len(values), len(rests))):
        value = values[index] if index < len(values) else None
        extra = rests[index] if index < len(rests) else None
        _write_one(parent, child, value, extra)


def _write_one(parent: etree._Element, child: Child, value: Any, rest: Any) -> None:
    if child.type == "xhtml":
        parent.append(_tree_of_div(value))
        return
    element = _element(parent, child.name)
    if child.type == "Resource":
        name = value["resourceType"]
        _fill(_element(element, name), value, name)
    elif not _primitive(child.type):
        _fill(element, value, child.type)
    else:
        _fill(element, rest or {}, "Element")
        if value is not None:
            element.set("value", _text(value))


def _tree_of_div(text: str) -> etree._Element:
    try:
        return _tree(text.encode())
    except Refusal:
        raise _unwritable() from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _unwritable() -> Refusal:
    return refuse(406, "not-supported", "the resource cannot be written as XML: ask for JSON")
