"""The tables of the store, and how a database is opened for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "6"

metadata = MetaData()

# Ids, codes and normalised names compare by code point in both databases, never by a locale.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, _TEXT, nullable=False, **more)


def _number(name: str, **more: Any) -> Column[int]:
    return Column(name, Integer, nullable=False, **more)


_FIXED = {"fixed": True}  # of a column: a row that is written again has the same value


def _key(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


# One row a resource; its content is the version that `version` names.
resource = Table(
    "resource",
    metadata,
    _key("rid"),
    _text("kind", info=_FIXED),
    _text("id", info=_FIXED),
    _number("version"),
    _text("updated"),
    _number("deleted"),
    UniqueConstraint("kind", "id"),
    Index("resource_updated", "kind", "updated"),
)

# Every version ever, whole, as it is served.
version = Table(
    "version",
    metadata,
    _key("rid"),
    _key("version"),
    _text("updated"),
    _number("deleted"),
    _text("json"),
)

# What each source says of a resource (fold.py), packed: one row a resource and source,
# of long stays some more (bundles.py).
contribution = Table(
    "contribution",
    metadata,
    _key("rid"),
    _text("source", primary_key=True),
    _text("json"),
)

# Which resource a business identifier names; the database keeps it one per type.
identifier = Table(
    "identifier",
    metadata,
    _text("value", primary_key=True),
    _text("system", primary_key=True),
    _text("kind", primary_key=True),
    _text("id"),
    sqlite_with_rowid=False,
)

# Who was merged into whom; what names the loser leads to the survivor.
merged = Table(
    "merged",
    metadata,
    _text("kind", primary_key=True),
    _text("loser", primary_key=True),
    _text("survivor"),
    _number("unit"),
    Index("merged_loser", "loser"),
    Index("merged_survivor", "survivor"),
    sqlite_with_rowid=False,
)

# Units that a person must decide on: what they became, who may be meant, and what was decided.
review = Table(
    "review",
    metadata,
    _key("unit"),
    _text("outcome"),
    _text("candidates"),
    _text("decision"),
    _text("who"),
    _text("decided"),
)

# Index rows of the current versions: token (code, system), string (folded, as written),
# date (from, before), reference ("Patient/abc", or "@rid" once that is stored, "Patient").
term = Table(
    "term",
    metadata,
    _text("param", primary_key=True),
    _text("value", primary_key=True),
    _text("extra", primary_key=True),
    _key("rid"),
    sqlite_with_rowid=False,
)

# The ledger: every unit that came in, and what became of it.
unit = Table(
    "unit",
    metadata,
    _key("id"),
    _text("hash", info=_FIXED),
    _text("source", info=_FIXED),
    _text("key", info=_FIXED),
    _text("kind"),
    _text("file"),
    _number("line"),
    _text("as_of"),
    _text("received"),
    _text("status"),
    _text("issues"),
    UniqueConstraint("key", "source", "hash"),  # what came together stands together
    Index("unit_status", "status"),
    Index("unit_received", "source", "received", "status"),
)

# The bytes of every unit.
raw = Table(
    "raw",
    metadata,
    _key("unit"),
    Column("bytes", LargeBinary, nullable=False),
)

# What the cells and segments of written files were made from.
cell = Table(
    "cell",
    metadata,
    _text("file", primary_key=True),
    _key("line"),
    _text("field", primary_key=True),
    _text("refs"),
    _text("written"),
    sqlite_with_rowid=False,
)

# What the rows of written files told, by the period they were written for: the next file starts
# from it.
sent = Table(
    "sent",
    metadata,
    _text("series", primary_key=True),
    _text("subject", primary_key=True),
    _text("period", primary_key=True),
    _text("texts"),
    _text("written"),
    Index("sent_period", "series", "period", "subject"),
    sqlite_with_rowid=False,
)

sequence = Table("sequence", metadata, _text("name", primary_key=True), _number("value"))

# Stays, plans' lists, and people who died or have other numbers, whose notices have not been
# derived from this version yet: written with it, so that no crash can part them.
WATCHED = frozenset({"Encounter", "Group"})
change = Table("change", metadata, _key("rid"), _number("version"))

# Messages to care teams, whole as they go out. Times are UTC texts of one form that sort by time.
outbox = Table(
    "outbox",
    metadata,
    _key("number"),
    _text("id", unique=True),
    _text("encounter"),
    _text("event"),
    _text("at"),
    _number("revision"),
    _text("sense"),
    _text("recipient"),
    _text("state"),
    _number("attempts"),
    _text("due"),
    _text("made"),
    _text("told"),
    _text("fault"),
    _text("body"),
    UniqueConstraint("encounter", "event", "at", "revision"),
    Index("outbox_due", "state", "due"),
    Index("outbox_recipient", "recipient", "state"),
)

# What the store must remember about itself: schema, search parameters indexed, id namespace.
setting = Table("setting", metadata, _text("name", primary_key=True), _text("value"))
