"""What `review` does: list the units that wait for a person, and carry out what they decide."""

from __future__ import annotations

import getpass
from argparse import Namespace
from collections.abc import Callable

from adapter.errors import SettingError
from adapter.pipeline import Pipeline
from adapter.store.protocol import Held

Say = Callable[..., None]


def review(house: Pipeline, options: Namespace, say: Say) -> int:
    """List, or decide one: `accept` (who is meant), `new` (nobody known), `refuse`.

    A unit with another doubt waits again. `again` judges all that waits anew.
    """
    if options.action == "list":
        return _list(house.store.waiting(), say)
    if options.action == "again":
        return _again(house, say)
    what = options.action
    if what == "accept":
        what = options.ref
        known = house.store.read(*_reference(options.ref))
        if known is None or known.deleted:
            raise SettingError("no such Patient")
    by = options.by or getpass.getuser()
    receipt = house.store.decide(options.unit, what, by, house.clock().isoformat())
    if receipt is None:
        say(f"unit {options.unit}: does not wait")
        return 1
    say(f"unit {options.unit}: {receipt.status}")
    for issue in receipt.issues:
        say(f"  {issue.detail}: {issue.text}")
    return int(receipt.status == "review" or (receipt.status == "refused" and what != "refuse"))


def _reference(text: str) -> tuple[str, str]:
    """`Patient/ID` in two. Raises SettingError for any other type."""
    kind, _, uid = text.partition("/")
    if kind != "Patient" or not uid:
        raise SettingError("accept takes Patient/ID")
    return kind, uid


def _again(house: Pipeline, say: Say) -> int:
    """A line for each unit that waits no longer. 1 when any waits on."""
    for receipt in house.store.judge_again(house.clock().isoformat()):
        say(f"unit {receipt.unit}: {receipt.status}")
    left = len(house.store.waiting())
    say(f"{left} wait")
    return int(bool(left))


def _list(found: list[Held], say: Say) -> int:
    """One line a unit, then one a candidate; no value of a person. 1 when anything waits."""
    for one in found:
        say(f"{one.unit}  {one.source}  {one.file}:{one.line}  {one.received}")
        for row in one.issues:
            if row["severity"] in ("fatal", "error"):
                say(f"      {row['details']['coding'][0]['code']}: {row['details']['text']}")
        for like in one.candidates:
            agrees, differs = ", ".join(like.agrees) or "-", ", ".join(like.differs) or "-"
            say(f"      Patient/{like.id}  {like.score}  agrees: {agrees}  differs: {differs}")
    if not found:
        say("nothing waits")
    return int(bool(found))
