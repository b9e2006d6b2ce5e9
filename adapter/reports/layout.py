"""One file that a plan wants, as checked values: its columns, forms, names and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from adapter import terms
from adapter.reports.setup import Setup, month

Format = Literal["csv", "pipe", "xlsx"]
Kind = Literal["rtf", "otf"]
Grain = Literal["member", "attempt", "both"]

SUFFIX: Mapping[Format, str] = MappingProxyType({"csv": ".csv", "pipe": ".txt", "xlsx": ".xlsx"})
DELIMITER: Mapping[Format, str] = MappingProxyType({"csv": ",", "pipe": "|", "xlsx": ""})
FORMS = (
    "text", "code", "date", "datetime", "month", "flag", "integer", "minutes", "duration", "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, the canonical element in it (`""`: `constant`), its form.

    `words`    our codes -> the plan's words; None when it holds no code
    `ours`     the plan's words (folded) -> the first of our codes that has the word
    `need_if`  required only when the cell of this element reads this
    """

    header: str
    element: str
    form: str
    required: bool
    words: Mapping[str, str] | None = None
    ours: Mapping[str, str] = field(default_factory=dict)
    need_if: tuple[str, str] | None = None
    constant: str = ""

    def code(self, text: str) -> str | None:
        """Our code for a word of the plan's list; None when the list lacks it."""
        return self.ours.get(terms.fold(text) or text)


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's columns and forms; `name_*`, `period`, `dates` and `times` are strftime patterns.

    `kinds`  what it reports; a merged file reports both
    `grain`  a row is a member, an outreach attempt, or a member with each attempt (`both`)
    `book`   the layouts of the plan that share one workbook, a sheet each
    `late`   attempts of earlier months that no file told yet are told too
    """

    plan: str
    name: str
    kinds: tuple[Kind, ...]
    grain: Grain
    format: Format
    sheet: str
    book: tuple[str, ...]
    heading: bool
    late: bool
    zone: ZoneInfo
    file_name: str
    name_period: str
    name_produced: str
    period: str
    dates: str
    times: str
    flags: tuple[str, str]
    payer_id: str
    payer_name: str
    provider: Mapping[str, str]
    columns: tuple[Column, ...]

    @property
    def series(self) -> str:
        """What files of this layout are, month after month: `sunrise/rtf`."""
        return f"{self.plan}/{self.name}"

    def column(self, element: str) -> Column | None:
        """The column of an element."""
        return next((one for one in self.columns if one.element == element), None)

    def setup(self, period: str, now: datetime) -> Setup:
        """The report's setup for a month (`2026-01`). Raises SettingError when it is none."""
        start, end = month(period)
        return Setup(
            plan=self.plan,
            payer_id=self.payer_id,
            payer_name=self.payer_name,
            provider=self.provider,
            start=start,
            end=end,
            moment=now.astimezone(self.zone),
            zone=self.zone,
        )

    def file(self, setup: Setup, form: Format) -> str:
        """The file's name for a setup and a format."""
        return SUFFIX[form].join((self._stem(setup), ""))

    def _stem(self, setup: Setup) -> str:
        return self.file_name.format(
            npi=self.provider["npi"],
            short=self.provider["short"],
            plan=self.plan,
            period=setup.start.strftime(self.name_period),
            produced=setup.moment.strftime(self.name_produced),
        )
