"""What kind of number an identifier is: CX.5 by HL7 table 0203, and the words that feeds write."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adapter import terms
from adapter.constant import fixed
from adapter.mapping.run import Run

Json = dict[str, Any]
_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0203"


def identifier_type(run: Run, code: str, part: int) -> Json:
    """Identifier.type of a code of table 0203; one without a row is kept and reported."""
    if terms.table("identifier-type").get(code) is None:
        run.issue("warning", "code-unknown", "kept as it came: not in table identifier-type", part)
    return type_of(code)


@lru_cache(maxsize=4096)
def meant(written: str) -> str:
    """The code of table 0203 that CX.5 means: a word that feeds write for one, `MRN`, is that."""
    code, table = written.strip().upper(), terms.table("identifier-type")
    target = table.get(code)
    return target.code if target is not None and not table.display(code) else code


@lru_cache(maxsize=1024)
def type_of(code: str) -> Json:
    """Identifier.type of a code; of a word that feeds write for one, with the word as its text."""
    known = meant(code)
    display = terms.table("identifier-type").display(known)
    coding = {"system": _SYSTEM, "code": known, **({"display": display} if display else {})}
    found: Json = fixed({"coding": [coding], **({"text": code} if known != code else {})})
    return found
