"""The judge fhirclient 4.4.0: models made from R4 4.0.1 itself, strict.

It does not know that `_recorded` (a data absent reason) may stand in for a required `recorded`.
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from importlib import import_module
from typing import Any

from fhirclient.models.fhirabstractbase import FHIRValidationError


def complaints(resource: dict[str, Any]) -> list[str]:
    """What fhirclient refuses in a resource, one text a line."""
    try:
        model(resource["resourceType"])(copy.deepcopy(resource), strict=True)
    except FHIRValidationError as error:
        lines = [line for line in str(error).splitlines() if not stood_in(line, resource)]
        return lines if any("'" in line for line in lines) else []
    return []


def stood_in(line: str, resource: dict[str, Any]) -> bool:
    """Whether a complaint is of a required element that `_element` stands in for."""
    match = re.search(r'Non-optional property "(\w+)"', line)
    return match is not None and f'"_{match.group(1)}"' in json.dumps(resource)


@cache
def model(kind: str) -> Any:
    module = import_module(f"fhirclient.models.{kind.lower()}")
    return getattr(module, kind)
