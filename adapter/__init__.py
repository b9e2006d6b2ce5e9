"""FHIR R4 adapter for California's Enhanced Care Management: files and messages in, FHIR out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapter.outcome import Outcome

__version__ = "0.1.0"
__all__ = ["Outcome", "convert_adt", "convert_mif", "convert_referral"]


def convert_adt(message: str | bytes, feed: str = "default") -> Outcome:
    """One HL7 v2 ADT message as an Outcome; of a batch, the first message.

    `feed` names a profile of mappings/hl7v2/feeds: zone, authorities. Raises DataFileError when
    there is none. Never raises for what the message holds: see `Outcome.issues`.
    """
    from adapter import convert

    return next(convert.adt(message, feed=feed))


def convert_mif(path: str | Path, plan: str) -> Iterator[Outcome]:
    """Each row of a plan's member file as an Outcome, then the file's Group; flat memory.

    `plan` names a layout of mappings/mif/layouts. Raises DataFileError when there is none.
    """
    from adapter import convert

    return convert.rows(Path(path), convert.member_table(plan))


def convert_referral(path_or_dict: str | Path | Mapping[str, Any], form: str) -> Outcome:
    """One filled referral form (JSON or QuestionnaireResponse; a path or the object itself).

    `form` names a layout of mappings/forms/layouts. Raises DataFileError when there is none,
    OSError when the path cannot be read.
    """
    from adapter import convert

    if isinstance(path_or_dict, Mapping):
        return convert.referral(path_or_dict, form)
    path = Path(path_or_dict)
    return convert.referral(path.read_bytes(), form, path.name)
