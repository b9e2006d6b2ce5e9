"""Narrative.div: XHTML that is only formatting (FHIR R4 narrative.html, txt-1 and txt-2)."""

from __future__ import annotations

import re
from xml.parsers import expat

# HTML 4.0 chapters 7-11 (without 9.4) and 15, anchors and images, as R4 lists them
_TAGS = (
    "a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div"
    " dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li map ol p pre q s samp small span strong sub sup"
    " table tbody td tfoot th thead tr tt u ul var"
)
TAGS = frozenset(_TAGS.split())
_START = re.compile(r'\s*<div\b[^>]*\bxmlns\s*=\s*(["\'])http://www\.w3\.org/1999/xhtml\1')
_DECLARATION = re.compile(r"<!(?!--)|<\?")
_SCRIPT = re.compile(r"\s*(?:javascript|vbscript|data:text)", re.IGNORECASE)


class _Unfit(Exception):
    """Stops the parser at the first thing that a narrative may not hold."""


def is_narrative(value: object) -> bool:
    """One well-formed div in the XHTML namespace, formatting only, with some content."""
    if not isinstance(value, str) or not _START.match(value) or _DECLARATION.search(value):
        return False
    seen: list[bool] = []
    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # named entities such as &nbsp; are skipped, not errors
    parser.StartElementHandler = lambda tag, attributes: _start(tag, attributes, seen)
    parser.CharacterDataHandler = lambda text: seen.append(True) if text.strip() else None
    parser.SkippedEntityHandler = lambda name, _is_parameter: seen.append(True)
    try:
        parser.Parse(value.strip(), True)
    except (expat.ExpatError, UnicodeEncodeError, _Unfit):
        return False
    return bool(seen)


def _start(tag: str, attributes: dict[str, str], seen: list[bool]) -> None:
    if tag not in TAGS:
        raise _Unfit
    for name, text in attributes.items():
        if name.lower().startswith("on") or _SCRIPT.match(text):
            raise _Unfit
    if tag == "img":
        seen.append(True)
