"""What converters of HL7 v2 fields share: parts of a field, other fields, and new resources."""

from __future__ import annotations

from typing import Any

from adapter import terms
from adapter.mapping.datatypes import V2, codings, components, concept
from adapter.mapping.lasting import steady
from adapter.mapping.registry import ConvertParts, datatype
from adapter.mapping.run import BadValue, Run, restored

Json = dict[str, Any]
NULL = '""'
HL7 = "http://hl7.org/fhir/StructureDefinition/"


def part(parts: list[str], place: int) -> str:
    """A component by its number, outer space removed; `""` beyond the end."""
    return parts[place - 1].strip() if place <= len(parts) else ""


def own(run: Run, place: int) -> str:
    """Another field of the segment being read; `""` when it is absent or to be deleted."""
    text = run.fields[place] if place < len(run.fields) else ""
    return "" if text == NULL else text


def also(run: Run, place: int, convert: ConvertParts) -> list[Any]:
    """Another field of the segment converted, each repetition by itself; findings get its place."""
    text = own(run, place)
    if not text:
        return []
    kept, label = (run.label, run.rep, run.sub), f"{run.label[:3]}-{place}"
    found: list[Any] = []
    for rep, one in enumerate(text.split("~")):
        run.label, run.rep, run.sub = label, rep, "&"
        value = _tried(run, one, convert)
        found += value if isinstance(value, list) else [value]
    run.label, run.rep, run.sub = kept
    return [value for value in found if value is not None]


def _tried(run: Run, text: str, convert: ConvertParts) -> Any:
    if text in ("", NULL):
        return None
    try:
        value = convert(run, components(run, text))
        return value if run.sub == "&" else restored(value)
    except BadValue as bad:
        run.issue("warning", bad.detail, bad.text, bad.part)
        return None


def first(values: list[Any]) -> Any:
    """The first of some values, None when there is none."""
    return values[0] if values else None


def added(run: Run, kind: str, resource: Json, *key: str) -> Json:
    """A reference to a resource of the unit that a value names."""
    return {"reference": run.add(kind, {"resourceType": kind, **resource}, *key)}


def of(run: Run, reference: Json | None) -> Json:
    """The resource of the unit behind such a reference, to be written to."""
    return run.opened(reference) if reference else {}


def gather(resource: Json, element: str, values: list[Any]) -> None:
    """Add values to a list of the resource, each once."""
    known = resource.get(element, [])
    fresh = [value for value in values if value not in known]
    if fresh:
        resource[element] = [*known, *fresh]


def reach(resource: Json, element: str, values: list[Any]) -> None:
    """Add addresses or telecoms; an organization has none of use home (org-2, org-3)."""
    if resource.get("resourceType") == "Organization":
        values = [{k: v for k, v in one.items() if (k, v) != ("use", "home")} for one in values]
    gather(resource, element, values)


def told(run: Run, parts: list[str], name: str) -> Json | None:
    """A coded value with its table's target before it, as a rule with `table` and `cwe` has it.

    A code of another system than the table's is kept as it came: a local `1` is not HL7's `1`
    (v2-to-FHIR CWE[CodeableConcept]: a concept map is for the codes of its table).
    """
    table = terms.table(name)
    item = concept(run, parts, _default(table, parts[0].strip()))
    codes = item.get("coding", []) if item else []
    if item is None or not codes:
        return item
    found = next((one for one in codes if meant(table, one)), None)
    target = meant(table, found) if found else None
    if found is None or target is None:
        run.issue("warning", "code-unknown", f"kept as it came: not in table {name}")
        return item
    if not table.display(found["code"]) and found.get("system") == table.system:
        item.setdefault("text", found.get("display") or found["code"])  # a word that feeds send
        codes = [one for one in codes if one is not found]
    if target.code and (target.system, target.code) not in map(_named, codes):
        coding = {"system": target.system, "code": target.code, "display": target.display}
        codes = [{k: v for k, v in coding.items() if v}, *codes]
    item.pop("coding")
    return {"coding": codes, **item} if codes else item


def _default(table: terms.Table, code: str) -> str:
    """The system of a code that names none: the table's own, unless it has no such code.

    HL7's tables are a site's to extend (HL7 v2.9 chapter 2.5.3), other code systems are not.
    """
    return table.system if table.system.startswith(V2) or table.get(code) else ""


def meant(table: terms.Table, coding: Json) -> terms.Target | None:
    """What a table says of a coding; None when it says nothing of it.

    The table is for codes of its own system, `also` those of others that it names. Of any other
    system are codes that stand in the table as a target, and those that are called the same, or by
    what they mean.
    """
    code, target = coding["code"], table.get(coding["code"])
    system = coding.get("system", "")
    if target is None or system == table.system or system in table.head.get("also", "").split():
        return target
    if (target.system, target.code) == (system, code):
        return target
    words = terms.fold(coding.get("display", ""))
    called = (table.display(code), target.display)
    return target if words and words in map(terms.fold, called) else None


def oneself(relation: str) -> bool:
    """Whether a relationship is to oneself (table 0063, X12 1069); who `S` is nobody says."""
    target = terms.table("coverage-relationship").get(relation)
    return target is not None and target.code == "self"


def foreign(run: Run, parts: list[str], table: terms.Table) -> tuple[Json, terms.Target | None]:
    """The coding of a code that names its system in CWE.3, and what a table says of it."""
    (coding,) = codings(run, parts[:3], table.system)
    return coding, meant(table, coding)


def _named(coding: Json) -> tuple[str, str]:
    return coding.get("system", ""), coding.get("code", "")


def later(run: Run) -> bool:
    """Whether this is not the first repetition of a field whose element has room for one."""
    if run.rep:
        run.issue("information", "unmapped", "only the first repetition has an element")
    return run.rep > 0


def _of_table(number: str) -> None:
    """A datatype `cwe_<number>`: a code without a system of its own is of this HL7 table."""

    @datatype(f"cwe_{number}", 20, but=(15, 16, 18, 19))
    @steady()
    def read(run: Run, parts: list[str]) -> Json | None:
        return concept(run, parts, V2 + number)


for _number in (
    "0046",
    "0050",
    "0080",
    "0182",
    "0230",
    "0338",
    "0406",
    "0436",
    "0717",
    "0936",
    "0937",
):
    _of_table(_number)
