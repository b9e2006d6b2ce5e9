"""The judge fhirclient 4.4.0: models made from R4 4.0.1 itself, strict."""

from __future__ import annotations

import copy
from functools import cache
from importlib import import_module
from typing import Any

from fhirclient.models.fhirabstractbase import FHIRValidationError


def complaints(resource: dict[str, Any]) -> list[str]:
    """What fhirclient refuses in a resource, one text a line."""
    try:
        model(resource["resourceType"])(copy.deepcopy(resource), strict=True)
    except FHIRValidationError as error:
        return str(error).splitlines()
    return []


@cache
def model(kind: str) -> Any:
    module = import_module(f"fhirclient.models.{kind.lower()}")
    return getattr(module, kind)
