"""Validation: R4 structure, required codes, our profiles, references; and a second judge."""

from adapter.validation.judge import judge
from adapter.validation.references import check, check_unit

__all__ = ["check", "check_unit", "judge"]
