"""Days of the contract: RFC 3339 full-dates, and nothing looser."""

import re
from datetime import date

from service.domain.reasons import Reason
from service.errors import EventRefused

_SHOWN = 40
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def full_date(text: str | None, path: str) -> str:
    """Check an RFC 3339 full-date (section 5.6) and give it back; "" for None.

    A day has one spelling, so texts are equal and in order just where days are. Raises EventRefused (`bad_time`,
    naming `path`) for everything else: a time beside it, a day that is not in the calendar.
    """
    if text is None:
        return ""
    if _FULL_DATE.fullmatch(text) is None:
        raise _refused(text, path, "is no date")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise _refused(text, path, "is not in the calendar") from None
    return text


def _refused(text: str, path: str, trouble: str) -> EventRefused:
    return EventRefused(Reason.BAD_TIME, path, f"{text[:_SHOWN]!r} {trouble}; write the day alone, like 2026-03-31")
