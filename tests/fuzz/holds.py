"""What must hold of whatever bytes come in as ADT: for the search (adt.py) and for the suite."""

from __future__ import annotations

from adapter import convert, data
from adapter.errors import AdapterError


def holds(raw: bytes) -> None:
    """Raises what is no failure of ours, or AssertionError where a message is silently dropped."""
    try:
        outcomes = list(convert.adt(raw))
    except AdapterError:
        return
    assert outcomes, "bytes without an outcome"
    for outcome in outcomes:
        assert outcome.ok == (outcome.bundle is not None), "taken without a bundle, or refused with"
        assert outcome.ok or any(issue.failed for issue in outcome.issues), "no reason"
        data.dumps(outcome.bundle)
