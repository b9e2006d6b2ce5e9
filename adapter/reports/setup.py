"""What is the same in every row of one report: the month, when it is made, plan and provider."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from adapter.errors import SettingError


@dataclass(frozen=True, slots=True)
class Setup:
    """A month from `start` to `end` (both included, days of `zone`) for one plan.

    `moment`    when the file is made, in `zone`
    `provider`  who reports: mappings/outbound/provider.toml
    """

    plan: str
    payer_id: str
    payer_name: str
    provider: Mapping[str, str]
    start: date
    end: date
    moment: datetime
    zone: ZoneInfo

    @property
    def produced(self) -> date:
        """The day the file is made."""
        return self.moment.date()

    def holds(self, day: date) -> bool:
        """True when the day lies in the month."""
        return self.start <= day <= self.end


def month(text: str) -> tuple[date, date]:
    """First and last day of a month written `2026-01`. Raises SettingError when it is none."""
    try:
        start = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise SettingError("period: a month is written like 2026-01") from None
    return start, start.replace(day=calendar.monthrange(start.year, start.month)[1])
